/** Windows over time: the steps that a convolution or a pooling combines into one. */

import { checkChoice, checkCount, checkRows, formatShape, mismatch, outOfRange } from '../../tensor/shape';

/**
 * The zeros around a sequence: none (`'valid'`); as many as are needed for ⌈T / stride⌉ output steps, half of them
 * before it, and one more after it if their number is odd (`'same'`, as in Keras); all of them before it, so that the
 * output of a step does not depend on later ones (`'causal'`); or numbers of steps before and after it.
 */
export type Padding = 'valid' | 'same' | 'causal' | readonly [before: number, after: number];

/** How windows move. */
export interface WindowOptions {
  /** The number of steps from one window to the next. Default 1. */
  readonly stride?: number | undefined;
}

/** The windows over a sequence: k taps each. */
export interface Window {
  readonly k: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: Padding;
}

/** The number of steps from the first tap of a window to its last one, including both. */
export const extentOf = ({ k, dilation }: Pick<Window, 'k' | 'dilation'>): number => (k - 1) * dilation + 1;

/** Returns the numbers of padding steps before and after a sequence of `length` steps. */
export function paddingOf({ k, stride, dilation, padding }: Window, length: number): readonly [number, number] {
  if (typeof padding !== 'string') return padding;
  const extent = extentOf({ k, dilation });
  if (padding === 'valid') return [0, 0];
  if (padding === 'causal') return [extent - 1, 0];
  const total = Math.max(0, (Math.ceil(length / stride) - 1) * stride + extent - length);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** Whether each output depends on the same step and on earlier ones only, and there is one per step. */
export function isCausal(window: Window): boolean {
  const [before, after] = paddingOf(window, 1);
  return window.stride === 1 && before === extentOf(window) - 1 && after === 0;
}

/** Returns the number of windows over a sequence of `length` steps. A sequence without steps has none. */
export function windowsOver(window: Window, length: number): number {
  const [before, after] = paddingOf(window, length);
  if (length === 0) return 0;
  return Math.max(0, Math.floor((length + before + after - extentOf(window)) / window.stride) + 1);
}

/**
 * Returns the number of windows over a sequence of T steps.
 *
 * @throws RangeError if there are steps, but no window fits
 */
export function stepsAfter(where: string, window: Window, T: number): number {
  const steps = windowsOver(window, T);
  if (steps > 0 || T === 0) return steps;
  const [before, after] = paddingOf(window, T);
  const least = extentOf(window) - before - after;
  throw outOfRange(
    where,
    'x',
    `at least ${least} steps long, as a window`,
    T,
    'Pad the sequence, or use a shorter window.',
  );
}

/** @throws RangeError if an option of a window is out of range; TypeError if padding is of another type */
export function checkWindow(where: string, { stride, dilation, padding }: Omit<Window, 'k'>): void {
  checkCount(where, 'stride', stride);
  checkCount(where, 'dilation', dilation);
  if (typeof padding === 'string') {
    checkChoice<string>(where, 'padding', padding, ['valid', 'same', 'causal']);
    return;
  }
  if (!Array.isArray(padding))
    throw mismatch(where, 'padding', "'valid', 'same', 'causal' or [before, after]", padding);
  if (padding.length !== 2) throw outOfRange(where, 'padding', '[before, after]', formatShape(padding));
  for (const count of padding) {
    checkCount(where, 'a number of padding', count, 0);
    checkRows(where, 'a number of padding', count);
  }
}

/** @throws RangeError if the number of channels is not a multiple of the number of groups */
export function checkGroups(where: string, argument: string, channels: number, groups: number): void {
  checkCount(where, 'groups', groups);
  if (channels % groups !== 0) throw outOfRange(where, argument, `a multiple of groups = ${groups}`, channels);
}
