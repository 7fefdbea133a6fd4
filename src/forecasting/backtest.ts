/** Rolling-origin evaluation of forecasting methods. */

import { prefixed } from '../tensor/error-context';
import {
  checkChoice,
  checkCount,
  checkFunction,
  checkKind,
  checkNames,
  checkObject,
  checkSome,
  counted,
  mismatch,
  outOfRange,
} from '../tensor/shape';
import { defaultSeason, type Frequency, parseFrequency } from './calendar';
import { recalibrate } from './calibration';
import { checkLevels } from './distributions';
import { type FitForecasterOptions, fitForecaster } from './fit-forecaster';
import { forecast, forecastLevels } from './forecast';
import { averageForecasts, checkForecast, type Forecast } from './forecast-result';
import type { Forecaster } from './forecaster';
import type { FittedMethod, ForecastTask, Method } from './methods';
import { errorScale, errorsOf, type Scores, scoresOf, type ValueErrors } from './scores';
import { type Columns, checkSeries, type Series, schemaOf } from './series';

/** The options of {@link backtest}. */
export interface BacktestOptions {
  /**
   * The methods by name: functions such as {@link seasonalNaive}, forecasters, which are trained, and arrays of both,
   * whose forecasts are averaged as by {@link averageForecasts}.
   */
  readonly methods: Readonly<Record<string, Method | Forecaster | readonly (Method | Forecaster)[]>>;
  /** The number of steps to forecast. */
  readonly horizon: number;
  /** The time between two values. */
  readonly frequency?: Frequency | undefined;
  /** The length of the main season, for the methods and MASE. That of the frequency by default. */
  readonly season?: number | undefined;
  /** The number of origins: the last one is `horizon` steps before the end of each series. 1 by default. */
  readonly origins?: number | undefined;
  /** The number of steps from one origin to the next. The horizon by default. */
  readonly stride?: number | undefined;
  /**
   * The part of forecasters that is fitted again at each origin; other methods always are. Forecasters are trained on
   * the values before the first origin; at later ones their intervals adapt to the values since, as with
   * {@link recalibrate} (`'intervals'`, the default), or nothing changes (`'never'`), or they are trained again
   * (`'always'`).
   */
  readonly refit?: 'never' | 'intervals' | 'always' | undefined;
  /** The levels of the quantiles; {@link forecastLevels} by default. */
  readonly levels?: readonly number[] | undefined;
  /** The options of the training of forecasters. */
  readonly training?: FitForecasterOptions | undefined;
}

/** A forecast of a backtest and the values that followed. */
export interface BacktestForecast {
  readonly method: string;
  /** The number of values before the forecast. */
  readonly origin: number;
  readonly forecast: Forecast;
  /** NaN where a value is missing. */
  readonly actual: readonly number[];
}

/** The scores of one method. */
export interface MethodScores {
  readonly overall: Scores;
  /** The scores by step of the horizon. */
  readonly byStep: readonly Scores[];
  readonly bySeries: Readonly<Record<string, Scores>>;
}

/** The result of {@link backtest}. */
export interface Backtest {
  readonly scores: Readonly<Record<string, MethodScores>>;
  readonly forecasts: readonly BacktestForecast[];
}

/**
 * Evaluates methods on series: forecasts from several origins near the end, each from the values before it alone, and
 * compares them with the values after it.
 *
 * @throws RangeError if a series is too short for the origins, or wrong as for {@link fitForecaster} or
 * {@link forecast}, or the forecasts of a method are not those of the series, in their order
 * @example
 * const values = Float64Array.from({ length: 60 }, (_, t) => t + [0, 5, -5][t % 3]!);
 * const methods = { naive: seasonalNaive(), drift: drift() };
 * const { scores } = await backtest([{ name: 'a', values }], { methods, horizon: 3, season: 3, origins: 4 });
 * scores['naive']!.overall.mae; // 3
 */
export async function backtest(series: readonly Series[], options: BacktestOptions): Promise<Backtest> {
  const where = 'backtest';
  checkNames(where, 'options', options, [
    'methods',
    'horizon',
    'frequency',
    'season',
    'origins',
    'stride',
    'refit',
    'levels',
    'training',
  ]);
  const { methods, horizon, frequency, origins = 1, refit = 'intervals', levels = forecastLevels() } = options;
  checkObject(where, 'methods', methods);
  checkCount(where, 'horizon', horizon);
  if (frequency !== undefined) parseFrequency(where, frequency);
  const { stride = horizon, season = defaultSeason(frequency), training = {} } = options;
  for (const [name, value] of Object.entries({ origins, stride, season })) checkCount(where, name, value);
  checkChoice(where, 'refit', refit, ['never', 'intervals', 'always']);
  checkLevels(where, levels);
  checkSeries(where, series, schemaOf(where, series));
  const task = { horizon, season, frequency, levels };
  for (const { name, values } of series)
    if (values.length < horizon + (origins - 1) * stride + 2)
      throw new RangeError(
        `${where}: series ${name}: must have at least ${horizon + (origins - 1) * stride + 2} values for ` +
          `${counted(origins, 'origin')} and a horizon of ${horizon}, got ${values.length}.`,
      );
  const lagOf = (index: number): number => horizon + (origins - 1 - index) * stride;
  const histories = Array.from({ length: origins }, (_, index) =>
    series.map((each) => until(each, each.values.length - lagOf(index), horizon)),
  );
  // A method that is also part of an average runs once.
  const results = new Map<Method | Forecaster, readonly (readonly Forecast[])[]>();
  const forecasts: BacktestForecast[] = [];
  for (const [name, given] of Object.entries(methods)) {
    const parts: readonly (Method | Forecaster)[] = Array.isArray(given) ? given : [given];
    checkSome(where, `methods.${name}`, parts.length, 'method');
    for (const part of parts) {
      const method =
        typeof part === 'function' ? part : trainingMethod(where, name, part, task, training, refit === 'intervals');
      if (!results.has(part))
        results.set(part, await runMethod(where, name, method, histories, task, refit === 'always'));
    }
    histories.forEach((history, index) => {
      averageForecasts(parts.map((part) => results.get(part)![index]!)).forEach((each, i) => {
        const origin = history[i]!.values.length;
        forecasts.push({ method: name, origin, forecast: each, actual: actualOf(series[i]!, origin, horizon) });
      });
    });
  }
  return { scores: scoresByMethod(Object.keys(methods), series, forecasts, task), forecasts };
}

/** Runs a method, and puts its name before its errors. Returns the forecasts of all series, by origin. */
async function runMethod(
  where: string,
  name: string,
  method: Method,
  histories: readonly (readonly Series[])[],
  task: ForecastTask,
  refits: boolean,
): Promise<readonly (readonly Forecast[])[]> {
  const named = async <R>(call: () => R): Promise<Awaited<R>> => {
    try {
      return await call();
    } catch (error) {
      throw prefixed(error, `${where}: methods.${name}`);
    }
  };
  const results: (readonly Forecast[])[] = [];
  let fitted: FittedMethod | undefined;
  for (const history of histories) {
    if (fitted === undefined || refits) fitted = await named(() => method(history, task));
    checkFunction(where, `the result of methods.${name}`, fitted);
    const run = fitted;
    const forecasts = await named(() => run(history));
    if (!Array.isArray(forecasts)) throw mismatch(where, `methods.${name}`, 'a method, such as drift()', method);
    checkForecasts(where, name, forecasts, history, task);
    results.push(forecasts);
  }
  return results;
}

/** @throws TypeError or RangeError if the forecasts of a method are not those of the series, in their order */
function checkForecasts(
  where: string,
  method: string,
  forecasts: readonly Forecast[],
  series: readonly Series[],
  { horizon }: ForecastTask,
): void {
  const result = `the result of methods.${method}`;
  if (forecasts.length !== series.length)
    throw outOfRange(where, result, `${counted(series.length, 'forecast')}, one per series`, forecasts.length);
  forecasts.forEach((each, i) => {
    checkForecast(where, `${result}[${i}]`, each);
    const { name, median } = each;
    if (name !== series[i]!.name)
      throw outOfRange(where, `${result}[${i}].name`, `${series[i]!.name}, in the order of the series`, name);
    if (median.length !== horizon)
      throw outOfRange(where, `${result}[${i}].median`, counted(horizon, 'step'), median.length);
  });
}

/** The training and the forecasts of a forecaster as a method. */
function trainingMethod(
  where: string,
  name: string,
  forecaster: Forecaster,
  { horizon, levels }: ForecastTask,
  training: FitForecasterOptions,
  adapts: boolean,
): Method {
  checkKind(where, `methods.${name}`, forecaster, 'a method, such as drift(), or a forecaster', 'linearSkip');
  if (forecaster.horizon !== horizon)
    throw outOfRange(where, `the horizon of ${name}`, `${horizon}`, forecaster.horizon);
  return async (series) => {
    const fitted = await fitForecaster(forecaster, series, training);
    return (histories) => {
      const heldOut = histories[0]!.values.length - series[0]!.values.length;
      const current = adapts && heldOut > 0 ? recalibrate(fitted, histories, { heldOut }) : fitted;
      return forecast(current, histories, { levels });
    };
  };
}

/** A series up to an origin, with future covariates of the horizon. */
function until(series: Series, origin: number, horizon: number): Series {
  const cut = (columns: Columns, length: number): Columns =>
    Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, head(values, length)]));
  return {
    ...series,
    values: head(series.values, origin),
    ...(series.mask && { mask: head(series.mask, origin) }),
    ...(series.past && { past: cut(series.past, origin) }),
    ...(series.future && { future: cut(series.future, origin + horizon) }),
  };
}

const head = (values: ArrayLike<number>, length: number): Float64Array =>
  Float64Array.from({ length: Math.min(length, values.length) }, (_, i) => values[i]!);

const actualOf = ({ values, mask }: Series, origin: number, horizon: number): number[] =>
  Array.from({ length: horizon }, (_, k) => (mask === undefined || mask[origin + k] === 1 ? values[origin + k]! : NaN));

function scoresByMethod(
  names: readonly string[],
  series: readonly Series[],
  forecasts: readonly BacktestForecast[],
  { horizon, season }: ForecastTask,
): Record<string, MethodScores> {
  const byName = new Map(series.map((each) => [each.name, each]));
  return Object.fromEntries(
    names.map((name) => {
      const all: ValueErrors[] = [];
      const steps = Array.from({ length: horizon }, (): ValueErrors[] => []);
      const bySeries = new Map<string, ValueErrors[]>(series.map((each) => [each.name, []]));
      for (const { method, origin, forecast: each, actual } of forecasts) {
        if (method !== name) continue;
        const { values, mask } = byName.get(each.name)!;
        const scale = errorScale(head(values, origin), mask && head(mask, origin), season);
        actual.forEach((value, k) => {
          if (Number.isNaN(value)) return;
          const errors = errorsOf(each, k, value, scale);
          all.push(errors);
          steps[k]!.push(errors);
          bySeries.get(each.name)!.push(errors);
        });
      }
      return [
        name,
        {
          overall: scoresOf(all),
          byStep: steps.map(scoresOf),
          bySeries: Object.fromEntries([...bySeries].map(([key, errors]) => [key, scoresOf(errors)])),
        },
      ];
    }),
  );
}
