/** The sentences of reviews. */

import { expect, it } from 'vitest';
import { readSentences, sentenceFolds } from '../../examples/sentiment/sentences';

it('no test sentence is in the training data of its fold, and each is in one fold', () => {
  const sentences = readSentences();
  const keys = sentences.map(({ text }) => text.toLowerCase());
  expect(new Set(keys).size).toBeLessThan(sentences.length);
  const folds = sentenceFolds(sentences, { k: 10, seed: 5 });
  for (const { train, test } of folds) {
    const known = new Set(Array.from(train, (i) => keys[i]!));
    expect(Array.from(test).filter((i) => known.has(keys[i]!))).toEqual([]);
    expect(train.length + test.length).toBe(sentences.length);
  }
  expect(folds.flatMap(({ test }) => [...test]).sort((a, b) => a - b)).toEqual(sentences.map((_, i) => i));
});
