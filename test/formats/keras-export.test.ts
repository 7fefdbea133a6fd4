/** Conversion of weights to Keras. See keras-written.test.ts for a comparison with files that Keras wrote. */

import {
  add,
  attentionPooling,
  batchNorm,
  bidirectional,
  conv1d,
  dense,
  embedding,
  gateParameters,
  gru,
  type Layer,
  layerNorm,
  layerNormLstm,
  lstm,
  matmul,
  type OpsCell,
  recurrent,
  residual,
  sequential,
  simpleRnn,
  withoutBias,
} from 'bptt';
import { fromKeras, toKeras } from 'bptt/keras';
import { expect, it } from 'vitest';

const sizes = { hiddenSize: 3 };

it.each<[string, Layer[]]>([
  ['dense', [dense({ size: 3 }), withoutBias(dense({ size: 2 }))]],
  ['recurrent layers', [recurrent(lstm(), sizes), recurrent(simpleRnn(), { ...sizes, reverse: true })]],
  ['GRUs', [recurrent(gru(), sizes), recurrent(gru({ reset: 'before' }), sizes), withoutBias(recurrent(gru(), sizes))]],
  ['two directions', [bidirectional(gru(), sizes), bidirectional(lstm(), { ...sizes, reverse: { cell: gru() } })]],
  ['normalization', [batchNorm(), layerNorm(), withoutBias(batchNorm()), withoutBias(layerNorm())]],
  [
    'convolutions',
    [
      conv1d({ size: 4, kernelSize: 3 }),
      conv1d({ size: 8, kernelSize: 2, groups: 4 }),
      conv1d({ size: 8, kernelSize: 2, groups: 4, padding: 'causal' }),
      conv1d({ size: 4, kernelSize: 2, groups: 2 }),
    ],
  ],
  ['residual connections', [dense({ size: 3 }), residual([recurrent(lstm(), sizes), dense({ size: 3 })])]],
])('fromKeras reads the weights of %s', (_, layers) => {
  const model = sequential(layers, { inputSize: 2, seed: 1 });
  model.data.forEach((_, i) => {
    model.data[i] = 2 + Math.sin(i);
  });
  const other = sequential(layers, { inputSize: 2, seed: 2 });
  fromKeras(other, toKeras(model));
  expect(other.data).toEqual(model.data);
});

it('fromKeras reads the weights of an embedding', () => {
  const [model, other] = [1, 2].map((seed) => sequential([embedding({ vocabularySize: 4, size: 2 })], { seed }));
  fromKeras(other!, toKeras(model!));
  expect(other!.data).toEqual(model!.data);
});

it('gates are in the order of Keras', () => {
  // r z n, of one unit and one input.
  const model = sequential([recurrent(gru(), { hiddenSize: 1 })], { inputSize: 1 });
  const parameters = { weightIh: [1, 2, 3], weightHh: [4, 5, 6], bias: [7, 8, 9], biasHn: [10] };
  for (const [name, values] of Object.entries(parameters)) model.parameters['gru']![name]!.data.set(values);
  // z r h; the second row of the bias is added to the recurrent products.
  expect(toKeras(model)).toEqual({
    'layers/gru/cell/vars/0': { shape: [1, 3], data: Float32Array.of(2, 1, 3) },
    'layers/gru/cell/vars/1': { shape: [1, 3], data: Float32Array.of(5, 4, 6) },
    'layers/gru/cell/vars/2': { shape: [2, 3], data: Float32Array.of(8, 7, 9, 0, 0, 10) },
  });
  const before = sequential([recurrent(gru({ reset: 'before' }), { hiddenSize: 1 })], { inputSize: 1 });
  before.parameters['gruResetBefore']!['bias']!.data.set([7, 8, 9]);
  expect(toKeras(before)['layers/gru/cell/vars/2']).toEqual({ shape: [3], data: Float32Array.of(8, 7, 9) });
});

it('the kernel of a depthwise convolution is [k, I, multiplier]', () => {
  const model = sequential([conv1d({ size: 6, kernelSize: 2, groups: 3 })], { inputSize: 3 });
  const kernel = toKeras(model)['layers/depthwise_conv1d/vars/0']!;
  expect(kernel.shape).toEqual([2, 3, 2]);
  expect(kernel.data).toEqual(Object.values(model.parameters)[0]!['weight']!.data);
});

it('names layers by their class or by the option layers, and returns copies', () => {
  const model = sequential([dense({ size: 2 }), dense({ size: 2 }), dense({ size: 1 })], { inputSize: 2 });
  const weights = toKeras(model, { layers: { dense3: 'time_distributed/layer' } });
  expect(Object.keys(weights)).toEqual([
    'layers/dense/vars/0',
    'layers/dense/vars/1',
    'layers/dense_1/vars/0',
    'layers/dense_1/vars/1',
    'layers/time_distributed/layer/vars/0',
    'layers/time_distributed/layer/vars/1',
  ]);
  const before = weights['layers/dense/vars/0']!.data.slice();
  model.data.fill(9);
  expect(weights['layers/dense/vars/0']!.data).toEqual(before);
});

const custom: OpsCell<'h'> = {
  name: 'custom',
  state: ['h'],
  parameters: (inputSize, hiddenSize) => gateParameters(1, inputSize, hiddenSize),
  step: (_, x, { h }) => ({ h: add(x, h) }),
  inputs: ({ weightIh }, x) => matmul(x, weightIh!),
};

it.each<[string, Layer, string]>([
  ['a cell', recurrent(layerNormLstm(), sizes), 'layerNormLstm has the cell layerNormLstm, which has no equivalent'],
  ['a cell of a direction', bidirectional(lstm(), { ...sizes, reverse: { cell: layerNormLstm() } }), 'layerNormLstm'],
  ['a custom cell', recurrent(custom, sizes), 'custom has the cell custom, which has no equivalent in Keras.'],
  ['a layer', attentionPooling(), 'attentionPooling has no equivalent in Keras.'],
  [
    'a learned state',
    recurrent(lstm(), { ...sizes, learnInitialState: true }),
    'lstm has zoneout or learns its initial state',
  ],
  ['zoneout', recurrent(lstm(), { ...sizes, zoneout: { h: 0.1 } }), 'lstm has zoneout or learns its initial state'],
])('rejects %s without an equivalent', (_, layer, message) => {
  const model = sequential([layer], { inputSize: 2 });
  expect(() => toKeras(model)).toThrow(RangeError);
  expect(() => toKeras(model)).toThrow(/^toKeras: /);
  expect(() => toKeras(model)).toThrow(message);
});

it('fromKeras rejects zoneout, which changes predictions', () => {
  const [model, other] = [{}, { zoneout: { h: 0.1 } }].map((options) =>
    sequential([recurrent(lstm(), { ...sizes, ...options })], { inputSize: 2 }),
  );
  expect(() => fromKeras(other!, toKeras(model!))).toThrow('fromKeras: lstm has zoneout or learns its initial state');
});

it('rejects wrong options', () => {
  const model = sequential([dense({ size: 2 }), dense({ size: 1 })], { inputSize: 2 });
  expect(() => toKeras(model, { layers: { dense: 'a', dense2: 'a' } })).toThrow(
    'toKeras: layers has two layers with the name a.',
  );
  expect(() => toKeras(model, { layers: { lstm: 'a' } })).toThrow('toKeras: layers has lstm, which is not a layer.');
  // @ts-expect-error The option is called layers.
  expect(() => toKeras(model, { modules: {} })).toThrow('toKeras: options must have only layers, got modules.');
  // @ts-expect-error Not a model.
  expect(() => toKeras({})).toThrow('toKeras: model must be');
});
