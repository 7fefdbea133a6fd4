/** Sampling from logits. */

import { createRandom, sampleFromLogits, tensor } from 'bptt';
import { expect, it } from 'vitest';

it('sampleFromLogits draws ids with the probabilities of softmax, and respects temperature, topK and topP', () => {
  const scores = [0.5, -1, 2, -Infinity, 1];
  for (const temperature of [0.5, 1, 2]) {
    const random = createRandom(3);
    const weights = scores.map((score) => Math.exp(score / temperature));
    const whole = weights.reduce((a, b) => a + b);
    const counts = scores.map(() => 0);
    const draws = 20_000;
    for (let i = 0; i < draws; i++) counts[sampleFromLogits(scores, random, { temperature })]! += 1;
    // Five standard deviations of the share.
    counts.forEach((count, id) =>
      expect(Math.abs(count / draws - weights[id]! / whole)).toBeLessThanOrEqual(
        5 * Math.sqrt(((weights[id]! / whole) * (1 - weights[id]! / whole)) / draws),
      ),
    );
  }
  const few = (options: object): number[] =>
    [...new Set(Array.from({ length: 500 }, (_, i) => sampleFromLogits(scores, createRandom(i), options)))].sort();
  expect(few({ topK: 2 })).toEqual([2, 4]);
  expect(few({ topP: 0.7 })).toEqual([2, 4]);
  expect(few({ temperature: 0 })).toEqual([2]);
});

it.each<[string, ArrayLike<number>, object, RegExp]>([
  ['no score', [], {}, /sampleFromLogits: logits must hold at least one value/],
  ['NaN', [1, NaN, 0], {}, /sampleFromLogits: the maximum of the logits must be a finite number, got NaN/],
  [
    'nothing to choose from',
    [-Infinity, -Infinity],
    {},
    /the maximum of the logits must be a finite number, got -Infinity/,
  ],
  ['an infinite score', [0, Infinity], {}, /the maximum of the logits must be a finite number, got Infinity/],
  ['a negative temperature', [0], { temperature: -1 }, /sampleFromLogits: temperature/],
  ['an infinite one', [0], { temperature: Infinity }, /must be a finite number of at least 0, got Infinity/],
  [
    'a tensor',
    tensor([1, 2]) as never,
    {},
    /^sampleFromLogits: logits must be an array, got \{ shape, data: an instance of Float32Array \}\.$/,
  ],
  ['a share above 1', [0], { topP: 2 }, /sampleFromLogits: topP/],
  ['none of the likeliest', [0], { topK: 0 }, /sampleFromLogits: topK/],
])('sampleFromLogits rejects %s', (_, scores, options, message) =>
  expect(() => sampleFromLogits(scores, createRandom(1), options)).toThrow(message),
);
