/** The inputs of the network, on small series that can be computed by hand. */

import { createRandom, uniformNumber } from 'bptt';
import { forecaster } from 'bptt/forecasting';
import { describe, expect, it } from 'vitest';
import { type Cycle, calendarFeatures, calendarSize } from '../../src/forecasting/calendar';
import {
  appendValue,
  baseOf,
  emptyTrack,
  type FeaturePlan,
  inputSize,
  tailOf,
  writeInputs,
  writeRecent,
} from '../../src/forecasting/features';
import type { CheckedSeries } from '../../src/forecasting/series';
import { originsOf, prepare, windowsAt, windowsOf } from '../../src/forecasting/windows';

describe('calendar features are the sines and cosines of multiples of the phase', () => {
  it.each<[Cycle, string, number]>([
    ['day', '2024-05-03T00:00Z', 0],
    ['day', '2024-05-03T06:00Z', 1 / 4],
    ['day', '2024-05-03T16:00Z', 2 / 3],
    // A Monday, and the noon of a Thursday.
    ['week', '2024-01-01T00:00Z', 0],
    ['week', '2024-01-04T12:00Z', 1 / 2],
    ['week', '1969-12-30T00:00Z', 1 / 7],
    ['year', '2024-01-01T00:00Z', 0],
    ['year', '2024-07-02T00:00Z', 183 / 366],
    ['year', '2023-03-15T12:00Z', 73.5 / 365],
  ])('%s at %s', (cycle, time, phase) => {
    const features = calendarFeatures(Date.parse(time), [cycle]);
    expect(features).toHaveLength({ day: 6, week: 6, year: 4 }[cycle]);
    expect(calendarSize([cycle])).toBe(features.length);
    features.forEach((feature, i) => {
      const angle = 2 * Math.PI * phase * (1 + Math.floor(i / 2));
      expect(feature).toBeCloseTo(i % 2 === 0 ? Math.sin(angle) : Math.cos(angle), 9);
    });
  });
});

const numbers = forecaster({ horizon: 4, seasons: [2, 3], context: 3 });
const trackOf = (values: readonly number[], plan = numbers) => {
  const track = emptyTrack();
  for (const value of values) appendValue(track, plan, value);
  return track;
};
const planOf = (options: Partial<typeof numbers> = {}): FeaturePlan => ({
  forecaster: { ...numbers, ...options },
  schema: { past: ['load'], future: ['price'], numbers: ['size'], categories: {}, cycles: [] },
  covariates: { offset: [10, 20, 30], scale: [2, 4, 8] },
});
const inputsAt = (plan: FeaturePlan, t: number, origin: number, values = [1, 2, NaN, 4]): number[] => {
  const inputs = new Float32Array(inputSize(plan) + 1);
  const covariates = { past: [12], future: [28], numbers: [38], start: undefined };
  writeInputs(inputs, 1, plan, trackOf(values), t, origin, covariates);
  return [...inputs.subarray(1)];
};

describe('features of values', () => {
  const level = 7 / 3;

  it('a missing value is that of the season before, and the level is the mean of the last observed values', () => {
    const track = trackOf([NaN, 1, 2, NaN, 4, 6, 8]);
    // The seasons have 2 values, so the level is the mean of 4.
    expect(track).toEqual({
      offset: 0,
      filled: [0, 1, 2, 1, 4, 6, 8],
      observed: [0, 1, 1, 0, 1, 1, 1],
      levels: [0, 1, 1.5, 1.5, level, 4, 6],
    });
    // The value of the season before was missing, too.
    expect(trackOf([3, NaN, NaN, NaN]).filled).toEqual([3, 3, 3, 3]);
    // Without a season, it is the value before.
    expect(trackOf([3, 5, NaN], forecaster({ horizon: 4 })).filled).toEqual([3, 5, 5]);
  });

  it.each<[string, number, number, readonly number[], number[]]>([
    ['the next step', 4, 3, [1, 2, NaN, 4], [4 - level, 4 - 2, 1, 1 - level, 2 - level, 0, 0]],
    ['a later step of the horizon', 6, 3, [1, 2, NaN, 4], [0, 0, 0, 1 - level, 4 - level, 2 / 4, 1]],
    ['the step after a missing value', 3, 2, [1, 2, NaN], [1 - 1.5, 1 - 1, 0, 2 - 1.5, 1 - 1.5, 0, 0]],
    ['the second step', 1, 0, [5], [0, 0, 1, 0, 0, 0, 0]],
    ['the first step', 0, -1, [], [0, 0, 0, 0, 0, 0, 0]],
  ])('of %s', (_, t, origin, values, expected) => {
    const [ofValues, covariates] = [expected.length, [1, 2, 1]];
    inputsAt(planOf(), t, origin, [...values]).forEach((input, i) =>
      expect(input, `${i}`).toBeCloseTo(i < ofValues ? expected[i]! : covariates[i - ofValues]!, 6),
    );
    const withoutHorizon = inputsAt(planOf({ mode: 'autoregressive' }), t, origin, [...values]);
    [...expected.slice(0, 5), ...covariates].forEach((value, i) => expect(withoutHorizon[i]).toBeCloseTo(value, 6));
  });

  it('the base is 0, the level, the last value, or that of the season before', () => {
    const track = trackOf([1, 2, NaN, 4]);
    const basesOf = (base: typeof numbers.base): number[] =>
      [4, 5, 6].map((t) => baseOf({ ...numbers, base }, track, t, 3));
    expect(basesOf('none')).toEqual([0, 0, 0]);
    expect(basesOf('level')).toEqual([level, level, level]);
    expect(basesOf('last')).toEqual([4, 4, 4]);
    expect(basesOf('seasonal')).toEqual([1, 4, 1]);
    expect(baseOf({ ...numbers, base: 'level' }, track, 0, -1)).toBe(0);
  });

  it('the recent values are relative to the level, the last one first; the level precedes a short series', () => {
    const recent = new Float32Array(7).fill(9);
    writeRecent(recent, 1, trackOf([1, 2, NaN, 4]), 3, 5);
    [9, 4 - level, 1 - level, 2 - level, 1 - level, 0, 9].forEach((value, i) =>
      expect(recent[i]).toBeCloseTo(value, 6),
    );
  });

  it('the tail of a track has the same features', () => {
    const random = createRandom(1);
    const values = Array.from({ length: 30 }, (_, t) => (t % 5 === 2 ? NaN : uniformNumber(random)));
    for (const options of [{ context: 9 }, { seasons: [2, 9] }, { seasons: [9] }]) {
      const plan = planOf(options);
      const track = trackOf(values, plan.forecaster);
      const tail = tailOf(track, plan.forecaster);
      expect(tail.filled.length).toBeLessThan(20);
      for (const each of [track, tail]) appendValue(each, plan.forecaster, 7);
      for (const t of [31, 33]) {
        const [whole, end] = [track, tail].map((each) => {
          const into = new Float32Array(inputSize(plan) + 9);
          writeInputs(into, 0, plan, each, t, 30, { past: [1], future: [1], numbers: [1], start: undefined });
          writeRecent(into, inputSize(plan), each, 30, plan.forecaster.context);
          return into;
        });
        expect(end).toEqual(whole);
      }
    }
  });
});

describe('windows', () => {
  const plan = planOf({ horizon: 2, seasons: [2], base: 'level' });
  const scaler = { power: null, offset: 1, scale: 2 };
  const prepared = (scaled: readonly number[]) => {
    const column = (of: (t: number) => number): Float64Array => Float64Array.from(scaled, (_, t) => of(t));
    const series: CheckedSeries = {
      name: 'a',
      values: column((t) => 1 + 2 * scaled[t]!),
      start: undefined,
      past: [column((t) => 12 + 2 * t)],
      future: [column((t) => 20 + 4 * t)],
      numbers: [38],
      categories: [],
    };
    return prepare(plan, series, scaler);
  };
  const columnsOf = ({ shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }) =>
    Array.from({ length: shape[1]! }, (_, b) => Array.from({ length: shape[0]! }, (_, t) => data[t * shape[1]! + b]!));

  it('have the context before the origin and the horizon after it; nothing before the series has a weight', () => {
    const of = prepared([1, 2, NaN, 4, 5, 6]);
    const batch = windowsOf(
      plan,
      [0, 3].map((at) => ({ of, at })),
      0.25,
    );
    const level = 7 / 3;
    const expected: [keyof typeof batch, number[][]][] = [
      [
        'targets',
        [
          [0, 0, 1, 2, 1],
          [2, 1.5, 4, 5, 6],
        ],
      ],
      [
        'bases',
        [
          [0, 0, 0, 1, 1],
          [1, 1.5, 1.5, level, level],
        ],
      ],
      [
        'weights',
        [
          [0, 0, 0, 1, 0],
          [1 / 6, 0, 1 / 6, 1, 1],
        ],
      ],
      [
        'scales',
        [
          [2, 2, 2, 2, 2],
          [2, 2, 2, 2, 2],
        ],
      ],
      [
        'resets',
        [
          [0, 0, 1, 0, 0],
          [1, 0, 0, 0, 0],
        ],
      ],
    ];
    for (const [name, columns] of expected)
      columnsOf(batch[name] as typeof batch.targets).forEach((column, b) =>
        column.forEach((value, i) => expect(value, `${name} ${b} ${i}`).toBeCloseTo(columns[b]![i]!, 6)),
      );
    [0, 0, 0, 4 - level, 1 - level, 2 - level].forEach((value, i) =>
      expect(batch.recent.data[i]).toBeCloseTo(value, 6),
    );
    const F = inputSize(plan);
    const inputsOf = (row: number, b: number): number[] => [
      ...batch.inputs.data.subarray((2 * row + b) * F, (2 * row + b + 1) * F),
    ];
    // The last inputs are two of a direct forecast, then past, future and static covariates. In the horizon, except in
    // its first step, past covariates are not available.
    expect([2, 3].map((row) => inputsOf(row, 0).slice(-5))).toEqual([
      [0, 0, 0, 0, 1],
      [0, 0, 1, 1, 1],
    ]);
    expect([2, 3, 4].map((row) => inputsOf(row, 1).slice(-5))).toEqual([
      [0, 0, 3, 3, 1],
      [0, 0, 4, 4, 1],
      [1 / 2, 1, 0, 5, 1],
    ]);
    expect(inputSize({ ...plan, schema: { ...plan.schema, cycles: ['day', 'year'] } })).toBe(F + 10);
  });

  it('begin at origins of the range that have an observed value in their horizon', () => {
    const of = prepared([1, 2, NaN, NaN, 5, 6]);
    const originsIn = (from: number, to: number): number[] =>
      originsOf([of, of], 2, (length) => [from, length + to]).map(({ at }) => at);
    expect(originsIn(-3, 0)).toEqual([0, 2, 3, 0, 2, 3]);
    expect(originsIn(2, -3)).toEqual([2, 2]);
  });

  it('are at most as many per epoch as requested, other ones in every epoch', () => {
    const of = prepared([1, 2, 3, 4, 5, 6, 7, 8]);
    const origins = [0, 1, 2, 3, 4, 5].map((at) => ({ of, at }));
    const sizesOf = (batchSize: number, most: number): (number | undefined)[] => {
      const dataset = windowsAt(plan, origins, { batchSize, most });
      const sizes = [...dataset.batches(createRandom(1))].map(({ inputs }) => inputs.shape[1]);
      expect(dataset.batchCount).toBe(sizes.length);
      return sizes;
    };
    expect(sizesOf(4, 100)).toEqual([4, 2]);
    expect(sizesOf(2, 4)).toEqual([2, 2]);
    expect(sizesOf(4, 5)).toEqual([4, 1]);
    const random = createRandom(2);
    const last = [1, 2, 3, 4].map(() => {
      const [batch] = windowsAt(plan, origins, { batchSize: 1, most: 1 }).batches(random);
      return batch!.targets.data.at(-1);
    });
    expect(new Set(last).size).toBeGreaterThan(1);
  });

  it('weigh the context as a quarter of the horizon, or each of its steps as one of the horizon', () => {
    const weightsIn = (mode: 'direct' | 'autoregressive'): number[] => {
      const origins = [{ of: prepared([1, 2, 3, 4, 5, 6, 7]), at: 4 }];
      const dataset = windowsAt(planOf({ horizon: 2, mode }), origins, { batchSize: 1, most: 1 });
      return [...dataset.batches(createRandom(1))].flatMap(({ weights }) => [...weights.data]);
    };
    const ofContext = Math.fround(1 / 6);
    expect(weightsIn('direct')).toEqual([ofContext, ofContext, ofContext, 1, 1]);
    expect(weightsIn('autoregressive')).toEqual([1, 1, 1, 1, 1]);
  });
});
