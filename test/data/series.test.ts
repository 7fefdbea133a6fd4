/** Windows over series, scaling, and splits by group. */

import {
  createRandom,
  integerNumber,
  kFold,
  minMaxScaler,
  normal,
  scaleWith,
  seriesWindows,
  splitGroups,
  standardScaler,
  type Tensor,
  tensor,
  unscaleWith,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const series = normal(3, 2)([40, 3], createRandom(1));
const at = (row: number, column: number): number => series.data[row * 3 + column]!;

describe('seriesWindows', () => {
  it.each([
    [5, 1, 1, undefined],
    [4, 3, 1, [2]],
    [7, 2, 3, [1, 0]],
    [10, 1, 1, [0]],
  ] as const)(
    'yields every window of the series once: %d steps, horizon %d, stride %d',
    (sequenceLength, horizon, stride, targetColumns) => {
      for (const shuffle of [true, false]) {
        const dataset = seriesWindows(series, {
          sequenceLength,
          horizon,
          stride,
          batchSize: 6,
          shuffle,
          ...(targetColumns ? { targets: targetColumns } : {}),
        });
        const columns = targetColumns ?? [0, 1, 2];
        const starts: number[] = [];
        let batches = 0;
        for (const { inputs, targets } of dataset.batches(createRandom(4))) {
          batches++;
          const B = inputs.shape[1]!;
          expect(targets.shape).toEqual([B, horizon * columns.length]);
          for (let b = 0; b < B; b++) {
            const start = [...Array(40).keys()].find((row) => at(row, 0) === inputs.data[b * 3])!;
            starts.push(start);
            for (let t = 0; t < sequenceLength; t++)
              for (let f = 0; f < 3; f++) expect(inputs.data[(t * B + b) * 3 + f]).toBe(at(start + t, f));
            for (let t = 0; t < horizon; t++)
              columns.forEach((column, o) => {
                expect(targets.data[(b * horizon + t) * columns.length + o]).toBe(
                  at(start + sequenceLength + t, column),
                );
              });
          }
        }
        expect(batches).toBe(dataset.batchCount);
        const expected = Array.from(
          { length: Math.floor((40 - sequenceLength - horizon) / stride) + 1 },
          (_, i) => i * stride,
        );
        if (shuffle) expect(starts).not.toEqual(expected);
        expect(starts.sort((a, b) => a - b)).toEqual(expected);
      }
    },
  );

  it('rejects short series, missing columns, and values that are not a series', () => {
    expect(() => seriesWindows(series, { sequenceLength: 39, horizon: 2, batchSize: 1 })).toThrow(
      'the number of rows must be at least sequenceLength + horizon = 41, got 40',
    );
    expect(() => seriesWindows(series, { sequenceLength: 3, targets: [3], batchSize: 1 })).toThrow(
      'seriesWindows: targets must be integers from 0 to 2, got 3',
    );
    expect(() => seriesWindows(tensor([1, 2, 3]), { sequenceLength: 1, batchSize: 1 })).toThrow(
      'series must be [N, F] = [*, *], got [3]. One variable is [N, 1].',
    );
    expect(() => seriesWindows(series, { sequenceLength: 0, batchSize: 1 })).toThrow('seriesWindows: sequenceLength');
    expect(() => seriesWindows(series, { sequenceLength: 3, horizon: 0, batchSize: 1 })).toThrow(
      'seriesWindows: horizon must be an integer of at least 1, got 0',
    );
    expect(() => seriesWindows(series, { sequenceLength: 3, stride: 0.5, batchSize: 1 })).toThrow(
      'seriesWindows: stride must be an integer of at least 1, got 0.5',
    );
    expect(() => seriesWindows(series, { sequenceLength: 3, targets: [], batchSize: 1 })).toThrow(
      'seriesWindows: targets must hold at least one column, got none',
    );
    // @ts-expect-error A typed array is not a tensor.
    expect(() => seriesWindows(series.data, { sequenceLength: 3, batchSize: 1 })).toThrow(TypeError);
  });
});

describe('scaling', () => {
  const columns = (x: Tensor): number[][] =>
    [0, 1, 2].map((f) => Array.from({ length: x.data.length / 3 }, (_, i) => x.data[i * 3 + f]!));

  it('standardScaler gives mean 0 and deviation 1, minMaxScaler a range; both are reversible and survive JSON', () => {
    for (const column of columns(scaleWith(standardScaler(series), series))) {
      const mean = column.reduce((a, b) => a + b) / 40;
      expect(mean).toBeCloseTo(0, 6);
      expect(column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 40).toBeCloseTo(1, 5);
    }
    for (const column of columns(scaleWith(minMaxScaler(series), series))) {
      expect(Math.min(...column)).toBeCloseTo(0, 6);
      expect(Math.max(...column)).toBeCloseTo(1, 6);
    }
    for (const scaler of [standardScaler(series), minMaxScaler(series, { from: -3, to: 5 })]) {
      const restored = JSON.parse(JSON.stringify(scaler)) as typeof scaler;
      unscaleWith(restored, scaleWith(scaler, series)).data.forEach((value, i) =>
        expect(value).toBeCloseTo(series.data[i]!, 5),
      );
    }
  });

  it('constant columns are shifted but not scaled', () => {
    const constant = tensor([
      [5, 1],
      [5, 2],
    ]);
    expect([...scaleWith(standardScaler(constant), constant).data]).toEqual([0, -1, 0, 1]);
    expect([...scaleWith(minMaxScaler(constant), constant).data]).toEqual([0, 0, 0, 1]);
    expect([...scaleWith(minMaxScaler(constant), tensor([[6, 3]])).data]).toEqual([1, 2]);
  });

  it('minMaxScaler maps the least and the greatest value to from and to', () => {
    const data = tensor([[10], [14], [12]]);
    expect([...scaleWith(minMaxScaler(data, { from: 2, to: 10 }), data).data]).toEqual([2, 10, 6]);
    expect([...scaleWith(minMaxScaler(data, { from: -1, to: 0 }), data).data]).toEqual([-1, 0, -0.5]);
  });

  it('constant columns are exact for any value and number of rows', () => {
    for (const value of [0.1, 1e-30, 1.7e9, -3.3e7])
      for (let rows = 1; rows < 40; rows++) {
        const constant = tensor(new Float32Array(rows).fill(value), [rows, 1]);
        for (const scaler of [standardScaler(constant), minMaxScaler(constant)]) {
          expect(scaler).toEqual({ offset: [Math.fround(value)], scale: [1] });
          expect([...scaleWith(scaler, constant).data]).toEqual(new Array(rows).fill(0));
        }
      }
  });

  it('unscaleWith accepts a selection of columns; scaleWith accepts any leading axes', () => {
    const scaler = standardScaler(series);
    const forecast = normal(0, 1)([4, 2], createRandom(2));
    unscaleWith(scaler, forecast, [2, 0]).data.forEach((value, i) => {
      expect(value).toBeCloseTo(
        forecast.data[i]! * scaler.scale[i % 2 === 0 ? 2 : 0]! + scaler.offset[i % 2 === 0 ? 2 : 0]!,
        5,
      );
    });
    expect(scaleWith(scaler, { shape: [5, 8, 3], data: series.data }).shape).toEqual([5, 8, 3]);
  });

  it('scalers accept any leading axes', () => {
    for (const scaler of [standardScaler, minMaxScaler])
      expect(scaler({ shape: [5, 8, 3], data: series.data })).toEqual(scaler(series));
  });

  it('rejects invalid data, ranges, scalers and columns', () => {
    expect(() => standardScaler(tensor(new Float32Array(0), [0, 3]))).toThrow(
      'standardScaler: data must hold at least one row',
    );
    for (const scaler of [standardScaler, minMaxScaler])
      expect(() => scaler(tensor([1, 2, 3]))).toThrow(`${scaler.name}: data must be [N, F] = [*, *], got [3].`);
    expect(() => standardScaler(tensor([[1, NaN]]))).toThrow(
      'standardScaler: data[1] must be a finite number, got NaN',
    );
    expect(() => minMaxScaler(tensor([[Infinity], [1]]))).toThrow(
      'minMaxScaler: data[0] must be a finite number, got Infinity',
    );
    expect(() => minMaxScaler(series, { from: 1, to: 1 })).toThrow('to must be greater than from, got 1 to 1');
    expect(() => minMaxScaler(series, { to: Infinity })).toThrow(
      'minMaxScaler: to must be a finite number, got Infinity',
    );
    // @ts-expect-error An array is not a tensor.
    expect(() => standardScaler([[1]])).toThrow(
      new TypeError('standardScaler: data must be a tensor { shape, data: Float32Array }, got an array.'),
    );
    // @ts-expect-error A number is not a tensor.
    expect(() => unscaleWith(standardScaler(series), 3)).toThrow(TypeError);
    expect(() => scaleWith({ offset: [1, 2], scale: [1] }, tensor([[1, 2]]))).toThrow(
      'scaleWith: scaler.scale must be of length 2, like scaler.offset, got 1',
    );
    expect(() => scaleWith(standardScaler(series), tensor([[1, 2]]))).toThrow(
      'data must be […, F] = […, 3], got [1, 2]',
    );
    expect(() => scaleWith(standardScaler(series), tensor([[1]]), [3])).toThrow(
      'scaleWith: columns must be integers from 0 to 2, got 3',
    );
  });
});

describe('groups', () => {
  const random = createRandom(5);
  const groups = Array.from({ length: 200 }, () => `storm ${integerNumber(random, 30)}`);
  const namesOf = (indices: Int32Array): Set<string> => new Set(Array.from(indices, (i) => groups[i]!));

  it('splitGroups divides no group and puts every example into exactly one part', () => {
    for (let seed = 0; seed < 5; seed++) {
      const parts = splitGroups(groups, [0.6, 0.2, 0.2], { seed });
      expect(parts.flatMap((part) => [...part]).sort((a, b) => a - b)).toEqual([...groups.keys()]);
      const names = parts.map(namesOf);
      expect(names.reduce((sum, { size }) => sum + size, 0)).toBe(new Set(groups).size);
      expect(names.map(({ size }) => size)).toEqual([18, 6, 6]);
      for (const part of parts) expect([...part]).toEqual([...part].sort((a, b) => a - b));
    }
    expect(splitGroups(groups, [0.5])).toEqual(splitGroups(groups, [0.5], { seed: 0 }));
    expect(splitGroups(groups, [0.5], { seed: 1 })).not.toEqual(splitGroups(groups, [0.5], { seed: 2 }));
    expect(() => splitGroups(groups, [0.8, 0.3])).toThrow(
      'splitGroups: the sum of fractions must be at most 1, got 1.1',
    );
  });

  it('kFold tests on every example once and trains on the others; groups are not divided', () => {
    for (const examples of [23, groups]) {
      const folds = kFold(examples, { k: 4, seed: 2 });
      const count = typeof examples === 'number' ? examples : examples.length;
      expect(folds.flatMap(({ test }) => [...test]).sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
      for (const { train, test } of folds) {
        expect([...train, ...test].sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
        if (typeof examples !== 'number')
          for (const name of namesOf(test)) expect(namesOf(train).has(name)).toBe(false);
      }
    }
    expect(() => kFold(3, { k: 4 })).toThrow(
      'kFold: the number of examples or groups must be an integer of at least 4, got 3',
    );
    expect(() => kFold(3, { k: 1 })).toThrow('kFold: k');
    expect(() => kFold(7.5, { k: 2 })).toThrow('kFold: examples must be an integer of at least 1, got 7.5');
  });
});

it('a scaler with a scale of 0 is rejected', () => {
  const scaler = { offset: [1, 2], scale: [3, 0] };
  const data = tensor([[1, 2]]);
  expect(() => scaleWith(scaler, data)).toThrow('scaleWith: scaler.scale must be other than 0, got 0.');
  expect(() => unscaleWith(scaler, data)).toThrow('unscaleWith: scaler.scale must be other than 0, got 0.');
});
