/** Streams of ONNX networks: states, shared weights, constant inputs, and errors. */

import {
  advance,
  full,
  gru,
  type IntTensor,
  intTensor,
  lstm,
  recurrent,
  residual,
  sequential,
  stream,
  type Tensor,
  tensor,
  useKernels,
} from 'bptt';
import { exportOnnx, importOnnx, importOnnxStream, predictOnnx } from 'bptt/onnx';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeOnnx } from '../../src/formats/onnx/decode';
import { encodeOnnx } from '../../src/formats/onnx/encode';
import type { OnnxTensor } from '../../src/formats/onnx/model';
import {
  errorOf,
  fileOf,
  floats,
  type GraphAttribute,
  inputOf,
  int64,
  modelOf,
  type PlainNode,
  tensorOf,
} from '../golden/onnx';

afterEach(() => useKernels(undefined));

/** A graph for an attribute. */
const graph = (nodes: readonly PlainNode[], output: string): GraphAttribute => ({
  type: 'graph',
  value: decodeOnnx('test', modelOf(nodes, [], output)).graph,
});

const branches = { then_branch: graph([['Neg', 'x', 'a']], 'a'), else_branch: graph([['Exp', 'x', 'b']], 'b') };

/** y = x + state; the next state is 2 y. */
const accumulator = (next = 'hn', shape: readonly (number | string)[] = [1, 3]): Uint8Array =>
  modelOf(
    [
      ['Add', 'x h', 'y'],
      ['Add', 'y y', next],
    ],
    [
      ['x', 'float', ['batch', 3]],
      ['h', 'float', shape],
    ],
    `y ${next}`,
  );
const single = { shapes: { x: [1, 3] } };

/** A convolution, ReLU and an LSTM with its states. */
function speechModel(): Uint8Array {
  const constants = [
    ['w', 8, 1, 4],
    ['lw', 1, 24, 8],
    ['lr', 1, 24, 6],
    ['lb', 1, 48],
  ] as const;
  const nodes: PlainNode[] = [
    ['Unsqueeze', 'input axes', 'u'],
    ['Conv', 'u w', 'c', { strides: [2] }],
    ['Relu', 'c', 'r'],
    ['Transpose', 'r', 't', { perm: [2, 0, 1] }],
    ['LSTM', 't lw lr lb - h c0', '- hn c0n', { hidden_size: 6 }],
    ['Tanh', 'hn', 'y'],
  ];
  return modelOf(
    nodes,
    [
      ['input', 'float', ['batch', 'samples']],
      ['h', 'float', [1, 'batch', 6]],
      ['c0', 'float', [1, 'batch', 6]],
    ],
    'y hn c0n',
    {
      initializers: [
        int64('axes', 1),
        ...constants.map(([name, ...shape]) => {
          const size = shape.reduce((a: number, b: number) => a * b, 1);
          return floats(
            name,
            shape,
            Array.from({ length: size }, (_, i) => Math.sin(i * 1.7 + size)),
          );
        }),
      ],
    },
  );
}
const frames = { shapes: { input: [1, 16] } };
const frame = (i: number): Float32Array => Float32Array.from({ length: 16 }, (_, j) => Math.cos(i * j + i));

describe('a stream of an ONNX network', () => {
  it.each(['h.next', 'hn', 'hN', 'h_n', 'h_out'])('carries the state from h to %s', (next) => {
    const stream = importOnnxStream(accumulator(next), single);
    expect(stream.inputs).toEqual({ x: [1, 3] });
    expect(stream.outputs).toEqual({ y: [1, 3] });
    const x = tensor([[1, 2, 3]]);
    expect([...stream.step({ x })['y']!.data]).toEqual([1, 2, 3]);
    expect([...stream.step({ x })['y']!.data]).toEqual([3, 6, 9]);
    expect([...stream.state['h']!.data]).toEqual([6, 12, 18]);
    stream.reset();
    expect([...stream.step({ x: Float32Array.of(1, 1, 1) })['y']!.data]).toEqual([1, 1, 1]);
    stream.state = { h: tensor([[10, 20, 30]]) };
    expect([...stream.step({ x })['y']!.data]).toEqual([11, 22, 33]);
  });

  it('continues from the learned initial state of an exported model if it is assigned', () => {
    const options = { hiddenSize: 3, learnInitialState: true };
    const model = sequential([recurrent(lstm(), options), residual([recurrent(gru(), options)])], { inputSize: 2 });
    model.data.forEach((value, i) => {
      model.data[i] = value + 0.3 * Math.sin(i);
    });
    const batchSize = 2;
    const expected = stream(model, { batchSize });
    const running = importOnnxStream(exportOnnx(model, { state: true }), { shapes: { inputs: [1, batchSize, 2] } });
    const { lstm: states, residual: inner } = expected.state!;
    running.state = { 'lstm.h': states!['h']!, 'lstm.c': states!['c']!, 'residual.gru.h': inner!['gru.h']! };
    for (const value of [1, -1, 0.5]) {
      const x = full([batchSize, 2], value);
      const { data } = advance(expected, x);
      running.step({ inputs: x.data })['outputs']!.data.forEach((y, i) => expect(y).toBeCloseTo(data[i]!, 6));
    }
  });

  it('takes declared lengths of 0 and −1 for free ones', () => {
    const file = modelOf([['Neg', 'x', 'y']], [['x', 'float', [0, -1]]], 'y');
    const stream = importOnnxStream(file, { shapes: { x: [1, 2] } });
    expect(stream.step({ x: tensor([[1, 2]]) })['y']).toEqual(tensor([[-1, -2]]));
  });

  it('takes the states by name, and without them all inputs and outputs belong to a step', () => {
    const x = tensor([[1, 2, 3]]);
    const stream = importOnnxStream(accumulator('other'), { ...single, state: { h: 'other' } });
    stream.step({ x });
    expect([...stream.state['h']!.data]).toEqual([2, 4, 6]);
    const stateless = importOnnxStream(accumulator('other'), { ...single, state: {} });
    expect(stateless.state).toEqual({});
    expect(Object.keys(stateless.step({ x, h: x }))).toEqual(['y', 'other']);
  });

  it('reads the state as a copy, and resolves free lengths by their names', () => {
    const stream = importOnnxStream(accumulator('hn', ['batch', 3]), { shapes: { x: [2, 3] } });
    stream.step({ x: full([2, 3], 1) });
    const { state } = stream;
    expect(state['h']!.shape).toEqual([2, 3]);
    state['h']!.data.fill(9);
    expect([...stream.state['h']!.data]).toEqual([2, 2, 2, 2, 2, 2]);
  });

  it('shares weights with its new streams, which have their own state', () => {
    const first = importOnnxStream(speechModel(), frames);
    const second = first.newStream();
    const expected = Array.from({ length: 6 }, (_, i) => first.step({ input: frame(i) })['y']!.data);
    // Steps of one stream between those of another do not change its results.
    const third = first.newStream();
    expected.forEach((data, i) => {
      expect(second.step({ input: frame(i) })['y']!.data).toEqual(data);
      third.step({ input: frame(3 * i + 1) });
    });
    expect(third.state['h']!.data).not.toEqual(second.state['h']!.data);
  });

  it('computes the same with all kernels', () => {
    const results = (['portable', 'simd', undefined] as const).map((name) => {
      useKernels(name);
      const stream = importOnnxStream(speechModel(), frames);
      return Array.from({ length: 4 }, (_, i) => [...stream.step({ input: frame(i) })['y']!.data]).flat();
    });
    for (const result of results)
      result.forEach((value, i) => {
        expect(value).toBeCloseTo(results[0]![i]!, 5);
      });
  });

  it('writes outputs into given tensors', () => {
    const stream = importOnnxStream(accumulator(), single);
    const into = { y: full([1, 3], 0) };
    expect(stream.step({ x: tensor([[1, 2, 3]]) }, into)).toBe(into);
    expect([...into.y.data]).toEqual([1, 2, 3]);
    const y = full([3], 0);
    expect(() => stream.step({ x: into.y }, { y })).toThrow('step: into.y must be [1, 3], got [3].');
    expect(() => stream.step({ x: into.y }, {})).toThrow('step: into.y must be');
  });

  it('computes what importOnnx computes', () => {
    const model = modelOf(
      [
        ['Gemm', 'x w b', 'g'],
        ['Relu', 'g', 'r'],
        ['Softmax', 'r', 'y'],
      ],
      [['x', 'float', [2, 3]]],
      'y',
      {
        initializers: [
          floats(
            'w',
            [3, 4],
            Array.from({ length: 12 }, (_, i) => Math.sin(i)),
          ),
          floats('b', [4], [1, 0, -1, 0.5]),
        ],
      },
    );
    const x = tensor([
      [1, -2, 3],
      [0.5, 0, -1],
    ]);
    const expected = predictOnnx(importOnnx(model), { x })['y']!;
    importOnnxStream(model)
      .step({ x })
      ['y']!.data.forEach((value, i) => {
        expect(value).toBeCloseTo(expected.data[i]!, 6);
      });
  });

  it('converts half precision exactly', () => {
    const half: OnnxTensor = { name: 'w', shape: [3], type: 'float16', data: Uint16Array.of(0x3c01, 0x0001, 0xc500) };
    const model = modelOf([['Mul', 'x w', 'y']], [['x', 'float', [3]]], 'y', { initializers: [half] });
    const { y } = importOnnxStream(model).step({ x: Float32Array.of(1, 1, 1) });
    expect([...y!.data]).toEqual([1 + 2 ** -10, 2 ** -24, -5]);
  });

  it('computes functions of constants without overflow, as those of inputs', () => {
    const nodes: PlainNode[] = [
      ['Softplus', 'w', 'p'],
      ['Add', 'x p', 'y'],
    ];
    const initializers = [floats('w', [3], [-1000, 0, 1000])];
    const running = importOnnxStream(modelOf(nodes, [['x', 'float', [3]]], 'y', { initializers }));
    expect([...running.step({ x: tensor([0, 0, 0]) })['y']!.data]).toEqual([0, Math.fround(Math.LN2), 1000]);
  });
});

describe('the operator tests of ONNX in streams', () => {
  const tests = JSON.parse(new TextDecoder().decode(fileOf('operators.json'))) as Record<
    string,
    { model: string; inputs: string[]; outputs: string[] }
  >;
  const bytesOf = (text: string): Uint8Array => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  // Of other operators, with outputs of integers, inputs of length 0, or batches of matrices as second factors.
  const unsupported = new RegExp(
    `^test_(${[
      'arg|batchnorm|layer_norm.*[^d]$|equal|range|scan|where|reduce_prod|matmul_[34]d|gemm_.*x|if',
      'constantofshape_int|shape|max_int|min_int|pow_types_(int|float$)|reshape_allowzero|split_zero',
    ].join('|')})`,
  );

  /** Runs a test with all inputs constant but the first `variable` ones. */
  const check = (name: string, variable: number): void => {
    const { model, inputs, outputs } = tests[name]!;
    const { graph: tested, opsets, ...rest } = decodeOnnx('test', bytesOf(model));
    const file = encodeOnnx({ ...rest, opsets: { '': Math.max(7, opsets['']!) }, graph: tested });
    const given = inputs.map((text, i) => [tested.inputs[i]!.name, inputOf(tensorOf(bytesOf(text)))] as const);
    const feeds = Object.fromEntries(given.filter(([, { data }], i) => i < variable && data instanceof Float32Array));
    const fixed = Object.fromEntries(given.filter(([each]) => !(each in feeds)));
    const results = importOnnxStream(file, { inputs: fixed, state: {} }).step(feeds as Record<string, Tensor>);
    outputs.forEach((text, i) => {
      const { shape, data } = inputOf(tensorOf(bytesOf(text)));
      expect(errorOf(results[tested.outputs[i]!.name]!, shape, data)).toBeLessThan(1e-5);
    });
  };

  it.each(Object.keys(tests).filter((name) => !unsupported.test(name)))('%s', (name) => {
    for (const variable of [0, 1, 9]) check(name, variable);
  });
});

describe('operators in streams and in importOnnx', () => {
  const wave = (n: number, seed: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(seed + 1.3 * i));
  const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  const constantOf = (name: string, seed: number, ...shape: number[]): OnnxTensor =>
    floats(name, shape, wave(sizeOf(shape), seed));

  /** Runs two steps of a stream, of which the second finds the buffers of the first, and importOnnx. */
  const expectSame = (
    nodes: readonly PlainNode[],
    inputs: Readonly<Record<string, readonly number[]>>,
    initializers: readonly OnnxTensor[],
    { opset = 17, outputs = 'y' } = {},
  ): void => {
    const declared = Object.entries(inputs).map(([name, shape]) => [name, 'float', shape] as const);
    const file = modelOf(nodes, declared, outputs, { opset, initializers });
    const [stream, network] = [importOnnxStream(file, { state: {} }), importOnnx(file)];
    for (const seed of [1, 5]) {
      const given = Object.fromEntries(
        Object.entries(inputs).map(([name, shape], k) => [name, tensor(wave(sizeOf(shape), seed + k), shape)]),
      );
      const [got, expected] = [stream.step(given), predictOnnx(network, given)];
      for (const name of outputs.split(' ')) {
        const { shape, data } = expected[name]!;
        expect(errorOf(got[name]!, shape, data)).toBeLessThan(2e-6);
      }
    }
  };

  it.each<[NonNullable<PlainNode[3]>, number[], number[]]>([
    [{}, [2, 3, 9], [4, 3, 3]],
    [{ pads: [1, 2], strides: [2], kernel_shape: [3] }, [1, 3, 9], [4, 3, 3]],
    [{ dilations: [2], pads: [2, 2] }, [2, 3, 9], [5, 3, 3]],
    [{ strides: [3] }, [1, 2, 12], [4, 2, 3]],
    [{ group: 6, pads: [2, 2] }, [2, 6, 9], [6, 1, 5]],
    [{ group: 6 }, [2, 6, 9], [12, 1, 2]],
    [{ group: 3, strides: [2], dilations: [2] }, [2, 6, 9], [9, 2, 2]],
    [{ auto_pad: 'SAME_UPPER', strides: [2] }, [1, 2, 8], [4, 2, 3]],
    [{ auto_pad: 'VALID' }, [1, 2, 8], [4, 2, 1]],
  ])('Conv %o', (attributes, input, weight) => {
    const initializers = [constantOf('w', 2, ...weight), constantOf('b', 3, weight[0]!)];
    expectSame([['Conv', 'x w b', 'y', attributes]], { x: input }, initializers);
    const chain: PlainNode[] = [
      ['Conv', 'x w', 'a', attributes],
      ['Transpose', 'a', 't', { perm: [1, 0, 2] }],
      ['Add', 't row', 'y'],
    ];
    expectSame(chain, { x: input }, [initializers[0]!, constantOf('row', 4, 1)]);
  });

  const runOnce = (node: PlainNode, x: Tensor, initializers: readonly OnnxTensor[] = [], opset = 17): Tensor => {
    const file = modelOf([node], [['x', 'float', x.shape]], 'y', { opset, initializers });
    return importOnnxStream(file).step({ x })['y']!;
  };

  it('Conv over two axes, and padding that puts the odd element in front', () => {
    const [H, W] = [4, 5];
    const x = tensor(wave(2 * H * W, 1), [1, 2, H, W]);
    const w = constantOf('w', 2, 3, 2, 3, 2);
    const at = (c: number, i: number, j: number): number =>
      i < 0 || j < 0 || i >= H || j >= W ? 0 : x.data[(c * H + i) * W + j]!;
    const expected: number[] = [];
    // The output of strides [2, 1], dilations [1, 2] and pads [1, 0, 2, 1].
    for (let n = 0; n < 3; n++)
      for (let i = 0; i < 3; i++)
        for (let j = 0; j < 4; j++) {
          let total = 0;
          for (let c = 0; c < 2; c++)
            for (let k = 0; k < 3; k++)
              for (let l = 0; l < 2; l++)
                total += at(c, 2 * i + k - 1, j + 2 * l) * Number(w.data[((n * 2 + c) * 3 + k) * 2 + l]);
          expected.push(total);
        }
    const attributes = { strides: [2, 1], dilations: [1, 2], pads: [1, 0, 2, 1] };
    expect(errorOf(runOnce(['Conv', 'x w', 'y', attributes], x, [w]), [1, 3, 3, 4], expected)).toBeLessThan(1e-6);
    const two = [floats('w', [1, 1, 2], [1, 10])];
    const row = tensor([[[1, 2, 3]]]);
    const outputs = ['SAME_UPPER', 'SAME_LOWER'].map((auto_pad) => [
      ...runOnce(['Conv', 'x w', 'y', { auto_pad }], row, two).data,
    ]);
    expect(outputs).toEqual([
      [21, 32, 3],
      [10, 21, 32],
    ]);
    const wrong = [...two, floats('b', [2], [1, 1])];
    expect(() => runOnce(['Conv', 'x w b', 'y'], row, wrong)).toThrow('the bias must have 1 elements, got 2');
    expect(() => runOnce(['Conv', 'x w', 'y', { strides: [0] }], row, two)).toThrow('strides must be 1 integers');
  });

  it('MaxPool with padding of negative elements', () => {
    const x = tensor([[[-4, -2, -3, -5]]]);
    const attributes = { kernel_shape: [2], pads: [1, 1], strides: [2] };
    expect([...runOnce(['MaxPool', 'x', 'y', attributes], x).data]).toEqual([-4, -2, -5]);
  });

  it('Pad with constants, reflections, edges, negative pads and axes', () => {
    const x = tensor([[1, 2, 3]]);
    const padded = (mode: string, ...pads: number[]): number[] => [
      ...runOnce(['Pad', 'x', 'y', { mode, pads: [0, pads[0]!, 0, pads[1]!] }], x, [], 7).data,
    ];
    expect(padded('constant', 1, 2)).toEqual([0, 1, 2, 3, 0, 0]);
    expect(padded('constant', -1, 1)).toEqual([2, 3, 0]);
    expect(padded('constant', 1, -2)).toEqual([0, 1]);
    const rows = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const cropped = runOnce(['Pad', 'x', 'y', { pads: [0, 1, 0, -2] }], rows, [], 7);
    expect([...cropped.data]).toEqual([0, 1, 0, 4]);
    expect(padded('edge', 2, 1)).toEqual([1, 1, 1, 2, 3, 3]);
    expect(padded('reflect', 2, 2)).toEqual([3, 2, 1, 2, 3, 2, 1]);
    expect(() => padded('reflect', 3, 0)).toThrow('the axis 1 of length 3 is too short to reflect 3 elements');
    const inputs = [int64('pads', 1, 1), floats('value', [], [7]), int64('axes', -1)];
    expect([...runOnce(['Pad', 'x pads value axes', 'y'], x, inputs, 18).data]).toEqual([7, 1, 2, 3, 7]);
    for (const mode of ['constant', 'edge', 'reflect', 'wrap']) expect(padded(mode, 0, 0)).toEqual([1, 2, 3]);
    expect(() => runOnce(['Pad', 'x', 'y', { pads: [0, 0] }], x, [], 7)).toThrow('pads must have length 4, got 2');
  });

  it.each<[string, NonNullable<PlainNode[3]>, string]>([
    ['LSTM', {}, 'h c'],
    ['LSTM', { direction: 'reverse' }, 'h c'],
    ['LSTM', { direction: 'bidirectional' }, 'h c'],
    ['GRU', { linear_before_reset: 1 }, 'h'],
    ['GRU', { linear_before_reset: 1, direction: 'bidirectional' }, 'h'],
  ])('%s %o', (opType, attributes, states) => {
    const [T, B, I, H] = [4, 2, 3, 2];
    const G = opType === 'LSTM' ? 4 : 3;
    const D = attributes['direction'] === 'bidirectional' ? 2 : 1;
    const initializers = [
      constantOf('w', 2, D, G * H, I),
      constantOf('r', 3, D, G * H, H),
      constantOf('b', 4, D, 2 * G * H),
    ];
    const node = (inputs: string): PlainNode => [
      opType,
      inputs,
      `y ${states.replace(/\w/g, '$&n')}`,
      { hidden_size: H, ...attributes },
    ];
    const outputs = `y ${states.replace(/\w/g, '$&n')}`;
    const given = Object.fromEntries(states.split(' ').map((name) => [name, [D, B, H]]));
    expectSame([node(`x w r b - ${states}`)], { x: [T, B, I], ...given }, initializers, { outputs });
    expectSame([node('x w r')], { x: [T, B, I] }, initializers.slice(0, 2), { outputs });
    expect(() =>
      runOnce([opType, 'x w r b n', 'y', attributes], full([T, B, I], 1), [...initializers, int64('n', 4, 2)]),
    ).toThrow('sequence_lens is not supported in streams. Use importOnnx');
    if (opType === 'GRU')
      expect(() =>
        runOnce([opType, 'x w r b', 'y', { ...attributes, linear_before_reset: 0 }], full([T, B, I], 1), initializers),
      ).toThrow('linear_before_reset = 0 is not supported in streams');
  });

  it('attributes of old and new opsets, some without effect', () => {
    const x = tensor([1, 2, 3, 4]);
    expect([...runOnce(['Slice', 'x', 'y', { starts: [1], ends: [3] }], x, [], 9).data]).toEqual([2, 3]);
    const pooled = runOnce(['MaxPool', 'x', 'y', { kernel_shape: [2], storage_order: 1 }], tensor([[[1, 3, 2]]]));
    expect([...pooled.data]).toEqual([3, 3]);
    expect(runOnce(['Cast', 'x', 'y', { to: 1, saturate: 1 }], x, [], 19)).toEqual(x);
    const nodes: PlainNode[] = [
      ['Shape', 'x', 's', { start: 1, end: 3 }],
      ['Cast', 's', 'y', { to: 1 }],
    ];
    const stream = importOnnxStream(modelOf(nodes, [['x', 'float', [2, 3, 4, 5]]], 'y'));
    expect(stream.step({ x: full([2, 3, 4, 5], 0) })['y']).toEqual(tensor([3, 4]));
  });

  it('indices out of range and operators of other domains are rejected', () => {
    for (const id of [3, -4])
      expect(() => runOnce(['Gather', 'x ids', 'y'], tensor([1, 2, 3]), [int64('ids', 0, id)])).toThrow(
        `Gather "y": indices must be from -3 to 2, got ${id}`,
      );
    const file = modelOf([['custom.Relu', 'x', 'y']], [['x', 'float', [2]]], 'y', { domains: { custom: 1 } });
    expect(() => importOnnxStream(file)).toThrow('the operator is not supported in streams');
  });

  it.each<[string, NonNullable<PlainNode[3]>, string?]>([
    ['the activations sigmoid, tanh, relu', { activations: ['Sigmoid', 'Tanh', 'Relu'] }],
    ['clip', { clip: 0.5 }],
    ['input_forget', { input_forget: 1 }],
    ['layout = 1', { layout: 1 }],
    ['a peephole', {}, ' - - - p'],
  ])('LSTM with %s is rejected', (what, attributes, more = '') => {
    const shapes: [string, number[]][] = [
      ['w', [1, 8, 3]],
      ['r', [1, 8, 2]],
      ['b', [1, 16]],
      ['p', [1, 6]],
    ];
    const initializers = shapes.map(([name, shape], seed) => constantOf(name, seed, ...shape));
    const node: PlainNode = ['LSTM', `x w r b${more}`, 'y', { hidden_size: 2, ...attributes }];
    expect(() => runOnce(node, full([4, 2, 3], 1), initializers)).toThrow(
      `LSTM "y": ${what} is not supported in streams. Use importOnnx`,
    );
  });

  it('products, powers, reductions and gathered slices of several shapes and opsets', () => {
    const x = { x: [3, 4] };
    const constants = [
      constantOf('w', 2, 4, 2),
      constantOf('row', 3, 2),
      constantOf('column', 4, 3, 1),
      constantOf('matrix', 5, 3, 2),
      floats('root', [], [0.5]),
      floats('quarter', [], [0.25]),
      int64('ids', -1, 0),
      int64('last', -1),
    ];
    const using = (...names: string[]): OnnxTensor[] => constants.filter(({ name }) => names.includes(name));
    for (const c of ['row', 'column', 'matrix'])
      expectSame([['Gemm', `x w ${c}`, 'y', { alpha: 0.3, beta: 1.7 }]], x, using('w', c));
    for (const exponent of ['root', 'quarter']) {
      const nodes: PlainNode[] = [
        ['Abs', 'x', 'a'],
        ['Pow', `a ${exponent}`, 'y'],
      ];
      expectSame(nodes, x, using(exponent));
    }
    expectSame([['Gather', 'x ids', 'y', { axis: 1 }]], x, using('ids'));
    expectSame([['Gather', 'x last', 'y', { axis: 1 }]], x, using('last'));
    expectSame([['ReduceMean', 'x', 'y', { axes: [1] }]], x, []);
    expectSame([['ReduceSum', 'x last', 'y', { noop_with_empty_axes: 1 }]], x, using('last'));
    expectSame([['Softmax', 'x', 'y']], { x: [2, 2, 2] }, [], { opset: 12 });
    expectSame([['Softmax', 'x', 'y']], { x: [2, 2, 2] }, [], { opset: 13 });
    expectSame([['Split', 'x', 'a b y', { axis: 1, num_outputs: 3 }]], x, [], { opset: 18, outputs: 'a b y' });
    expectSame([['Squeeze', 'x', 'y', { axes: [0, 2] }]], { x: [1, 3, 1, 2] }, [], { opset: 11 });
    expectSame([['Clip', 'x root', 'y']], x, using('root'), { opset: 11 });
  });

  it('integers: division toward zero, and casts to booleans', () => {
    const nodes: PlainNode[] = [
      ['Div', 'k two', 'd'],
      ['Cast', 'd', 'b', { to: 9 }],
      ['Not', 'b', 'n'],
      ['Cast', 'd', 'df', { to: 1 }],
      ['Cast', 'b', 'bf', { to: 1 }],
      ['Cast', 'n', 'nf', { to: 1 }],
      ['Concat', 'df bf nf', 'all', { axis: 0 }],
      ['Add', 'x all', 'y'],
    ];
    const initializers = [int64('k', -7, 1), int64('two', 2)];
    const file = modelOf(nodes, [['x', 'float', [6]]], 'y', { initializers });
    expect([...importOnnxStream(file).step({ x: new Float32Array(6) })['y']!.data]).toEqual([-3, 0, 1, 0, 0, 1]);
  });
});

describe('If in a stream', () => {
  const rate: OnnxTensor = { name: 'rate', shape: [], type: 'int64', data: BigInt64Array.of(16_000n) };
  const model = (inputShape: readonly number[] = []): Uint8Array =>
    modelOf(
      [
        ['Equal', 'sr rate', 'e'],
        ['If', 'e', 'y', branches],
      ],
      [
        ['x', 'float', [2]],
        ['sr', 'int64', inputShape],
      ],
      'y',
      { initializers: [rate] },
    );
  const x = Float32Array.of(1, 2);

  it.each<[number | IntTensor, number]>([
    [16_000, -1],
    [8000, Math.fround(Math.E)],
    [intTensor([16_000], []), -1],
  ])('is decided by the constant input %o', (sr, expected) =>
    expect(importOnnxStream(model(), { inputs: { sr } }).step({ x })['y']!.data[0]).toBeCloseTo(expected, 6),
  );

  it('is decided by shapes', () => {
    const nodes: PlainNode[] = [
      ['Shape', 'x', 's'],
      ['Gather', 's last', 'n', { axis: 0 }],
      ['Equal', 'n two', 'e'],
      ['If', 'e', 'y', branches],
    ];
    const initializers = [int64('last', -1), int64('two', 2)];
    const file = modelOf(nodes, [['x', 'float', ['n']]], 'y', { initializers });
    expect(importOnnxStream(file, { shapes: { x: [2] } }).step({ x })['y']!.data[1]).toBe(-2);
    const longer = importOnnxStream(file, { shapes: { x: [3] } });
    expect(longer.step({ x: Float32Array.of(0, 0, 0) })['y']!.data[2]).toBe(1);
  });

  it('plans only the branch that runs', () => {
    const else_branch = graph([['NoSuchOperator', 'x', 'b']], 'b');
    const file = modelOf([['If', 'yes', 'y', { ...branches, else_branch }]], [['x', 'float', [2]]], 'y', {
      initializers: [{ name: 'yes', shape: [], type: 'bool', data: Uint8Array.of(1) }],
    });
    expect(importOnnxStream(file).step({ x })['y']!.data[0]).toBe(-1);
  });

  it('decodes only the branch that runs', () => {
    const malformed: GraphAttribute = {
      type: 'graph',
      value: { ...graph([['Identity', 'w', 'b']], 'b').value, initializers: [floats('w', [3], [])] },
    };
    const fileFor = (condition: number): Uint8Array =>
      modelOf([['If', 'yes', 'y', { ...branches, else_branch: malformed }]], [['x', 'float', [2]]], 'y', {
        initializers: [{ name: 'yes', shape: [], type: 'bool', data: Uint8Array.of(condition) }],
      });
    expect(importOnnxStream(fileFor(1)).step({ x })['y']!.data[0]).toBe(-1);
    const message = 'initializer 0 "w" has the shape [3], but 0 elements';
    expect(() => importOnnxStream(fileFor(0))).toThrow(RangeError);
    expect(() => importOnnxStream(fileFor(0))).toThrow(message);
    // The parameters of a model are in both branches.
    expect(() => importOnnx(fileFor(1))).toThrow(message);
  });

  it('is rejected by name if the inputs of a step decide it', () => {
    const nodes: PlainNode[] = [
      ['ReduceMax', 'x', 'm', { keepdims: 0 }],
      ['Greater', 'm zero', 'g'],
      ['Not', 'g', 'n'],
      ['Cast', 'n', 'k', { to: 9 }],
      ['If', 'k', 'y', branches],
    ];
    const initializers = [floats('zero', [], [0])];
    expect(() => importOnnxStream(modelOf(nodes, [['x', 'float', [2]]], 'y', { initializers }))).toThrow(
      'importOnnxStream: If "y": the condition, which Greater "g" computes, depends on the inputs of a step.',
    );
  });
});

describe('large integers are clamped to 32 bits, as by importOnnx', () => {
  const largest: OnnxTensor = { name: 'large', shape: [1], type: 'int64', data: BigInt64Array.of(2n ** 63n - 1n) };
  const smallest: OnnxTensor = { name: 'small', shape: [1], type: 'int64', data: BigInt64Array.of(-(2n ** 63n)) };
  const initializers = [largest, smallest, int64('one', 1), int64('two', 2)];
  const x = tensor([1, 2, 3]);
  it.each<[string, PlainNode[]]>([
    ['value_ints of Constant', [['Constant', '', 'end', { value_ints: [2 ** 63] }]]],
    [
      'value_int of Constant',
      [
        ['Constant', '', 'scalar', { value_int: 2 ** 63 }],
        ['Reshape', 'scalar one', 'end'],
      ],
    ],
    [
      'a cast of a float',
      [
        ['Constant', '', 'float', { value_floats: { floats: [3e9] } }],
        ['Cast', 'float', 'end', { to: 7 }],
      ],
    ],
    ['a sum', [['Add', 'large one', 'end']]],
    ['a product', [['Mul', 'large two', 'end']]],
    ['the negative of the smallest integer', [['Neg', 'small', 'end']]],
  ])('%s', (_, nodes) => {
    const file = modelOf([...nodes, ['Slice', 'x one end', 'y']], [['x', 'float', [3]]], 'y', { initializers });
    expect(predictOnnx(importOnnx(file), { x })['y']).toEqual(tensor([2, 3]));
    expect(importOnnxStream(file).step({ x })['y']).toEqual(tensor([2, 3]));
  });
});

describe('errors of streams', () => {
  const stream = importOnnxStream(accumulator(), single);
  const x = full([1, 3], 1);

  it('names frames of another size, and inputs that are missing or unknown', () => {
    expect(() => stream.step({ x: new Float32Array(4) })).toThrow(
      'step: the input x must be a tensor [1, 3] or a Float32Array of 3 elements, got 4 elements. The stream was',
    );
    expect(() => stream.step({ x: full([3], 1) })).toThrow('got [3]');
    expect(() => stream.step({})).toThrow(TypeError);
    expect(() => stream.step({})).toThrow('step: the input x must be');
    expect(() => stream.step({ x, h: x })).toThrow('step: the stream has no input h. Its inputs are: x. States are');
    // @ts-expect-error An array is not a tensor.
    expect(() => stream.step({ x: [1, 2, 3] })).toThrow(TypeError);
    // @ts-expect-error The inputs are missing.
    expect(() => stream.step()).toThrow('step: inputs must be an object, got undefined.');
  });

  it('names states of another shape and leaves the state unchanged', () => {
    const before = stream.state;
    const assign = (state: Readonly<Record<string, Tensor>>) => () => {
      stream.state = state;
    };
    expect(assign({ h: full([2, 3], 1) })).toThrow('importOnnxStream: state.h must be [1, 3], got [2, 3].');
    expect(assign({ c: x })).toThrow('importOnnxStream: state must have only h, got c.');
    expect(stream.state).toEqual(before);
    expect(() => importOnnxStream(accumulator('hn', ['n', 3]), { shapes: { x: [2, 3] } })).toThrow(
      'importOnnxStream: the state h has the shape [1, 3], but its next value hn has [2, 3]. Pass the shape',
    );
  });

  it.each<[string, unknown, string]>([
    ['shapes', { shapes: { x: [1, 4] } }, 'shapes.x must be [batch, 3] = [*, 3], got [1, 4].'],
    ['lengths', { shapes: { x: [0, 3] } }, 'shapes.x must be an array of integers of at least 1'],
    ['free lengths', {}, 'the shape of the input x is [batch, 3]. Pass its lengths: shapes: { x: [..] }.'],
    ['inputs', { inputs: { sr: 1 } }, 'inputs has sr. The inputs of the model are: x, h.'],
    ['kinds', { ...single, inputs: { h: intTensor([1]) } }, 'inputs.h must be a number or a tensor'],
    ['constant shapes', { ...single, inputs: { h: full([2, 3], 0) } }, 'inputs.h must be [1, 3] = [1, 3], got [2, 3].'],
    ['outputs', { ...single, state: { h: 'z' } }, 'state has z. The outputs of the model are: y, hn.'],
    ['options', { frame: 3 }, 'options must have only inputs, shapes, state, externalData, got frame.'],
  ])('names wrong %s', (_, options, message) =>
    expect(() => importOnnxStream(accumulator(), options as object)).toThrow(`importOnnxStream: ${message}`),
  );

  it('names integer inputs, wrong sample rates and operators that are not supported', () => {
    const declared = [
      ['x', 'float', [2]],
      ['sr', 'int64', []],
    ] as const;
    const model = modelOf([['Relu', 'x', 'y']], declared, 'y');
    expect(() => importOnnxStream(model)).toThrow(
      'importOnnxStream: the input sr is not of floats. Pass its value: inputs: { sr: … }.',
    );
    for (const sr of [16_000.5, NaN])
      expect(() => importOnnxStream(model, { inputs: { sr } })).toThrow('inputs.sr must be an integer, got');
    expect(() => importOnnxStream(model, { inputs: { sr: tensor([1]) } })).toThrow('inputs.sr must be an integer or');
    expect(() => importOnnxStream(modelOf([['Erf', 'x', 'y']], [['x', 'float', [2]]], 'y'))).toThrow(
      /^importOnnxStream: Erf "y": the operator is not supported in streams$/,
    );
    expect(() => importOnnxStream(modelOf([['Relu', 'z', 'y']], [['x', 'float', [2]]], 'y'))).toThrow(
      'Relu "y": "z" is neither an input nor computed by a preceding node',
    );
  });

  it('names the kind of a sample rate that only looks like a number', () => {
    const model = modelOf(
      [['Relu', 'x', 'y']],
      [
        ['x', 'float', [2]],
        ['sr', 'int64', []],
      ],
      'y',
    );
    const message = 'importOnnxStream: inputs.sr must be an integer or an int tensor, got the';
    // @ts-expect-error The rate is not a number.
    expect(() => importOnnxStream(model, { inputs: { sr: '16000' } })).toThrow(`${message} string 16000.`);
    // @ts-expect-error The rate is not a number.
    expect(() => importOnnxStream(model, { inputs: { sr: 16_000n } })).toThrow(`${message} bigint 16000.`);
  });

  it('names the inputs of a stream if a frame, a state or a constant does not fit a node', () => {
    expect(() => importOnnxStream(speechModel(), { shapes: { input: [1, 3] } })).toThrow(
      'importOnnxStream: Conv "c": the input of length 3 is shorter than the window 4. ' +
        'The inputs of the stream are: input [1, 3], h [1, 1, 6], c0 [1, 1, 6].',
    );
    expect(() => importOnnxStream(speechModel(), { shapes: { input: [1, 16], h: [1, 2, 6] } })).toThrow(
      ': the initial state (input 5) must have the shape [1, 1, 6], got [1, 2, 6]. The inputs',
    );
    const declared = [
      ['x', 'float', [1, 2]],
      ['lengths', 'int64', [2]],
    ] as const;
    const reshaped = modelOf(
      [
        ['Reshape', 'x lengths', 'r'],
        ['LSTM', 'r w w', 'y'],
      ],
      declared,
      'y',
      {
        initializers: [floats('w', [1, 8, 2], new Array<number>(16).fill(0.1))],
      },
    );
    expect(() => importOnnxStream(reshaped, { inputs: { lengths: intTensor([2, 1]) } })).toThrow(
      'LSTM "y": the input must have three axes, [T, B, I], got [2, 1]. ' +
        'The inputs of the stream are: x [1, 2], lengths = a constant [2].',
    );
  });

  it('names weights of an LSTM whose shapes differ', () => {
    const lstm = (biases: number): Uint8Array => {
      const shapes = { w: [1, 8, 1], r: [1, 8, 2], b: [1, biases] };
      const initializers = Object.entries(shapes).map(([name, shape]) => {
        const size = shape.reduce((a, b) => a * b);
        return floats(name, shape, new Array<number>(size).fill(0.1));
      });
      const inputs = [['x', 'float', [1, 1, 1]]] as const;
      return modelOf([['LSTM', 'x w r b', 'y', { hidden_size: 2 }]], inputs, 'y', { initializers });
    };
    expect([...importOnnxStream(lstm(16)).step({ x: full([1, 1, 1], 1) })['y']!.data].every(Number.isFinite)).toBe(
      true,
    );
    expect(() => importOnnxStream(lstm(8))).toThrow('LSTM "y": B must have the shape [1, 16], got [1, 8]');
  });

  it.each<[string, PlainNode, string]>([
    ['a permutation of other axes', ['Transpose', 'x', 'y', { perm: [0, 1] }], 'of [0, 1, 2], got [0, 1]'],
    ['a short frame', ['Conv', 'x w', 'y'], 'Conv "y": the input of length 2 is shorter than the window 3'],
    ['a short reflection', ['Pad', 'x', 'y', { mode: 'reflect', pads: [0, 0, 2, 0, 0, 0] }], 'too short to reflect 2'],
    ['another mode', ['Pad', 'x', 'y', { mode: 'wrap', pads: [0, 0, 1, 0, 0, 0] }], 'mode must be constant, edge'],
    ['another attribute', ['Relu', 'x', 'y', { slope: 1 }], 'Relu "y": the attribute slope is not supported'],
    ['other groups', ['Conv', 'x w', 'y', { group: 2 }], 'the weight [4, 1, 3] in 2 groups does not fit the input'],
  ])('names %s', (_, node, message) => {
    const initializers = [floats('w', [4, 1, 3], new Array<number>(12).fill(1))];
    const file = modelOf([node], [['x', 'float', [1, 1, 2]]], 'y', { opset: 7, initializers });
    expect(() => importOnnxStream(file)).toThrow(message);
  });

  it('limits the elements that a small file can request', () => {
    const file = modelOf([['Expand', 'x big', 'y']], [['x', 'float', [1]]], 'y', {
      initializers: [int64('big', 100_000, 100_000)],
    });
    expect(() => importOnnxStream(file)).toThrow('the results of all nodes must have at most');
  });
});
