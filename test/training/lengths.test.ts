/** Sequences of unequal length through layers, losses, metrics and training: padding changes no value and no gradient. */

import {
  accuracy,
  adam,
  type Batch,
  binaryCrossEntropy,
  createRandom,
  crossEntropy,
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

/** x with something else in the padding. */
function spoiled<X extends Tensor | IntTensor>(x: X, lengths: Int32Array, value: number): X {
  const data = x.data.slice() as Float32Array;
  const width = data.length / (T * B);
  lengths.forEach((length, b) => {
    for (let t = length; t < T; t++) data.fill(value, (t * B + b) * width, (t * B + b + 1) * width);
  });
  return { shape: x.shape, data } as unknown as X;
}

/** One row of a batch alone, without its padding. */
function rowOf<X extends Tensor | IntTensor>(x: X, b: number, length: number): X {
  const width = x.data.length / (T * B);
  const data = Array.from({ length }, (_, t) => [...x.data.slice((t * B + b) * width, (t * B + b + 1) * width)]).flat();
  return {
    shape: [length, 1, ...x.shape.slice(2)],
    data: x.data instanceof Int32Array ? Int32Array.from(data) : Float32Array.from(data),
  } as unknown as X;
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

function lossAndGradient(
  model: Sequential,
  { inputs, targets, lengths, mask }: Batch,
  loss: Loss<never>,
): { value: number; gradient: Float32Array } {
  const { value, gradient } = valueAndGradient(model.parameters, (p) => {
    const { output } = runModel(model, p, inputs, { training: false, random: createRandom(1), lengths });
    return (loss as Loss<IntTensor | Tensor>)(output, targets, { lengths, mask });
  });
  return {
    value,
    gradient: Float32Array.from(
      Object.values(gradient).flatMap((layer) => Object.values(layer).flatMap(({ data }) => [...data])),
    ),
  };
}

const losses: readonly (readonly [string, Loss<never>, () => Tensor | IntTensor])[] = [
  ['crossEntropy', crossEntropy as Loss<never>, classes],
  [
    'binaryCrossEntropy',
    binaryCrossEntropy as Loss<never>,
    () => ({ ...vectors(V), data: vectors(V).data.map((x) => Math.min(1, Math.abs(x))) }),
  ],
  ['meanSquaredError', meanSquaredError as Loss<never>, () => vectors(V)],
  ['meanAbsoluteError', meanAbsoluteError as Loss<never>, () => vectors(V)],
  ['huber', huber as Loss<never>, () => vectors(V)],
];

describe.each(losses)('%s', (_, loss, draw) => {
  it('a batch of unequal lengths has the loss and the gradient of its rows alone, whatever stands in the padding', () => {
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
        const alone = lossAndGradient(
          model,
          { inputs: rowOf(inputs, b, length), targets: rowOf(targets, b, length) },
          loss,
        );
        value += (alone.value * length) / count;
        alone.gradient.forEach((g, i) => (gradient[i]! += (g * length) / count));
      });
      expect(whole.value).toBeCloseTo(value, 5);
      whole.gradient.forEach((g, i) => expect(Math.abs(g - gradient[i]!)).toBeLessThan(1e-5));
      const inPadding = lossAndGradient(
        model,
        {
          inputs: spoiled(inputs, lengths, NaN),
          targets: spoiled(targets, lengths, targets.data instanceof Int32Array ? -7 : NaN),
          lengths,
        },
        loss,
      );
      expect(inPadding.value).toBe(whole.value);
      expect(inPadding.gradient).toEqual(whole.gradient);
    }
  });

  it('with every reduction and a mask', () => {
    const lengths = Int32Array.of(2, 6, 0, 3);
    const [outputs, targets] = [vectors(V), draw()];
    const mask = { shape: [T, B], data: Float32Array.from({ length: T * B }, (_unused, i) => (i % 3) / 2) };
    const run = (options: object): Tensor => {
      const { results } = valueAndGradient({ outputs }, (p) => {
        const answer = (loss as Loss<Tensor | IntTensor>)(p.outputs, targets, options);
        return { value: sum(answer), results: answer };
      });
      return results;
    };
    const parts = run({ lengths, mask: spoiled(mask, lengths, NaN), reduction: 'none' });
    const plain = run({ reduction: 'none' });
    const width = plain.data.length / (T * B);
    let [sumOfParts, sumOfWeights] = [0, 0];
    plain.data.forEach((part, i) => {
      const row = Math.floor(i / width);
      const weight = Math.floor(row / B) < lengths[row % B]! ? mask.data[row]! : 0;
      expect(parts.data[i]).toBeCloseTo(part * weight, 5);
      sumOfParts += part * weight;
      sumOfWeights += weight;
    });
    expect(run({ lengths, mask, reduction: 'sum' }).data[0]).toBeCloseTo(sumOfParts, 4);
    expect(run({ lengths, mask, reduction: 'mean' }).data[0]).toBeCloseTo(sumOfParts / sumOfWeights, 5);
  });

  it('refuses lengths and masks that do not fit', () => {
    const [outputs, targets] = [vectors(V), draw()];
    const run = (options: object) => () =>
      valueAndGradient({ outputs }, (p) => (loss as Loss<Tensor | IntTensor>)(p.outputs, targets, options));
    expect(run({ lengths: Int32Array.of(1, 2) })).toThrow('[T, B, …] = [*, 2], got [6, 4]');
    expect(run({ lengths: Int32Array.of(1, 2, 3, 7) })).toThrow('lengths[3] must be at most T = 6, got 7');
    expect(run({ lengths: [1, 2, 3, 4] })).toThrow(TypeError);
    expect(run({ lengths: Int32Array.of(1, 2, 3, 4), mask: tensor([1]) })).toThrow(
      'mask must be [T, B, …] = [6, 4], got [1]',
    );
    expect(run({ lengths: new Int32Array(4) })).toThrow('there is no target to average over');
  });
});

it('what a model answers in the padding is zero', () => {
  const lengths = Int32Array.of(2, 6, 0, 3);
  const output = predict(net(), vectors(I), { lengths });
  expect(spoiled(output, lengths, 0)).toEqual(output);
});

describe('training and evaluation', () => {
  const lengths = Int32Array.of(2, 6, 1, 3);
  const batch: Batch = { inputs: vectors(I), targets: classes(), lengths };
  const data = (of: Batch): Dataset => ({ batchCount: 1, batches: () => [of] });
  const inPadding: Batch = {
    inputs: spoiled(batch.inputs, lengths, NaN),
    targets: spoiled(batch.targets, lengths, 0),
    lengths,
  };

  it('learn the same from a batch whatever stands in its padding', async () => {
    const [one, other] = [net(), net()];
    await fit(one, data(batch), { loss: crossEntropy, optimizer: adam(0.01), steps: 5 });
    await fit(other, data(inPadding), { loss: crossEntropy, optimizer: adam(0.01), steps: 5 });
    expect(other.data).toEqual(one.data);
  });

  it('weigh batches by their valid steps, and count these alone in metrics', () => {
    const alone = (b: number): Batch => ({
      inputs: rowOf(batch.inputs, b, lengths[b]!),
      targets: rowOf(batch.targets, b, lengths[b]!),
    });
    const rows: Dataset = { batchCount: B, batches: () => Array.from(lengths, (_, b) => alone(b)) };
    const options = { loss: crossEntropy, metrics: { accuracy } };
    const [together, apart] = [evaluate(net(), data(inPadding), options), evaluate(net(), rows, options)];
    expect(together.loss).toBeCloseTo(apart.loss, 5);
    expect(together.accuracy).toBeCloseTo(apart.accuracy, 6);
  });

  it('leave lengths out of the loss of a model that answers once a sequence', async () => {
    const model = sequential([recurrent(gru(), { hiddenSize: 4, returnSequences: false }), dense({ size: V })], {
      inputSize: I,
    });
    const targets: IntTensor = { shape: [B], data: Int32Array.of(0, 1, 2, 3) };
    const { losses: seen } = await fit(model, data({ inputs: spoiled(batch.inputs, lengths, NaN), targets, lengths }), {
      loss: crossEntropy,
      optimizer: adam(0.05),
      steps: 60,
    });
    expect(seen.at(-1)!).toBeLessThan(seen[0]! / 2);
  });
});
