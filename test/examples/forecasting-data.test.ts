/** The series of examples/forecasting/data, and the reference figures of R for them. */

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readSet } from '../../examples/forecasting/sets';
import { readTable } from '../../examples/table';
import { golden } from '../golden/read';

interface SeriesSet {
  readonly file: string;
  readonly series: string | null;
  readonly time: string;
  readonly value: string;
  readonly static?: string;
  readonly frequency: 'month' | 'week' | 'day' | 'half-hour';
  readonly season: number;
  readonly horizon: number;
  readonly origins: number;
  readonly stride: number;
}

interface Series {
  readonly name: string;
  readonly times: readonly string[];
  readonly values: readonly number[];
}

interface Accuracy {
  readonly mase: number;
  readonly smape: number;
  readonly rmse: number;
}

type Naive = 'seasonalNaive' | 'drift' | 'mean';

interface PeriodReference {
  readonly windows: number;
  readonly methods: Readonly<Record<Naive | 'ets', Accuracy>>;
}

interface Reference extends PeriodReference {
  readonly series: number;
  /** The same for windows that end before the first target of the others. */
  readonly earlier: PeriodReference;
  readonly last: { readonly origin: number; readonly forecasts: Readonly<Record<Naive, readonly number[]>> };
}

interface MetricsCase {
  readonly training: readonly (number | null)[];
  readonly targets: readonly (number | null)[];
  readonly metrics: Accuracy;
}

interface MetricsFile {
  readonly season: number;
  readonly points: readonly number[];
  readonly complete: MetricsCase;
  readonly missing: MetricsCase;
}

const folder = new URL('../../examples/forecasting/data/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
const { sets } = JSON.parse(read('protocol.json')) as { sets: Record<string, SeriesSet> };

const parse = (name: string): ReturnType<typeof readTable> => readTable(new URL(name, folder));

function readSeries(set: SeriesSet): Series[] {
  const series = new Map<string, { name: string; times: string[]; values: number[] }>();
  for (const row of parse(set.file)) {
    const name = set.series === null ? '' : row[set.series]!;
    if (!series.has(name)) series.set(name, { name, times: [], values: [] });
    const own = series.get(name)!;
    own.times.push(row[set.time]!);
    own.values.push(row[set.value] === '' ? NaN : Number(row[set.value]));
  }
  return [...series.values()];
}

function next(time: string, frequency: SeriesSet['frequency']): string {
  const date = new Date(time.includes('T') ? `${time}Z` : time);
  if (frequency === 'month') date.setUTCMonth(date.getUTCMonth() + 1);
  if (frequency === 'week') date.setUTCDate(date.getUTCDate() + 7);
  if (frequency === 'day') date.setUTCDate(date.getUTCDate() + 1);
  if (frequency === 'half-hour') date.setUTCMinutes(date.getUTCMinutes() + 30);
  return date.toISOString().slice(0, time.length);
}

const observed = (values: readonly number[]): number[] => values.filter((value) => !Number.isNaN(value));
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const forecasts: Readonly<Record<Naive, (train: readonly number[], set: SeriesSet) => number[]>> = {
  seasonalNaive: (train, { season, horizon }) =>
    Array.from({ length: horizon }, (_, h) => {
      let i = train.length + h - season;
      while (i >= train.length || Number.isNaN(train[i])) i -= season;
      return train[i]!;
    }),
  drift: (train, { horizon }) => {
    const first = train.findIndex((value) => !Number.isNaN(value));
    const last = train.length - 1 - [...train].reverse().findIndex((value) => !Number.isNaN(value));
    const slope = (train[last]! - train[first]!) / (last - first);
    return Array.from({ length: horizon }, (_, h) => train[last]! + slope * (train.length + h - last));
  },
  mean: (train, { horizon }) => Array.from({ length: horizon }, () => mean(observed(train))),
};

/** The mean error of the seasonal naive forecast in the training part. */
const scaleOf = (train: readonly number[], season: number): number =>
  mean(observed(train.slice(season).map((value, t) => Math.abs(value - train[t]!))));

function score(
  train: readonly number[],
  actual: readonly number[],
  forecast: readonly number[],
  season: number,
): Accuracy {
  const errors = observed(actual.map((value, h) => Math.abs(value - forecast[h]!)));
  const relative = actual.map((value, h) =>
    value === forecast[h] ? 0 : (200 * Math.abs(value - forecast[h]!)) / (Math.abs(value) + Math.abs(forecast[h]!)),
  );
  return {
    mase: mean(errors) / scaleOf(train, season),
    smape: mean(observed(relative)),
    rmse: Math.sqrt(mean(errors.map((error) => error * error))),
  };
}

function average(scores: readonly Accuracy[]): Accuracy {
  return {
    mase: mean(scores.map(({ mase }) => mase)),
    smape: mean(scores.map(({ smape }) => smape)),
    rmse: mean(scores.map(({ rmse }) => rmse)),
  };
}

/** Numbers of training observations of the rolling origins that have a target, and a scale other than 0. */
function origins({ values }: Series, { horizon, origins, stride, season }: SeriesSet): number[] {
  const last = values.length - horizon;
  return Array.from({ length: origins }, (_, i) => last - (origins - 1 - i) * stride).filter(
    (origin) =>
      observed(values.slice(origin, origin + horizon)).length > 0 && scaleOf(values.slice(0, origin), season) > 0,
  );
}

function backtest(series: Series, set: SeriesSet, method: Naive): Accuracy {
  return average(
    origins(series, set).map((origin) => {
      const train = series.values.slice(0, origin);
      const actual = series.values.slice(origin, origin + set.horizon);
      return score(train, actual, forecasts[method](train, set), set.season);
    }),
  );
}

describe.each(Object.entries(sets))('%s', (name, set) => {
  const series = readSeries(set);
  const reference = golden<Reference>(`forecasting/${name}`);

  it('has regular, increasing time stamps and finite values', () => {
    for (const { times, values } of series) {
      expect(times.slice(1)).toEqual(times.slice(0, -1).map((time) => next(time, set.frequency)));
      expect(values.every((value) => Number.isFinite(value) || name === 'carbon-dioxide-weekly')).toBe(true);
    }
  });

  it('leaves two seasons of training data before the first origin', () => {
    for (const one of series) expect(origins(one, set)[0]).toBeGreaterThanOrEqual(2 * set.season);
  });

  it.each(['seasonalNaive', 'drift', 'mean'] as const)('%s has the accuracy that R reports', (method) => {
    const got = average(series.map((one) => backtest(one, set, method)));
    const expected = reference.methods[method];
    for (const metric of ['mase', 'smape', 'rmse'] as const)
      expect(Math.abs(got[metric] / expected[metric] - 1), metric).toBeLessThan(1e-8);
    const last = forecasts[method](series[0]!.values.slice(0, reference.last.origin), set);
    last.forEach((value, h) => {
      const wanted = reference.last.forecasts[method][h]!;
      expect(Math.abs(value - wanted)).toBeLessThan(1e-8 * Math.max(1, Math.abs(wanted)));
    });
  });

  it('has the number of series and windows of the reference', () => {
    expect(series.length).toBe(reference.series);
    expect(series.flatMap((one) => origins(one, set)).length).toBe(reference.windows);
  });

  it('ends before the first target in the earlier period, whose accuracy R reports', () => {
    const cut = set.horizon + (set.origins - 1) * set.stride;
    const shorter = series.map((one) => ({ ...one, values: one.values.slice(0, -cut) }));
    const valuesOf = (one: { readonly values: ArrayLike<number> }): number[] => Array.from(one.values);
    expect(readSet(name, 'earlier').series.map(valuesOf)).toEqual(shorter.map(valuesOf));
    expect(shorter.flatMap((one) => origins(one, set)).length).toBe(reference.earlier.windows);
    const used = shorter.filter((one) => origins(one, set).length > 0);
    for (const method of ['seasonalNaive', 'drift', 'mean'] as const) {
      const { mase } = average(used.map((one) => backtest(one, set, method)));
      expect(Math.abs(mase / reference.earlier.methods[method].mase - 1), method).toBeLessThan(1e-8);
    }
  });
});

it.each(Object.entries(sets).filter(([, set]) => set.static !== undefined))('%s has static features', (_, set) => {
  const names = parse(set.static!).map((row) => row['series']);
  expect(names).toEqual(readSeries(set).map(({ name }) => name));
});

it.each(['complete', 'missing'] as const)('the metrics agree with those of NumPy: %s', (name) => {
  const metrics = golden<MetricsFile>('forecasting/metrics');
  const { training, targets, metrics: expected } = metrics[name];
  const numbers = (values: readonly (number | null)[]): number[] => values.map((value) => value ?? NaN);
  const got = score(numbers(training), numbers(targets), metrics.points, metrics.season);
  for (const metric of ['mase', 'smape', 'rmse'] as const) expect(got[metric]).toBeCloseTo(expected[metric], 10);
});

it('the data are smaller than 1.5 MB', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.csv'));
  const size = files.reduce((sum, name) => sum + read(name).length, 0);
  expect(size).toBeGreaterThan(0.5e6);
  expect(size).toBeLessThan(1.5e6);
});
