/** What people read off a model. */

import { formatShape, sameShape } from '../tensor/shape';
import type { IdTensor, Tensor } from '../tensor/tensor';

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

/**
 * The part of the targets that have the highest score.
 *
 * @param scores `[..., V]`
 * @param targets ids `[...]`
 * @throws RangeError where the shapes do not fit, or there is no target
 * @example
 * accuracy(tensor([[0, 1], [1, 0]]), ids([1, 1])); // 0.5
 */
export function accuracy(scores: Tensor, targets: IdTensor): number {
  const V = scores.shape.at(-1) ?? 0;
  if (!sameShape(scores.shape.slice(0, -1), targets.shape) || targets.data.length === 0) {
    throw new RangeError(
      `accuracy: targets must be ids of the shape of scores without its last axis, at least one, got ${formatShape(targets.shape)} for ${formatShape(scores.shape)}.`,
    );
  }
  let right = 0;
  targets.data.forEach((target, row) => {
    let best = 0;
    for (let j = 1; j < V; j++) if (scores.data[row * V + j]! > scores.data[row * V + best]!) best = j;
    if (best === target) right++;
  });
  return right / targets.data.length;
}
