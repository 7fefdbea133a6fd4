/** Learning rate schedules: functions from the number of the update, from 1, to a rate. */

import { withOrigin } from '../tensor/origin';
import { checkBelowOne, checkCount, checkNames, checkNumber } from '../tensor/shape';
import type { Update } from './optimizers';

/**
 * A constant learning rate, or a function from the number of the update (from 1) to the rate. In {@link fit} with
 * validation data, the function also gets the validation losses so far.
 */
export type LearningRate = number | ((step: number, validationLosses?: readonly number[]) => number);

/** The learning rate at an update. @throws RangeError if it is negative or not finite */
export function rateAt(
  where: string,
  rate: LearningRate,
  { step, validationLosses }: Pick<Update, 'step' | 'validationLosses'>,
): number {
  const value = typeof rate === 'function' ? rate(step, validationLosses) : rate;
  checkNumber(where, 'the learning rate', value, 0);
  return value;
}

/**
 * Step decay: rate · factor^⌊(step − 1) / every⌋.
 *
 * @param options.factor 0.1 by default
 * @throws RangeError if `rate` or `factor` is negative, or `every` is not an integer of at least 1
 * @example
 * stepDecay(1, { every: 10, factor: 0.5 })(11); // 0.5
 */
export function stepDecay(
  rate: number,
  options: { readonly every: number; readonly factor?: number | undefined },
): (step: number) => number {
  checkNames('stepDecay', 'options', options, ['every', 'factor']);
  const { every, factor = 0.1 } = options;
  checkNumber('stepDecay', 'factor', factor, 0);
  checkNumber('stepDecay', 'rate', rate, 0);
  checkCount('stepDecay', 'every', every);
  const rateAtStep = (step: number): number => rate * factor ** Math.floor((step - 1) / every);
  return withOrigin(rateAtStep, 'stepDecay', rate, { ...options });
}

/**
 * Exponential decay: rate · factor^((step − 1) / every).
 *
 * @throws RangeError if `rate` or `factor` is negative, or `every` is not positive
 * @example
 * exponentialDecay(1, { every: 10, factor: 0.25 })(6); // 0.5
 */
export function exponentialDecay(
  rate: number,
  options: { readonly every: number; readonly factor: number },
): (step: number) => number {
  checkNames('exponentialDecay', 'options', options, ['every', 'factor']);
  const { every, factor } = options;
  checkNumber('exponentialDecay', 'factor', factor, 0);
  checkNumber('exponentialDecay', 'rate', rate, 0);
  checkNumber('exponentialDecay', 'every', every, Number.MIN_VALUE);
  const rateAtStep = (step: number): number => rate * factor ** ((step - 1) / every);
  return withOrigin(rateAtStep, 'exponentialDecay', rate, { ...options });
}

/**
 * Cosine decay from `rate` to `minRate` over `steps` updates, constant afterwards (Loshchilov and Hutter, 2016,
 * arXiv 1608.03983).
 *
 * @param options.minRate 0 by default
 * @throws RangeError if `rate` or `minRate` is negative, or `steps` is not an integer of at least 1
 * @example
 * cosineDecay(1, { steps: 100 })(51); // 0.5
 */
export function cosineDecay(
  rate: number,
  options: { readonly steps: number; readonly minRate?: number | undefined },
): (step: number) => number {
  checkNames('cosineDecay', 'options', options, ['steps', 'minRate']);
  const { steps, minRate = 0 } = options;
  checkNumber('cosineDecay', 'minRate', minRate, 0);
  checkNumber('cosineDecay', 'rate', rate, 0);
  checkCount('cosineDecay', 'steps', steps);
  const rateAtStep = (step: number): number =>
    minRate + ((rate - minRate) * (1 + Math.cos(Math.PI * Math.min(1, (step - 1) / steps)))) / 2;
  return withOrigin(rateAtStep, 'cosineDecay', rate, { ...options });
}

/**
 * Linear warmup over the first `steps` updates, followed by the given rate, whose updates count from the end of the
 * warmup.
 *
 * @throws RangeError if `steps` is not an integer of at least 1
 * @example
 * warmup(0.1, { steps: 10 })(5); // 0.05
 */
export function warmup(
  rate: LearningRate,
  options: { readonly steps: number },
): (step: number, validationLosses?: readonly number[]) => number {
  checkNames('warmup', 'options', options, ['steps']);
  const steps = options.steps;
  checkCount('warmup', 'steps', steps);
  const rateAtStep = (step: number, validationLosses?: readonly number[]): number =>
    rateAt('warmup', rate, { step: Math.max(1, step - steps), validationLosses }) * Math.min(1, step / steps);
  return withOrigin(rateAtStep, 'warmup', rate, { ...options });
}

/** The options of {@link reduceOnPlateau}. */
export interface PlateauOptions {
  /** The factor by which the rate is multiplied. 0.1 by default. */
  readonly factor?: number | undefined;
  /**
   * The number of consecutive validation losses without improvement after which the next one reduces the rate. 10 by
   * default.
   */
  readonly patience?: number | undefined;
  /** The part of the best loss by which a loss must be lower to be an improvement. 1e-4 by default. */
  readonly threshold?: number | undefined;
  /**
   * The number of validation losses after a reduction that do not count as losses without improvement. 0 by default.
   */
  readonly cooldown?: number | undefined;
  /** The rate is not reduced below it. 0 by default. */
  readonly minRate?: number | undefined;
}

/**
 * Reduces the rate if the validation loss of {@link fit} stops improving, as PyTorch's `ReduceLROnPlateau`. The rate
 * depends only on the validation losses so far, so that resumed training continues with the same rate.
 *
 * @throws RangeError if an option is out of range, or, in training, without validation data
 * @example
 * const rate = reduceOnPlateau(0.1, { factor: 0.5, patience: 1 });
 * rate(30, [3, 2, 2, 2]); // 0.05
 */
export function reduceOnPlateau(
  rate: number,
  options: PlateauOptions = {},
): (step: number, validationLosses?: readonly number[]) => number {
  const where = 'reduceOnPlateau';
  checkNames(where, 'options', options, ['factor', 'patience', 'threshold', 'cooldown', 'minRate']);
  const { factor = 0.1, patience = 10, threshold = 1e-4, cooldown = 0, minRate = 0 } = options;
  checkNumber(where, 'rate', rate, 0);
  checkBelowOne(where, 'factor', factor);
  checkCount(where, 'patience', patience, 0);
  checkNumber(where, 'threshold', threshold, 0);
  checkCount(where, 'cooldown', cooldown, 0);
  checkNumber(where, 'minRate', minRate, 0, rate);
  const rateAfter = (_: number, validationLosses?: readonly number[]): number => {
    if (validationLosses === undefined)
      throw new RangeError(`${where}: there must be validation losses. Pass the option validation to fit.`);
    let current = rate;
    let best = Infinity;
    let waited = 0;
    let cooling = 0;
    for (const loss of validationLosses) {
      if (loss < (best === Infinity ? best : best - threshold * Math.abs(best))) [best, waited] = [loss, 0];
      else waited++;
      if (cooling > 0) [cooling, waited] = [cooling - 1, 0];
      if (waited > patience) {
        current = Math.max(current * factor, minRate);
        [cooling, waited] = [cooldown, 0];
      }
    }
    return current;
  };
  return withOrigin(rateAfter, 'reduceOnPlateau', rate, { ...options });
}
