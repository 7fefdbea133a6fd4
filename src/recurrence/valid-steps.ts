/** Restricts a computation to the valid steps of sequences of unequal length, or to targets that are not ignored. */

import { takeRows } from '../autodiff/ops/movement';
import { constantOf, type Variable, viewOf } from '../autodiff/tape';
import { checkRows, type Shape } from '../tensor/shape';
import { type ValidRows, validRows } from './packing';

/** The valid rows `[N, …]` of `[T, B, …]`. */
export function takeValid(x: Variable, { axes, rows, positions }: ValidRows): Variable {
  return rowsAt(viewOf(x, [positions.length, ...x.shape.slice(axes.length)]), rows);
}

/** Scatters valid rows `[N, …]` back to `[T, B, …]`; zeros in the padding. */
export function placeValid(x: Variable, { axes, positions }: ValidRows): Variable {
  return rowsAt(x, positions, [...axes, ...x.shape.slice(1)]);
}

/**
 * Rows of a table by index, `[N, …]` by default; zeros for −1.
 *
 * @throws RangeError if the table has more than 2²⁴ rows
 */
export function rowsAt(
  table: Variable,
  indices: ArrayLike<number>,
  shape: Shape = [indices.length, ...table.shape.slice(1)],
): Variable {
  checkRows('rowsAt', 'the number of rows', table.shape[0]!);
  return takeRows(table, constantOf(table.storage.scope, [indices.length], indices), shape);
}

/**
 * Applies `f` to the valid rows of `[T, B, I]` as one batch, `[N, I]` to `[N, O]`. The output is zero in the padding,
 * and the content of the padding has no effect.
 *
 * @param lengths `[B]`; if undefined, or if x has no time axis, `f` is applied to all of x
 * @returns `[T, B, O]`
 * @throws RangeError if the lengths do not match x
 */
export function onValidSteps(
  where: string,
  x: Variable,
  lengths: Int32Array | undefined,
  f: (rows: Variable) => Variable,
): Variable {
  const [T, B] = x.shape as [number, number];
  const valid = x.shape.length < 3 ? undefined : validRows(where, T, B, lengths);
  return valid === undefined ? f(x) : placeValid(f(takeValid(x, valid)), valid);
}
