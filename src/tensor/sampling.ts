/** An id drawn from scores. */

import { type Random, uniformNumber } from './random';
import { checkCount, checkNumber, checkSome, describe } from './shape';

/** How an id is drawn from scores. */
export interface SamplingOptions {
  /** Divides the scores: below 1 bolder, above 1 wilder, 0 always the most likely id. 1 by default. */
  readonly temperature?: number;
  /** Draw among the k most likely ids only. */
  readonly topK?: number;
  /** Draw among the fewest ids that have this probability together (nucleus sampling: Holtzman et al., 2019, arXiv 1904.09751). */
  readonly topP?: number;
}

/**
 * An id drawn by its score, with probability softmax(scores / temperature): what `generate` does at every step, for models of any other form.
 *
 * @param scores `[V]`, as `advance` or `predict` answer them for one row; what has −∞ is not drawn
 * @param random moved on by one number; at temperature 0 not at all
 * @throws TypeError where scores are no array
 * @throws RangeError where there is no score, one is NaN or the largest is infinite, or an option is out of range
 * @example
 * sampleFromLogits([0.1, 3, -2], createRandom(1), { temperature: 0 }); // 1
 * sampleFromLogits([0, 0, -1e9], createRandom(1)) < 2; // true
 */
export function sampleFromLogits(scores: ArrayLike<number>, random: Random, options: SamplingOptions = {}): number {
  if (typeof scores?.length !== 'number')
    throw new TypeError(
      `sampleFromLogits: scores must be an array of numbers, got ${describe(scores)}. A tensor's numbers are its data.`,
    );
  checkSome('sampleFromLogits', 'scores', scores.length, 'score');
  return sampler('sampleFromLogits', options)(scores, random);
}

/** Checks how to draw, once for many draws. */
export function sampler(
  where: string,
  { temperature = 1, topK = Infinity, topP = 1 }: SamplingOptions,
): (scores: ArrayLike<number>, random: Random) => number {
  checkNumber(where, 'temperature', temperature, 0);
  checkNumber(where, 'topP', topP, 0, 1);
  if (topK !== Infinity) checkCount(where, 'topK', topK);
  return (scores, random) => {
    const order = Array.from(scores, (_, id) => id).sort((a, b) => scores[b]! - scores[a]! || a - b);
    const best = scores[order[0]!]!;
    const wrong = Number.isFinite(best) ? order.findIndex((id) => Number.isNaN(scores[id])) : 0;
    if (wrong >= 0) throw new RangeError(`${where}: the scores are not finite (${scores[order[wrong]!]}).`);
    if (temperature === 0) return order[0]!;
    const weights = order.slice(0, topK).map((id) => Math.exp((scores[id]! - best) / temperature));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let count = 0;
    let mass = 0;
    while (count < weights.length && (count === 0 || mass < topP * total)) mass += weights[count++]!;
    let place = uniformNumber(random) * mass;
    for (let i = 0; i < count; i++) {
      place -= weights[i]!;
      if (place < 0) return order[i]!;
    }
    return order[count - 1]!;
  };
}
