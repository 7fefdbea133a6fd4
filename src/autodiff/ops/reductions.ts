/** Sums, means and softmax. */

import { sumOf } from '../../kernels/arithmetic';
import { addStrided, fill } from '../../kernels/movement';
import { logSoftmaxRows, logSoftmaxRowsBackward, softmaxRows, softmaxRowsBackward } from '../../kernels/rows';
import { formatShape, lengthAt, resolveAxis, type Shape, sizeOf, stridesOf } from '../../tensor/shape';
import { currentScope, gradientOf, type Operand, operand, record, result, type Variable, viewOf } from '../tape';
import { multiply, scale } from './arithmetic';

/**
 * The sum over the given axes, which disappear; over all by default, giving a scalar.
 *
 * @throws RangeError where there is no such axis
 * @example
 * compute({ x: tensor([[1, 2], [3, 4]]) }, ({ x }) => sum(x, 0)).data; // Float32Array [4, 6]
 */
export function sum(x: Operand, axes?: number | readonly number[]): Variable {
  const input = operand('sum', x);
  const summed = axesOf('sum', input.shape, axes);
  const scope = currentScope('sum');
  const { kernels: k } = scope;
  const output = result(
    scope,
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
 * The mean over the given axes, which disappear; over all by default, giving a scalar.
 *
 * @throws RangeError where there is no such axis, or nothing to average over
 * @example
 * compute({ x: tensor([[1, 2], [3, 4]]) }, ({ x }) => mean(x, -1)).data; // Float32Array [1.5, 3.5]
 */
export function mean(x: Operand, axes?: number | readonly number[]): Variable {
  const input = operand('mean', x);
  const averaged = axesOf('mean', input.shape, axes);
  const count = sizeOf(input.shape.filter((_, axis) => averaged.has(axis)));
  if (count === 0)
    throw new RangeError(`mean: there is nothing to average over in a tensor of shape ${formatShape(input.shape)}.`);
  return scale(sum(input, [...averaged]), 1 / count);
}

/**
 * eˣ / Σ eˣ over the last axis.
 *
 * @throws RangeError for a scalar
 * @example
 * compute({ x: tensor([0, 0, 0, 0]) }, ({ x }) => softmax(x)).data; // Float32Array [0.25, 0.25, 0.25, 0.25]
 */
export function softmax(x: Operand): Variable {
  return overRows('softmax', x, softmaxRows, softmaxRowsBackward);
}

/**
 * x − log Σ eˣ over the last axis.
 *
 * @throws RangeError for a scalar
 * @example
 * compute({ x: tensor([0, 0]) }, ({ x }) => logSoftmax(x)).data; // Float32Array [-0.693147, -0.693147]
 */
export function logSoftmax(x: Operand): Variable {
  return overRows('logSoftmax', x, logSoftmaxRows, logSoftmaxRowsBackward);
}

/**
 * x where the mask is 1 and 0 where it is 0. The mask covers the leading axes of x: `[T, B]` masks whole rows of `[T, B, H]`.
 *
 * @throws RangeError where the mask does not fit
 * @example
 * compute({ x: tensor([[1, 2], [3, 4]]) }, ({ x }) => mask(x, tensor([1, 0]))).data; // Float32Array [1, 2, 0, 0]
 */
export function mask(x: Operand, keep: Operand): Variable {
  const input = operand('mask', x);
  const kept = operand('mask', keep, 'keep');
  if (
    kept.shape.length > input.shape.length ||
    kept.shape.some((length, axis) => length !== input.shape[axis] && length !== 1)
  ) {
    throw new RangeError(
      `mask: keep must cover leading axes of x, ${formatShape(input.shape)}, got ${formatShape(kept.shape)}.`,
    );
  }
  const widened = viewOf(
    kept,
    input.shape.map((_, axis) => kept.shape[axis] ?? 1),
  );
  return multiply(input, widened);
}

function overRows(
  where: string,
  x: Operand,
  forward: typeof softmaxRows,
  backward: typeof softmaxRowsBackward,
): Variable {
  const input = operand(where, x);
  const length = lengthAt(where, 'x', input.shape, -1);
  const scope = currentScope(where);
  const { kernels: k } = scope;
  const rows = length === 0 ? 0 : input.size / length;
  const output = result(scope, input.shape, [input]);
  k.of(forward)(output.offset, input.offset, rows, length);
  record([output], () => k.of(backward)(gradientOf(input), gradientOf(output), output.offset, rows, length));
  return output;
}

function axesOf(where: string, shape: Shape, axes: number | readonly number[] | undefined): Set<number> {
  if (axes === undefined) return new Set(shape.keys());
  return new Set((typeof axes === 'number' ? [axes] : axes).map((axis) => resolveAxis(where, axis, shape.length)));
}
