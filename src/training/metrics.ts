/** What people read off a model. */

import { validRows } from '../recurrence/packing';
import { checkShape, formatShape, type Shape, sameShape, sizeOf } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';

/**
 * The number of equally likely choices that a loss in nats stands for: e^loss.
 *
 * @example
 * perplexity(Math.log(8)); // 8
 */
export function perplexity(loss: number): number {
  return Math.exp(loss);
}

/**
 * A loss in nats per character, in bits.
 *
 * @example
 * bitsPerCharacter(Math.log(8)); // 3
 */
export function bitsPerCharacter(loss: number): number {
  return loss / Math.LN2;
}

/** What counts in a metric. */
export interface MetricOptions {
  /** Of the shape of the targets: what counts, and how much; all by default. */
  readonly mask?: Tensor | undefined;
  /** `[B]` how many steps of each row of `[T, B]` targets count; all by default. */
  readonly lengths?: Int32Array | undefined;
}

/**
 * How much every target counts, from a mask and from lengths.
 *
 * @throws RangeError where they do not fit the targets
 */
export function countsOf(where: string, targets: Shape, { mask, lengths }: MetricOptions): Float32Array {
  if (mask !== undefined) checkShape(where, 'mask', mask.shape, { letters: 'of the targets', lengths: targets });
  const counts = mask?.data.slice() ?? new Float32Array(sizeOf(targets)).fill(1);
  const [T = 1, B = 1, ...rest] = targets;
  const valid = lengths === undefined || targets.length < 2 ? undefined : validRows(where, T, B, lengths);
  const width = sizeOf(rest);
  valid?.places.forEach((place, row) => {
    if (place < 0) counts.fill(0, row * width, (row + 1) * width);
  });
  return counts;
}

/**
 * The part of the targets that have the highest score.
 *
 * @param scores `[..., V]`
 * @param targets ids `[...]`
 * @param options what counts: with `lengths`, the steps of padding do not
 * @throws RangeError where the shapes do not fit, or there is no target
 * @example
 * accuracy(tensor([[0, 1], [1, 0]]), intTensor([1, 1])); // 0.5
 */
export function accuracy(scores: Tensor, targets: IntTensor, options: MetricOptions = {}): number {
  const V = scores.shape.at(-1) ?? 0;
  if (!sameShape(scores.shape.slice(0, -1), targets.shape) || targets.data.length === 0) {
    throw new RangeError(
      `accuracy: targets must be ids of the shape of scores without its last axis, at least one, got ${formatShape(targets.shape)} for ${formatShape(scores.shape)}.`,
    );
  }
  const counts = countsOf('accuracy', targets.shape, options);
  let right = 0;
  targets.data.forEach((target, row) => {
    let best = 0;
    for (let j = 1; j < V; j++) if (scores.data[row * V + j]! > scores.data[row * V + best]!) best = j;
    if (best === target) right += counts[row]!;
  });
  return right / counts.reduce((sum, count) => sum + count, 0);
}
