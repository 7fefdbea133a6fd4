/** Splits of a sequence into parts for training, validation and test. */

import { checkArray, checkNumber, lengthAt, lengthOf, outOfRange } from '../tensor/shape';
import { checkEither, type IntTensor, isIntTensor, isTensor, sliceSteps, type Tensor } from '../tensor/tensor';

type Items = Int32Array | Float32Array | string | Tensor | IntTensor | readonly unknown[];

/** One part per fraction. */
export type Parts<F extends readonly number[], X> = { -readonly [K in keyof F]: X };

/**
 * Splits a sequence into consecutive parts, in order and without shuffling: neighbors in a text or a time series are
 * similar, and must not end up in different parts. A tensor is split along its first axis. Typed arrays are not copied:
 * the parts are views. A string is never split inside a character.
 *
 * @param items the sequence
 * @param fractions the fraction of each part, from 0 to 1; if they sum to less than 1, the rest at the end is left out
 * @returns one part per fraction, of the type of `items`
 * @throws RangeError if a fraction is not a number from 0 to 1, or they sum to more than 1
 * @example
 * const [train, validation] = split(Int32Array.of(3, 1, 4, 1, 5), [0.8, 0.2]);
 * train; // Int32Array [3, 1, 4, 1]
 * validation; // Int32Array [5]
 * @example
 * const series = tensor([[1, 10], [2, 20], [3, 30], [4, 40]]);
 * const [past, future] = split(series, [0.75, 0.25]);
 * past.shape; // [3, 2]
 * future.data; // Float32Array [4, 40]
 */
export function split<const F extends readonly number[]>(items: Int32Array, fractions: F): Parts<F, Int32Array>;
export function split<const F extends readonly number[]>(items: Float32Array, fractions: F): Parts<F, Float32Array>;
export function split<const F extends readonly number[]>(items: string, fractions: F): Parts<F, string>;
export function split<const F extends readonly number[]>(items: Tensor, fractions: F): Parts<F, Tensor>;
export function split<const F extends readonly number[]>(items: IntTensor, fractions: F): Parts<F, IntTensor>;
export function split<const F extends readonly number[]>(
  items: Tensor | IntTensor,
  fractions: F,
): Parts<F, Tensor | IntTensor>;
export function split<X, const F extends readonly number[]>(items: readonly X[], fractions: F): Parts<F, X[]>;
export function split(items: Items, fractions: readonly number[]): unknown {
  const areRows = isTensor(items) || isIntTensor(items);
  if (areRows) checkEither('split', 'items', items);
  const length = areRows ? lengthAt('split', 'items', items.shape, 0) : lengthOf('split', 'items', items);
  let start = 0;
  return endsOf('split', fractions, length).map((rounded) => {
    const end = characterBoundary(items, rounded);
    const from = start;
    start = end;
    if (areRows) return sliceSteps(items, from, end);
    return ArrayBuffer.isView(items) ? items.subarray(from, end) : items.slice(from, end);
  });
}

/**
 * The end index of every part. @throws RangeError if a fraction is not a number from 0 to 1, or they sum to more than 1
 */
export function endsOf(where: string, fractions: readonly number[], length: number): number[] {
  checkArray(where, 'fractions', fractions);
  let total = 0;
  const ends = fractions.map((fraction, index) => {
    checkNumber(where, `fractions[${index}]`, fraction, 0, 1);
    total += fraction;
    return Math.min(Math.round(total * length), length);
  });
  // Rounding may put a sum such as 0.34 + 0.55 + 0.11 slightly above 1.
  if (total > 1 + 1e-9) throw outOfRange(where, 'the sum of fractions', 'at most 1', total);
  return ends;
}

/** The index, moved after a surrogate pair if it is inside one. */
function characterBoundary(items: unknown, index: number): number {
  return typeof items === 'string' && items.codePointAt(index - 1)! > 0xffff ? index + 1 : index;
}
