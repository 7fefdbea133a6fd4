/** Imported operators compared with onnxruntime, on the same files and inputs. */

import { createRandom, type IntTensor, integerNumber, normal, type Tensor } from 'bptt';
import { importOnnx, predictOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import type { OnnxTensor } from '../../src/formats/onnx/model';
import { errorOf, floats, int64, modelOf, type PlainNode } from '../golden/onnx';

interface Session {
  run(
    feeds: Record<string, unknown>,
  ): Promise<Record<string, { readonly dims: readonly number[]; readonly data: Float32Array }>>;
}
interface Runtime {
  readonly InferenceSession: { create(file: Uint8Array): Promise<Session> };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => unknown;
}
const { InferenceSession, Tensor: RuntimeTensor } = (await import('onnxruntime-node' as string)) as Runtime;

const random = createRandom(11);
const x = normal(0, 2)([3, 4, 5], random);
const positive: Tensor = { shape: x.shape, data: x.data.map((value) => Math.abs(value) + 0.1) };
const ids: IntTensor = { shape: [2, 3], data: Int32Array.of(4, -2, 3, 9, 1, 2) };

/** The largest error of the output y, relative to onnxruntime. */
async function difference(
  nodes: readonly PlainNode[],
  inputs: Readonly<Record<string, Tensor | IntTensor>>,
  { opset = 17, initializers = [] as OnnxTensor[] } = {},
): Promise<number> {
  const isInt = ({ data }: Tensor | IntTensor): boolean => data instanceof Int32Array;
  const declared = Object.entries(inputs).map(
    ([name, value]) => [name, isInt(value) ? 'int64' : 'float', value.shape] as const,
  );
  const domains = nodes.some(([opType]) => opType.startsWith('com.microsoft.')) ? { 'com.microsoft': 1 } : {};
  const names = nodes.flatMap(([, inputNames]) => inputNames.split(' '));
  const used = initializers.filter(({ name }) => names.includes(name));
  const file = modelOf(nodes, declared, 'y', { opset, initializers: used, domains });
  const session = await InferenceSession.create(file);
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      name,
      isInt(value)
        ? new RuntimeTensor('int64', BigInt64Array.from(value.data, BigInt), value.shape)
        : new RuntimeTensor('float32', value.data, value.shape),
    ]),
  );
  const expected = (await session.run(feeds))['y']!;
  return errorOf(predictOnnx(importOnnx(file), inputs)['y']!, expected.dims, expected.data);
}

/** Converts the integers `i` to the output. */
const toFloat: PlainNode = ['Cast', 'i', 'y', { to: 1 }];

describe('element-wise operators', () => {
  it.each<[PlainNode, number?]>([
    [['Neg', 'x', 'y']],
    [['Erf', 'x', 'y']],
    [['Gelu', 'x', 'y'], 20],
    [['Gelu', 'x', 'y', { approximate: 'tanh' }], 20],
    [['com.microsoft.Gelu', 'x', 'y']],
    [['Elu', 'x', 'y', { alpha: 0.7 }]],
    [['HardSigmoid', 'x', 'y', { alpha: 0.3, beta: 0.4 }]],
    [['Reciprocal', 'x', 'y']],
    [['Clip', 'x', 'y', { min: -0.5001, max: 1.3 }], 10],
    [['Clip', 'x low high', 'y']],
    [['Clip', 'x high low', 'y']],
    [['Pow', 'x two', 'y']],
    [['Pow', 'positive low', 'y']],
    [['Max', 'x low row', 'y']],
    [['Min', 'x low row', 'y']],
    [['BatchNormalization', 'x scale scale scale variance', 'y', { epsilon: 0.01 }]],
  ])('%s', async (node, opset = 17) => {
    const initializers = [
      floats('low', [], [-0.7]),
      floats('high', [], [1.1]),
      floats('two', [], [2]),
      floats('row', [5], [-1, -0.5, 0, 0.5, 1]),
      floats('scale', [4], [0.5, -1, 2, 1.5]),
      floats('variance', [4], [0.5, 1, 2, 1.5]),
    ];
    expect(await difference([node], { x, positive }, { opset, initializers })).toBeLessThan(2e-6);
  });
});

describe('reductions and Split', () => {
  const names = ['ReduceSum', 'ReduceMean', 'ReduceProd', 'ReduceMax', 'ReduceMin'];
  it.each(names)('%s', async (name) => {
    for (const attributes of [{ axes: [1] }, { axes: [-1, 0], keepdims: 0 }, {}, { keepdims: 0 }])
      expect(await difference([[name, 'x', 'y', attributes]], { x }, { opset: 11 })).toBeLessThan(2e-6);
    const initializers = [int64('axes', 2, 0), int64('empty')];
    for (const node of [
      [name, 'x axes', 'y'],
      [name, 'x axes', 'y', { keepdims: 0 }],
      [name, 'x empty', 'y', { noop_with_empty_axes: 1 }],
      [name, 'x empty', 'y'],
    ] as const)
      expect(await difference([node], { x }, { opset: 18, initializers })).toBeLessThan(2e-6);
    expect(await difference([[name, 'ids', 'i', { axes: [1] }], toFloat], { ids }, { opset: 11 })).toBe(0);
  });

  it.each([
    ['ArgMax', { axis: 1 }],
    ['ArgMax', { axis: -1, keepdims: 0, select_last_index: 1 }],
    ['ArgMin', { keepdims: 0 }],
  ] as const)('%s %o', async (name, attributes) =>
    expect(await difference([[name, 'x', 'i', attributes], toFloat], { x })).toBe(0),
  );

  it.each<[string, PlainNode, number]>([
    ['sizes as an attribute', ['Split', 'x', 'a b', { axis: 2, split: [1, 4] }], 11],
    ['sizes as an input', ['Split', 'x sizes', 'a b', { axis: 1 }], 13],
    ['equal parts', ['Split', 'x', 'a b', { axis: 1 }], 13],
    ['a smaller last part', ['Split', 'x', 'a b', { axis: 2, num_outputs: 2 }], 18],
  ])('Split: %s', async (_, node, opset) => {
    const axis = node[3]!['axis']!;
    const nodes: PlainNode[] = [node, ['Concat', 'b a', 'y', { axis }]];
    expect(await difference(nodes, { x }, { opset, initializers: [int64('sizes', 1, 3)] })).toBe(0);
  });
});

describe('attributes of recurrent operators', () => {
  const [I, H] = [5, 3];
  const constants = (G: number): OnnxTensor[] =>
    Object.entries({
      W: [1, G * H, I],
      R: [1, G * H, H],
      B: [1, 2 * G * H],
      C: [1, x.shape[1]!, H],
      P: [1, 3 * H],
    }).map(([name, shape]) => floats(name, shape, [...normal(0, 0.7)(shape, random).data]));
  const alphas = { activation_alpha: { floats: [0.3, 0.2] }, activation_beta: { floats: [0.45] } };
  it.each<[string, number, PlainNode[3]]>([
    ['RNN', 1, { activations: ['Softsign'] }],
    ['RNN', 1, { clip: 0.4 }],
    ['GRU', 3, { clip: 0.4 }],
    ['GRU', 3, { clip: 0.4, linear_before_reset: 1 }],
    ['GRU', 3, { activations: ['HardSigmoid', 'LeakyRelu'], ...alphas }],
    ['LSTM', 4, { input_forget: 1 }],
    ['LSTM', 4, { clip: 0.4 }],
    ['LSTM', 4, { activations: ['Sigmoid', 'Relu', 'Relu'] }],
    ['LSTM', 4, { activations: ['HardSigmoid', 'LeakyRelu', 'Tanh'], ...alphas }],
  ])('%s %o', async (opType, G, attributes) => {
    for (const inputs of ['x W R B', ...(opType === 'LSTM' ? ['x W R B - - C', 'x W R B - - C P'] : [])]) {
      const node: PlainNode = [opType, inputs, 'y', { hidden_size: H, ...attributes }];
      expect(await difference([node], { x }, { initializers: constants(G) })).toBeLessThan(2e-6);
    }
  });
});

it('half precision constants', async () => {
  const half: OnnxTensor = { name: 'h', shape: [4], type: 'float16', data: Uint16Array.of(0x3c00, 0xc123, 0x7bff, 1) };
  const nodes: PlainNode[] = [['Cast', 'h', 'y', { to: 1 }]];
  expect(await difference(nodes, { x }, { initializers: [half] })).toBe(0);
});

it('DynamicQuantizeLSTM agrees up to the error of quantized inputs and states', async () => {
  const [I, H] = [5, 6];
  const quantized = (name: string, rows: number): OnnxTensor[] => [
    {
      name,
      shape: [1, rows, 4 * H],
      type: 'int8',
      data: Int8Array.from({ length: rows * 4 * H }, () => integerNumber(random, 255) - 127),
    },
    floats(`${name}_scale`, [1], [0.005]),
    { name: `${name}_zero`, shape: [1], type: 'int8', data: Int8Array.of(0) },
  ];
  const node: PlainNode = [
    'com.microsoft.DynamicQuantizeLSTM',
    'x W R - - - - - W_scale W_zero R_scale R_zero',
    'y',
    { hidden_size: H },
  ];
  const error = await difference([node], { x }, { initializers: [...quantized('W', I), ...quantized('R', H)] });
  expect(error).toBeLessThan(0.02);
});
