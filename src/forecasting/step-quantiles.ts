/** The quantile functions of single steps, scaled. */

import type { FittedForecaster } from './fit-forecaster';

/** The mean over the networks of the quantile functions of one step, calibrated: stretched around the median. */
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
  const median = mean(0.5);
  return (level) => median + calibration * (mean(level) - median);
}

/** The distance of a value from the median, in distances of the quantiles 0.1 or 0.9 from the median. */
export function spreadScore(quantile: (level: number) => number, value: number): number {
  const median = quantile(0.5);
  const limit = value > median ? quantile(0.9) - median : median - quantile(0.1);
  return Math.abs(value - median) / Math.max(limit, 1e-9);
}
