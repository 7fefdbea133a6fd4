/** Where training data comes from: batches, epoch by epoch. */

import type { Random } from '../tensor/random';
import { shuffle } from '../tensor/random';
import { checkCount, formatShape, sizeOf } from '../tensor/shape';
import { isIdTensor, type IdTensor, type Tensor } from '../tensor/tensor';

/** What one update sees. Time-major: ids `[T, B]` or vectors `[T, B, I]`. */
export interface Batch {
  readonly inputs: Tensor | IdTensor;
  readonly targets: Tensor | IdTensor;
  /** What of the targets counts: `[T, B]` or `[B]`. */
  readonly mask?: Tensor;
  /** `[B]` how many steps of each row are valid. */
  readonly lengths?: Int32Array;
}

/** Batches, as many in every epoch. */
export interface Dataset {
  readonly batchCount: number;
  /** The batches of one epoch; what is random in them comes from `random`. */
  readonly batches: (random: Random) => Iterable<Batch>;
}

export interface BatchesOptions {
  readonly batchSize: number;
  /** Whether every epoch has an order of its own. Yes by default. */
  readonly shuffle?: boolean;
  /** The axis of the examples in the targets: 1 for `[T, N, …]` (one a step, by default), 0 for `[N, …]` (one a sequence). */
  readonly targetAxis?: 0 | 1;
}

/**
 * Batches of examples of equal length that are in memory: inputs `[T, N, …]`. The last batch may be smaller.
 *
 * @throws RangeError where inputs and targets have different numbers of examples, or none
 * @example
 * batchesOf(full([5, 10, 2], 0), full([10, 1], 0), { batchSize: 4, targetAxis: 0 }).batchCount; // 3
 */
export function batchesOf(inputs: Tensor | IdTensor, targets: Tensor | IdTensor, options: BatchesOptions): Dataset {
  const { batchSize, targetAxis = 1 } = options;
  checkCount('batchesOf', 'batchSize', batchSize);
  const count = inputs.shape[1] ?? 0;
  if (count === 0 || targets.shape[targetAxis] !== count) {
    throw new RangeError(
      `batchesOf: inputs [T, N, …] and axis ${targetAxis} of targets must have equally many examples, at least one, ` +
        `got ${formatShape(inputs.shape)} and ${formatShape(targets.shape)}.`,
    );
  }
  return {
    batchCount: Math.ceil(count / batchSize),
    *batches(random) {
      const order = Int32Array.from({ length: count }, (_, i) => i);
      if (options.shuffle ?? true) shuffle(random, order);
      for (let first = 0; first < count; first += batchSize) {
        const chosen = order.subarray(first, first + batchSize);
        yield { inputs: pick(inputs, 1, chosen), targets: pick(targets, targetAxis, chosen) };
      }
    },
  };
}

/** The chosen places along an axis. */
function pick<X extends Tensor | IdTensor>(x: X, axis: 0 | 1, chosen: Int32Array): X {
  const outer = axis === 0 ? 1 : x.shape[0]!;
  const count = x.shape[axis]!;
  const width = sizeOf(x.shape.slice(axis + 1));
  const shape = [...x.shape.slice(0, axis), chosen.length, ...x.shape.slice(axis + 1)];
  const data = isIdTensor(x) ? new Int32Array(sizeOf(shape)) : new Float32Array(sizeOf(shape));
  for (let i = 0; i < outer; i++) {
    chosen.forEach((place, j) => {
      const from = (i * count + place) * width;
      data.set(x.data.subarray(from, from + width), (i * chosen.length + j) * width);
    });
  }
  return { shape, data } as Tensor | IdTensor as X;
}
