/** Forecasting methods without networks, to compare with: a forecaster must be better than all of them. */

import { checkArray, checkCount, checkObject, lengthOf } from '../tensor/shape';
import { type Frequency, millisecondsOf, parseFrequency } from './calendar';
import { checkLevels } from './distributions';
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

/**
 * A method that is fitted to the history of every series alone, at every origin. The values that it receives start with
 * the first observed one; later ones that are missing are NaN.
 *
 * @param where the function that creates the method
 */
export function localMethod(
  where: string,
  forecastOf: (values: Float64Array, task: ForecastTask) => Distributed,
): Method {
  return (_, task) => (series) => {
    checkTask(where, task);
    checkArray(where, 'series', series);
    return series.map((each, i) => forecastOne(where, each, `series[${i}]`, task, forecastOf));
  };
}

/** @throws TypeError or RangeError if the task lacks a part; {@link backtest} passes a complete one */
function checkTask(where: string, task: ForecastTask): void {
  checkObject(where, 'task', task);
  checkCount(where, 'task.horizon', task.horizon);
  checkCount(where, 'task.season', task.season);
  if (task.frequency !== undefined) parseFrequency(where, task.frequency);
  checkLevels(where, task.levels);
}

function forecastOne(
  where: string,
  series: Series,
  argument: string,
  task: ForecastTask,
  forecastOf: (values: Float64Array, task: ForecastTask) => Distributed,
): Forecast {
  checkObject(where, argument, series);
  const { name, mask } = series;
  lengthOf(where, `${argument}.values`, series.values);
  const values = Float64Array.from(series.values, (value, t) => (mask === undefined || mask[t] === 1 ? value : NaN));
  const first = values.findIndex(isObserved);
  if (first < 0) throw new RangeError(`${where}: series ${name} has no observed value. Remove it.`);
  const { median, quantile } = forecastOf(values.subarray(first), task);
  const start =
    series.start === undefined ? undefined : millisecondsOf(`${where}: series ${name}: start`, series.start);
  const history = { name, start, length: values.length };
  return { ...createForecast(task, history, task.levels, quantile), median };
}

const isObserved = (value: number): boolean => !Number.isNaN(value);

/**
 * The last step with an observed value, in steps of `lag` back from step t, which may be after the values. Without one,
 * the first of these steps.
 */
function lastObserved(values: Float64Array, t: number, lag: number): number {
  let step = t;
  while (step >= values.length || (step >= lag && !isObserved(values[step]!))) step -= lag;
  return step;
}

/** The values, with missing ones replaced by those of the season before, or in the first season by the value before. */
export function filledValues(values: Float64Array, season: number): Float64Array {
  const filled = values.slice();
  filled.forEach((value, t) => {
    if (!isObserved(value)) filled[t] = filled[t >= season ? t - season : t - 1]!;
  });
  return filled;
}

/** A normal distribution around the median, whose deviation depends on the step. */
function normalAround(median: readonly number[], deviation: (k: number) => number): Distributed {
  return { median, quantile: (k, level) => median[k]! + deviation(k) * normalQuantile(level) };
}

/**
 * The root of the mean of squared differences over a lag, minus their mean. Over a gap of n lags, the variance of a
 * difference is n times as large.
 */
function deviationOfLag(values: Float64Array, lag: number, mean = 0): number {
  const latest: number[] = [];
  let [sum, count] = [0, 0];
  values.forEach((value, t) => {
    if (!isObserved(value)) return;
    const before = latest[t % lag];
    latest[t % lag] = t;
    if (before === undefined) return;
    const lags = (t - before) / lag;
    sum += (value - values[before]! - mean * lags) ** 2 / lags;
    count++;
  });
  return Math.sqrt(sum / Math.max(1, count));
}

/**
 * The values of the last season, repeated. Without a season, or with fewer values than a season has, the last value. A
 * missing value is replaced by that of one season earlier. The intervals are those of the errors one season ahead, or
 * with at most one season of values, one step ahead.
 *
 * @example
 * const method = seasonalNaive();
 * const fitted = await method([], { horizon: 3, season: 2, frequency: undefined, levels: [0.5] });
 * fitted([{ name: 'a', values: [1, 2, 3, 4] }])[0]!.median; // [3, 4, 3]
 */
export function seasonalNaive(): Method {
  return localMethod('seasonalNaive', (values, { horizon, season }) => {
    const N = values.length;
    const lag = N >= season ? season : 1;
    const filled = filledValues(values, lag);
    const before = Array.from({ length: horizon }, (_, k) => lastObserved(values, N + k, lag));
    const deviation = deviationOfLag(values, N > season ? season : 1);
    return normalAround(
      before.map((t) => filled[t]!),
      (k) => deviation * Math.sqrt((N + k - before[k]!) / lag),
    );
  });
}

/**
 * The straight line through the first and the last observed value.
 *
 * @example
 * const fitted = await drift()([], { horizon: 2, season: 1, frequency: undefined, levels: [0.5] });
 * fitted([{ name: 'a', values: [1, 2, 5] }])[0]!.median; // [7, 9]
 */
export function drift(): Method {
  return localMethod('drift', (values, { horizon }) => {
    const N = values.length;
    const last = lastObserved(values, N, 1);
    const slope = last > 0 ? (values[last]! - values[0]!) / last : 0;
    const deviation = deviationOfLag(values, 1, slope);
    const stepsTo = (k: number): number => N + k - last;
    return normalAround(
      Array.from({ length: horizon }, (_, k) => values[last]! + slope * stepsTo(k)),
      (k) => deviation * Math.sqrt(stepsTo(k) * (1 + stepsTo(k) / Math.max(1, last))),
    );
  });
}

/**
 * The mean of all observed values.
 *
 * @example
 * const fitted = await meanForecast()([], { horizon: 1, season: 1, frequency: undefined, levels: [0.5] });
 * fitted([{ name: 'a', values: [1, 2, 6] }])[0]!.median; // [3]
 */
export function meanForecast(): Method {
  return localMethod('meanForecast', (values, { horizon }) => {
    const observed = values.filter(isObserved);
    const N = observed.length;
    const mean = observed.reduce((sum, value) => sum + value, 0) / N;
    const variance = observed.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, N - 1);
    const deviation = Math.sqrt(variance * (1 + 1 / N));
    return normalAround(new Array<number>(horizon).fill(mean), () => deviation);
  });
}
