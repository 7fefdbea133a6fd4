/** Operators of imported streams compared with onnxruntime, on the same files and inputs. */

import { createRandom, normal, type Tensor } from 'bptt';
import { importOnnxStream } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import type { OnnxTensor } from '../../src/formats/onnx/model';
import { errorOf, floats, int64, modelOf, type PlainNode } from '../golden/onnx';

interface RuntimeValue {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}
interface Runtime {
  readonly InferenceSession: {
    create(file: Uint8Array): Promise<{
      run(feeds: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, RuntimeValue>>>;
    }>;
  };
  readonly Tensor: new (type: string, data: Float32Array, dims: readonly number[]) => unknown;
}
const { InferenceSession, Tensor: RuntimeTensor } = (await import('onnxruntime-node' as string)) as Runtime;

const random = createRandom(11);
const sample = (...shape: number[]): Tensor => normal(0, 1)(shape, random);
const weights = (name: string, ...shape: number[]): OnnxTensor => floats(name, shape, [...sample(...shape).data]);

/** The largest error of all outputs over two steps, relative to onnxruntime. The second step finds stale buffers. */
async function difference(
  nodes: readonly PlainNode[],
  inputs: Readonly<Record<string, Tensor>>,
  { opset = 17, initializers = [] as OnnxTensor[], outputs = 'y' } = {},
): Promise<number> {
  const names = nodes.flatMap(([, inputNames]) => inputNames.split(' '));
  const declared = Object.entries(inputs).map(([name, { shape }]) => [name, 'float', shape] as const);
  const used = initializers.filter(({ name }) => names.includes(name));
  const file = modelOf(nodes, declared, outputs, { opset, initializers: used });
  const session = await InferenceSession.create(file);
  const stream = importOnnxStream(file);
  let largest = 0;
  for (const factor of [1, -0.7]) {
    const given = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape, data }]) => [
        name,
        { shape, data: data.map((value) => factor * value) },
      ]),
    );
    const feeds = Object.fromEntries(
      Object.entries(given).map(([name, { shape, data }]) => [name, new RuntimeTensor('float32', data, shape)]),
    );
    const [expected, got] = [await session.run(feeds), stream.step(given)];
    for (const name of outputs.split(' '))
      largest = Math.max(largest, errorOf(got[name]!, expected[name]!.dims, expected[name]!.data));
  }
  return largest;
}

describe('Conv in streams', () => {
  it.each<[Record<string, number | string | number[]>, number[], number[], boolean?]>([
    [{}, [2, 3, 9], [4, 3, 3]],
    [{ pads: [1, 2], strides: [2], kernel_shape: [3] }, [1, 3, 9], [4, 3, 3], true],
    [{ dilations: [2], pads: [2, 2] }, [2, 3, 9], [5, 3, 3], true],
    [{ strides: [3] }, [1, 2, 12], [4, 2, 3]],
    [{ group: 6, pads: [2, 2] }, [2, 6, 9], [6, 1, 5], true],
    [{ group: 3, strides: [2], dilations: [2] }, [2, 6, 9], [9, 2, 2], true],
    [{ group: 2 }, [1, 2, 7], [6, 1, 3], true],
    [{ auto_pad: 'SAME_UPPER', strides: [2] }, [1, 2, 8], [4, 2, 3]],
    [{ auto_pad: 'SAME_LOWER' }, [1, 2, 8], [4, 2, 4]],
    [{ auto_pad: 'VALID' }, [1, 2, 8], [4, 2, 1]],
    [{ pads: [1, 0, 2, 1], strides: [2, 1], dilations: [1, 2] }, [2, 3, 7, 6], [4, 3, 3, 2], true],
    [{ group: 4, pads: [1, 1, 1, 1] }, [1, 4, 5, 6], [4, 1, 3, 3]],
  ])('%o', async (attributes, input, weight, hasBias = false) => {
    const initializers = [weights('w', ...weight), weights('b', weight[0]!)];
    const node: PlainNode = ['Conv', hasBias ? 'x w b' : 'x w', 'y', attributes];
    expect(await difference([node], { x: sample(...input) }, { initializers })).toBeLessThan(3e-6);
    // The next nodes read the output in its own order of axes.
    const chain: PlainNode[] = [
      ['Conv', hasBias ? 'x w b' : 'x w', 'a', attributes],
      ['Relu', 'a', 'r'],
      ['Transpose', 'r', 't', {}],
      ['Add', 't t', 'y'],
    ];
    expect(await difference(chain, { x: sample(...input) }, { initializers })).toBeLessThan(3e-6);
  });
});

describe('Pad and MaxPool in streams', () => {
  it.each([
    ['constant', [1, 0, 2, 0, 3, 1]],
    ['constant', [0, -1, 0, 0, 0, -2]],
    ['reflect', [0, 0, 3, 0, 0, 2]],
    ['reflect', [0, 2, 1, 0, 1, 2]],
    ['edge', [1, 2, 0, 0, 1, 4]],
  ])('%s %o', async (mode, pads) => {
    const initializers = [int64('pads', ...pads), floats('value', [], [0.5])];
    for (const inputs of ['x pads', 'x pads value'])
      expect(await difference([['Pad', inputs, 'y', { mode }]], { x: sample(2, 3, 4) }, { initializers })).toBe(0);
    expect(await difference([['Pad', 'x', 'y', { mode, pads }]], { x: sample(2, 3, 4) }, { opset: 7 })).toBe(0);
  });

  it('reads the axes of Pad', async () => {
    const initializers = [int64('pads', 2, 1), int64('axes', -1)];
    const node: PlainNode = ['Pad', 'x pads - axes', 'y', { mode: 'edge' }];
    expect(await difference([node], { x: sample(2, 3) }, { opset: 18, initializers })).toBe(0);
  });

  it.each([
    [{ kernel_shape: [3], strides: [2], pads: [1, 1] }, [2, 3, 8]],
    [{ kernel_shape: [2, 2], strides: [2, 2] }, [1, 3, 7, 6]],
    [{ kernel_shape: [2, 3], strides: [1, 2], pads: [1, 1, 0, 1], dilations: [2, 1] }, [1, 3, 7, 6]],
  ])('MaxPool %o', async (attributes, input) =>
    expect(await difference([['MaxPool', 'x', 'y', attributes]], { x: sample(...input) })).toBe(0),
  );
});

describe('recurrent layers in streams', () => {
  const [T, B, I, H] = [4, 2, 3, 5];
  it.each([
    ['LSTM', 4, 'forward', 1],
    ['LSTM', 4, 'reverse', 1],
    ['LSTM', 4, 'bidirectional', 2],
    ['GRU', 3, 'forward', 1],
    ['GRU', 3, 'bidirectional', 2],
  ] as const)('%s of %i gates, %s', async (name, G, direction, D) => {
    const initializers = [weights('w', D, G * H, I), weights('r', D, G * H, H), weights('b', D, 2 * G * H)];
    const attributes = { hidden_size: H, direction, ...(name === 'GRU' ? { linear_before_reset: 1 } : {}) };
    const inputs = { x: sample(T, B, I), h0: sample(D, B, H), ...(name === 'LSTM' ? { c0: sample(D, B, H) } : {}) };
    const outputs = name === 'LSTM' ? 'y h c' : 'y h';
    const states = name === 'LSTM' ? ' h0 c0' : ' h0';
    const node: PlainNode = [name, `x w r b -${states}`, outputs, attributes];
    expect(await difference([node], inputs, { initializers, outputs })).toBeLessThan(3e-6);
    const plain: PlainNode = [name, 'x w r', outputs, attributes];
    expect(await difference([plain], { x: inputs.x }, { initializers, outputs })).toBeLessThan(3e-6);
  });
});

describe('products in streams', () => {
  const initializers = [weights('w', 4, 5), weights('wt', 5, 4), weights('row', 5), weights('rows', 3, 5)];
  initializers.push(weights('one', 1), weights('line', 1, 5), floats('scalar', [], [0.7]), weights('left', 3, 4));
  it.each<[PlainNode]>([
    [['Gemm', 'x w', 'y']],
    [['Gemm', 'x w row', 'y', { alpha: 0.5, beta: 1.5 }]],
    [['Gemm', 'x wt line', 'y', { transB: 1 }]],
    [['Gemm', 'x w rows', 'y', { beta: 0.25 }]],
    [['Gemm', 'x w one', 'y']],
    [['Gemm', 'x w scalar', 'y']],
    [['Gemm', 'z w row', 'y', { transA: 1 }]],
    [['Gemm', 'x v row', 'y']],
    [['Gemm', 'left v', 'y']],
    [['MatMul', 'x w', 'y']],
    [['MatMul', 'batch w', 'y']],
    [['MatMul', 'x v', 'y']],
  ])('%o', async (node) => {
    const all: Readonly<Record<string, Tensor>> = {
      x: sample(3, 4),
      z: sample(4, 3),
      v: sample(4, 5),
      batch: sample(2, 3, 4),
    };
    const inputs = Object.fromEntries(Object.entries(all).filter(([name]) => node[1].split(' ').includes(name)));
    expect(await difference([node], inputs, { initializers })).toBeLessThan(2e-6);
  });
});

describe('other operators in streams', () => {
  const initializers = [
    floats('low', [], [-0.7]),
    floats('two', [], [2]),
    floats('half', [1], [0.5]),
    floats('threes', [5], [3, 3, 2, 1, 3]),
    weights('row', 5),
    weights('column', 4, 1),
    int64('shape', 0, -1),
    int64('axes', 2, 0),
    int64('ids', 3, -1, 0),
    int64('starts', 3, 0),
    int64('ends', -100, 4),
    int64('along', 1, 2),
    int64('steps', -1, 2),
    int64('parts', 1, 3),
    int64('expanded', 3, 1, 4, 1),
  ];
  it.each<[PlainNode[], number?]>([
    [[['Add', 'x row', 'y']]],
    [[['Sub', 'column x', 'y']]],
    [[['Mul', 'x low', 'y']]],
    [[['Div', 'x row', 'y']]],
    [[['Max', 'x low row', 'y']]],
    [[['Min', 'x row', 'y']]],
    [[['Pow', 'x two', 'y']]],
    [[['Pow', 'x threes', 'y']]],
    [
      [
        ['Abs', 'x', 'a'],
        ['Pow', 'a half', 'y'],
      ],
    ],
    [[['Clip', 'x low', 'y']]],
    [[['Clip', 'x low two', 'y']]],
    [[['Clip', 'x', 'y', { min: -0.5001, max: 0.3 }]], 10],
    ...['Abs', 'Exp', 'Neg', 'Reciprocal', 'Sigmoid', 'Tanh', 'Softplus', 'Relu'].map((name): [PlainNode[]] => [
      [[name, 'x', 'y']],
    ]),
    [[['LeakyRelu', 'x', 'y', { alpha: 0.3 }]]],
    [[['Elu', 'x', 'y', { alpha: 0.7 }]]],
    [[['HardSigmoid', 'x', 'y', { alpha: 0.3, beta: 0.4 }]]],
    [[['Softmax', 'x', 'y', { axis: 1 }]]],
    [[['Softmax', 'x', 'y']]],
    [[['Softmax', 'x', 'y']], 11],
    [[['LogSoftmax', 'x', 'y', { axis: 0 }]]],
    [[['Reshape', 'x shape', 'y']]],
    [[['Flatten', 'x', 'y', { axis: 2 }]]],
    [[['Transpose', 'x', 'y', { perm: [2, 0, 1] }]]],
    [[['Gather', 'x ids', 'y', { axis: 1 }]]],
    [[['Slice', 'x starts ends along steps', 'y']]],
    [[['Slice', 'x', 'y', { starts: [1, -2], ends: [3, 100], axes: [1, 2] }]], 7],
    [
      [
        ['Split', 'x parts', 'a b', { axis: 1 }],
        ['Concat', 'b a b', 'y', { axis: -2 }],
      ],
    ],
    [
      [
        ['Unsqueeze', 'x axes', 'u'],
        ['Squeeze', 'u axes', 's'],
        ['Tanh', 's', 'y'],
      ],
    ],
    [
      [
        ['Unsqueeze', 'x', 'u', { axes: [0, 2] }],
        ['Squeeze', 'u', 'y'],
      ],
      11,
    ],
    [
      [
        ['Unsqueeze', 'x axes', 'u'],
        ['ReduceSum', 'u axes', 's', { keepdims: 1 }],
        ['Relu', 's', 'y'],
      ],
    ],
    [
      [
        ['ReduceMax', 'x', 'm', { axes: [1, 2] }],
        ['Expand', 'm expanded', 'y'],
      ],
    ],
    [[['ReduceMax', 'x', 'y', { axes: [2], keepdims: 0 }]]],
    [[['ReduceMin', 'x', 'y', { axes: [0, 2] }]]],
    [[['ReduceMean', 'x', 'y', { axes: [-1, 1] }]]],
    [[['ReduceSum', 'x', 'y']]],
    [[['Identity', 'x', 'y']]],
    [[['Cast', 'x', 'y', { to: 1 }]]],
  ])('%o', async (nodes, opset = 17) =>
    expect(await difference(nodes, { x: sample(2, 4, 5) }, { opset, initializers })).toBeLessThan(2e-6),
  );
});
