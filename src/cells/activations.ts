/** The activation functions that `simpleRnn` accepts. */

import type { Variable } from '../autodiff/tape';

/**
 * An element-wise function and its derivative, both as plain functions of a number. The derivative takes the output y
 * of the function, not its input: for tanh it is 1 − y².
 *
 * @example
 * const hardTanh: ActivationPair = {
 *   name: 'hardTanh', forward: (x) => Math.max(-1, Math.min(1, x)), derivative: (y) => (Math.abs(y) < 1 ? 1 : 0),
 * };
 */
export interface ActivationPair {
  /** The name of the function. */
  readonly name: string;
  /** Computes y from x. */
  readonly forward: (x: number) => number;
  /** Computes dy/dx from y. */
  readonly derivative: (y: number) => number;
}

/** An activation function: `tanh`, `relu`, any other element-wise function of ops, or an {@link ActivationPair}. */
export type Activation = ((x: Variable) => Variable) | ActivationPair;
