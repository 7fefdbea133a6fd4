/** The part of onnx.proto (github.com/onnx/onnx) that networks of this kind are made of, as plain data. */

import type { Shape } from '../../tensor/shape';

/** A file. */
export interface OnnxModel {
  readonly irVersion: number;
  readonly producer: { readonly name: string; readonly version: string };
  /** The version of every set of operators by its domain; that of ONNX itself is `''`. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly graph: OnnxGraph;
}

/** Nodes in the order in which they run, and what flows in and out of them, by name. */
export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** What is known of values in between. */
  readonly values: readonly OnnxValue[];
}

/** One operation. */
export interface OnnxNode {
  readonly opType: string;
  /** `''` for ONNX itself. */
  readonly domain: string;
  readonly name: string;
  /** `''` where an optional one is not given. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A constant of a node; graphs are written but not read, what is not read is of type `other`. */
export type OnnxAttribute =
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'tensor'; readonly value: OnnxTensor }
  | { readonly type: 'graph'; readonly value: OnnxGraph }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'ints'; readonly value: readonly number[] }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'other' };

/** A tensor with its name, `''` where it has none. */
export type OnnxTensor = { readonly name: string; readonly shape: Shape } & OnnxNumbers;

/** The numbers of a tensor by their type, row-major. */
export type OnnxNumbers =
  | { readonly type: 'float'; readonly data: Float32Array }
  | { readonly type: 'double'; readonly data: Float64Array }
  | { readonly type: 'int32'; readonly data: Int32Array }
  | { readonly type: 'int64'; readonly data: BigInt64Array }
  | { readonly type: 'bool'; readonly data: Uint8Array };

/** What is said of an input or output: the type of its numbers in the file (`''` where none is said) and its shape if it is known, lengths that vary by name (`''` where they have none). */
export interface OnnxValue {
  readonly name: string;
  readonly type: string;
  readonly shape?: readonly (number | string)[];
}

/** More axes than tensors have, as in NumPy. */
export const mostAxes = 64;

/** By their numbers in TensorProto.DataType. */
export const types: readonly string[] = [
  '',
  'float',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'double',
  'uint32',
  'uint64',
  'complex64',
  'complex128',
  'bfloat16',
];

/** By their numbers in AttributeProto.AttributeType, each with the field that its value stands in. */
export const attributeTypes = [
  ['other', -1],
  ['float', 2],
  ['int', 3],
  ['string', 4],
  ['tensor', 5],
  ['graph', 6],
  ['floats', 7],
  ['ints', 8],
  ['strings', 9],
] as const;

/** The name of a type, known or not. */
export const typeName = (code: number): string => types[code] ?? `type ${code}`;
