/** The names of layers in a model, and the lengths of their outputs. */

import {
  type Attended,
  attend,
  attentionMemory,
  batchesOf,
  compute,
  conv1d,
  customModel,
  dense,
  dotScore,
  embedding,
  full,
  type Layer,
  lstm,
  lstmWith,
  maxPool1d,
  outputLengths,
  predict,
  predictWithState,
  recurrent,
  residual,
  sequential,
  summary,
  tensor,
} from 'bptt';
import { expect, it } from 'vitest';

const options = { hiddenSize: 2 };

it('gives every layer a different name, even if a custom name is that of another one', () => {
  const namesOf = (...layers: Layer[]): string[] => Object.keys(sequential(layers, { inputSize: 2 }).parameters);
  const own = recurrent(lstmWith({}, 'lstm2'), options);
  const plain = recurrent(lstm(), options);
  expect(namesOf(plain, plain, plain)).toEqual(['lstm', 'lstm2', 'lstm3']);
  expect(namesOf(plain, own, plain)).toEqual(['lstm', 'lstm2', 'lstm3']);
  expect(namesOf(plain, plain, own)).toEqual(['lstm', 'lstm2', 'lstm22']);
  // The states of all three layers continue.
  const model = sequential([plain, own, plain], { inputSize: 2, seed: 1 });
  const [first, second] = [full([2, 1, 2], 0.5), full([3, 1, 2], -0.5)];
  const whole = predict(model, { shape: [5, 1, 2], data: Float32Array.of(...first.data, ...second.data) });
  const { state } = predictWithState(model, first);
  expect(predict(model, second, { state }).data).toEqual(whole.data.slice(4));
});

it('outputLengths copies the lengths, and rejects others', () => {
  const model = sequential([recurrent(lstm(), options)], { inputSize: 2 });
  const lengths = Int32Array.of(3, 2);
  expect(outputLengths(model, lengths)).toEqual(lengths);
  expect(outputLengths(model, lengths)).not.toBe(lengths);
  expect(() => outputLengths(model, Int32Array.of(4, -1))).toThrow(
    'outputLengths: lengths must be integers from 0 to 2147483647, got -1 at index 1.',
  );
  for (const wrong of [undefined, 3, [3, 2], 'abc'])
    expect(() => outputLengths(model, wrong as never)).toThrow('outputLengths: lengths must be an Int32Array');
});

it('the function steps of a layer receives the number of steps only', () => {
  const halves: Layer = { ...conv1d({ size: 1, kernelSize: 1 }), steps: (n, by = 2) => Math.floor(n / by) };
  const model = sequential([halves], { inputSize: 1 });
  expect(outputLengths(model, Int32Array.of(8, 8, 8))).toEqual(Int32Array.of(4, 4, 4));
});

it('windows of stride 1 with padding preserve the number of steps, also in a residual layer', () => {
  const pool = maxPool1d({ windowSize: 3, stride: 1, padding: 'same' });
  const inputs = tensor([[[1]], [[5]], [[2]]]);
  const model = sequential([residual([pool])], { inputSize: 1 });
  expect([...predict(model, inputs).data]).toEqual([6, 10, 7]);
  expect([...outputLengths(model, Int32Array.of(3))]).toEqual([3]);
  expect(() => sequential([residual([maxPool1d({ windowSize: 2, padding: 'same' })])], { inputSize: 1 })).toThrow(
    'the inner layers must preserve the number of steps',
  );
});

it('the parameters of dense and embedding have the values of their initializers', () => {
  const [ones, twos, threes] = [1, 2, 3].map((value) => (shape: readonly number[]) => full(shape, value));
  const layer = dense({ size: 2, weightInitializer: twos, biasInitializer: threes });
  const model = sequential([embedding({ vocabularySize: 3, size: 1, initializer: ones }), layer]);
  expect(model.data).toEqual(Float32Array.of(1, 1, 1, 2, 2, 3, 3));
});

it('the weights of an embedding are drawn from N(0, 1) by default', () => {
  const { data } = sequential([embedding({ vocabularySize: 1000, size: 20 })], { seed: 1 });
  // The standard error is √(2 / 20000) = 0.01.
  expect(Math.abs(data.reduce((sum, value) => sum + value ** 2, 0) / data.length - 1)).toBeLessThan(0.05);
});

it('rejects an initial value of another shape, and a target axis other than 0 and 1', () => {
  const transposed = dense({ size: 3, weightInitializer: () => full([3, 2], 1) });
  expect(() => sequential([transposed], { inputSize: 2 })).toThrow('the initial value must be');
  expect(() => batchesOf(full([2, 4, 1], 0), full([2, 4, 4], 0), { batchSize: 2, targetAxis: 2 as never })).toThrow(
    'batchesOf: targetAxis must be one of 0, 1, got 2.',
  );
});

it('summarizes a model whose parameters are one tensor', () => {
  const model = customModel(tensor([1, 2]), (p) => p);
  expect(summary(model)).toContain('total');
  expect(summary(model)).toMatch(/\b2$/);
});

it('compute returns the result of attend as tensors', () => {
  const score = dotScore();
  const attended = compute(
    { states: tensor([[[1, 0]], [[0, 1]]]) },
    (p): Attended => attend(score, attentionMemory(score, {}, p.states), tensor([[0, 0]])),
  );
  expect([...attended.weights.data]).toEqual([0.5, 0.5]);
  expect([...attended.context.data]).toEqual([0.5, 0.5]);
});
