/** Custom models, errors of the loss, and state carried from batch to batch. */

import {
  accuracy,
  adam,
  add,
  advance,
  affine,
  applyOptimizer,
  type Batch,
  compute,
  createRandom,
  crossEntropy,
  customModel,
  type Dataset,
  dense,
  embedding,
  evaluate,
  fit,
  full,
  gradientFlow,
  gru,
  type IntTensor,
  initializeCell,
  initializeOptimizer,
  leaves,
  load,
  lstm,
  type ModelState,
  meanAbsoluteError,
  meanSquaredError,
  multiply,
  normal,
  predict,
  recurrent,
  runModel,
  save,
  sequential,
  sliceRows,
  stream,
  sum,
  type Tensor,
  tensor,
  unroll,
  type Variable,
  valueAndGradient,
  windows,
  withParameters,
} from 'bptt';
import { expect, it } from 'vitest';

it('fit trains a custom model with several inputs and outputs, and evaluate evaluates it', async () => {
  const model = customModel(
    {
      left: initializeCell(gru(), { inputSize: 2, hiddenSize: 6, random: 1 }),
      right: initializeCell(lstm(), { inputSize: 1, hiddenSize: 6, random: 2 }),
      head: { weight: full([6, 1], 0.1), bias: full([1], 0) },
    },
    (p, { pairs, single, sums }: { pairs: Tensor; single: Tensor; sums: Tensor }) => {
      const { state } = unroll(gru(), p.left, pairs);
      const { outputs, state: other } = unroll(lstm(), p.right, single, { initialState: { h: state.h } });
      const first = meanSquaredError(affine(other.h, p.head), sums);
      return add(first, multiply(sum(multiply(outputs, outputs)), 1e-4));
    },
  );
  const batch = { pairs: full([3, 4, 2], 0.5), single: full([2, 4, 1], 1), sums: tensor([[1], [1], [1], [1]]) };
  const data: Dataset<typeof batch> = { batchCount: 1, batches: () => [batch] };
  const before = evaluate(model, data).loss;
  const { losses, stopped } = await fit(model, data, { optimizer: adam(0.02), steps: 100, validation: data });
  expect(stopped).toBe('finished');
  expect(losses[0]).toBeCloseTo(before, 6);
  expect(evaluate(model, data).loss).toBeLessThan(before / 10);
});

it('a sequential model in a custom model is trained to the same bits', async () => {
  const make = (): ReturnType<typeof sequential> =>
    sequential([embedding({ vocabularySize: 4, size: 4 }), recurrent(lstm(), { hiddenSize: 8 }), dense({ size: 4 })], {
      seed: 1,
    });
  const data = windows(
    Int32Array.from({ length: 200 }, (_, i) => [0, 1, 2, 1, 3][i % 5]!),
    { sequenceLength: 8, batchSize: 4 },
  );
  const one = make();
  await fit(one, data, { loss: crossEntropy, optimizer: adam(0.01), steps: 10 });
  const shape = make();
  const other = customModel(shape.parameters, (p, { inputs, targets }: Batch<IntTensor>, context) =>
    crossEntropy(runModel(shape, p, inputs, context).output, targets),
  );
  await fit(other, data, { optimizer: adam(0.01), steps: 10 });
  expect(other.data).toEqual(one.data);
});

it('fit rejects a loss for a custom model, and requires one for a sequential model', async () => {
  const model = customModel({ w: tensor([1]) }, (p, _batch: unknown) => sum(p.w));
  const data = windows(new Int32Array(30), { sequenceLength: 2, batchSize: 2 });
  // @ts-expect-error A custom model has a loss.
  await expect(fit(model, data, { optimizer: adam(), loss: crossEntropy })).rejects.toThrow(
    'fit: loss must be undefined for a customModel, got the function crossEntropy.',
  );
  const net = sequential([embedding({ vocabularySize: 1, size: 1 })]);
  // @ts-expect-error The loss is missing.
  await expect(fit(net, data, { optimizer: adam() })).rejects.toThrow('fit: loss must be a function, got undefined');
});

it('errors name fit, evaluate or gradientFlow, and keep the message of the loss', async () => {
  const net = sequential([recurrent(gru(), { hiddenSize: 2 }), dense({ size: 3 })], { inputSize: 2 });
  const dataOf = <B>(batch: B): Dataset<B> => ({ batchCount: 1, batches: () => [batch] });
  const optimizer = adam();
  const wrongInputs = { inputs: full([4, 1, 5], 0), targets: full([4, 1, 3], 0) };
  const options = { loss: meanSquaredError, optimizer };
  await expect(fit(net, dataOf(wrongInputs), options)).rejects.toThrow(/^fit: .*xs must be \[T, B, I\]/);
  expect(() => evaluate(net, dataOf(wrongInputs), { loss: meanSquaredError })).toThrow(
    /^evaluate: .*xs must be \[T, B, I\]/,
  );
  expect(() => gradientFlow(net, wrongInputs, { loss: meanSquaredError })).toThrow(
    /^gradientFlow: .*xs must be \[T, B, I\]/,
  );
  const wrongTargets = { inputs: full([4, 1, 2], 0), targets: full([4, 1, 2], 0) };
  await expect(fit(net, dataOf(wrongTargets), options)).rejects.toThrow(
    'fit: meanSquaredError: targets must be the shape of the predictions = [4, 1, 3], got [4, 1, 2].',
  );
  const batch = { inputs: full([4, 1, 2], 0), targets: full([4, 1, 3], 0) };
  await expect(fit(net, dataOf(batch), { loss: multiply, optimizer })).rejects.toThrow(
    'fit: loss must be a scalar variable, as mean() returns, got shape [4, 1, 3].',
  );
  const withNumber = customModel({ w: full([1], 1) }, (() => 3) as never);
  await expect(fit(withNumber, dataOf(batch), { optimizer })).rejects.toThrow(
    'fit: loss must be a scalar variable, as mean() returns, got 3.',
  );
  const loss = (() => 3) as never;
  await expect(fit(net, dataOf(batch), { loss, optimizer })).rejects.toThrow('fit: loss must be a scalar variable');
  expect(() => evaluate(net, dataOf(batch), { loss: meanSquaredError, metrics: { product: multiply } })).toThrow(
    'evaluate: metrics.product must be a scalar variable, as mean() returns, got shape [4, 1, 3].',
  );
});

it('errors whose message cannot be changed are thrown as they are', async () => {
  const net = sequential([dense({ size: 3 })], { inputSize: 2 });
  const batch = { inputs: full([4, 1, 2], 0), targets: full([4, 1, 3], 0) };
  class WithGetter extends TypeError {
    override get message() {
      return 'of the caller';
    }
  }
  for (const error of [new DOMException('stopped', 'AbortError'), Object.freeze(new Error('x')), new WithGetter()]) {
    const fail = () => {
      throw error;
    };
    const optimizer = adam();
    await expect(fit(net, batch, { loss: fail, optimizer })).rejects.toBe(error);
    await expect(fit(net, batch, { loss: meanSquaredError, run: fail, optimizer })).rejects.toBe(error);
    const metrics = { fail };
    expect(caught(() => evaluate(net, batch, { loss: meanSquaredError, metrics }))).toBe(error);
  }
});

/** The value that a function throws. */
function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

it('losses are metrics', () => {
  const net = sequential([dense({ size: 1 })], { inputSize: 2, seed: 1 });
  const lengths = Int32Array.of(3, 1);
  const batch = { inputs: normal()([3, 2, 2], createRandom(1)), targets: full([3, 2, 1], 1), lengths };
  const data = { batchCount: 1, batches: () => [batch] };
  const result = evaluate(net, data, {
    loss: meanSquaredError,
    metrics: { mse: meanSquaredError, mae: meanAbsoluteError },
  });
  expect(result.mse).toBe(result.loss);
  expect(result.mae).toBe(evaluate(net, data, { loss: meanAbsoluteError }).loss);
});

it('names the step if the loss of a custom model is not finite', async () => {
  const model = customModel({ w: tensor([1]) }, (p, _batch: number) => multiply(sum(p.w), NaN));
  const data: Dataset<number> = { batchCount: 1, batches: () => [1] };
  await expect(fit(model, data, { optimizer: adam() })).rejects.toThrow('fit: the loss became NaN at step 1.');
});

it('carryState carries the state from batch to batch within an epoch: truncated BPTT', async () => {
  const text = Int32Array.from({ length: 121 }, (_, i) => (i * i) % 4);
  const data = windows(text, { sequenceLength: 5, batchSize: 2, shuffle: false });
  const make = (): ReturnType<typeof sequential> =>
    sequential([embedding({ vocabularySize: 4, size: 3 }), recurrent(lstm(), { hiddenSize: 4 }), dense({ size: 4 })], {
      seed: 1,
    });
  const model = make();
  await fit(model, data, { loss: crossEntropy, optimizer: adam(0.01), epochs: 2, carryState: true });
  const byHand = make();
  const optimizer = initializeOptimizer(adam(0.01), byHand.data.length);
  for (let epoch = 0; epoch < 2; epoch++) {
    let state: ModelState | undefined;
    for (const batch of data.batches(createRandom(0))) {
      const { gradient, results } = valueAndGradient(byHand.parameters, (p) => {
        const run = runModel(byHand, p, batch.inputs, { training: true, random: createRandom(0), state });
        return { value: crossEntropy(run.output, batch.targets), results: run.state };
      });
      state = results;
      applyOptimizer(adam(0.01), optimizer, byHand.parameters, gradient);
    }
  }
  model.data.forEach((value, i) => expect(value).toBeCloseTo(byHand.data[i]!, 6));
  const carried = evaluate(model, data, { loss: crossEntropy, carryState: true, metrics: { accuracy } });
  expect(carried.loss).not.toBe(evaluate(model, data, { loss: crossEntropy }).loss);
});

it('withParameters turns a part of a custom model into a separate model', async () => {
  const network = sequential([recurrent(gru(), { hiddenSize: 3 }), dense({ size: 1 })], { inputSize: 2, seed: 1 });
  const before = network.data.slice();
  const [inputs, targets] = [normal(0, 1)([4, 5, 2], createRandom(1)), full([4, 5, 1], 2)];
  const model = customModel({ network: network.parameters, gain: tensor(1) }, (p) =>
    meanSquaredError(multiply(runModel(network, p.network, inputs).output, p.gain), targets),
  );
  await fit(model, { batchCount: 1, batches: () => [{ inputs, targets }] }, { optimizer: adam(0.05), steps: 20 });
  const trained = withParameters(network, model.parameters.network);
  expect(network.data).toEqual(before);
  expect(leaves(trained.parameters)).toEqual(leaves(model.parameters.network));
  expect(trained.data).toEqual(model.data.slice(0, network.data.length));
  const expected = compute(model.parameters, (p) => runModel(network, p.network, inputs).output);
  expect(predict(trained, inputs)).toEqual(expected);
  expect((load(save(trained)).model as ReturnType<typeof sequential>).data).toEqual(trained.data);
  const running = stream(trained, { batchSize: 5 });
  for (let t = 0; t < 4; t++) {
    const { data } = advance(running, { shape: [5, 2], data: sliceRows(inputs, t, t + 1).data });
    data.forEach((value, i) => expect(value).toBeCloseTo(expected.data[5 * t + i]!, 5));
  }
  // A copy: the custom model may be trained further.
  model.data.fill(0);
  expect(predict(trained, inputs)).toEqual(expected);
  expect(() => withParameters(network, { gru: network.parameters['gru']! })).toThrow(
    'withParameters: dense.weight [3, 1] is missing. Do the parameters belong to another model?',
  );
  expect(() =>
    withParameters(network, {
      ...network.parameters,
      dense: { weight: { shape: [3, 1], data: new Float32Array(2) }, bias: full([1], 0) },
    }),
  ).toThrow('withParameters: dense.weight must be of size 3, as its shape is [3, 1], got 2.');
  expect(() => withParameters(network, { ...network.parameters, more: { bias: tensor([1]) } })).toThrow(
    new TypeError('withParameters: parameters must have only gru, dense, got more.'),
  );
  expect(() => withParameters(network, { ...network.parameters, empty: {} })).toThrow(
    new TypeError('withParameters: parameters must have only gru, dense, got empty.'),
  );
  const unknown = { ...network.parameters['gru'], weight: tensor([1]) };
  expect(() => withParameters(network, { ...network.parameters, gru: unknown })).toThrow(
    new TypeError('withParameters: parameters.gru must have only weightIh, weightHh, bias, biasHn, got weight.'),
  );
  expect(() =>
    withParameters(network, { ...network.parameters, dense: { weight: full([3, 2], 0), bias: full([2], 0) } }),
  ).toThrow("withParameters: dense.weight must be of the model's shape = [3, 1], got [3, 2].");
});

it('a model without data, or with a loss that is not a function, is rejected', async () => {
  const parameters = { w: full([2], 1) };
  const loss = ({ w }: { w: Variable }): Variable => sum(w);
  const cases: readonly (readonly [object, string])[] = [
    [{ parameters, loss }, 'model must be a model, as sequential or customModel returns, got an object with'],
    [{ parameters, data: parameters.w.data, loss: 'mse' }, 'model.loss must be a function, got mse.'],
  ];
  for (const [model, message] of cases) {
    await expect(fit(model as never, [1] as never, { optimizer: adam() })).rejects.toThrow(`fit: ${message}`);
    expect(() => evaluate(model as never, [1] as never)).toThrow(`evaluate: ${message}`);
  }
});

it('evaluate without options requires a loss for a sequential model', () => {
  const model = sequential([dense({ size: 1 })], { inputSize: 1 });
  expect(() => (evaluate as (...call: readonly unknown[]) => unknown)(model, [])).toThrow(
    'evaluate: loss must be a function, got undefined.',
  );
});

it('evaluate rejects options that a custom model does not use', () => {
  const model = customModel({ w: full([2], 1) }, ({ w }, _batch: number) => sum(w));
  const evaluateWith = (options: object) => () =>
    (evaluate as (...call: readonly unknown[]) => unknown)(model, [1], options);
  expect(evaluateWith({})()).toEqual({ loss: 2 });
  expect(evaluateWith({ metrics: { accuracy } })).toThrow(
    'evaluate: metrics must be undefined for a customModel, got an object with accuracy.',
  );
  expect(evaluateWith({ loss: crossEntropy })).toThrow(
    'evaluate: loss must be undefined for a customModel, got the function crossEntropy.',
  );
  expect(evaluateWith({ metric: accuracy })).toThrow(
    'evaluate: options must have only loss, metrics, carryState, got metric.',
  );
});
