/**
 * Addition of numbers as text with an encoder-decoder, after the Keras example addition_rnn: from `5+271`, the model
 * generates `276`. An LSTM of 128 units reads the question in reverse, and another one generates the sum from its
 * final state. 50,000 distinct questions, a tenth of them held out.
 *
 * Differences from the Keras example: the input of the decoder is the previous output token (Sutskever, Vinyals and Le,
 * 2014, arXiv 1409.3215) instead of the final output of the encoder at every step; the operands of a training question
 * are swapped at random; the optimizer is AdamW with a decaying learning rate; and an output counts as correct only if
 * all characters are.
 */

import {
  adamw,
  chain,
  characterVocabulary,
  clipByNorm,
  cosineDecay,
  createRandom,
  type EncoderDecoder,
  embedding,
  encode,
  encoderDecoder,
  fit,
  greedySearch,
  initializeOptimizer,
  integerNumber,
  lstm,
  type Pair,
  padSequences,
  pairBatches,
  type Random,
  recurrent,
  shuffle,
} from 'bptt';
import { type Outcome, type Problem, type RunOptions, train } from './problem';

/** A question and its sum: `['5+271', '276']`. */
export type Sum = readonly [question: string, result: string];

/** Draws questions of two numbers with at most `digits` digits, distinct even if the operands are swapped. */
export function drawSums(random: Random, digits: number, count: number): readonly Sum[] {
  const number = (): number =>
    Number(Array.from({ length: 1 + integerNumber(random, digits) }, () => String(integerNumber(random, 10))).join(''));
  const sums = new Map<string, Sum>();
  while (sums.size < count) {
    const [a, b] = [number(), number()];
    const key = `${Math.min(a, b)}+${Math.max(a, b)}`;
    if (!sums.has(key)) sums.set(key, [`${a}+${b}`, String(a + b)]);
  }
  return [...sums.values()];
}

/** Swaps the operands of a question with probability 0.5. */
function swapOperands([question, result]: Sum, random: Random): Sum {
  if (integerNumber(random, 2) === 0) return [question, result];
  const [a, b] = question.split('+') as [string, string];
  return [`${b}+${a}`, result];
}

/** Training options. */
export interface AdditionOptions {
  /** Largest number of digits of an operand. */
  readonly digits: number;
  /** Number of questions, of which a tenth is held out. */
  readonly count: number;
  readonly hiddenSize: number;
  readonly epochs: number;
  readonly rate: number;
}

/** Trains an encoder-decoder until 99 % of the held-out outputs are exact. */
export async function additionRun(
  { digits, count, hiddenSize, epochs, rate }: AdditionOptions,
  options: RunOptions,
): Promise<Outcome> {
  const { seed } = options;
  const random = createRandom(seed + 1000);
  const vocabulary = characterVocabulary('0123456789+', { marks: ['start', 'end'] });
  const [start, end] = [vocabulary.marks.start!, vocabulary.marks.end!];
  const pairOf = ([question, result]: Sum): Pair => ({
    input: encode(vocabulary, [...question].reverse().join('')),
    target: encode(vocabulary, result, { end: true }),
  });
  // The first questions drawn contain more short numbers, since those run out. Shuffle before splitting, as in the
  // Keras example.
  const sums = shuffle(random, [...drawSums(random, digits, count)]);
  const [heldOut, training] = [sums.slice(0, count / 10).map(pairOf), sums.slice(count / 10)];
  const model: EncoderDecoder = encoderDecoder({
    encoder: [embedding({ vocabularySize: vocabulary.size, size: 16 }), recurrent(lstm(), { hiddenSize })],
    decoder: { vocabularySize: vocabulary.size, embeddingSize: 16, cell: lstm(), hiddenSize },
    start,
    end,
    seed,
  });
  const source = padSequences(heldOut.map(({ input }) => input as Int32Array));
  const metric = (): number => {
    const hypotheses = greedySearch(model, source, { maxLength: digits + 2 });
    return (
      hypotheses.filter(
        ({ ids, ended }, i) =>
          !ended || ids.length + 1 !== heldOut[i]!.target.length || ids.some((id, t) => id !== heldOut[i]!.target[t]),
      ).length / heldOut.length
    );
  };
  const perEpoch = Math.ceil(training.length / 128);
  const optimizer = chain(clipByNorm(1), adamw(cosineDecay(rate, { steps: epochs * perEpoch }), { weightDecay: 0.1 }));
  const optimizerState = initializeOptimizer(optimizer, model.data.length);
  const update = async (updates: number): Promise<void> => {
    const data = pairBatches(
      training.map((sum) => pairOf(swapOperands(sum, random))),
      { batchSize: 128 },
    );
    await fit(model, data, { optimizer, optimizerState, steps: updates, seed: integerNumber(random, 1e9) });
  };
  return train(update, { every: perEpoch, metric, solved: (wrong) => wrong < 0.01 }, epochs * perEpoch, options);
}

export const addition: Problem = {
  name: 'addition of three digits',
  metric: 'fraction of inexact outputs',
  baseline: 1,
  criterion: '99 % of 5,000 held-out questions with an exact output',
  networks: {
    'LSTM encoder-decoder': {
      expected: true,
      run: (options) => additionRun({ digits: 3, count: 50_000, hiddenSize: 128, epochs: 20, rate: 5e-3 }, options),
    },
  },
  seeds: 3,
};
