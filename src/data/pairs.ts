/** Pairs of sequences, one to be turned into the other. */

import { checkSome } from '../tensor/shape';
import type { IdTensor, Tensor } from '../tensor/tensor';
import type { Dataset } from './dataset';
import { bucketsOf, checkBuckets, padSequences, type BucketOptions } from './unequal-lengths';

/** A sequence of ids or of vectors `[S, I]`, and the ids that are to come of it, which end with the mark for the end. */
export interface Pair {
  readonly input: Int32Array | Tensor;
  readonly target: Int32Array;
}

/** Pairs side by side. */
export interface PairBatch {
  /** Ids `[S, B]`, or vectors `[S, B, I]`. */
  readonly inputs: IdTensor | Tensor;
  /** `[B]` how many steps of each row of the inputs are valid. */
  readonly lengths: Int32Array;
  /** `[T, B]` */
  readonly targets: IdTensor;
  /** `[B]` how many steps of each row of the targets are valid. */
  readonly targetLengths: Int32Array;
}

/**
 * A dataset of pairs, in batches of inputs of similar length, as {@link bucketBatches} makes them.
 *
 * @throws RangeError where there is no pair, or a size is not a whole number of at least 1
 * @example
 * const pairs = [{ input: Int32Array.of(4, 5), target: Int32Array.of(5, 4, 1) }, { input: Int32Array.of(4), target: Int32Array.of(4, 1) }];
 * const [batch] = pairBatches(pairs, { batchSize: 2, shuffle: false }).batches(createRandom(1));
 * batch.targets.shape; // [3, 2]
 * batch.targetLengths; // Int32Array [2, 3]
 */
export function pairBatches(pairs: readonly Pair[], options: BucketOptions): Dataset<PairBatch> {
  checkBuckets('pairBatches', options);
  checkSome('pairBatches', 'pairs', pairs.length, 'pair');
  const { batchSize, shuffle = true, padding = 0 } = options;
  return {
    batchCount: Math.ceil(pairs.length / batchSize),
    *batches(random) {
      for (const chosen of bucketsOf(pairs, options, shuffle ? random : undefined)) {
        const targets = padSequences(chosen.map(({ target }) => target));
        yield { ...padSequences(chosen.map(({ input }) => input), { padding }), targets: targets.inputs, targetLengths: targets.lengths };
      }
    },
  };
}
