/** The non-recurrent ONNX operators: the tests of ONNX itself, and cases that those leave out. */

import { type IntTensor, sum, type Tensor, tensor, valueAndGradient } from 'bptt';
import { importOnnx, predictOnnx, runOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import { decodeOnnx } from '../../src/formats/onnx/decode';
import { encodeOnnx } from '../../src/formats/onnx/encode';
import { errorOf, fileOf, floats, inputOf, int64, modelOf, type PlainNode, tensorOf } from '../golden/onnx';

describe('the operator tests of ONNX', () => {
  const tests = Object.entries(
    JSON.parse(new TextDecoder().decode(fileOf('operators.json'))) as Record<
      string,
      { model: string; inputs: string[]; outputs: string[] }
    >,
  );
  const bytesOf = (text: string): Uint8Array => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

  it('there are 268 tests', () => expect(tests).toHaveLength(268));

  it.each(tests)('%s', (_, { model, inputs, outputs }) => {
    const { graph, opsets, ...rest } = decodeOnnx('test', bytesOf(model));
    // LayerNormalization also outputs the mean and deviation, which are not supported. Softplus has not changed since
    // opset 1, which is too old for importOnnx.
    const tested = graph.nodes[0]!.opType === 'LayerNormalization' ? graph.outputs.slice(0, 1) : graph.outputs;
    const network = importOnnx(
      encodeOnnx({ ...rest, opsets: { '': Math.max(7, opsets['']!) }, graph: { ...graph, outputs: tested } }),
    );
    const feeds = Object.fromEntries(
      inputs.map((text, i) => [network.inputs[i]!.name, inputOf(tensorOf(bytesOf(text)))]),
    );
    const results = predictOnnx(network, feeds);
    outputs.slice(0, network.outputs.length).forEach((text, i) => {
      const { shape, data } = inputOf(tensorOf(bytesOf(text)));
      expect(errorOf(results[network.outputs[i]!.name]!, shape, data)).toBeLessThan(1e-5);
    });
  });
});

const x: IntTensor = { shape: [2, 3, 4], data: Int32Array.from({ length: 24 }, (_, i) => (i * 7) % 24) };

describe('integers move like floats', () => {
  const cases: [string, PlainNode[]][] = [
    ['Transpose', [['Transpose', 'x', 'y', { perm: [2, 0, 1] }]]],
    ['Transpose with reversed axes', [['Transpose', 'x', 'y']]],
    ['Slice with steps, negative bounds and bounds past the end', [['Slice', 'x from to axes steps', 'y']]],
    ['Gather along the first axis', [['Gather', 'x ids', 'y']]],
    ['Gather along another axis', [['Gather', 'x ids', 'y', { axis: 1 }]]],
    ['Gather along the last axis', [['Gather', 'x ids', 'y', { axis: -1 }]]],
    ['Gather with a single index', [['Gather', 'x one', 'y', { axis: 2 }]]],
    ['Concat', [['Concat', 'x x x', 'y', { axis: 1 }]]],
    [
      'Expand',
      [
        ['Unsqueeze', 'x axes', 'wide'],
        ['Expand', 'wide shape', 'y'],
      ],
    ],
    ['Reshape', [['Reshape', 'x to3', 'y']]],
    ['Flatten', [['Flatten', 'x', 'y', { axis: 2 }]]],
    ['Shape', [['Shape', 'x', 'y', { start: -2 }]]],
    [
      'Where',
      [
        ['Gather', 'x one', 'rows'],
        ['Where', 'mask x rows', 'y'],
      ],
    ],
    [
      'Sub with broadcasting',
      [
        ['Gather', 'x one', 'rows'],
        ['Sub', 'x rows', 'y'],
      ],
    ],
  ];
  const constants = [
    { name: 'mask', shape: [3, 1], type: 'bool', data: Uint8Array.of(1, 0, 1) } as const,
    int64('from', -1, 0, 5),
    int64('to', -9, 2 ** 62, 1),
    int64('axes', 2, 0, 1),
    int64('steps', -2, 1, -1),
    int64('shape', 5, 1, 1, 2, 3, 4),
    int64('to3', 4, 0, -1),
  ];
  const ids = { name: 'ids', shape: [2, 2], type: 'int64', data: BigInt64Array.of(1n, -1n, 0n, 1n) } as const;
  const one = { name: 'one', shape: [], type: 'int64', data: BigInt64Array.of(-2n) } as const;

  it.each(cases)('%s', (_, nodes) => {
    const initializers = [
      ...constants.map((constant) =>
        constant.name === 'axes' && nodes.some(([name]) => name === 'Unsqueeze') ? int64('axes', 0, 1, 2) : constant,
      ),
      ids,
      one,
    ];
    const asFloats = nodes.map(
      ([name, inputs, ...rest]): PlainNode => [name, inputs.replaceAll(/\bx\b/g, 'f'), ...rest],
    );
    const int = predictOnnx(importOnnx(modelOf(nodes, [['x', 'int64']], 'y', { initializers })), { x });
    const float = predictOnnx(
      importOnnx(modelOf([['Cast', 'x', 'f', { to: 1 }], ...asFloats], [['x', 'int64']], 'y', { initializers })),
      { x },
    );
    expect(int['y']).toEqual(float['y']);
    expect(int['y']!.data.length).toBeGreaterThan(1);
  });
});

const run = (
  nodes: PlainNode[],
  inputs: Record<string, Tensor | IntTensor>,
  options?: Parameters<typeof modelOf>[3],
): Tensor =>
  predictOnnx(
    importOnnx(
      modelOf(
        nodes,
        Object.entries(inputs).map(([name, { data }]) => [name, data instanceof Int32Array ? 'int64' : 'float']),
        'y',
        options,
      ),
    ),
    inputs,
  )['y']!;

it('old opsets: Softmax over all axes from its axis on, and axes of Squeeze, Unsqueeze and Slice as attributes', () => {
  const a = tensor([
    [
      [0, 0],
      [0, 0],
    ],
    [
      [1, 1],
      [1, 1],
    ],
    [
      [0, 0],
      [0, 5],
    ],
  ]);
  expect(run([['Softmax', 'x', 'y']], { x: a }, { opset: 12 }).data.slice(0, 8)).toEqual(
    new Float32Array(8).fill(0.25),
  );
  expect(run([['Softmax', 'x', 'y']], { x: a }, { opset: 13 }).data.slice(0, 8)).toEqual(new Float32Array(8).fill(0.5));
  expect(
    run(
      [
        ['Unsqueeze', 'x', 'u', { axes: [0, -1] }],
        ['Squeeze', 'u', 'y', { axes: [0] }],
      ],
      { x: a },
      { opset: 11 },
    ).shape,
  ).toEqual([3, 2, 2, 1]);
  expect(
    run(
      [
        ['Unsqueeze', 'x', 'u', { axes: [0, 1] }],
        ['Squeeze', 'u', 'y'],
      ],
      { x: a },
      { opset: 11 },
    ).shape,
  ).toEqual([3, 2, 2]);
  expect([
    ...run([['Slice', 'x', 'y', { starts: [1, -1], ends: [2, 2 ** 63], axes: [0, 2] }]], { x: a }, { opset: 9 }).data,
  ]).toEqual([1, 1]);
});

it('an empty name of a last input equals an absent input', () => {
  const scalar = (value: number): IntTensor => ({ shape: [], data: Int32Array.of(value) });
  const inputs = { a: scalar(2), b: scalar(8), c: scalar(3) };
  expect(run([['Range', 'a b c - -', 'y']], inputs).data).toEqual(Float32Array.of(2, 5));
});

it('products of vectors, of broadcast batches, and with biases of every shape', () => {
  const ramp = (...shape: number[]): Tensor => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((n, length) => n * length, 1) }, (_, i) => i + 1),
  });
  expect(run([['MatMul', 'a b', 'y']], { a: ramp(3), b: ramp(3) })).toEqual({ shape: [], data: Float32Array.of(14) });
  expect(run([['MatMul', 'a b', 'y']], { a: ramp(2, 3), b: ramp(3) })).toEqual(tensor([14, 32]));
  expect(run([['MatMul', 'a b', 'y']], { a: ramp(2), b: ramp(2, 3) })).toEqual(tensor([9, 12, 15]));
  expect(run([['MatMul', 'a b', 'y']], { a: ramp(2), b: ramp(2, 2, 1) })).toEqual(tensor([[5], [11]]));
  expect(run([['MatMul', 'a b', 'y']], { a: ramp(2, 1, 1, 2), b: ramp(3, 2, 1) })).toEqual(
    tensor([
      [[[5]], [[11]], [[17]]],
      [[[11]], [[25]], [[39]]],
    ]),
  );
  expect(run([['MatMul', 'a b', 'y']], { a: ramp(1, 2), b: ramp(1, 2, 1) })).toEqual(tensor([[[5]]]));
  expect(
    run([['Gemm', 'a b c', 'y', { transA: 1, alpha: 2 ** -1, beta: 3 / 2 }]], {
      a: ramp(2, 1),
      b: ramp(2, 1),
      c: ramp(1, 1),
    }),
  ).toEqual(tensor([[4]]));
  // A bias per column, with and without factors.
  const gemm = (attributes: NonNullable<PlainNode[3]>): Tensor =>
    run([['Gemm', 'a b c', 'y', attributes]], { a: ramp(1, 2), b: ramp(2, 2), c: ramp(2) });
  expect(gemm({})).toEqual(tensor([[8, 12]]));
  expect(gemm({ beta: 0.5 })).toEqual(tensor([[7.5, 11]]));
  expect(gemm({ alpha: 0.5 })).toEqual(tensor([[4.5, 7]]));
});

it('constants of every form, booleans as 0 and 1, integer division toward zero', () => {
  expect([
    ...run(
      [
        ['Constant', '', 'c', { value_ints: [3, -4] }],
        ['Div', 'x c', 'y'],
      ],
      { x: { shape: [2], data: Int32Array.of(-7, 9) } },
    ).data,
  ]).toEqual([-2, -2]);
  expect(
    run(
      [
        ['Constant', '', 'c', { value_float: 0.5 }],
        ['Mul', 'x c', 'y'],
      ],
      { x: tensor([3]) },
    ),
  ).toEqual(tensor([1.5]));
  expect(
    run(
      [
        ['Constant', '', 'c', { value_int: 2 }],
        ['Cast', 'c', 'f', { to: 1 }],
        ['Sub', 'x f', 'y'],
      ],
      { x: tensor([3]) },
    ),
  ).toEqual(tensor([1]));
  expect([...run([['Cast', 'x', 'y', { to: 9 }]], { x: tensor([0, -0.5, 2]) }).data]).toEqual([0, 1, 1]);
  expect([...run([['Cast', 'x', 'y', { to: 7 }]], { x: tensor([1.9, -1.9]) }).data]).toEqual([1, -1]);
  expect(() => run([['Div', 'x x', 'y']], { x: { shape: [1], data: Int32Array.of(0) } })).toThrow(
    'predictOnnx: Div "y": integer division by 0',
  );
  expect(
    run([['ConstantOfShape', 'x', 'y', { value: floats('', [1], [2]) }]], {
      x: { shape: [1], data: Int32Array.of(2) },
    }),
  ).toEqual(tensor([2, 2]));
});

it('the domain ai.onnx is the default one', () => {
  const options = { opset: 0, domains: { 'ai.onnx': 17 } };
  const file = modelOf([['ai.onnx.Neg', 'x', 'y']], [['x', 'float']], 'y', options);
  expect(predictOnnx(importOnnx(file), { x: tensor([3]) })['y']).toEqual(tensor([-3]));
});

it('numbers are scalars, and integers have 32 bits', () => {
  for (const value of [{ value_float: 0.5 }, { value_int: 3 }]) {
    const nodes: PlainNode[] = [
      ['Constant', '', 'c', value],
      ['Shape', 'c', 's'],
      ['Size', 's', 'rank'],
      ['Add', 'x rank', 'y'],
    ];
    expect([...run(nodes, { x: { shape: [1], data: Int32Array.of(7) } }).data]).toEqual([7]);
  }
  const large = [-(2 ** 40), -(2 ** 31), -(2 ** 31) + 1, 2 ** 31 - 1, 2 ** 40];
  const initializers = [int64('k', ...large)];
  const sums = run([['Add', 'k x', 'y']], { x: { shape: [1], data: Int32Array.of(0) } }, { initializers });
  expect([...sums.data]).toEqual([-(2 ** 31), -(2 ** 31), -(2 ** 31) + 1, 2 ** 31 - 1, 2 ** 31 - 1].map(Math.fround));
});

it('Slice of opset 10 has inputs, and Flatten can move all axes to the rows', () => {
  const initializers = [int64('from', 1), int64('to', 2)];
  const a = tensor([
    [1, 2],
    [3, 4],
  ]);
  expect(run([['Slice', 'x from to', 'y']], { x: a }, { opset: 10, initializers })).toEqual(tensor([[3, 4]]));
  expect(run([['Flatten', 'x', 'y', { axis: 2 }]], { x: a })).toEqual(tensor([[1], [2], [3], [4]]));
  expect(() => run([['Split', 'x', 'y z', { split: [3, -1] }]], { x: a }, { opset: 11 })).toThrow(
    'split must be 2 lengths with the sum 2, got [3, -1]',
  );
});

it('Slice with a negative step: a start before the first element is the first element', () => {
  const initializers = [int64('from', -9), int64('to', -20), int64('axes', 0), int64('steps', -1)];
  const node: PlainNode = ['Slice', 'x from to axes steps', 'y'];
  expect(run([node], { x: tensor([1, 2, 3]) }, { initializers })).toEqual(tensor([1]));
});

it('Dropout of opset 12 has the training mode as an input', () => {
  const initializers = [
    floats('ratio', [], [0.5]),
    { name: 'off', shape: [], type: 'bool', data: Uint8Array.of(0) },
    { name: 'on', shape: [], type: 'bool', data: Uint8Array.of(1) },
  ] as const;
  for (const opset of [12, 13]) {
    const options = { opset, initializers };
    expect(run([['Dropout', 'x ratio off', 'y']], { x: tensor([1, 2]) }, options)).toEqual(tensor([1, 2]));
    expect(() => run([['Dropout', 'x ratio on', 'y']], { x: tensor([1, 2]) }, options)).toThrow(
      'training_mode must be false',
    );
  }
});

it('attributes without an effect on the outputs are accepted', () => {
  const x = tensor([[[1, 3, 2]]]);
  expect(run([['MaxPool', 'x', 'y', { kernel_shape: [2], storage_order: 1 }]], { x })).toEqual(tensor([[[3, 3]]]));
  const gain = floats('gain', [3], [1, 1, 1]);
  const normalized = run([['LayerNormalization', 'x gain', 'y', { stash_type: 1 }]], { x }, { initializers: [gain] });
  const deviation = Math.sqrt(2 / 3 + 1e-5);
  [-1, 1, 0].forEach((value, i) => expect(normalized.data[i]).toBeCloseTo(value / deviation, 5));
});

describe('Pad', () => {
  const x = tensor([[[1, 3, 5, 8]]]);
  const initializers = [int64('pads', 0, 0, 0, 0, 0, 0), floats('value', [], [7])];

  it.each(['constant', 'edge', 'reflect', 'wrap'])('by no elements is the identity in the mode %s', (mode) => {
    expect(run([['Pad', 'x', 'y', { mode, pads: [0, 0, 0, 0, 0, 0] }]], { x }, { opset: 9 })).toEqual(x);
    for (const opset of [11, 18])
      expect(run([['Pad', 'x pads', 'y', { mode }]], { x }, { opset, initializers })).toEqual(x);
  });

  it('in front of AveragePool, as PyTorch writes nn.AvgPool1d, can be trained', () => {
    const nodes: PlainNode[] = [
      ['Pad', 'x pads value', 'p'],
      ['AveragePool', 'p', 'y', { kernel_shape: [2], strides: [2] }],
    ];
    expect(run(nodes, { x }, { opset: 17, initializers })).toEqual(tensor([[[2, 6.5]]]));
    const network = importOnnx(modelOf(nodes, [['x', 'float']], 'y', { opset: 17, initializers }));
    expect(Object.keys(network.parameters)).toEqual([]);
    const constant = { name: '', shape: [6], type: 'int64', data: new BigInt64Array(6) } as const;
    nodes.unshift(['Constant', '', 'pads', { value: constant }]);
    expect(run(nodes, { x }, { opset: 17, initializers: [initializers[1]!] })).toEqual(tensor([[[2, 6.5]]]));
  });

  it('by other elements is rejected', () => {
    const message = 'Pad "y": pads must be constants of 0; other pads are supported only by importOnnxStream';
    const options = { opset: 17, initializers: [int64('pads', 0, 0, 1, 0, 0, 0)] };
    expect(() => run([['Pad', 'x pads', 'y']], { x }, options)).toThrow(message);
    const pads = { shape: [6], data: new Int32Array(6) };
    expect(() => run([['Pad', 'x pads', 'y']], { x, pads }, { opset: 17 })).toThrow(message);
    expect(() => run([['Pad', 'x', 'y']], { x }, { opset: 9 })).toThrow(message);
  });
});

it('Where: elements that are not selected may be NaN and have no gradient', () => {
  const cases: [Tensor | IntTensor, Tensor, Tensor, readonly number[]][] = [
    [
      { shape: [2, 1], data: Int32Array.of(1, 0) },
      tensor([
        [1, 2],
        [NaN, NaN],
      ]),
      tensor(5),
      [1, 2, 5, 5],
    ],
    [
      { shape: [2], data: Int32Array.of(1, 0) },
      tensor([
        [1, NaN],
        [3, NaN],
      ]),
      tensor([[7], [8]]),
      [1, 7, 3, 8],
    ],
    [{ shape: [], data: Int32Array.of(0) }, tensor([NaN, NaN]), tensor([3, 4]), [3, 4]],
    [{ shape: [1, 1], data: Int32Array.of(1) }, tensor([3, 4]), tensor(NaN), [3, 4]],
  ];
  for (const [c, a, b, expected] of cases) {
    expect([...run([['Where', 'c a b', 'y']], { c, a, b }).data]).toEqual(expected);
    const network = importOnnx(
      modelOf([['Where', 'c a b', 'y']], [['c', 'bool']], 'y', {
        initializers: [floats('a', a.shape, [...a.data]), floats('b', b.shape, [...b.data])],
      }),
    );
    const { gradient } = valueAndGradient(network.parameters, (p) =>
      sum(runOnnx(network, p, { c: c as IntTensor })['y']!),
    );
    const [gradientA, gradientB] = ['a', 'b'].map((name) => (gradient[name] as Tensor).data) as [
      Float32Array,
      Float32Array,
    ];
    const total = [...gradientA, ...gradientB].reduce((partial, value) => partial + value, 0);
    expect(total).toBe(expected.length);
    gradientA.forEach((value, i) => expect(value > 0).toBe(!Number.isNaN(a.data[i]) && expected.includes(a.data[i]!)));
  }
});

it('invalid shapes, indices and sizes throw errors that name the node', () => {
  const huge = { shape: [2], data: Int32Array.of(2 ** 20, 2 ** 20) };
  expect(() => run([['ConstantOfShape', 'x', 'y']], { x: huge })).toThrow(
    'predictOnnx: ConstantOfShape "y": the results of all nodes must have at most 8390656 elements with these inputs ' +
      'and constants, got one of shape [1048576, 1048576]. Run fewer steps or rows at once',
  );
  expect(() => run([['Expand', 'one x', 'y']], { x: huge }, { initializers: [int64('one', 1)] })).toThrow(
    'the results of all nodes must have at most',
  );
  expect(() => run([['Expand', 'one x', 'y']], { x: huge }, { initializers: [floats('one', [1], [1])] })).toThrow(
    'the results of all nodes must have at most',
  );
  expect(() => run([['ConstantOfShape', 'x', 'y']], { x: { shape: [1000], data: new Int32Array(1000) } })).toThrow(
    'a tensor must have at most 64 axes, got 1000',
  );
  expect(() => run([['Reshape', 'x s', 'y']], { x: huge }, { initializers: [int64('s', -1, -1)] })).toThrow(RangeError);
  expect(() => run([['Reshape', 'x s', 'y']], { x: huge }, { initializers: [int64('s', 3)] })).toThrow(
    'predictOnnx: Reshape "y": cannot reshape [2] to [3]',
  );
  expect(() => run([['Gather', 'x s', 'y']], { x: huge }, { initializers: [int64('s', 2)] })).toThrow(
    'indices must be from -2 to 1, got 2',
  );
  expect(() => run([['Gather', 'x s', 'y']], { x: huge }, { initializers: [int64('s', 1, -3)] })).toThrow(
    'indices must be from -2 to 1, got -3',
  );
  expect(() => run([['ConstantOfShape', 'x', 'y', { value: floats('', [2], [2, 3]) }]], { x: huge })).toThrow(
    'value must have 1 element, got 2',
  );
  expect(() => run([['Squeeze', 'x', 'y', { axes: [0] }]], { x: huge }, { opset: 11 })).toThrow(
    'axis 0 must have length 1 to be squeezed, got 2',
  );
  expect(() =>
    run(
      [['Where', 'x f f', 'y']],
      { x: { shape: [2 ** 23 + 1], data: new Int32Array(2 ** 23 + 1) } },
      { initializers: [floats('f', [], [1])] },
    ),
  ).toThrow('predictOnnx: Where "y": a table of floats must have at most 2²⁴ rows to gather from, got 16777218');
  expect(() =>
    run([['Range', 's t s', 'y']], { x: huge }, { initializers: [int64('s', 0), int64('t', 2 ** 31)] }),
  ).toThrow('delta must not be 0');
  expect(() =>
    run([['Range', 's t u', 'y']], { x: huge }, { initializers: [int64('s', 0), int64('t', 2 ** 31), int64('u', 1)] }),
  ).toThrow('the results of all nodes must have at most');
  expect(() => run([['Slice', 'x s s s s', 'y']], { x: huge }, { initializers: [int64('s', 0)] })).toThrow(
    'steps must not be 0',
  );
});
