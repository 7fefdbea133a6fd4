/** Batches of sequences of similar length. */

import { isArrayOf } from '../tensor/arrays';
import { type Random, shuffle } from '../tensor/random';
import {
  checkArray,
  checkCount,
  checkKind,
  checkNames,
  checkShape,
  checkSome,
  counted,
  mismatch,
  outOfRange,
} from '../tensor/shape';
import { checkTensor, type IntTensor, isTensor, type Tensor } from '../tensor/tensor';
import type { Batch, Dataset } from './dataset';
import { checkPadding, checkSameKind, padSequences, sequenceLengthOf, type TensorOf } from './unequal-lengths';

/** A sequence with its target. */
export interface Example<
  T extends Int32Array | Tensor | number = Int32Array | Tensor | number,
  S extends Int32Array | Tensor = Int32Array | Tensor,
> {
  /** Token ids, or vectors `[T_i, I]`. */
  readonly input: S;
  /** One target per step, ids `[T_i]` or vectors `[T_i, O]`; or one per sequence, an id or a vector `[O]`. */
  readonly target: T;
}

/** The options of {@link bucketBatches}. */
export interface BucketOptions {
  /** B, the number of examples per batch. At most one batch per epoch has fewer. */
  readonly batchSize: number;
  /** Whether examples are shuffled in every epoch; true by default. */
  readonly shuffle?: boolean | undefined;
  /**
   * The number of batches whose examples are sorted by length together: more means less padding and less randomness. 50
   * by default.
   */
  readonly bucket?: number | undefined;
  /**
   * The padding value of inputs; 0 by default. Targets are padded with 0; the lengths exclude padding from losses and
   * metrics.
   */
  readonly padding?: number | undefined;
}

/**
 * Creates a dataset of examples of unequal length, in batches of similar length. In every epoch the examples are
 * shuffled, each run of `bucket` batches is sorted by length and cut into batches, and the batches are shuffled. Each
 * example occurs once per epoch.
 *
 * @throws TypeError if the examples are not all of one kind
 * @throws RangeError if there are no examples, inputs and targets per step differ in length, an example with targets
 * per step is empty, vectors differ in size, or a number as target is not a class id
 * @example
 * const inputs = [5, 2, 4, 3].map((length) => new Int32Array(length).fill(1));
 * const examples = inputs.map((input) => ({ input, target: input.length > 3 ? 1 : 0 }));
 * const [batch] = bucketBatches(examples, { batchSize: 2, shuffle: false }).batches(createRandom(1));
 * batch!.lengths; // Int32Array [2, 3]
 * batch!.inputs.shape; // [3, 2]
 * batch!.targets.data; // Int32Array [0, 0]
 */
export function bucketBatches<T extends Int32Array | Tensor | number, S extends Int32Array | Tensor>(
  examples: readonly Example<T, S>[],
  options: BucketOptions,
): Dataset<Batch<TensorOf<T>, TensorOf<S>>>;
export function bucketBatches(examples: readonly Example[], options: BucketOptions): Dataset {
  checkBuckets('bucketBatches', 'examples', examples, options);
  const { batchSize, padding } = options;
  const perStep = checkTargets(examples);
  return {
    batchCount: Math.ceil(examples.length / batchSize),
    *batches(random) {
      for (const batch of bucketsOf(examples, options, random)) {
        const { inputs, lengths } = padSequences(
          batch.map(({ input }) => input),
          { padding },
        );
        yield { inputs, targets: targetsOf(batch, perStep), lengths };
      }
    },
  };
}

/** @throws TypeError if an item has no input, or one of another kind; RangeError if an option is out of range */
export function checkBuckets(
  where: string,
  argument: 'examples' | 'pairs',
  items: readonly { readonly input: Int32Array | Tensor }[],
  options: BucketOptions,
): void {
  checkArray(where, argument, items);
  checkSome(where, argument, items.length, argument.slice(0, -1));
  for (let i = 0; i < items.length; i++)
    checkKind(where, `${argument}[${i}]`, items[i], 'an object with input and target', 'target');
  const inputs = items.map(({ input }) => input);
  checkSameKind(where, (i) => `${argument}[${i}].input`, inputs);
  checkNames(where, 'options', options, ['batchSize', 'shuffle', 'bucket', 'padding']);
  const { batchSize, bucket = 1, padding = 0 } = options;
  checkCount(where, 'batchSize', batchSize);
  checkCount(where, 'bucket', bucket);
  checkPadding(where, padding, isArrayOf('Int32Array', inputs[0]));
}

/** The examples of every batch of an epoch. */
export function bucketsOf<X extends { readonly input: Int32Array | Tensor }>(
  examples: readonly X[],
  { batchSize, bucket = 50, shuffle: shuffled = true }: BucketOptions,
  random: Random,
): readonly (readonly X[])[] {
  const order = [...examples];
  if (shuffled) shuffle(random, order);
  const batches: X[][] = [];
  for (let start = 0; start < order.length; start += bucket * batchSize) {
    const sorted = order
      .slice(start, start + bucket * batchSize)
      .sort((a, b) => sequenceLengthOf(a.input) - sequenceLengthOf(b.input));
    for (let i = 0; i < sorted.length; i += batchSize) batches.push(sorted.slice(i, i + batchSize));
  }
  return shuffled ? shuffle(random, batches) : batches;
}

/** Whether the target is one per step: ids always are, vectors by their rank, a number never is. */
function isPerStep(target: Example['target']): target is Int32Array | Tensor {
  return isArrayOf('Int32Array', target) || (isTensor(target) && target.shape.length === 2);
}

/**
 * Whether there is one target per step.
 *
 * @throws TypeError if the targets are not all of one kind
 * @throws RangeError if they do not fit the inputs, or each other
 */
function checkTargets(examples: readonly Example[]): boolean {
  const perStep = isPerStep(examples[0]!.target);
  const other = examples.findIndex(({ target }) => isPerStep(target) !== perStep);
  if (other >= 0) {
    throw new TypeError(
      `bucketBatches: examples must all have one target per ${perStep ? 'step' : 'sequence'}, ` +
        `as examples[0] has; examples[${other}] has one per ${perStep ? 'sequence' : 'step'}.`,
    );
  }
  if (perStep) checkStepTargets(examples);
  else checkSequenceTargets(examples);
  return perStep;
}

function checkStepTargets(examples: readonly Example[]): void {
  const targets = examples.map(({ target }) => target).filter(isPerStep);
  checkSameKind('bucketBatches', (i) => `examples[${i}].target`, targets);
  examples.forEach(({ input }, i) => {
    const steps = sequenceLengthOf(input);
    const targetSteps = sequenceLengthOf(targets[i]!);
    if (steps !== targetSteps)
      throw new RangeError(
        `bucketBatches: examples[${i}] must have one target per step, ` +
          `got ${counted(steps, 'step')} and ${counted(targetSteps, 'target')}.`,
      );
    if (steps === 0)
      throw new RangeError(
        `bucketBatches: examples[${i}] must have at least one step, since it has one target per step. Leave it out.`,
      );
  });
}

function checkSequenceTargets(examples: readonly Example[]): void {
  const first = examples[0]!.target;
  examples.forEach(({ target }, i) => {
    const name = `examples[${i}].target`;
    if (isTensor(target) && (i === 0 || isTensor(first))) {
      const size = isTensor(first) ? first.shape[0] : undefined;
      checkTensor('bucketBatches', name, target);
      checkShape('bucketBatches', name, target.shape, '[O]', [size]);
    } else if (typeof target === 'number' && typeof first === 'number') {
      if ((target | 0) !== target || target < 0)
        throw outOfRange(
          'bucketBatches',
          name,
          'a class id, an integer of at least 0',
          target,
          'Pass targets of a regression as tensors [O].',
        );
    } else {
      const expected =
        i === 0
          ? 'a class id, a tensor [O], or one target per step'
          : `${typeof first === 'number' ? 'a class id' : 'a tensor [O]'}, like examples[0].target`;
      throw mismatch('bucketBatches', name, expected, target);
    }
  });
}

function targetsOf(examples: readonly Example[], perStep: boolean): Tensor | IntTensor {
  const targets = examples.map(({ target }) => target);
  if (perStep) return padSequences(targets.filter(isPerStep)).inputs;
  const vectors = targets.filter(isTensor);
  if (vectors.length === 0) return { shape: [targets.length], data: Int32Array.from(targets.map(Number)) };
  const size = vectors[0]!.data.length;
  const data = new Float32Array(vectors.length * size);
  vectors.forEach((target, row) => data.set(target.data, row * size));
  return { shape: [vectors.length, size], data };
}
