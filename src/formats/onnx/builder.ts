/** Construction of ONNX graphs. */

import type { Tensor } from '../../tensor/tensor';
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor, OnnxValue } from './model';

/**
 * An ONNX graph under construction. The body of a loop has a separate builder, which shares the constants and the names
 * of the outer graph.
 */
export interface Builder {
  readonly nodes: OnnxNode[];
  /** The constants of the file by name. */
  readonly constants: Map<string, OnnxTensor>;
  /** How many values have been named after each stem. */
  readonly counts: Map<string, number>;
}

/** The value of an attribute. A plain number is an integer; floats are wrapped. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly graph: OnnxGraph };

/** Creates a builder for the outer graph. */
export const createBuilder = (): Builder => ({ nodes: [], constants: new Map(), counts: new Map() });

/** Creates a builder for a graph inside another. */
export const innerBuilder = ({ constants, counts }: Builder): Builder => ({ nodes: [], constants, counts });

/** Reserves a name that no other value has. */
export function freshName({ counts }: Builder, stem: string): string {
  const count = (counts.get(stem) ?? 0) + 1;
  counts.set(stem, count);
  return count === 1 ? stem : `${stem}_${count}`;
}

/** Adds a node and returns the names of its outputs. */
export function addNode(
  builder: Builder,
  opType: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  outputs: number = 1,
): readonly string[] {
  const names = Array.from({ length: outputs }, () => freshName(builder, opType.toLowerCase()));
  pushNode(builder, opType, inputs, names, attributes);
  return names;
}

function pushNode(
  builder: Builder,
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>>,
): void {
  builder.nodes.push({
    opType,
    domain: '',
    name: freshName(builder, `${opType}Node`),
    inputs,
    outputs,
    attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)])),
  });
}

/** Adds a node with one output and returns its name. */
export const add = (
  builder: Builder,
  opType: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): string => addNode(builder, opType, inputs, attributes)[0]!;

function attributeOf(value: Attribute): OnnxAttribute {
  if (typeof value === 'number') return { type: 'int', value };
  if (typeof value === 'string') return { type: 'string', value };
  if ('float' in value) return { type: 'float', value: value.float };
  if ('floats' in value) return { type: 'floats', value: value.floats };
  if ('graph' in value) return { type: 'graph', value: value.graph };
  // All elements of a list have the same type; an empty one counts as integers.
  return typeof value[0] === 'string'
    ? { type: 'strings', value: value as readonly string[] }
    : { type: 'ints', value: value as readonly number[] };
}

/** Adds a float constant, a tensor or a scalar, under a new name. Returns the name. */
export function addConstant(builder: Builder, stem: string, value: Tensor | number): string {
  const { shape, data } = typeof value === 'number' ? { shape: [], data: Float32Array.of(value) } : value;
  const name = freshName(builder, stem);
  builder.constants.set(name, { name, shape, type: 'float', data });
  return name;
}

/** Adds a vector of integers; equal vectors share one constant. Returns its name. */
export function addIntegers(builder: Builder, ...values: readonly number[]): string {
  const name = `integers(${values.join()})`;
  builder.constants.set(name, {
    name,
    shape: [values.length],
    type: 'int64',
    data: BigInt64Array.from(values, BigInt),
  });
  return name;
}

/** Adds an output of the graph: the value under another name. Returns that name. */
export function addAlias(builder: Builder, value: string, name: string): string {
  pushNode(builder, 'Identity', [value], [name], {});
  return name;
}

/** The graph with the nodes added so far. */
export const graphOf = (
  builder: Builder,
  name: string,
  inputs: readonly OnnxValue[],
  outputs: readonly OnnxValue[],
  initializers: readonly OnnxTensor[] = [],
): OnnxGraph => ({ name, nodes: builder.nodes, initializers, inputs, outputs, values: [] });
