/** Class weights and label smoothing: compared with PyTorch, with masks, and in evaluation. */

import {
  type Batch,
  type BinaryCrossEntropyOptions,
  binaryCrossEntropy,
  binaryCrossEntropyWith,
  type CrossEntropyOptions,
  compute,
  crossEntropy,
  crossEntropyWith,
  dense,
  evaluate,
  fit,
  type IntTensor,
  intTensor,
  type Loss,
  sequential,
  sgd,
  type Tensor,
  tensor,
  valueAndGradient,
} from 'bptt';
import { describe, expect, it } from 'vitest';
import { golden } from '../golden/read';

interface Expected<O> {
  readonly options: O;
  readonly losses: readonly number[];
  readonly mean: number;
  readonly gradient: readonly number[];
}
const expected = golden<{
  readonly logits: number[][];
  readonly ids: number[];
  readonly crossEntropy: readonly Expected<CrossEntropyOptions>[];
  readonly binaryLogits: number[][];
  readonly binaryTargets: number[][];
  readonly binary: readonly Expected<BinaryCrossEntropyOptions>[];
}>('losses');

function expectClose(got: ArrayLike<number>, values: readonly number[]): void {
  expect(got.length).toBe(values.length);
  values.forEach((value, i) =>
    expect(Math.abs(got[i]! - value) / Math.max(1, Math.abs(value)), `at ${i}: ${got[i]}, ${value}`).toBeLessThan(1e-6),
  );
}

/** Compares the losses, their mean and its gradient. */
function compare<Y extends Tensor | IntTensor>(
  loss: Loss<Y>,
  logits: Tensor,
  targets: Y,
  mask: Tensor | undefined,
  { losses, mean, gradient }: Expected<unknown>,
): void {
  expectClose(compute({ logits }, (p) => loss(p.logits, targets, { mask, reduction: 'none' })).data, losses);
  const { value, gradient: computed } = valueAndGradient({ logits }, (p) => loss(p.logits, targets, { mask }));
  expectClose([value], [mean]);
  expectClose(computed.logits.data, gradient);
}

describe('equal PyTorch within 1e-6', () => {
  // PyTorch ignores targets of −100.
  const ids = intTensor(expected.ids);
  const mask = tensor(expected.ids.map((id) => (id === -100 ? 0 : 1)));

  it.each(expected.crossEntropy)('crossEntropyWith($options)', (values) => {
    compare(crossEntropyWith(values.options), tensor(expected.logits), ids, mask, values);
  });

  it.each(expected.binary)('binaryCrossEntropyWith($options)', (values) => {
    const [logits, targets] = [tensor(expected.binaryLogits), tensor(expected.binaryTargets)];
    compare(binaryCrossEntropyWith(values.options), logits, targets, undefined, values);
  });
});

it('without options equal the plain losses', () => {
  const logits = tensor(expected.logits);
  const ids = intTensor(expected.ids.map((id) => Math.max(0, id)));
  const plain = compute({ logits }, (p) => crossEntropy(p.logits, ids)).data;
  expect(compute({ logits }, (p) => crossEntropyWith({})(p.logits, ids)).data[0]).toBeCloseTo(plain[0]!, 6);
  const [x, t] = [tensor(expected.binaryLogits), tensor(expected.binaryTargets)];
  const binary = compute({ x }, (p) => binaryCrossEntropy(p.x, t)).data;
  expect(compute({ x }, (p) => binaryCrossEntropyWith({})(p.x, t)).data[0]).toBeCloseTo(binary[0]!, 5);
});

it('class weights and the mask multiply, also in the divisor of the mean', () => {
  const logits = tensor([
    [2, 0],
    [0, 1],
    [5, 5],
  ]);
  const loss = crossEntropyWith({ classWeights: [1, 3] });
  const mask = tensor([0.5, 2, 0]);
  const [first, second] = [Math.log(1 + Math.exp(-2)), Math.log(1 + Math.exp(-1))];
  const mean = compute({ logits }, (p) => loss(p.logits, intTensor([0, 1, 7]), { mask })).data[0]!;
  expect(mean).toBeCloseTo((0.5 * first + 2 * 3 * second) / (0.5 + 2 * 3), 6);
});

it('the mean is 0 if all targets have weight 0', () => {
  const logits = tensor([[2, 0]]);
  const loss = crossEntropyWith({ classWeights: [0, 1] });
  expect(compute({ logits }, (p) => loss(p.logits, intTensor([0]))).data[0]).toBe(0);
});

it('reject options and targets that do not fit', () => {
  expect(() => crossEntropyWith({ labelSmoothing: 1.5 })).toThrow('labelSmoothing must be a number from 0 to 1');
  expect(() => crossEntropyWith({ classWeights: [1, -1] })).toThrow('classWeights[1] must be a finite number');
  // The form of Keras.
  expect(() => crossEntropyWith({ classWeights: { 0: 1, 1: 5 } as never })).toThrow(
    'crossEntropyWith: classWeights must be an array, got an object with 0, 1.',
  );
  expect(() => binaryCrossEntropyWith({ positiveWeight: NaN })).toThrow('positiveWeight[0] must be a finite number');
  const run = (loss: Loss<IntTensor>, targets: IntTensor) => () =>
    compute({ logits: tensor([[2, 0]]) }, (p) => loss(p.logits, targets));
  expect(run(crossEntropyWith({ classWeights: [1, 1, 1] }), intTensor([0]))).toThrow(
    'crossEntropyWith: classWeights must be [V] = [2], got [3].',
  );
  expect(run(crossEntropyWith({ classWeights: [1, 1] }), intTensor([2]))).toThrow(
    'crossEntropyWith: targets must be integers from 0 to 1, got 2 at index 0.',
  );
  expect(run(crossEntropyWith({}), intTensor([0, 1]))).toThrow('crossEntropyWith: targets must be class ids');
  for (const [options, got] of [
    [null, 'null'],
    ['sum', 'sum'],
  ])
    expect(() =>
      compute({ x: tensor([[2, 0]]) }, (p) => crossEntropyWith({})(p.x, intTensor([0]), options as never)),
    ).toThrow(new TypeError(`crossEntropyWith: options must be an object, got ${got}.`));
  expect(() =>
    compute({ x: tensor([[2, 0]]) }, (p) => binaryCrossEntropyWith({ positiveWeight: [1] })(p.x, tensor([[0, 1]]))),
  ).toThrow('binaryCrossEntropyWith: positiveWeight must be [O] = [2], got [1].');
  for (const label of [-1, NaN])
    expect(() => compute({ x: tensor([[2]]) }, (p) => binaryCrossEntropyWith({})(p.x, tensor([[label]])))).toThrow(
      `binaryCrossEntropyWith: targets must be a number from 0 to 1, got ${label}.`,
    );
});

describe('in training and evaluation', () => {
  const model = () => sequential([dense({ size: 3 })], { inputSize: 2, seed: 4 });
  const inputs = tensor([[[1, 2]], [[0, 1]], [[-1, 3]], [[2, 2]], [[1, 0]]]); // [5, 1, 2]
  const targets = intTensor([[0], [2], [2], [1], [2]]);
  const part = (from: number, to: number): Batch<IntTensor> => ({
    inputs: { shape: [to - from, 1, 2], data: inputs.data.subarray(2 * from, 2 * to) },
    targets: { shape: [to - from, 1], data: targets.data.subarray(from, to) },
  });

  it('the mean over batches is weighted by the class weights', () => {
    const loss = crossEntropyWith({ classWeights: [0.1, 3, 1], labelSmoothing: 0.1 });
    const options = { loss, metrics: { again: loss, plain: crossEntropy } };
    const whole = evaluate(model(), part(0, 5), options);
    const parts = evaluate(model(), [part(0, 1), part(1, 4), part(4, 5)], options);
    for (const name of ['loss', 'again', 'plain'] as const) expect(parts[name]).toBeCloseTo(whole[name], 6);
    expect(whole.again).toBe(whole.loss);
    expect(whole.plain).not.toBeCloseTo(whole.loss, 3);
  });

  it('a batch of classes of weight 0 counts in other metrics only', () => {
    const loss = crossEntropyWith({ classWeights: [0, 3, 1] });
    const options = { loss, metrics: { plain: crossEntropy } };
    const whole = evaluate(model(), part(0, 5), options);
    const parts = evaluate(model(), [part(0, 1), part(1, 5)], options);
    expect(parts.loss).toBeCloseTo(whole.loss, 6);
    expect(parts.plain).toBeCloseTo(whole.plain, 6);
  });

  it('class weights move the predictions to the classes with large weights', async () => {
    const classBias = async (classWeights: number[]): Promise<number> => {
      const net = sequential([dense({ size: 2 })], { inputSize: 1, seed: 4 });
      const batch = { inputs: tensor([[[0], [0], [0], [0]]]), targets: intTensor([[0, 0, 0, 1]]) };
      await fit(net, batch, { loss: crossEntropyWith({ classWeights }), optimizer: sgd(1), steps: 300 });
      const bias = net.parameters['dense']!['bias']!.data;
      return bias[1]! - bias[0]!;
    };
    expect(await classBias([1, 1])).toBeCloseTo(Math.log(1 / 3), 3);
    expect(await classBias([1, 3])).toBeCloseTo(0, 3);
  });
});
