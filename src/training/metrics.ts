/** Metrics of a model's outputs. */

import type { Variable } from '../autodiff/tape';
import { selectRows, type ValidRows, validRows } from '../recurrence/packing';
import { lastOf } from '../tensor/arrays';
import type { NoInfer } from '../tensor/no-infer';
import {
  checkFunction,
  checkFunctions,
  checkNames,
  checkShape,
  lengthAt,
  mismatch,
  outOfRange,
  type Shape,
  sizeOf,
} from '../tensor/shape';
import { checkEither, checkIntTensor, checkTensor, full, type IntTensor, type Tensor } from '../tensor/tensor';

/** The weights of the targets of a metric. */
export interface MetricOptions {
  /**
   * The weight of every target: the shape of the targets or of their leading axes; all 1 by default. Targets of weight
   * 0 are ignored, whatever their values.
   */
  readonly mask?: Tensor | undefined;
  /** `[B]` the number of valid steps of each row of `[T, B, …]`; all by default. Targets in the padding are ignored. */
  readonly lengths?: Int32Array | undefined;
}

/**
 * A metric for targets of type Y, for {@link evaluate}: a number, or a scalar variable. Every {@link Loss} of such
 * targets is also a metric.
 */
export interface Metric<Y extends Tensor | IntTensor = Tensor | IntTensor> {
  (outputs: Tensor, targets: Y, options?: MetricOptions): number | Variable;
  /** The weight of a batch in the mean over batches; by default, the sum of the weights of its targets. */
  readonly weightOf?: (targets: Y, options: MetricOptions) => number;
}

/**
 * A metric that is not a mean over targets, such as {@link f1Score}. It is computed over all batches together. R is the
 * type of the result.
 */
export interface DatasetMetric<Y extends Tensor | IntTensor = Tensor | IntTensor, R = number> {
  /** Starts a measurement. */
  readonly start: () => Measurement<Y, R>;
}

/** A running measurement of a {@link DatasetMetric}. */
export interface Measurement<Y extends Tensor | IntTensor = Tensor | IntTensor, R = number> {
  /** Adds the targets of a batch that are not ignored. */
  readonly add: (outputs: Tensor, targets: Y, options?: MetricOptions) => void;
  /** The metric of all targets so far. */
  readonly result: () => R;
}

/**
 * Computes a {@link DatasetMetric} of one batch.
 *
 * @throws as the metric
 * @example
 * measure(f1Score(), tensor([[2], [-1]]), tensor([[1], [1]])); // 2/3 = 0.666…
 */
export function measure<Y extends Tensor | IntTensor, R>(
  metric: DatasetMetric<Y, R>,
  outputs: Tensor,
  targets: NoInfer<Y>,
  options: MetricOptions = {},
): R {
  checkFunction('measure', 'metric.start', metric?.start);
  checkTensor('measure', 'outputs', outputs);
  checkEither('measure', 'targets', targets);
  checkNames('measure', 'options', options, ['mask', 'lengths']);
  const measurement = metric.start();
  checkFunctions('measure', 'metric.start()', measurement, 'a measurement', ['add', 'result']);
  measurement.add(outputs, targets, options);
  return measurement.result();
}

/**
 * The number of equally likely choices that corresponds to a loss in nats: e^loss.
 *
 * @example
 * perplexity(Math.log(8)); // 8
 */
export function perplexity(loss: number): number {
  if (typeof loss !== 'number') throw mismatch('perplexity', 'loss', 'a number', loss);
  return Math.exp(loss);
}

/**
 * Converts a loss per character from nats to bits.
 *
 * @example
 * bitsPerCharacter(Math.log(8)); // 3
 */
export function bitsPerCharacter(loss: number): number {
  if (typeof loss !== 'number') throw mismatch('bitsPerCharacter', 'loss', 'a number', loss);
  return loss / Math.LN2;
}

/** The weights of targets over their leading axes: `[]`, one weight for all, without a mask and lengths. */
export interface TargetWeights {
  readonly weights: Float32Array;
  /** The rows of weight other than 0, over the axes of the weights; undefined if all weights are nonzero. */
  readonly valid: ValidRows | undefined;
  /** The sum of the weights of all targets. */
  readonly total: number;
}

/**
 * The weights of targets from a mask and lengths.
 *
 * @throws RangeError if they do not fit the targets
 */
export function targetWeights(where: string, targets: Shape, { mask, lengths }: MetricOptions): TargetWeights {
  if (mask !== undefined) checkTensor(where, 'mask', mask);
  const axes = mask?.shape ?? targets.slice(0, lengths ? 2 : 0);
  const leading = targets.slice(0, lengths && axes.length < 2 ? 2 : axes.length);
  checkShape(where, 'mask', axes, 'leading axes of the targets', leading);
  const weights = mask?.data.slice() ?? full(axes, 1).data;
  const [T = 1, B = 1, ...rest] = axes;
  const width = sizeOf(rest);
  const positions = validRows(where, T, B, lengths)?.positions;
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    if (positions && positions[Math.floor(i / width)]! < 0) weights[i] = 0;
    total += weights[i]!;
  }
  return {
    weights,
    get valid() {
      return weights.includes(0) ? selectRows(axes, (row) => weights[row] !== 0) : undefined;
    },
    total: total * sizeOf(targets.slice(axes.length)),
  };
}

/** @throws RangeError if the weights of the targets do not have a positive sum */
export function checkTotal(where: string, total: number): void {
  if (!(total > 0)) throw outOfRange(where, 'the sum of the weights', 'positive', total);
}

/** @throws RangeError if the targets do not have the shape of the predictions */
export function checkPairs(where: string, predictions: Shape, targets: Shape): void {
  checkShape(where, 'targets', targets, 'the shape of the predictions', predictions);
}

/** @throws TypeError if the targets are not integers; RangeError if their shape is not `[...]` for logits `[..., V]` */
export function checkClassIds(where: string, logits: Shape, targets: IntTensor): void {
  checkIntTensor(where, 'targets', targets);
  lengthAt(where, 'logits', logits, -1);
  const letters = 'class ids in the shape of logits without the last axis';
  checkShape(where, 'targets', targets.shape, letters, logits.slice(0, -1));
}

/**
 * The fraction of targets that have the largest logit.
 *
 * @param logits `[..., V]`
 * @param targets class ids `[...]`
 * @param options the weights of the targets
 * @throws RangeError if the shapes do not fit, or all targets are ignored
 * @example
 * accuracy(tensor([[0, 1], [1, 0]]), intTensor([1, 1])); // 0.5
 */
export function accuracy(logits: Tensor, targets: IntTensor, options: MetricOptions = {}): number {
  checkTensor('accuracy', 'logits', logits);
  checkNames('accuracy', 'options', options, ['mask', 'lengths']);
  checkClassIds('accuracy', logits.shape, targets);
  const { weights, total } = targetWeights('accuracy', targets.shape, options);
  checkTotal('accuracy', total);
  const width = targets.data.length / weights.length;
  const V = lastOf(logits.shape)!;
  let correct = 0;
  targets.data.forEach((target, row) => {
    if (largestIn(logits.data, row * V, V) === target) correct += weights[Math.floor(row / width)]!;
  });
  return correct / total;
}

/** The index, from `start`, of the largest of `count` elements, the first one of equal ones. */
export function largestIn(data: Float32Array, start: number, count: number): number {
  let best = 0;
  for (let j = 1; j < count; j++) if (data[start + j]! > data[start + best]!) best = j;
  return best;
}
