/** Sums, means and softmax. */

import { sumOf } from '../../kernels/arithmetic';
import { addStrided, fill } from '../../kernels/movement';
import { logSoftmaxRows, logSoftmaxRowsBackward, softmaxRows, softmaxRowsBackward } from '../../kernels/rows';
import {
  checkArray,
  formatShape,
  lengthAt,
  outOfRange,
  resolveAxis,
  type Shape,
  sizeOf,
  stridesOf,
} from '../../tensor/shape';
import { gradientOf, type Operand, operand, record, result, type Variable, viewOf } from '../tape';
import { broadcast, multiply, scale } from './arithmetic';

/**
 * Sums a tensor over axes, which are removed.
 *
 * @param axes the axes to sum over. Default: all, which gives a scalar
 * @throws RangeError if an axis does not exist
 * @example
 * compute({ x: tensor([[1, 2], [3, 4]]) }, ({ x }) => sum(x, 0)).data; // Float32Array [4, 6]
 */
export function sum(x: Operand, axes?: number | readonly number[]): Variable {
  const input = operand('sum', x);
  const summed = axesOf('sum', input.shape, axes);
  const scope = input.storage.scope;
  const k = scope.kernels;
  const output = result(
    input.shape.filter((_, axis) => !summed.has(axis)),
    [input],
  );
  const strides = stridesOf(input.shape);
  const kept = stridesOf(input.shape.map((n, axis) => (summed.has(axis) ? 1 : n))).map((stride, axis) =>
    summed.has(axis) ? 0 : stride,
  );
  k.of(fill)(output.offset, 0, output.size);
  if (output.shape.length === 0) scope.workspace.memory.view[output.offset] = k.of(sumOf)(input.offset, input.size);
  else k.of(addStrided)(output.offset, kept, input.offset, strides, input.shape);
  record([output], () => k.of(addStrided)(gradientOf(input), strides, gradientOf(output), kept, input.shape));
  return output;
}

/**
 * Averages a tensor over axes, which are removed.
 *
 * @param axes the axes to average over. Default: all, which gives a scalar
 * @throws RangeError if an axis does not exist, or an axis to average over is empty
 * @example
 * compute({ x: tensor([[1, 2], [3, 4]]) }, ({ x }) => mean(x, -1)).data; // Float32Array [1.5, 3.5]
 */
export function mean(x: Operand, axes?: number | readonly number[]): Variable {
  const input = operand('mean', x);
  const averaged = axesOf('mean', input.shape, axes);
  const count = sizeOf(input.shape.filter((_, axis) => averaged.has(axis)));
  if (count === 0)
    throw outOfRange('mean', 'x', 'nonempty along the axes to average', `shape ${formatShape(input.shape)}`);
  return scale(sum(input, [...averaged]), 1 / count);
}

/**
 * Computes the softmax, eˣ / Σ eˣ, over the last axis.
 *
 * @throws RangeError if `x` is a scalar
 * @example
 * compute({ x: tensor([0, 0, 0, 0]) }, ({ x }) => softmax(x)).data; // Float32Array [0.25, 0.25, 0.25, 0.25]
 */
export function softmax(x: Operand): Variable {
  return overRows('softmax', x, softmaxRows, softmaxRowsBackward);
}

/**
 * Computes the logarithm of the softmax, x − log Σ eˣ, over the last axis.
 *
 * @throws RangeError if `x` is a scalar
 * @example
 * compute({ x: tensor([0, 0]) }, ({ x }) => logSoftmax(x)).data; // Float32Array [-0.693147, -0.693147]
 */
export function logSoftmax(x: Operand): Variable {
  return overRows('logSoftmax', x, logSoftmaxRows, logSoftmaxRowsBackward);
}

/**
 * Keeps or zeroes the elements of x by a mask of ones and zeros over its leading axes: a mask `[T, B]` masks whole rows
 * of `[T, B, H]`.
 *
 * @param keep the mask: 1 keeps elements of x, 0 replaces them by 0, whatever their values and gradients
 * @throws RangeError if the shape of the mask does not match the leading axes of x
 * @example
 * compute({ x: tensor([[1, 2], [3, 4]]) }, ({ x }) => mask(x, tensor([1, 0]))).data; // Float32Array [1, 2, 0, 0]
 */
export function mask(x: Operand, keep: Operand): Variable {
  const input = operand('mask', x);
  const factors = operand('mask', keep, 'keep');
  const leading = input.shape.slice(0, factors.shape.length);
  if (factors.shape.some((length, axis) => length !== 1 && length !== leading[axis]))
    throw outOfRange('mask', 'keep', `${formatShape(leading)}, the leading axes of x`, formatShape(factors.shape));
  const kept = broadcast('mask', factors, leading);
  const widened = viewOf(
    kept,
    input.shape.map((_, axis) => kept.shape[axis] ?? 1),
  );
  const output = multiply(input, widened);
  const memory = output.storage.scope.workspace.memory;
  const width = output.size / kept.size;
  // 0 · NaN is NaN.
  const clear = (offset: number): void => {
    for (let i = 0; i < kept.size; i++)
      if (memory.view[kept.offset + i] === 0) memory.view.fill(0, offset + i * width, offset + (i + 1) * width);
  };
  clear(output.offset);
  record([output], () => clear(gradientOf(output)));
  return output;
}

function overRows(
  where: string,
  x: Operand,
  forward: typeof softmaxRows,
  backward: typeof softmaxRowsBackward,
): Variable {
  const input = operand(where, x);
  const length = lengthAt(where, 'x', input.shape, -1);
  const k = input.storage.scope.kernels;
  const rows = length === 0 ? 0 : input.size / length;
  const output = result(input.shape, [input]);
  k.of(forward)(output.offset, input.offset, rows, length);
  record([output], () => k.of(backward)(gradientOf(input), gradientOf(output), output.offset, rows, length));
  return output;
}

function axesOf(where: string, shape: Shape, axes: number | readonly number[] | undefined): Set<number> {
  if (axes === undefined) return new Set(shape.keys());
  const list = typeof axes === 'number' ? [axes] : axes;
  checkArray(where, 'axes', list);
  return new Set(list.map((axis) => resolveAxis(where, axis, shape.length)));
}
