/** Windows over one long sequence of ids, for learning to predict the next one. */

import { integerNumber, type Random, shuffle } from '../tensor/random';
import { checkCount } from '../tensor/shape';
import type { Batch, Dataset } from './dataset';

/** How {@link windows} cuts a sequence. */
export interface WindowsOptions {
  /** T, the length of a window. */
  readonly sequenceLength: number;
  /** B, the windows in a batch. */
  readonly batchSize: number;
  /** Whether windows come in random order (true, the default), or as streams that go on from batch to batch. */
  readonly shuffle?: boolean;
}

/**
 * A dataset of windows over a sequence: inputs `[T, B]`, and as targets `[T, B]` the ids that follow them.
 *
 * Shuffled, every epoch cuts the sequence at a new random phase in [0, T) into windows that do not overlap, and deals them out in random
 * order; windows that fill no batch are left to another epoch. In order, the sequence is cut into B streams of equal length, one a row, and
 * every batch goes on where the one before ended, so that the state can be carried (truncated BPTT).
 *
 * @param ids the sequence
 * @throws TypeError where ids are not an `Int32Array`
 * @throws RangeError where they do not fill one batch: shuffled, T·(B + 1) ids are needed (one window is lost to the phase); in order, T·B + 1
 * @example
 * const dataset = windows(Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8), { sequenceLength: 2, batchSize: 2, shuffle: false });
 * const [first, second] = dataset.batches(createRandom(1));
 * first.inputs.data; // Int32Array [0, 4, 1, 5]
 * first.targets.data; // Int32Array [1, 5, 2, 6]
 * second.inputs.data; // Int32Array [2, 6, 3, 7]
 */
export function windows(
  ids: Int32Array,
  { sequenceLength, batchSize, shuffle: shuffled = true }: WindowsOptions,
): Dataset {
  if (!(ids instanceof Int32Array))
    throw new TypeError('windows: ids must be an Int32Array. Text is turned into one by encode.');
  checkCount('windows', 'sequenceLength', sequenceLength);
  checkCount('windows', 'batchSize', batchSize);
  const needed = shuffled ? sequenceLength * (batchSize + 1) : sequenceLength * batchSize + 1;
  if (ids.length < needed) {
    throw new RangeError(
      `windows: ids must hold at least ${needed} ids for one batch of ${batchSize} ` +
        `${shuffled ? 'shuffled ' : ''}windows of ${sequenceLength} steps, got ${ids.length}. Is batchSize or sequenceLength too large?`,
    );
  }
  return shuffled ? shuffledWindows(ids, sequenceLength, batchSize) : parallelStreams(ids, sequenceLength, batchSize);
}

function shuffledWindows(ids: Int32Array, sequenceLength: number, batchSize: number): Dataset {
  // As many windows as fit at every phase, with the one id that follows the last.
  const windowCount = Math.floor(ids.length / sequenceLength) - 1;
  const batchCount = Math.floor(windowCount / batchSize);
  return {
    batchCount,
    *batches(random: Random) {
      const phase = integerNumber(random, sequenceLength);
      const starts = shuffle(
        random,
        Int32Array.from({ length: windowCount }, (_, index) => phase + index * sequenceLength),
      );
      for (let batch = 0; batch < batchCount; batch++) {
        yield windowsAt(ids, sequenceLength, starts.subarray(batch * batchSize, (batch + 1) * batchSize));
      }
    },
  };
}

function parallelStreams(ids: Int32Array, sequenceLength: number, batchSize: number): Dataset {
  const batchCount = Math.floor((ids.length - 1) / (sequenceLength * batchSize));
  return {
    batchCount,
    *batches() {
      for (let batch = 0; batch < batchCount; batch++) {
        yield windowsAt(
          ids,
          sequenceLength,
          Int32Array.from({ length: batchSize }, (_, row) => (row * batchCount + batch) * sequenceLength),
        );
      }
    },
  };
}

/** The windows that begin at `starts`, one a row. */
function windowsAt(ids: Int32Array, sequenceLength: number, starts: Int32Array): Batch {
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
