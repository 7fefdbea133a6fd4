/**
 * Exponential smoothing as state space models with errors, trend and season (Hyndman, Koehler, Ord and Snyder, 2008,
 * "Forecasting with Exponential Smoothing"), with automatic choice by AICc.
 *
 * With prediction μ, error e (additive: y − μ; multiplicative: (y − μ)/μ), level l, trend b with damping φ, season s:
 *
 *     q = l + φ b          μ = q, q + s, or q · s
 *     l' = q + α d         d = y − μ, or (y − μ)/s with a multiplicative season
 *     b' = φ b + β d       s' = s + γ (y − μ), or s + γ (y − μ)/q
 */

import { createRandom, normalNumber } from '../index';
import { checkArray, checkCount, checkNames, checkString, outOfRange } from '../tensor/shape';
import { type Distributed, type ForecastTask, localMethod, type Method } from './methods';
import { minimize } from './nelder-mead';
import { quantileOfSorted } from './probability';
import { momentsOf } from './value-scaling';

/** The options of {@link exponentialSmoothing}. */
export interface ExponentialSmoothingOptions {
  /**
   * The models to choose from by their letters for error (A, M), trend (N, A, Ad) and season (N, A, M): `['ANN',
   * 'MAdM']`. All 15 that are stable by default; those with M only for positive values.
   */
  readonly models?: readonly string[];
  /** The number of simulated paths for the quantiles. 500 by default. */
  readonly paths?: number;
}

interface Model {
  readonly error: 'A' | 'M';
  readonly trend: 'N' | 'A' | 'Ad';
  readonly season: 'N' | 'A' | 'M';
}

interface Parameters {
  readonly alpha: number;
  readonly beta: number;
  readonly gamma: number;
  readonly phi: number;
}

interface State {
  level: number;
  trend: number;
  /** The season of the next values, in order. */
  readonly season: number[];
}

interface Fit {
  readonly model: Model;
  readonly parameters: Parameters;
  readonly state: State;
  readonly deviation: number;
  readonly aicc: number;
}

const stable = [
  'ANN',
  'AAN',
  'AAdN',
  'ANA',
  'AAA',
  'AAdA',
  'MNN',
  'MAN',
  'MAdN',
  'MNA',
  'MAA',
  'MAdA',
  'MNM',
  'MAM',
  'MAdM',
];

/**
 * Exponential smoothing (ETS). Fits every model to each history by maximum likelihood and forecasts with the one of the
 * least AICc; the quantiles are those of simulated paths.
 *
 * @throws RangeError if a model is not one of the 15
 * @example
 * const values = Float64Array.from({ length: 48 }, (_, t) => 100 + t + [0, 9, 4, -13][t % 4]!);
 * const task = { horizon: 2, season: 4, frequency: undefined, levels: [0.1, 0.5, 0.9] };
 * const fitted = await exponentialSmoothing({ models: ['AAA'] })([], task);
 * Math.round(fitted([{ name: 'a', values }])[0]!.median[1]!); // 158
 */
export function exponentialSmoothing(options: ExponentialSmoothingOptions = {}): Method {
  checkNames('exponentialSmoothing', 'options', options, ['models', 'paths']);
  const { models = stable, paths = 500 } = options;
  checkArray('exponentialSmoothing', 'models', models);
  for (const name of models) checkString('exponentialSmoothing', 'models', name);
  checkCount('exponentialSmoothing', 'paths', paths);
  const unknown = models.find((name) => !stable.includes(name));
  if (unknown !== undefined || models.length === 0)
    throw outOfRange('exponentialSmoothing', 'models', `some of ${stable.join(', ')}`, unknown ?? 'none');
  return localMethod((values, task) => simulate(chooseModel(values, models, task.season), task, paths));
}

const modelOf = (name: string): Model => ({
  error: name[0] as Model['error'],
  trend: name.slice(1, -1) as Model['trend'],
  season: name[name.length - 1] as Model['season'],
});

/** The model with the least AICc. */
export function chooseModel(values: Float64Array, names: readonly string[], season: number): Fit {
  const isPositive = values.every((value) => value > 0);
  const isSeasonal = season > 1 && values.length >= 2 * season + 1;
  const fits = names
    .map(modelOf)
    .filter((model) => (isPositive || !Object.values(model).includes('M')) && (isSeasonal || model.season === 'N'))
    .map((model) => fitModel(model, values, season));
  // With unusual values, such as few, only the simplest model is left.
  fits.push(...(fits.length === 0 ? [fitModel(modelOf('ANN'), values, season)] : []));
  return fits.reduce((best, fit) => (fit.aicc < best.aicc || Number.isNaN(best.aicc) ? fit : best));
}

/** The initial season, from the ratios to or differences from centered moving averages, and the values without it. */
function decompose(values: Float64Array, kind: Model['season'], m: number): { season: number[]; rest: number[] } {
  if (kind === 'N') return { season: [], rest: Array.from(values) };
  const isAdditive = kind === 'A';
  const sums = new Array<number>(m).fill(0);
  const counts = new Array<number>(m).fill(0);
  const half = Math.floor(m / 2);
  // The first few seasons: later ones may have another shape.
  const N = Math.min(values.length, Math.max(4 * m, 3 * m + 1));
  for (let t = half; t + half < N; t++) {
    let average = 0;
    for (let j = -half; j <= half; j++) average += values[t + j]! * (m % 2 === 0 && Math.abs(j) === half ? 0.5 : 1);
    average /= m;
    sums[t % m]! += isAdditive ? values[t]! - average : values[t]! / average;
    counts[t % m]!++;
  }
  const raw = sums.map((sum, i) => (counts[i]! > 0 ? sum / counts[i]! : isAdditive ? 0 : 1));
  const mean = raw.reduce((sum, value) => sum + value / m, 0);
  const season = raw.map((value) => (isAdditive ? value - mean : Math.max(value / mean, 1e-2)));
  return {
    season,
    rest: Array.from(values, (value, t) => (isAdditive ? value - season[t % m]! : value / season[t % m]!)),
  };
}

function fitModel(model: Model, values: Float64Array, m: number): Fit {
  const { season, rest } = decompose(values, model.season, m);
  const hasTrend = model.trend !== 'N';
  const head = rest.slice(0, Math.max(10, m));
  const line = lineOf(head);
  const scale = momentsOf(values).deviation || 1;
  // Optimized on unbounded coordinates: the smoothing parameters by a logistic function, initial states in deviations.
  const start = [
    -0.8,
    hasTrend ? -3 : [],
    model.season === 'N' ? [] : -2.5,
    model.trend === 'Ad' ? 2 : [],
    0,
    hasTrend ? 0 : [],
  ].flat();
  const read = (point: readonly number[]): { parameters: Parameters; level: number; trend: number } => {
    let at = 0;
    const next = (): number => point[at++]!;
    const alpha = within(next(), 1e-4, 0.9999);
    const beta = hasTrend ? within(next(), 1e-4, alpha) : 0;
    const gamma = model.season === 'N' ? 0 : within(next(), 1e-4, 1 - alpha);
    const phi = model.trend === 'Ad' ? within(next(), 0.8, 0.98) : 1;
    const level = (hasTrend ? line.level : mean(head)) + scale * next();
    return { parameters: { alpha, beta, gamma, phi }, level, trend: hasTrend ? line.slope + (scale / 10) * next() : 0 };
  };
  const likelihoodOf = (point: readonly number[]): { value: number; state: State; deviation: number } => {
    const { parameters, level, trend } = read(point);
    const state = { level, trend, season: [...season] };
    return { ...smooth(model, parameters, state, values), state };
  };
  const { point } = minimize((x) => likelihoodOf(x).value, start, { scale: 0.5, iterations: 120 * start.length });
  const { value, state, deviation } = likelihoodOf(point);
  // All initial states and the variance are parameters.
  const k = start.length + (model.season === 'N' ? 0 : m - 1) + 1;
  const N = values.length;
  const aicc = N - k - 1 > 0 ? value + 2 * k + (2 * k * (k + 1)) / (N - k - 1) : Infinity;
  return { model, parameters: read(point).parameters, state, deviation, aicc };
}

const within = (x: number, low: number, high: number): number => low + (high - low) / (1 + Math.exp(-x));
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The line of least squares; the level is that before the first value. */
function lineOf(values: readonly number[]): { readonly level: number; readonly slope: number } {
  const n = values.length;
  const [x, y] = [(n + 1) / 2, mean(values)];
  let [products, squares] = [0, 0];
  values.forEach((value, i) => {
    products += (i + 1 - x) * (value - y);
    squares += (i + 1 - x) ** 2;
  });
  const slope = squares > 0 ? products / squares : 0;
  return { level: y - slope * x, slope };
}

/** The prediction of the next value, and the value without season. */
function predictNext(
  { season: kind }: Model,
  { phi }: Parameters,
  { level, trend, season }: State,
): [mu: number, q: number] {
  const q = level + phi * trend;
  return [kind === 'N' ? q : kind === 'A' ? q + season[0]! : q * season[0]!, q];
}

/** Updates the state after a value that differs from its prediction by `difference`. */
function update(
  model: Model,
  { alpha, beta, gamma, phi }: Parameters,
  state: State,
  q: number,
  difference: number,
): void {
  const s = model.season === 'N' ? 0 : state.season.shift()!;
  const d = model.season === 'M' ? difference / s : difference;
  state.level = q + alpha * d;
  state.trend = phi * state.trend + beta * d;
  if (model.season !== 'N') state.season.push(s + gamma * (model.season === 'M' ? difference / q : difference));
}

/** Runs a model over values, and changes the state. Returns −2 log likelihood and the deviation of the errors. */
function smooth(
  model: Model,
  parameters: Parameters,
  state: State,
  values: Float64Array,
): { readonly value: number; readonly deviation: number } {
  let [squares, logs] = [0, 0];
  for (const y of values) {
    const [mu, q] = predictNext(model, parameters, state);
    if (model.error === 'M') {
      if (!(mu > 0)) return { value: Infinity, deviation: NaN };
      logs += Math.log(mu);
      squares += ((y - mu) / mu) ** 2;
    } else squares += (y - mu) ** 2;
    update(model, parameters, state, q, y - mu);
  }
  const N = values.length;
  // Without errors the likelihood has no maximum.
  return { value: N * Math.log(Math.max(squares, 1e-20)) + 2 * logs, deviation: Math.sqrt(squares / N) };
}

/** The forecast of a fitted model: its prediction without errors, and quantiles of simulated paths around it. */
function simulate({ model, parameters, state, deviation }: Fit, { horizon }: ForecastTask, paths: number): Distributed {
  const run = (error: () => number): number[] => {
    const own: State = { ...state, season: [...state.season] };
    return Array.from({ length: horizon }, () => {
      const [mu, q] = predictNext(model, parameters, own);
      const difference = error() * (model.error === 'M' ? mu : 1);
      update(model, parameters, own, q, difference);
      return mu + difference;
    });
  };
  const random = createRandom(0);
  const simulated = Array.from({ length: paths }, () => run(() => normalNumber(random, 0, deviation)));
  const sorted = Array.from({ length: horizon }, (_, k) => simulated.map((path) => path[k]!).sort((a, b) => a - b));
  return { median: run(() => 0), quantile: (k, level) => quantileOfSorted(sorted[k]!, level) };
}
