/** The exponential smoothing models in the golden files follow the equations of test/golden/README.md. */

import { expect, it } from 'vitest';
import { readTable } from '../../examples/table';
import { golden } from '../golden/read';

type State = Readonly<Record<string, number>>;

interface Fit {
  readonly model: string;
  readonly damped: boolean;
  readonly parameters: { alpha: number; beta?: number; gamma?: number; phi?: number };
  readonly initialState: State;
  readonly finalState: State;
  readonly meanSquaredError: number;
  readonly forecasts: readonly number[];
}

const { origin, season, fits } = golden<{ origin: number; season: number; fits: Fit[] }>('forecasting/ets');
const file = new URL('../../examples/forecasting/data/alcohol-sales.csv', import.meta.url);
const values = readTable(file)
  .slice(0, origin)
  .map(({ sales }) => Number(sales));

/** Level, slope, and seasonal components from the newest to the oldest. */
function read(state: State): { level: number; slope: number; seasonal: number[] } {
  const seasonal = Array.from({ length: season }, (_, i) => state[`s${i + 1}`] ?? 0);
  return { level: state['l']!, slope: state['b'] ?? 0, seasonal };
}

/** Forecasts of each observation from the previous ones, then `horizon` forecasts from the final state. */
function smooth({ model, parameters, initialState }: Fit, horizon: number): { fitted: number[]; forecasts: number[] } {
  const { alpha, beta = 0, gamma = 0, phi = 1 } = parameters;
  const multiplicative = model.endsWith('M');
  let { level, slope, seasonal } = read(initialState);
  const predict = (): number => {
    const trend = level + phi * slope;
    return multiplicative ? trend * seasonal.at(-1)! : trend + seasonal.at(-1)!;
  };
  const fitted = values.map((value) => {
    const forecast = predict();
    const trend = level + phi * slope;
    // The relative error of a model with multiplicative errors, in units of the level.
    const error = multiplicative ? ((value - forecast) / forecast) * trend : value - forecast;
    const oldest = seasonal.at(-1)!;
    level = trend + alpha * error;
    slope = phi * slope + beta * error;
    seasonal = [
      multiplicative ? oldest * (1 + (gamma * error) / trend) : oldest + gamma * error,
      ...seasonal.slice(0, -1),
    ];
    return forecast;
  });
  const forecasts = Array.from({ length: horizon }, () => {
    const forecast = predict();
    level += phi * slope;
    slope *= phi;
    seasonal = [seasonal.at(-1)!, ...seasonal.slice(0, -1)];
    return forecast;
  });
  return { fitted, forecasts };
}

it.each(fits.map((fit) => [`${fit.model}${fit.damped ? ', damped' : ''}`, fit] as const))('%s', (_, fit) => {
  const { fitted, forecasts } = smooth(fit, fit.forecasts.length);
  const squares = values.map((value, t) => (value - fitted[t]!) ** 2);
  const meanSquaredError = squares.reduce((sum, square) => sum + square, 0) / values.length;
  expect(meanSquaredError / fit.meanSquaredError).toBeCloseTo(1, 7);
  forecasts.forEach((forecast, h) => {
    expect(forecast / fit.forecasts[h]!).toBeCloseTo(1, 7);
  });
});
