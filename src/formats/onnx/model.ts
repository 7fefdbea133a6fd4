/** The part of onnx.proto (github.com/onnx/onnx) that recurrent networks use, as plain data. */

import type { Shape } from '../../tensor/shape';

/** The content of a file. */
export interface OnnxModel {
  readonly irVersion: number;
  readonly producer: { readonly name: string; readonly version: string };
  /** The versions of the operator sets by domain; the domain of ONNX itself is `''`. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly graph: OnnxGraph;
}

/** A graph: nodes in the order in which they run, connected by the names of values. */
export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Types and shapes of intermediate values (`value_info`). */
  readonly values: readonly OnnxValue[];
}

/** One operation. */
export interface OnnxNode {
  readonly opType: string;
  /** `''` for ONNX itself. */
  readonly domain: string;
  readonly name: string;
  /** The names of the inputs; `''` for an omitted optional one. */
  readonly inputs: readonly string[];
  /** The names of the outputs; `''` for an unused one. */
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** An attribute of a node. Attributes of types that no supported operator has are of type `other`. */
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

/** A tensor; its name is `''` if it has none. */
export type OnnxTensor = { readonly name: string; readonly shape: Shape } & OnnxTensorData;

/** The elements of a tensor by data type, row-major. */
export type OnnxTensorData =
  | { readonly type: 'float'; readonly data: Float32Array }
  | { readonly type: 'double'; readonly data: Float64Array }
  /** The bits of each element. */
  | { readonly type: 'float16' | 'bfloat16'; readonly data: Uint16Array }
  | { readonly type: 'int8'; readonly data: Int8Array }
  | { readonly type: 'uint8'; readonly data: Uint8Array }
  | { readonly type: 'int32'; readonly data: Int32Array }
  | { readonly type: 'int64'; readonly data: BigInt64Array }
  | { readonly type: 'bool'; readonly data: Uint8Array };

/** The declaration of an input or output of an ONNX model. */
export interface OnnxValue {
  readonly name: string;
  /** The data type in the file; `''` if it is not declared. */
  readonly type: string;
  /** The shape, if it is declared; a free length is its name, or `''` if it has none. */
  readonly shape?: readonly (number | string)[];
}

/** The files next to a model that have the data of its tensors, by their names in the model. */
export type ExternalData = Readonly<Record<string, Uint8Array | ArrayBuffer>>;

/** The largest supported rank of a tensor, as in NumPy. */
export const maxAxes = 64;

/** The data types, by their number in TensorProto.DataType. */
export const dataTypes: readonly string[] = [
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

/** The attribute types, by their number in AttributeProto.AttributeType, each with the field number of its value. */
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

/** The name of a data type; `type n` if it is unknown. */
export const typeName = (code: number): string => dataTypes[code] ?? `type ${code}`;
