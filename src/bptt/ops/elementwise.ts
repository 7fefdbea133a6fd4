/** Functions of every element alone. Each answers a new variable of the shape of `x`. */

import type { Kernels } from '../../kernels/kernels';
import { checkNumber } from '../../tensor/shape';
import { currentScope, gradientOf, operand, record, result, type Operand, type Variable } from '../tape';

/**
 * eˣ.
 *
 * @example
 * compute({ x: tensor([0, 1]) }, ({ x }) => exp(x)).data; // Float32Array [1, 2.71828]
 */
export function exp(x: Operand): Variable {
  return elementwise('exp', x, (k, y, x, n) => k.exp(y, x, n), (k, dx, dy, y, _x, n) => k.expBackward(dx, dy, y, n));
}

/**
 * The natural logarithm; −∞ at 0, NaN below.
 *
 * @example
 * compute({ x: tensor([1, 10]) }, ({ x }) => log(x)).data; // Float32Array [0, 2.30259]
 */
export function log(x: Operand): Variable {
  return elementwise('log', x, (k, y, x, n) => k.log(y, x, n), (k, dx, dy, _y, x, n) => k.logBackward(dx, dy, x, n));
}

/**
 * The square root; NaN below 0.
 *
 * @example
 * compute({ x: tensor([4, 9]) }, ({ x }) => sqrt(x)).data; // Float32Array [2, 3]
 */
export function sqrt(x: Operand): Variable {
  return elementwise('sqrt', x, (k, y, x, n) => k.sqrt(y, x, n), (k, dx, dy, y, _x, n) => k.sqrtBackward(dx, dy, y, n));
}

/**
 * |x|, with gradient 0 at 0.
 *
 * @example
 * compute({ x: tensor([-2, 3]) }, ({ x }) => abs(x)).data; // Float32Array [2, 3]
 */
export function abs(x: Operand): Variable {
  return elementwise('abs', x, (k, y, x, n) => k.abs(y, x, n), (k, dx, dy, _y, x, n) => k.absBackward(dx, dy, x, n));
}

/**
 * The hyperbolic tangent.
 *
 * @example
 * compute({ x: tensor([0, 1]) }, ({ x }) => tanh(x)).data; // Float32Array [0, 0.761594]
 */
export function tanh(x: Operand): Variable {
  return elementwise('tanh', x, (k, y, x, n) => k.tanh(y, x, n), (k, dx, dy, y, _x, n) => k.tanhBackward(dx, dy, y, n));
}

/**
 * 1 / (1 + e⁻ˣ).
 *
 * @example
 * compute({ x: tensor([0, 1]) }, ({ x }) => sigmoid(x)).data; // Float32Array [0.5, 0.731059]
 */
export function sigmoid(x: Operand): Variable {
  return elementwise('sigmoid', x, (k, y, x, n) => k.sigmoid(y, x, n), (k, dx, dy, y, _x, n) => k.sigmoidBackward(dx, dy, y, n));
}

/**
 * max(0, x), with gradient 0 at 0.
 *
 * @example
 * compute({ x: tensor([-2, 3]) }, ({ x }) => relu(x)).data; // Float32Array [0, 3]
 */
export function relu(x: Operand): Variable {
  return rectify('relu', x, 0);
}

/**
 * x where x > 0, else slope · x (Maas et al., 2013).
 *
 * @throws RangeError where the slope is not a finite number
 * @example
 * compute({ x: tensor([-2, 3]) }, ({ x }) => leakyRelu(x, 0.25)).data; // Float32Array [-0.5, 3]
 */
export function leakyRelu(x: Operand, slope = 0.01): Variable {
  checkNumber('leakyRelu', 'slope', slope);
  return rectify('leakyRelu', x, slope);
}

/**
 * log(1 + eˣ).
 *
 * @example
 * compute({ x: tensor([0, 100]) }, ({ x }) => softplus(x)).data; // Float32Array [0.693147, 100]
 */
export function softplus(x: Operand): Variable {
  return elementwise('softplus', x, (k, y, x, n) => k.softplus(y, x, n), (k, dx, dy, _y, x, n) => k.softplusBackward(dx, dy, x, n));
}

/**
 * x²/2 where |x| ≤ delta, else delta · (|x| − delta/2) (Huber, 1964).
 *
 * @throws RangeError where delta is negative
 * @example
 * compute({ x: tensor([0.5, 3]) }, ({ x }) => huberize(x)).data; // Float32Array [0.125, 2.5]
 */
export function huberize(x: Operand, delta = 1): Variable {
  checkNumber('huberize', 'delta', delta, 0);
  return elementwise(
    'huberize', x, (k, y, x, n) => k.huber(y, x, delta, n), (k, dx, dy, _y, x, n) => k.huberBackward(dx, dy, x, delta, n),
  );
}

function rectify(where: string, x: Operand, slope: number): Variable {
  return elementwise(
    where, x, (k, y, x, n) => k.leakyRelu(y, x, slope, n), (k, dx, dy, _y, x, n) => k.leakyReluBackward(dx, dy, x, slope, n),
  );
}

function elementwise(
  where: string,
  x: Operand,
  forward: (k: Kernels, y: number, x: number, n: number) => void,
  backward: (k: Kernels, dx: number, dy: number, y: number, x: number, n: number) => void,
): Variable {
  const input = operand(where, x);
  const scope = currentScope(where);
  const { kernels: k } = scope;
  const output = result(scope, input.shape, [input]);
  forward(k, output.offset, input.offset, input.size);
  record([output], () => backward(k, gradientOf(input), gradientOf(output), output.offset, input.offset, input.size));
  return output;
}
