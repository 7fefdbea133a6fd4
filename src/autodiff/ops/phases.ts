/**
 * The taps of windows as contiguous rows. Rows are time-major, so the rows that tap j of all windows reads are those of
 * tap 0, shifted by j · dilation · B. With a stride, this holds for each phase: the steps of equal remainder modulo the
 * stride, which are copied to be contiguous.
 */

import { addStrided, copyStrided } from '../../kernels/movement';
import { allocate, allocateZeros } from '../../kernels/workspace';
import type { Scope } from '../tape';

/** The sizes of windows over `[T, B, I]`. */
export interface WindowSizes {
  readonly T: number;
  readonly B: number;
  readonly I: number;
  /** The number of taps. */
  readonly k: number;
  readonly stride: number;
  readonly dilation: number;
  /** T′, the number of windows. */
  readonly steps: number;
  /** The number of padding steps before the sequence. */
  readonly before: number;
}

/** A tap of all windows: the windows `from` to `to` read it inside of the sequence, all others in the padding. */
export interface Tap {
  readonly from: number;
  readonly to: number;
  /** The offset of the tap of window 0 in the phases of the input; negative if it is in the padding. */
  readonly source: number;
  /** The step of the tap of window 0. */
  readonly first: number;
}

/** The taps of the windows. */
export function tapsOf({ T, B, I, k, stride, dilation, steps, before }: WindowSizes): readonly Tap[] {
  return Array.from({ length: k }, (_, j) => {
    const first = j * dilation - before;
    const shift = Math.floor(first / stride);
    const phase = first - shift * stride;
    const from = Math.min(steps, Math.max(0, -shift));
    const to = Math.max(from, Math.min(steps, Math.ceil((T - phase) / stride) - shift));
    return { from, to, first, source: (phase * Math.ceil(T / stride) + shift) * B * I };
  });
}

/** The shape of a phase, and its strides in the input and in the copy. */
function phaseOf({ T, B, I, stride }: WindowSizes, phase: number, width: number) {
  const steps = Math.ceil((T - phase) / stride);
  return width === I
    ? { shape: [steps, B * I], input: [stride * B * I, 1], copy: [B * I, 1] }
    : { shape: [steps, B, I], input: [stride * B * width, width, 1], copy: [B * I, I, 1] };
}

/** The number of elements of all phases, each of ⌈T / stride⌉ steps. */
const phasesSize = ({ T, B, I, stride }: WindowSizes): number => stride * Math.ceil(T / stride) * B * I;

/**
 * Returns the phases of the first I columns of x [T·B, width]: x itself with stride 1 and width I, otherwise a copy.
 */
export function phasesOf(scope: Scope, sizes: WindowSizes, x: number, width: number): number {
  const { T, B, I, stride } = sizes;
  if (stride === 1 && width === I) return x;
  const size = phasesSize(sizes);
  const offset = allocate(scope.workspace, size);
  for (let p = 0; p < Math.min(stride, T); p++) {
    const { shape, input, copy } = phaseOf(sizes, p, width);
    scope.kernels.of(copyStrided)(offset + (p * size) / stride, copy, x + p * B * width, input, shape);
  }
  return offset;
}

/** Calls `add` with the phases of the gradient of x, and adds them to that gradient. */
export function addToPhases(
  scope: Scope,
  sizes: WindowSizes,
  dx: number,
  width: number,
  add: (dphases: number) => void,
): void {
  const { T, B, I, stride } = sizes;
  if (stride === 1 && width === I) {
    add(dx);
    return;
  }
  const size = phasesSize(sizes);
  const dphases = allocateZeros(scope.workspace, size);
  add(dphases);
  for (let p = 0; p < Math.min(stride, T); p++) {
    const { shape, input, copy } = phaseOf(sizes, p, width);
    scope.kernels.of(addStrided)(dx + p * B * width, input, dphases + (p * size) / stride, copy, shape);
  }
}
