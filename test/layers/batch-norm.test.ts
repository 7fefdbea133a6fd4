/** Batch normalization: statistics, gradients, training and prediction. */

import {
  adamw,
  advance,
  averagedModel,
  averageWeights,
  batchNorm,
  chain,
  checkGradients,
  clipByNorm,
  compute,
  createRandom,
  customModel,
  dense,
  fit,
  freeze,
  full,
  load,
  mean,
  meanSquaredError,
  multiply,
  normal,
  type Optimizer,
  predict,
  predictWithState,
  recompute,
  residual,
  runInSegments,
  runModel,
  type Sequential,
  save,
  sequential,
  sgd,
  stream,
  sum,
  summary,
  type Tensor,
  tensor,
  toTensor,
  trainOn,
  truncatedBptt,
  useKernels,
  valueAndGradient,
  weightDecay,
  withoutBias,
} from 'bptt';
import { afterAll, describe, expect, it } from 'vitest';

afterAll(() => useKernels(undefined));

const [T, B, I] = [6, 4, 5];
const lengths = Int32Array.of(6, 3, 0, 5);
const draw = (shape: readonly number[], seed = 1, center = 0): Tensor => normal(center, 2)(shape, createRandom(seed));
const random = createRandom(1);

/** A model whose parameters are not the initial ones. */
function modelOf(options = {}): Sequential {
  const model = sequential([batchNorm(options)], { inputSize: I });
  const { gain, bias, mean, variance } = model.parameters['batchNorm']!;
  gain!.data.set(draw([I], 2).data);
  bias!.data.set(draw([I], 3).data);
  mean!.data.set(draw([I], 4).data);
  variance!.data.set(draw([I], 5).data.map((value) => value ** 2 + 0.1));
  return model;
}

/** The mean and the biased variance of each feature over the valid steps. */
function statisticsOf(x: Tensor, own: Int32Array = new Int32Array(B).fill(T)) {
  return Array.from({ length: I }, (_, i) => {
    const values = Array.from({ length: T * B }, (_, r) => r)
      .filter((r) => Math.floor(r / B) < own[r % B]!)
      .map((r) => x.data[r * I + i]!);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    return { mean, variance, count: values.length };
  });
}

describe.each(['portable', undefined] as const)('kernels %s', (kernels) => {
  it.each([0, 1000])('training normalizes with the statistics of the valid steps, of mean %i', (center) => {
    useKernels(kernels);
    const model = modelOf();
    const x = draw([T, B, I], 7, center);
    const { gain, bias } = model.parameters['batchNorm']!;
    for (const own of [undefined, lengths]) {
      const y = compute(
        model.parameters,
        (p) => runModel(model, p, x, { training: true, random, lengths: own }).output,
      );
      const statistics = statisticsOf(x, own);
      y.data.forEach((value, index) => {
        const [r, i] = [Math.floor(index / I), index % I];
        const { mean, variance } = statistics[i]!;
        const valid = Math.floor(r / B) < (own?.[r % B] ?? T);
        const normal = (x.data[index]! - mean) / Math.sqrt(variance + 1e-5);
        expect(value).toBeCloseTo(valid ? gain!.data[i]! * normal + bias!.data[i]! : 0, 4);
      });
    }
  });

  it('prediction normalizes with the running statistics, and a stream does the same', () => {
    useKernels(kernels);
    const model = modelOf({ epsilon: 0.25 });
    const x = draw([T, B, I], 7);
    const { gain, bias, mean, variance } = model.parameters['batchNorm']!;
    const { data } = predict(model, x);
    data.forEach((value, index) => {
      const i = index % I;
      const normal = (x.data[index]! - mean!.data[i]!) / Math.sqrt(variance!.data[i]! + 0.25);
      expect(value).toBeCloseTo(gain!.data[i]! * normal + bias!.data[i]!, 5);
    });
    const running = stream(model, { batchSize: B });
    for (let t = 0; t < T; t++) {
      const step = { shape: [B, I], data: x.data.subarray(t * B * I, (t + 1) * B * I) };
      expect(advance(running, step).data).toEqual(data.slice(t * B * I, (t + 1) * B * I));
    }
    expect(predictWithState(model, x).state).toEqual({});
  });
});

it.each([true, false])('has the gradients of finite differences, training %s', (training) => {
  const model = modelOf();
  const { mean, variance, ...trained } = model.parameters['batchNorm']!;
  for (const own of [undefined, lengths]) {
    const { error } = checkGradients({ trained, x: draw([T, B, I]) }, (p) => {
      const batchNorm = { ...p.trained, mean: constant(mean!), variance: constant(variance!) };
      const { output } = runModel(model, { batchNorm }, p.x, { training, random, lengths: own });
      return sum(multiply(output, draw(output.shape, 2)));
    });
    expect(error).toBeLessThan(1e-7);
  }
});

/** A constant of the running computation. */
const constant = (x: Tensor) => multiply(x, 1);

it('an update moves the running statistics, which no optimizer changes', async () => {
  const momentum = 0.25;
  const model = modelOf({ momentum });
  const { mean, variance, gain } = model.parameters['batchNorm']!;
  const before = { mean: mean!.data.slice(), variance: variance!.data.slice(), gain: gain!.data.slice() };
  const [first, second] = [draw([T, B, I], 8), draw([T, B, I], 9, 3)];
  const targets = full([T, B, I], 0);
  const optimizer = chain(weightDecay(0.1), adamw(0.1, { weightDecay: 0.5 }));
  await fit(
    model,
    [
      { inputs: first, targets, lengths },
      { inputs: second, targets },
    ],
    { loss: meanSquaredError, optimizer, accumulate: 2, steps: 1 },
  );
  expect(gain!.data).not.toEqual(before.gain);
  for (let i = 0; i < I; i++) {
    let [expectedMean, expectedVariance] = [before.mean[i]!, before.variance[i]!];
    for (const { mean, variance, count } of [statisticsOf(first, lengths)[i]!, statisticsOf(second)[i]!]) {
      expectedMean += momentum * (mean - expectedMean);
      expectedVariance += momentum * ((variance * count) / (count - 1) - expectedVariance);
    }
    expect(mean!.data[i]).toBeCloseTo(expectedMean, 5);
    expect(variance!.data[i]).toBeCloseTo(expectedVariance, 4);
  }
});

it('running statistics count neither in penalties before clipping nor in the steps that are averaged', async () => {
  const batch = { inputs: draw([T, B, I], 8, 100), targets: full([T, B, I], 0) };
  const train = async (optimizer: Optimizer, steps: number) => {
    const model = modelOf();
    const { optimizerState } = await fit(model, batch, { loss: meanSquaredError, optimizer, steps });
    return { model, optimizer, optimizerState };
  };
  const only = (path: string): boolean => !/mean|variance/.test(path);
  const [all, others] = await Promise.all(
    [{}, { only }].map((selection) => train(chain(weightDecay(0.01, selection), clipByNorm(1), sgd(0.1)), 3)),
  );
  expect(all!.model.data).toEqual(others!.model.data);
  for (const decayed of [[weightDecay(0.5), sgd(0.1)], [adamw(0.1, { weightDecay: 0.5 })]]) {
    const optimizer = chain(...decayed, averageWeights());
    const { model, optimizerState } = await train(optimizer, 4);
    const moved = await Promise.all([1, 2, 3, 4].map((steps) => train(optimizer, steps)));
    const averaged = averagedModel(model, optimizer, optimizerState).parameters['batchNorm']!;
    for (const name of ['mean', 'variance'])
      averaged[name]!.data.forEach((value, i) => {
        const sum = moved.reduce((total, each) => total + each.model.parameters['batchNorm']![name]!.data[i]!, 0);
        expect(Math.abs(value - sum / 4)).toBeLessThan(1e-6 * Math.abs(sum));
      });
  }
});

it('frozen running statistics stay, and those inside of other models and layers move', async () => {
  const batch = { inputs: draw([T, B, I], 8), targets: full([T, B, I], 0) };
  const frozen = modelOf();
  const before = frozen.parameters['batchNorm']!['mean']!.data.slice();
  const optimizer = freeze(['batchNorm.mean', 'batchNorm.variance'], sgd(0.1));
  await fit(frozen, batch, { loss: meanSquaredError, optimizer, steps: 2 });
  expect(frozen.parameters['batchNorm']!['mean']!.data).toEqual(before);

  const inner = sequential([residual([dense({ size: I }), withoutBias(batchNorm({ momentum: 1 }))])], { inputSize: I });
  const custom = customModel({ inner: inner.parameters }, (p, { inputs, targets }: typeof batch, context) =>
    meanSquaredError(runModel(inner, p.inner, inputs, context).output, targets),
  );
  await fit(
    custom,
    { batchCount: 1, batches: () => [batch] },
    { optimizer: adamw(0.1, { weightDecay: 0.5 }), steps: 1 },
  );
  const { 'batchNorm.mean': mean } = custom.parameters.inner['residual']!;
  const { 'dense.weight': weight } = inner.parameters['residual']!;
  // With momentum 1, the running mean is the mean of the batch.
  const sums = new Float64Array(I);
  for (let r = 0; r < T * B; r++)
    for (let o = 0; o < I; o++)
      for (let i = 0; i < I; i++) sums[o]! += batch.inputs.data[r * I + i]! * weight!.data[i * I + o]!;
  mean!.data.forEach((value, i) => expect(value).toBeCloseTo(sums[i]! / (T * B), 4));
});

it('other computations during an update do not change how the running statistics move', async () => {
  const batch = { inputs: draw([T, B, I], 8), targets: full([T, B, I], 0) };
  const train = async (run: typeof runModel): Promise<Float32Array> => {
    const model = modelOf();
    await fit(model, batch, { loss: meanSquaredError, optimizer: sgd(0.1), steps: 2, run });
    return model.data;
  };
  const expected = await train(runModel);
  const other = modelOf();
  const trained = await train((...args) => {
    const trainer = truncatedBptt(other, { window: T, loss: meanSquaredError, optimizer: sgd(0.1), batchSize: B });
    trainOn(trainer, batch);
    valueAndGradient(other.parameters, (p) =>
      mean(runModel(other, p, batch.inputs, { training: true, random }).output),
    );
    return runModel(...args);
  });
  expect(trained).toEqual(expected);
  // Once, although the layer runs twice.
  const recomputed = await train((model, parameters, input, options) => {
    const output = recompute(parameters, (p) => runModel(model, p, input, options).output);
    return { output, state: {}, outputs: [output], results: {} };
  });
  expect(recomputed).toEqual(expected);
});

it('running a model in training without an update does not change the running statistics', () => {
  const model = modelOf();
  const before = model.data.slice();
  compute(model.parameters, (p) => {
    const { output } = runModel(model, p, draw([T, B, I]), { training: true, random });
    expect(toTensor(p['batchNorm']!['mean']!).data).toEqual(model.parameters['batchNorm']!['mean']!.data);
    return output;
  });
  expect(model.data).toEqual(before);
});

it('a batch of one row gives the bias, and a batch without valid steps gives zeros', () => {
  const model = modelOf();
  const run = (x: Tensor, own?: Int32Array): Tensor =>
    compute(model.parameters, (p) => runModel(model, p, x, { training: true, random, lengths: own }).output);
  expect(run(draw([1, 1, I])).data).toEqual(model.parameters['batchNorm']!['bias']!.data);
  expect([...run(draw([2, 1, I]), Int32Array.of(0)).data]).toEqual(new Array(2 * I).fill(0));
});

it('is saved, loaded and summarized', () => {
  const model = modelOf({ momentum: 0.5 });
  expect(predict(load(save(model)).model, draw([T, B, I]))).toEqual(predict(model, draw([T, B, I])));
  expect(summary(model)).toContain('batchNorm');
});

it('rejects wrong options, and training in segments', () => {
  expect(() => batchNorm({ epsilon: -1 })).toThrow(/batchNorm: epsilon must be/);
  expect(() => batchNorm({ momentum: 2 })).toThrow(/batchNorm: momentum must be/);
  expect(() => batchNorm({ eps: 1 } as object)).toThrow(/eps/);
  const model = modelOf();
  const x = draw([9, 1, I]);
  const run = (training: boolean): Tensor =>
    compute(model.parameters, (p) => runInSegments(model, p, x, { training, random }, 2).output);
  expect(run(false)).toEqual(predict(model, x));
  expect(() => run(true)).toThrow(/runInSegments: layer batchNorm needs the statistics of all steps/);
  const inner = sequential([residual([batchNorm()])], { inputSize: I });
  expect(() =>
    compute(inner.parameters, (p) => runInSegments(inner, p, x, { training: true, random }, 2).output),
  ).toThrow(/runInSegments: layer residual needs the statistics of all steps/);
  expect(predict(sequential([batchNorm()], { inputSize: 1 }), tensor([[[2]]])).data[0]).toBeCloseTo(2, 4);
});
