/** The counts that the examples are judged by: probabilities, and those of Kneser and Ney. */

import { createRandom, integerNumber } from 'bptt';
import { expect, it } from 'vitest';
import { countNGrams, nGramLoss, probabilityOf, runsOf } from '../../examples/moby-dick/n-grams';

it('all that may follow has probability 1 together, after anything', () => {
  const random = createRandom(1);
  const text = Int32Array.from({ length: 500 }, () => integerNumber(random, 1 + integerNumber(random, 12)));
  for (const order of [1, 2, 3, 4]) {
    const grams = countNGrams(runsOf(text, order), order, 12);
    for (let trial = 0; trial < 50; trial++) {
      const before = Array.from({ length: integerNumber(random, order) }, () => integerNumber(random, 12));
      expect(
        Array.from({ length: 12 }, (_, id) => probabilityOf(grams, [...before, id])).reduce((a, b) => a + b),
      ).toBeCloseTo(1, 9);
    }
  }
});

it('what is counted by hand', () => {
  // Pairs of 0 1 0 1 0 2 1: 01 twice, 10 twice, 02 once, 21 once; n1 = n2 = 2, n3 = n4 = 0, Y = 2 / 6. Taken of one 1 − 2 Y · 2 / 2, of two 2 − 3 Y · 0 / 2, of three a half.
  const grams = countNGrams(runsOf(Int32Array.of(0, 1, 0, 1, 0, 2, 1), 2), 2, 3);
  [1 / 3, 2, 0.5].forEach((discount, i) => expect(grams.discounts[1]![i]).toBeCloseTo(discount, 12));
  // Behind how many different ids each stands: 0 behind one, 1 behind two, 2 behind one; n1 = 2, n2 = 1, Y = 1 / 2: of one 1 − 2 Y / 2, of two 2.
  const reserve = 0.5 + 2 + 0.5;
  const unigram = (count: number): number => (count - (count === 1 ? 0.5 : 2) + reserve * (1 / 3)) / 4;
  expect(probabilityOf(grams, [1])).toBeCloseTo(unigram(2), 12);
  expect(probabilityOf(grams, [0, 1])).toBeCloseTo((2 - 2 + (2 + 1 / 3) * unigram(2)) / 3, 12);
  expect(probabilityOf(grams, [0, 0])).toBeCloseTo(((2 + 1 / 3) * unigram(1)) / 3, 12);
  expect(probabilityOf(grams, [0, 2])).toBeCloseTo((1 - 1 / 3 + (2 + 1 / 3) * unigram(1)) / 3, 12);
});

it('a text that repeats is known by more context, and not by less', () => {
  const text = Int32Array.from({ length: 400 }, (_, i) => [0, 1, 0, 2, 0, 3][i % 6]!);
  const loss = (order: number): number => nGramLoss(countNGrams(runsOf(text, order), order, 4), text);
  expect(loss(3)).toBeLessThan(0.05);
  expect(loss(2)).toBeGreaterThan(0.3);
  expect(loss(1)).toBeGreaterThan(loss(2));
});
