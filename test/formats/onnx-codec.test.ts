/** Encoding and decoding of ONNX files: round trips, and files of other programs. */

import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { joinBytes } from '../../src/formats/file-bytes';
import { decodeOnnx } from '../../src/formats/onnx/decode';
import { encodeOnnx } from '../../src/formats/onnx/encode';
import type { OnnxModel } from '../../src/formats/onnx/model';
import { integerField, messageField, readMessage, textField, varint } from '../../src/formats/onnx/protobuf';

const model: OnnxModel = {
  irVersion: 8,
  producer: { name: 'bptt', version: '0.1.0' },
  opsets: { '': 17, 'com.microsoft': 1 },
  graph: {
    name: 'grapheme 語',
    nodes: [
      {
        opType: 'LSTM',
        domain: '',
        name: 'first',
        inputs: ['x', 'w', '', 'b'],
        outputs: ['', 'h'],
        attributes: {
          hidden_size: { type: 'int', value: 4 },
          negative: { type: 'int', value: -3 },
          end: { type: 'int', value: 2 ** 63 },
          begin: { type: 'int', value: -(2 ** 63) },
          clip: { type: 'float', value: 0.5 },
          none: { type: 'float', value: 0 },
          direction: { type: 'string', value: 'reverse' },
          empty: { type: 'string', value: '' },
          activations: { type: 'strings', value: ['Tanh', ''] },
          alphas: { type: 'floats', value: [0.25, -0, Infinity] },
          axes: { type: 'ints', value: [-1, 0, 2 ** 40] },
          no: { type: 'ints', value: [] },
          value: { type: 'tensor', value: { name: '', shape: [], type: 'bool', data: Uint8Array.of(1) } },
          body: {
            type: 'graph',
            value: {
              name: 'body',
              nodes: [{ opType: 'Tanh', domain: '', name: '', inputs: ['a'], outputs: ['b'], attributes: {} }],
              initializers: [{ name: 'k', shape: [1], type: 'float', data: Float32Array.of(2) }],
              inputs: [{ name: 'a', type: 'float' }],
              outputs: [{ name: 'b', type: 'float' }],
              values: [],
            },
          },
        },
      },
      { opType: 'Gelu', domain: 'com.microsoft', name: '', inputs: [], outputs: ['y'], attributes: {} },
    ],
    initializers: [
      { name: 'w', shape: [2, 3], type: 'float', data: Float32Array.of(1, -2, NaN, -0, 1e-45, Infinity) },
      { name: 'd', shape: [1], type: 'double', data: Float64Array.of(Math.PI) },
      { name: 'i', shape: [2], type: 'int32', data: Int32Array.of(-(2 ** 31), 7) },
      { name: 'l', shape: [3], type: 'int64', data: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, -1n) },
      { name: 'h', shape: [2], type: 'float16', data: Uint16Array.of(0x3c00, 0xfbff) },
      { name: 'b', shape: [1], type: 'bfloat16', data: Uint16Array.of(0x3f80) },
      { name: 's', shape: [2], type: 'int8', data: Int8Array.of(-128, 127) },
      { name: 'u', shape: [2], type: 'uint8', data: Uint8Array.of(0, 255) },
      { name: '', shape: [0, 5], type: 'float', data: new Float32Array(0) },
    ],
    inputs: [
      { name: 'x', type: 'float', shape: ['T', 2, ''] },
      { name: 'ids', type: 'int64' },
    ],
    outputs: [{ name: 'h', type: 'float', shape: [] }],
    values: [{ name: 'y', type: 'bfloat16', shape: [0] }],
  },
};

it('a decoded model equals the encoded one', () => {
  expect(decodeOnnx('decode', encodeOnnx(model))).toEqual(model);
  expect(decodeOnnx('decode', encodeOnnx(model).buffer as ArrayBuffer)).toEqual(model);
});

it('varints hold 64 bits, with negative numbers in two’s complement', () => {
  const roundTrip = (value: bigint | number): unknown =>
    readMessage('read', joinBytes([varint(8), varint(value)])).fields.get(1)![0];
  for (const value of [
    0n,
    1n,
    127n,
    128n,
    2n ** 14n,
    2n ** 48n,
    2n ** 49n - 1n,
    2n ** 49n,
    2n ** 53n + 1n,
    2n ** 63n - 1n,
  ])
    expect(roundTrip(value)).toBe(value);
  expect(roundTrip(-1)).toBe(2n ** 64n - 1n);
  expect([...varint(300)]).toEqual([0xac, 0x02]);
  expect(varint(-1)).toHaveLength(10);
});

it('elements are read from typed fields, packed or not', () => {
  const tensor = (...fields: Uint8Array[]): unknown =>
    decodeOnnx('decode', messageField(7, [messageField(5, fields)])).graph.initializers[0];
  const float = (number: number, ...values: number[]): Uint8Array[] =>
    values.map((value) => joinBytes([varint(number * 8 + 5), new Uint8Array(Float32Array.of(value).buffer)]));
  const three = integerField(1, 3);
  expect(tensor(three, integerField(2, 1), ...float(4, 1, 2, 3))).toEqual({
    name: '',
    shape: [3],
    type: 'float',
    data: Float32Array.of(1, 2, 3),
  });
  expect(tensor(three, integerField(2, 6), integerField(5, -1), messageField(5, [varint(2), varint(-3)]))).toEqual({
    name: '',
    shape: [3],
    type: 'int32',
    data: Int32Array.of(-1, 2, -3),
  });
  expect(
    tensor(three, integerField(2, 7), messageField(7, [varint(5), varint(-6), varint(7)]), textField(8, 'n')),
  ).toEqual({ name: 'n', shape: [3], type: 'int64', data: BigInt64Array.of(5n, -6n, 7n) });
  expect(tensor(three, integerField(2, 9), messageField(5, [varint(1), varint(0), varint(1)]))).toEqual({
    name: '',
    shape: [3],
    type: 'bool',
    data: Uint8Array.of(1, 0, 1),
  });
  for (const [code, type, data] of [
    [10, 'float16', Uint16Array.of(0x3c00, 0xfbff, 1)],
    [16, 'bfloat16', Uint16Array.of(0x3f80, 0xffff, 1)],
    [2, 'uint8', Uint8Array.of(0, 255, 7)],
    [3, 'int8', Int8Array.of(-128, 127, 0)],
  ] as const)
    expect(
      tensor(
        three,
        integerField(2, code),
        messageField(
          5,
          Array.from(data, (x) => varint(x)),
        ),
      ),
    ).toEqual({
      name: '',
      shape: [3],
      type,
      data,
    });
  expect(
    tensor(
      integerField(1, 1),
      integerField(2, 11),
      joinBytes([varint(10 * 8 + 1), new Uint8Array(Float64Array.of(0.1).buffer)]),
    ),
  ).toEqual({ name: '', shape: [1], type: 'double', data: Float64Array.of(0.1) });
});

it('unknown fields are skipped; an attribute without a type has the type of its value', () => {
  const attribute = messageField(5, [textField(1, 'axes'), messageField(8, [varint(1), varint(2)])]);
  const node = messageField(1, [
    textField(4, 'Squeeze'),
    attribute,
    messageField(5, [textField(1, 'types'), messageField(15, []), integerField(20, 14)]),
    textField(6, 'a doc string'),
  ]);
  const { nodes } = decodeOnnx(
    'decode',
    joinBytes([
      messageField(7, [node, textField(10, 'doc')]),
      messageField(99, [textField(3, 'x')]),
      integerField(5, 4),
    ]),
  ).graph;
  expect(nodes[0]!.attributes).toEqual({ axes: { type: 'ints', value: [1, 2] }, types: { type: 'other' } });
});

const cases = readdirSync(new URL('../golden/onnx/', import.meta.url)).filter((name) => name.startsWith('test_'));

it.each(cases)('%s is unchanged by decoding and encoding', (name) => {
  const decoded = decodeOnnx('decode', readFileSync(new URL(`../golden/onnx/${name}/model.onnx`, import.meta.url)));
  expect(decoded.producer.name).toBe('backend-test');
  expect(decoded.graph.nodes).toHaveLength(1);
  expect(decodeOnnx('decode', encodeOnnx(decoded))).toEqual(decoded);
});

it('there are 12 of them', () => expect(cases).toHaveLength(12));
