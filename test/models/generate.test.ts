/** Generation of sequences. */

import { generate, intTensor, predict } from 'bptt';
import { expect, it } from 'vitest';
import { net } from './net';

it('generate is greedy with temperature 0, topK 1 or topP 0, and reproducible with a seed', () => {
  const greedy = generate(net, { prompt: [1], length: 12, temperature: 0 });
  expect([...generate(net, { prompt: [1], length: 12, topK: 1, seed: 5 })]).toEqual([...greedy]);
  expect([...generate(net, { prompt: [1], length: 12, topP: 0, seed: 5 })]).toEqual([...greedy]);
  const drawn = generate(net, { prompt: [1], length: 40, seed: 5 });
  expect([...generate(net, { prompt: [1], length: 40, seed: 5 })]).toEqual([...drawn]);
  expect([...generate(net, { prompt: [1], length: 40, seed: 6 })]).not.toEqual([...drawn]);
  expect([...generate(net, { prompt: [1], length: 40 })]).toEqual([
    ...generate(net, { prompt: [1], length: 40, seed: 0 }),
  ]);
  expect(new Set(drawn).size).toBeGreaterThan(2);
});

it('generate appends the id with the largest logit of the sequence so far, with temperature 0', () => {
  const ids = [2, 0, 1];
  for (let i = 0; i < 8; i++) {
    const { data } = predict(net, intTensor(ids, [ids.length, 1]));
    const logits = data.slice(-6);
    ids.push(logits.indexOf(Math.max(...logits)));
  }
  expect([...generate(net, { prompt: [2, 0, 1], length: 8, temperature: 0 })]).toEqual(ids.slice(3));
});

it('generate returns no ids with a length of 0', () => {
  expect(generate(net, { prompt: [1], length: 0 })).toEqual(new Int32Array(0));
});

it('rejects an empty prompt', () => {
  expect(() => generate(net, { prompt: [], length: 1 })).toThrow(/at least one id/);
});
