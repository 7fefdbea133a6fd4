/** Trees of named tensors. The parameters of a model, their gradients and the optimizer's moments share one layout. */

import { checkCount, describe, sizeOf } from './shape';
import { isTensor, type Tensor } from './tensor';

/** Named tensors, nested to any depth: `{ rnn: { weightIh, weightHh, bias }, head: { weight, bias } }`. */
export type TensorTree = Tensor | { readonly [name: string]: TensorTree } | readonly TensorTree[];

/** The type of a tree with every tensor replaced by an `L`. */
export type Mapped<P, L> = P extends Tensor
  ? L
  : P extends readonly (infer E)[]
    ? number extends P['length']
      ? MappedArray<E, L>
      : { readonly [K in keyof P]: Mapped<P[K], L> }
    : { readonly [K in keyof P]: Mapped<P[K], L> };

/** The type of an array of trees in {@link Mapped}. An interface, because TypeScript resolves interfaces lazily. */
export interface MappedArray<E, L> extends ReadonlyArray<Mapped<E, L>> {}

/** A tensor of a tree and its path, such as `head.bias`. */
export interface Leaf {
  readonly path: string;
  readonly tensor: Tensor;
}

/**
 * Lists the tensors of a tree in order, each with its path.
 *
 * @throws TypeError if the tree contains anything but tensors, objects and arrays
 * @example
 * leaves({ head: { bias: full([2], 0) } })[0]?.path; // 'head.bias'
 */
export function leaves(tree: TensorTree): Leaf[] {
  const result: Leaf[] = [];
  visitTree(tree, (tensor, path) => result.push({ path, tensor }));
  return result;
}

/** Returns the total number of elements of the tensors of a tree. */
export function treeSize(tree: TensorTree): number {
  let size = 0;
  visitTree(tree, ({ data }) => {
    size += data.length;
  });
  return size;
}

/**
 * Replaces every tensor of a tree by `replace(tensor, path, start)`, where `start` is the total number of elements of
 * the tensors before it.
 *
 * @example
 * mapTree({ head: { bias: full([2], 0) } }, ({ shape }, path) => `${path} ${shape}`).head.bias; // 'head.bias 2'
 */
export function mapTree<P extends TensorTree, L>(
  tree: P,
  replace: (tensor: Tensor, path: string, start: number) => L,
): Mapped<P, L> {
  return visitTree(tree, replace) as Mapped<P, L>;
}

/** Untyped form of {@link mapTree}. `start` is the total number of elements of the preceding tensors. */
export function visitTree(tree: unknown, replace: (tensor: Tensor, path: string, start: number) => unknown): unknown {
  let end = 0;
  const visit = (part: unknown, path: string): unknown => {
    if (isTensor(part)) {
      end += part.data.length;
      return replace(part, path, end - part.data.length);
    }
    if (Array.isArray(part)) return part.map((inner, index) => visit(inner, join(path, String(index))));
    if (typeof part === 'object' && part !== null && !ArrayBuffer.isView(part)) {
      return Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, visit(inner, join(path, name))]));
    }
    throw new TypeError(
      `parameters: ${path === '' ? 'the tree' : path} must be a tensor { shape, data: Float32Array }, or an object ` +
        `or array of tensors, got ${describe(part)}.`,
    );
  };
  return visit(tree, '');
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** A flat buffer and the tree of views into it. */
export interface Flat<P> {
  readonly data: Float32Array;
  readonly tree: P;
}

/**
 * Copies the tensors of a tree into one new flat buffer, in order.
 *
 * @returns the buffer and the tree of views into it
 * @example
 * flattenTree({ a: tensor([1, 2]), b: [tensor([3])] }).data; // Float32Array [1, 2, 3]
 */
export function flattenTree<P extends TensorTree>(tree: P): Flat<P> {
  const flat = treeOver(tree, new Float32Array(treeSize(tree)));
  copyTree(tree, flat.data, 0);
  return flat;
}

/** Copies the tensors of a tree to `offset` in a buffer, contiguous and in order. */
export function copyTree(tree: TensorTree, buffer: Float32Array | Float64Array, offset: number): void {
  visitTree(tree, ({ data }, _, start) => buffer.set(data, offset + start));
}

/**
 * Creates a tree of contiguous views into `data`, with the shapes of `tree`.
 *
 * @throws RangeError if `data` is too short
 * @example
 * treeOver({ a: tensor([0, 0]), b: tensor([0]) }, Float32Array.of(1, 2, 3)).tree.b.data; // Float32Array [3]
 */
export function treeOver<P extends TensorTree>(tree: P, data: Float32Array): Flat<P> {
  checkCount('treeOver', 'data.length', data.length, treeSize(tree));
  const views = visitTree(tree, ({ shape }, _, start) => ({
    shape,
    data: data.subarray(start, start + sizeOf(shape)),
  }));
  return { data, tree: views as P };
}
