/** Activations of the simple recurrent cell: ops of the library, functions of ops, or pairs of plain functions. */

import type { Variable } from '../autodiff/tape';

/**
 * A function of one number and its derivative as a function of the result, as tanh has 1 − y².
 *
 * @example
 * const hardTanh: ActivationPair = {
 *   name: 'hardTanh', forward: (x) => Math.max(-1, Math.min(1, x)), derivative: (y) => (Math.abs(y) < 1 ? 1 : 0),
 * };
 */
export interface ActivationPair {
  readonly name: string;
  readonly forward: (x: number) => number;
  readonly derivative: (y: number) => number;
}

/** `tanh`, `relu`, any other function of ops, or a pair. */
export type Activation = ((x: Variable) => Variable) | ActivationPair;
