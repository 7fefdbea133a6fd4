/** Convolutions, pooling and batch normalization in ONNX: exported models, and nodes of other exporters. */

import {
  averagePool1d,
  batchNorm,
  conv1d,
  createRandom,
  dense,
  globalAveragePool,
  globalMaxPool,
  gru,
  type Layer,
  layerNorm,
  maxPool1d,
  normal,
  predict,
  predictWithState,
  recurrent,
  relu,
  runModel,
  type Sequential,
  sequential,
  sum,
  type Tensor,
  tensor,
  valueAndGradient,
  withoutBias,
} from 'bptt';
import { exportOnnx, importOnnx, predictOnnx, runOnnx } from 'bptt/onnx';
import { expect, it } from 'vitest';
import { decodeOnnx } from '../../src/formats/onnx/decode';
import { encodeOnnx } from '../../src/formats/onnx/encode';
import { modelOf as fileWith, floats, type PlainNode } from '../golden/onnx';

const [T, B, I] = [12, 3, 4];
const draw = (shape: readonly number[], seed = 1): Tensor => normal(0, 1)(shape, createRandom(seed));
const lengths = Int32Array.of(12, 5, 1);

const modelOf = (...layers: readonly Layer[]): Sequential => {
  const model = sequential(layers, { inputSize: I, seed: 2 });
  const { mean, variance } = model.parameters['batchNorm'] ?? {};
  mean?.data.set(draw(mean.shape, 3).data);
  variance?.data.set(draw(variance.shape, 4).data.map((value) => value ** 2 + 0.1));
  return model;
};

const conv = (options: object = {}): Layer => conv1d({ size: 6, kernelSize: 3, ...options });
const last = recurrent(gru(), { hiddenSize: 5 });

function expectClose(actual: Tensor, expected: Tensor): void {
  expect(actual.shape).toEqual(expected.shape);
  expected.data.forEach((value, i) => expect(Math.abs(actual.data[i]! - value)).toBeLessThan(2e-6));
}

const models: [name: string, model: Sequential, lengthsError?: string][] = [
  ['valid', modelOf(conv(), last)],
  ['same, with an activation', modelOf(conv({ padding: 'same', activation: relu }), last)],
  ['causal with dilation', modelOf(conv({ padding: 'causal', dilation: 2 }), layerNorm(), last)],
  ['causal with a stride', modelOf(conv({ padding: 'causal', stride: 2 }), last)],
  [
    'same with a stride',
    modelOf(conv({ padding: 'same', stride: 2 }), last),
    "conv: padding 'same' with a stride depends on the lengths, so it cannot be exported with them.",
  ],
  [
    'same with a stride and dilation',
    modelOf(conv({ padding: 'same', stride: 2, dilation: 2, groups: 2 }), last),
    "conv: padding 'same' with a stride depends on the lengths, so it cannot be exported with them.",
  ],
  ['same with a stride, two taps', modelOf(conv({ kernelSize: 2, padding: 'same', stride: 3 }), last)],
  [
    'maximum, same with a stride above the size',
    modelOf(maxPool1d({ windowSize: 2, padding: 'same', stride: 3 }), last),
  ],
  [
    'mean, same with a stride above the size',
    modelOf(averagePool1d({ windowSize: 1, padding: 'same', stride: 2 }), last),
  ],
  ['groups, without bias', modelOf(withoutBias(conv({ groups: 2, size: 8, padding: [1, 0] })), last)],
  ['maximum', modelOf(conv({ padding: 'same' }), maxPool1d({ windowSize: 2 }), last)],
  ['maximum with padding', modelOf(maxPool1d({ windowSize: 3, stride: 2, padding: [1, 1] }), last)],
  ['mean', modelOf(averagePool1d({ windowSize: 2 }), conv({ padding: 'same' }), last)],
  [
    'mean with padding',
    modelOf(averagePool1d({ windowSize: 3, stride: 2, padding: 'same' }), last),
    'averagePool: an average with padding depends on the lengths, so it cannot be exported with them.',
  ],
  ['global maximum', modelOf(conv(), globalMaxPool(), dense({ size: 2 }))],
  ['global mean', modelOf(conv(), globalAveragePool(), dense({ size: 2 }))],
  ['batch normalization', modelOf(conv(), batchNorm({ epsilon: 1e-3 }), last)],
  ['batch normalization per sequence', modelOf(globalMaxPool(), batchNorm(), dense({ size: 2 }))],
];

it.each<[name: string, model: Sequential, lengthsError?: string]>(models)(
  '%s: an exported model has the outputs of the model, also with lengths',
  (_, model, lengthsError) => {
    const inputs = draw([T, B, I]);
    const outputs = predictOnnx(importOnnx(exportOnnx(model)), { inputs });
    expectClose(outputs['outputs'] as Tensor, predict(model, inputs));
    if (lengthsError !== undefined) {
      expect(() => exportOnnx(model, { lengths: true })).toThrow(`exportOnnx: ${lengthsError}`);
      return;
    }
    const file = importOnnx(exportOnnx(model, { lengths: true }));
    const results = predictOnnx(file, { inputs, lengths: { shape: [B], data: lengths } });
    expectClose(results['outputs'] as Tensor, predict(model, inputs, { lengths }));
  },
);

it('no auto_pad has dilations or a stride above the size of the window, which ONNX Runtime does not support', () => {
  const attributesOf = (layer: Layer): unknown => {
    const { nodes } = decodeOnnx('test', exportOnnx(modelOf(layer))).graph;
    const { attributes } = nodes.find(({ opType }) => /^Conv$|Pool$/.test(opType))!;
    return attributes;
  };
  const ints = (...value: number[]): object => ({ type: 'ints', value });
  expect(attributesOf(conv({ padding: 'same', stride: 2, dilation: 2 }))).toEqual({
    kernel_shape: ints(5),
    group: { type: 'int', value: 1 },
    strides: ints(2),
    dilations: ints(1),
    auto_pad: { type: 'string', value: 'SAME_UPPER' },
  });
  const small = { padding: 'same', stride: 4 } as const;
  for (const size of [1, 2]) {
    const expected = { kernel_shape: ints(size), strides: ints(4), pads: ints(0, size - 1) };
    expect(attributesOf(maxPool1d({ windowSize: size, ...small }))).toEqual(expected);
    expect(attributesOf(averagePool1d({ windowSize: size, ...small }))).toEqual(expected);
  }
  for (const layer of [
    maxPool1d({ windowSize: 3, ...small }),
    averagePool1d({ windowSize: 3, ...small }),
    conv(small),
    conv({ kernelSize: 2, dilation: 2, ...small }),
  ])
    expect(() => exportOnnx(modelOf(layer))).toThrow(
      /^exportOnnx: (maxPool|averagePool|conv): padding 'same' with a stride above the size has no ONNX form\.$/,
    );
});

it.each<[string, Readonly<Record<string, number>>, upper: number[], lower: number[]]>([
  ['Conv', {}, [21, 32, 43, 4], [10, 21, 32, 43]],
  ['MaxPool', {}, [2, 3, 4, 4], [1, 2, 3, 4]],
  ['AveragePool', {}, [1.5, 2.5, 3.5, 4], [1, 1.5, 2.5, 3.5]],
  ['AveragePool', { count_include_pad: 1 }, [1.5, 2.5, 3.5, 2], [0.5, 1.5, 2.5, 3.5]],
])('%s %o: auto_pad puts odd padding after or before the sequence', (opType, attributes, upper, lower) => {
  const x = tensor([[[1, 2, 3, 4]]]);
  const outputs = ['SAME_UPPER', 'SAME_LOWER'].map((auto_pad) => {
    const plain: PlainNode = [
      opType,
      opType === 'Conv' ? 'x w' : 'x',
      'y',
      { kernel_shape: [2], auto_pad, ...attributes },
    ];
    const file = fileWith([plain], [['x', 'float']], 'y', { initializers: [floats('w', [1, 1, 2], [1, 10])] });
    return [...predictOnnx(importOnnx(file), { x })['y']!.data];
  });
  expect(outputs).toEqual([upper, lower]);
});

it.each([{ dilation: 2 }, { kernelSize: 2 }])(
  'the state of a causal convolution with %o is an input and an output',
  (options) => {
    const model = modelOf(conv({ padding: 'causal', ...options }), last);
    const file = importOnnx(exportOnnx(model, { state: true }));
    const inputs = draw([T, B, I]);
    const state = predictWithState(model, draw([7, B, I], 9)).state;
    const outputs = predictOnnx(file, {
      inputs,
      'conv.inputs': state['conv']!['inputs']!,
      'gru.h': state['gru']!['h']!,
    });
    const expected = predictWithState(model, inputs, { state });
    expectClose(outputs['outputs'] as Tensor, expected.output);
    expectClose(outputs['conv.inputs.next'] as Tensor, expected.state['conv']!['inputs']!);
    expectClose(outputs['gru.h.next'] as Tensor, expected.state['gru']!['h']!);
    expect(() => exportOnnx(model, { state: true, lengths: true })).toThrow(
      'exportOnnx: conv: the state of a causal convolution cannot be exported together with lengths.',
    );
  },
);

it('the weights of an imported convolution have gradients', () => {
  const model = modelOf(conv());
  const network = importOnnx(exportOnnx(model));
  const inputs = draw([T, B, I]);
  const own = valueAndGradient(model.parameters, (p) => sum(runModel(model, p, inputs).output)).gradient['conv']!;
  const { gradient } = valueAndGradient(network.parameters, (p) => sum(runOnnx(network, p, { inputs })['outputs']!));
  expectClose(gradient['conv.bias'] as Tensor, own['bias']!);
  const weight = gradient['conv.weight'] as Tensor;
  expect(weight.shape).toEqual([6, I, 3]);
  own['weight']!.data.forEach((value, i) => {
    const [j, input, o] = [Math.floor(i / (6 * I)), Math.floor(i / 6) % I, i % 6];
    expect(weight.data[(o * I + input) * 3 + j]).toBeCloseTo(value, 4);
  });
});

const node = (opType: string, attributes: Readonly<Record<string, readonly number[]>>, weight: boolean): Uint8Array =>
  encodeOnnx({
    irVersion: 8,
    producer: { name: '', version: '' },
    opsets: { '': 17 },
    graph: {
      name: 'g',
      nodes: [
        {
          opType,
          domain: '',
          name: 'n',
          inputs: weight ? ['x', 'w'] : ['x'],
          outputs: ['y'],
          attributes: Object.fromEntries(
            Object.entries(attributes).map(([name, value]) => [name, { type: 'ints', value }]),
          ),
        },
      ],
      initializers: weight ? [{ name: 'w', shape: [1, 2, 3], type: 'float', data: new Float32Array(6).fill(1) }] : [],
      inputs: [{ name: 'x', type: 'float', shape: ['B', 2, 'T'] }],
      outputs: [{ name: 'y', type: 'float', shape: ['B', 'O', 'T'] }],
      values: [],
    },
  });

it.each([
  ['Conv', { pads: [2 ** 40, 0] }, /at most/],
  ['Conv', { dilations: [2 ** 40], pads: [2 ** 41, 2 ** 41] }, /at most/],
  ['Conv', { strides: [0] }, /stride must be/],
  ['Conv', { pads: [-1, 0] }, /a number of padding must be/],
  ['Conv', { kernel_shape: [4] }, /the weight must be \[O, I \/ group, 4\]/],
  ['Conv', { kernel_shape: [3, 3] }, /kernel_shape must be of one axis/],
  ['MaxPool', { kernel_shape: [0] }, /kernel_shape must be/],
  ['MaxPool', { kernel_shape: [2 ** 40], pads: [2 ** 40, 2 ** 40] }, /at most/],
  ['MaxPool', { kernel_shape: [7] }, /at least 7 steps long/],
  ['AveragePool', { kernel_shape: [2], strides: [0] }, /stride must be/],
  ['AveragePool', {}, /kernel_shape/],
] as const)('a %s with %j is rejected', (opType, attributes, message) => {
  const run = (): unknown =>
    predictOnnx(importOnnx(node(opType, attributes, opType === 'Conv')), { x: draw([1, 2, 6]) });
  expect(run).toThrow(message);
});
