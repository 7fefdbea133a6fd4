/** Learning rates that change as training goes on: functions from the number of the update, from 1, to a rate. */

import { checkCount, checkNumber } from '../tensor/shape';

/** A rate, or a function from the number of the update (from 1) to one. */
export type LearningRate = number | ((step: number) => number);

/** The rate at an update. @throws RangeError where it is not a finite number of at minRate 0 */
export function rateAt(where: string, rate: LearningRate, step: number): number {
  const value = typeof rate === 'function' ? rate(step) : rate;
  checkNumber(where, 'the learning rate', value, 0);
  return value;
}

/**
 * rate · factor^⌊(step − 1) / every⌋.
 *
 * @example
 * stepDecay(1, { every: 10, factor: 0.5 })(11); // 0.5
 */
export function stepDecay(
  rate: number,
  { every, factor = 0.1 }: { readonly every: number; readonly factor?: number },
): (step: number) => number {
  checkNumber('stepDecay', 'rate', rate, 0);
  checkCount('stepDecay', 'every', every);
  return (step) => rate * factor ** Math.floor((step - 1) / every);
}

/**
 * rate · factor^((step − 1) / every), without jumps.
 *
 * @example
 * exponentialDecay(1, { every: 10, factor: 0.25 })(6); // 0.5
 */
export function exponentialDecay(
  rate: number,
  { every, factor }: { readonly every: number; readonly factor: number },
): (step: number) => number {
  checkNumber('exponentialDecay', 'rate', rate, 0);
  checkNumber('exponentialDecay', 'every', every, Number.MIN_VALUE);
  return (step) => rate * factor ** ((step - 1) / every);
}

/**
 * Half a cosine from `rate` down to `minRate` over `steps` updates, `minRate` from then on (Loshchilov and Hutter, 2016, arXiv 1608.03983).
 *
 * @example
 * cosineDecay(1, { steps: 100 })(51); // 0.5
 */
export function cosineDecay(
  rate: number,
  { steps, minRate = 0 }: { readonly steps: number; readonly minRate?: number },
): (step: number) => number {
  checkNumber('cosineDecay', 'rate', rate, 0);
  checkCount('cosineDecay', 'steps', steps);
  return (step) => minRate + ((rate - minRate) * (1 + Math.cos(Math.PI * Math.min(1, (step - 1) / steps)))) / 2;
}

/**
 * Rises evenly to the rate over the first `steps` updates, then follows it, counted from its own beginning.
 *
 * @example
 * warmup(0.1, { steps: 10 })(5); // 0.05
 */
export function warmup(rate: LearningRate, { steps }: { readonly steps: number }): (step: number) => number {
  checkCount('warmup', 'steps', steps);
  return (step) => (step <= steps ? (rateAt('warmup', rate, 1) * step) / steps : rateAt('warmup', rate, step - steps));
}
