/** Addition, subtraction, multiplication and division, with broadcasting under NumPy's rules. */

import {
  addition,
  addProduct,
  addQuotient,
  addScaled,
  division,
  divisionBackward,
  multiplication,
  scaling,
  subtraction,
} from '../../kernels/arithmetic';
import type { Kernels } from '../../kernels/kernel';
import {
  broadcastShapes,
  checkedSize,
  checkNumber,
  formatShape,
  outOfRange,
  type Shape,
  sameShape,
  stridesOf,
} from '../../tensor/shape';
import { gradientOf, type Operand, operand, record, result, type Variable } from '../tape';
import { gatherStrided } from './movement';

/**
 * Computes a + b, element-wise.
 *
 * @throws RangeError if the shapes do not broadcast
 * @example
 * compute({ x: tensor([[1, 2], [3, 4]]) }, ({ x }) => add(x, tensor([10, 20]))).data; // Float32Array [11, 22, 13, 24]
 */
export function add(a: Operand, b: Operand): Variable {
  const [x, y] = broadcastPair('add', a, b);
  return binary(x, y, addition, (k, dy, n) => {
    if (x.storage.tracked) k.of(addScaled)(gradientOf(x), dy, 1, n);
    if (y.storage.tracked) k.of(addScaled)(gradientOf(y), dy, 1, n);
  });
}

/**
 * Computes a − b, element-wise.
 *
 * @throws RangeError if the shapes do not broadcast
 * @example
 * compute({ x: tensor([[1, 2], [3, 4]]) }, ({ x }) => subtract(x, tensor([1, 1]))).data; // Float32Array [0, 1, 2, 3]
 */
export function subtract(a: Operand, b: Operand): Variable {
  const [x, y] = broadcastPair('subtract', a, b);
  return binary(x, y, subtraction, (k, dy, n) => {
    if (x.storage.tracked) k.of(addScaled)(gradientOf(x), dy, 1, n);
    if (y.storage.tracked) k.of(addScaled)(gradientOf(y), dy, -1, n);
  });
}

/**
 * Computes a · b, element-wise.
 *
 * @throws RangeError if the shapes do not broadcast
 * @example
 * const factors = tensor([[2], [3]]);
 * compute({ x: tensor([[1, 2], [3, 4]]) }, ({ x }) => multiply(x, factors)).data; // Float32Array [2, 4, 9, 12]
 */
export function multiply(a: Operand, b: Operand): Variable {
  const [x, y] = broadcastPair('multiply', a, b);
  return binary(x, y, multiplication, (k, dy, n) => {
    if (x.storage.tracked) k.of(addProduct)(gradientOf(x), dy, y.offset, n);
    if (y.storage.tracked) k.of(addProduct)(gradientOf(y), dy, x.offset, n);
  });
}

/**
 * Computes a / b, element-wise.
 *
 * @throws RangeError if the shapes do not broadcast
 * @example
 * compute({ x: tensor([1, 2, 3]) }, ({ x }) => divide(x, tensor(2))).data; // Float32Array [0.5, 1, 1.5]
 */
export function divide(a: Operand, b: Operand): Variable {
  const [x, y] = broadcastPair('divide', a, b);
  return binary(x, y, division, (k, dy, n, quotient) => {
    if (x.storage.tracked) k.of(addQuotient)(gradientOf(x), dy, y.offset, n);
    if (y.storage.tracked) k.of(divisionBackward)(gradientOf(y), dy, quotient, y.offset, n);
  });
}

/**
 * Computes factor · x.
 *
 * @throws RangeError if the factor is not a finite number
 * @example
 * compute({ x: tensor([1, 2]) }, ({ x }) => scale(x, -3)).data; // Float32Array [-3, -6]
 */
export function scale(x: Operand, factor: number): Variable {
  checkNumber('scale', 'factor', factor);
  const input = operand('scale', x);
  const k = input.storage.scope.kernels;
  const output = result(input.shape, [input]);
  k.of(scaling)(output.offset, input.offset, factor, input.size);
  record([output], () => k.of(addScaled)(gradientOf(input), gradientOf(output), factor, input.size));
  return output;
}

/**
 * Broadcasts x to a shape: repeats it along axes of length 1 and along new leading axes.
 *
 * @throws RangeError if x does not broadcast to the shape
 * @example
 * compute({ x: tensor([1, 2]) }, ({ x }) => broadcastTo(x, [2, 2])).data; // Float32Array [1, 2, 1, 2]
 */
export function broadcastTo(x: Operand, shape: Shape): Variable {
  checkedSize('broadcastTo', 'shape', shape);
  return broadcast('broadcastTo', operand('broadcastTo', x), shape);
}

/** Broadcasts x as {@link broadcastTo} does, for the public function `where`. */
export function broadcast(where: string, x: Variable, shape: Shape): Variable {
  if (sameShape(x.shape, shape)) return x;
  if (!sameShape(broadcastShapes(where, x.shape, shape), shape)) {
    throw outOfRange(where, 'shape', `one to which ${formatShape(x.shape)} broadcasts`, formatShape(shape));
  }
  const strides = stridesOf(x.shape);
  const added = shape.length - x.shape.length;
  // A stride of 0 repeats.
  const repeated = shape.map((_, axis) => (axis < added || x.shape[axis - added] === 1 ? 0 : strides[axis - added]!));
  return gatherStrided(x, shape, repeated, 0);
}

function broadcastPair(where: string, a: Operand, b: Operand): [Variable, Variable] {
  const x = operand(where, a, 'a');
  const y = operand(where, b, 'b');
  const shape = broadcastShapes(where, x.shape, y.shape);
  return [broadcast(where, x, shape), broadcast(where, y, shape)];
}

function binary(
  x: Variable,
  y: Variable,
  forward: typeof addition,
  backward: (k: Kernels, dy: number, n: number, output: number) => void,
): Variable {
  const k = x.storage.scope.kernels;
  const output = result(x.shape, [x, y]);
  k.of(forward)(output.offset, x.offset, y.offset, x.size);
  record([output], () => backward(k, gradientOf(output), x.size, output.offset));
  return output;
}
