/** Pairs of sequences, one to be turned into the other. */

import { checkSome, describe } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';
import { type BucketOptions, bucketsOf, checkBuckets } from './bucket-batches';
import type { Dataset } from './dataset';
import { checkAlike, padSequences } from './unequal-lengths';

/** A sequence of ids or of vectors `[S, I]`, and the ids that are to come of it, which end with the mark for the end. */
export interface Pair {
  readonly input: Int32Array | Tensor;
  readonly target: Int32Array;
}

/** Pairs side by side. */
export interface PairBatch {
  /** Ids `[S, B]`, or vectors `[S, B, I]`. */
  readonly inputs: IntTensor | Tensor;
  /** `[B]` how many steps of each row of the inputs are valid. */
  readonly lengths: Int32Array;
  /** `[T, B]` */
  readonly targets: IntTensor;
  /** `[B]` how many steps of each row of the targets are valid. */
  readonly targetLengths: Int32Array;
}

/**
 * A dataset of pairs, in batches of inputs of similar length, as {@link bucketBatches} makes them.
 *
 * @throws TypeError where inputs are not all of one kind, or a target is not of ids
 * @throws RangeError where there is no pair, vectors differ in size, or an option is out of range
 * @example
 * const pairs = [{ input: Int32Array.of(4, 5), target: Int32Array.of(5, 4, 1) }, { input: Int32Array.of(4), target: Int32Array.of(4, 1) }];
 * const [batch] = pairBatches(pairs, { batchSize: 2, shuffle: false }).batches(createRandom(1));
 * batch.targets.shape; // [3, 2]
 * batch.targetLengths; // Int32Array [2, 3]
 */
export function pairBatches(pairs: readonly Pair[], options: BucketOptions): Dataset<PairBatch> {
  checkSome('pairBatches', 'pairs', pairs.length, 'pair');
  checkAlike(
    'pairBatches',
    (i) => `pairs[${i}].input`,
    pairs.map(({ input }) => input),
  );
  checkBuckets('pairBatches', options, pairs);
  pairs.forEach(({ target }, i) => {
    if (!(target instanceof Int32Array))
      throw new TypeError(`pairBatches: pairs[${i}].target must be an Int32Array of ids, got ${describe(target)}.`);
  });
  const { batchSize, shuffle = true, padding = 0 } = options;
  return {
    batchCount: Math.ceil(pairs.length / batchSize),
    *batches(random) {
      for (const chosen of bucketsOf(pairs, options, shuffle ? random : undefined)) {
        const targets = padSequences(chosen.map(({ target }) => target));
        yield {
          ...padSequences(
            chosen.map(({ input }) => input),
            { padding },
          ),
          targets: targets.inputs,
          targetLengths: targets.lengths,
        };
      }
    },
  };
}
