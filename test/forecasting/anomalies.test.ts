/** Anomalies of values and windows. */

import { createRandom, normalNumber } from 'bptt';
import {
  calibrateAnomalies,
  findAnomalies,
  fitForecaster,
  forecaster,
  observe,
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
