/** The test data of ONNX, and helpers that build models for tests. */

import type { IntTensor, Tensor } from 'bptt';
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { fromFloat16 } from '../../src/formats/half-precision';
import { decodeOnnx } from '../../src/formats/onnx/decode';
import { encodeOnnx } from '../../src/formats/onnx/encode';
import type { OnnxAttribute, OnnxGraph, OnnxTensor } from '../../src/formats/onnx/model';
import { messageField } from '../../src/formats/onnx/protobuf';

export const folder: URL = new URL('./onnx/', import.meta.url);
export const fileOf = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, folder)));

/** Decodes a TensorProto outside of a model. */
export const tensorOf = (bytes: Uint8Array): OnnxTensor =>
  decodeOnnx('test', messageField(7, [messageField(5, [bytes])])).graph.initializers[0]!;

/** Converts a tensor to an input of this library. */
export function inputOf({ shape, type, data }: OnnxTensor): Tensor | IntTensor {
  if (type === 'float16') return { shape, data: fromFloat16(data) };
  if (type === 'float' || type === 'double') return { shape, data: Float32Array.from(data) };
  const clamped = (value: number | bigint): number =>
    Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Number(value)));
  return { shape, data: Int32Array.from(Array.from<number | bigint>(data), clamped) };
}

/** The largest |got − expected| / max(1, |expected|). Also checks the shape. */
export function errorOf(got: Tensor, shape: readonly number[], expected: ArrayLike<number | bigint>): number {
  expect(got.shape).toEqual(shape);
  return got.data.reduce((error, value, i) => {
    const target = Number(expected[i]);
    return Math.max(error, Math.abs(value - target) / Math.max(1, Math.abs(target)));
  }, 0);
}

export type GraphAttribute = Extract<OnnxAttribute, { type: 'graph' }>;

type PlainAttribute =
  | number
  | string
  | { readonly floats: readonly number[] }
  | readonly number[]
  | readonly string[]
  | OnnxTensor
  | GraphAttribute;

const attributeOf = (value: PlainAttribute): OnnxAttribute => {
  if (typeof value === 'number') return { type: Number.isInteger(value) ? 'int' : 'float', value };
  if (typeof value === 'string') return { type: 'string', value };
  if ('type' in value && value.type === 'graph') return value;
  if ('floats' in value) return { type: 'floats', value: value.floats };
  if ('data' in value) return { type: 'tensor', value };
  return typeof value[0] === 'string'
    ? { type: 'strings', value: value as readonly string[] }
    : { type: 'ints', value: value as readonly number[] };
};

/** A node: operator, inputs, outputs, attributes. An operator of another domain is `domain.Operator`. */
export type PlainNode = readonly [
  opType: string,
  inputs: string,
  outputs: string,
  attributes?: Readonly<Record<string, PlainAttribute>>,
];

/** Encodes a model. The names of inputs and outputs are separated by spaces; `-` is an omitted one. */
export function modelOf(
  nodes: readonly PlainNode[],
  inputs: readonly (readonly [name: string, type: string, shape?: readonly (number | string)[]])[],
  outputs: string,
  {
    opset = 17,
    domains = {},
    initializers = [],
    ...graph
  }: Partial<OnnxGraph> & { readonly opset?: number; readonly domains?: Readonly<Record<string, number>> } = {},
): Uint8Array {
  const namesOf = (text: string): readonly string[] =>
    text === '' ? [] : text.split(' ').map((name) => (name === '-' ? '' : name));
  return encodeOnnx({
    irVersion: 8,
    producer: { name: 'test', version: '' },
    opsets: { ...(opset > 0 && { '': opset }), ...domains },
    graph: {
      name: 'test',
      values: [],
      initializers,
      ...graph,
      nodes: nodes.map(([opType, inputNames, outputNames, attributes = {}]) => ({
        opType: opType.slice(opType.lastIndexOf('.') + 1),
        domain: opType.includes('.') ? opType.slice(0, opType.lastIndexOf('.')) : '',
        name: '',
        inputs: namesOf(inputNames),
        outputs: namesOf(outputNames),
        attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)])),
      })),
      inputs: inputs.map(([name, type, shape]) => ({ name, type, ...(shape && { shape }) })),
      outputs: namesOf(outputs).map((name) => ({ name, type: 'float' })),
    },
  });
}

/** A float constant. */
export const floats = (name: string, shape: readonly number[], data: readonly number[]): OnnxTensor => ({
  name,
  shape,
  type: 'float',
  data: Float32Array.from(data),
});

/** A vector of int64. */
export const int64 = (name: string, ...data: readonly number[]): OnnxTensor => ({
  name,
  shape: [data.length],
  type: 'int64',
  data: BigInt64Array.from(data, BigInt),
});
