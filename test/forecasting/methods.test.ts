/** The baselines and the scores of backtests. */

import {
  averageForecasts,
  backtest,
  drift,
  exponentialSmoothing,
  type Forecast,
  fitForecaster,
  forecaster,
  type Method,
  meanForecast,
  type Series,
  seasonalNaive,
} from 'bptt/forecasting';
import { describe, expect, it } from 'vitest';
import { readSet } from '../../examples/forecasting/sets';
import { filledValues } from '../../src/forecasting/methods';
import { normalQuantile } from '../../src/forecasting/probability';
import { seasonalPart } from '../../src/forecasting/seasonal-adjustment';
import { chooseModel, isStable } from '../../src/forecasting/smoothing-models';
import { golden } from '../golden/read';

interface Golden {
  readonly smoothing: {
    readonly values: readonly number[];
    readonly models: readonly { readonly model: string; readonly aicc: number; readonly forecast: readonly number[] }[];
    readonly chosen: { readonly method: string; readonly aicc: number; readonly forecast: readonly number[] };
  };
}

const { smoothing } = golden<Golden>('forecasting');
const passengers: Series = { name: 'passengers', values: smoothing.values };
const task = { horizon: 12, season: 12, frequency: 'month' as const, levels: [0.1, 0.5, 0.9] };

const medianOf = async (method: Method, series: Series): Promise<readonly number[]> =>
  (await method([series], task))([series])[0]!.median;

it.each(smoothing.models)('exponential smoothing $model is close to that of R', async ({ model, aicc, forecast }) => {
  const fit = chooseModel(Float64Array.from(passengers.values), [model], 12);
  expect(fit.aicc).toBeLessThan(aicc + 0.1);
  // R finds only a local optimum of AAA.
  if (model === 'AAA') return expect(fit.aicc).toBeLessThan(aicc - 90);
  expect(fit.aicc).toBeGreaterThan(aicc - 3);
  const median = await medianOf(exponentialSmoothing({ models: [model] }), passengers);
  median.forEach((value, k) => expect(Math.abs(value / forecast[k]! - 1), `step ${k}`).toBeLessThan(0.03));
});

const { fits, origin } = golden<{
  readonly origin: number;
  readonly fits: readonly { readonly model: string; readonly damped: boolean; readonly aicc: number }[];
}>('forecasting/ets');
const { series: sales } = readSet('alcohol-sales');

it.each(fits)('the likelihood of $model (damped: $damped) is at least that of R', ({ model, damped, aicc }) => {
  const name = damped ? model.replace(/.$/, 'd$&') : model;
  const fit = chooseModel(Float64Array.from(sales[0]!.values).subarray(0, origin), [name], 12);
  expect(fit.aicc).toBeLessThan(aicc + 0.1);
});

// AICc of the function ets of R's package forecast.
it.each([
  ['ANN', 1967.97632],
  ['AAN', 1509.05665],
  ['AAdN', 1509.67169],
  ['MNN', 1968.56277],
  ['MAN', 1510.8473],
  ['MAdN', 1628.38598],
])('the likelihood of %s of a smooth series without a season is at least that of R', (name, aicc) => {
  const values = Float64Array.from({ length: 200 }, (_, t) => 300 + 50 * Math.sin((Math.PI * t) / 12) + noise(t));
  const { model, aicc: own } = chooseModel(values, [name], 1);
  expect(`${model.error}${model.trend}${model.season}`).toBe(name);
  expect(own).toBeLessThan(aicc + 0.1);
});

/** Noise from −1 to 1. */
const noise = (t: number): number => Math.sin(t * t * 12.9898);

// The results of the function `admissible` of R's package forecast.
it.each([
  [0.171, 0.171, 0.27, 0.98, 12, false],
  [0.779, 0.779, 0.221, 0.98, 7, false],
  [0.456, 0.456, 0.544, 1, 24, false],
  [0.76, 0.728, 0.145, 1, 24, false],
  [0.369, 0.355, 0.001, 0.98, 4, true],
  [0.627, 0.228, 0.001, 0.98, 2, true],
  [0.023, 0.013, 0.001, 1, 12, true],
  [0.24, 0.058, 0.76, 0.973, 7, true],
])('α %s, β %s, γ %s, φ %s with a season of %s: stable is %s', (alpha, beta, gamma, phi, m, expected) => {
  expect(isStable({ alpha, beta, gamma, phi }, m)).toBe(expected);
});

it('the seasonal part is that of the stl function of R', () => {
  const { parts } = golden<{
    readonly parts: readonly {
      readonly season: number;
      readonly values: readonly number[];
      readonly seasonal: readonly number[];
    }[];
  }>('forecasting/stl');
  for (const { season, values, seasonal } of parts)
    seasonalPart(Float64Array.from(values), season).forEach((value, t) => expect(value).toBeCloseTo(seasonal[t]!, 7));
});

it('the forecast with a season of 52 weeks is close to that of the stlf function of R', async () => {
  const { series, season, horizon } = readSet('carbon-dioxide-weekly');
  const { last } = golden<{ readonly last: { origin: number; forecasts: { ets: number[] } } }>(
    'forecasting/carbon-dioxide-weekly',
  );
  const head = { ...series[0]!, values: Array.from(series[0]!.values).slice(0, last.origin) };
  const { mask } = series[0]!;
  const history = { ...head, ...(mask && { mask: Array.from(mask).slice(0, last.origin) }) };
  const fitted = await exponentialSmoothing()([], { ...task, season, horizon, frequency: 'week' });
  const { median } = fitted([history])[0]!;
  // The season has a range of 6 ppm. R interpolates between regressions.
  median.forEach((value, k) => expect(Math.abs(value - last.forecasts.ets[k]!), `step ${k}`).toBeLessThan(0.1));
});

it('exponential smoothing does not choose a model that cannot predict positive values', async () => {
  const values = Array.from({ length: 60 }, (_, t) => (t % 7 === 0 ? 5 + (t % 3) : 1e-9 * (1 + (t % 5))));
  for (const models of [['MAdM'], ['MAM'], ['MAdM', 'AAN'], undefined]) {
    const fitted = await exponentialSmoothing({ models })([], { ...task, season: 12 });
    const { median, quantiles } = fitted([{ name: 'a', values }])[0]!;
    for (const value of [...median, ...quantiles.flat()]) expect(Number.isFinite(value)).toBe(true);
  }
});

it('exponential smoothing chooses a multiplicative season for the passengers, as R', () => {
  const names = ['ANN', 'AAN', 'AAA', 'MAM', 'MAdM', 'MNN'];
  const { model } = chooseModel(Float64Array.from(passengers.values), names, 12);
  expect(model.season).toBe('M');
  expect(smoothing.chosen.method).toMatch(/M\)$/);
});

it('the intervals of exponential smoothing of a random walk widen with the root of the step', async () => {
  let x = 0;
  // A deterministic walk with steps of about one.
  const values = Array.from({ length: 300 }, (_, t) => (x += Math.sign(Math.sin(t * t * 12.9898))));
  const method = exponentialSmoothing({ models: ['ANN'], paths: 4000 });
  const [forecast] = (await method([], { ...task, season: 1 }))([{ name: 'walk', values }]);
  const width = (k: number): number => forecast!.quantiles[k]![2]! - forecast!.quantiles[k]![0]!;
  expect(width(8) / width(0)).toBeGreaterThan(2.4);
  expect(width(8) / width(0)).toBeLessThan(3.6);
});

// The residual deviation, multiplied as in Hyndman and Athanasopoulos, "Forecasting", section 5.5; with NumPy.
it.each<[string, Method, number[]]>([
  ['seasonal naive', seasonalNaive(), [5.481714, 11.481714, 6.509674, 12.509674]],
  ['drift', drift(), [15.511537, 19.702497, 23.623074, 27.430759]],
  ['mean', meanForecast(), [8.218163, 8.218163, 8.218163, 8.218163]],
])('the quantiles of %s forecasts widen with the step', async (_, method, expected) => {
  const fitted = await method([], { horizon: 4, season: 2, frequency: undefined, levels: [0.9] });
  fitted([{ name: 'a', values: [1, 4, 2, 6, 3, 9] }])[0]!.quantiles.forEach(([value], k) =>
    expect(value).toBeCloseTo(expected[k]!, 5),
  );
});

it('the baselines repeat the last season, continue the line and the mean, and skip missing values', async () => {
  const values = [1, 2, 3, 4, 5, 6, 7, 8];
  const short = { ...task, horizon: 3, season: 4 };
  const run = async (method: Method, series: Series): Promise<readonly number[]> =>
    (await method([], short))([series])[0]!.median;
  expect(await run(seasonalNaive(), { name: 'a', values })).toEqual([5, 6, 7]);
  expect(await run(drift(), { name: 'a', values })).toEqual([9, 10, 11]);
  expect(await run(meanForecast(), { name: 'a', values })).toEqual([4.5, 4.5, 4.5]);
  const mask = [1, 1, 1, 1, 0, 1, 1, 1];
  expect(await run(seasonalNaive(), { name: 'a', values: [1, 2, 3, 4, NaN, 6, 7, 8], mask })).toEqual([1, 6, 7]);
});

it('the seasonal naive forecast repeats a single season, with the errors one step ahead', async () => {
  const fitted = await seasonalNaive()([], { horizon: 4, season: 3, frequency: undefined, levels: [0.9] });
  const { median, quantiles } = fitted([{ name: 'a', values: [1, 4, 2] }])[0]!;
  expect(median).toEqual([1, 4, 2, 1]);
  // The differences are 3 and -2.
  const deviations = median.map((value, k) => (quantiles[k]![0]! - value) / normalQuantile(0.9));
  expect(deviations).toEqual([6.5, 6.5, 6.5, 13].map((variance) => expect.closeTo(Math.sqrt(variance), 9)));
});

describe('missing values', () => {
  const gap = (count: number): number[] => new Array<number>(count).fill(NaN);
  const forecastOf = async (method: Method, values: readonly number[], horizon: number, season = 1) => {
    const mask = values.map((value) => (Number.isNaN(value) ? 0 : 1));
    const fitted = await method([], { horizon, season, frequency: undefined, levels: [0.9] });
    return fitted([{ name: 'a', values, mask }])[0]!;
  };
  /** The deviations of the steps, from their quantile of level 0.9. */
  const deviations = async (method: Method, values: readonly number[], horizon: number, season = 1) => {
    const { median, quantiles } = await forecastOf(method, values, horizon, season);
    return median.map((value, k) => (quantiles[k]![0]! - value) / normalQuantile(0.9));
  };
  const close = (values: readonly number[]): unknown[] => values.map((value) => expect.closeTo(value, 9));
  const rising = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

  it('are those of the season before; in the first season, those of the step before', async () => {
    const values = Float64Array.of(5, NaN, 2, NaN, 4, NaN, NaN);
    expect([...filledValues(values, 3)]).toEqual([5, 5, 2, 5, 4, 2, 5]);
    expect([...filledValues(values, 1)]).toEqual([5, 5, 2, 2, 4, 4, 4]);
    expect(values[1]).toBeNaN();
    expect((await forecastOf(seasonalNaive(), [1, NaN, 3, NaN, 5], 2, 2)).median).toEqual([1, 5]);
  });

  it('do not count in the mean and its deviation', async () => {
    const values = [5, ...gap(30), 35];
    expect((await forecastOf(meanForecast(), values, 1)).median).toEqual([20]);
    // The unbiased variance is 450; the mean of two values has half of it.
    expect(await deviations(meanForecast(), values, 1)).toEqual(close([Math.sqrt(675)]));
  });

  it('before the first and after the last value do not change the line of drift', async () => {
    expect((await forecastOf(drift(), [...gap(10), ...rising(10, 19)], 2)).median).toEqual([20, 21]);
    expect((await forecastOf(drift(), [...rising(0, 24), ...gap(3)], 2, 7)).median).toEqual([28, 29]);
    expect((await forecastOf(drift(), [...gap(4), 3, ...gap(2)], 2)).median).toEqual([3, 3]);
  });

  it('do not narrow the intervals of naive forecasts, which widen with the age of the last value', async () => {
    // Differences of 2 over one step and of 6 over three: a variance of (2² + 6² / 3) / 2 = 8 per step.
    expect(await deviations(seasonalNaive(), [1, 3, ...gap(2), 9], 2)).toEqual(close([Math.sqrt(8), 4]));
    expect(await deviations(seasonalNaive(), [1, 3, ...gap(2), 9, NaN], 2)).toEqual(close([4, Math.sqrt(24)]));
    // Differences over a season of 2: 2, 4, and 8 over two seasons.
    const seasonal = [NaN, 1, 5, 3, 9, NaN, NaN, 11];
    expect((await forecastOf(seasonalNaive(), seasonal, 3, 2)).median).toEqual([9, 11, 9]);
    const variance = (2 ** 2 + 4 ** 2 + 8 ** 2 / 2) / 3;
    expect(await deviations(seasonalNaive(), seasonal, 3, 2)).toEqual(
      close([2, 1, 3].map((seasons) => Math.sqrt(variance * seasons))),
    );
  });

  it('do not narrow the intervals of drift', async () => {
    // A slope of 2: the line is exact but for 1, whose differences deviate by −3 over one step and 3 over three.
    const values = [...gap(5), 0, -1, ...gap(2), 8];
    const deviation = Math.sqrt((3 ** 2 + 3 ** 2 / 3) / 2);
    const widths = [1, 2].map((h) => deviation * Math.sqrt(h * (1 + h / 4)));
    expect(await deviations(drift(), values, 2)).toEqual(close(widths));
    expect((await deviations(drift(), [...values, NaN], 1))[0]).toBeCloseTo(widths[1]!, 9);
  });

  it.each([
    ['seasonalNaive', seasonalNaive()],
    ['drift', drift()],
    ['meanForecast', meanForecast()],
    ['exponentialSmoothing', exponentialSmoothing()],
  ])('alone are rejected by %s', async (name, method) => {
    const message = `${name}: series a has no observed value. Remove it.`;
    for (const values of [gap(8), []]) await expect(forecastOf(method, values, 2)).rejects.toThrow(message);
    const series = [{ name: 'a', values: gap(8), mask: new Uint8Array(8) }];
    await expect(backtest(series, { methods: { mine: method }, horizon: 2 })).rejects.toThrow(
      `backtest: methods.mine: ${message}`,
    );
  });

  it('before the first value do not change the fit of exponential smoothing', async () => {
    const values = Array.from({ length: 30 }, (_, t) => 40 + t + 3 * Math.sin(t * t));
    const method = exponentialSmoothing({ models: ['AAN'] });
    const [late, whole] = [await forecastOf(method, [...gap(12), ...values], 3), await forecastOf(method, values, 3)];
    expect(late).toEqual(whole);
  });
});

it('the line of drift through two values; one value has no deviation', async () => {
  const forecastOf = async (method: Method, values: readonly number[]) => {
    const fitted = await method([], { horizon: 2, season: 1, frequency: undefined, levels: [0.5, 0.9] });
    return fitted([{ name: 'a', values }])[0]!;
  };
  expect((await forecastOf(drift(), [1, 3])).median).toEqual([5, 7]);
  for (const method of [drift(), meanForecast(), seasonalNaive()])
    expect((await forecastOf(method, [4])).quantiles).toEqual([
      [4, 4],
      [4, 4],
    ]);
});

it('forecasts of methods have the times after the series', async () => {
  const series = { name: 'a', values: [1, 2, 3], start: '2024-10-31' };
  const [forecast] = (await seasonalNaive()([], { ...task, horizon: 3 }))([series]);
  const times = forecast!.times!.map((time) => time.toISOString().slice(0, 10));
  expect(times).toEqual(['2025-01-31', '2025-02-28', '2025-03-31']);
});

it('averages of forecasts have the mean medians and quantiles', async () => {
  const values = Float64Array.from({ length: 40 }, (_, t) => 10 + t + 3 * (t % 4));
  const history: Series[] = [
    { name: 'a', values, start: '2024-01-31' },
    { name: 'b', values: values.map((value) => -value), start: '2024-01-31' },
  ];
  const short = { ...task, horizon: 3, season: 4 };
  const [naive, line] = [await seasonalNaive()(history, short), await drift()(history, short)];
  const [x, y] = [naive(history), line(history)];
  const average = averageForecasts([x, y]);
  average.forEach((each, i) => {
    expect(each.name).toBe(history[i]!.name);
    expect(each.times).toEqual(x[i]!.times);
    expect(each.levels).toEqual(short.levels);
    for (let k = 0; k < 3; k++) {
      expect(each.median[k]).toBeCloseTo((x[i]!.median[k]! + y[i]!.median[k]!) / 2, 12);
      each.quantiles[k]!.forEach((value, level) =>
        expect(value).toBeCloseTo((x[i]!.quantiles[k]![level]! + y[i]!.quantiles[k]![level]!) / 2, 12),
      );
    }
  });
  expect(averageForecasts([x])).toEqual(x);
  expect(averageForecasts([x, y, y])[1]!.median[2]).toBeCloseTo((x[1]!.median[2]! + 2 * y[1]!.median[2]!) / 3, 12);
  expect(() => averageForecasts([])).toThrow('averageForecasts: forecasts must be those of at least one method');
  for (const other of [y.slice(1), [...y].reverse(), line(history.slice(0, 1))])
    expect(() => averageForecasts([x, other])).toThrow('forecasts[1] must be of the series, levels and horizon');
  const longer = (await drift()(history, { ...short, horizon: 4 }))(history);
  expect(() => averageForecasts([x, longer])).toThrow('forecasts[1] must be of the series, levels and horizon');
});

it('a backtest averages the methods of an array, and trains a forecaster once', async () => {
  const values = Float64Array.from({ length: 60 }, (_, t) => 20 + (t % 4) + Math.sin(t));
  const network = forecaster({ horizon: 4, seasons: [4], hiddenSize: 4 });
  let updates = 0;
  const { forecasts } = await backtest([{ name: 'a', values }], {
    methods: { network, naive: seasonalNaive(), both: [network, seasonalNaive(), drift()] },
    horizon: 4,
    season: 4,
    origins: 3,
    training: { steps: 10, validation: 0, onProgress: () => updates++ },
  });
  expect(updates).toBe(10);
  const of = (method: string) => forecasts.filter((each) => each.method === method);
  const line = drift();
  for (let i = 0; i < 3; i++) {
    const { origin, forecast, actual } = of('both')[i]!;
    expect(origin).toBe([48, 52, 56][i]);
    expect(actual).toEqual(Array.from(values.subarray(origin, origin + 4)));
    const history = [{ name: 'a', values: values.subarray(0, origin) }];
    const levels = forecast.levels;
    const straight = (await line([], { horizon: 4, season: 4, frequency: undefined, levels }))(history)[0]!;
    forecast.median.forEach((value, k) => {
      const parts = [of('network')[i]!.forecast, of('naive')[i]!.forecast, straight].map(({ median }) => median[k]!);
      expect(value).toBeCloseTo((parts[0]! + parts[1]! + parts[2]!) / 3, 10);
    });
  }
});

it('methods reject series and tasks that lack a part', async () => {
  const task = { horizon: 2, season: 1, frequency: undefined, levels: [0.5] };
  const run = async (series: unknown, given: unknown) => (await drift()([], given as never))(series as never);
  const series = [{ name: 'a', values: [1, 2, 5] }];
  await expect(run(undefined, task)).rejects.toThrow('drift: series must be an array');
  await expect(run([null], task)).rejects.toThrow('drift: series[0] must be an object, got null.');
  await expect(run([{ name: 'a' }], task)).rejects.toThrow('drift: series[0].values must be an array, got undefined.');
  await expect(run(series, undefined)).rejects.toThrow('drift: task must be an object, got undefined.');
  await expect(run(series, { horizon: 2, season: 1 })).rejects.toThrow('drift: levels must be an array');
  await expect(run(series, { ...task, season: 0 })).rejects.toThrow(
    'drift: task.season must be an integer of at least',
  );
  await expect(run(series, { ...task, frequency: 'daily' })).rejects.toThrow('drift: frequency must be a unit');
  const dated = [{ ...series[0], start: 'today' }];
  await expect(run(dated, task)).rejects.toThrow('drift: series a: start must be a Date, milliseconds or');
});

it('a backtest rejects forecasts that are not those of its series', async () => {
  const series = ['a', 'b'].map((name) => ({ name, values: [1, 2, 3, 4, 5, 6] }));
  const changed = (change: (forecasts: readonly Forecast[]) => unknown): Promise<unknown> => {
    const method: Method = async (training, task) => {
      const run = await drift()(training, task);
      return (history) => change(run(history)) as Forecast[];
    };
    return backtest(series, { methods: { mine: method }, horizon: 2 });
  };
  const result = 'backtest: the result of methods.mine';
  await expect(changed((all) => all.slice(1))).rejects.toThrow(`${result} must be 2 forecasts, one per series, got 1.`);
  await expect(changed((all) => [...all, ...all])).rejects.toThrow(`${result} must be 2 forecasts, one per series`);
  await expect(changed((all) => [...all].reverse())).rejects.toThrow(
    `${result}[0].name must be a, in the order of the series, got b.`,
  );
  await expect(changed((all) => all.map((each) => each.median))).rejects.toThrow(`${result}[0] must be a forecast`);
  for (const last of [1, 3]) {
    const cut = <T>(rows: readonly T[]): T[] => [...rows, rows[0]!].slice(0, last);
    await expect(
      changed((all) => all.map((each) => ({ ...each, median: cut(each.median), quantiles: cut(each.quantiles) }))),
    ).rejects.toThrow(`${result}[0].median must be 2 steps, got ${last}.`);
  }
});

it('a backtest names the method whose function throws, and rejects an empty array', async () => {
  const run = (methods: Parameters<typeof backtest>[1]['methods']) =>
    backtest([{ name: 'a', values: [1, 2, 3, 4, 5, 6] }], { methods, horizon: 2 });
  const failing: Method = () => {
    throw new RangeError('no data');
  };
  await expect(run({ mine: [seasonalNaive(), failing] })).rejects.toThrow(
    new RangeError('backtest: methods.mine: no data'),
  );
  await expect(run({ mine: () => failing as never })).rejects.toThrow('backtest: methods.mine: no data');
  await expect(run({ mine: [] })).rejects.toThrow('backtest: methods.mine must hold at least one method, got none.');
  const model = forecaster({ horizon: 2, hiddenSize: 2 });
  const fitted = await fitForecaster(model, [{ name: 'a', values: [1, 2, 3, 4, 5, 6] }], { steps: 1 });
  await expect(run({ mine: fitted as never })).rejects.toThrow(
    'backtest: methods.mine must be a method, such as drift(), or a forecaster, got an object with forecaster,',
  );
  // JavaScript only: the function that makes a method instead of the method.
  await expect(run({ mine: drift as never })).rejects.toThrow(
    'backtest: methods.mine must be a method, such as drift(), got the function drift.',
  );
});
