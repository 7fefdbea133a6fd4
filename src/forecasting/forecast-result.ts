/** The result of forecasts. */

import { lastOf } from '../tensor/arrays';
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
