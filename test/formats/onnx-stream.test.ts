/** Streams of ONNX networks: states, shared weights, constant inputs, and errors. */

import { full, type IntTensor, intTensor, type Tensor, tensor, useKernels } from 'bptt';
import { importOnnx, importOnnxStream, predictOnnx } from 'bptt/onnx';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeOnnx } from '../../src/formats/onnx/decode';
import type { OnnxTensor } from '../../src/formats/onnx/model';
import { floats, type GraphAttribute, int64, modelOf, type PlainNode } from '../golden/onnx';

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
      'importOnnxStream: Erf "y": the operator is not supported in streams',
    );
    expect(() => importOnnxStream(modelOf([['Relu', 'z', 'y']], [['x', 'float', [2]]], 'y'))).toThrow(
      'Relu "y": "z" is neither an input nor computed by a preceding node',
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
    ['another mode', ['Pad', 'x', 'y', { mode: 'wrap', pads: [0, 0, 0, 0, 0, 0] }], 'mode must be constant, edge'],
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
