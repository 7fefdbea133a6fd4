/** Element-wise functions. Each returns a new variable of the shape of `x`. */

import { addProduct, addQuotient } from '../../kernels/arithmetic';
import {
  absolute,
  absoluteBackward,
  exponential,
  huberBackward,
  huberOf,
  hyperbolicTangent,
  hyperbolicTangentBackward,
  logarithm,
  rectify,
  rectifyBackward,
  sigmoidal,
  sigmoidalBackward,
  softplusBackward,
  softplusOf,
  squareRoot,
  squareRootBackward,
} from '../../kernels/elementwise';
import type { Kernels } from '../../kernels/kernel';
import { checkNumber } from '../../tensor/shape';
import { gradientOf, type Operand, operand, record, result, type Variable } from '../tape';

/**
 * Computes eˣ.
 *
 * @example
 * compute({ x: tensor([0, 1]) }, ({ x }) => exp(x)).data; // Float32Array [1, 2.71828]
 */
export function exp(x: Operand): Variable {
  return elementwise('exp', x, exponential, addProduct, 'y');
}

/**
 * Computes the natural logarithm: −∞ at 0, NaN for negative values.
 *
 * @example
 * compute({ x: tensor([1, 10]) }, ({ x }) => log(x)).data; // Float32Array [0, 2.30259]
 */
export function log(x: Operand): Variable {
  return elementwise('log', x, logarithm, addQuotient, 'x');
}

/**
 * Computes the square root: NaN for negative values.
 *
 * @example
 * compute({ x: tensor([4, 9]) }, ({ x }) => sqrt(x)).data; // Float32Array [2, 3]
 */
export function sqrt(x: Operand): Variable {
  return elementwise('sqrt', x, squareRoot, squareRootBackward, 'y');
}

/**
 * Computes |x|, with gradient 0 at 0.
 *
 * @example
 * compute({ x: tensor([-2, 3]) }, ({ x }) => abs(x)).data; // Float32Array [2, 3]
 */
export function abs(x: Operand): Variable {
  return elementwise('abs', x, absolute, absoluteBackward, 'x');
}

/**
 * Computes the hyperbolic tangent.
 *
 * @example
 * compute({ x: tensor([0, 1]) }, ({ x }) => tanh(x)).data; // Float32Array [0, 0.761594]
 */
export function tanh(x: Operand): Variable {
  return elementwise('tanh', x, hyperbolicTangent, hyperbolicTangentBackward, 'y');
}

/**
 * Computes the sigmoid, 1 / (1 + e⁻ˣ).
 *
 * @example
 * compute({ x: tensor([0, 1]) }, ({ x }) => sigmoid(x)).data; // Float32Array [0.5, 0.731059]
 */
export function sigmoid(x: Operand): Variable {
  return elementwise('sigmoid', x, sigmoidal, sigmoidalBackward, 'y');
}

/**
 * Computes max(0, x), with gradient 0 at 0.
 *
 * @example
 * compute({ x: tensor([-2, 3]) }, ({ x }) => relu(x)).data; // Float32Array [0, 3]
 */
export function relu(x: Operand): Variable {
  return withNumber('relu', x, rectify, rectifyBackward, 0);
}

/**
 * Computes x if x > 0, and slope · x otherwise (Maas et al., 2013).
 *
 * @param slope 0.01 by default
 * @throws RangeError if the slope is not a finite number
 * @example
 * compute({ x: tensor([-2, 3]) }, ({ x }) => leakyRelu(x, 0.25)).data; // Float32Array [-0.5, 3]
 */
export function leakyRelu(x: Operand, slope = 0.01): Variable {
  checkNumber('leakyRelu', 'slope', slope);
  return withNumber('leakyRelu', x, rectify, rectifyBackward, slope);
}

/**
 * Computes log(1 + eˣ), without overflow.
 *
 * @example
 * compute({ x: tensor([0, 100]) }, ({ x }) => softplus(x)).data; // Float32Array [0.693147, 100]
 */
export function softplus(x: Operand): Variable {
  return elementwise('softplus', x, softplusOf, softplusBackward, 'x');
}

/**
 * Computes x²/2 if |x| ≤ delta, and delta · (|x| − delta/2) otherwise (Huber, 1964).
 *
 * @param delta 1 by default
 * @throws RangeError if delta is negative
 * @example
 * compute({ x: tensor([0.5, 3]) }, ({ x }) => huberize(x)).data; // Float32Array [0.125, 2.5]
 */
export function huberize(x: Operand, delta = 1): Variable {
  checkNumber('huberize', 'delta', delta, 0);
  return withNumber('huberize', x, huberOf, huberBackward, delta);
}

/** Applies a function whose backward kernel reads the input or the output. */
function elementwise(
  where: string,
  x: Operand,
  forward: typeof exponential,
  backward: typeof addProduct,
  saved: 'x' | 'y',
): Variable {
  const [input, output, k] = inputAndOutput(where, x);
  k.of(forward)(output.offset, input.offset, input.size);
  record([output], () =>
    k.of(backward)(gradientOf(input), gradientOf(output), (saved === 'x' ? input : output).offset, input.size),
  );
  return output;
}

/** Applies a function with a number argument, whose backward kernel reads the input. */
function withNumber(
  where: string,
  x: Operand,
  forward: typeof huberOf,
  backward: typeof huberBackward,
  value: number,
): Variable {
  const [input, output, k] = inputAndOutput(where, x);
  k.of(forward)(output.offset, input.offset, value, input.size);
  record([output], () => k.of(backward)(gradientOf(input), gradientOf(output), input.offset, value, input.size));
  return output;
}

function inputAndOutput(where: string, x: Operand): [Variable, Variable, Kernels] {
  const input = operand(where, x);
  return [input, result(input.shape, [input]), input.storage.scope.kernels];
}
