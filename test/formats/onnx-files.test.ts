/** ONNX files of other exporters: external data, half precision, unknown sizes, and graphs in attributes. */

import { type IntTensor, type Tensor, tensor } from 'bptt';
import { importOnnx, predictOnnx } from 'bptt/onnx';
import { describe, expect, it } from 'vitest';
import { joinBytes } from '../../src/formats/file-bytes';
import type { OnnxGraph, OnnxTensor } from '../../src/formats/onnx/model';
import { integerField, messageField, textField } from '../../src/formats/onnx/protobuf';
import { floats, type GraphAttribute, int64, modelOf, type PlainNode } from '../golden/onnx';

describe('external data', () => {
  /** A model that adds the vectors `a` and `b` to x; each has its elements in another file. */
  const model = (...entries: readonly Readonly<Record<string, string>>[]): Uint8Array => {
    const external = entries.map((entry, i) =>
      messageField(5, [
        integerField(1, 2),
        integerField(2, 1),
        textField(8, 'abcdefghijk'[i]!),
        ...Object.entries(entry).map(([key, value]) => messageField(13, [textField(1, key), textField(2, value)])),
        integerField(14, 1),
      ]),
    );
    const node = (x: string, y: string, output: string): Uint8Array =>
      messageField(1, [textField(1, x), textField(1, y), textField(2, output), textField(4, 'Add')]);
    const value = (field: number, name: string): Uint8Array =>
      messageField(field, [textField(1, name), messageField(2, [messageField(1, [integerField(1, 1)])])]);
    return joinBytes([
      messageField(8, [integerField(2, 18)]),
      messageField(7, [node('x', 'a', 's'), node('s', 'b', 'y'), ...external, value(11, 'x'), value(12, 'y')]),
    ]);
  };
  const bytes = new Uint8Array(Float32Array.of(9, 1, 2, 4, 8).buffer);
  const x = tensor([100, 200]);
  const both = model(
    { location: 'm.data', offset: '4', length: '8', checksum: '0' },
    { location: 'm.data', offset: '12' },
  );

  it('tensors are read at their offset and length, from bytes, buffers and views', () => {
    const misaligned = new Uint8Array(21);
    misaligned.set(bytes, 1);
    for (const data of [bytes, bytes.buffer, misaligned.subarray(1)]) {
      const network = importOnnx(both, { externalData: { 'm.data': data } });
      expect(predictOnnx(network, { x })['y']).toEqual(tensor([105, 210]));
      (network.parameters['a'] as Tensor).data.fill(0);
      expect(bytes[4]).toBe(0);
      expect(new Float32Array(bytes.buffer)[1]).toBe(1);
    }
  });

  it('two files are read by name', () => {
    const files = { p: bytes.slice(4, 12), 'q/r': bytes.slice(12) };
    const network = importOnnx(model({ location: 'p' }, { location: 'q/r' }), { externalData: files });
    expect(predictOnnx(network, { x })['y']).toEqual(tensor([105, 210]));
  });

  it.each<[string, Uint8Array, Record<string, Uint8Array>, string]>([
    [
      'a missing file',
      both,
      { other: bytes },
      'the graph initializer 0 "a" is in the file "m.data", which is missing. ' +
        'Pass its bytes: externalData: { "m.data": bytes }.',
    ],
    [
      'a name of Object.prototype',
      model({ location: 'toString' }, { location: 'm.data' }),
      {},
      'is in the file "toString", which is missing',
    ],
    [
      'a truncated file',
      both,
      { 'm.data': bytes.slice(0, 11) },
      'initializer 0 "a" needs 8 bytes at byte 4 of "m.data", which has 11. Is it truncated?',
    ],
    [
      'a negative offset',
      model({ location: 'm.data', offset: '-4', length: '8' }, { location: 'm.data' }),
      { 'm.data': bytes },
      'needs 8 bytes at byte -4 of "m.data"',
    ],
    [
      'an offset that is not a number',
      model({ location: 'm.data', offset: 'x', length: '8' }, { location: 'm.data' }),
      { 'm.data': bytes },
      'needs 8 bytes at byte NaN of "m.data"',
    ],
    [
      'a length of another shape',
      model({ location: 'm.data', length: '12' }, { location: 'm.data' }),
      { 'm.data': bytes },
      'initializer 0 "a" has the shape [2], but 3 elements',
    ],
  ])('%s is rejected', (_, file, externalData, message) => {
    expect(() => importOnnx(file, { externalData })).toThrow(RangeError);
    expect(() => importOnnx(file, { externalData })).toThrow(message);
  });

  it('tensors that share the same bytes many times are rejected, because each is a copy', () => {
    const many = model(...Array.from({ length: 11 }, () => ({ location: 'm.data', length: '8' })));
    expect(() => importOnnx(many, { externalData: { 'm.data': bytes } })).toThrow(
      'initializer 7 "h" and the tensors before it take more than 3 times the external data',
    );
  });

  it.each([
    ['m.data', 'text', 'got a string. Read the file without an encoding.'],
    ['m.data', null, 'got null.'],
    ['unused', [1, 2], 'got an array.'],
  ])('content of %s that is %j throws a TypeError', (name, content, got) =>
    expect(() => importOnnx(both, { externalData: { 'm.data': bytes, [name]: content as never } })).toThrow(
      new TypeError(`importOnnx: externalData "${name}": file must be a Uint8Array or an ArrayBuffer, ${got}`),
    ),
  );
});

const run = (
  nodes: PlainNode[],
  inputs: Record<string, Tensor | IntTensor>,
  options?: Parameters<typeof modelOf>[3],
  type = 'float',
): Tensor =>
  predictOnnx(
    importOnnx(
      modelOf(
        nodes,
        Object.entries(inputs).map(([name, { data }]) => [name, data instanceof Int32Array ? 'int64' : type]),
        'y',
        options,
      ),
    ),
    inputs,
  )['y']!;

it('half precision: constants are exact, inputs are single, and casts do not change values', () => {
  const half: OnnxTensor = {
    name: 'h',
    shape: [4],
    type: 'float16',
    // 1, −2, the largest value 65504, and the smallest subnormal 2⁻²⁴.
    data: Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001),
  };
  const x = tensor([0.5, 1, 0, 0]);
  const nodes: PlainNode[] = [
    ['Add', 'x h', 's'],
    ['Cast', 's', 'y', { to: 1 }],
  ];
  for (const type of ['float16', 'bfloat16', 'float'])
    expect(run(nodes, { x }, { initializers: [half] }, type)).toEqual(tensor([1.5, -1, 65504, 2 ** -24]));
  const brain: OnnxTensor = { name: 'h', shape: [2], type: 'bfloat16', data: Uint16Array.of(0x3f81, 0xc000) };
  expect(run([['Cast', 'h', 'y', { to: 10 }]], { x }, { initializers: [brain] })).toEqual(tensor([1.0078125, -2]));
});

it('a length of −1 or 0 in the declared shape of an input is not known', () => {
  const network = importOnnx(modelOf([['Tanh', 'x', 'y']], [['x', 'float', [-1, 0, 2]]], 'y'));
  expect(predictOnnx(network, { x: tensor([[[0, 0]], [[0, 0]], [[0, 0]]]) })['y']!.shape).toEqual([3, 1, 2]);
  expect(() => predictOnnx(network, { x: tensor([[[0]]]) })).toThrow(
    'predictOnnx: x must be […, …, 2] = [*, *, 2], got [1, 1, 1].',
  );
});

describe('Split', () => {
  const x = tensor([
    [1, 2, 3, 4, 5],
    [6, 7, 8, 9, 10],
  ]);
  /** Concatenates the parts in reverse order. */
  const parts = (inputs: string, attributes: NonNullable<PlainNode[3]>, opset: number, count = 2): number[] => {
    const names = ['a', 'b', 'c'].slice(0, count);
    const nodes: PlainNode[] = [
      ['Split', inputs, names.join(' '), attributes],
      ['Concat', names.reverse().join(' '), 'y', { axis: (attributes['axis'] ?? 0) as number }],
    ];
    return [...run(nodes, { x }, { opset, initializers: [int64('s', 1, 4), int64('t', 3, 3)] }).data];
  };
  it.each<[string, number[], number[]]>([
    ['sizes as an attribute, opset 11', parts('x', { axis: 1, split: [1, 4] }, 11), [2, 3, 4, 5, 1, 7, 8, 9, 10, 6]],
    ['equal, opset 11, the first axis', parts('x', {}, 11), [6, 7, 8, 9, 10, 1, 2, 3, 4, 5]],
    ['sizes as an input, opset 13', parts('x s', { axis: -1 }, 13), [2, 3, 4, 5, 1, 7, 8, 9, 10, 6]],
    ['equal, opset 13', parts('x', { axis: 0 }, 13), [6, 7, 8, 9, 10, 1, 2, 3, 4, 5]],
    ['a smaller last part, opset 18', parts('x', { axis: 1, num_outputs: 2 }, 18), [4, 5, 1, 2, 3, 9, 10, 6, 7, 8]],
    ['three parts, opset 18', parts('x', { axis: 1, num_outputs: 3 }, 18, 3), [5, 3, 4, 1, 2, 10, 8, 9, 6, 7]],
  ])('%s', (_, got, expected) => expect(got).toEqual(expected));

  it('integers', () =>
    expect([
      ...run(
        [
          ['Split', 'x s', 'a y'],
          ['Shape', 'a', 'n'],
        ],
        { x: { shape: [5], data: Int32Array.of(5, 6, 7, 8, 9) } },
        { initializers: [int64('s', 1, 4)] },
      ).data,
    ]).toEqual([6, 7, 8, 9]));

  it('sizes that do not fit are rejected', () => {
    expect(() => parts('x t', { axis: 1 }, 13)).toThrow(
      'predictOnnx: Split "a": split must be 2 lengths with the sum 5, got [3, 3]',
    );
    expect(() => parts('x', { axis: 1 }, 13)).toThrow('the axis of length 5 does not split into 2 parts');
    expect(() => parts('x', { axis: 1, num_outputs: 3 }, 18)).toThrow(
      'Split "a": num_outputs must be the number of outputs, 2, got 3',
    );
  });
});

/** A graph for an attribute. */
const graph = (
  nodes: readonly PlainNode[],
  inputs: string,
  outputs: string,
  initializers: OnnxTensor[] = [],
): GraphAttribute => {
  const names = (list: string): string[] => (list === '' ? [] : list.split(' '));
  const value: OnnxGraph = {
    name: 'body',
    nodes: nodes.map(([opType, x, y]) => ({
      opType,
      domain: '',
      name: '',
      inputs: names(x),
      outputs: names(y),
      attributes: {},
    })),
    initializers,
    inputs: names(inputs).map((name) => ({ name, type: 'float' })),
    outputs: names(outputs).map((name) => ({ name, type: 'float' })),
    values: [],
  };
  return { type: 'graph', value };
};

describe('If', () => {
  const bool = (value: number): OnnxTensor => ({ name: 'c', shape: [], type: 'bool', data: Uint8Array.of(value) });
  const then = graph([['Add', 'x k', 't']], '', 't', [floats('k', [1], [10])]);
  const otherwise = graph([['Sub', 'x k', 't']], '', 't', [floats('k', [1], [1])]);
  const x = tensor([1, 2]);

  it('runs the branch that a constant, a Constant node or an input selects, with the names of the outer graph', () => {
    const node: PlainNode = ['If', 'c', 'y', { then_branch: then, else_branch: otherwise }];
    expect(run([node], { x }, { initializers: [bool(1)] })).toEqual(tensor([11, 12]));
    expect(run([node], { x }, { initializers: [bool(0)] })).toEqual(tensor([0, 1]));
    expect(run([['Constant', '', 'c', { value: bool(1) }], node], { x })).toEqual(tensor([11, 12]));
    for (const [condition, expected] of [
      [5, [11, 12]],
      [0, [0, 1]],
    ] as const) {
      const c = { shape: [1], data: Int32Array.of(condition) };
      expect([...run([node], { x, c }).data]).toEqual(expected);
    }
  });

  it('the branch that a constant condition excludes may have unsupported operators', () => {
    const unsupported = graph([['Einsum', 'x x', 't']], '', 't');
    const node: PlainNode = ['If', 'c', 'y', { then_branch: then, else_branch: unsupported }];
    expect(run([node], { x }, { initializers: [bool(1)] })).toEqual(tensor([11, 12]));
    const message =
      'importOnnx: the model is not supported (1 problem): If "y": in else_branch: Einsum "t": the operator is not supported.';
    expect(() => run([node], { x }, { initializers: [bool(0)] })).toThrow(message);
    expect(() => run([node], { x, c: { shape: [], data: Int32Array.of(1) } })).toThrow(message);
  });

  it('malformed branches are rejected', () => {
    const c = { shape: [], data: Int32Array.of(1) };
    const integers = graph([['Shape', 'x', 't']], '', 't');
    const importIf = (attributes: NonNullable<PlainNode[3]>) => () => run([['If', 'c', 'y', attributes]], { x, c });
    expect(importIf({ then_branch: then })).toThrow('If "y": attribute else_branch is missing');
    expect(importIf({ then_branch: then, else_branch: integers })).toThrow(
      'If "y": the outputs of then_branch and else_branch must have the same number and types',
    );
    expect(importIf({ then_branch: then, else_branch: graph([['Add', 'x z', 't']], '', 't') })).toThrow(
      'If "y": Add "t" uses "z", which is neither an input nor computed by a preceding node',
    );
    expect(importIf({ then_branch: then, else_branch: graph([], '', 'z') })).toThrow('If "y": else_branch uses "z"');
    expect(importIf({ then_branch: then, else_branch: graph([], 'a', 'a') })).toThrow(
      'else_branch must have the number of inputs 0, got 1',
    );
    expect(() =>
      run([['If', 'c', 'y', { then_branch: then, else_branch: otherwise }]], {
        x,
        c: { shape: [2], data: new Int32Array(2) },
      }),
    ).toThrow('predictOnnx: If "y": the condition must have 1 element, got 2');
  });

  it('a recurrent node whose weights an inner graph also uses keeps them as shared parameters', () => {
    const branch = (name: string): GraphAttribute => graph([[name, 'W', 't']], '', 't');
    const network = importOnnx(
      modelOf(
        [
          ['RNN', 'x W R', '- h'],
          ['If', 'c', 'y', { then_branch: branch('Identity'), else_branch: branch('Exp') }],
        ],
        [
          ['x', 'float'],
          ['c', 'bool'],
        ],
        'y h',
        { initializers: [floats('W', [1, 1, 1], [0.5]), floats('R', [1, 1, 1], [0.25])] },
      ),
    );
    expect(Object.keys(network.parameters)).toEqual(['W', 'h']);
    const outputs = predictOnnx(network, { x: tensor([[[2]]]), c: { shape: [], data: Int32Array.of(1) } });
    expect(outputs['y']!.data[0]).toBe(0.5);
    expect(outputs['h']!.data[0]).toBeCloseTo(Math.tanh(1), 6);
  });
});

describe('Scan', () => {
  // A running sum, and the product of each element with the sum so far.
  const body = graph(
    [
      ['Add', 's x_t', 'next'],
      ['Mul', 'x_t next', 'p'],
    ],
    's x_t',
    'next p',
  );
  const x = tensor([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  const scan = (attributes: NonNullable<PlainNode[3]>, output: 'y' | 'final', size = 2): Tensor =>
    run(
      [
        ['Scan', 'start x', 'last products', { body, num_scan_inputs: 1, ...attributes }],
        ['Identity', output === 'y' ? 'products' : 'last', 'y'],
      ],
      { x },
      { initializers: [floats('start', [size], new Array<number>(size).fill(0))] },
    );

  it('runs forward and backward, along any axis', () => {
    expect([...scan({}, 'y').data]).toEqual([1, 4, 12, 24, 45, 72]);
    expect([...scan({}, 'final').data]).toEqual([9, 12]);
    expect([...scan({ scan_input_directions: [1] }, 'y').data]).toEqual([25, 36, 24, 40, 9, 24]);
    expect([...scan({ scan_input_directions: [1], scan_output_directions: [1] }, 'y').data]).toEqual([
      9, 24, 24, 40, 25, 36,
    ]);
    const columns = scan({ scan_input_axes: [1], scan_output_axes: [-1] }, 'y', 3);
    expect(columns).toEqual(
      tensor([
        [1, 6],
        [9, 28],
        [25, 66],
      ]),
    );
  });

  it('malformed scans are rejected', () => {
    expect(() => scan({ num_scan_inputs: 3 }, 'y')).toThrow('Scan "last": num_scan_inputs must be from 1 to 2, got 3');
    expect(() => scan({ scan_input_axes: [0, 0] }, 'y')).toThrow('scan_input_axes must have length 1, got 2');
    expect(() => scan({ num_scan_inputs: 2, body: graph([['Tanh', 'a', 'b']], 'a', 'b') }, 'y')).toThrow(
      'body must have the number of inputs 2, got 1',
    );
    expect(() =>
      run([['Scan', 'x', 'y', { body: graph([['Neg', 'a', 'b']], 'a', 'b'), num_scan_inputs: 1 }]], {
        x: { shape: [0, 2], data: new Float32Array(0) },
      }),
    ).toThrow('the scanned inputs must have at least one step');
    expect(() =>
      run([['Scan', 'x z', 'y', { body: graph([['Add', 'a b', 'c']], 'a b', 'c'), num_scan_inputs: 2 }]], {
        x,
        z: tensor([[1, 2]]),
      }),
    ).toThrow('predictOnnx: Scan "y": the scanned inputs must have equal lengths, got 3, 1');
    expect(() => scan({}, 'y', 3)).toThrow('predictOnnx: Scan "last": Add "next": ');
  });
});
