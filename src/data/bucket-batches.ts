/** Examples of unequal length, in batches of similar length. */

import { type Random, shuffle } from '../tensor/random';
import { checkCount, checkShape, checkSome, describe } from '../tensor/shape';
import { type IntTensor, isTensor, type Tensor } from '../tensor/tensor';
import type { Batch, Dataset } from './dataset';
import { checkAlike, checkPadding, lengthOf, padSequences } from './unequal-lengths';

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
 * @throws TypeError where examples are not all of one kind
 * @throws RangeError where there is no example, one's target has not its input's number of steps, an example of one answer a step has no
 * step, vectors differ in size, or a number as target is not an id
 * @example
 * const examples = [5, 2, 4, 3].map((length) => ({ input: new Int32Array(length).fill(1), target: length > 3 ? 1 : 0 }));
 * const [batch] = bucketBatches(examples, { batchSize: 2, shuffle: false }).batches(createRandom(1));
 * batch.lengths; // Int32Array [2, 3]
 * batch.inputs.shape; // [3, 2]
 * batch.targets.data; // Int32Array [0, 0]
 */
export function bucketBatches(examples: readonly Example[], options: BucketOptions): Dataset {
  const { batchSize, shuffle: shuffled = true, padding = 0 } = options;
  checkSome('bucketBatches', 'examples', examples.length, 'example');
  checkAlike(
    'bucketBatches',
    (i) => `examples[${i}].input`,
    examples.map(({ input }) => input),
  );
  checkBuckets('bucketBatches', options, examples);
  const perStep = checkTargets(examples);
  return {
    batchCount: Math.ceil(examples.length / batchSize),
    *batches(random) {
      for (const chosen of bucketsOf(examples, options, shuffled ? random : undefined)) {
        const { inputs, lengths } = padSequences(
          chosen.map(({ input }) => input),
          { padding },
        );
        yield { inputs, targets: targetsOf(chosen, perStep), lengths } satisfies Batch;
      }
    },
  };
}

/** @throws RangeError where a size is not a whole number of at least 1, or the padding does not fit the inputs */
export function checkBuckets(
  where: string,
  { batchSize, bucket = 1, padding = 0 }: BucketOptions,
  [first]: readonly { readonly input: unknown }[],
): void {
  checkCount(where, 'batchSize', batchSize);
  checkCount(where, 'bucket', bucket);
  checkPadding(where, padding, first!.input instanceof Int32Array);
}

/** The examples of an epoch, batch by batch. */
export function bucketsOf<X extends { readonly input: Int32Array | Tensor }>(
  examples: readonly X[],
  { batchSize, bucket = 50 }: BucketOptions,
  random: Random | undefined,
): readonly (readonly X[])[] {
  const order = Int32Array.from(examples.keys());
  if (random !== undefined) shuffle(random, order);
  const batches: (readonly X[])[] = [];
  for (let from = 0; from < order.length; from += bucket * batchSize) {
    const sorted = Array.from(order.subarray(from, from + bucket * batchSize), (i) => examples[i]!).sort(
      (a, b) => lengthOf(a.input) - lengthOf(b.input),
    );
    for (let i = 0; i < sorted.length; i += batchSize) batches.push(sorted.slice(i, i + batchSize));
  }
  return random === undefined
    ? batches
    : Array.from(shuffle(random, Int32Array.from(batches.keys())), (i) => batches[i]!);
}

/** Ids are one answer a step; vectors by their rank; a number is one a sequence. */
function isPerStep({ target }: Example): boolean {
  return target instanceof Int32Array || (isTensor(target) && target.shape.length === 2);
}

/** Whether there is one answer a step. @throws TypeError, RangeError where targets do not fit each other or the inputs */
function checkTargets(examples: readonly Example[]): boolean {
  const where = 'bucketBatches';
  const perStep = isPerStep(examples[0]!);
  const nameOf = (i: number): string => `examples[${i}].target`;
  examples.forEach((example, i) => {
    if (isPerStep(example) === perStep) return;
    throw new TypeError(
      `${where}: examples must all have one answer a step or all one a sequence, examples[${i}] has not.`,
    );
  });
  if (perStep) {
    checkAlike(
      where,
      nameOf,
      examples.map(({ target }) => target as Int32Array | Tensor),
    );
    examples.forEach(({ input, target }, i) => {
      const [steps, answers] = [lengthOf(input), lengthOf(target as Int32Array | Tensor)];
      if (steps !== answers)
        throw new RangeError(`${where}: examples[${i}] has an input of ${steps} steps and targets for ${answers}.`);
      if (steps === 0)
        throw new RangeError(
          `${where}: examples[${i}] must have at least one step, since it has one answer a step. Leave it out.`,
        );
    });
    return true;
  }
  const first = examples[0]!.target;
  examples.forEach(({ target }, i) => {
    if (typeof target !== typeof first || (typeof target !== 'number' && !isTensor(target))) {
      const wanted =
        i === 0
          ? 'an id, a tensor [O], or one answer a step'
          : `${typeof first === 'number' ? 'an id' : 'a tensor [O]'}, like ${nameOf(0)}`;
      throw new TypeError(`${where}: ${nameOf(i)} must be ${wanted}, got ${describe(target)}.`);
    }
    if (isTensor(target)) {
      checkShape(where, nameOf(i), target.shape, { letters: '[O]', lengths: [(first as Tensor).shape[0]] });
    } else if (!Number.isInteger(target) || target < 0) {
      throw new RangeError(
        `${where}: ${nameOf(i)} must be an id, a whole number of at least 0, got ${target}. Numbers to estimate are a tensor [O].`,
      );
    }
  });
  return false;
}

function targetsOf(examples: readonly Example[], perStep: boolean): Tensor | IntTensor {
  const targets = examples.map(({ target }) => target);
  if (perStep) return padSequences(targets as (Int32Array | Tensor)[]).inputs;
  if (typeof targets[0] === 'number') return { shape: [targets.length], data: Int32Array.from(targets as number[]) };
  const size = (targets[0] as Tensor).data.length;
  const data = new Float32Array(targets.length * size);
  (targets as Tensor[]).forEach((target, row) => data.set(target.data, row * size));
  return { shape: [targets.length, size], data };
}
