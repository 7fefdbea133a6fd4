/** Parts of a sequence for training, validation and test. */

import { checkNumber, lengthAt } from '../tensor/shape';
import { isTensor, sliceRows, type Tensor } from '../tensor/tensor';

/** As many parts as there are fractions. */
export type Parts<F extends readonly number[], X> = { -readonly [K in keyof F]: X };

/**
 * Cuts a sequence into consecutive parts, in order and without shuffling: neighbours in a text or a time series resemble each other, and
 * must not fall on both sides. What is in order of time is so cut by time. A tensor is cut along its first axis. Numbers are not copied: the
 * parts are views. A string is never cut inside a character.
 *
 * @param items what to cut
 * @param fractions the share of each part, from 0 to 1; where they sum to less than 1, the rest at the end is left out
 * @throws RangeError where a fraction is not a number from 0 to 1, or they sum to more than 1
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
export function split<X, const F extends readonly number[]>(items: readonly X[], fractions: F): Parts<F, X[]>;
export function split(
  items: Int32Array | Float32Array | string | Tensor | readonly unknown[],
  fractions: readonly number[],
): unknown {
  const length = isTensor(items) ? lengthAt('split', 'items', items.shape, 0) : items.length;
  let start = 0;
  return endsOf('split', fractions, length).map((rounded) => {
    const end = characterBoundary(items, rounded);
    const part = partOf(items, start, end);
    start = end;
    return part;
  });
}

/** Where each part of so many ends. @throws RangeError where a fraction is not a number from 0 to 1, or they sum to more than 1 */
export function endsOf(where: string, fractions: readonly number[], length: number): number[] {
  fractions.forEach((fraction, index) => checkNumber(where, `fractions[${index}]`, fraction, 0, 1));
  const sum = fractions.reduce((total, fraction) => total + fraction, 0);
  // A sum such as 0.7 + 0.2 + 0.1 is 1 but for rounding, on either side.
  if (sum > 1 + 1e-9)
    throw new RangeError(`${where}: fractions must sum to at most 1, got ${fractions.join(' + ')} = ${sum}.`);
  let share = 0;
  return fractions.map((fraction) => {
    share += fraction;
    return Math.min(Math.round(share * length), length);
  });
}

function partOf(
  items: Int32Array | Float32Array | string | Tensor | readonly unknown[],
  start: number,
  end: number,
): unknown {
  if (isTensor(items)) return sliceRows(items, start, end);
  return ArrayBuffer.isView(items) ? items.subarray(start, end) : items.slice(start, end);
}

/** Behind a surrogate pair rather than inside it. */
function characterBoundary(items: unknown, index: number): number {
  return typeof items === 'string' && items.codePointAt(index - 1)! > 0xffff ? index + 1 : index;
}
