/** Working on the valid steps of sequences of unequal length alone. */

import { takeRows } from '../autodiff/ops/movement';
import { constantOf, currentScope, type Variable, viewOf } from '../autodiff/tape';
import { type ValidRows, validRows } from './packing';

/** The rows `[N, …]` of `[T, B, …]` that are valid. */
export function takeValid(x: Variable, { rows }: ValidRows): Variable {
  const [T, B, ...rest] = x.shape as [number, number, ...number[]];
  return takeRows(viewOf(x, [T * B, ...rest]), constantOf(currentScope('lengths'), [rows.length], rows), [
    rows.length,
    ...rest,
  ]);
}

/** Valid rows `[N, …]` back in their places in `[T, B, …]`, zeros in the padding. */
export function placeValid(x: Variable, { places }: ValidRows, batchSize: number): Variable {
  const shape = [places.length / batchSize, batchSize, ...x.shape.slice(1)];
  return takeRows(x, constantOf(currentScope('lengths'), [places.length], places), shape);
}

/**
 * f on the valid rows of `[T, B, I]` as if they were the batch, `[N, I]` to `[N, O]`; zeros in the padding, whose content changes nothing.
 *
 * @param lengths `[B]`; all of x as it stands where they are not given, or x has no steps
 * @throws RangeError where the lengths do not fit
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
