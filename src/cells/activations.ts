/** The activation functions of cells. */

import { add, scale, subtract } from '../autodiff/ops/arithmetic';
import { relu } from '../autodiff/ops/elementwise';
import type { Variable } from '../autodiff/tape';
import type { Origin } from '../tensor/origin';
import { checkNumber, mismatch } from '../tensor/shape';

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

/** A function of variables that preserves the shape, such as `relu`. */
export type ActivationFunction = (x: Variable) => Variable;

/** An activation function: `tanh`, `relu`, any other element-wise function of ops, or an {@link ActivationPair}. */
export type Activation = ActivationFunction | ActivationPair;

/**
 * Returns its argument: the activation function `linear` of Keras.
 *
 * @example
 * const model = sequential([recurrent(lstmWith({ activation: linear }), { hiddenSize: 8 })], { inputSize: 2 });
 * predict(model, full([5, 3, 2], 1)).shape; // [5, 3, 8]
 */
export const linear: ActivationFunction = (x) => x;

/**
 * Creates the piecewise linear approximation of the sigmoid, min(1, max(0, slope · x + 1/2)). The slope is 1/6 in Keras
 * 3 and PyTorch (`nn.Hardsigmoid`), 1/5 in Keras 2, TensorFlow.js and ONNX.
 *
 * @param slope 1/6 by default
 * @throws RangeError if `slope` is not a finite number
 * @example
 * compute({ x: tensor([-9, 0, 1.5]) }, ({ x }) => hardSigmoid()(x)).data; // Float32Array [0, 0.5, 0.75]
 */
export function hardSigmoid(slope: number = 1 / 6): ActivationFunction & { readonly origin: Origin } {
  checkNumber('hardSigmoid', 'slope', slope);
  // 1 − max(0, 1 − max(0, y)) is exactly 1 for large y; a difference of two rectified values is not.
  const f: ActivationFunction = (x) => subtract(1, relu(subtract(1, relu(add(scale(x, slope), 0.5)))));
  return Object.assign(f, { origin: ['hardSigmoid', slope] as const });
}

/** @throws TypeError if an activation is not a function */
export function checkActivations(caller: string, activations: Readonly<Record<string, unknown>>): void {
  for (const [name, activation] of Object.entries(activations))
    if (typeof activation !== 'function') throw mismatch(caller, name, 'a function such as relu', activation);
}
