/** Windows over one long sequence of ids: to predict each id from those before it. */

import { integerNumber, shuffle as shuffleItems } from '../tensor/random';
import { checkCount } from '../tensor/shape';
import type { Batch, Dataset } from './dataset';

export interface WindowsOptions {
  /** T, the length of a window. */
  readonly steps: number;
  /** B */
  readonly batchSize: number;
  /**
   * Yes (by default): windows in random order, cut anew in every epoch. No: B streams side by side, read in order, so that row b of a
   * batch goes on where row b of the batch before ended and its state can be carried.
   */
  readonly shuffle?: boolean;
}

/**
 * Batches of inputs `[T, B]` and of targets `[T, B]`, which are the inputs one place later. What does not fill a batch is left out.
 *
 * @throws RangeError where there are too few ids for one batch
 * @example
 * const [batch] = windows(Int32Array.of(0, 1, 2, 3, 4), { steps: 2, batchSize: 2, shuffle: false }).batches(createRandom(1));
 * batch.inputs.data; // Int32Array [0, 2, 1, 3]
 */
export function windows(ids: Int32Array, { steps, batchSize, shuffle = true }: WindowsOptions): Dataset {
  checkCount('windows', 'steps', steps);
  checkCount('windows', 'batchSize', batchSize);
  const needed = steps * batchSize + 1;
  if (ids.length < needed) {
    throw new RangeError(`windows: ids must hold at least steps · batchSize + 1 = ${needed} for one batch, got ${ids.length}.`);
  }
  const batchAt = (starts: ArrayLike<number>): Batch => {
    const inputs = new Int32Array(steps * batchSize);
    const targets = new Int32Array(steps * batchSize);
    for (let b = 0; b < batchSize; b++) {
      for (let t = 0; t < steps; t++) {
        inputs[t * batchSize + b] = ids[starts[b]! + t]!;
        targets[t * batchSize + b] = ids[starts[b]! + t + 1]!;
      }
    }
    const shape = [steps, batchSize];
    return { inputs: { shape, data: inputs }, targets: { shape, data: targets } };
  };
  if (!shuffle) {
    const length = Math.floor((ids.length - 1) / batchSize);
    const batchCount = Math.floor(length / steps);
    return {
      batchCount,
      *batches() {
        for (let i = 0; i < batchCount; i++) yield batchAt(Array.from({ length: batchSize }, (_, b) => b * length + i * steps));
      },
    };
  }
  // With as many windows as fit behind the largest phase, every epoch has equally many.
  const count = Math.max(batchSize, Math.floor((ids.length - steps) / steps));
  const batchCount = Math.floor(count / batchSize);
  return {
    batchCount,
    *batches(random) {
      const phase = integerNumber(random, Math.min(steps, ids.length - count * steps));
      const order = shuffleItems(random, Int32Array.from({ length: count }, (_, i) => phase + i * steps));
      for (let i = 0; i < batchCount; i++) yield batchAt(order.subarray(i * batchSize, (i + 1) * batchSize));
    },
  };
}
