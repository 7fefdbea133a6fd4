/** Wrong arguments throw errors that name the function, the argument, the expected kind and the actual value. */

import {
  accuracy,
  adam,
  additiveScore,
  attentionPooling,
  binaryCrossEntropy,
  chain,
  compute,
  createRandom,
  crossEntropy,
  dense,
  dropout,
  evaluate,
  fit,
  full,
  intTensor,
  lstm,
  meanSquaredError,
  measure,
  predict,
  recurrent,
  residual,
  save,
  sequential,
  shuffle,
  simpleRnn,
  stream,
  tensor,
  toTensor,
  trainOn,
  uniformNumber,
  type Variable,
  valueAndGradient,
  withoutBias,
  zeros,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const x = full([3, 1, 2], 1);
const model = sequential([recurrent(lstm(), { hiddenSize: 2 }), dense({ size: 1 })], { inputSize: 2 });
const data = [{ inputs: x, targets: full([3, 1, 1], 0) }];

/** Calls a function with arguments that its type does not allow. */
// biome-ignore lint/complexity/noBannedTypes: The arguments are wrong on purpose.
const wrongly = (f: Function, ...args: readonly unknown[]): unknown => f(...args);

describe('arguments', () => {
  it.each<[string, string, () => unknown]>([
    [
      'a maker that was not called as a cell',
      'recurrent: cell must be a cell, such as lstm(), got the function lstm.',
      () => wrongly(recurrent, lstm, { hiddenSize: 2 }),
    ],
    [
      'a layer as a cell',
      'recurrent: cell must be a cell, such as lstm(), got an object with name, origin, causal, output, parameters, run, stepRunner.',
      () => wrongly(recurrent, dense({ size: 2 }), { hiddenSize: 2 }),
    ],
    [
      'a cell whose state is not an array',
      'recurrent: cell.state must be an array of defined elements, got h.',
      () => wrongly(recurrent, { ...lstm(), state: 'h' }, { hiddenSize: 2 }),
    ],
    [
      'a pointwise cell without a backward function',
      'recurrent: cell must be a cell, such as lstm(), got an object with name, origin, state, gates, savedBlocks, ' +
        'vectorParameters, separateProducts, parameters, forward.',
      () => wrongly(recurrent, { ...lstm(), backward: 3 }, { hiddenSize: 2 }),
    ],
    [
      'a pointwise cell whose forward is not a function',
      'recurrent: cell must be a cell, such as lstm(), got an object with name, origin, state, gates, savedBlocks, ' +
        'vectorParameters, separateProducts, parameters, forward.',
      () => wrongly(recurrent, { ...lstm(), forward: 3 }, { hiddenSize: 2 }),
    ],
    [
      'a cell of ops without a step',
      'recurrent: cell must be a cell, such as lstm(), got an object with name, state, parameters.',
      () => wrongly(recurrent, { name: 'own', state: ['h'], parameters: () => ({}) }, { hiddenSize: 2 }),
    ],
    [
      'a cell that returns no parameters',
      'sequential: layer lstm: cell lstm: the parameters must be an object, got undefined.',
      () => {
        const cell = { ...lstm(), parameters: () => undefined as never };
        return sequential([recurrent(cell, { hiddenSize: 2 })], { inputSize: 2 });
      },
    ],
    [
      'a cell whose parameter is undefined',
      'sequential: layer lstm: cell lstm: weight must be an object, got undefined.',
      () => {
        const cell = { ...lstm(), parameters: () => ({ weight: undefined as never }) };
        return sequential([recurrent(cell, { hiddenSize: 2 })], { inputSize: 2 });
      },
    ],
    ['no options', 'recurrent: options must be an object, got undefined.', () => wrongly(recurrent, lstm())],
    ['null as options', 'dense: options must be an object, got null.', () => wrongly(dense, null)],
    ['an array as options', 'dense: options must be an object, got an array.', () => wrongly(dense, [3])],
    [
      'a string as an activation',
      'dense: activation must be a function, got relu.',
      () => wrongly(dense, { size: 1, activation: 'relu' }),
    ],
    [
      'a string as the activation of a cell',
      'simpleRnn: activation must be a function, or { name, forward, derivative }, got relu.',
      () => wrongly(simpleRnn, { activation: 'relu' }),
    ],
    [
      'an activation without one of its functions',
      'simpleRnn: activation must be a function, or { name, forward, derivative }, got an object with name, derivative.',
      () => wrongly(simpleRnn, { activation: { name: 'identity', derivative: () => 1 } }),
    ],
    [
      'an activation whose derivative is not a function',
      'simpleRnn: activation must be a function, or { name, forward, derivative }, got an object with forward, ' +
        'derivative.',
      () => wrongly(simpleRnn, { activation: { forward: (x: number) => x, derivative: 1 } }),
    ],
    [
      'a maker that was not called as a score',
      'attentionPooling: score must be a score, such as dotScore(), got the function additiveScore.',
      () => wrongly(attentionPooling, { score: additiveScore }),
    ],
    [
      'a score without keys',
      'attentionPooling: score must be a score, such as dotScore(), got an object with name, origin, parameters, ' +
        'keys, scores.',
      () => wrongly(attentionPooling, { score: { ...additiveScore({ size: 2 }), keys: {} } }),
    ],
    [
      'a layer that does not run',
      'withoutBias: layer must be a layer such as dense({ size: 3 }), got an object with output.',
      () => wrongly(withoutBias, { output: () => undefined }),
    ],
    [
      'a trainer without feed',
      'trainOn: trainer must be a trainer, as truncatedBptt returns, got an object with feed.',
      () => wrongly(trainOn, { feed: {} }, {}),
    ],
    [
      'a metric that starts no measurement',
      'measure: metric.start() must be a measurement, got an object with add.',
      () => wrongly(measure, { start: () => ({ add: () => undefined }) }, x, x),
    ],
    [
      'a metric without start',
      'evaluate: metrics.own must be a function, got an object with name.',
      () => wrongly(evaluate, model, data, { loss: meanSquaredError, metrics: { own: { name: 'own' } } }),
    ],
    [
      'a cell as a layer',
      'sequential: layers[0] must be a layer, got an object with name, origin, state, gates, savedBlocks, ' +
        'vectorParameters, separateProducts, parameters, forward.',
      () => wrongly(sequential, [lstm()], { inputSize: 2 }),
    ],
    [
      'a maker that was not called as a layer',
      'residual: layers[1] must be a layer, got the function dropout.',
      () => wrongly(residual, [dense({ size: 2 }), dropout]),
    ],
    [
      'a layer instead of an array',
      'sequential: layers must be an array of defined elements, got an object with name, origin, causal, ' +
        'output, parameters, run, stepRunner.',
      () => wrongly(sequential, dense({ size: 2 })),
    ],
    [
      'an initializer that was not called',
      'sequential: dense.weight: the initial value must be a tensor { shape, data: Float32Array }, got the function .',
      () => wrongly(sequential, [dense({ size: 2, weightInitializer: zeros as never })], { inputSize: 2 }),
    ],
    ['no model', 'predict: model must be a model, as sequential returns, got undefined.', () => wrongly(predict)],
    [
      'an array as inputs',
      'predict: inputs must be a variable, a tensor { shape, data: Float32Array } or a number, got an array.',
      () => wrongly(predict, model, [[1, 2]]),
    ],
    [
      'doubles as the data of a tensor',
      'predict: inputs must be a variable, a tensor { shape, data: Float32Array } or a number, ' +
        'got { shape, data: an instance of Float64Array }.',
      () => wrongly(predict, model, { shape: [3, 1, 2], data: new Float64Array(6) }),
    ],
    [
      'a tensor from JSON, in which the typed array became an object',
      'predict: inputs must be a variable, a tensor { shape, data: Float32Array } or a number, ' +
        'got { shape, data: an object with 0, 1 }.',
      () => wrongly(predict, model, JSON.parse(JSON.stringify(tensor([[1, 2]])))),
    ],
    [
      'floats as class ids',
      'evaluate: crossEntropy: targets must be an integer tensor { shape, data: Int32Array }, ' +
        'got { shape, data: an instance of Float32Array }.',
      () => wrongly(evaluate, model, { inputs: full([3, 1, 2], 1), targets: tensor([0]) }, { loss: crossEntropy }),
    ],
    [
      'a tensor with a negative shape',
      'predict: the shape of inputs must be integers of at least 0, for at most 2^32 elements, got [-3, 1, -2].',
      () => predict(model, { shape: [-3, 1, -2], data: new Float32Array(6) }),
    ],
    [
      'a typed array',
      'stream: model must be a model, as sequential returns, got an instance of Float32Array.',
      () => wrongly(stream, new Float32Array(2)),
    ],
    [
      'a huge shape',
      'full: shape must be integers of at least 0, for at most 2^32 elements, got [1099511627776].',
      () => full([2 ** 40], 0),
    ],
    [
      'a huge layer',
      'sequential: dense.weight: shape must be integers of at least 0, for at most 2^32 elements, got [2, 1099511627776].',
      () => sequential([dense({ size: 2 ** 40 })], { inputSize: 2 }),
    ],
    [
      'an optimizer that was not called',
      'chain: parts[0] must be an optimizer, such as adam(), got the function adam.',
      () => wrongly(chain, adam),
    ],
    [
      'an optimizer whose update is not a function',
      'chain: parts[0] must be an optimizer, such as adam(), got an object with name, slots, update.',
      () => wrongly(chain, { name: 'mine', slots: 0, update: 1 }),
    ],
    [
      'a seed instead of a generator',
      'uniformNumber: random must be a generator, as createRandom(seed) returns, got 3.',
      () => wrongly(uniformNumber, 3),
    ],
    [
      'a string to shuffle',
      'shuffle: items must be an array of defined elements, got abc.',
      () => wrongly(shuffle, createRandom(1), 'abc'),
    ],
    [
      'an asynchronous function',
      'compute: the result of the function must be variables nested in objects and arrays, got an instance of Promise.',
      () => wrongly(compute, {}, async () => 1),
    ],
    [
      'a number among parameters',
      'valueAndGradient: a.b must be a tensor { shape, data: Float32Array }, or an object or array of tensors, got 3.',
      () => wrongly(valueAndGradient, { a: { b: 3 } }, () => undefined),
    ],
    [
      'a tensor of integers among parameters',
      'valueAndGradient: a.b must be a tensor { shape, data: Float32Array }, or an object or array of tensors, ' +
        'got { shape, data: an instance of Int32Array }.',
      () => wrongly(valueAndGradient, { a: { b: intTensor([1, 2]) } }, () => undefined),
    ],
    [
      'no variable to copy',
      'toTensor: x must be a variable, a tensor { shape, data: Float32Array } or a number, got undefined.',
      () => wrongly(compute, {}, () => wrongly(toTensor, undefined)),
    ],
    [
      'a variable of a computation that has ended as a result',
      'compute: x must be a variable of the running computation, a copy by toTensor(), or an input of recompute, ' +
        'got a variable of another.',
      () => {
        let kept: Variable | undefined;
        compute({ a: tensor([1]) }, ({ a }) => {
          kept = a;
          return {};
        });
        return compute({}, () => kept);
      },
    ],
    [
      'an array as the data of a metric',
      'accuracy: logits must be a tensor { shape, data: Float32Array }, got an array.',
      () => wrongly(accuracy, [[1, 2]], intTensor([0])),
    ],
    ['no model to save', 'save: model must be an object, got undefined.', () => wrongly(save)],
  ])('%s', (_, message, call) => {
    expect(call).toThrow(message);
  });

  it('an object that contains itself', () => {
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    expect(() => wrongly(compute, cyclic, () => undefined)).toThrow(/^compute: self\.self/);
  });
});

describe('training', () => {
  it.each<[string, string, object]>([
    ['no loss', 'fit: loss must be a function, got undefined.', { optimizer: adam() }],
    ['a string as the loss', 'fit: loss must be a function, got mse.', { loss: 'mse', optimizer: adam() }],
    [
      'an optimizer that was not called',
      'fit: optimizer must be an optimizer, such as adam(), got the function adam.',
      { loss: meanSquaredError, optimizer: adam },
    ],
    [
      'a string as the optimizer',
      'fit: optimizer must be an optimizer, such as adam(), got adam.',
      { loss: meanSquaredError, optimizer: 'adam' },
    ],
    [
      'a string as the seed',
      "fit: seed must be a finite number, got 'x'.",
      { loss: meanSquaredError, optimizer: adam(), seed: 'x' },
    ],
  ])('%s', async (_, message, options) => {
    await expect(async () => wrongly(fit, model, data, options)).rejects.toThrow(message);
  });

  it('a batch without targets', () => {
    expect(() => wrongly(evaluate, model, [{ inputs: x }], { loss: meanSquaredError })).toThrow(
      'evaluate: targets must be a tensor { shape, data: Float32Array }, got undefined.',
    );
  });

  it('NaN in a mask, with every reduction', () => {
    for (const reduction of ['none', 'sum', 'mean'] as const)
      expect(() => compute({}, () => meanSquaredError(x, x, { mask: full([3, 1], NaN), reduction }))).toThrow(
        /^meanSquaredError: the sum of the mask must be a finite number.*, got NaN\.$/,
      );
  });

  it('targets of a binary cross-entropy that are not probabilities, unless they are masked', () => {
    const loss = (targets: number[], mask: number[]) => () =>
      compute({}, () => binaryCrossEntropy(tensor([1, 2]), tensor(targets), { mask: tensor(mask) }));
    expect(loss([-1, 1], [1, 1])).toThrow('binaryCrossEntropy: targets must be a number from 0 to 1, got -1.');
    expect(loss([NaN, 1], [0, 1])).not.toThrow();
  });
});

it('an activation that returns no variable names the layer', () => {
  const broken = sequential([dense({ size: 1, activation: (() => 'x') as never })], { inputSize: 2 });
  expect(() => predict(broken, x)).toThrow(
    'predict: layer dense: the result of activation must be a variable, a tensor { shape, data: Float32Array } or a ' +
      'number, got x.',
  );
});

it.each(['gates', 'savedBlocks'])('a custom cell without %s is rejected, and later computations work', (name) => {
  const layers = [recurrent({ ...lstm(), [name]: undefined } as ReturnType<typeof lstm>, { hiddenSize: 2 })];
  const wrong = sequential(layers, { inputSize: 2 });
  const before = predict(model, x);
  expect(() => predict(wrong, x)).toThrow(
    new RangeError('predict: layer lstm: memory must be an integer of at least 0, got NaN.'),
  );
  expect(() => stream(wrong)).toThrow('memory must be an integer of at least 0, got NaN.');
  expect(predict(model, x)).toEqual(before);
});
