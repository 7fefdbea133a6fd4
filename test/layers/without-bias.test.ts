/** Layers without bias, compared with the same layers whose biases are zero. */

import {
  adam,
  additiveScore,
  advance,
  attentionPooling,
  type Batch,
  bidirectional,
  checkGradients,
  createRandom,
  dense,
  dropout,
  embedding,
  fit,
  gradientFlow,
  gru,
  intTensor,
  type Layer,
  layerNorm,
  layerNormGru,
  leaves,
  load,
  loadInto,
  lstm,
  meanSquaredError,
  normal,
  predict,
  recurrent,
  relu,
  residual,
  runModel,
  type Sequential,
  save,
  sequential,
  simpleRnn,
  stream,
  summary,
  type Tensor,
  withoutBias,
} from 'bptt';
import { predictMasked } from 'bptt/keras';
import { exportOnnx, importOnnx, predictOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';

const [T, B, I, H] = [5, 3, 2, 3];
const inputs = normal(0, 1)([T, B, I], createRandom(1));
const lengths = Int32Array.of(3, 5, 1);
const isBias = (path: string): boolean => /\.bias(Hn|C)?$/.test(path);

/** Gives every parameter another value, except the biases, which become zero. */
function modelOf(...layers: readonly Layer[]): Sequential {
  const model = sequential(layers, { inputSize: I, seed: 4 });
  const random = createRandom(9);
  for (const { path, tensor } of leaves(model.parameters))
    tensor.data.set(isBias(path) ? tensor.data.fill(0) : normal(0, 0.5)(tensor.shape, random).data);
  return model;
}

/** A layer with biases, and the number of their elements. */
const layers: Readonly<Record<string, readonly [layer: Layer, biases: number]>> = {
  dense: [dense({ size: 4 }), 4],
  'dense with activation': [dense({ size: 4, activation: relu }), 4],
  layerNorm: [layerNorm(), I],
  simpleRnn: [recurrent(simpleRnn(), { hiddenSize: H }), H],
  lstm: [recurrent(lstm(), { hiddenSize: H, learnInitialState: true }), 4 * H],
  gru: [recurrent(gru(), { hiddenSize: H }), 3 * H + H],
  'gru, reset before': [recurrent(gru({ reset: 'before' }), { hiddenSize: H, reverse: true }), 3 * H],
  layerNormGru: [recurrent(layerNormGru(), { hiddenSize: H, returnSequences: false }), 3 * H + H],
  bidirectional: [bidirectional(lstm(), { hiddenSize: H, reverse: { cell: gru(), hiddenSize: 2 } }), 4 * H + 8],
  residual: [residual([recurrent(gru(), { hiddenSize: I }), dense({ size: I })]), 4 * I + I],
  attentionPooling: [attentionPooling({ score: additiveScore({ size: 4 }) }), 4],
};

describe.each(Object.entries(layers))('%s', (_, [layer, biases]) => {
  const [model, zero] = [modelOf(withoutBias(layer)), modelOf(layer)];

  it('has the same parameters but the biases', () => {
    const paths = (of: Sequential): readonly string[] => leaves(of.parameters).map(({ path }) => path);
    expect(paths(model)).toEqual(paths(zero).filter((path) => !isBias(path)));
    expect(model.data.length).toBe(zero.data.length - biases);
  });

  it('predicts the same as with zero biases', () => {
    expect(predict(model, inputs, { lengths })).toEqual(predict(zero, inputs, { lengths }));
  });

  it('has the gradients of finite differences', () => {
    const check = checkGradients(model.parameters, (p) => {
      const { output } = runModel(model, p, inputs, { lengths });
      return meanSquaredError(output, { shape: output.shape, data: new Float32Array(output.size).fill(0.5) });
    });
    expect(check.error).toBeLessThan(1e-6);
  });

  it('is saved and loaded', () => {
    const { model: loaded } = load(save(model));
    expect(leaves(loaded.parameters)).toEqual(leaves(model.parameters));
    expect(predict(loaded, inputs)).toEqual(predict(model, inputs));
    const other = sequential([withoutBias(layer)], { inputSize: I });
    loadInto(other, save(model));
    expect(other.data).toEqual(model.data);
    expect(() => loadInto(zero, save(model))).toThrow('loadInto: ');
  });

  it.skipIf(layer.causal === false)('is streamed', () => {
    const [own, reference] = [stream(model, { batchSize: B }), stream(zero, { batchSize: B })];
    for (let t = 0; t < T; t++) {
      const x = { shape: [B, I], data: inputs.data.slice(t * B * I, (t + 1) * B * I) };
      expect(advance(own, x)).toEqual(advance(reference, x));
    }
    expect(own.state).toEqual(reference.state);
  });

  it('is exported to ONNX', () => {
    const x = { inputs, lengths: intTensor(lengths) };
    const file = exportOnnx(model, { lengths: true });
    expect(file).toEqual(exportOnnx(zero, { lengths: true }));
    const { outputs } = predictOnnx(importOnnx(file), x);
    const expected = predict(model, inputs, { lengths });
    expected.data.forEach((value, i) => expect(outputs!.data[i]).toBeCloseTo(value, 5));
  });

  it('runs with the masks of Keras', () => {
    const mask = normal(0, 1)([T, B], createRandom(2));
    mask.data.forEach((value, i) => {
      mask.data[i] = value > 0 ? 1 : 0;
    });
    expect(predictMasked(model, inputs, { mask })).toEqual(predictMasked(zero, inputs, { mask }));
  });
});

it('training does not give the layer a bias', async () => {
  // The targets are a constant, which only a bias can fit: the inputs are zero.
  const batch: Batch<Tensor, Tensor> = {
    inputs: { shape: [T, B, I], data: new Float32Array(T * B * I) },
    targets: { shape: [T, B, 1], data: new Float32Array(T * B).fill(1) },
  };
  const hidden = { hiddenSize: H };
  const train = async (wrap: (layer: Layer) => Layer): Promise<number> => {
    const model = sequential([wrap(recurrent(gru(), hidden)), wrap(dense({ size: 1 }))], { inputSize: I, seed: 2 });
    await fit(model, batch, { loss: meanSquaredError, optimizer: adam(0.1), steps: 20 });
    return predict(model, batch.inputs).data[0]!;
  };
  expect(await train(withoutBias)).toBe(0);
  expect(await train((layer) => layer)).toBeGreaterThan(0.5);
});

it('gradientFlow has the norms and names of the layers with zero biases', () => {
  const targets = { shape: [T, B, H], data: new Float32Array(T * B * H) };
  const flowOf = (wrap: (layer: Layer) => Layer): object =>
    gradientFlow(
      modelOf(
        wrap(recurrent(gru(), { hiddenSize: H })),
        wrap(recurrent(gru(), { hiddenSize: H })),
        wrap(residual([bidirectional(lstm(), { hiddenSize: H, merge: 'sum' })])),
      ),
      { inputs, targets },
      { loss: meanSquaredError },
    );
  const flow = flowOf(withoutBias);
  expect(flow).toEqual(flowOf((layer) => layer));
  expect(JSON.stringify(flow)).toContain('gru2');
});

it('summary has the rows of the layer, with fewer parameters', () => {
  const model = sequential([withoutBias(bidirectional(lstm(), { hiddenSize: 16 })), withoutBias(dense({ size: 3 }))], {
    inputSize: 64,
  });
  expect(summary(model).split('\n').slice(2)).toEqual([
    'bidirectional     [T, B, 32]      10,240',
    '  forward (lstm)                   5,120',
    '  reverse (lstm)                   5,120',
    'dense             [T, B, 3]           96',
    'total                             10,336',
  ]);
});

it('layers without bias, and values that are not layers, are rejected', () => {
  expect(() => sequential([withoutBias(embedding({ vocabularySize: 3, size: 2 }))])).toThrow(
    'sequential: layer embedding: embedding has no bias.',
  );
  expect(() => sequential([withoutBias(dropout(0.5))], { inputSize: 2 })).toThrow('dropout has no bias.');
  expect(() => sequential([withoutBias(withoutBias(dense({ size: 1 })))], { inputSize: 2 })).toThrow(
    'dense has no bias.',
  );
  const notLayers: readonly unknown[] = [dense, undefined, null, lstm(), 'dense'];
  for (const value of notLayers)
    expect(() => withoutBias(value as Layer)).toThrow(
      /^withoutBias: layer must be a layer such as dense\({ size: 3 }\), got /,
    );
});
