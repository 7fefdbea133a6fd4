/** Sequences of unequal length: padding does not change values or gradients of layers, losses, metrics and training. */

import {
  accuracy,
  adam,
  type Batch,
  binaryCrossEntropy,
  createRandom,
  crossEntropy,
  crossEntropyWith,
  type Dataset,
  dense,
  evaluate,
  fit,
  gru,
  huber,
  type IntTensor,
  integerNumber,
  type Loss,
  lstm,
  meanAbsoluteError,
  meanSquaredError,
  normal,
  predict,
  recurrent,
  relu,
  runModel,
  type Sequential,
  sequential,
  sum,
  type Tensor,
  tensor,
  valueAndGradient,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const [T, B, I, V] = [6, 4, 3, 5];
const random = createRandom(3);
const drawLengths = (): Int32Array => Int32Array.from({ length: B }, () => integerNumber(random, T + 1));
const vectors = (size: number): Tensor => normal(0, 1)([T, B, size], random);
const classes = (): IntTensor => ({
  shape: [T, B],
  data: Int32Array.from({ length: T * B }, () => integerNumber(random, V)),
});

/** x with another value in the padding. */
function withPadding<X extends Tensor | IntTensor>(x: X, lengths: Int32Array, value: number): X {
  const data = x.data.slice();
  const width = data.length / (T * B);
  lengths.forEach((length, b) => {
    for (let t = length; t < T; t++) data.fill(value, (t * B + b) * width, (t * B + b + 1) * width);
  });
  return { shape: x.shape, data } as Tensor | IntTensor as X;
}

/** One row of a batch, without padding. */
function rowOf<X extends Tensor | IntTensor>(x: X, b: number, length: number): X {
  const width = x.data.length / (T * B);
  const data = Array.from({ length }, (_, t) => [...x.data.slice((t * B + b) * width, (t * B + b + 1) * width)]).flat();
  return {
    shape: [length, 1, ...x.shape.slice(2)],
    data: x.data instanceof Int32Array ? Int32Array.from(data) : Float32Array.from(data),
  } as Tensor | IntTensor as X;
}

const net = (): Sequential =>
  sequential(
    [
      dense({ size: 4, activation: relu }),
      recurrent(lstm(), { hiddenSize: 6 }),
      recurrent(gru(), { hiddenSize: 5, reverse: true }),
      dense({ size: V }),
    ],
    { inputSize: I, seed: 2 },
  );

function lossAndGradient<Y extends Tensor | IntTensor>(
  model: Sequential,
  { inputs, targets, lengths, mask }: Batch<Y>,
  loss: Loss<Y>,
): { value: number; gradient: Float32Array } {
  const { value, gradient } = valueAndGradient(model.parameters, (p) => {
    const { output } = runModel(model, p, inputs, { training: false, random: createRandom(1), lengths });
    return loss(output, targets, { lengths, mask });
  });
  return {
    value,
    gradient: Float32Array.from(
      Object.values(gradient).flatMap((layer) => Object.values(layer).flatMap(({ data }) => [...data])),
    ),
  };
}

const probabilities = (): Tensor => ({
  shape: [T, B, V],
  data: vectors(V).data.map((x) => Math.min(1, Math.abs(x))),
});

describe('crossEntropy', () => testLoss(crossEntropy, classes));
describe('binaryCrossEntropy', () => testLoss(binaryCrossEntropy, probabilities));
describe('meanSquaredError', () => testLoss(meanSquaredError, () => vectors(V)));
describe('meanAbsoluteError', () => testLoss(meanAbsoluteError, () => vectors(V)));
describe('huber', () => testLoss(huber, () => vectors(V)));

function testLoss<Y extends Tensor | IntTensor>(loss: Loss<NoInfer<Y>>, draw: () => Y): void {
  it('of a batch of unequal lengths is that of its separate rows, with the same gradient, for any padding', () => {
    for (let trial = 0; trial < 8; trial++) {
      const lengths = drawLengths();
      lengths[trial % B] = T;
      const [model, inputs, targets] = [net(), vectors(I), draw()];
      const count = lengths.reduce((sum, length) => sum + length, 0);
      const whole = lossAndGradient(model, { inputs, targets, lengths }, loss);
      let value = 0;
      const gradient = new Float64Array(model.data.length);
      lengths.forEach((length, b) => {
        if (length === 0) return;
        const row = lossAndGradient(
          model,
          { inputs: rowOf(inputs, b, length), targets: rowOf(targets, b, length) },
          loss,
        );
        value += (row.value * length) / count;
        row.gradient.forEach((g, i) => (gradient[i]! += (g * length) / count));
      });
      expect(whole.value).toBeCloseTo(value, 5);
      whole.gradient.forEach((g, i) => expect(Math.abs(g - gradient[i]!)).toBeLessThan(1e-5));
      const inPadding = lossAndGradient(
        model,
        {
          inputs: withPadding(inputs, lengths, NaN),
          targets: withPadding(targets, lengths, targets.data instanceof Int32Array ? -7 : NaN),
          lengths,
        },
        loss,
      );
      expect(inPadding.value).toBe(whole.value);
      expect(inPadding.gradient).toEqual(whole.gradient);
    }
  });

  it('supports lengths with every reduction and a mask', () => {
    const lengths = Int32Array.of(2, 6, 0, 3);
    const [outputs, targets] = [vectors(V), draw()];
    const mask = { shape: [T, B], data: Float32Array.from({ length: T * B }, (_unused, i) => (i % 3) / 2) };
    const run = (options: object): Tensor => {
      const { results } = valueAndGradient({ outputs }, (p) => {
        const losses = loss(p.outputs, targets, options);
        return { value: sum(losses), results: losses };
      });
      return results;
    };
    const masked = run({ lengths, mask: withPadding(mask, lengths, NaN), reduction: 'none' });
    const plain = run({ reduction: 'none' });
    const width = plain.data.length / (T * B);
    let [lossSum, weightSum] = [0, 0];
    plain.data.forEach((value, i) => {
      const row = Math.floor(i / width);
      const weight = Math.floor(row / B) < lengths[row % B]! ? mask.data[row]! : 0;
      expect(masked.data[i]).toBeCloseTo(value * weight, 5);
      lossSum += value * weight;
      weightSum += weight;
    });
    expect(run({ lengths, mask, reduction: 'sum' }).data[0]).toBeCloseTo(lossSum, 4);
    expect(run({ lengths, mask, reduction: 'mean' }).data[0]).toBeCloseTo(lossSum / weightSum, 5);
  });

  it('rejects lengths and masks that do not fit', () => {
    const [outputs, targets] = [vectors(V), draw()];
    const run = (options: object) => () => valueAndGradient({ outputs }, (p) => loss(p.outputs, targets, options));
    expect(run({ lengths: Int32Array.of(1, 2) })).toThrow('lengths must be [B] = [4], got [2]');
    expect(run({ lengths: Int32Array.of(1, 2, 3, 7) })).toThrow(
      'lengths must be integers from 0 to 6, got 7 at index 3',
    );
    expect(run({ lengths: [1, 2, 3, 4] })).toThrow(TypeError);
    expect(run({ lengths: Int32Array.of(1, 2, 3, 4), mask: tensor([1]) })).toThrow(
      'mask must be leading axes of the targets = [6, 4], got [1]',
    );
  });
}

it('outputs are zero in the padding', () => {
  const lengths = Int32Array.of(2, 6, 0, 3);
  const output = predict(net(), vectors(I), { lengths });
  expect(withPadding(output, lengths, 0)).toEqual(output);
});

describe('training and evaluation', () => {
  const lengths = Int32Array.of(2, 6, 1, 3);
  const batch = { inputs: vectors(I), targets: classes(), lengths };
  const dataOf = (batch: Batch<IntTensor>): Dataset<Batch<IntTensor>> => ({ batchCount: 1, batches: () => [batch] });
  const otherPadding = {
    inputs: withPadding(batch.inputs, lengths, NaN),
    targets: withPadding(batch.targets, lengths, 0),
    lengths,
  };

  it('report targets that are not one per step, not their lengths', async () => {
    const perSequence = { ...batch, targets: { shape: [B], data: batch.targets.data.slice(0, B) } };
    for (const loss of [crossEntropy, crossEntropyWith({ classWeights: [1, 1, 1, 1, 1] })]) {
      const message = 'targets must be class ids in the shape of logits without the last axis = [6, 4], got [4]';
      await expect(fit(net(), perSequence, { loss, optimizer: adam() })).rejects.toThrow(message);
      expect(() => evaluate(net(), perSequence, { loss })).toThrow(message);
    }
  });

  it('do not depend on the padding', async () => {
    const [one, other] = [net(), net()];
    await fit(one, dataOf(batch), { loss: crossEntropy, optimizer: adam(0.01), steps: 5 });
    await fit(other, dataOf(otherPadding), { loss: crossEntropy, optimizer: adam(0.01), steps: 5 });
    expect(other.data).toEqual(one.data);
  });

  it('weight batches by their valid steps, and count only these in metrics', () => {
    const rowBatch = (b: number): Batch<IntTensor> => ({
      inputs: rowOf(batch.inputs, b, lengths[b]!),
      targets: rowOf(batch.targets, b, lengths[b]!),
    });
    const rows = { batchCount: B, batches: () => Array.from(lengths, (_, b) => rowBatch(b)) };
    const options = { loss: crossEntropy, metrics: { accuracy } };
    const [together, separate] = [evaluate(net(), dataOf(otherPadding), options), evaluate(net(), rows, options)];
    expect(together.loss).toBeCloseTo(separate.loss, 5);
    expect(together.accuracy).toBeCloseTo(separate.accuracy, 6);
  });

  it('do not pass lengths to the loss of a model with one output per sequence', async () => {
    const model = sequential([recurrent(gru(), { hiddenSize: 4, returnSequences: false }), dense({ size: V })], {
      inputSize: I,
    });
    const targets: IntTensor = { shape: [B], data: Int32Array.of(0, 1, 2, 3) };
    const padded = dataOf({ inputs: withPadding(batch.inputs, lengths, NaN), targets, lengths });
    const { losses } = await fit(model, padded, {
      loss: crossEntropy,
      optimizer: adam(0.05),
      steps: 60,
    });
    expect(losses.at(-1)!).toBeLessThan(losses[0]! / 2);
  });
});
