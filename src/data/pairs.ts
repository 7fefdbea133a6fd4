/** Pairs of source and target sequences, for encoder-decoder models. */

import { isArrayOf } from '../tensor/arrays';
import { checkSome, mismatch } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';
import { type BucketOptions, bucketsOf, checkBuckets } from './bucket-batches';
import type { Dataset } from './dataset';
import { padSequences, type TensorOf } from './unequal-lengths';

/** A source sequence with its target sequence. */
export interface Pair<S extends Int32Array | Tensor = Int32Array | Tensor> {
  /** Token ids, or vectors `[S, I]`. */
  readonly input: S;
  /** Token ids that end with the end token. */
  readonly target: Int32Array;
}

/** A batch of pairs. */
export interface PairBatch<X extends IntTensor | Tensor = IntTensor | Tensor> {
  /** Token ids `[S, B]`, or vectors `[S, B, I]`. */
  readonly inputs: X;
  /** `[B]` the number of valid steps of each row of the inputs. */
  readonly lengths: Int32Array;
  /** `[T, B]` */
  readonly targets: IntTensor;
  /** `[B]` the number of valid steps of each row of the targets. */
  readonly targetLengths: Int32Array;
}

/**
 * Creates a dataset of pairs, in batches with inputs of similar length, like {@link bucketBatches}.
 *
 * @throws TypeError if the inputs are not all of one kind, or a target is not an `Int32Array`
 * @throws RangeError if there are no pairs, a target is empty, vectors differ in size, or an option is out of range
 * @example
 * const pairs = [
 *   { input: Int32Array.of(4, 5), target: Int32Array.of(5, 4, 1) },
 *   { input: Int32Array.of(4), target: Int32Array.of(4, 1) },
 * ];
 * const [batch] = pairBatches(pairs, { batchSize: 2, shuffle: false }).batches(createRandom(1));
 * batch!.targets.shape; // [3, 2]
 * batch!.targetLengths; // Int32Array [2, 3]
 */
export function pairBatches<S extends Int32Array | Tensor>(
  pairs: readonly Pair<S>[],
  options: BucketOptions,
): Dataset<PairBatch<TensorOf<S>>> {
  checkBuckets('pairBatches', 'pairs', pairs, options);
  pairs.forEach(({ target }, i) => {
    if (!isArrayOf('Int32Array', target))
      throw mismatch('pairBatches', `pairs[${i}].target`, 'an Int32Array of ids', target);
    checkSome('pairBatches', `pairs[${i}].target`, target.length, 'id');
  });
  const { batchSize, padding } = options;
  return {
    batchCount: Math.ceil(pairs.length / batchSize),
    *batches(random) {
      for (const batch of bucketsOf(pairs, options, random)) {
        const inputs = batch.map(({ input }) => input);
        const targets = padSequences(batch.map(({ target }) => target));
        yield { ...padSequences(inputs, { padding }), targets: targets.inputs, targetLengths: targets.lengths };
      }
    },
  };
}
