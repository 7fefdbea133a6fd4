/** Splits that keep groups together, and cross-validation. */

import { seeded, shuffle } from '../tensor/random';
import { checkCount, checkNames, lengthOf } from '../tensor/shape';
import { endsOf, type Parts } from './split';

/** The indices of the examples of every group, with the groups in random order. */
function shuffledGroups(where: string, groups: ArrayLike<unknown>, seed: number): readonly (readonly number[])[] {
  const indices = new Map<unknown, number[]>();
  for (let i = 0; i < groups.length; i++) {
    const members = indices.get(groups[i]);
    if (members === undefined) indices.set(groups[i], [i]);
    else members.push(i);
  }
  return shuffle(seeded(where, seed), [...indices.values()]);
}

const sorted = (indices: readonly (readonly number[])[]): Int32Array => Int32Array.from(indices.flat()).sort();

/**
 * Splits examples at random so that all examples of a group (a speaker, a storm, a piece of music) are in the same
 * part. To split by time, use {@link split} on examples in order of time.
 *
 * @param groups the group of every example; groups are compared by `===`
 * @param fractions the fraction of the groups in each part, from 0 to 1; if they sum to less than 1, the rest is left
 * out
 * @param options.seed the seed of the random order; 0 by default
 * @returns for each part the indices of its examples, in ascending order
 * @throws RangeError if a fraction is not a number from 0 to 1, or they sum to more than 1
 * @example
 * const [train, test] = splitGroups(['ann', 'bob', 'ann', 'eve'], [0.67, 0.33], { seed: 1 });
 * train.length + test.length; // 4
 */
export function splitGroups<const F extends readonly number[]>(
  groups: ArrayLike<unknown>,
  fractions: F,
  options?: { readonly seed?: number | undefined },
): Parts<F, Int32Array>;
export function splitGroups(
  groups: ArrayLike<unknown>,
  fractions: readonly number[],
  options: { readonly seed?: number | undefined } = {},
): unknown {
  checkNames('splitGroups', 'options', options, ['seed']);
  const { seed = 0 } = options;
  lengthOf('splitGroups', 'groups', groups);
  const order = shuffledGroups('splitGroups', groups, seed);
  let start = 0;
  return endsOf('splitGroups', fractions, order.length).map((end) => {
    const part = sorted(order.slice(start, end));
    start = end;
    return part;
  });
}

/** A fold of cross-validation: the indices of the examples to train on, and of those to test on. */
export interface Fold {
  readonly train: Int32Array;
  readonly test: Int32Array;
}

/**
 * Creates the folds of k-fold cross-validation. Every example is in the test set of exactly one fold, and in the
 * training set of all others.
 *
 * @param examples the number of examples, or the group of every example; groups are never divided
 * @param options.k the number of folds
 * @param options.seed the seed of the random order; 0 by default
 * @throws RangeError if k is not an integer of at least 2, the number of examples is not an integer of at least
 * 1, or there are fewer than k examples or groups
 * @example
 * kFold(6, { k: 3, seed: 1 }).map(({ test }) => test.length); // [2, 2, 2]
 */
export function kFold(
  examples: number | ArrayLike<unknown>,
  options: { readonly k: number; readonly seed?: number | undefined },
): readonly Fold[] {
  checkNames('kFold', 'options', options, ['k', 'seed']);
  const { k, seed = 0 } = options;
  checkCount('kFold', 'k', k, 2);
  if (typeof examples === 'number') checkCount('kFold', 'examples', examples);
  else lengthOf('kFold', 'examples', examples);
  const groups = typeof examples === 'number' ? Array.from({ length: examples }, (_, i) => i) : examples;
  const order = shuffledGroups('kFold', groups, seed);
  checkCount('kFold', 'the number of examples or groups', order.length, k);
  return Array.from({ length: k }, (_, fold) => ({
    train: sorted(order.filter((_members, i) => i % k !== fold)),
    test: sorted(order.filter((_members, i) => i % k === fold)),
  }));
}
