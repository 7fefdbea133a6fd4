/** Exported models in onnxruntime: equal outputs to 1e-5 for every layer and cell, with lengths and states. */

import {
  additiveScore,
  attentionPooling,
  averagePool1d,
  bidirectional,
  type Cell,
  conv1d,
  createRandom,
  dense,
  dotScore,
  dropout,
  embedding,
  exp,
  generalScore,
  gru,
  gruWith,
  hardSigmoid,
  type IntTensor,
  integerNumber,
  intTensor,
  isIntTensor,
  type Layer,
  layerNorm,
  layerNormGru,
  layerNormLstm,
  layerNormRnn,
  leakyRelu,
  linear,
  logSoftmax,
  lstm,
  lstmWith,
  type Merge,
  type ModelState,
  maxPool1d,
  normal,
  predictWithState,
  projectedLstm,
  recurrent,
  relu,
  residual,
  type Sequential,
  scaledDotScore,
  sequential,
  sigmoid,
  simpleRnn,
  softmax,
  softplus,
  type Tensor,
  tanh,
} from 'bptt';
import { exportOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';

interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(
    feeds: Record<string, unknown>,
  ): Promise<Record<string, { readonly dims: readonly number[]; readonly data: Float32Array }>>;
}
interface Runtime {
  readonly InferenceSession: { create(file: Uint8Array): Promise<Session> };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => unknown;
}
const { InferenceSession, Tensor: RuntimeTensor } = (await import('onnxruntime-node' as string)) as Runtime;

const random = createRandom(4);
const [T, B, I, H] = [6, 3, 4, 5];

function perturbedModel(layers: readonly Layer[], inputSize?: number): Sequential {
  const model = sequential(layers, inputSize === undefined ? { seed: 2 } : { inputSize, seed: 2 });
  model.data.forEach((value, i) => (model.data[i] = value + 0.3 * Math.sin(3 * i)));
  return model;
}

function toRuntime(x: Tensor | IntTensor): unknown {
  return isIntTensor(x)
    ? new RuntimeTensor('int64', BigInt64Array.from(x.data, BigInt), x.shape)
    : new RuntimeTensor('float32', x.data, x.shape);
}

const flat = (state: ModelState): Readonly<Record<string, Tensor>> =>
  Object.fromEntries(
    Object.entries(state).flatMap(([layer, parts]) =>
      Object.entries(parts).map(([name, part]) => [`${layer}.${name}`, part]),
    ),
  );

function expectClose(
  got: { readonly dims: readonly number[]; readonly data: Float32Array },
  expected: Tensor,
  what: string,
): void {
  expect([...got.dims], what).toEqual([...expected.shape]);
  const error = expected.data.reduce(
    (largest, value, i) => Math.max(largest, Math.abs(value - got.data[i]!) / Math.max(1, Math.abs(value))),
    0,
  );
  expect(error, what).toBeLessThan(1e-5);
}

/**
 * Compares the outputs of a model without lengths, and its outputs and final states with lengths and initial states.
 */
async function expectSame(model: Sequential, lengths = Int32Array.of(6, 2, 4)): Promise<void> {
  const x =
    model.input.kind === 'ids'
      ? intTensor(
          Int32Array.from({ length: T * B }, () => integerNumber(random, 7)),
          [T, B],
        )
      : normal(0, 1)([T, B, model.input.size], random);
  const simple = await InferenceSession.create(exportOnnx(model));
  expectClose((await simple.run({ inputs: toRuntime(x) }))['outputs']!, predictWithState(model, x).output, 'plain');

  const withState = await InferenceSession.create(exportOnnx(model, { lengths: true, state: true }));
  const stateShapes = flat(predictWithState(model, x).state);
  const states = Object.fromEntries(
    withState.inputNames
      .filter((name) => name !== 'inputs' && name !== 'lengths')
      .map((name) => [name, stateShapes[name]!]),
  );
  for (const state of Object.values(states)) state.data.forEach((_, i) => (state.data[i] = 0.4 * Math.cos(i)));
  const nested: Record<string, Record<string, Tensor>> = {};
  for (const [name, state] of Object.entries(states)) {
    const layer = name.slice(0, name.indexOf('.'));
    nested[layer] = { ...nested[layer], [name.slice(name.indexOf('.') + 1)]: state };
  }
  const expected = predictWithState(model, x, { lengths, state: nested });
  const got = await withState.run({
    inputs: toRuntime(x),
    lengths: new RuntimeTensor('int32', lengths, [B]),
    ...Object.fromEntries(Object.entries(states).map(([name, state]) => [name, toRuntime(state)])),
  });
  expectClose(got['outputs']!, expected.output, 'with lengths and states');
  const finalStates = flat(expected.state);
  for (const name of Object.keys(states)) expectClose(got[`${name}.next`]!, finalStates[name]!, name);
}

const cells: Record<string, () => Cell> = {
  simpleRnn: () => simpleRnn(),
  'simpleRnn, relu': () => simpleRnn({ activation: relu }),
  'simpleRnn, sigmoid': () => simpleRnn({ activation: sigmoid }),
  'simpleRnn, leakyRelu': () => simpleRnn({ activation: leakyRelu }),
  lstm,
  gru: () => gru(),
  'gru, reset before': () => gru({ reset: 'before' }),
  'lstmWith, hard sigmoid': () => lstmWith({ gateActivation: hardSigmoid(0.2) }),
  'lstmWith, relu': () => lstmWith({ activation: relu }),
  'lstmWith, linear': () => lstmWith({ activation: linear }),
  'gruWith, hard sigmoid': () => gruWith({ gateActivation: hardSigmoid() }),
  'gruWith, softplus, reset before': () =>
    gruWith({ activation: softplus, gateActivation: hardSigmoid(0.2), reset: 'before' }),
  projectedLstm: () => projectedLstm({ projectionSize: 3 }),
  layerNormRnn: () => layerNormRnn({ activation: softplus, epsilon: 1e-3 }),
  layerNormLstm: () => layerNormLstm(),
  layerNormGru: () => layerNormGru(),
};

describe.each(Object.entries(cells))('%s', (_cellName, cell) => {
  it.each<[string, Layer[]]>([
    ['forward', [recurrent(cell(), { hiddenSize: H })]],
    ['reverse, last step', [recurrent(cell(), { hiddenSize: H, reverse: true, returnSequences: false })]],
    ['with zoneout', [recurrent(cell(), { hiddenSize: H, zoneout: { h: 0.2 } })]],
    [
      'with a learned state',
      [
        recurrent(cell(), { hiddenSize: H, learnInitialState: true }),
        bidirectional(cell(), { hiddenSize: H, learnInitialState: true }),
      ],
    ],
    ...(['concat', 'sum', 'mean', 'product', 'both'] as Merge[]).map((merge): [string, Layer[]] => [
      `in both directions, ${merge}`,
      [bidirectional(cell(), { hiddenSize: H, merge })],
    ]),
    ['in both directions, last step', [bidirectional(cell(), { hiddenSize: H, returnSequences: false })]],
  ])('%s', (_, layers) => expectSame(perturbedModel(layers, I)));
});

it('final states of a chunk are initial states of the next', async () => {
  const model = perturbedModel(
    [
      recurrent(lstm(), { hiddenSize: H }),
      recurrent(gru(), { hiddenSize: H, zoneout: { h: 0.1 } }),
      dense({ size: 2 }),
    ],
    I,
  );
  const session = await InferenceSession.create(exportOnnx(model, { state: true }));
  const x = normal(0, 1)([T, B, I], random);
  const expected = predictWithState(model, x).output;
  let feeds: Record<string, unknown> = Object.fromEntries(
    ['lstm.h', 'lstm.c', 'gru.h'].map((name) => [name, new RuntimeTensor('float32', new Float32Array(B * H), [B, H])]),
  );
  const outputs: number[] = [];
  for (let t = 0; t < T; t++) {
    const got = await session.run({
      ...feeds,
      inputs: new RuntimeTensor('float32', x.data.slice(t * B * I, (t + 1) * B * I), [1, B, I]),
    });
    outputs.push(...got['outputs']!.data);
    feeds = Object.fromEntries(Object.keys(feeds).map((name) => [name, got[`${name}.next`]]));
  }
  expectClose({ dims: expected.shape, data: Float32Array.from(outputs) }, expected, 'step by step');
});

it.each<[string, Layer[]]>([
  ...Object.entries({
    tanh,
    relu,
    sigmoid,
    softplus,
    exp,
    leakyRelu,
    softmax,
    logSoftmax,
    linear,
    hardSigmoid: hardSigmoid(),
  }).map(([name, activation]): [string, Layer[]] => [`dense, ${name}`, [dense({ size: 3, activation })]]),
  [
    'nested residuals',
    [
      dense({ size: 4 }),
      residual([
        recurrent(lstm(), { hiddenSize: 6 }),
        residual([layerNorm({ epsilon: 1e-3 }), residual([dropout(0.3)])]),
        dense({ size: 4 }),
      ]),
      residual([dense({ size: 4, activation: tanh })]),
    ],
  ],
  [
    'different directions',
    [bidirectional(lstm(), { hiddenSize: 4, reverse: { cell: gru({ reset: 'before' }), hiddenSize: 3 } })],
  ],
  ['layer normalization and dropout', [layerNorm(), dropout(0.5), layerNorm({ epsilon: 0.1 })]],
  ...[dotScore(), scaledDotScore(), generalScore(), additiveScore({ size: 7 })].map((score): [string, Layer[]] => [
    `attention, ${score.name}`,
    [recurrent(gru(), { hiddenSize: H }), attentionPooling({ score }), dense({ size: 2 })],
  ]),
])('%s', (_, layers) => expectSame(perturbedModel(layers, I)));

it('sequences of length 0 keep their initial state', async () => {
  for (const cell of [lstm(), gru(), gru({ reset: 'before' }), simpleRnn(), layerNormGru()])
    for (const layer of [
      recurrent(cell, { hiddenSize: H, returnSequences: false }),
      bidirectional(cell, { hiddenSize: H, learnInitialState: true, returnSequences: false }),
    ]) {
      const model = perturbedModel([layer], I);
      await expectSame(model, Int32Array.of(0, 6, 3));
      const x = normal(0, 1)([T, B, I], random);
      const session = await InferenceSession.create(exportOnnx(model, { lengths: true }));
      const none = new Int32Array(B);
      const got = await session.run({ inputs: toRuntime(x), lengths: new RuntimeTensor('int32', none, [B]) });
      expectClose(got['outputs']!, predictWithState(model, x, { lengths: none }).output, 'without steps');
    }
});

it("windows with padding 'same' and a stride, at all lengths", async () => {
  for (const size of [1, 2, 3, 4])
    for (const stride of [2, 3]) {
      const options = { stride, padding: 'same' } as const;
      const layers = [1, 2].map((dilation) => conv1d({ size: 2, kernelSize: size, dilation, ...options }));
      if (size < 3 || size >= stride)
        layers.push(maxPool1d({ windowSize: size, ...options }), averagePool1d({ windowSize: size, ...options }));
      for (const layer of layers) {
        const model = perturbedModel([layer], I);
        const session = await InferenceSession.create(exportOnnx(model));
        for (let steps = 1; steps < 9; steps++) {
          const x = normal(0, 1)([steps, B, I], random);
          const got = await session.run({ inputs: toRuntime(x) });
          expectClose(got['outputs']!, predictWithState(model, x).output, `${layer.name} ${size} ${stride} ${steps}`);
        }
      }
    }
});

it('token ids', () =>
  expectSame(
    perturbedModel([
      embedding({ vocabularySize: 7, size: 3 }),
      bidirectional(lstm(), { hiddenSize: 4 }),
      recurrent(gru(), { hiddenSize: 3 }),
      dense({ size: 7, activation: softmax }),
    ]),
  ));
