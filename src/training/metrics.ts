/** Metrics of a model's outputs. */

import type { Variable } from '../autodiff/tape';
import { validRows } from '../recurrence/packing';
import { checkShape, formatShape, type Shape, sameShape, sizeOf } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';

/** The targets that count in a metric. */
export interface MetricOptions {
  /** The weight of every target, in the shape of the targets; all 1 by default. */
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
  return Math.exp(loss);
}

/**
 * Converts a loss per character from nats to bits.
 *
 * @example
 * bitsPerCharacter(Math.log(8)); // 3
 */
export function bitsPerCharacter(loss: number): number {
  return loss / Math.LN2;
}

/**
 * The weight of every target, from a mask and lengths.
 *
 * @throws RangeError if they do not fit the targets
 */
export function targetWeights(where: string, targets: Shape, { mask, lengths }: MetricOptions): Float32Array {
  if (mask !== undefined) checkShape(where, 'mask', mask.shape, { letters: 'of the targets', lengths: targets });
  const weights = mask?.data.slice() ?? new Float32Array(sizeOf(targets)).fill(1);
  const [T = 1, B = 1, ...rest] = targets;
  const valid = lengths === undefined || targets.length < 2 ? undefined : validRows(where, T, B, lengths);
  const width = sizeOf(rest);
  valid?.positions.forEach((position, row) => {
    if (position < 0) weights.fill(0, row * width, (row + 1) * width);
  });
  return weights;
}

/**
 * The fraction of targets that have the largest logit.
 *
 * @param logits `[..., V]`
 * @param targets class ids `[...]`
 * @param options the targets that count; with `lengths`, padding does not
 * @throws RangeError if the shapes do not fit, or there are no targets
 * @example
 * accuracy(tensor([[0, 1], [1, 0]]), intTensor([1, 1])); // 0.5
 */
export function accuracy(logits: Tensor, targets: IntTensor, options: MetricOptions = {}): number {
  const V = logits.shape.at(-1) ?? 0;
  if (!sameShape(logits.shape.slice(0, -1), targets.shape) || targets.data.length === 0) {
    throw new RangeError(
      'accuracy: targets must be class ids in the shape of logits without the last axis, at least one, ' +
        `got ${formatShape(targets.shape)} for ${formatShape(logits.shape)}.`,
    );
  }
  const weights = targetWeights('accuracy', targets.shape, options);
  let correct = 0;
  targets.data.forEach((target, row) => {
    let best = 0;
    for (let j = 1; j < V; j++) if (logits.data[row * V + j]! > logits.data[row * V + best]!) best = j;
    if (best === target) correct += weights[row]!;
  });
  return correct / weights.reduce((sum, weight) => sum + weight, 0);
}
