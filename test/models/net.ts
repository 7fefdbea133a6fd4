import { dense, dropout, embedding, gru, lstm, recurrent, type Sequential, sequential } from 'bptt';

/** A model of six tokens with two recurrent layers. */
export const net: Sequential = sequential(
  [
    embedding({ vocabularySize: 6, size: 4 }),
    recurrent(gru(), { hiddenSize: 5 }),
    dropout(0.5),
    recurrent(lstm(), { hiddenSize: 3 }),
    dense({ size: 6 }),
  ],
  { seed: 2 },
);
