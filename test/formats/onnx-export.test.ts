/** The content of exported files. test/onnxruntime compares their outputs in onnxruntime. */

import {
  add,
  attentionPooling,
  bidirectional,
  createRandom,
  dense,
  dotScore,
  dropout,
  embedding,
  gru,
  type Layer,
  layerNormGru,
  logSoftmax,
  lstm,
  normal,
  predict,
  recurrent,
  relu,
  type Sequential,
  sequential,
  simpleRnn,
  softmax,
  tanh,
  type Variable,
} from 'bptt';
import { exportOnnx, importOnnx, predictOnnx } from 'bptt/onnx';
import { expect, it } from 'vitest';
import { decodeOnnx } from '../../src/formats/onnx/decode';
import type { OnnxModel } from '../../src/formats/onnx/model';
import { version } from '../../src/tensor/version';

const exported = (model: Sequential, options = {}): OnnxModel => decodeOnnx('test', exportOnnx(model, options));
const modelOf = (...layers: Layer[]): Sequential => sequential(layers, { inputSize: 2, seed: 3 });

it('declares opset, producer, inputs and outputs', () => {
  const file = exported(
    modelOf(bidirectional(lstm(), { hiddenSize: 3 }), recurrent(gru(), { hiddenSize: 4, returnSequences: false })),
    { lengths: true, state: true },
  );
  expect([file.irVersion, file.opsets, file.producer]).toEqual([8, { '': 17 }, { name: 'bptt', version }]);
  const state = (name: string, size: number): object => ({ name, type: 'float', shape: ['B', size] });
  const names = [
    'bidirectional.forward.h',
    'bidirectional.forward.c',
    'bidirectional.reverse.h',
    'bidirectional.reverse.c',
  ];
  expect(file.graph.inputs).toEqual([
    { name: 'inputs', type: 'float', shape: ['T', 'B', 2] },
    { name: 'lengths', type: 'int32', shape: ['B'] },
    ...names.map((name) => state(name, 3)),
    state('gru.h', 4),
  ]);
  expect(file.graph.outputs).toEqual([
    state('outputs', 4),
    ...names.map((name) => state(`${name}.next`, 3)),
    state('gru.h.next', 4),
  ]);
  const withIds = exported(
    sequential([embedding({ vocabularySize: 5, size: 2 }), bidirectional(lstm(), { hiddenSize: 3, merge: 'both' })]),
  );
  expect(withIds.graph.inputs).toEqual([{ name: 'inputs', type: 'int64', shape: ['T', 'B'] }]);
  expect(withIds.graph.outputs).toEqual([{ name: 'outputs', type: 'float', shape: [2, 'T', 'B', 3] }]);
});

it('cells with an ONNX operator use it, other cells use Scan, and dropout is left out', () => {
  const typesOf = (layer: Layer): readonly string[] =>
    exported(modelOf(layer, dropout(0.3)))
      .graph.nodes.map(({ opType }) => opType)
      .filter((type) => ['RNN', 'LSTM', 'GRU', 'Scan', 'Dropout'].includes(type));
  expect(typesOf(recurrent(lstm(), { hiddenSize: 2 }))).toEqual(['LSTM']);
  expect(typesOf(bidirectional(gru({ reset: 'before' }), { hiddenSize: 2 }))).toEqual(['GRU']);
  expect(typesOf(recurrent(simpleRnn(), { hiddenSize: 2 }))).toEqual(['RNN']);
  expect(typesOf(recurrent(layerNormGru(), { hiddenSize: 2 }))).toEqual(['Scan']);
  expect(typesOf(recurrent(lstm(), { hiddenSize: 2, zoneout: { c: 0.5 } }))).toEqual(['Scan']);
});

it('gates are reordered from i f g o to i o f c and from r z n to z r h; biasHn is in the recurrent bias', () => {
  const lstmModel = modelOf(recurrent(lstm(), { hiddenSize: 1 }));
  lstmModel.data.set([11, 12, 13, 14, 21, 22, 23, 24, 1, 2, 3, 4, 5, 6, 7, 8]);
  const constants = (model: Sequential): Record<string, number[]> =>
    Object.fromEntries(
      exported(model)
        .graph.initializers.filter(({ name }) => /\.[WRB]$/.test(name))
        .map(({ name, data }) => [name.slice(-1), [...(data as Float32Array)]]),
    );
  expect(constants(lstmModel)).toEqual({
    W: [11, 21, 14, 24, 12, 22, 13, 23],
    R: [1, 4, 2, 3],
    B: [5, 8, 6, 7, 0, 0, 0, 0],
  });
  const gruModel = modelOf(recurrent(gru(), { hiddenSize: 1 }));
  gruModel.data.set([11, 12, 13, 21, 22, 23, 1, 2, 3, 5, 6, 7, 9]);
  expect(constants(gruModel)).toEqual({ W: [12, 22, 11, 21, 13, 23], R: [2, 1, 3], B: [6, 5, 7, 0, 0, 9] });
});

it('with lengths, an operator with an initial state keeps it for sequences of length 0', () => {
  // ONNX Runtime returns zeros for them.
  const nodesOf = (learnInitialState: boolean, options: object): readonly string[] =>
    exported(modelOf(bidirectional(lstm(), { hiddenSize: 2, learnInitialState })), options)
      .graph.nodes.map(({ opType }) => opType)
      .filter((type) => type === 'Where');
  expect(nodesOf(false, { lengths: true, state: true })).toHaveLength(2);
  expect(nodesOf(true, { lengths: true })).toHaveLength(2);
  expect(nodesOf(false, { lengths: true })).toEqual([]);
  expect(nodesOf(true, { state: true })).toEqual([]);
});

it('a reimported model has the same outputs', () => {
  const x = normal(0, 1)([4, 3, 2], createRandom(5));
  for (const layers of [
    [bidirectional(lstm(), { hiddenSize: 3 }), dense({ size: 2, activation: tanh })],
    [recurrent(gru(), { hiddenSize: 3, reverse: true }), dense({ size: 3, activation: softmax })],
    [recurrent(gru({ reset: 'before' }), { hiddenSize: 3, returnSequences: false })],
    [dense({ size: 3, activation: logSoftmax })],
    [recurrent(simpleRnn({ activation: relu }), { hiddenSize: 3, learnInitialState: true })],
  ]) {
    const model = modelOf(...layers);
    model.data.forEach((value, i) => (model.data[i] = value + 0.3 * Math.sin(2 * i)));
    const { outputs } = predictOnnx(importOnnx(exportOnnx(model)), { inputs: x });
    const expected = predict(model, x);
    expect(outputs!.shape).toEqual(expected.shape);
    expected.data.forEach((value, i) => expect(Math.abs(outputs!.data[i]! - value)).toBeLessThan(1e-6));
  }
});

it('custom layers, cells, activations and scores throw an error that names the layer', () => {
  const custom: Layer = {
    name: 'custom',
    output: (input) => input,
    run: (_, input) => ({ output: input as Variable }), // The model has no ids: the input is a variable.
  };
  const { origin: _, ...customCell } = lstm();
  const { origin: __, ...customScore } = dotScore();
  expect(() => exportOnnx(modelOf(custom))).toThrow('exportOnnx: custom: a custom layer has no ONNX form.');
  expect(() => exportOnnx(modelOf(recurrent(customCell, { hiddenSize: 2 })))).toThrow(
    'exportOnnx: lstm: the cell lstm has no ONNX form.',
  );
  expect(() => exportOnnx(modelOf(dense({ size: 2, activation: (x) => add(x, x) })))).toThrow(
    'exportOnnx: dense: the activation has no ONNX form.',
  );
  expect(() => exportOnnx(modelOf(recurrent(simpleRnn({ activation: (x) => add(x, x) }), { hiddenSize: 2 })))).toThrow(
    'exportOnnx: simpleRnn: the activation has no ONNX form.',
  );
  expect(() => exportOnnx(modelOf(attentionPooling({ score: customScore })))).toThrow(
    'exportOnnx: attentionPooling: a custom score has no ONNX form.',
  );
});

it('a shape of 0 elements with data is rejected, instead of a loop without end', () => {
  const model = modelOf(recurrent(lstm(), { hiddenSize: 2 }));
  const weightIh = { shape: [2, 0], data: model.parameters['lstm']!['weightIh']!.data };
  const parameters = { lstm: { ...model.parameters['lstm'], weightIh } };
  expect(() => exportOnnx({ ...model, parameters })).toThrow(
    new RangeError('exportOnnx: lstm.weightIh must be of size 0, as its shape is [2, 0], got 16.'),
  );
});
