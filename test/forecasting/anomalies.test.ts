/** Anomalies of values and windows. */

import { createRandom, normalNumber } from 'bptt';
import {
  calibrateAnomalies,
  type Forecast,
  findAnomalies,
  fitForecaster,
  forecast,
  forecaster,
  negativeBinomial,
  observe,
  quantiles,
  type Series,
  scoreAnomalies,
} from 'bptt/forecasting';
import { expect, it } from 'vitest';

const random = createRandom(11);
const season = (t: number): number => 20 + 5 * Math.sin((2 * Math.PI * t) / 8);
const noise = Array.from({ length: 1000 }, () => 0.5 * normalNumber(random));
const regular = noise.map((e, t) => season(t) + e);
const create = (values: readonly number[], from: number, to: number): Series => ({
  name: 'sensor',
  values: values.slice(from, to),
});
const settings = forecaster({ horizon: 1, seasons: [8], hiddenSize: 12, seed: 2 });

it('the threshold has the chosen rate of alarms, and finds a spike, a gap of the season and a change of level', async () => {
  const fitted = await fitForecaster(settings, [create(regular, 0, 400)], { steps: 300 });
  const [before] = observe(fitted, [create(regular, 0, 400)]);
  const [held] = scoreAnomalies(fitted, [create(regular, 400, 700)], [before!]);
  const detector = calibrateAnomalies([held!], { rate: 0.01 });

  // On new regular data, about one in a hundred.
  const [fresh] = scoreAnomalies(fitted, [create(regular, 700, 1000)], [held!.state]);
  const alarms = findAnomalies(detector, [fresh!]).length;
  expect(alarms).toBeLessThanOrEqual(12);

  const broken = regular.map((value, t) => (t === 750 ? value + 6 : t >= 900 && t < 940 ? value + 1.2 : value));
  const [scored] = scoreAnomalies(fitted, [create(broken, 700, 1000)], [held!.state]);
  const spike = findAnomalies(detector, [scored!]).find(({ start, end }) => start <= 50 && end > 50);
  expect(spike).toBeDefined();
  // A small shift is visible in the mean of a window.
  const windows = calibrateAnomalies([held!], { rate: 0.01, window: 12 });
  const found = findAnomalies(windows, [scored!]);
  expect(found.some(({ start, end }) => start < 225 && end > 200)).toBe(true);
});

it('scores from a state equal those from the whole history, and do not depend on later values', async () => {
  const fitted = await fitForecaster(settings, [create(regular, 0, 200)], { steps: 20, validation: 0 });
  const [whole] = scoreAnomalies(fitted, [create(regular, 0, 120)]);
  const [first] = scoreAnomalies(fitted, [create(regular, 0, 70)]);
  const [second] = scoreAnomalies(fitted, [create(regular, 70, 120)], [first!.state]);
  const joined = [...first!.scores, ...second!.scores];
  expect(joined).toHaveLength(120);
  expect(Number.isNaN(joined[0]!)).toBe(true);
  for (let t = 1; t < 120; t++) expect(Math.abs(joined[t]! - whole!.scores[t]!)).toBeLessThan(1e-4 * (1 + joined[t]!));
});

it.each([
  ['quantiles', quantiles(), 'standard'],
  ['negativeBinomial', negativeBinomial(), 'mean'],
] as const)('scores are distances from the median of one-step forecasts: %s', async (_, distribution, scaling) => {
  const options = { horizon: 1, seasons: [8], hiddenSize: 6, distribution, scaling, linearSkip: false, members: 2 };
  const series = [40, 25].map((length, k) => ({
    name: `series ${k}`,
    values: regular.slice(0, length).map((value) => Math.round(20 + value * (k + 1))),
  }));
  const fitted = await fitForecaster(forecaster(options), series, { steps: 20 });
  const scored = scoreAnomalies(fitted, series);
  series.forEach(({ name, values }, k) => {
    for (let t = 1; t < values.length; t += 6) {
      const [{ quantiles: rows, median }] = forecast(fitted, [{ name, values: values.slice(0, t) }], {
        levels: [0.1, 0.5, 0.9],
      }) as [Forecast];
      const [value, middle] = [values[t]!, median[0]!];
      const limit = value > middle ? rows[0]![2]! - middle : middle - rows[0]![0]!;
      expect(scored[k]!.scores[t]! / (Math.abs(value - middle) / limit)).toBeCloseTo(1, 3);
    }
  });
});

it('the score of a count is finite if all quantiles are equal, and infinite if the count is negative', async () => {
  const values = Array.from({ length: 120 }, (_, t) => (t % 12 === 5 ? 1 : 0));
  const options = forecaster({ horizon: 1, hiddenSize: 4, distribution: negativeBinomial() });
  const fitted = await fitForecaster(options, [create(values, 0, 100)], { steps: 60 });
  const changed = values.map((value, t) => (t === 110 ? -2 : value));
  const [scored] = scoreAnomalies(fitted, [create(changed, 0, 120)]);
  const [{ median, quantiles: rows }] = forecast(fitted, [create(values, 0, 101)], { levels: [0.9] }) as [Forecast];
  expect([median[0], rows[0]![0]]).toEqual([0, 0]);
  // In units of half a count.
  expect(scored!.scores[101]!).toBeCloseTo(2, 5);
  expect(scored!.scores[110]).toBe(Infinity);
});

it.each(['log', 'boxCox'] as const)('with scaling %s, values of 0 or less have an infinite score', async (scaling) => {
  const options = forecaster({ horizon: 1, seasons: [8], hiddenSize: 12, scaling });
  const fitted = await fitForecaster(options, [create(regular, 0, 200)], { steps: 20, validation: 0 });
  const bad = [0, 30, 40];
  const values = regular.slice(200, 260).map((value, t) => (bad.includes(t) ? -t : value));
  for (const name of ['sensor', 'new']) {
    const [scored] = scoreAnomalies(fitted, [{ name, values }]);
    const mask = values.map((_, t) => (bad.includes(t) ? 0 : 1));
    const [masked] = scoreAnomalies(fitted, [{ name, values, mask }]);
    // All other scores, and the state, are those of a series in which these values are missing.
    expect(scored!.scores).toEqual(masked!.scores.map((score, t) => (bad.includes(t) ? Infinity : score)));
    expect(scored!.state).toEqual(masked!.state);
    expect(scored!.scores.some(Number.isNaN)).toBe(false);
    const detector = calibrateAnomalies([scored!], { rate: 0.1 });
    expect(detector).toEqual(calibrateAnomalies([masked!], { rate: 0.1 }));
    const found = findAnomalies(detector, [scored!]).filter(({ score }) => score === Infinity);
    expect(found.map(({ start }) => start)).toEqual(bad);
  }
});

it('missing values have no score, and a detector needs enough scores', async () => {
  const fitted = await fitForecaster(settings, [create(regular, 0, 200)], { steps: 5, validation: 0 });
  const values = regular.slice(0, 60);
  const [scored] = scoreAnomalies(fitted, [{ name: 'sensor', values, mask: values.map((_, t) => (t === 30 ? 0 : 1)) }]);
  expect(Number.isNaN(scored!.scores[30]!)).toBe(true);
  expect(Number.isNaN(scored!.scores[31]!)).toBe(false);
  expect(() => calibrateAnomalies([scored!], { rate: 0.001 })).toThrow(
    'calibrateAnomalies: scores must have at least 1000 values for a rate of 0.001, got 58.',
  );
});

it('the threshold is the quantile 1 − rate of the scores, and only larger scores exceed it', () => {
  const scores = Float64Array.from({ length: 20 }, (_, i) => (i * 7) % 20);
  const threshold = (rate?: number, values = scores): number =>
    calibrateAnomalies([{ name: 'a', scores: values }], rate === undefined ? {} : { rate }).threshold;
  // Of 20 values, two exceed the quantile 0.9.
  expect(threshold(0.1)).toBeCloseTo(17.5, 9);
  expect(threshold(0.075)).toBeCloseTo(18, 9);
  const found = findAnomalies({ window: 1, threshold: 18 }, [{ name: 'a', scores }]);
  expect(found.map(({ score }) => score)).toEqual([19]);
  expect(threshold(0.05)).toBeCloseTo(18.5, 9);
  expect(() => threshold(0.049)).toThrow('scores must have at least 21 values for a rate of 0.049, got 20.');
  const hundred = Float64Array.from({ length: 100 }, (_, i) => i);
  expect(threshold(undefined, hundred)).toBeCloseTo(98.5, 9);
  expect(threshold(1 / 49, hundred.subarray(0, 49))).toBeCloseTo(47.5, 9);
  for (const rate of [0, 0.51]) expect(() => threshold(rate)).toThrow('calibrateAnomalies: rate must be');
  expect(() => findAnomalies({ window: 0, threshold: 1 }, [{ name: 'a', scores }])).toThrow(
    'findAnomalies: detector.window must be',
  );
});

it.each([
  {
    window: 1,
    scores: [4, 5, 0, 6],
    found: [
      { start: 0, end: 2, score: 5 },
      { start: 3, end: 4, score: 6 },
    ],
  },
  {
    window: 2,
    scores: [0, 8, 0, 0, 0, 4, 4],
    found: [
      { start: 0, end: 3, score: 4 },
      { start: 5, end: 7, score: 4 },
    ],
  },
  { window: 2, scores: [NaN, 4, NaN, 1], found: [{ start: 0, end: 3, score: 4 }] },
  { window: 3, scores: [9, 9], found: [] },
])('windows of $window of the scores $scores are joined, and skip missing scores', ({ window, scores, found }) => {
  const detector = { window, threshold: 3 };
  expect(findAnomalies(detector, [{ name: 'a', scores: Float64Array.from(scores) }])).toEqual(
    found.map((each) => ({ name: 'a', ...each })),
  );
});
