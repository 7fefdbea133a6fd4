/** Parts of a sequence for training, validation and test. */

import { checkNumber } from '../tensor/shape';

/** As many parts as there are fractions. */
export type Parts<F extends readonly number[], X> = { -readonly [K in keyof F]: X };

/**
 * Cuts a sequence into consecutive parts, in order and without shuffling: neighbours in a text or a time series resemble each other, and
 * must not fall on both sides. Typed arrays are not copied: the parts are views. A string is never cut inside a character.
 *
 * @param items what to cut
 * @param fractions the share of each part, from 0 to 1; where they sum to less than 1, the rest at the end is left out
 * @throws RangeError where a fraction is not a number from 0 to 1, or they sum to more than 1
 * @example
 * const [train, validation] = split(Int32Array.of(3, 1, 4, 1, 5), [0.8, 0.2]);
 * train; // Int32Array [3, 1, 4, 1]
 * validation; // Int32Array [5]
 */
export function split<const F extends readonly number[]>(items: Int32Array, fractions: F): Parts<F, Int32Array>;
export function split<const F extends readonly number[]>(items: Float32Array, fractions: F): Parts<F, Float32Array>;
export function split<const F extends readonly number[]>(items: string, fractions: F): Parts<F, string>;
export function split<X, const F extends readonly number[]>(items: readonly X[], fractions: F): Parts<F, X[]>;
export function split(items: Int32Array | Float32Array | string | readonly unknown[], fractions: readonly number[]): unknown {
  fractions.forEach((fraction, index) => checkNumber('split', `fractions[${index}]`, fraction, 0, 1));
  const sum = fractions.reduce((total, fraction) => total + fraction, 0);
  // A sum such as 0.7 + 0.2 + 0.1 is 1 but for rounding, on either side.
  if (sum > 1 + 1e-9) throw new RangeError(`split: fractions must sum to at most 1, got ${fractions.join(' + ')} = ${sum}.`);
  let share = 0;
  let start = 0;
  return fractions.map((fraction) => {
    share += fraction;
    const end = characterBoundary(items, Math.min(Math.round(share * items.length), items.length));
    const part = ArrayBuffer.isView(items) ? items.subarray(start, end) : items.slice(start, end);
    start = end;
    return part;
  });
}

/** Behind a surrogate pair rather than inside it. */
function characterBoundary(items: ArrayLike<unknown>, index: number): number {
  return typeof items === 'string' && items.codePointAt(index - 1)! > 0xffff ? index + 1 : index;
}
