/** Sampling an id from logits. */

import { checkRandom, type Random, uniformNumber } from './random';
import { checkCount, checkNames, checkNumber, checkSome, lengthOf, mismatch } from './shape';

/** Options of {@link sampleFromLogits} and of generation. */
export interface SamplingOptions {
  /**
   * The divisor of the logits. Values below 1 favor likely ids, values above 1 flatten the distribution, and 0 always
   * selects the most likely id. Default 1.
   */
  readonly temperature?: number | undefined;
  /** Samples only from the k most likely ids. Default: all. */
  readonly topK?: number | undefined;
  /**
   * Samples from the smallest set of most likely ids whose probabilities add up to at least this value (nucleus
   * sampling: Holtzman et al., 2019, arXiv 1904.09751). Default 1.
   */
  readonly topP?: number | undefined;
}

/**
 * Samples an id with probability softmax(logits / temperature). `generate` samples the same way at every time step; use
 * this function for models that `generate` does not support.
 *
 * @param logits `[V]`, as returned by `advance` or `predict` for one sequence; an id with logit −∞ is never sampled
 * @param random advanced by one number, or not at all if the temperature is 0
 * @returns the id, an integer from 0 to V − 1
 * @throws TypeError if `logits` is not an array
 * @throws RangeError if `logits` is empty, contains NaN, or its maximum is infinite, or if an option is out of range
 * @example
 * sampleFromLogits([0.1, 3, -2], createRandom(1), { temperature: 0 }); // 1
 * sampleFromLogits([0, 0, -1e9], createRandom(1)) < 2; // true
 */
export function sampleFromLogits(logits: ArrayLike<number>, random: Random, options: SamplingOptions = {}): number {
  checkSome('sampleFromLogits', 'logits', lengthOf('sampleFromLogits', 'logits', logits), 'value');
  checkNames('sampleFromLogits', 'options', options, ['temperature', 'topK', 'topP']);
  checkRandom('sampleFromLogits', random);
  for (const logit of Array.from(logits))
    if (typeof logit !== 'number') throw mismatch('sampleFromLogits', 'logits', 'numbers', logit);
  return sampler('sampleFromLogits', options)(logits, random);
}

/** Checks the options once and returns a function that samples with them. */
export function sampler(
  where: string,
  { temperature = 1, topK = Infinity, topP = 1 }: SamplingOptions,
): (logits: ArrayLike<number>, random: Random) => number {
  checkNumber(where, 'temperature', temperature, 0);
  checkNumber(where, 'topP', topP, 0, 1);
  if (topK !== Infinity) checkCount(where, 'topK', topK);
  return (logits, random) => {
    const order = Array.from(logits, (_, id) => id).sort((a, b) => logits[b]! - logits[a]! || a - b);
    // NaN if a logit is NaN.
    const largest = order.reduce((most, id) => Math.max(most, logits[id]!), -Infinity);
    checkNumber(where, 'the maximum of the logits', largest);
    if (temperature === 0) return order[0]!;
    const weights = order.slice(0, topK).map((id) => Math.exp((logits[id]! - largest) / temperature));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let count = 0;
    let mass = 0;
    while (count < weights.length && (count === 0 || mass < topP * total)) mass += weights[count++]!;
    let remaining = uniformNumber(random) * mass;
    for (let i = 0; i < count; i++) {
      remaining -= weights[i]!;
      if (remaining < 0) return order[i]!;
    }
    return order[count - 1]!;
  };
}
