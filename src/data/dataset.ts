/** Datasets: batches of inputs and targets, in epochs. */

import { type Random, shuffle } from '../tensor/random';
import {
  checkChoice,
  checkCount,
  checkNames,
  checkSome,
  formatShape,
  isObject,
  mismatch,
  outOfRange,
  sizeOf,
} from '../tensor/shape';
import { checkEither, type IntTensor, likeTensor, type Tensor } from '../tensor/tensor';

/** A batch of sequences for one update, with targets of type Y and inputs of type X. */
export interface Batch<
  Y extends Tensor | IntTensor = Tensor | IntTensor,
  X extends Tensor | IntTensor = Tensor | IntTensor,
> {
  /** Token ids `[T, B]`, or vectors `[T, B, I]`. */
  readonly inputs: X;
  /** The targets of the loss: one per step `[T, B, …]`, or one per sequence `[B, …]`. */
  readonly targets: Y;
  /**
   * `[T, B]`, or `[B]` for one target per sequence: the weight of every target in the loss; all 1 by default. Targets
   * of weight 0 are ignored, whatever their values (an id of −100, NaN).
   */
  readonly mask?: Tensor | undefined;
  /** `[B]` the number of valid steps of each row; all by default. */
  readonly lengths?: Int32Array | undefined;
  /**
   * `[T, B]` 1 at the first step of a new sequence (of a new document, for example), which starts from the initial
   * state; 0 elsewhere. All 0 by default.
   */
  readonly resets?: IntTensor | undefined;
}

/** A source of batches that can be read any number of times. */
export interface Dataset<B = Batch> {
  /** The number of batches in one epoch. */
  readonly batchCount: number;
  /**
   * The batches of one epoch. All randomness comes from `random`, so that the state of the generator determines the
   * order. Every batch has its own arrays: with `accumulate`, several are read before they are used.
   */
  readonly batches: (random: Random) => Iterable<B>;
}

/** A dataset, or an array or another iterable of batches, which are used in order. */
export type Batches<B = Batch> = Dataset<B> | Iterable<B>;

/**
 * A source of batches that are read while training uses them, such as files that do not fit in memory.
 *
 * @example
 * const chunks = [[1, 2], [3, 4], [5, 6]]; // in practice, files or rows of a database
 * const data: AsyncDataset<Batch<Tensor, Tensor>> = {
 *   batchCount: chunks.length,
 *   async *batches(random) {
 *     for (const i of shuffle(random, Int32Array.from(chunks.keys()))) {
 *       const x = tensor([await Promise.resolve(chunks[i]!)]);
 *       yield { inputs: { shape: [1, 2, 1], data: x.data }, targets: { shape: [1, 2, 1], data: x.data } };
 *     }
 *   },
 * };
 * const model = sequential([dense({ size: 1 })], { inputSize: 1 });
 * (await fit(model, data, { loss: meanSquaredError, optimizer: sgd(0.01), epochs: 2 })).steps; // 6
 */
export interface AsyncDataset<B = Batch> {
  /** The number of batches in one epoch; omit it if it is not known. */
  readonly batchCount?: number | undefined;
  /**
   * Starts an epoch from its first batch. All randomness comes from `random`, and is drawn only while a batch is
   * awaited, so that the state of the generator determines the order. Every batch has its own arrays, as in
   * {@link Dataset}.
   */
  readonly batches: (random: Random) => AsyncIterable<B>;
}

/**
 * An asynchronous dataset, or an asynchronous iterable. An async generator or a stream is read once: it has one epoch.
 * An object with a method `[Symbol.asyncIterator]`, which starts again in every epoch, can have more.
 */
export type AsyncBatches<B = Batch> = AsyncDataset<B> | AsyncIterable<B>;

/** A dataset whose batches are read synchronously or asynchronously, and whose length may not be known. */
export interface Source<B> extends Partial<Pick<Dataset<B>, 'batchCount'>> {
  readonly batches: (random: Random) => Iterable<B> | AsyncIterable<B>;
}

/**
 * The source of the batches in data. A synchronous iterable is read to its end or to `most` batches, and kept in
 * memory; an asynchronous one is read in every epoch.
 *
 * @throws TypeError as {@link datasetOrBatches}
 */
export function sourceOf<B>(
  where: string,
  name: string,
  data: Batches<B> | AsyncBatches<B> | B,
  most: number = Infinity,
): Source<B> {
  const given = datasetOrBatches(where, name, data);
  if ('batches' in given) return given as Source<B>;
  if (Symbol.asyncIterator in given) return { batches: () => given };
  const list: B[] = [];
  for (const batch of given) if (list.push(batch) >= most) break;
  return { batchCount: list.length, batches: () => list };
}

/**
 * Interprets data: one batch becomes an array.
 *
 * @throws TypeError if it is not a dataset, a batch, or an iterable of batches
 */
export function datasetOrBatches<B>(
  where: string,
  name: string,
  data: Batches<B> | AsyncBatches<B> | B,
): Batches<B> | AsyncBatches<B> {
  if (isObject(data)) {
    if (typeof (data as Partial<Dataset>).batches === 'function') return data;
    if (isIterable(data)) return data;
    if ('inputs' in data) return [data as B];
  }
  throw mismatch(where, name, 'a dataset, a batch { inputs, targets } or an iterable of batches', data);
}

/** Whether a value is an iterable object, synchronous or not. */
export function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  return isObject(value) && (Symbol.iterator in value || Symbol.asyncIterator in value);
}

/** @throws TypeError or RangeError if the tensors of a batch are not valid */
export function checkBatch(where: string, batch: Batch): void {
  checkNames(where, 'a batch', batch, ['inputs', 'targets', 'mask', 'lengths', 'resets']);
  checkEither(where, 'inputs', batch.inputs);
  checkEither(where, 'targets', batch.targets);
}

/** The options of {@link batchesOf}. */
export interface BatchesOptions {
  /** B; the last batch of an epoch is smaller if B does not divide N. */
  readonly batchSize: number;
  /** Whether examples are shuffled in every epoch; true by default. */
  readonly shuffle?: boolean | undefined;
  /**
   * The axis of the N examples in the targets: 1 for one target per step `[T, N, …]` (the default), 0 for one per
   * sequence `[N, …]`.
   */
  readonly targetAxis?: 0 | 1 | undefined;
}

/**
 * Creates a dataset of N examples of equal length.
 *
 * @param inputs token ids `[T, N]`, or vectors `[T, N, I]`; time-major
 * @param targets `[T, N, …]`, or `[N, …]` with `targetAxis: 0`
 * @throws RangeError if there are no examples, or inputs and targets differ in their number
 * @example
 * const dataset = batchesOf(full([20, 100, 3], 0), full([100, 1], 0), { batchSize: 32, targetAxis: 0 });
 * dataset.batchCount; // 4
 * [...dataset.batches(createRandom(1))].map((batch) => batch.inputs.shape[1]); // [32, 32, 32, 4]
 */
export function batchesOf<X extends Tensor | IntTensor, Y extends Tensor | IntTensor>(
  inputs: X,
  targets: Y,
  options: BatchesOptions,
): Dataset<Batch<Y, X>> {
  checkNames('batchesOf', 'options', options, ['batchSize', 'shuffle', 'targetAxis']);
  const { batchSize, shuffle: shuffled = true, targetAxis = 1 } = options;
  checkChoice('batchesOf', 'targetAxis', targetAxis, [0, 1]);
  checkCount('batchesOf', 'batchSize', batchSize);
  checkEither('batchesOf', 'inputs', inputs);
  checkEither('batchesOf', 'targets', targets);
  const count = inputs.shape[1] ?? 0;
  checkSome('batchesOf', 'inputs [T, N, …]', count, 'example');
  if (targets.shape[targetAxis] !== count) {
    const expected = `of length ${count} in axis ${targetAxis}`;
    const cause = `Is it targetAxis: ${1 - targetAxis}? Are inputs [T, N, …]?`;
    throw outOfRange('batchesOf', 'targets', expected, formatShape(targets.shape), cause);
  }
  return {
    batchCount: Math.ceil(count / batchSize),
    *batches(random) {
      const order = Int32Array.from({ length: count }, (_, example) => example);
      if (shuffled) shuffle(random, order);
      for (let start = 0; start < count; start += batchSize) {
        const examples = order.subarray(start, start + batchSize);
        yield { inputs: take(inputs, 1, examples), targets: take(targets, targetAxis, examples) };
      }
    },
  };
}

/** The elements at the given indices of an axis, which are distinct, in the given order. */
function take<X extends Tensor | IntTensor>(x: X, axis: number, indices: Int32Array): X {
  const shape = x.shape.slice();
  const outer = sizeOf(shape.slice(0, axis));
  const length = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  shape[axis] = indices.length;
  // A part of the data has the kind and the length of the result, as no index is repeated.
  const data = x.data.slice(0, sizeOf(shape));
  let to = 0;
  for (let block = 0; block < outer; block++) {
    for (const index of indices) {
      const from = (block * length + index) * inner;
      for (let i = 0; i < inner; i++) data[to++] = x.data[from + i]!;
    }
  }
  return likeTensor(x, shape, data);
}
