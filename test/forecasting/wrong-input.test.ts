/** Errors about wrong input name the series, the column and the row. */

import {
  backtest,
  type FitForecasterOptions,
  fitForecaster,
  forecast,
  forecaster,
  negativeBinomial,
  observe,
  recalibrate,
  type Series,
  saveForecaster,
  scoreAnomalies,
  seasonalNaive,
  seriesFromRows,
} from 'bptt/forecasting';
import { describe, expect, it } from 'vitest';

const values = Array.from({ length: 40 }, (_, t) => 10 + (t % 5));
const good: Series = { name: 'shop', values };
const plain = forecaster({ horizon: 4 });
const train = (series: Series, options = plain): Promise<unknown> =>
  fitForecaster(options, [good, series], { steps: 1 });
const replaced = (row: number, value: number): number[] => values.map((v, t) => (t === row ? value : v));

describe('fitForecaster rejects', () => {
  const cases: readonly [string, Series, string][] = [
    [
      'NaN without a mask',
      { name: 'x', values: replaced(7, NaN) },
      'series x, column values, row 7: must be a finite number, got NaN. Give missing values a mask of 0.',
    ],
    [
      'a series that is not longer than the horizon',
      { name: 'x', values: [1, 2, 3, 4] },
      'series x: must have more values than the horizon 4, got 4.',
    ],
    [
      'a constant series',
      { name: 'x', values: values.map(() => 3) },
      "series x, column values: is constant, 3, so it has no scale. Remove it, or set scaling: 'none'.",
    ],
    [
      'a start on a day that its month does not have',
      { name: 'x', values, start: '2024-04-31' },
      'series x: start must be a Date, milliseconds or an existing time in ISO format, got 2024-04-31.',
    ],
    [
      'a mask of another length',
      { name: 'x', values, mask: [1] },
      'series x: mask must have 40 rows, as values, got 1.',
    ],
    [
      'a mask that is not 0 or 1',
      { name: 'x', values, mask: replaced(3, 2).map((m, t) => (t === 3 ? m : 1)) },
      'series x, mask, row 3: must be 0 or 1, got 2.',
    ],
    ['a name that is used twice', good, 'two series have the name shop.'],
    [
      'a covariate that was not in the first series',
      { name: 'x', values, past: { rain: values } },
      'series x: past covariates must be absent, got also rain, which was not in training.',
    ],
    [
      'values that are text',
      { name: 'x', values: 'text' as unknown as number[] },
      'series x, column values: must be an array of numbers, got text.',
    ],
    [
      'values in a data view',
      { name: 'x', values: new DataView(new ArrayBuffer(80)) as object as number[] },
      'series x, column values: must be an array of numbers, got an instance of DataView.',
    ],
  ];
  it.each(cases)('%s', async (_, series, message) => {
    await expect(train(series)).rejects.toThrow(`fitForecaster: ${message}`);
  });

  it.each([
    ['12a', 12, 'text, as in the first series, got 12.'],
    [12, '12a', 'a finite number, as in the first series, got 12a.'],
  ])('a static feature that is %j in the first series and %j in another', async (first, second, message) => {
    const series = [first, second].map((code, i) => ({ name: `s${i}`, values, static: { code } }));
    await expect(fitForecaster(plain, series, { steps: 1 })).rejects.toThrow(
      `fitForecaster: series s1: static feature code must be ${message}`,
    );
  });

  it('values that are not positive with a logarithm', async () => {
    const options = forecaster({ horizon: 4, scaling: 'log' });
    await expect(train({ name: 'x', values: replaced(2, 0) }, options)).rejects.toThrow(
      "fitForecaster: series x, column values, row 2: must be positive for scaling 'log', got 0.",
    );
  });

  it('values that are not positive with a logarithm in the validation steps', async () => {
    const options = forecaster({ horizon: 4, scaling: 'log' });
    const training = { steps: 1, validation: 8, retrain: false };
    await expect(fitForecaster(options, [{ name: 'x', values: replaced(35, 0) }], training)).rejects.toThrow(
      "fitForecaster: series x, column values, row 35: must be positive for scaling 'log', got 0.",
    );
  });

  it('negative counts', async () => {
    const options = forecaster({ horizon: 4, distribution: negativeBinomial(), hiddenSize: 4 });
    const series = { name: 'x', values: replaced(39, -1) };
    const message = 'series x, column values, row 39: must be at least 0 for negativeBinomial, got -1.';
    await expect(train(series, options)).rejects.toThrow(`fitForecaster: ${message}`);
    const fitted = await fitForecaster(options, [{ name: 'x', values: replaced(39, 0) }], { steps: 1 });
    expect(() => forecast(fitted, [series])).toThrow(`forecast: ${message}`);
    expect(() => recalibrate(fitted, [series], { heldOut: 1 })).toThrow(`recalibrate: ${message}`);
  });

  it('series without a start if there is a frequency', async () => {
    await expect(train(good, forecaster({ horizon: 4, frequency: 'day' }))).rejects.toThrow(
      'fitForecaster: two series have the name shop.',
    );
    await expect(fitForecaster(forecaster({ horizon: 4, frequency: 'day' }), [good], { steps: 1 })).rejects.toThrow(
      'fitForecaster: series shop: start must be a time, since the forecaster has a frequency.',
    );
  });

  it('covariates that are too short, and past covariates of sampled paths', async () => {
    const short = { name: 'x', values, past: { rain: values.slice(1) } };
    await expect(fitForecaster(plain, [short], { steps: 1 })).rejects.toThrow(
      'fitForecaster: series x, column rain: must have 40 rows, got 39.',
    );
    const past = { name: 'x', values, past: { rain: values } };
    const sampled = forecaster({ horizon: 4, mode: 'autoregressive' });
    await expect(fitForecaster(sampled, [past], { steps: 1 })).rejects.toThrow(
      /past covariates \(rain\) need mode 'direct'/,
    );
  });

  it.each(['standard', 'mean'] as const)('a series of zeros with scaling %s', async (scaling) => {
    await expect(
      train({ name: 'x', values: values.map(() => 0) }, forecaster({ horizon: 4, scaling })),
    ).rejects.toThrow(
      "fitForecaster: series x, column values: is constant, 0, so it has no scale. Remove it, or set scaling: 'none'.",
    );
  });

  it('validation that is shorter than the horizon, or has no observed value', async () => {
    for (const validation of [1, 3])
      await expect(fitForecaster(plain, [good], { steps: 1, validation })).rejects.toThrow(
        `fitForecaster: validation must be 0 or at least the horizon 4, got ${validation}.`,
      );
    expect((await fitForecaster(plain, [good], { steps: 1, validation: 4 })).validationLosses[0]).toBeGreaterThan(0);
    const mask = values.map((_, t) => (t < 30 ? 1 : 0));
    await expect(fitForecaster(plain, [{ ...good, mask }], { steps: 1 })).rejects.toThrow(
      'fitForecaster: the 8 validation steps must contain an observed value. Set validation: 0.',
    );
  });

  it('validation that leaves nothing to train on', async () => {
    await expect(fitForecaster(plain, [good], { steps: 1, validation: 38 })).rejects.toThrow(
      /^fitForecaster: no series has a training window: the longest, shop, has 40 values/,
    );
    const short: Series = { name: 'x', values: values.slice(0, 20) };
    await expect(fitForecaster(plain, [good, short], { steps: 1, validation: 20 })).rejects.toThrow(
      'fitForecaster: series x: must have more values than the 20 validation steps, got 20.',
    );
  });
});

describe.each([
  ['auto', 'log'],
  ['boxCox', 'boxCox'],
] as const)('after training with scaling %s, 0 and negative values are rejected by', (scaling, resolved) => {
  const trained = fitForecaster(forecaster({ horizon: 4, scaling }), [good], { steps: 1, validation: 0 });
  const message = (where: string, row: number, value: number, name = 'shop'): string =>
    `${where}: series ${name}, column values, row ${row}: must be positive for scaling '${resolved}', got ${value}.`;

  it.each([0, -1])('forecast, observe and recalibrate: %d', async (value) => {
    const fitted = await trained;
    const series = [{ name: 'shop', values: replaced(37, value) }];
    expect(() => forecast(fitted, series)).toThrow(message('forecast', 37, value));
    expect(() => forecast(fitted, [{ ...series[0]!, name: 'new' }])).toThrow(message('forecast', 37, value, 'new'));
    expect(() => recalibrate(fitted, series, { heldOut: 10 })).toThrow(message('recalibrate', 37, value));
    const states = observe(fitted, [good]);
    expect(() => observe(fitted, [{ name: 'shop', values: [5, value] }], states)).toThrow(message('observe', 1, value));
  });

  it('none of them if they are missing', async () => {
    const series = { name: 'shop', values: replaced(37, 0), mask: values.map((_, t) => (t === 37 ? 0 : 1)) };
    for (const median of forecast(await trained, [series])[0]!.median) expect(median).toBeGreaterThan(5);
  });
});

describe('forecast and observe reject', () => {
  it('covariates that end before the horizon', async () => {
    const series = { name: 'x', values, future: { price: values } };
    const fitted = await fitForecaster(plain, [series], { steps: 1, validation: 0 });
    expect(() => forecast(fitted, [series])).toThrow(
      'forecast: series x, column price: must extend 4 rows beyond the values, to row 43, got 0.',
    );
  });

  it('a category that was not in the training', async () => {
    const fitted = await fitForecaster(plain, [{ ...good, static: { kind: 'a' } }], { steps: 1, validation: 0 });
    expect(() => forecast(fitted, [{ ...good, static: { kind: 'b' } }])).toThrow(
      'forecast: series shop: static feature kind must be one of a, got b.',
    );
  });

  it('values that do not continue a state', async () => {
    const daily = { ...good, start: '2024-01-01' };
    const fitted = await fitForecaster(forecaster({ horizon: 4, frequency: 'day' }), [daily], {
      steps: 1,
      validation: 0,
    });
    const state = observe(fitted, [daily]);
    expect(() => observe(fitted, [daily], state)).toThrow(
      'observe: series shop: must start at 2024-02-10T00:00:00.000Z, after the values of its state, got 2024-01-01',
    );
    expect(() => observe(fitted, [{ ...daily, name: 'other' }], state)).toThrow(
      /order of the states, in which shop is next/,
    );
    expect(() => observe(fitted, [], state)).toThrow('observe: states must be those of the 0 series, got 1.');
  });
});

it('states of another forecaster are rejected by forecast and observe in their own names', async () => {
  const [fitted, wider] = await Promise.all(
    [4, 5].map((hiddenSize) => fitForecaster(forecaster({ horizon: 4, hiddenSize }), [good], { steps: 1 })),
  );
  const [own, foreign] = [observe(fitted!, [good]), observe(wider!, [good])];
  const message = 'layer gru: initialState.h must be [B, H] = [1, 4], got [1, 5].';
  expect(() => forecast(fitted!, foreign)).toThrow(`forecast: ${message}`);
  expect(() => observe(fitted!, [good], foreign)).toThrow(`observe: ${message}`);
  expect(() => forecast(fitted!, [...own, ...foreign])).toThrow(
    'forecast: states[1].gru.h must be [B, …] = [*, 4], got [1, 5].',
  );
});

it('states that lack a part, such as those from a damaged file, are rejected by forecast and observe', async () => {
  const fitted = await fitForecaster(plain, [good], { steps: 1 });
  const [state] = observe(fitted, [good]);
  const damaged: [string, unknown][] = [
    ...Object.keys(state!)
      .filter((name) => !['name', 'start'].includes(name))
      .map((name): [string, unknown] => [name, { ...state, [name]: undefined }]),
    ...Object.keys(state!.track)
      .filter((name) => name !== 'offset')
      .map((name): [string, unknown] => [name, { ...state, track: { ...state!.track, [name]: null } }]),
    ['scale', { ...state, scaler: {} }],
    ['the state of a network', { ...state, networks: [null] }],
  ];
  expect(damaged.map(([name]) => name)).toContain('networks');
  for (const [name, given] of damaged) {
    const part = { scaler: 'scale', track: 'filled' }[name] ?? name;
    const kinds = { length: 'a finite number', scale: 'a finite number', 'the state of a network': 'an object' };
    const kind = (kinds as Record<string, string>)[part] ?? 'an array';
    expect(() => forecast(fitted, [given] as never), name).toThrow(`forecast: state: ${part} must be ${kind}`);
    expect(() => observe(fitted, [good], [given] as never), name).toThrow(`observe: state: ${part} must be`);
  }
});

it('states of a forecaster with other networks or features are rejected', async () => {
  const many = { ...good, static: { city: 'Turin', area: 3 } };
  const [one, two, described] = await Promise.all([
    fitForecaster(forecaster({ horizon: 4, hiddenSize: 4 }), [good], { steps: 1 }),
    fitForecaster(forecaster({ horizon: 4, hiddenSize: 4, members: 2 }), [good], { steps: 1 }),
    fitForecaster(forecaster({ horizon: 4, hiddenSize: 4 }), [many], { steps: 1 }),
  ]);
  const states = observe(one, [good]);
  expect(() => forecast(two, states)).toThrow('forecast: state: networks must be 2, as in the forecaster, got 1.');
  expect(() => observe(two, [good], states)).toThrow('observe: state: networks must be 2, as in the');
  expect(() => forecast(one, observe(two, [good]))).toThrow('forecast: state: networks must be 1, as in the');
  expect(() => forecast(described, states)).toThrow('forecast: state: numbers must be 1, as in the forecaster, got 0.');
  expect(() => forecast(one, observe(described, [many]))).toThrow('forecast: state: numbers must be 0, as in the');
});

it('a series that is null is rejected in the name of the function', async () => {
  const series = [good, null] as unknown as Series[];
  await expect(fitForecaster(plain, series)).rejects.toThrow('fitForecaster: series[1] must be an object, got null.');
  const options = { methods: { naive: seasonalNaive() }, horizon: 4 };
  await expect(backtest(series, options)).rejects.toThrow('backtest: series[1] must be an object, got null.');
});

describe('seriesFromRows rejects', () => {
  const row = (day: string, sold: unknown = 1): Record<string, unknown> => ({ day, sold });
  const read = (...rows: Record<string, unknown>[]): Series[] =>
    seriesFromRows(rows, { time: 'day', value: 'sold', frequency: 'day' });
  const cases: readonly [string, Record<string, unknown>[], string][] = [
    [
      'times out of order',
      [row('2024-01-02'), row('2024-01-01')],
      'row 1: the time 2024-01-01T00:00:00.000Z is before that of the previous row. Sort the rows.',
    ],
    ['repeated times', [row('2024-01-02'), row('2024-01-02')], 'row 1: the time 2024-01-02T00:00:00.000Z is repeated.'],
    [
      'gaps',
      [row('2024-01-02'), row('2024-01-04')],
      'row 1: the time must be 2024-01-03T00:00:00.000Z, got 2024-01-04T00:00:00.000Z. ' +
        "Use missing: 'mask' for series with gaps.",
    ],
    [
      'times between two steps',
      [row('2024-01-02'), row('2024-01-03T06:00')],
      'row 1: the time 2024-01-03T06:00:00.000Z is between two steps of frequency day.',
    ],
    [
      'cells that are not times',
      [row('yesterday')],
      'row 0: must be a Date, milliseconds or an existing time in ISO format, got yesterday.',
    ],
    [
      'days that a month does not have',
      [row('2024-02-29'), row('2024-02-30')],
      'row 1: must be a Date, milliseconds or an existing time in ISO format, got 2024-02-30.',
    ],
    [
      'times on days that a year does not have',
      [row('2023-02-29T12:00+01:00')],
      'row 0: must be a Date, milliseconds or an existing time in ISO format, got 2023-02-29T12:00+01:00.',
    ],
    [
      'dates that are not in ISO format, which depend on the engine and its time zone',
      [row('2024-01-02'), row('1/3/2024')],
      'row 1: must be a Date, milliseconds or an existing time in ISO format, got 1/3/2024.',
    ],
  ];
  it.each(cases)('%s', (_, rows, message) => {
    expect(() => read(...rows)).toThrow(`seriesFromRows: series sold, column day, ${message}`);
  });

  it('cells that are not numbers', () => {
    expect(() => read(row('2024-01-02'), row('2024-01-03', 'x7'))).toThrow(
      'seriesFromRows: series sold, column sold, row 1: must be a number, got x7.',
    );
  });

  it.each(['', ' ', '\t', '\u00a0'])('a cell of the blanks %j, also in a covariate with masks', (blank) => {
    expect(() => read(row('2024-01-02'), row('2024-01-03', blank))).toThrow(
      'seriesFromRows: series sold, column sold, row 1: must be a number, got nothing. Use missing:',
    );
    const rows = [{ ...row('2024-01-02'), price: blank }];
    const options = { time: 'day', value: 'sold', past: ['price'], frequency: 'day', missing: 'mask' } as const;
    expect(() => seriesFromRows(rows, options)).toThrow(
      'seriesFromRows: series sold, column price, row 0: must be a number, got nothing.',
    );
  });

  it('a column of values that no row has, also with future covariates and masks', () => {
    const rows = [{ ...row('2024-01-02'), price: 1 }];
    const options = { time: 'day', value: 'Sold', frequency: 'day' } as const;
    for (const more of [{}, { future: ['price'] }, { missing: 'mask' as const }])
      expect(() => seriesFromRows(rows, { ...options, ...more })).toThrow(
        'seriesFromRows: column Sold must hold at least one cell, got none.',
      );
    expect(seriesFromRows(rows, { ...options, value: 'sold', future: ['price'] })[0]!.values).toHaveLength(1);
  });

  it('a static feature that changes', () => {
    const rows = ['Turin', 'Rome'].map((city, i) => ({ ...row(`2024-01-0${i + 1}`), city }));
    const options = { time: 'day', value: 'sold', static: ['city'], frequency: 'day' } as const;
    expect(() => seriesFromRows(rows, options)).toThrow(
      'seriesFromRows: series sold, column city, row 1: a static feature must not change, got Rome after Turin.',
    );
    const first = [rows[0]!, { ...rows[1]!, city: '' }];
    expect(seriesFromRows(first, options)[0]!.static).toEqual({ city: 'Turin' });
  });

  it('a time that is too long after the first one', () => {
    const rows = [row('2024-01-01'), row('9999-12-31')];
    expect(() => seriesFromRows(rows, { time: 'day', value: 'sold', frequency: 'minute', missing: 'mask' })).toThrow(
      'seriesFromRows: series sold, column day, row 1: the time 9999-12-31T00:00:00.000Z is more than 10⁸ steps of ' +
        'minute after the first.',
    );
  });

  it('an unknown way to treat missing values', () => {
    const options = { time: 'day', value: 'sold', frequency: 'day', missing: 'masked' as 'mask' } as const;
    expect(() => seriesFromRows([row('2024-01-01')], options)).toThrow(
      'seriesFromRows: missing must be one of error, mask, got masked.',
    );
  });
});

it('a training that diverges, or whose callback throws, names fitForecaster or nothing', async () => {
  const run = (options: FitForecasterOptions): Promise<unknown> => fitForecaster(plain, [good], options);
  await expect(run({ learningRate: 1e30 })).rejects.toThrow(/^fitForecaster: .* at step \d/);
  const onProgress = (): never => {
    throw new RangeError('mine: no disk');
  };
  await expect(run({ onProgress })).rejects.toThrow(/^mine: no disk$/);
});

it('fitForecaster rejects an AbortController in place of its signal', async () => {
  await expect(fitForecaster(plain, [good], { signal: new AbortController() as never })).rejects.toThrow(
    'fitForecaster: signal must be an abort signal, got an instance of AbortController.',
  );
});

it('forecaster rejects options that do not fit', () => {
  expect(() => forecaster({ horizon: 0 })).toThrow('forecaster: horizon must be an integer of at least 1, got 0.');
  expect(() => forecaster({ horizon: 1, base: 'seasonal' })).toThrow(/base 'seasonal' needs seasons/);
  expect(() => forecaster({ horizon: 1, frequency: 'fortnight' as 'day' })).toThrow(
    /^forecaster: frequency must be a unit/,
  );
  expect(() => forecaster({ horizon: 1, mode: 'autoregressive', linearSkip: true })).toThrow(/linearSkip needs mode/);
});

it('backtest rejects series that are too short for its origins', async () => {
  await expect(backtest([good], { methods: { naive: seasonalNaive() }, horizon: 10, origins: 4 })).rejects.toThrow(
    'backtest: series shop: must have at least 42 values for 4 origins and a horizon of 10, got 40.',
  );
  await expect(backtest([good], { methods: { naive: seasonalNaive() }, horizon: 40 })).rejects.toThrow(
    'backtest: series shop: must have at least 42 values for 1 origin and a horizon of 40, got 40.',
  );
});

it('forecasters that lack a part are rejected', async () => {
  const fitted = await fitForecaster(plain, [good], { steps: 1 });
  const { distribution } = plain;
  const parts: readonly [object, string][] = [
    [{ members: undefined }, 'fitted.members must be an array of defined elements, got undefined.'],
    [{ schema: undefined }, 'fitted.schema must be an object, got undefined.'],
    [{ schema: { ...fitted.schema, past: 3 } }, 'fitted.schema.past must be an array of defined elements, got 3.'],
    [{ covariates: [] }, 'fitted.covariates must be an object, got an array.'],
    [{ forecaster: 'x' }, 'fitted.forecaster must be a forecaster, as forecaster returns, got x.'],
  ];
  for (const [part, message] of parts)
    for (const [name, call] of Object.entries({ forecast, observe, recalibrate, scoreAnomalies }))
      expect(() => call({ ...fitted, ...part }, [good] as never, { heldOut: 8 } as never)).toThrow(
        new TypeError(`${name}: ${message}`),
      );
  expect(() => saveForecaster({ ...fitted, members: 3 as never })).toThrow(
    new TypeError('saveForecaster: fitted.members must be an array of defined elements, got 3.'),
  );
  // JSON has no functions.
  const cloned = JSON.parse(JSON.stringify(fitted)) as typeof fitted;
  for (const [name, call] of Object.entries({ forecast, observe, recalibrate, scoreAnomalies, saveForecaster }))
    expect(() => call(cloned, [good] as never, { heldOut: 8 } as never)).toThrow(
      new TypeError(
        `${name}: fitted.forecaster.distribution must be a distribution, such as quantiles(), got an object with name, ` +
          'size, levels.',
      ),
    );
  const options: readonly [object, string][] = [
    [{ seasons: undefined }, 'forecaster.seasons must be an array of defined elements, got undefined.'],
    [
      { distribution: { ...distribution, sample: 3 } },
      'forecaster.distribution must be a distribution, such as quantiles(), got an object with name, size, levels, ' +
        'loss, quantile, sample.',
    ],
  ];
  for (const [part, message] of options)
    await expect(fitForecaster({ ...plain, ...part } as never, [good])).rejects.toThrow(
      new TypeError(`fitForecaster: ${message}`),
    );
  expect(() => forecaster({ horizon: 2, distribution: { ...distribution, loss: undefined as never } })).toThrow(
    new TypeError(
      'forecaster: distribution must be a distribution, such as quantiles(), got an object with name, size, levels, ' +
        'loss, quantile, sample.',
    ),
  );
});
