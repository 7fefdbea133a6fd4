/** A graph of ONNX in the making. */

import type { Tensor } from '../../tensor/tensor';
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor, OnnxValue } from './model';

/** What is written down so far. The graph of a loop has one of its own, which sees what the one around it knows. */
export interface Builder {
  readonly nodes: OnnxNode[];
  /** Constants of the whole file. */
  readonly constants: Map<string, OnnxTensor>;
  /** What names were given, by their beginnings. */
  readonly counts: Map<string, number>;
}

/** An attribute by what it is in JavaScript: whole numbers are integers, `{ float }` is said. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly graph: OnnxGraph };

/** Begins a graph. */
export const createBuilder = (): Builder => ({ nodes: [], constants: new Map(), counts: new Map() });

/** A graph inside of this one. */
export const innerBuilder = ({ constants, counts }: Builder): Builder => ({ nodes: [], constants, counts });

/** A name that no other value has. */
export function freshName({ counts }: Builder, stem: string): string {
  const count = (counts.get(stem) ?? 0) + 1;
  counts.set(stem, count);
  return count === 1 ? stem : `${stem}_${count}`;
}

/** Adds an operation; answers the names of its results. */
export function addNode(
  builder: Builder,
  opType: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  outputs: number = 1,
): readonly string[] {
  const names = Array.from({ length: outputs }, () => freshName(builder, opType.toLowerCase()));
  const own = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)]));
  builder.nodes.push({
    opType,
    domain: '',
    name: freshName(builder, `${opType}Node`),
    inputs,
    outputs: names,
    attributes: own,
  });
  return names;
}

/** {@link addNode} with one result. */
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
  return value.every((each) => typeof each === 'string') && value.length > 0
    ? { type: 'strings', value }
    : { type: 'ints', value: value as readonly number[] };
}

/** A constant of single precision under a name of its own, or a number. */
export function constant(builder: Builder, stem: string, value: Tensor | number): string {
  const { shape, data } = typeof value === 'number' ? { shape: [], data: Float32Array.of(value) } : value;
  const name = freshName(builder, stem);
  builder.constants.set(name, { name, shape, type: 'float', data });
  return name;
}

/** Whole numbers, the same for every place that needs them. */
export function integers(builder: Builder, ...values: readonly number[]): string {
  const name = `integers(${values.join()})`;
  builder.constants.set(name, {
    name,
    shape: [values.length],
    type: 'int64',
    data: BigInt64Array.from(values, BigInt),
  });
  return name;
}

/** Gives a value another name, under which it leaves the graph. */
export function rename(builder: Builder, value: string, name: string): string {
  builder.nodes.push({
    opType: 'Identity',
    domain: '',
    name: freshName(builder, 'IdentityNode'),
    inputs: [value],
    outputs: [name],
    attributes: {},
  });
  return name;
}

/** A graph of what was written down. */
export const graphOf = (
  builder: Builder,
  name: string,
  inputs: readonly OnnxValue[],
  outputs: readonly OnnxValue[],
  initializers: readonly OnnxTensor[] = [],
): OnnxGraph => ({ name, nodes: builder.nodes, initializers, inputs, outputs, values: [] });
