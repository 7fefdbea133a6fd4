/** Learning rate schedules: functions from the number of the update, from 1, to a rate. */

import { checkCount, checkNames, checkNumber } from '../tensor/shape';

/** A constant learning rate, or a function from the number of the update (from 1) to the rate. */
export type LearningRate = number | ((step: number) => number);

/** The learning rate at an update. @throws RangeError if it is negative or not finite */
export function rateAt(where: string, rate: LearningRate, step: number): number {
  const value = typeof rate === 'function' ? rate(step) : rate;
  checkNumber(where, 'the learning rate', value, 0);
  return value;
}

/**
 * Step decay: rate · factor^⌊(step − 1) / every⌋.
 *
 * @throws RangeError if `rate` is negative, or `every` is not an integer of at least 1
 * @example
 * stepDecay(1, { every: 10, factor: 0.5 })(11); // 0.5
 */
export function stepDecay(
  rate: number,
  options: { readonly every: number; readonly factor?: number },
): (step: number) => number {
  checkNames('stepDecay', 'options', options, ['every', 'factor']);
  const { every, factor = 0.1 } = options;
  checkNumber('stepDecay', 'factor', factor);
  checkNumber('stepDecay', 'rate', rate, 0);
  checkCount('stepDecay', 'every', every);
  return (step) => rate * factor ** Math.floor((step - 1) / every);
}

/**
 * Exponential decay: rate · factor^((step − 1) / every).
 *
 * @throws RangeError if `rate` is negative, or `every` is not positive
 * @example
 * exponentialDecay(1, { every: 10, factor: 0.25 })(6); // 0.5
 */
export function exponentialDecay(
  rate: number,
  options: { readonly every: number; readonly factor: number },
): (step: number) => number {
  checkNames('exponentialDecay', 'options', options, ['every', 'factor']);
  const { every, factor } = options;
  checkNumber('exponentialDecay', 'factor', factor);
  checkNumber('exponentialDecay', 'rate', rate, 0);
  checkNumber('exponentialDecay', 'every', every, Number.MIN_VALUE);
  return (step) => rate * factor ** ((step - 1) / every);
}

/**
 * Cosine decay from `rate` to `minRate` over `steps` updates, constant afterwards (Loshchilov and Hutter, 2016,
 * arXiv 1608.03983).
 *
 * @throws RangeError if `rate` is negative, or `steps` is not an integer of at least 1
 * @example
 * cosineDecay(1, { steps: 100 })(51); // 0.5
 */
export function cosineDecay(
  rate: number,
  options: { readonly steps: number; readonly minRate?: number },
): (step: number) => number {
  checkNames('cosineDecay', 'options', options, ['steps', 'minRate']);
  const { steps, minRate = 0 } = options;
  checkNumber('cosineDecay', 'minRate', minRate);
  checkNumber('cosineDecay', 'rate', rate, 0);
  checkCount('cosineDecay', 'steps', steps);
  return (step) => minRate + ((rate - minRate) * (1 + Math.cos(Math.PI * Math.min(1, (step - 1) / steps)))) / 2;
}

/**
 * Linear warmup over the first `steps` updates, followed by the given rate, whose updates count from the end of the
 * warmup.
 *
 * @throws RangeError if `steps` is not an integer of at least 1
 * @example
 * warmup(0.1, { steps: 10 })(5); // 0.05
 */
export function warmup(rate: LearningRate, options: { readonly steps: number }): (step: number) => number {
  checkNames('warmup', 'options', options, ['steps']);
  const { steps } = options;
  checkCount('warmup', 'steps', steps);
  return (step) => (step <= steps ? (rateAt('warmup', rate, 1) * step) / steps : rateAt('warmup', rate, step - steps));
}
