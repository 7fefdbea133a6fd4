/** ONNX' own test data, and models made by hand. */

import type { IntTensor, Tensor } from 'bptt';
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { decodeOnnx } from '../../src/formats/onnx/decode';
import { encodeOnnx } from '../../src/formats/onnx/encode';
import type { OnnxAttribute, OnnxGraph, OnnxTensor } from '../../src/formats/onnx/model';
import { messageField } from '../../src/formats/onnx/protobuf';

export const folder: URL = new URL('./onnx/', import.meta.url);
export const fileOf = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, folder)));

/** A TensorProto by itself. */
export const tensorOf = (bytes: Uint8Array): OnnxTensor => decodeOnnx('test', messageField(7, [messageField(5, [bytes])])).graph.initializers[0]!;

/** The tensor as this library takes it. */
export function inputOf({ shape, type, data }: OnnxTensor): Tensor | IntTensor {
  if (type === 'float' || type === 'double') return { shape, data: Float32Array.from(data) };
  return { shape, data: Int32Array.from(data as ArrayLike<number | bigint> as ArrayLike<number>, (value) => Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Number(value)))) };
}

/** The largest |got − expected| / max(1, |expected|). */
export function errorOf(got: Tensor, shape: readonly number[], expected: ArrayLike<number | bigint>): number {
  expect(got.shape).toEqual(shape);
  return got.data.reduce((error, value, i) => Math.max(error, Math.abs(value - Number(expected[i])) / Math.max(1, Math.abs(Number(expected[i])))), 0);
}

type Plain = number | string | { readonly floats: readonly number[] } | readonly number[] | readonly string[] | OnnxTensor;
const attributeOf = (value: Plain): OnnxAttribute => {
  if (typeof value === 'number') return { type: Number.isInteger(value) ? 'int' : 'float', value };
  if (typeof value === 'string') return { type: 'string', value };
  if ('floats' in (value as object)) return { type: 'floats', value: (value as { floats: readonly number[] }).floats };
  if ('data' in (value as object)) return { type: 'tensor', value: value as OnnxTensor };
  return typeof (value as readonly unknown[])[0] === 'string' ? { type: 'strings', value: value as readonly string[] } : { type: 'ints', value: value as readonly number[] };
};

/** A node: operator, inputs, outputs, attributes; an operator of another domain as `domain.Operator`. */
export type PlainNode = readonly [opType: string, inputs: string, outputs: string, attributes?: Readonly<Record<string, Plain>>];

/** A file: nodes with inputs and outputs divided by blanks, `-` for none. */
export function modelOf(
  nodes: readonly PlainNode[], inputs: readonly (readonly [name: string, type: string, shape?: readonly (number | string)[]])[], outputs: string,
  { opset = 17, initializers = [], ...graph }: Partial<OnnxGraph> & { readonly opset?: number } = {},
): Uint8Array {
  const names = (text: string): readonly string[] => (text === '' ? [] : text.split(' ').map((name) => (name === '-' ? '' : name)));
  return encodeOnnx({
    irVersion: 8, producer: { name: 'test', version: '' }, opsets: opset === 0 ? {} : { '': opset },
    graph: {
      name: 'test', values: [], initializers, ...graph,
      nodes: nodes.map(([opType, from, to, attributes = {}]) => ({
        opType: opType.slice(opType.lastIndexOf('.') + 1), domain: opType.includes('.') ? opType.slice(0, opType.lastIndexOf('.')) : '', name: '',
        inputs: names(from), outputs: names(to), attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)])),
      })),
      inputs: inputs.map(([name, type, shape]) => ({ name, type, ...(shape && { shape }) })),
      outputs: names(outputs).map((name) => ({ name, type: 'float' })),
    },
  });
}

/** A constant of floats. */
export const floats = (name: string, shape: readonly number[], data: readonly number[]): OnnxTensor => ({ name, shape, type: 'float', data: Float32Array.from(data) });
/** A constant of whole numbers. */
export const int64 = (name: string, ...data: readonly number[]): OnnxTensor => ({ name, shape: [data.length], type: 'int64', data: BigInt64Array.from(data, BigInt) });
