/** The n-gram models with modified Kneser–Ney smoothing that the examples use as baselines. */

import { createRandom, integerNumber } from 'bptt';
import { expect, it } from 'vitest';
import { countNGrams, nGramLoss, ngramsOf, probabilityOf } from '../../examples/moby-dick/n-grams';

it('the probabilities of all next ids sum to 1 after any context', () => {
  const random = createRandom(1);
  const text = Int32Array.from({ length: 500 }, () => integerNumber(random, 1 + integerNumber(random, 12)));
  for (const order of [1, 2, 3, 4]) {
    const model = countNGrams(ngramsOf(text, order), order, 12);
    for (let trial = 0; trial < 50; trial++) {
      const context = Array.from({ length: integerNumber(random, order) }, () => integerNumber(random, 12));
      expect(
        Array.from({ length: 12 }, (_, id) => probabilityOf(model, [...context, id])).reduce((a, b) => a + b),
      ).toBeCloseTo(1, 9);
    }
  }
});

it('counts, discounts and probabilities equal those computed by hand', () => {
  // Bigrams of 0 1 0 1 0 2 1: 01 and 10 occur twice, 02 and 21 once; n1 = n2 = 2, n3 = n4 = 0, Y = 2 / 6.
  // Discounts: D1 = 1 − 2 Y · 2 / 2, D2 = 2 − 3 Y · 0 / 2, D3 is undefined, so 0.5.
  const model = countNGrams(ngramsOf(Int32Array.of(0, 1, 0, 1, 0, 2, 1), 2), 2, 3);
  [1 / 3, 2, 0.5].forEach((discount, i) => expect(model.discounts[1]![i]).toBeCloseTo(discount, 12));
  // Continuation counts: 0 follows one distinct id, 1 follows two, 2 follows one; n1 = 2, n2 = 1, Y = 1 / 2.
  // Discounts: D1 = 1 − 2 Y / 2 = 0.5, D2 = 2.
  const reserve = 0.5 + 2 + 0.5;
  const unigram = (count: number): number => (count - (count === 1 ? 0.5 : 2) + reserve * (1 / 3)) / 4;
  expect(probabilityOf(model, [1])).toBeCloseTo(unigram(2), 12);
  expect(probabilityOf(model, [0, 1])).toBeCloseTo((2 - 2 + (2 + 1 / 3) * unigram(2)) / 3, 12);
  expect(probabilityOf(model, [0, 0])).toBeCloseTo(((2 + 1 / 3) * unigram(1)) / 3, 12);
  expect(probabilityOf(model, [0, 2])).toBeCloseTo((1 - 1 / 3 + (2 + 1 / 3) * unigram(1)) / 3, 12);
});

it('a periodic text is predictable from a long context, but not from a short one', () => {
  const text = Int32Array.from({ length: 400 }, (_, i) => [0, 1, 0, 2, 0, 3][i % 6]!);
  const loss = (order: number): number => nGramLoss(countNGrams(ngramsOf(text, order), order, 4), text);
  expect(loss(3)).toBeLessThan(0.05);
  expect(loss(2)).toBeGreaterThan(0.3);
  expect(loss(1)).toBeGreaterThan(loss(2));
});
