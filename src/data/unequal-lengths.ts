/** Sequences of unequal length: padded to tensors, and in batches of similar length. */

import { shuffle, type Random } from '../tensor/random';
import { checkCount, checkSome, formatShape } from '../tensor/shape';
import type { IdTensor, Tensor } from '../tensor/tensor';
import type { Batch, Dataset } from './dataset';

/** How {@link padSequences} fills up and cuts. */
export interface PadOptions {
  /** T; the longest sequence by default. */
  readonly steps?: number;
  /** What stands behind a sequence's end: an id, or a number. 0 by default. */
  readonly padding?: number;
  /** Which part of a sequence of more than `steps` is left: its first steps, or its last. Without it such a sequence is refused. */
  readonly keep?: 'first' | 'last';
}

/** What {@link padSequences} answers. */
export interface Padded<X extends IdTensor | Tensor = IdTensor | Tensor> {
  /** Ids `[T, B]`, or vectors `[T, B, I]`. */
  readonly inputs: X;
  /** `[B]` */
  readonly lengths: Int32Array;
}

/**
 * Sequences side by side, each filled up at its end.
 *
 * @param sequences ids each, or vectors `[T_i, I]` each
 * @throws RangeError where there is none, one is longer than `steps`, or vectors differ in size
 * @example
 * const { inputs, lengths } = padSequences([Int32Array.of(3, 1, 4), Int32Array.of(1, 5)]);
 * inputs.data; // Int32Array [3, 1, 1, 5, 4, 0]
 * lengths; // Int32Array [3, 2]
 */
export function padSequences(sequences: readonly Int32Array[], options?: PadOptions): Padded<IdTensor>;
export function padSequences(sequences: readonly Tensor[], options?: PadOptions): Padded<Tensor>;
export function padSequences(sequences: readonly (Int32Array | Tensor)[], options?: PadOptions): Padded;
export function padSequences(sequences: readonly (Int32Array | Tensor)[], { steps, padding = 0, keep }: PadOptions = {}): Padded {
  checkSome('padSequences', 'sequences', sequences.length, 'sequence');
  if (steps !== undefined) checkCount('padSequences', 'steps', steps);
  const first = sequences[0]!;
  const ofIds = first instanceof Int32Array;
  const size = ofIds ? 1 : first.shape[1]!;
  sequences.forEach((sequence, i) => {
    if ((sequence instanceof Int32Array) !== ofIds) throw new TypeError(`padSequences: sequences must all be of ids or all of vectors, sequences[${i}] is not.`);
    if (!(sequence instanceof Int32Array) && (sequence.shape.length !== 2 || sequence.shape[1] !== size)) {
      throw new RangeError(`padSequences: sequences[${i}] must be [T, I] = [*, ${size}], got ${formatShape(sequence.shape)}.`);
    }
  });
  const full = sequences.map(lengthOf);
  const longest = full.reduce((most, length) => Math.max(most, length), 0);
  const T = steps ?? longest;
  if (longest > T && keep === undefined) {
    throw new RangeError(`padSequences: sequences[${full.indexOf(longest)}] has ${longest} steps, more than steps = ${T}. Cut by keep: 'first' or 'last'.`);
  }
  const B = sequences.length;
  const lengths = Int32Array.from(full, (length) => Math.min(length, T));
  const data = (ofIds ? new Int32Array(T * B) : new Float32Array(T * B * size)).fill(padding);
  sequences.forEach((sequence, row) => {
    const numbers = sequence instanceof Int32Array ? sequence : sequence.data;
    const skipped = keep === 'last' ? full[row]! - lengths[row]! : 0;
    for (let t = 0; t < lengths[row]!; t++) {
      data.set(numbers.subarray((skipped + t) * size, (skipped + t + 1) * size), (t * B + row) * size);
    }
  });
  return { inputs: { shape: ofIds ? [T, B] : [T, B, size], data } as IdTensor | Tensor, lengths };
}

const lengthOf = (sequence: Int32Array | Tensor): number => (sequence instanceof Int32Array ? sequence.length : sequence.shape[0]!);

/** A sequence, and what the model is to answer: one answer a step, `[T_i]` ids or `[T_i, O]`; or one a sequence, an id or `[O]`. */
export interface Example {
  readonly input: Int32Array | Tensor;
  readonly target: Int32Array | Tensor | number;
}

/** How {@link bucketBatches} puts batches together. */
export interface BucketOptions {
  /** B; there may be smaller batches, at most one an epoch. */
  readonly batchSize: number;
  /** Whether every epoch has an order of its own; true by default. */
  readonly shuffle?: boolean;
  /** How many batches' examples are sorted by length together: more leaves less padding and less chance. 50 by default. */
  readonly bucket?: number;
  /** What fills up inputs; 0 by default. Targets are filled up with 0, which the lengths keep out of losses and metrics. */
  readonly padding?: number;
}

/**
 * A dataset of examples of unequal length, in batches of similar length. Every epoch draws an order, sorts each stretch of `bucket` batches by
 * length, cuts it into batches and deals the batches out at random. Each example comes once an epoch.
 *
 * @throws RangeError where there is no example, or one's target has not its input's number of steps
 * @throws TypeError where examples are not all of one kind
 * @example
 * const examples = [5, 2, 4, 3].map((length) => ({ input: new Int32Array(length).fill(1), target: length > 3 ? 1 : 0 }));
 * const [batch] = bucketBatches(examples, { batchSize: 2, shuffle: false }).batches(createRandom(1));
 * batch.lengths; // Int32Array [2, 3]
 * batch.inputs.shape; // [3, 2]
 * batch.targets.data; // Int32Array [0, 0]
 */
export function bucketBatches(examples: readonly Example[], options: BucketOptions): Dataset {
  const { batchSize, shuffle: shuffled = true, padding = 0 } = options;
  checkBuckets('bucketBatches', options);
  checkSome('bucketBatches', 'examples', examples.length, 'example');
  const perStep = answersPerStep(examples[0]!);
  examples.forEach((example, i) => {
    if (answersPerStep(example) !== perStep) throw new TypeError(`bucketBatches: examples must all have one answer a step or all one a sequence, examples[${i}] has not.`);
    const steps = perStep ? lengthOf(example.target as Int32Array | Tensor) : lengthOf(example.input);
    if (steps !== lengthOf(example.input)) {
      throw new RangeError(`bucketBatches: examples[${i}] has an input of ${lengthOf(example.input)} steps and targets for ${steps}.`);
    }
  });
  return {
    batchCount: Math.ceil(examples.length / batchSize),
    *batches(random) {
      for (const chosen of bucketsOf(examples, options, shuffled ? random : undefined)) {
        const { inputs, lengths } = padSequences(chosen.map(({ input }) => input), { padding });
        yield { inputs, targets: targetsOf(chosen, perStep), lengths } satisfies Batch;
      }
    },
  };
}

/** @throws RangeError where a size is not a whole number of at least 1 */
export function checkBuckets(where: string, { batchSize, bucket }: BucketOptions): void {
  checkCount(where, 'batchSize', batchSize);
  if (bucket !== undefined) checkCount(where, 'bucket', bucket);
}

/** The examples of an epoch, batch by batch. */
export function bucketsOf<X extends { readonly input: Int32Array | Tensor }>(
  examples: readonly X[], { batchSize, bucket = 50 }: BucketOptions, random: Random | undefined,
): readonly (readonly X[])[] {
  const order = Int32Array.from(examples.keys());
  if (random !== undefined) shuffle(random, order);
  const batches: (readonly X[])[] = [];
  for (let from = 0; from < order.length; from += bucket * batchSize) {
    const sorted = Array.from(order.subarray(from, from + bucket * batchSize), (i) => examples[i]!).sort((a, b) => lengthOf(a.input) - lengthOf(b.input));
    for (let i = 0; i < sorted.length; i += batchSize) batches.push(sorted.slice(i, i + batchSize));
  }
  return random === undefined ? batches : Array.from(shuffle(random, Int32Array.from(batches.keys())), (i) => batches[i]!);
}

/** Ids are one answer a step; vectors by their rank; a number is one a sequence. */
function answersPerStep({ target }: Example): boolean {
  return target instanceof Int32Array || (typeof target !== 'number' && target.shape.length === 2);
}

function targetsOf(examples: readonly Example[], perStep: boolean): Tensor | IdTensor {
  const targets = examples.map(({ target }) => target);
  if (perStep) return padSequences(targets as (Int32Array | Tensor)[]).inputs;
  if (typeof targets[0] === 'number') return { shape: [targets.length], data: Int32Array.from(targets as number[]) };
  const size = (targets[0] as Tensor).data.length;
  const data = new Float32Array(targets.length * size);
  (targets as Tensor[]).forEach((target, row) => data.set(target.data, row * size));
  return { shape: [targets.length, size], data };
}
