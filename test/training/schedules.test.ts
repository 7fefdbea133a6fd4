/** Learning rate schedules, by the number of the update. */

import { cosineDecay, exponentialDecay, stepDecay, warmup } from 'bptt';
import { expect, it } from 'vitest';

it.each<[string, (step: number) => number, number[]]>([
  ['stepDecay', stepDecay(8, { every: 2, factor: 0.5 }), [8, 8, 4, 4, 2, 2, 1]],
  ['stepDecay by default', stepDecay(1, { every: 3 }), [1, 1, 1, 0.1, 0.1, 0.1, 0.01]],
  ['exponentialDecay', exponentialDecay(8, { every: 2, factor: 0.25 }), [8, 4, 2, 1, 0.5]],
  // 1 + 4 (1 + cos(π t / 4)), constant after four updates.
  ['cosineDecay', cosineDecay(9, { steps: 4, minRate: 1 }), [9, 5 + 8 ** 0.5, 5, 5 - 8 ** 0.5, 1, 1, 1]],
  ['cosineDecay to 0', cosineDecay(2, { steps: 2 }), [2, 1, 0, 0]],
  ['warmup', warmup(8, { steps: 4 }), [2, 4, 6, 8, 8, 8]],
  // The first rate during the warmup; update 5 is the first of the decay.
  ['warmup of a schedule', warmup(stepDecay(8, { every: 2, factor: 0.5 }), { steps: 4 }), [2, 4, 6, 8, 8, 8, 4, 4, 2]],
  ['warmup of an increasing schedule', warmup((step) => step, { steps: 2 }), [0.5, 1, 1, 2, 3]],
])('%s', (_, rate, rates) => {
  rates.forEach((expected, i) => expect(rate(i + 1), `update ${i + 1}`).toBeCloseTo(expected, 12));
});

// In training, the first negative rate can be far from the first update.
it('reject factors and rates that become negative, and no steps', () => {
  expect(() => stepDecay(1, { every: 2, factor: -0.5 })).toThrow(
    new RangeError('stepDecay: factor must be a finite number of at least 0, got -0.5.'),
  );
  expect(() => exponentialDecay(1, { every: 2, factor: -0.5 })).toThrow('exponentialDecay: factor must be ');
  expect(() => cosineDecay(1, { steps: 2, minRate: -0.1 })).toThrow('cosineDecay: minRate must be ');
  expect(() => stepDecay(-1, { every: 2 })).toThrow('stepDecay: rate must be ');
  expect(() => exponentialDecay(-1, { every: 2, factor: 0.5 })).toThrow('exponentialDecay: rate must be ');
  expect(() => cosineDecay(-1, { steps: 2 })).toThrow('cosineDecay: rate must be ');
  expect(() => stepDecay(1, { every: 0 })).toThrow('stepDecay: every must be an integer of at least 1, got 0.');
  expect(() => cosineDecay(1, { steps: 0 })).toThrow('cosineDecay: steps must be an integer of at least 1, got 0.');
  expect(() => warmup(1, { steps: 0 })).toThrow('warmup: steps must be an integer of at least 1, got 0.');
});
