/** A plan: the memory of a network and the functions that one step calls, in order. */

import type { Heap, Kernels, Memory } from '../../../kernels/kernel';
import { copy } from '../../../kernels/movement';
import { packPanels, panelsSize } from '../../../kernels/product';
import {
  copyInto,
  type Reservation,
  reserve,
  reserveCopy,
  type Workspace,
  withMemory,
} from '../../../kernels/workspace';
import { lastOf } from '../../../tensor/arrays';
import { type Shape, sizeOf, stridesOf } from '../../../tensor/shape';
import { checkResultShape } from '../run-limit';
import {
  type Constant,
  compactStrides,
  constant,
  elementsOf,
  isConstant,
  isContiguous,
  positionsOf,
  sameStrides,
  type View,
} from './view';

/** The plan of a network. Its streams share it, with the weights and buffers in its memory. */
export interface Plan {
  readonly workspace: Workspace;
  readonly kernels: Kernels;
  readonly memory: Memory;
  readonly reservation: Reservation;
  /** The functions that a step calls. They allocate nothing, and read `memory.view` at every call. */
  readonly steps: (() => void)[];
}

/** Reserves memory for a value that a step computes. */
export function newView({ reservation }: Plan, shape: Shape, strides?: readonly number[]): View {
  const offset = reserve(reservation, sizeOf(checkResultShape(shape)));
  return { kind: 'float', shape, strides: strides ?? stridesOf(shape), offset };
}

/** Reserves memory for a value that steps overwrite in part, and fills it once. */
export function newFilled(plan: Plan, shape: Shape, value: number): View {
  const y = newView(plan, shape);
  plan.memory.view.fill(value, y.offset, y.offset + sizeOf(shape));
  return y;
}

/** Copies elements to the memory of the plan, once, and returns their offset. */
export const place = ({ reservation }: Plan, elements: ArrayLike<number>): number => reserveCopy(reservation, elements);

/** Packs a matrix `[K, N]` for the products of all steps, once, and returns the offset of its panels. */
export function placePanels({ workspace, kernels, reservation }: Plan, matrix: Float32Array, K: number): number {
  const N = matrix.length / K;
  const panels = reserve(reservation, panelsSize(K, N));
  withMemory(workspace, () => kernels.of(packPanels)(panels, copyInto(workspace, matrix), K, N, false));
  return panels;
}

/** Returns x in row-major order: itself, if it is, or else a copy. */
export function contiguous(plan: Plan, x: View): View {
  if (isContiguous(x)) return { ...x, strides: stridesOf(x.shape) };
  return isConstant(x) ? constant(x.shape, elementsOf(x)) : copied(plan, x, stridesOf(x.shape));
}

/** Returns x without gaps or repeated elements, with its axes in any order: itself, if it is, or else a copy. */
export function compact(plan: Plan, x: View): View {
  const strides = compactStrides(x);
  return sameStrides(x.shape, x.strides, strides) ? { ...x, strides } : copied(plan, x, strides);
}

/** Returns the offset of x in the workspace, with the given strides. */
export function offsetOf(plan: Plan, x: View, strides: readonly number[] = stridesOf(x.shape)): number {
  if (isConstant(x)) return placeConstant(plan, x, strides);
  return sameStrides(x.shape, x.strides, strides) ? x.offset : copied(plan, x, strides).offset;
}

function placeConstant(plan: Plan, x: Constant, strides: readonly number[]): number {
  const elements = elementsOf(x);
  const ordered = new Float32Array(elements.length);
  positionsOf({ shape: x.shape, strides, offset: 0 }).forEach((position, i) => {
    ordered[position] = elements[i]!;
  });
  return place(plan, ordered);
}

/** A copy with other strides, which every step makes. */
function copied(plan: Plan, x: View, strides: readonly number[]): View {
  const y = newView(plan, x.shape, strides);
  addCopy(plan, y, x);
  return y;
}

/** Adds the step y = x for views of one shape. */
export function addCopy(plan: Plan, y: View, x: View): void {
  const source = isConstant(x) ? { ...x, strides: stridesOf(x.shape), offset: offsetOf(plan, x) } : x;
  plan.steps.push(copyStep(plan, y, source));
}

/** Returns the function that copies x to y, row by row along the axis in which y is contiguous. */
function copyStep({ kernels, memory }: Plan, y: View, x: View): () => void {
  const axes = mergedAxes(y, x);
  const [n, yStride, xStride] = axes.pop() ?? [1, 1, 1];
  const shape = axes.map(([length]) => length);
  const yRows = positionsOf({ shape, strides: axes.map(([, stride]) => stride), offset: y.offset });
  const xRows = positionsOf({ shape, strides: axes.map(([, , stride]) => stride), offset: x.offset });
  const copyRow = kernels.of(copy);
  if (yStride === 1 && xStride === 1 && n >= 8)
    return () => {
      for (let r = 0; r < yRows.length; r++) copyRow(yRows[r]!, xRows[r]!, n);
    };
  return () => {
    const m = memory.view;
    for (let r = 0; r < yRows.length; r++) copyElements(m, yRows[r]!, yStride, xRows[r]!, xStride, n);
  };
}

function copyElements(m: Heap, y: number, yStride: number, x: number, xStride: number, n: number): void {
  for (let i = 0; i < n; i++) m[y + i * yStride] = m[x + i * xStride]!;
}

/** The axes of two views, sorted by the strides of y, with those that are one axis in both merged. */
function mergedAxes(y: View, x: View): [length: number, yStride: number, xStride: number][] {
  const axes = y.shape
    .map((length, axis): [number, number, number] => [length, y.strides[axis]!, x.strides[axis]!])
    .filter(([length]) => length !== 1)
    .sort(([, a], [, b]) => b - a);
  const merged: [number, number, number][] = [];
  for (const [length, yStride, xStride] of axes) {
    const outer = lastOf(merged);
    if (outer !== undefined && outer[1] === length * yStride && outer[2] === length * xStride)
      merged.splice(-1, 1, [outer[0] * length, yStride, xStride]);
    else merged.push([length, yStride, xStride]);
  }
  return merged;
}
