/** The quantile functions of single steps, scaled. */

import type { Distribution } from './distributions';
import type { FittedForecaster } from './fit-forecaster';
import { normalProbability, normalQuantile } from './probability';

/**
 * The mean over the networks of the quantile functions of one step, calibrated: stretched around the median. Counts
 * stay integers: their levels are stretched, as those of a normal distribution.
 */
export function averageQuantile(
  { forecaster: { distribution }, calibration }: Pick<FittedForecaster, 'forecaster' | 'calibration'>,
  outputs: readonly Float32Array[],
  row: number,
  scale: number,
): (level: number) => number {
  const P = distribution.size;
  const functions = outputs.map((data) => distribution.quantile(data.subarray(row * P, (row + 1) * P), scale));
  const mean = (level: number): number => functions.reduce((sum, f) => sum + f(level), 0) / functions.length;
  if (calibration === 1) return mean;
  if (distribution.name === 'negativeBinomial')
    return (level) => mean(normalProbability(calibration * normalQuantile(level)));
  const median = mean(0.5);
  return (level) => median + calibration * (mean(level) - median);
}

/**
 * The distance of a value from the median, in distances of the quantiles 0.1 or 0.9 from the median, but at least
 * `least`.
 */
export function spreadScore(quantile: (level: number) => number, value: number, least = 1e-9): number {
  const median = quantile(0.5);
  const limit = value > median ? quantile(0.9) - median : median - quantile(0.1);
  return Math.abs(value - median) / Math.max(limit, least);
}

/** The factor by which the 80 % interval must be stretched to contain a value. */
export function coverageScore(
  { name }: Distribution,
  quantile: (level: number) => number,
  value: number,
  scale: number,
): number {
  if (name !== 'negativeBinomial') return spreadScore(quantile, value);
  const z = normalQuantile(0.9);
  const contains = (factor: number): boolean =>
    quantile(normalProbability(-factor * z)) < value + 0.5 / scale &&
    quantile(normalProbability(factor * z)) > value - 0.5 / scale;
  let [low, high] = [0, 5];
  if (contains(low)) return low;
  while (high - low > 1e-3) {
    const middle = (low + high) / 2;
    if (contains(middle)) high = middle;
    else low = middle;
  }
  return high;
}
