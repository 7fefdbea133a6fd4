/** Windows over one long sequence of token ids, to train a model that predicts the next token. */

import { isArrayOf } from '../tensor/arrays';
import { integerNumber, type Random, shuffle } from '../tensor/random';
import { checkCount, checkNames, mismatch, outOfRange } from '../tensor/shape';
import type { IntTensor } from '../tensor/tensor';
import type { Batch, Dataset } from './dataset';

/** The options of {@link windows}. */
export interface WindowsOptions {
  /** T, the number of steps of a window. */
  readonly sequenceLength: number;
  /** B, the number of windows in a batch. */
  readonly batchSize: number;
  /** Whether windows are shuffled (true, the default), or are streams that continue from batch to batch. */
  readonly shuffle?: boolean | undefined;
}

/**
 * Creates a dataset of windows over a sequence: inputs `[T, B]`, and as targets `[T, B]` the ids that follow them.
 *
 * Shuffled, every epoch cuts the sequence at a random offset in [0, T) into windows that do not overlap, in random
 * order; windows that do not fill a batch are left out of the epoch. In order, the sequence is cut into B streams of
 * equal length, one per row, and every batch continues where the previous batch ended, so that the state can be carried
 * (truncated BPTT).
 *
 * @param ids the sequence
 * @throws TypeError if `ids` is not an `Int32Array`
 * @throws RangeError if the ids do not fill one batch: T·(B + 1) ids are needed if shuffled (one window is lost to the
 * offset), T·B + 1 in order
 * @example
 * const ids = Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8);
 * const dataset = windows(ids, { sequenceLength: 2, batchSize: 2, shuffle: false });
 * const [first, second] = dataset.batches(createRandom(1));
 * first!.inputs.data; // Int32Array [0, 4, 1, 5]
 * first!.targets.data; // Int32Array [1, 5, 2, 6]
 * second!.inputs.data; // Int32Array [2, 6, 3, 7]
 */
export function windows(ids: Int32Array, options: WindowsOptions): Dataset<Batch<IntTensor, IntTensor>> {
  checkNames('windows', 'options', options, ['sequenceLength', 'batchSize', 'shuffle']);
  const { sequenceLength, batchSize, shuffle: shuffled = true } = options;
  if (!isArrayOf('Int32Array', ids)) throw mismatch('windows', 'ids', 'an Int32Array, as encode returns', ids);
  checkCount('windows', 'sequenceLength', sequenceLength);
  checkCount('windows', 'batchSize', batchSize);
  const needed = shuffled ? sequenceLength * (batchSize + 1) : sequenceLength * batchSize + 1;
  if (ids.length < needed) throw outOfRange('windows', 'ids.length', `at least ${needed} for one batch`, ids.length);
  // Shuffled windows start at any offset. One id follows the last window.
  const windowCount = Math.floor((shuffled ? ids.length - sequenceLength : ids.length - 1) / sequenceLength);
  const batchCount = Math.floor(windowCount / batchSize);
  return {
    batchCount,
    *batches(random: Random) {
      const offset = shuffled ? integerNumber(random, sequenceLength) : 0;
      const order = Int32Array.from({ length: windowCount }, (_, i) =>
        // The windows of a row follow each other from batch to batch.
        shuffled ? i : (i % batchSize) * batchCount + Math.floor(i / batchSize),
      );
      if (shuffled) shuffle(random, order);
      for (let first = 0; first < batchCount * batchSize; first += batchSize) {
        const starts = order.subarray(first, first + batchSize).map((index) => offset + index * sequenceLength);
        yield windowsAt(ids, sequenceLength, starts);
      }
    },
  };
}

/** The windows that start at the given indices, one per row. */
function windowsAt(ids: Int32Array, sequenceLength: number, starts: Int32Array): Batch<IntTensor, IntTensor> {
  const shape = [sequenceLength, starts.length];
  const inputs = new Int32Array(sequenceLength * starts.length);
  const targets = new Int32Array(sequenceLength * starts.length);
  starts.forEach((start, row) => {
    for (let step = 0, to = row; step < sequenceLength; step++, to += starts.length) {
      inputs[to] = ids[start + step]!;
      targets[to] = ids[start + step + 1]!;
    }
  });
  return { inputs: { shape, data: inputs }, targets: { shape, data: targets } };
}
