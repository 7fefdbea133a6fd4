/** Training, forecasts, states and files of forecasters. */

import { createRandom, lstm, normalNumber } from 'bptt';
import {
  backtest,
  drift,
  type FittedForecaster,
  type Forecast,
  type ForecasterOptions,
  fitForecaster,
  forecast,
  forecaster,
  gaussian,
  loadForecaster,
  negativeBinomial,
  observe,
  point,
  quantiles,
  type Series,
  saveForecaster,
  seriesFromRows,
  studentT,
} from 'bptt/forecasting';
import { afterEach, describe, expect, it } from 'vitest';
import { cyclesOf } from '../../src/forecasting/calendar';
import { fitValueScaler, scaleValue, unscaleValue } from '../../src/forecasting/value-scaling';

/** A monthly series with a season, a trend, noise, covariates and static features. */
function createSeries(name: string, length: number, seed: number): Series {
  const random = createRandom(seed);
  const noise = Array.from({ length }, () => normalNumber(random));
  const future = Float64Array.from({ length: length + 6 }, (_, t) => (t % 7 === 3 ? 1 : 0));
  return {
    name,
    start: '2010-01-01',
    values: noise.map((e, t) => 50 + 0.2 * t + 10 * Math.sin((2 * Math.PI * t) / 12) + 8 * future[t]! + 0.5 * e),
    past: { load: noise.map((e, t) => e + t) },
    future: { promotion: future },
    static: { size: seed, region: seed % 2 === 0 ? 'north' : 'south' },
  };
}

const several = [1, 2, 3].map((seed) => createSeries(`s${seed}`, 72 + seed, seed));
const settings: ForecasterOptions = { horizon: 6, frequency: 'month', hiddenSize: 12, context: 18 };
const quick = { steps: 12, validation: 0 };

const withoutPast = ({ past: _, ...series }: Series): Series => series;

/** The largest difference between the quantiles of forecasts, relative to their size. */
function difference(a: readonly Forecast[], b: readonly Forecast[]): number {
  expect(a.map(({ name }) => name)).toEqual(b.map(({ name }) => name));
  return a.reduce((most, { quantiles: rows }, i) => {
    const other = b[i]!.quantiles;
    return rows.reduce(
      (worst, row, k) => row.reduce((w, q, j) => Math.max(w, Math.abs(q - other[k]![j]!) / (1 + Math.abs(q))), worst),
      most,
    );
  }, 0);
}

/** The part of a series from one row up to another one; its future covariates extend to the end. */
function rowsOf(series: Series, from: number, to: number): Series {
  const cut = (columns: Series['past'], end?: number): Record<string, number[]> =>
    Object.fromEntries(
      Object.entries(columns ?? {}).map(([name, values]) => [name, Array.from(values).slice(from, end)]),
    );
  return {
    name: series.name,
    values: Array.from(series.values).slice(from, to),
    start: new Date(Date.UTC(2010, from, 1)),
    ...(series.past && { past: cut(series.past, to) }),
    ...(series.future && { future: cut(series.future) }),
    ...(series.static && { static: series.static }),
  };
}

describe('a forecast from a state equals one from the whole history', () => {
  const cases: readonly [string, ForecasterOptions, boolean][] = [
    ['direct, with all covariates', settings, true],
    ['two seasons and the base of the level', { ...settings, seasons: [12, 4], base: 'level' }, true],
    ['two networks of two layers of an LSTM', { ...settings, cell: lstm(), layers: 2, members: 2 }, true],
    ['autoregressive', { ...settings, mode: 'autoregressive', distribution: gaussian() }, false],
  ];
  it.each(cases)('%s', async (_, options, hasPast) => {
    const series = hasPast ? several : several.map(withoutPast);
    const fitted = await fitForecaster(forecaster(options), series, quick);
    const whole = forecast(fitted, series);
    let states = observe(
      fitted,
      series.map((each) => rowsOf(each, 0, 40)),
    );
    // Chunks of different lengths, one of them without values.
    for (const [from, to] of [
      [40, 41],
      [41, 41],
      [41, 65],
    ] as const)
      states = observe(
        fitted,
        series.map((each) => rowsOf(each, from, to)),
        states,
      );
    states = observe(
      fitted,
      series.map((each) => rowsOf(each, 65, each.values.length)),
      states,
    );
    expect(difference(whole, forecast(fitted, states))).toBeLessThan(1e-6);
    // A state is plain data.
    expect(difference(whole, forecast(fitted, structuredClone(states)))).toBeLessThan(1e-6);
    expect(
      difference(
        whole,
        forecast(
          fitted,
          observe(
            fitted,
            series.map((each) => rowsOf(each, 0, 50)),
          ),
        ),
      ),
    ).toBeGreaterThan(1e-3);
  });
});

it('states of series without values continue with those of others', async () => {
  for (const options of [settings, { ...settings, mode: 'autoregressive', distribution: gaussian() } as const]) {
    const series = several.map(withoutPast);
    const fitted = await fitForecaster(forecaster({ ...options, members: 2 }), series, quick);
    const first = series.flatMap((each, i) => observe(fitted, [rowsOf(each, 0, 30 * i)]));
    const rest = series.map((each, i) => rowsOf(each, 30 * i, each.values.length));
    const states = observe(fitted, rest, first);
    expect(difference(forecast(fitted, series), forecast(fitted, states))).toBeLessThan(1e-6);
  }
});

it('forecasts of several series equal those of each alone', async () => {
  const fitted = await fitForecaster(forecaster(settings), several, quick);
  const together = forecast(fitted, several);
  expect(
    difference(
      together,
      several.flatMap((each) => forecast(fitted, [each])),
    ),
  ).toBeLessThan(1e-6);
});

it('loaded forecasters have the same forecasts, scaling, calendar and names', async () => {
  for (const distribution of [point(), quantiles(), gaussian(), studentT()]) {
    const fitted = await fitForecaster(
      forecaster({ ...settings, cell: lstm(), distribution, members: 2, scaling: 'boxCox' }),
      several,
      quick,
    );
    const loaded = loadForecaster(saveForecaster(fitted));
    expect(difference(forecast(fitted, several), forecast(loaded, several))).toBe(0);
    expect(loaded.scalers).toEqual(fitted.scalers);
    expect(loaded.schema).toEqual(fitted.schema);
    expect(JSON.stringify(loaded.forecaster)).toBe(JSON.stringify(fitted.forecaster));
  }
});

it('a series of very large values can be saved', async () => {
  const values = Array.from({ length: 60 }, (_, t) => 1e40 * (5 + Math.sin(t)));
  const fitted = await fitForecaster(forecaster({ horizon: 2, hiddenSize: 4 }), [{ name: 'a', values }], quick);
  const [expected, got] = [fitted, loadForecaster(saveForecaster(fitted))].map((each) =>
    forecast(each, [{ name: 'a', values }]),
  );
  expect(got).toEqual(expected);
  const mean = forecaster({ horizon: 2, hiddenSize: 4, scaling: 'mean' });
  const scaled = await fitForecaster(mean, [{ name: 'a', values }], quick);
  expect(loadForecaster(saveForecaster(scaled)).scalers).toEqual(scaled.scalers);
});

it('files of other models are rejected', async () => {
  const fitted = await fitForecaster(forecaster(settings), several, quick);
  const file = saveForecaster(fitted);
  expect(() => loadForecaster(file.subarray(0, 40))).toThrow(RangeError);
  const text = new TextDecoder('latin1').decode(file).replace('bptt.forecaster', 'bptt.forecastex');
  expect(() => loadForecaster(Uint8Array.from(text, (c) => c.charCodeAt(0)))).toThrow(/must be one of saveForecaster/);
});

it('a forecaster that was not trained, or options instead of a forecaster, are rejected', async () => {
  // @ts-expect-error It must be the result of fitForecaster.
  expect(() => forecast(forecaster({ horizon: 2 }), several)).toThrow(
    'forecast: fitted must be a trained forecaster, as fitForecaster returns, got an object with horizon',
  );
  // @ts-expect-error It must be the result of forecaster.
  await expect(fitForecaster({ horizon: 2 }, several)).rejects.toThrow(
    'fitForecaster: forecaster must be a forecaster, as forecaster returns, got an object with horizon.',
  );
});

it('a trained forecaster follows a season, a covariate and a trend', async () => {
  const series = several.map(withoutPast);
  const history = series.map((each) => rowsOf(each, 0, each.values.length - 6));
  const fitted = await fitForecaster(forecaster({ ...settings, hiddenSize: 24 }), history, { steps: 300 });
  forecast(fitted, history).forEach(({ median, times }, i) => {
    const { values } = series[i]!;
    const actual = Array.from(values).slice(-6);
    const error = actual.reduce((sum, value, k) => sum + Math.abs(value - median[k]!) / 6, 0);
    const naive = actual.reduce((sum, value, k) => sum + Math.abs(value - values[values.length - 18 + k]!) / 6, 0);
    expect(error).toBeLessThan(0.6 * naive);
    expect(times![0]!.toISOString().slice(0, 7)).toBe(
      new Date(Date.UTC(2010, values.length - 6, 1)).toISOString().slice(0, 7),
    );
  });
});

it('the paths of a series do not depend on other series, and are not those of other series', async () => {
  const values = Float64Array.from({ length: 40 }, (_, t) => 10 + Math.sin(t));
  const many = Array.from({ length: 40 }, (_, i): Series => ({ name: `s${i}`, values }));
  const options = { horizon: 3, hiddenSize: 4, mode: 'autoregressive', members: 2 } as const;
  const fitted = await fitForecaster(forecaster(options), many.slice(0, 2), quick);
  const pathsOf = (series: readonly Series[]) => forecast(fitted, series, { paths: 30 }).map(({ paths }) => paths!);
  const together = pathsOf(many);
  expect(pathsOf([...many].reverse()).reverse()).toEqual(together);
  expect(pathsOf([many[7]!])).toEqual([together[7]]);
  // All series have the same values, so equal paths would come from equal random numbers.
  expect(new Set(together.flat().map((path) => path.join())).size).toBe(40 * 30);
  expect(forecast(fitted, [many[7]!], { paths: 30, seed: 1 })[0]!.paths).not.toEqual(together[7]);
});

it('counts have nonnegative integer quantiles, and paths of integers', async () => {
  const random = createRandom(5);
  const values = Array.from({ length: 90 }, (_, t) =>
    Math.max(0, Math.round(2 + 2 * Math.sin(t) + normalNumber(random))),
  );
  const series = [{ name: 'counts', values }];
  for (const mode of ['direct', 'autoregressive'] as const) {
    const options = { horizon: 4, mode, distribution: negativeBinomial(), hiddenSize: 8 };
    const [next] = forecast(await fitForecaster(forecaster(options), series, quick), series, { paths: 20 });
    const all = mode === 'direct' ? next!.quantiles.flat() : next!.paths!.flat();
    for (const value of all) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(Math.abs(value - Math.round(value))).toBeLessThan(1e-6);
    }
    if (mode === 'autoregressive') expect(next!.paths).toHaveLength(20);
  }
});

it('missing values change neither the training nor the forecast, whatever they are', async () => {
  const { values } = several[0]!;
  const mask = Array.from(values, (_, t) => (t % 11 === 5 ? 0 : 1));
  const results: Forecast[][] = [];
  for (const filler of [NaN, 0, 1e9]) {
    const series = [{ name: 'a', values: Array.from(values, (v, t) => (mask[t] === 0 ? filler : v)), mask }];
    const fitted = await fitForecaster(forecaster({ horizon: 3, hiddenSize: 8 }), series, { steps: 10 });
    results.push(forecast(fitted, series));
  }
  expect(difference(results[0]!, results[1]!)).toBe(0);
  expect(difference(results[0]!, results[2]!)).toBe(0);
});

it('the scaling does not depend on the validation steps', async () => {
  const values = Array.from({ length: 80 }, (_, t) => (t < 60 ? 5 + Math.sin(t) : 1000 + t));
  const options = { steps: 5, validation: 20, retrain: false };
  const fitted = await fitForecaster(forecaster({ horizon: 4, scaling: 'standard' }), [{ name: 'a', values }], options);
  expect(fitted.scalers['a']!.offset).toBeLessThan(6);
});

it('the Box–Cox transformation has the exponent of SciPy, from 0 to 1', () => {
  const scalerOf = (values: readonly number[]) => fitValueScaler('a', 'boxCox', Float64Array.from(values));
  const waves = (of: (t: number) => number) => Array.from({ length: 24 }, (_, t) => of(t));
  // scipy.stats.boxcox_normmax(values, method='mle')
  const first = scalerOf(waves((t) => (1 + 0.05 * t + 0.3 * Math.sin(1.7 * t)) ** 2.5));
  expect(first.power).toBeCloseTo(0.2304866, 5);
  expect(first.offset).toBeCloseTo(1.2738205, 4);
  expect(first.scale).toBeCloseTo(0.8418602, 4);
  expect(scalerOf(waves((t) => 2 + Math.sin(1.7 * t))).power).toBeCloseTo(0.6606915, 5);
  expect(scalerOf(waves((t) => Math.exp(2 * Math.sin(1.7 * t) ** 3))).power).toBe(0);
  for (const value of [0.01, 1, 30]) expect(unscaleValue(first, scaleValue(first, value))).toBeCloseTo(value, 10);
  // Below the range of the transformation.
  expect(unscaleValue(first, -50)).toBe(0);
});

it.each([
  ['standard', 3],
  ['log', 3],
  ['boxCox', 3],
  ['mean', 0],
] as const)(
  'with scaling %s, a series is scaled as a whole if its training part has no scale',
  async (scaling, early) => {
    const random = createRandom(4);
    const later = Float64Array.from({ length: 80 }, (_, t) => (t < 60 ? early : 6 + Math.abs(normalNumber(random))));
    const missing = { name: 'c', values: later, mask: later.map((_, t) => (t < 60 ? 0 : 1)) };
    const series = [{ name: 'a', values: several[0]!.values }, { name: 'b', values: later }, missing];
    const fit = async (validation: number): Promise<FittedForecaster> =>
      fitForecaster(forecaster({ horizon: 4, scaling, hiddenSize: 4 }), series, {
        steps: 5,
        validation,
        retrain: false,
      });
    const [with20, without] = [await fit(20), await fit(0)];
    for (const name of ['b', 'c']) expect(with20.scalers[name]).toEqual(without.scalers[name]);
    expect(with20.scalers['a']).not.toEqual(without.scalers['a']);
    for (const { median } of forecast(with20, series)) for (const value of median) expect(value).not.toBeNaN();
  },
);

it.each([
  ['boxCox', [0.3, 0.1 + 0.2]],
  ['boxCox', [3e9, 3e9 * (1 + 2 ** -51)]],
  ['log', [1e16, 1e16 + 2]],
  ['log', [1, 1 + 2 ** -52]],
  ['standard', [1e-200, 2e-200]],
  ['mean', [0, -0]],
] as const)('with scaling %s, values whose deviation is rounded to 0 are constant', (scaling, [a, b]) => {
  const values = Float64Array.from({ length: 40 }, (_, t) => (t % 2 ? a : b));
  const message = `a: is constant, ${b}, so it has no scale. Remove it, or set scaling: 'none'.`;
  expect(() => fitValueScaler('a', scaling, values)).toThrow(message);
  // Later values have a scale.
  values[39] = 5;
  expect(fitValueScaler('a', scaling, values, 30)).toEqual(fitValueScaler('a', scaling, values));
  expect(fitValueScaler('a', scaling, values, 30).scale).toBeGreaterThan(0);
});

it('a series that was not in the training is scaled by its history', async () => {
  const fitted = await fitForecaster(forecaster({ horizon: 3 }), [{ name: 'a', values: several[0]!.values }], quick);
  const large = Array.from(several[0]!.values, (value) => 1000 * value);
  const [next] = forecast(fitted, [{ name: 'new', values: large }]);
  for (const value of next!.median) expect(value).toBeGreaterThan(20_000);
});

it.each(['constructor', 'toString', '__proto__'])('series, columns and methods can have the name %s', async (name) => {
  const { values } = several[0]!;
  const options = forecaster({ horizon: 3, hiddenSize: 4 });
  // As a series that was not in the training.
  const fitted = await fitForecaster(options, [{ name: 'a', values }], quick);
  expect(forecast(fitted, [{ name, values }])[0]!.median).toEqual(forecast(fitted, [{ name: 'b', values }])[0]!.median);
  // As a series of the training, and the name of columns.
  const create = (key: string, of: string): Series[] => [
    {
      name: of,
      values,
      past: { [key]: values },
      future: { [`${key}2`]: Float64Array.from({ length: values.length + 3 }, (_, t) => t % 5) },
      static: { [`${key}3`]: 2, [`${key}4`]: 'x' },
    },
  ];
  const train = async (series: Series[]): Promise<Forecast> => {
    const file = saveForecaster(await fitForecaster(options, series, quick));
    return forecast(loadForecaster(file), series)[0]!;
  };
  const named = await train(create(name, name));
  expect(named.median).toEqual((await train(create('price', 'c'))).median);
  // As a method.
  const { scores } = await backtest([{ name, values }], { horizon: 3, methods: { [name]: drift() } });
  expect(scores[name]!.bySeries[name]!.mae).toBe(scores[name]!.overall.mae);
});

it('the calibration stretches intervals that are too narrow', async () => {
  const random = createRandom(2);
  const values = Array.from({ length: 300 }, () => 100 + 10 * normalNumber(random));
  const fitted = await fitForecaster(forecaster({ horizon: 5, distribution: point() }), [{ name: 'a', values }], {
    steps: 150,
  });
  const [next] = forecast(fitted, [{ name: 'a', values }], { levels: [0.1, 0.5, 0.9] });
  // The interval of 80 % of the noise has a width of 25.6.
  for (const [low, , high] of next!.quantiles) {
    expect(high! - low!).toBeGreaterThan(19);
    expect(high! - low!).toBeLessThan(36);
  }
});

it('rows of a table become series, in any mix of series, with rows to forecast and gaps', () => {
  const rows = [
    { shop: 'a', day: '2024-02-28', sold: '3', price: '1.5' },
    { shop: 'b', day: '2024-02-29', sold: '7', price: '2' },
    { shop: 'a', day: '2024-02-29', sold: ' ', price: '1.5' },
    { shop: 'a', day: '2024-03-01', sold: '5', price: '1.6' },
    { shop: 'b', day: '2024-03-02', sold: '8', price: '2.5' },
    { shop: 'a', day: '2024-03-02', sold: '', price: '1.7' },
  ];
  const options = { time: 'day', value: 'sold', series: 'shop', future: ['price'], frequency: 'day' as const };
  const [a, b] = seriesFromRows(rows, { ...options, missing: 'mask' });
  expect(Array.from(a!.values)).toEqual([3, NaN, 5]);
  expect(Array.from(a!.mask!)).toEqual([1, 0, 1]);
  expect(Array.from(a!.future!['price']!)).toEqual([1.5, 1.5, 1.6, 1.7]);
  // B has no row for 1 March.
  expect(Array.from(b!.values)).toEqual([7, NaN, 8]);
  expect(Array.from(b!.future!['price']!)).toEqual([2, 2, 2.5]);
  const [, withPast] = seriesFromRows(rows, { ...options, missing: 'mask', past: ['price'], future: [] });
  expect(Array.from(withPast!.past!['price']!)).toEqual([2, 2, 2.5]);
  // Null, undefined and NaN are empty cells. All rows of a series can be rows to forecast.
  const empty = [null, undefined, NaN].map((sold, i) => ({ ...rows[0]!, day: `2024-03-0${3 + i}`, sold }));
  const gaps = seriesFromRows([rows[0]!, ...empty, { ...rows[0]!, day: '2024-03-06' }], {
    ...options,
    missing: 'mask',
  });
  expect(gaps[0]!.values.length).toBe(8);
  expect(Array.from(gaps[0]!.mask!)).toEqual([1, 0, 0, 0, 0, 0, 0, 1]);
  const [ahead] = seriesFromRows([...empty, { ...rows[1]! }], options);
  expect([ahead!.values.length, ahead!.future!['price']!.length]).toEqual([0, 3]);
  // A row without the column has a member of its name: the constructor of objects.
  const results: Readonly<Record<string, unknown>>[] = [
    { day: '2024-02-28', constructor: '3' },
    { day: '2024-02-29' },
    { day: '2024-03-01', constructor: '5' },
  ];
  const columns = { time: 'day', value: 'constructor', frequency: 'day', missing: 'mask' } as const;
  expect(Array.from(seriesFromRows(results, columns)[0]!.values)).toEqual([3, NaN, 5]);
  expect(() => seriesFromRows(rows, options)).toThrow(
    /^seriesFromRows: series a, column sold, row 2: must be a number, got nothing\. Use missing: 'mask'/,
  );
});

it.each([
  ['month', 24, ['year']],
  ['month', 23, []],
  ['2 months', 12, ['year']],
  ['quarter', 8, ['year']],
  ['quarter', 7, []],
  ['6 months', 4, ['year']],
  ['year', 50, []],
  ['week', 104, []],
  ['week', 105, ['year']],
  ['day', 14, ['week']],
  ['day', 730, ['week', 'year']],
  ['hour', 48, ['day']],
  ['30 minutes', 672, ['day', 'week']],
] as const)(
  'a series of frequency %s and %d steps has a calendar feature per cycle that it contains at least twice',
  (frequency, N, cycles) => {
    expect(cyclesOf(frequency, N)).toEqual(cycles);
  },
);

it.each([
  ['24 hours', [7]],
  ['1440 minutes', [7]],
  ['60 minutes', [24]],
  ['48 hours', []],
  ['7 days', [52]],
  ['168 hours', [52]],
  ['14 days', [26]],
  ['5 days', []],
] as const)('the season of the frequency %s is %j', (frequency, seasons) => {
  expect(forecaster({ horizon: 2, frequency }).seasons).toEqual(seasons);
});

describe('times of text without a zone are UTC', () => {
  const zone = process.env['TZ'];
  afterEach(() => {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  });

  // At 2:30 on 10 March 2024, the clocks of New York did not exist.
  it.each([
    ['2024-03-10', '2024-03-10T00:00:00.000Z'],
    ['2024-03', '2024-03-01T00:00:00.000Z'],
    ['2024-03-10 02:30', '2024-03-10T02:30:00.000Z'],
    ['2024-03-10 2:30', '2024-03-10T02:30:00.000Z'],
    ['2024-03-10T02:30:15', '2024-03-10T02:30:15.000Z'],
    ['2024-03-10 02:30:15.25', '2024-03-10T02:30:15.250Z'],
    ['2024-03-10T02:30Z', '2024-03-10T02:30:00.000Z'],
    ['2024-03-10 02:30:00+01:00', '2024-03-10T01:30:00.000Z'],
    ['2024-03-10T2:30-04:30', '2024-03-10T07:00:00.000Z'],
  ])('%s', (time, expected) => {
    for (const name of ['America/New_York', 'Asia/Kolkata', 'UTC']) {
      process.env['TZ'] = name;
      const [series] = seriesFromRows([{ time, value: 1 }], { time: 'time', value: 'value', frequency: 'hour' });
      expect((series!.start as Date).toISOString(), name).toBe(expected);
    }
  });
});
