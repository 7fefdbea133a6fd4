/** Forecasting methods without networks, to compare with: a forecaster must be better than all of them. */

import { type Frequency, millisecondsOf } from './calendar';
import { createForecast, type Forecast } from './forecast-result';
import { normalQuantile } from './probability';
import type { Series } from './series';

/** The task of a method. */
export interface ForecastTask {
  readonly horizon: number;
  /** The length of the main season in steps; 1 without a season. */
  readonly season: number;
  readonly frequency: Frequency | undefined;
  /** The levels of the quantiles. */
  readonly levels: readonly number[];
}

/** Forecasts the steps after the last value of every series. */
export type FittedMethod = (series: readonly Series[]) => readonly Forecast[];

/** A method that {@link backtest} evaluates: it is fitted on series, and then forecasts longer ones. */
export type Method = (training: readonly Series[], task: ForecastTask) => FittedMethod | Promise<FittedMethod>;

/** The forecasts of a series: the median of every step and, by level, the quantiles. */
export interface Distributed {
  readonly median: readonly number[];
  readonly quantile: (k: number, level: number) => number;
}

/** A method that is fitted to the history of every series alone, at every origin. */
export function localMethod(forecastOf: (values: Float64Array, task: ForecastTask) => Distributed): Method {
  return (_, task) => (series) =>
    series.map((each) => {
      const { median, quantile } = forecastOf(filledValues(each, task.season), task);
      const start = each.start === undefined ? undefined : millisecondsOf('start', each.start);
      const history = { name: each.name, start, length: each.values.length };
      return { ...createForecast(task, history, task.levels, quantile), median };
    });
}

/** The values, with missing ones replaced by those of the season before, or by the next observed value at the start. */
function filledValues({ values, mask }: Series, season: number): Float64Array {
  const filled = Float64Array.from(values);
  const observed = (t: number): boolean => mask === undefined || mask[t] === 1;
  let first = 0;
  while (first < filled.length && !observed(first)) first++;
  for (let t = 0; t < filled.length; t++)
    if (!observed(t)) filled[t] = filled[t < first ? first : t - season >= 0 ? t - season : t - 1]!;
  return filled;
}

/** A normal distribution around the median, whose deviation depends on the step. */
function normalAround(median: readonly number[], deviation: (k: number) => number): Distributed {
  return { median, quantile: (k, level) => median[k]! + deviation(k) * normalQuantile(level) };
}

/** The root of the mean of squared differences over a lag. */
function deviationOfLag(values: Float64Array, lag: number, mean = 0): number {
  let sum = 0;
  for (let t = lag; t < values.length; t++) sum += (values[t]! - values[t - lag]! - mean) ** 2;
  return Math.sqrt(sum / Math.max(1, values.length - lag));
}

/**
 * The values of the last season, repeated. Without a season, the last value.
 *
 * @example
 * const method = seasonalNaive();
 * const fitted = await method([], { horizon: 3, season: 2, frequency: undefined, levels: [0.5] });
 * fitted([{ name: 'a', values: [1, 2, 3, 4] }])[0]!.median; // [3, 4, 3]
 */
export function seasonalNaive(): Method {
  return localMethod((values, { horizon, season }) => {
    const N = values.length;
    const lag = N > season ? season : 1;
    const median = Array.from({ length: horizon }, (_, k) => values[N - lag + (k % lag)]!);
    const deviation = deviationOfLag(values, lag);
    return normalAround(median, (k) => deviation * Math.sqrt(Math.floor(k / lag) + 1));
  });
}

/**
 * The straight line through the first and the last value.
 *
 * @example
 * const fitted = await drift()([], { horizon: 2, season: 1, frequency: undefined, levels: [0.5] });
 * fitted([{ name: 'a', values: [1, 2, 5] }])[0]!.median; // [7, 9]
 */
export function drift(): Method {
  return localMethod((values, { horizon }) => {
    const N = values.length;
    const slope = N > 1 ? (values[N - 1]! - values[0]!) / (N - 1) : 0;
    const deviation = deviationOfLag(values, 1, slope);
    return normalAround(
      Array.from({ length: horizon }, (_, k) => values[N - 1]! + slope * (k + 1)),
      (k) => deviation * Math.sqrt((k + 1) * (1 + (k + 1) / Math.max(1, N - 1))),
    );
  });
}

/**
 * The mean of all values.
 *
 * @example
 * const fitted = await meanForecast()([], { horizon: 1, season: 1, frequency: undefined, levels: [0.5] });
 * fitted([{ name: 'a', values: [1, 2, 6] }])[0]!.median; // [3]
 */
export function meanForecast(): Method {
  return localMethod((values, { horizon }) => {
    const N = values.length;
    const mean = values.reduce((sum, value) => sum + value, 0) / N;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, N - 1);
    const deviation = Math.sqrt(variance * (1 + 1 / N));
    return normalAround(new Array<number>(horizon).fill(mean), () => deviation);
  });
}
