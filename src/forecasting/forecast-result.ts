/** The result of forecasts. */

import { lastOf } from '../tensor/arrays';
import { checkArray, checkKind, checkNumber, counted, outOfRange } from '../tensor/shape';
import { parseFrequency, timeAfter } from './calendar';
import type { Forecaster } from './forecaster';
import type { ForecastState } from './state';

/** The forecast of one series. */
export interface Forecast {
  readonly name: string;
  /** The time of every step, if the series has a start and the forecaster a frequency. */
  readonly times: readonly Date[] | undefined;
  /** The levels of the quantiles, in order. */
  readonly levels: readonly number[];
  /** The quantiles of every step, `[horizon][levels]`. */
  readonly quantiles: readonly (readonly number[])[];
  /** The median of every step: the point forecast. */
  readonly median: readonly number[];
  /** The sampled paths of an autoregressive forecaster, `[paths][horizon]`. */
  readonly paths?: readonly (readonly number[])[];
}

/** A forecast from the quantiles of its steps. */
export function createForecast(
  { horizon, frequency }: Pick<Forecaster, 'horizon' | 'frequency'>,
  { name, start, length }: Pick<ForecastState, 'name' | 'start' | 'length'>,
  levels: readonly number[],
  quantile: (k: number, level: number) => number,
): Forecast {
  const steps = Array.from({ length: horizon }, (_, k) => k);
  const step = frequency === undefined || start === undefined ? undefined : parseFrequency('forecast', frequency);
  return {
    name,
    times: step && steps.map((k) => new Date(timeAfter(start!, step, length + k))),
    levels,
    quantiles: steps.map((k) => levels.map((level) => quantile(k, level))),
    median: steps.map((k) => quantile(k, 0.5)),
  };
}

/** @throws TypeError or RangeError if the value is not a forecast */
export function checkForecast(where: string, argument: string, forecast: Forecast): void {
  checkKind(where, argument, forecast, 'a forecast', 'quantiles');
  const { levels, quantiles, median } = forecast;
  for (const [name, value] of Object.entries({ levels, quantiles, median }))
    checkArray(where, `${argument}.${name}`, value);
  for (const level of levels) checkNumber(where, `${argument}.levels`, level, 0, 1);
  for (const row of quantiles) checkArray(where, `${argument}.quantiles`, row);
  const rows = counted(median.length, 'row');
  if (quantiles.length !== median.length)
    throw outOfRange(where, `${argument}.quantiles`, `${rows}, as median`, quantiles.length);
  if (quantiles.some((row) => row.length !== levels.length))
    throw outOfRange(where, `${argument}.quantiles`, `${rows} of ${counted(levels.length, 'level')}`, 'other rows');
}

/**
 * Averages the forecasts of several methods: the medians, and the quantiles of each level. An average is often better
 * than each of its parts, and rarely much worse than the best one.
 *
 * @param forecasts the forecasts of each method, of the same series in the same order
 * @throws TypeError if `forecasts` is not an array of arrays
 * @throws RangeError if there is no method, or the series, levels or horizons differ
 * @example
 * const history = [{ name: 'a', values: [1, 3, 2, 4, 3, 5] }];
 * const task = { horizon: 2, season: 2, frequency: undefined, levels: [0.1, 0.5, 0.9] };
 * const [naive, line] = [await seasonalNaive()([], task), await drift()([], task)];
 * averageForecasts([naive(history), line(history)])[0]!.median; // [4.4, 5.8]
 */
export function averageForecasts(forecasts: readonly (readonly Forecast[])[]): Forecast[] {
  const where = 'averageForecasts';
  checkArray(where, 'forecasts', forecasts);
  forecasts.forEach((method, i) => {
    checkArray(where, `forecasts[${i}]`, method);
    method.forEach((each, j) => checkForecast(where, `forecasts[${i}][${j}]`, each));
  });
  const [first, ...others] = forecasts;
  if (first === undefined) throw outOfRange(where, 'forecasts', 'those of at least one method', '[]');
  const describe = (each: readonly Forecast[]): string =>
    JSON.stringify(each.map(({ name, levels, median }) => [name, levels, median.length]));
  others.forEach((each, i) => {
    if (describe(each) !== describe(first))
      throw new RangeError(
        `${where}: forecasts[${i + 1}] must be of the series, levels and horizon of forecasts[0], in the same order.`,
      );
  });
  if (others.length === 0) return [...first];
  const mean = (pick: (part: readonly Forecast[]) => number): number =>
    forecasts.reduce((sum, part) => sum + pick(part) / forecasts.length, 0);
  return first.map(({ name, times, levels, quantiles, median }, i) => ({
    name,
    times,
    levels,
    quantiles: quantiles.map((row, k) => row.map((_, level) => mean((part) => part[i]!.quantiles[k]![level]!))),
    median: median.map((_, k) => mean((part) => part[i]!.median[k]!)),
  }));
}

/** Whether the levels of a forecast contain the central interval with this fraction. */
export const hasInterval = ({ levels }: Forecast, fraction: number): boolean =>
  levels[0]! <= (1 - fraction) / 2 + 1e-9 && lastOf(levels)! >= (1 + fraction) / 2 - 1e-9;

/** The central interval of step k with this fraction, which the levels contain; linear between them. */
export function intervalAt({ levels, quantiles }: Forecast, k: number, fraction: number): [low: number, high: number] {
  const at = (level: number): number => {
    const row = quantiles[k]!;
    const above = levels.findIndex((each) => each >= level - 1e-9);
    if (above === 0 || Math.abs(levels[above]! - level) < 1e-9) return row[above]!;
    const part = (level - levels[above - 1]!) / (levels[above]! - levels[above - 1]!);
    return row[above - 1]! + part * (row[above]! - row[above - 1]!);
  };
  return [at((1 - fraction) / 2), at((1 + fraction) / 2)];
}
