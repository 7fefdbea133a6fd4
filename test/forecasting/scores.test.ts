/** Scores, tables and charts of backtests. */

import {
  type Backtest,
  backtest,
  backtestTable,
  drift,
  type FanChartOptions,
  type Forecast,
  fanChart,
  type Method,
  meanForecast,
  type Scores,
  type Series,
  seasonalNaive,
} from 'bptt/forecasting';
import { describe, expect, it } from 'vitest';
import { errorScale, errorsOf, scoresOf } from '../../src/forecasting/scores';
import { golden } from '../golden/read';

interface Part {
  readonly training: readonly (number | null)[];
  readonly targets: readonly (number | null)[];
  readonly metrics: {
    readonly mae: number;
    readonly rmse: number;
    readonly mase: number;
    readonly rmsse: number;
    readonly smape: number;
    readonly pinball: readonly number[];
    readonly coverage80: number;
  };
}

interface Golden {
  readonly season: number;
  readonly levels: readonly number[];
  readonly points: readonly number[];
  readonly quantiles: readonly (readonly number[])[];
  readonly complete: Part;
  readonly missing: Part;
}

const expected = golden<Golden>('forecasting/metrics');

describe('scores equal those of NumPy', () => {
  it.each(['complete', 'missing'] as const)('%s', (part) => {
    const { season, levels, points, quantiles } = expected;
    const { training, targets, metrics } = expected[part];
    const values = training.map((value) => value ?? NaN);
    const scale = errorScale(
      values,
      training.map((value) => (value === null ? 0 : 1)),
      season,
    );
    const rows = points.map((_, k) => quantiles.map((row) => row[k]!));
    const forecast = { name: 'a', times: undefined, levels, quantiles: rows, median: points };
    const errors = targets.flatMap((target, k) => (target === null ? [] : [errorsOf(forecast, k, target, scale)]));
    const scores = scoresOf(errors);
    for (const name of ['mae', 'rmse', 'mase', 'rmsse', 'smape'] as const)
      expect(scores[name], name).toBeCloseTo(metrics[name], 9);
    const pinball = metrics.pinball.reduce((sum, value) => sum + value, 0) / levels.length;
    expect(scores.crps).toBeCloseTo(2 * pinball, 9);
    expect(scores.pinball).toBeCloseTo(pinball / scale.absolute, 9);
    expect(scores.coverage).toBeCloseTo(metrics.coverage80, 9);
  });
});

const values = Array.from({ length: 60 }, (_, t) => t + [0, 5, -5][t % 3]!);
const series: readonly Series[] = [
  { name: 'a', values, mask: values.map((_, t) => (t === 58 ? 0 : 1)) },
  { name: 'b', values: values.map((value) => 100 * value) },
];

it('backtests use no value after the origin', async () => {
  const seen: (number | undefined)[][] = [];
  const method: Method = async (training, task) => {
    const naive = await seasonalNaive()(training, task);
    return (histories) => {
      for (const { values, mask, past, future } of histories)
        seen.push([values, mask, past?.['p'], future?.['f']].map((column) => column?.length));
      return naive(histories);
    };
  };
  const all = series.map((each) => ({ ...each, past: { p: values }, future: { f: [...values, 1, 2] } }));
  const result = await backtest(all, { methods: { method }, horizon: 4, season: 3, origins: 3, stride: 5 });
  // Future covariates end with the horizon.
  expect(seen).toEqual([
    [46, 46, 46, 50],
    [46, undefined, 46, 50],
    [51, 51, 51, 55],
    [51, undefined, 51, 55],
    [56, 56, 56, 60],
    [56, undefined, 56, 60],
  ]);
  expect(result.forecasts.map(({ origin }) => origin)).toEqual([46, 46, 51, 51, 56, 56]);
  // One target of the series a is missing.
  expect(result.scores['method']!.overall.count).toBe(23);
  expect(result.scores['method']!.bySeries['a']!.count).toBe(11);
  expect(result.scores['method']!.byStep.map(({ count }) => count)).toEqual([6, 6, 5, 6]);
});

it('scores of forecasts that are NaN are NaN, and last in the table', async () => {
  const broken =
    (inMedian: boolean): Method =>
    async (training, task) => {
      const naive = await seasonalNaive()(training, task);
      return (histories) =>
        naive(histories).map((each) => ({
          ...each,
          quantiles: each.quantiles.map((row, k) => (k < 2 ? row.map(() => NaN) : row)),
          median: each.median.map((value, k) => (inMedian && k < 2 ? NaN : value)),
        }));
    };
  const methods = { broken: broken(true), quantiles: broken(false), naive: seasonalNaive(), drift: drift() };
  const { scores, ...rest } = await backtest(series, { methods, horizon: 4, season: 3, origins: 2 });
  const all = scores['broken']!.overall;
  expect(all.count).toBe(15);
  const names = ['mae', 'rmse', 'mase', 'rmsse', 'smape', 'pinball', 'crps', 'coverage'] as const;
  for (const name of names) expect(all[name], name).toBeNaN();
  const [first, , third] = scores['broken']!.byStep;
  expect([first!.mae, first!.mase, first!.coverage]).toEqual([NaN, NaN, NaN]);
  expect(third).toEqual(scores['naive']!.byStep[2]);
  const { pinball, crps, coverage, ...ofMedian } = scores['quantiles']!.overall;
  expect([pinball, crps, coverage]).toEqual([NaN, NaN, NaN]);
  expect(scores['naive']!.overall).toMatchObject(ofMedian);
  const lines = backtestTable({ scores, ...rest }).split('\n');
  expect(lines[2]).toMatch(/^\| (naive|quantiles)/);
  expect(lines[5]).toMatch(/^\| broken .* NaN .* – \|$/);
  // JSON has no NaN.
  expect(backtestTable(JSON.parse(JSON.stringify({ scores, ...rest }))).split('\n')).toEqual(lines);
});

it('values without an error scale count only in the scores that are not scaled', async () => {
  const constant: Series = { name: 'b', values: values.map((_, t) => (t < 56 ? 3 : 5)) };
  const both = await backtest([series[0]!, constant], { methods: { drift: drift() }, horizon: 4, season: 3 });
  const { overall, bySeries } = both.scores['drift']!;
  expect(bySeries['b']).toMatchObject({ mae: 2, rmse: 2, mase: NaN, rmsse: NaN, pinball: NaN, count: 4 });
  const { mase, rmsse, pinball, mae } = bySeries['a']!;
  expect(overall).toMatchObject({ mase, rmsse, pinball, count: 7 });
  expect(overall.mae).toBeCloseTo((3 * mae + 4 * 2) / 7, 9);
});

it('missing values of the history do not count in the error scale', async () => {
  const values = [1, 2, 3, 1000, 5, 6, 7, 8];
  const masked = { name: 'a', values, mask: values.map((value) => Number(value < 1000)) };
  // The history has no season of 12 steps.
  for (const season of [1, 12]) {
    const { scores } = await backtest([masked], { methods: { naive: seasonalNaive() }, horizon: 1, season });
    // The forecast 7 of 8 is wrong by 1, as those of the other neighbors.
    expect(scores['naive']!.overall).toMatchObject({ mase: 1, rmsse: 1 });
  }
});

it('a history without a whole season before its last value has the error scale of neighbors', () => {
  expect(errorScale([1, 3, 7], undefined, 3)).toEqual({ absolute: 3, squared: 10 });
  expect(errorScale([1, 3, 7, 2], undefined, 3)).toEqual({ absolute: 1, squared: 1 });
});

it('the limits of the interval belong to it', () => {
  const forecast = { name: 'a', times: undefined, levels: [0.1, 0.5, 0.9], quantiles: [[2, 4, 7]], median: [4] };
  const covered = [1.9, 2, 7, 7.1].map((value) => errorsOf(forecast, 0, value, { absolute: 1, squared: 1 }).covered);
  expect(covered).toEqual([0, 1, 1, 0]);
});

it('the table has the best method first, and rows per step and per series', async () => {
  const methods = { mean: meanForecast(), naive: seasonalNaive(), drift: drift() };
  const result = await backtest(series, { methods, horizon: 3, season: 3, origins: 2 });
  const lines = backtestTable(result).split('\n');
  expect(lines).toHaveLength(5);
  expect(lines[2]).toMatch(/^\| naive/);
  expect(lines[4]).toMatch(/^\| mean/);
  expect(new Set(lines.map((line) => line.length)).size).toBe(1);
  expect(backtestTable(result, { by: 'step' }).split('\n')).toHaveLength(2 + 3 * 3);
  expect(backtestTable(result, { by: 'series' })).toMatch(/\| naive +\| b /);
});

it('the table has the numbers of steps, and four digits or the integer part of errors', () => {
  const scores = { rmse: 12.3456, mase: 0.5, rmsse: 1.2346, smape: 12.34, pinball: 0.12346, crps: 1000, coverage: 0.8 };
  const step = (mae: number): Scores => ({ ...scores, mae, count: 1 });
  const method = { overall: step(0), byStep: [step(999.44), step(12_345.6)], bySeries: {} };
  const lines = backtestTable({ scores: { a: method } } as unknown as Backtest, { by: 'step' }).split('\n');
  expect(lines.slice(2)).toEqual([
    '| a      | 1    | 999.4 | 12.35 | 0.500 | 1.235 | 12.3 % |  0.1235 | 1000 |    80 % |',
    '| a      | 2    | 12346 | 12.35 | 0.500 | 1.235 | 12.3 % |  0.1235 | 1000 |    80 % |',
  ]);
});

it('the fan chart has its points at the right places', () => {
  const levels = [0.1, 0.5, 0.9];
  const quantiles = [
    [3, 5, 9],
    [1, 7, 10],
  ];
  const forecast: Forecast = { name: 'a', times: undefined, levels, quantiles, median: [5, 7] };
  const values = { name: 'a', values: [100, 4, 50, 2, 6], mask: [1, 1, 0, 1, 1] };
  // The plot has 100 pixels in both directions, for the steps 1 to 6 and the values 1 to 10.
  const options = { intervals: [0.4, 0.8], history: 4, actual: [NaN, 8], width: 176, height: 176 };
  const svg = fanChart(values, forecast, options);
  expect(Array.from(svg.matchAll(/<path d="([^"]*)"/g), ([, path]) => path)).toEqual([
    'M120.0 84.4L140.0 51.1L160.0 40.0L160.0 140.0L140.0 117.8Z',
    'M120.0 84.4L140.0 73.3L160.0 56.7L160.0 106.7L140.0 106.7Z',
    'M60.0 106.7L100.0 128.9L120.0 84.4',
    'M120.0 84.4L140.0 95.6L160.0 73.3',
    'M160.0 62.2',
  ]);
  const labelsOf = (chart: string, anchors: string): string[] =>
    Array.from(chart.matchAll(/<text x="([^"]*)" y="([^"]*)" text-anchor="(\w+)"[^>]*>([^<]*)</g), (match) =>
      match.slice(1).join(' '),
    ).filter((label) => label.includes(anchors));
  expect(labelsOf(svg, 'end')).toEqual([
    '54 128.9 end 2',
    '54 106.7 end 4',
    '54 84.4 end 6',
    '54 62.2 end 8',
    '54 40.0 end 10',
    '160.0 158 end 6',
  ]);
  expect(labelsOf(svg, '158')).toEqual([
    '60.0 158 start 1',
    '80.0 158 middle 2',
    '120.0 158 middle 4',
    '140.0 158 middle 5',
    '160.0 158 end 6',
  ]);
  const timesOf = (start: string, times: readonly string[]): (string | undefined)[] =>
    labelsOf(
      fanChart({ ...values, start }, { ...forecast, times: times.map((time) => new Date(time)) }, options),
      ' 158 ',
    ).map((label) => /\w+ \d+ \w+ (.*)/.exec(label)?.[1]);
  expect(timesOf('2024-01-01', ['2024-01-06', '2024-01-07'])).toEqual(
    ['02', '03', '05', '06', '07'].map((day) => `2024-01-${day}`),
  );
  expect(timesOf('2024-01-01T00:00', ['2024-01-01T05:00Z', '2024-01-01T06:00Z'])).toEqual(
    ['01', '02', '04', '05', '06'].map((hour) => `01-01 ${hour}:00`),
  );
});

it('the fan chart draws 40 values, or four horizons; without one, the fan starts at the forecast', () => {
  const forecastOf = (h: number): Forecast => {
    const median = Array.from({ length: h }, (_, k) => 5 + 2 * k);
    return { name: 'a', times: undefined, levels: [0.5], quantiles: median.map((value) => [value]), median };
  };
  const pathsOf = (...args: Parameters<typeof fanChart>): string[] =>
    Array.from(fanChart(...args).matchAll(/<path d="([^"]*)"/g), ([, path]) => path!);
  for (const [h, points] of [
    [2, 40],
    [20, 80],
  ] as const)
    expect(pathsOf({ name: 'a', values: new Float64Array(100) }, forecastOf(h))[0]!.split('L')).toHaveLength(points);
  const missing = { name: 'a', values: [1, 2, 3, 4, 5], mask: [1, 1, 0, 0, 0] };
  expect(pathsOf(missing, forecastOf(2), { history: 3, width: 176, height: 176 })).toEqual([
    'M135.0 140.0L135.0 140.0L160.0 40.0',
  ]);
});

it('the fan chart draws the values, nested bands, the median, and later values', async () => {
  const [forecast] = (
    await drift()([], { horizon: 5, season: 1, frequency: 'day', levels: [0.05, 0.1, 0.5, 0.9, 0.95] })
  )([{ name: 'a & b', values, start: '2024-02-01' }]);
  const svg = fanChart({ name: 'a & b', values, start: '2024-02-01' }, forecast!, { actual: [61, 62, 63] });
  expect(svg).toContain('<title>a &amp; b</title>');
  expect(svg.match(/fill-opacity="0\.20"/g)).toHaveLength(3);
  expect(svg.match(/<path [^>]*fill="none"/g)).toHaveLength(3);
  expect(svg).toMatch(/>2024-0\d-\d\d</);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});

it('the table escapes vertical bars in names', async () => {
  const named = [{ ...series[0]!, name: 'a|b' }];
  const result = await backtest(named, { methods: { 'x|y': drift() }, horizon: 3 });
  expect(backtestTable(result, { by: 'series' }).split('\n')[2]).toMatch(/^\| x\\\|y +\| a\\\|b +\| /);
});

it('the fan chart of a forecast that was stored as JSON is the same', async () => {
  const dated = { ...series[0]!, start: '2024-01-01' };
  const task = { horizon: 3, season: 1, frequency: 'day', levels: [0.1, 0.5, 0.9] } as const;
  const [forecast] = (await drift()([], task))([dated]);
  const restored: Forecast = JSON.parse(JSON.stringify(forecast));
  expect(fanChart(dated, restored)).toBe(fanChart(dated, forecast!));
  expect(() => fanChart(dated, { ...forecast!, times: [] })).not.toThrow();
  const wrong = { ...restored, times: ['soon', 'later', 'last'] as never };
  expect(() => fanChart(dated, wrong)).toThrow('fanChart: forecast.times[0] must be a Date, milliseconds or');
});

it('the fan chart names itself if the start of the series is not a time', async () => {
  const [each] = series;
  const task = { horizon: 3, season: 1, frequency: 'day', levels: [0.1, 0.5, 0.9] } as const;
  const [forecast] = (await drift()([], task))([{ ...each!, start: '2024-01-01' }]);
  expect(() => fanChart({ ...each!, start: 'today' }, forecast!)).toThrow('fanChart: series.start must be a Date,');
});

describe('an interval that is wider than the levels', () => {
  const narrow = [0.2, 0.5, 0.8];

  it('is not drawn by default, and rejected as an option', async () => {
    const task = { horizon: 5, season: 1, frequency: undefined, levels: narrow };
    const [forecast] = (await drift()([], task))(series.slice(1));
    const bands = (options?: FanChartOptions): number =>
      fanChart(series[1]!, forecast!, options).match(/fill-opacity/g)?.length ?? 0;
    expect(bands()).toBe(1);
    expect(bands({ intervals: [0.3, 0.6] })).toBe(2);
    expect(() => bands({ intervals: [0.5, 0.8] })).toThrow(
      'fanChart: intervals must be inside the levels of the forecast, 0.2, 0.5, 0.8, got 0.8. ' +
        'It needs the levels 0.1 and 0.9.',
    );
  });

  it('has no coverage', async () => {
    const options = { methods: { drift: drift() }, horizon: 3, season: 3 };
    const scoresWith = async (levels: readonly number[]): Promise<Scores> =>
      (await backtest(series, { ...options, levels })).scores['drift']!.overall;
    const [wide, less] = [await scoresWith([0.1, 0.5, 0.9]), await scoresWith(narrow)];
    expect(wide.coverage).toBeGreaterThan(0);
    expect(less).toMatchObject({ coverage: NaN, mae: wide.mae, count: wide.count });
  });
});
