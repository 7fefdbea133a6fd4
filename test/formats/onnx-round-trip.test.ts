/** Exported models come back in through importOnnx: cells in a Scan, zoneout, projections, lengths and states. */

import {
  additiveScore,
  attentionPooling,
  bidirectional,
  type Cell,
  checkGradients,
  createRandom,
  dense,
  dotScore,
  generalScore,
  gru,
  gruWith,
  hardSigmoid,
  type Layer,
  layerNormGru,
  layerNormLstm,
  layerNormRnn,
  leaves,
  lstm,
  normal,
  predictWithState,
  projectedLstm,
  recurrent,
  type Sequential,
  scaledDotScore,
  sequential,
  simpleRnn,
  softplus,
  sum,
  type Tensor,
  tanh,
} from 'bptt';
import { exportOnnx, importOnnx, predictOnnx, runOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import { errorOf } from '../golden/onnx';

const [T, B, I, H] = [5, 3, 2, 4];
const lengths = Int32Array.of(5, 2, 4);

function perturbedModel(layers: readonly Layer[]): Sequential {
  const model = sequential(layers, { inputSize: I, seed: 2 });
  model.data.forEach((value, i) => (model.data[i] = value + 0.3 * Math.sin(3 * i)));
  return model;
}

const cells: Readonly<Record<string, () => Cell>> = {
  lstm,
  gru: () => gru(),
  'gru, reset before': () => gru({ reset: 'before' }),
  simpleRnn: () => simpleRnn({ activation: softplus }),
  projectedLstm: () => projectedLstm({ projectionSize: 3 }),
  layerNormRnn: () => layerNormRnn({ epsilon: 1e-3 }),
  layerNormLstm: () => layerNormLstm(),
  layerNormGru: () => layerNormGru({ epsilon: 0.1 }),
  gruWith: () => gruWith({ reset: 'before', gateActivation: hardSigmoid(0.25), activation: softplus }),
};

describe.each(Object.entries(cells))('%s', (_, cell) => {
  const zoneout = { h: 0.3 };
  it.each<[string, Layer[]]>([
    ['forward', [recurrent(cell(), { hiddenSize: H })]],
    ['reverse with zoneout', [recurrent(cell(), { hiddenSize: H, reverse: true, zoneout })]],
    [
      'the last step, with a learned state',
      [recurrent(cell(), { hiddenSize: H, learnInitialState: true, zoneout, returnSequences: false })],
    ],
    ['both directions', [bidirectional(cell(), { hiddenSize: H, zoneout }), dense({ size: 2, activation: tanh })]],
    [
      'stacked, with attention',
      [recurrent(cell(), { hiddenSize: H }), recurrent(cell(), { hiddenSize: H, zoneout }), attentionPooling()],
    ],
  ])('%s', (_name, layers) => {
    const model = perturbedModel(layers);
    const xs = normal(0, 1)([T, B, I], createRandom(5));
    const plain = predictOnnx(importOnnx(exportOnnx(model)), { inputs: xs })['outputs']!;
    const { output } = predictWithState(model, xs);
    expect(errorOf(plain, output.shape, output.data)).toBeLessThan(1e-6);

    const network = importOnnx(exportOnnx(model, { lengths: true, state: true }));
    const states: Record<string, Record<string, Tensor>> = {};
    const feeds: Record<string, Tensor> = {};
    for (const { name, shape } of network.inputs.slice(2)) {
      const state = normal(0, 1)([B, shape![1] as number], createRandom(name.length));
      const dot = name.indexOf('.');
      const layer = name.slice(0, dot);
      states[layer] = { ...states[layer], [name.slice(dot + 1)]: state };
      feeds[name] = state;
    }
    const expected = predictWithState(model, xs, { lengths, state: states });
    const got = predictOnnx(network, { inputs: xs, lengths: { shape: [B], data: lengths }, ...feeds });
    expect(errorOf(got['outputs']!, expected.output.shape, expected.output.data)).toBeLessThan(1e-6);
    expect(Object.keys(got).length).toBe(1 + Object.keys(feeds).length);
    for (const name of Object.keys(feeds)) {
      const dot = name.indexOf('.');
      const final = expected.state[name.slice(0, dot)]![name.slice(dot + 1)]!;
      expect(errorOf(got[`${name}.next`]!, final.shape, final.data), name).toBeLessThan(1e-6);
    }
  });
});

it.each<[string, Layer[]]>([
  ...(['sum', 'mean', 'product', 'concat'] as const).map((merge): [string, Layer[]] => [
    `merge ${merge}`,
    [bidirectional(gru(), { hiddenSize: H, merge })],
  ]),
  ...[dotScore(), scaledDotScore(), generalScore(), additiveScore({ size: 3 })].map((score): [string, Layer[]] => [
    `attention with ${score.name}`,
    [recurrent(gru(), { hiddenSize: H }), attentionPooling({ score }), dense({ size: 2 })],
  ]),
])('%s: equal outputs, also for a sequence without steps', (_name, layers) => {
  const model = perturbedModel(layers);
  const inputs = normal(0, 1)([T, B, I], createRandom(5));
  const withEmpty = Int32Array.of(5, 0, 4);
  const got = predictOnnx(importOnnx(exportOnnx(model, { lengths: true })), {
    inputs,
    lengths: { shape: [B], data: withEmpty },
  });
  const { output } = predictWithState(model, inputs, { lengths: withEmpty });
  expect(errorOf(got['outputs']!, output.shape, output.data)).toBeLessThan(1e-6);
});

it('the parameters of a Scan are trainable: its gradients are correct', () => {
  const model = perturbedModel([
    bidirectional(layerNormLstm({ epsilon: 0.1 }), { hiddenSize: 3, zoneout: { c: 0.2 } }),
  ]);
  const network = importOnnx(exportOnnx(model, { lengths: true }));
  const inputs = {
    inputs: normal(0, 1)([3, 2, I], createRandom(1)),
    lengths: { shape: [2], data: Int32Array.of(3, 1) },
  };
  const { error, checked } = checkGradients(network.parameters, (p) =>
    sum(tanh(runOnnx(network, p, inputs)['outputs']!)),
  );
  expect(error).toBeLessThan(1e-7);
  const size = leaves(model.parameters).reduce((total, { tensor }) => total + tensor.data.length, 0);
  expect(checked).toBeGreaterThanOrEqual(size);
});
