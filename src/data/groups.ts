/** Splits that keep what belongs together on one side, and cross-validation. */

import { createRandom, shuffle } from '../tensor/random';
import { checkCount } from '../tensor/shape';
import { endsOf, type Parts } from './split';

/** The places of each group's examples, groups in the order of their first example. */
function placesByGroup(groups: ArrayLike<unknown>): readonly (readonly number[])[] {
  const places = new Map<unknown, number[]>();
  for (let i = 0; i < groups.length; i++) {
    const own = places.get(groups[i]);
    if (own === undefined) places.set(groups[i], [i]);
    else own.push(i);
  }
  return [...places.values()];
}

const inOrder = (places: readonly (readonly number[])[]): Int32Array => Int32Array.from(places.flat()).sort();

/**
 * Parts of examples, by place, so that all examples of a group fall into the same part: those of one speaker, one storm, one piece of music.
 * Groups are dealt out at random. For parts by time, {@link split} what is in order of time.
 *
 * @param groups for each example its group: anything that `===` compares
 * @param fractions the share of each part of the groups, from 0 to 1; where they sum to less than 1, the rest is left out
 * @returns for each part the places of its examples, in order
 * @throws RangeError where a fraction is not a number from 0 to 1, or they sum to more than 1
 * @example
 * const [train, test] = splitGroups(['ann', 'bob', 'ann', 'eve'], [0.67, 0.33], { seed: 1 });
 * train.length + test.length; // 4
 */
export function splitGroups<const F extends readonly number[]>(
  groups: ArrayLike<unknown>,
  fractions: F,
  { seed = 0 }: { readonly seed?: number } = {},
): Parts<F, Int32Array> {
  const places = placesByGroup(groups);
  const order = shuffle(createRandom(seed), Int32Array.from(places.keys()));
  let start = 0;
  return endsOf('splitGroups', fractions, order.length).map((end) => {
    const part = inOrder(Array.from(order.subarray(start, end), (group) => places[group]!));
    start = end;
    return part;
  }) as never;
}

/** One turn of cross-validation: the places of the examples to train on, and of those to test on. */
export interface Fold {
  readonly train: Int32Array;
  readonly test: Int32Array;
}

/**
 * k-fold cross-validation: every example is tested on once, trained on otherwise.
 *
 * @param examples how many examples there are, or for each its group, which is never divided
 * @param options.k the number of folds
 * @throws RangeError where k is not a whole number of at least 2, or there are fewer examples or groups, or their
 * number is not a whole one
 * @example
 * kFold(6, { k: 3, seed: 1 }).map(({ test }) => test.length); // [2, 2, 2]
 */
export function kFold(
  examples: number | ArrayLike<unknown>,
  { k, seed = 0 }: { readonly k: number; readonly seed?: number },
): readonly Fold[] {
  checkCount('kFold', 'k', k, 2);
  if (typeof examples === 'number') checkCount('kFold', 'examples', examples);
  const places = placesByGroup(typeof examples === 'number' ? Array.from({ length: examples }, (_, i) => i) : examples);
  if (places.length < k)
    throw new RangeError(`kFold: there must be at least k = ${k} examples or groups, got ${places.length}.`);
  const order = Array.from(shuffle(createRandom(seed), Int32Array.from(places.keys())), (group) => places[group]!);
  return Array.from({ length: k }, (_, turn) => ({
    train: inOrder(order.filter((_places, i) => i % k !== turn)),
    test: inOrder(order.filter((_places, i) => i % k === turn)),
  }));
}
