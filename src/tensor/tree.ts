/** Trees of named tensors. The parameters of a model, their gradients and the optimizer's moments share one layout. */

import { isArrayOf } from './arrays';
import { mapParts } from './named-values';
import { checkCount, checkFunction, isObject, mismatch, sizeOf } from './shape';
import { checkSize, isTensor, type Tensor } from './tensor';

/**
 * Named tensors, nested to any depth: `{ rnn: { weightIh, weightHh, bias }, head: { weight, bias } }`. Declare the type
 * of a tree with `type`: TypeScript does not assign an `interface` to a type with an index signature.
 */
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
  return leavesOf('leaves', tree);
}

/** Lists the tensors of a tree as {@link leaves} does, for the public function `where`. */
export function leavesOf(where: string, tree: TensorTree): Leaf[] {
  const result: Leaf[] = [];
  visitTree(where, tree, (tensor, path) => result.push({ path, tensor }));
  return result;
}

/** Returns the total number of elements of the tensors of a tree. */
export function treeSize(where: string, tree: TensorTree): number {
  let size = 0;
  visitTree(where, tree, ({ data }) => {
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
  checkFunction('mapTree', 'replace', replace);
  return visitTree('mapTree', tree, replace) as Mapped<P, L>;
}

/** Untyped form of {@link mapTree}, for the public function `where`. */
export function visitTree(
  where: string,
  tree: unknown,
  replace: (tensor: Tensor, path: string, start: number) => unknown,
): unknown {
  let end = 0;
  const visit = (part: unknown, path: string, depth: number): unknown => {
    const name = path === '' ? 'the tree' : path;
    if (isTensor(part)) {
      checkSize(where, name, part.shape, part.data.length);
      end += part.data.length;
      return replace(part, path, end - part.data.length);
    }
    // Tensors of other types are rejected as a whole. At most 99 levels: an object may contain itself.
    if (isObject(part) && !ArrayBuffer.isView((part as Partial<Tensor>).data ?? part) && depth < 99) {
      return mapParts(part, (inner, key) => visit(inner, join(path, key), depth + 1));
    }
    throw mismatch(where, name, 'a tensor { shape, data: Float32Array }, or an object or array of tensors', part);
  };
  return visit(tree, '', 0);
}

/** Joins the path of an object and the name of a part: `head` and `bias` are `head.bias`. */
export function join(path: string, name: string): string {
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
  const flat = treeOver(tree, new Float32Array(treeSize('flattenTree', tree)));
  copyTree(tree, flat.data, 0);
  return flat;
}

/** Copies the tensors of a tree to `offset` in a buffer, contiguous and in order. */
export function copyTree(tree: TensorTree, buffer: Float32Array | Float64Array, offset: number): void {
  visitTree('copyTree', tree, ({ data }, _, start) => buffer.set(data, offset + start));
}

/**
 * Creates a tree of contiguous views into `data`, with the shapes of `tree`.
 *
 * @throws RangeError if `data` is too short
 * @example
 * treeOver({ a: tensor([0, 0]), b: tensor([0]) }, Float32Array.of(1, 2, 3)).tree.b.data; // Float32Array [3]
 */
export function treeOver<P extends TensorTree>(tree: P, data: Float32Array): Flat<P> {
  if (!isArrayOf('Float32Array', data)) throw mismatch('treeOver', 'data', 'a Float32Array', data);
  checkCount('treeOver', 'data.length', data.length, treeSize('treeOver', tree));
  const views = visitTree('treeOver', tree, ({ shape }, _, start) => ({
    shape,
    data: data.subarray(start, start + sizeOf(shape)),
  }));
  return { data, tree: views as P };
}
