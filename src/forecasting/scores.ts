/** Scores of forecasts. */

import { type Forecast, hasInterval, intervalAt } from './forecast-result';

/**
 * The scores of forecasts, each a mean over steps and series. Smaller is better, except for `coverage`. NaN if one of
 * the forecasts is NaN.
 */
export interface Scores {
  /** The mean absolute error of the median. */
  readonly mae: number;
  /** The root of the mean squared error of the median. */
  readonly rmse: number;
  /**
   * The mean absolute error, divided by that of the seasonal naive forecasts of one step in the history before the
   * origin (Hyndman and Koehler, 2006).
   */
  readonly mase: number;
  /** The root of the mean of squared errors, divided by those of the seasonal naive forecasts in the history. */
  readonly rmsse: number;
  /** The symmetric percentage error, 200 |y − f| / (|y| + |f|), in percent; 0 if both are 0. */
  readonly smape: number;
  /** The mean pinball loss over the levels, divided as MASE. */
  readonly pinball: number;
  /** The continuous ranked probability score: twice the mean pinball loss over evenly spaced levels, not divided. */
  readonly crps: number;
  /** The fraction of values in the central 80 % interval. NaN if the levels do not reach from 0.1 to 0.9. */
  readonly coverage: number;
  /** The number of values. */
  readonly count: number;
}

/** The errors of the seasonal naive forecast in a history, by which scores are divided. */
export interface ErrorScale {
  readonly absolute: number;
  readonly squared: number;
}

/** The mean errors of the value of one season earlier. NaN if there are no such values, or all errors are 0. */
export function errorScale(values: ArrayLike<number>, mask: ArrayLike<number> | undefined, season: number): ErrorScale {
  const lag = values.length > season ? season : 1;
  let [absolute, squared, count] = [0, 0, 0];
  for (let t = lag; t < values.length; t++) {
    if (mask !== undefined && (mask[t] !== 1 || mask[t - lag] !== 1)) continue;
    const error = values[t]! - values[t - lag]!;
    absolute += Math.abs(error);
    squared += error * error;
    count++;
  }
  return { absolute: absolute / count || NaN, squared: squared / count || NaN };
}

/** The errors of one value. */
export interface ValueErrors {
  /** Whether the history has an error scale, without which the scaled errors are NaN. */
  readonly hasScale: boolean;
  readonly absolute: number;
  readonly scaled: number;
  readonly scaledSquare: number;
  readonly percentage: number;
  readonly pinball: number;
  readonly scaledPinball: number;
  /** NaN if the forecast does not have the interval. */
  readonly covered: number;
}

/** The errors of step k of a forecast. */
export function errorsOf(forecast: Forecast, k: number, actual: number, scale: ErrorScale): ValueErrors {
  const predicted = forecast.median[k]!;
  const absolute = Math.abs(actual - predicted);
  const size = Math.abs(actual) + Math.abs(predicted);
  const { levels } = forecast;
  const row = forecast.quantiles[k]!;
  const pinball =
    levels.reduce((sum, level, i) => sum + Math.max(level * (actual - row[i]!), (level - 1) * (actual - row[i]!)), 0) /
    levels.length;
  const [low, high] = hasInterval(forecast, 0.8) ? intervalAt(forecast, k, 0.8) : [NaN, NaN];
  return {
    hasScale: !Number.isNaN(scale.absolute),
    absolute,
    scaled: absolute / scale.absolute,
    scaledSquare: (absolute * absolute) / scale.squared,
    percentage: size === 0 ? 0 : (200 * absolute) / size,
    pinball,
    scaledPinball: pinball / scale.absolute,
    covered: Number.isNaN(low) || Number.isNaN(high) ? NaN : actual >= low && actual <= high ? 1 : 0,
  };
}

/** The scores of values. Values without an error scale do not count in the scaled scores. */
export function scoresOf(errors: readonly ValueErrors[]): Scores {
  const mean = (of: (each: ValueErrors) => number, values = errors): number =>
    values.reduce((sum, each) => sum + of(each), 0) / values.length;
  const withScale = errors.filter(({ hasScale }) => hasScale);
  return {
    mae: mean(({ absolute }) => absolute),
    rmse: Math.sqrt(mean(({ absolute }) => absolute * absolute)),
    mase: mean(({ scaled }) => scaled, withScale),
    rmsse: Math.sqrt(mean(({ scaledSquare }) => scaledSquare, withScale)),
    smape: mean(({ percentage }) => percentage),
    pinball: mean(({ scaledPinball }) => scaledPinball, withScale),
    crps: mean(({ pinball }) => 2 * pinball),
    coverage: mean(({ covered }) => covered),
    count: errors.length,
  };
}
