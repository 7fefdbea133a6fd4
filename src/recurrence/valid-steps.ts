/** Restricting a computation to the valid steps of sequences of unequal length. */

import { takeRows } from '../autodiff/ops/movement';
import { constantOf, currentScope, type Variable, viewOf } from '../autodiff/tape';
import { checkRows } from '../tensor/shape';
import { type ValidRows, validRows } from './packing';

/** The valid rows `[N, …]` of `[T, B, …]`. */
export function takeValid(x: Variable, { rows }: ValidRows): Variable {
  const [T, B, ...rest] = x.shape as [number, number, ...number[]];
  checkRows('lengths', T * B);
  return takeRows(viewOf(x, [T * B, ...rest]), constantOf(currentScope('lengths'), [rows.length], rows), [
    rows.length,
    ...rest,
  ]);
}

/** Scatters valid rows `[N, …]` back to `[T, B, …]`; zeros in the padding. */
export function placeValid(x: Variable, { positions }: ValidRows, batchSize: number): Variable {
  const shape = [positions.length / batchSize, batchSize, ...x.shape.slice(1)];
  return takeRows(x, constantOf(currentScope('lengths'), [positions.length], positions), shape);
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
  return valid === undefined ? f(x) : placeValid(f(takeValid(x, valid)), valid, B);
}
