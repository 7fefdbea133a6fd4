/** Metrics of a model's outputs. */

import type { Variable } from '../autodiff/tape';
import { selectRows, type ValidRows, validRows } from '../recurrence/packing';
import {
  checkNames,
  checkNumber,
  checkShape,
  formatShape,
  mismatch,
  type Shape,
  sameShape,
  sizeOf,
} from '../tensor/shape';
import { checkIntTensor, checkTensor, type IntTensor, type Tensor } from '../tensor/tensor';

/** The targets that count in a metric. */
export interface MetricOptions {
  /**
   * The weight of every target: the shape of the targets or of their leading axes; all 1 by default. Targets of weight
   * 0 are ignored, whatever their values.
   */
  readonly mask?: Tensor | undefined;
  /** `[B]` the number of valid steps of each row of `[T, B, …]` targets; all by default. */
  readonly lengths?: Int32Array | undefined;
}

/**
 * A metric for targets of type Y, for {@link evaluate}: a number, or a scalar variable. Every {@link Loss} of such
 * targets is also a metric.
 */
export type Metric<Y extends Tensor | IntTensor = Tensor | IntTensor> = (
  outputs: Tensor,
  targets: Y,
  options?: MetricOptions,
) => number | Variable;

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
  /** The rows of weight other than 0, over the axes of the weights; undefined if that is all. */
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
  checkShape(
    where,
    'mask',
    axes,
    { letters: 'leading axes of the targets', lengths: leading },
    `The targets are ${formatShape(targets)}.`,
  );
  const weights = mask?.data.slice() ?? new Float32Array(sizeOf(axes)).fill(1);
  const [T = 1, B = 1, ...rest] = axes;
  const width = sizeOf(rest);
  validRows(where, T, B, lengths)?.positions.forEach((position, row) => {
    if (position < 0) weights.fill(0, row * width, (row + 1) * width);
  });
  let total = 0;
  for (let i = 0; i < weights.length; i++) total += weights[i]!;
  checkNumber(where, 'the sum of mask', total);
  const valid = weights.includes(0) ? selectRows(axes, (row) => weights[row] !== 0) : undefined;
  return { weights, valid, total: total * sizeOf(targets.slice(axes.length)) };
}

/**
 * The fraction of targets that have the largest logit.
 *
 * @param logits `[..., V]`
 * @param targets class ids `[...]`
 * @param options the targets that count; with `lengths`, padding does not
 * @throws RangeError if the shapes do not fit, or no target counts
 * @example
 * accuracy(tensor([[0, 1], [1, 0]]), intTensor([1, 1])); // 0.5
 */
export function accuracy(logits: Tensor, targets: IntTensor, options: MetricOptions = {}): number {
  checkTensor('accuracy', 'logits', logits);
  checkIntTensor('accuracy', 'targets', targets);
  checkNames('accuracy', 'options', options, ['mask', 'lengths']);
  const V = logits.shape.at(-1) ?? 0;
  if (!sameShape(logits.shape.slice(0, -1), targets.shape) || targets.data.length === 0) {
    throw new RangeError(
      'accuracy: targets must be class ids in the shape of logits without the last axis, at least one, ' +
        `got ${formatShape(targets.shape)} for ${formatShape(logits.shape)}.`,
    );
  }
  const { weights, total } = targetWeights('accuracy', targets.shape, options);
  if (!(total > 0)) throw new RangeError('accuracy: there must be at least one target. Is the mask all zeros?');
  const width = targets.data.length / weights.length;
  let correct = 0;
  targets.data.forEach((target, row) => {
    let best = 0;
    for (let j = 1; j < V; j++) if (logits.data[row * V + j]! > logits.data[row * V + best]!) best = j;
    if (best === target) correct += weights[Math.floor(row / width)]!;
  });
  return correct / total;
}
