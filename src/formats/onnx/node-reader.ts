/** What an operator sees of its node when a model is imported, and what it makes of it. */

import type { Variable } from '../../autodiff/tape';
import type { IntTensor, Tensor } from '../../tensor/tensor';
import type { OnnxAttribute, OnnxNode } from './model';

/** Numbers on the tape, or whole numbers (shapes, indices, lengths) beside it. */
export type Kind = 'float' | 'whole';

/** What flows between nodes. */
export type Value = Variable | IntTensor;

/** What comes in or goes out, nothing where an optional one is not given. */
export type Values = readonly (Value | undefined)[];

/** The parameters of a recurrent node, in the layout of its cell, by direction and name. */
export type OwnParameters<L = Tensor> = Readonly<Record<string, Readonly<Record<string, L>>>>;

/** A node, ready to run. */
export interface Prepared {
  /** Of everything that goes out. */
  readonly kind: Kind;
  /** How many values it can answer; 1 by default. */
  readonly outputs?: number;
  readonly run: (values: Values, own: OwnParameters<Variable>) => Values;
  /** What becomes of the constants that belong to it alone. */
  readonly own?: OwnParameters;
}

/** A node while it is read. */
export interface NodeReader {
  readonly node: OnnxNode;
  /** The version of ONNX' operators. */
  readonly opset: number;
  /** Of what comes in; nothing where it is not given, or comes from a node that was refused. */
  readonly kinds: readonly (Kind | undefined)[];
  /** The constant that comes in there, if it is of floats and belongs to this node alone. */
  readonly constant: (input: number) => Tensor | undefined;
  /** The attributes that were asked for. */
  readonly seen: Set<string>;
}

/** Reads a node. @throws RangeError with the reason why it cannot be run */
export type Operator = (reader: NodeReader) => Prepared;

/** What an input must be; `?` where it may be missing. */
type Wanted = Kind | 'any' | `${Kind}?` | 'any?';

/** @throws RangeError unless as much comes in as is wanted, and of that kind */
export function takes({ node: { inputs }, kinds }: NodeReader, wanted: readonly Wanted[]): void {
  if (inputs.slice(wanted.length).some((name) => name !== ''))
    throw new RangeError(`takes at most ${wanted.length} inputs, got ${inputs.length}`);
  wanted.forEach((each, i) => {
    const missing = (inputs[i] ?? '') === '';
    if (missing && !each.endsWith('?')) throw new RangeError(`lacks its input ${i}`);
    const kind = kinds[i];
    if (kind !== undefined && !each.startsWith('any') && !each.startsWith(kind)) {
      throw new RangeError(
        `is known with ${each.startsWith('float') ? 'floats' : 'whole numbers'} as its input ${i}, got ${kind === 'float' ? 'floats' : 'whole numbers'}`,
      );
    }
  });
}

/** An operator of one value, of the kind of what comes in first unless said otherwise. */
export function prepared(
  { kinds }: NodeReader,
  run: (...values: Value[]) => Value,
  kind: Kind | undefined = kinds[0],
): Prepared {
  return { kind: kind!, run: (values: Values) => [run(...(values as Value[]))] };
}

/** An attribute, nothing where it is not given. @throws RangeError where it has another type */
export function attribute<K extends OnnxAttribute['type']>(
  { node, seen }: NodeReader,
  name: string,
  type: K,
): Extract<OnnxAttribute, { type: K; value: unknown }>['value'] | undefined {
  seen.add(name);
  const found = Object.hasOwn(node.attributes, name) ? node.attributes[name] : undefined;
  if (found !== undefined && found.type !== type)
    throw new RangeError(`has ${name} of the type ${found.type}, which should be ${type}`);
  return (found as { value?: never } | undefined)?.value;
}
