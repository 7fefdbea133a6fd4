/** What a model is trained on: batches of inputs and targets, epoch by epoch. */

import { type Random, shuffle } from '../tensor/random';
import { checkCount, formatShape, sizeOf } from '../tensor/shape';
import { type IntTensor, isIntTensor, type Tensor } from '../tensor/tensor';

/** The rows that go through the network together in one training step. */
export interface Batch {
  /** Ids `[T, B]`, or vectors `[T, B, I]`. */
  readonly inputs: Tensor | IntTensor;
  /** What the loss compares with: one answer a step `[T, B, …]`, or one a sequence `[B, …]`. */
  readonly targets: Tensor | IntTensor;
  /** `[T, B]`, or `[B]` for one answer a sequence: the weight of every answer in the loss; all 1 by default. */
  readonly mask?: Tensor;
  /** `[B]` how many steps of each row are valid; all by default. */
  readonly lengths?: Int32Array;
  /** `[T, B]` 1 where a step begins a new sequence, as where a new document starts: the state does not reach across. 0 elsewhere, and by default. */
  readonly resets?: IntTensor;
}

/** Something that can be read any number of times, one epoch after the other. */
export interface Dataset<B = Batch> {
  /** The number of batches in one epoch. */
  readonly batchCount: number;
  /** One epoch. Whatever is random in it is drawn from `random` alone, so that the generator's state decides the order. */
  readonly batches: (random: Random) => Iterable<B>;
}

/** How {@link batchesOf} cuts examples into batches. */
export interface BatchesOptions {
  /** B; the last batch of an epoch is smaller where B does not divide N. */
  readonly batchSize: number;
  /** Whether every epoch has an order of its own; true by default. */
  readonly shuffle?: boolean;
  /** Where the N examples lie in the targets: axis 1, one answer a step `[T, N, …]` (the default), or axis 0, one a sequence `[N, …]`. */
  readonly targetAxis?: 0 | 1;
}

/**
 * A dataset of N examples of equal length.
 *
 * @param inputs ids `[T, N]`, or vectors `[T, N, I]`; time-major
 * @param targets `[T, N, …]`, or `[N, …]` with `targetAxis: 0`
 * @throws RangeError where there are no examples, or inputs and targets hold different numbers of them
 * @example
 * const dataset = batchesOf(full([20, 100, 3], 0), full([100, 1], 0), { batchSize: 32, targetAxis: 0 });
 * dataset.batchCount; // 4
 * [...dataset.batches(createRandom(1))].map((batch) => batch.inputs.shape[1]); // [32, 32, 32, 4]
 */
export function batchesOf(
  inputs: Tensor | IntTensor,
  targets: Tensor | IntTensor,
  { batchSize, shuffle: shuffled = true, targetAxis = 1 }: BatchesOptions,
): Dataset {
  checkCount('batchesOf', 'batchSize', batchSize);
  const count = inputs.shape[1];
  if (count === undefined || count === 0) {
    throw new RangeError(
      `batchesOf: inputs must be [T, N, …] with at least one example, got ${formatShape(inputs.shape)}.`,
    );
  }
  if (targets.shape[targetAxis] !== count) {
    const letters = targetAxis === 0 ? '[N, …]' : '[T, N, …]';
    const numbers = targetAxis === 0 ? `[${count}, …]` : `[*, ${count}, …]`;
    throw new RangeError(
      `batchesOf: targets must be ${letters} = ${numbers}, got ${formatShape(targets.shape)}. ` +
        (targetAxis === 0
          ? 'Is there one answer a step (targetAxis: 1)?'
          : 'Is there one answer a sequence (targetAxis: 0)?'),
    );
  }
  return {
    batchCount: Math.ceil(count / batchSize),
    *batches(random) {
      const order = Int32Array.from({ length: count }, (_, example) => example);
      if (shuffled) shuffle(random, order);
      for (let first = 0; first < count; first += batchSize) {
        const chosen = order.subarray(first, first + batchSize);
        yield { inputs: take(inputs, 1, chosen), targets: take(targets, targetAxis, chosen) };
      }
    },
  };
}

/** The chosen positions of an axis, in the order given. */
function take(x: Tensor | IntTensor, axis: number, chosen: Int32Array): Tensor | IntTensor {
  const shape = x.shape.map((length, other) => (other === axis ? chosen.length : length));
  const outer = sizeOf(x.shape.slice(0, axis));
  const length = x.shape[axis]!;
  const inner = sizeOf(x.shape.slice(axis + 1));
  const result = isIntTensor(x)
    ? { shape, data: new Int32Array(sizeOf(shape)) }
    : { shape, data: new Float32Array(sizeOf(shape)) };
  let to = 0;
  for (let block = 0; block < outer; block++) {
    for (const position of chosen) {
      const from = (block * length + position) * inner;
      for (let i = 0; i < inner; i++) result.data[to++] = x.data[from + i]!;
    }
  }
  return result;
}
