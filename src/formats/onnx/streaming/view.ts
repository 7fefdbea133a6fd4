/**
 * Values of a plan. All of them are strided views, so transposing and slicing move no elements. When a network is
 * planned, the shapes of all values are known, and so are integers and constants; its steps compute only floats.
 */

import { isArrayOf } from '../../../tensor/arrays';
import { type Shape, sizeOf, stridesOf } from '../../../tensor/shape';
import { clampedIntTensor } from '../int-tensors';
import type { Kind } from '../node-reader';
import { checkResultShape } from '../run-limit';

/** A strided view of a constant, or of floats in the workspace, which every step computes. */
export interface View {
  readonly kind: Kind;
  readonly shape: Shape;
  /** The distance between neighbors along each axis; 0 along a repeated axis, and arbitrary along one of length 1. */
  readonly strides: readonly number[];
  /** The position of the first element: in `data`, or else in the workspace. */
  readonly offset: number;
  /** The elements of a constant. */
  readonly data?: Float32Array | Int32Array;
  /** The node that computes integers from the inputs of a step. They have no elements: they can only reach an `If`. */
  readonly dependsOn?: string;
}

/** A constant. */
export type Constant = View & { readonly data: Float32Array | Int32Array };

/** Whether the elements of a value are known before the first step. */
export const isConstant = (x: View): x is Constant => x.data !== undefined;

/** Creates a constant from elements in row-major order. */
export const constant = (shape: Shape, data: Float32Array | Int32Array): Constant => ({
  kind: isArrayOf('Int32Array', data) ? 'int' : 'float',
  shape,
  strides: stridesOf(shape),
  offset: 0,
  data,
});

/** Creates a constant of integers, which are clamped to 32 bits. */
export const integers = (shape: Shape, values: ArrayLike<number>): Constant =>
  constant(shape, clampedIntTensor(shape, values).data);

/** Integers that depend on the inputs of a step, and the node that computes them. */
export const undecided = (shape: Shape, dependsOn: string): View => ({
  kind: 'int',
  shape,
  strides: stridesOf(shape),
  offset: 0,
  dependsOn,
});

/** Whether the strides are row-major. Those along axes of length 1 do not count. */
export function isContiguous({ shape, strides }: View): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/** The row-major strides after the axes are sorted as in `x`: those of a copy of x without gaps. */
export function compactStrides({ shape, strides }: View): readonly number[] {
  const order = [...shape.keys()].sort((a, b) => strides[b]! - strides[a]! || a - b);
  const compact = new Array<number>(shape.length);
  let stride = 1;
  for (const axis of order.reverse()) {
    compact[axis] = stride;
    stride *= shape[axis]!;
  }
  return compact;
}

/** Whether two strides address the same elements of a shape. */
export const sameStrides = (shape: Shape, a: readonly number[], b: readonly number[]): boolean =>
  shape.every((length, axis) => length === 1 || a[axis] === b[axis]);

/** Permutes the axes. */
export const permuted = <X extends View>(x: X, order: readonly number[]): X => ({
  ...x,
  shape: order.map((axis) => x.shape[axis]!),
  strides: order.map((axis) => x.strides[axis]!),
});

/** Selects `count` elements along an axis, from `start` in steps of `step`. */
export const sliced = <X extends View>(x: X, axis: number, start: number, count: number, step: number = 1): X => ({
  ...x,
  shape: x.shape.map((length, i) => (i === axis ? count : length)),
  strides: x.strides.map((stride, i) => (i === axis ? stride * step : stride)),
  offset: count === 0 ? x.offset : x.offset + start * x.strides[axis]!,
});

/** Removes an axis of length 1. */
export const withoutAxis = <X extends View>(x: X, axis: number): X => ({
  ...x,
  shape: x.shape.filter((_, i) => i !== axis),
  strides: x.strides.filter((_, i) => i !== axis),
});

/** Inserts an axis of length 1. */
export const withAxis = (x: View, axis: number): View => ({
  ...x,
  shape: [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)],
  strides: [...x.strides.slice(0, axis), 1, ...x.strides.slice(axis)],
});

/** Repeats x along axes of length 1 and along new leading axes. `shape` must be one that x broadcasts to. */
export function expanded<X extends View>(x: X, shape: Shape): X {
  const newAxes = shape.length - x.shape.length;
  const strides = shape.map((length, axis) => {
    const own = axis - newAxes;
    return own < 0 || (x.shape[own] === 1 && length !== 1) ? 0 : x.strides[own]!;
  });
  return { ...x, shape: checkResultShape(shape), strides };
}

/** The positions of all elements of a strided view, in row-major order. */
export function positionsOf({ shape, strides, offset }: Pick<View, 'shape' | 'strides' | 'offset'>): Int32Array {
  let positions = Int32Array.of(offset);
  shape.forEach((length, axis) => {
    const next = new Int32Array(positions.length * length);
    positions.forEach((position, i) => {
      for (let j = 0; j < length; j++) next[i * length + j] = position + j * strides[axis]!;
    });
    positions = next;
  });
  return positions;
}

/** The elements of a constant in row-major order. */
export function elementsOf(x: Constant): Float32Array | Int32Array {
  const size = sizeOf(x.shape);
  if (isContiguous(x)) return x.data.subarray(x.offset, x.offset + size);
  const positions = positionsOf(x);
  const elements = x.kind === 'int' ? new Int32Array(size) : new Float32Array(size);
  for (let i = 0; i < size; i++) elements[i] = x.data[positions[i]!]!;
  return elements;
}
