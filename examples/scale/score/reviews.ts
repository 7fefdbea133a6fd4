/** A classifier to score with, and as many texts as needed. */

import { createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import {
  adam,
  binaryCrossEntropy,
  bucketBatches,
  chain,
  clipByNorm,
  createRandom,
  dense,
  embedding,
  encode,
  fit,
  gru,
  integerNumber,
  recurrent,
  save,
  sequential,
  tensor,
  wordVocabulary,
} from 'bptt';
import { readSentences } from '../../sentiment/sentences';

/** Trains a small classifier of sentences, and returns its file, with the vocabulary. */
export async function trainScorer(): Promise<Uint8Array> {
  const sentences = readSentences();
  const vocabulary = wordVocabulary(
    sentences.map(({ text }) => text),
    { lowercase: true, minCount: 2, marks: ['padding', 'unknown'] },
  );
  const examples = sentences
    .map(({ text, label }) => ({ input: encode(vocabulary, text), target: tensor([label]) }))
    .filter(({ input }) => input.length > 0);
  const model = sequential(
    [
      embedding({ vocabularySize: vocabulary.size, size: 16 }),
      recurrent(gru(), { hiddenSize: 32, returnSequences: false }),
      dense({ size: 1 }),
    ],
    { seed: 1 },
  );
  const optimizer = chain(clipByNorm(1), adam(5e-3));
  await fit(model, bucketBatches(examples, { batchSize: 32 }), { loss: binaryCrossEntropy, optimizer, epochs: 3 });
  return save(model, { extras: { vocabulary } });
}

/**
 * Writes `count` lines `{"text": …}`: reviews of one to four sentences, drawn at random. The file is either complete or
 * missing.
 */
export async function writeReviews(path: string, count: number, seed: number): Promise<void> {
  const sentences = readSentences();
  const random = createRandom(seed);
  function* blocks(): Generator<string> {
    let block = '';
    for (let line = 0; line < count; line++) {
      const parts = Array.from({ length: 1 + integerNumber(random, 4) }, () => {
        return sentences[integerNumber(random, sentences.length)]!.text;
      });
      block += `${JSON.stringify({ text: parts.join(' ') })}\n`;
      if (block.length < 1 << 16 && line < count - 1) continue;
      yield block;
      block = '';
    }
  }
  await pipeline(blocks, createWriteStream(`${path}.partial`));
  await rename(`${path}.partial`, path);
}
