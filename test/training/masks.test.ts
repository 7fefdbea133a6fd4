/** Masks: a target of weight 0 is ignored in losses, metrics and gradients, whatever its value and the output. */

import {
  accuracy,
  adam,
  type Batch,
  binaryCrossEntropy,
  binaryCrossEntropyWith,
  chain,
  compute,
  createRandom,
  crossEntropy,
  crossEntropyWith,
  dense,
  evaluate,
  fit,
  full,
  gru,
  huber,
  type IntTensor,
  integerNumber,
  intTensor,
  type Loss,
  type LossOptions,
  mask,
  meanAbsoluteError,
  meanSquaredError,
  mixtureNegativeLogLikelihood,
  multiply,
  normal,
  type Optimizer,
  type Progress,
  predict,
  recurrent,
  type Sequential,
  sampledCrossEntropy,
  scale,
  sequential,
  sgd,
  sqrt,
  sum,
  type Tensor,
  tensor,
  trainOn,
  truncatedBptt,
  type Variable,
  valueAndGradient,
  weightDecay,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const [T, B, V] = [5, 3, 4];
const random = createRandom(11);
const draw = (...shape: number[]): Tensor => normal(0, 1)(shape, random);
const ids = (): IntTensor => ({
  shape: [T, B],
  data: Int32Array.from({ length: T * B }, () => integerNumber(random, V)),
});

interface Case {
  readonly outputs: Tensor;
  readonly targets: Tensor | IntTensor;
  /** The shape of the losses. */
  readonly shape: readonly number[];
  readonly loss: (outputs: Variable, targets: Tensor | IntTensor, options?: LossOptions) => Variable;
}

const vectors = (loss: typeof huber): Case => ({
  outputs: draw(T, B, V),
  targets: { shape: [T, B, V], data: draw(T, B, V).data.map((x) => Math.min(1, Math.abs(x))) },
  shape: [T, B, V],
  loss: (outputs, targets, options) => loss(outputs, targets as Tensor, options),
});
const head = { weight: draw(V, 6), bias: draw(V) };
const cases: Record<string, Case> = {
  crossEntropy: {
    outputs: draw(T, B, V),
    targets: ids(),
    shape: [T, B],
    loss: (outputs, targets, options) => crossEntropy(outputs, targets as IntTensor, options),
  },
  crossEntropyWith: {
    outputs: draw(T, B, V),
    targets: ids(),
    shape: [T, B],
    loss: (outputs, targets, options) =>
      crossEntropyWith({ labelSmoothing: 0.2 })(outputs, targets as IntTensor, options),
  },
  binaryCrossEntropy: vectors(binaryCrossEntropy),
  binaryCrossEntropyWith: vectors((outputs, targets, options) =>
    binaryCrossEntropyWith({ positiveWeight: [0.5, 1, 2, 3] })(outputs as Variable, targets as Tensor, options),
  ),
  meanSquaredError: vectors(meanSquaredError),
  meanAbsoluteError: vectors(meanAbsoluteError),
  huber: vectors(huber),
  sampledCrossEntropy: {
    outputs: draw(T, B, 6),
    targets: ids(),
    shape: [T, B],
    loss: (outputs, targets, options) =>
      sampledCrossEntropy(outputs, head, targets as IntTensor, { ...options, samples: 3, random: createRandom(5) }),
  },
  mixtureNegativeLogLikelihood: {
    outputs: draw(T, B, 12),
    targets: draw(T, B, 2),
    shape: [T, B],
    loss: (outputs, targets, options) => mixtureNegativeLogLikelihood(outputs, targets as Tensor, options),
  },
};

/** x with `value` wherever the mask, over leading axes, is 0. */
function poison<X extends Tensor | IntTensor>(x: X, mask: Tensor, value: number): X {
  const width = x.data.length / mask.data.length;
  const data = x.data.map((old: number, i: number) => (mask.data[Math.floor(i / width)] === 0 ? value : old));
  return { ...x, data };
}

/** The sum of the losses multiplied by constant weights, and its gradient. */
function reference({ loss, targets }: Case, outputs: Tensor, weights: Tensor): { value: number; gradient: Tensor } {
  const { value, gradient } = valueAndGradient({ outputs }, (p) =>
    sum(multiply(loss(p.outputs, targets, { reduction: 'none' }), weights)),
  );
  return { value, gradient: gradient.outputs };
}

describe.each(Object.entries(cases))('%s', (name, item) => {
  const { outputs, targets, shape, loss } = item;
  const count = shape.reduce((product, n) => product * n, 1);
  const ranks = [0, 1, 2, 3].filter((rank) => rank <= shape.length);
  const masks = ranks.flatMap((rank) => {
    const axes = shape.slice(0, rank);
    const size = axes.reduce((product, n) => product * n, 1);
    const values = [0, 1, 0.25, 0, 2];
    return [0, 1].map(
      (shift): Tensor => ({
        shape: axes,
        data: Float32Array.from({ length: size }, (_, i) => values[(i * 7 + shift) % 5]!),
      }),
    );
  });

  it.each(['none', 'sum', 'mean'] as const)('selects the targets of weight other than 0 (%s)', (reduction) => {
    for (const mask of masks) {
      const repeats = count / mask.data.length;
      const weights: Tensor = {
        shape,
        data: Float32Array.from({ length: count }, (_, i) => mask.data[Math.floor(i / repeats)]!),
      };
      const total = weights.data.reduce((a, b) => a + b, 0);
      if (total === 0 && reduction === 'mean') continue;
      const factor = reduction === 'mean' ? 1 / total : 1;
      const expected = reference(item, outputs, weights);
      for (const bad of [NaN, Infinity, -Infinity]) {
        const { value, gradient, results } = valueAndGradient({ outputs: poison(outputs, mask, bad) }, (p) => {
          const poisoned = poison(targets, mask, targets.data instanceof Int32Array ? -100 : bad);
          const results = loss(p.outputs, poisoned, { mask, reduction });
          return { value: sum(results), results };
        });
        expect(value).toBeCloseTo(expected.value * factor, 4);
        gradient.outputs.data.forEach((g, i) => {
          expect(g).toBeCloseTo(expected.gradient.data[i]! * factor, 5);
          if (mask.data[Math.floor((i * mask.data.length) / outputs.data.length)] === 0) expect(g).toBe(0);
        });
        if (reduction !== 'none') continue;
        expect(results.shape).toEqual(shape);
        results.data.forEach((value, i) => {
          if (weights.data[i] === 0) expect(value).toBe(0);
          else expect(value).not.toBe(0);
        });
      }
    }
  });

  it('supports masks together with lengths', () => {
    const lengths = Int32Array.of(2, 5, 0);
    const mask: Tensor = {
      shape,
      data: Float32Array.from({ length: count }, (_, i) => [1, 0, 0.5][i % 4] ?? 1),
    };
    const weights = mask.data.map((weight, i) => {
      const row = Math.floor((i * T * B) / count);
      return Math.floor(row / B) < lengths[row % B]! ? weight : 0;
    });
    const counted = { shape, data: weights };
    const expected = reference(item, outputs, counted);
    const total = weights.reduce((a, b) => a + b, 0);
    const bad = targets.data instanceof Int32Array ? V : NaN;
    const { value, gradient } = valueAndGradient({ outputs: poison(outputs, counted, NaN) }, (p) =>
      loss(p.outputs, poison(targets, counted, bad), { mask, lengths }),
    );
    expect(value).toBeCloseTo(expected.value / total, 4);
    gradient.outputs.data.forEach((g, i) => expect(g).toBeCloseTo(expected.gradient.data[i]! / total, 5));
  });

  it('is 0 if all targets are ignored', () => {
    const mask = full([T], 0);
    const [nan, unknown] = [
      full(outputs.shape, NaN),
      poison(targets, mask, targets.data instanceof Int32Array ? -1 : NaN),
    ];
    const run = (options: LossOptions) => valueAndGradient({ nan }, (p) => loss(p.nan, unknown, { mask, ...options }));
    for (const reduction of ['sum', 'mean'] as const) {
      const { value, gradient } = run({ reduction });
      expect(value).toBe(0);
      expect(gradient.nan.data.every((g) => g === 0)).toBe(true);
    }
  });

  it('rejects a mask whose sum is negative or not a number', () => {
    for (const weight of [NaN, -1]) {
      const run = () => compute({ outputs }, (p) => loss(p.outputs, targets, { mask: full([T], weight) }));
      expect(run).toThrow('the sum of the mask must be a finite number');
    }
  });

  it('checks the targets that are not ignored', () => {
    const mask = tensor([1, 0, 0, 0, 0]);
    const bad = targets.data instanceof Int32Array ? -100 : NaN;
    const run = () =>
      compute({ outputs }, (p) => loss(p.outputs, poison(targets, tensor([0, 1, 1, 1, 1]), bad), { mask }));
    if (targets.data instanceof Int32Array) expect(run).toThrow('got -100 at index 0');
    else if (name.startsWith('binaryCrossEntropy'))
      expect(run).toThrow('targets must be a number from 0 to 1, got NaN.');
    else expect(run().data[0]).toBeNaN();
  });

  it('rejects a mask that does not fit the targets', () => {
    const run = (mask: Tensor) => () => compute({ outputs }, (p) => loss(p.outputs, targets, { mask }));
    expect(run(full([T, B + 1], 1))).toThrow('mask must be leading axes of the targets = [5, 3], got [5, 4]');
    expect(run(full([...shape, 1], 1))).toThrow('mask must be leading axes of the targets');
  });

  it('passes gradients to a mask that is a variable', () => {
    const losses = compute({ outputs }, (p) => loss(p.outputs, targets, { reduction: 'none' }));
    const mask: Tensor = { shape: [T], data: Float32Array.of(1, 0, 0.5, 2, 0) };
    const { gradient } = valueAndGradient({ outputs, mask }, (p) =>
      loss(p.outputs, targets, { mask: scale(p.mask, 2), reduction: 'sum' }),
    );
    const width = count / T;
    gradient.mask.data.forEach((g, t) => {
      const expected = losses.data.slice(t * width, (t + 1) * width).reduce((a, b) => a + b, 0);
      expect(g).toBeCloseTo(mask.data[t] === 0 ? 0 : 2 * expected, 3);
    });
  });
});

it('a mask whose rows the tape cannot number is rejected', () => {
  const N = 2 ** 24 + 1;
  const targets: IntTensor = { shape: [N], data: new Int32Array(N) };
  const run = () => compute({}, () => crossEntropy(full([N, 0], 0), targets, { mask: full([N], 0) }));
  expect(run).toThrow('crossEntropy: the number of targets must be at most 2^24, got 16777217.');
});

describe('accuracy', () => {
  const logits = tensor([
    [
      [0, 1],
      [NaN, NaN],
    ],
    [
      [1, 0],
      [2, 3],
    ],
  ]);
  const targets = intTensor([
    [1, -100],
    [1, 1],
  ]);

  it('ignores targets of weight 0, and weighs the others', () => {
    expect(
      accuracy(logits, targets, {
        mask: tensor([
          [1, 0],
          [1, 1],
        ]),
      }),
    ).toBeCloseTo(2 / 3, 6);
    expect(
      accuracy(logits, targets, {
        mask: tensor([
          [3, 0],
          [1, 0],
        ]),
      }),
    ).toBe(3 / 4);
    expect(accuracy(logits, targets, { mask: tensor([0, 1]) })).toBe(1 / 2);
  });

  it('throws if all targets are ignored', () => {
    expect(() => accuracy(logits, targets, { mask: tensor([0, 0]) })).toThrow(
      'accuracy: the sum of the weights must be positive, got 0',
    );
    expect(() => accuracy(logits, targets, { lengths: Int32Array.of(0, 0) })).toThrow(RangeError);
  });
});

describe('training and evaluation', () => {
  const net = (): Sequential =>
    sequential([recurrent(gru(), { hiddenSize: 5 }), dense({ size: V })], { inputSize: 2, seed: 3 });
  const mask: Tensor = { shape: [T, B], data: Float32Array.from({ length: T * B }, (_, i) => (i % 3 === 1 ? 0 : 1)) };
  const batch: Batch<IntTensor> = { inputs: draw(T, B, 2), targets: ids(), mask };
  const ignored: Batch<IntTensor> = { ...batch, targets: poison(batch.targets, mask, -100) };
  const nothing: Batch<IntTensor> = { ...ignored, mask: full([T, B], 0) };
  const dataOf = (...batches: Batch<IntTensor>[]) => ({ batchCount: batches.length, batches: () => batches });
  const options = { loss: crossEntropy, metrics: { accuracy } };

  it('do not depend on masked targets', async () => {
    const [one, other] = [net(), net()];
    await fit(one, dataOf(batch), { loss: crossEntropy, optimizer: adam(0.02), steps: 8 });
    await fit(other, dataOf(ignored), { loss: crossEntropy, optimizer: adam(0.02), steps: 8 });
    expect(other.data).toEqual(one.data);
    expect(evaluate(one, dataOf(ignored), options)).toEqual(evaluate(one, dataOf(batch), options));
    expect(predict(one, batch.inputs).data.every(Number.isFinite)).toBe(true);
  });

  it('skip batches whose targets are all ignored, except for the state that they carry', () => {
    const model = net();
    expect(evaluate(model, dataOf(nothing, ignored, nothing), options)).toEqual(
      evaluate(model, dataOf(ignored), options),
    );
    const carry = { ...options, carryState: true };
    const carried = evaluate(model, dataOf(nothing, ignored), carry);
    expect(carried.loss).not.toBe(evaluate(model, dataOf(ignored), carry).loss);
    expect(() => evaluate(model, dataOf(nothing), options)).toThrow('data must hold at least one target');
  });

  it.each<[string, Optimizer]>([
    ['adam', adam(0.02)],
    ['momentum and weight decay', chain(weightDecay(0.1), sgd(0.1, { momentum: 0.9 }))],
  ])('skip the update of a batch whose targets are all ignored, with %s', async (_, optimizer) => {
    const none: Batch<IntTensor> = { inputs: batch.inputs, targets: batch.targets, lengths: new Int32Array(B) };
    const [one, other] = [net(), net()];
    const seen: Progress[] = [];
    const expected = await fit(one, [batch, batch], { loss: crossEntropy, optimizer });
    const found = await fit(other, [nothing, batch, none, nothing, batch], {
      loss: crossEntropy,
      optimizer,
      onProgress: (progress) => seen.push(progress),
    });
    expect(other.data).toEqual(one.data);
    expect(found.optimizerState).toEqual(expected.optimizerState);
    expect(found.steps).toBe(5);
    expect(found.losses).toEqual([0, expected.losses[0], 0, 0, expected.losses[1]]);
    expect(seen.map(({ gradientNorm }) => gradientNorm > 0)).toEqual([false, true, false, false, true]);
    expect(seen.map(({ learningRate }) => learningRate === undefined)).toEqual([true, false, true, true, false]);
  });

  it('carry the state through batches whose targets are all ignored', async () => {
    const options = { loss: crossEntropy, optimizer: sgd(0.1), carryState: true };
    const [one, other] = [net(), net()];
    await fit(one, [nothing, batch], options);
    await fit(other, [batch], options);
    expect(one.data).not.toEqual(other.data);
  });

  it('do not call losses and metrics if all targets are ignored', async () => {
    // A separate mean, which would divide by 0.
    const loss: Loss<IntTensor> = (outputs, targets, options) => {
      const { data } = options!.mask as Tensor;
      const count = data.reduce((sum, weight) => sum + weight, 0);
      return scale(crossEntropy(outputs, targets, { ...options, reduction: 'sum' }), 1 / count);
    };
    const { losses } = await fit(net(), [nothing, batch, nothing], { loss, optimizer: adam() });
    expect(losses).toEqual([0, losses[1], 0]);
    expect(evaluate(net(), [nothing, batch], { ...options, loss })).toEqual(evaluate(net(), [batch], options));
  });

  it('reject data whose targets are all ignored in training', async () => {
    const training = fit(net(), [nothing, nothing], { loss: crossEntropy, optimizer: adam(0.02), epochs: 3 });
    await expect(training).rejects.toThrow('fit: data must hold at least one target, got none');
  });

  it('skip the update of steps of a stream whose targets are all ignored', () => {
    const [one, other] = [net(), net()];
    const start = (model: Sequential) =>
      truncatedBptt(model, { window: T, loss: crossEntropy, optimizer: adam(0.02), batchSize: B });
    const { inputs, targets } = batch;
    const [trainer, reference] = [start(one), start(other)];
    trainOn(trainer, { inputs, targets });
    expect(trainOn(trainer, { inputs, targets, mask: full([T, B], 0) }).losses).toEqual([0]);
    trainOn(reference, { inputs, targets });
    expect(one.data).toEqual(other.data);
    expect(trainer.optimizerState).toEqual(reference.optimizerState);
    expect(trainer.memory.state).not.toEqual(reference.memory.state);
  });

  it('weigh batches by their targets, whether or not a mask covers all axes of the targets', () => {
    const model = sequential([dense({ size: 2 })], { inputSize: 2, seed: 1 });
    const parts = [1, 2].map((steps): Batch<Tensor> => ({ inputs: draw(steps, 1, 2), targets: draw(steps, 1, 2) }));
    const [first, second] = parts as [Batch<Tensor>, Batch<Tensor>];
    const masked = { ...second, mask: full([2, 1], 1) };
    const evaluateAll = (batches: Batch<Tensor>[]) =>
      evaluate(model, { batchCount: 2, batches: () => batches }, { loss: meanSquaredError }).loss;
    expect(evaluateAll([first, masked])).toBeCloseTo(evaluateAll([first, second]), 6);
  });
});

describe('the operation mask', () => {
  const keep = tensor([0, 1]);
  const x = tensor([
    [1, NaN],
    [2, Infinity],
    [0, 3],
  ]);

  it('selects rows whose values are not numbers', () => {
    expect(compute({ x }, (p) => mask(p.x, tensor([0, 0, 2]))).data).toEqual(Float32Array.of(0, 0, 0, 0, 0, 6));
    expect(compute({ x }, (p) => mask(p.x, tensor([[1, 0]]))).data).toEqual(Float32Array.of(1, 0, 2, 0, 0, 0));
  });

  it('stops gradients that are not numbers', () => {
    // The derivative of √x at 0 is infinite, and 0 · ∞ is NaN.
    const { gradient } = valueAndGradient({ x: tensor([0, 4]) }, (p) => sum(multiply(sqrt(mask(p.x, keep)), keep)));
    expect(gradient.x.data).toEqual(Float32Array.of(0, 0.25));
  });
});
