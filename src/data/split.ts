/** Cutting data in order: the first part to train on, the rest to be tested on. */

import { checkNumber } from '../tensor/shape';

/** What can be cut. */
export interface Sliceable<S> {
  readonly length: number;
  slice(start: number, end: number): S;
}

/**
 * Cuts a text, an array or a typed array into consecutive parts of the given fractions, without shuffling: what comes later in time
 * stays apart from what it is predicted from.
 *
 * @throws RangeError where a fraction is not between 0 and 1 or they sum to more than 1
 * @example
 * split('abcdefghij', [0.9, 0.1]); // ['abcdefghi', 'j']
 */
export function split<S extends Sliceable<S>, const F extends readonly number[]>(items: S, fractions: F): { [K in keyof F]: S } {
  let end = 0;
  const parts = fractions.map((fraction, index) => {
    checkNumber('split', `fractions[${index}]`, fraction, 0, 1);
    const start = end;
    end += fraction;
    if (end > 1 + 1e-9) throw new RangeError(`split: fractions must sum to at most 1, got [${fractions.join(', ')}].`);
    return items.slice(Math.round(start * items.length), Math.round(end * items.length));
  });
  return parts as { [K in keyof F]: S };
}
