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

import { minimize } from './nelder-mead';
import { momentsOf } from './value-scaling';

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

/** The state after a value. */
export interface State {
  level: number;
  trend: number;
  /** The season of the next values, in order. */
  readonly season: number[];
}

/** A fitted model. */
export interface Fit {
  readonly model: Model;
  readonly parameters: Parameters;
  readonly state: State;
  readonly deviation: number;
  readonly aicc: number;
}

/** The models that are stable. */
export const stableModels: readonly string[] = [
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

const modelOf = (name: string): Model => ({
  error: name[0] as Model['error'],
  trend: name.slice(1, -1) as Model['trend'],
  season: name[name.length - 1] as Model['season'],
});

/** The model with the least AICc, of those that predict positive values if their errors are relative. */
export function chooseModel(values: Float64Array, names: readonly string[], season: number): Fit {
  const isPositive = values.every((value) => value > 0);
  const isSeasonal = season > 1 && values.length >= 2 * season + 1;
  const fits = names
    .map(modelOf)
    .filter((model) => (isPositive || !Object.values(model).includes('M')) && (isSeasonal || model.season === 'N'))
    .map((model) => fitModel(model, values, season))
    .filter(({ deviation }) => Number.isFinite(deviation));
  // With unusual values, such as few, or some near 0, only the simplest model is left.
  if (fits.length === 0) return fitModel(modelOf('ANN'), values, season);
  return fits.reduce((best, fit) => (fit.aicc < best.aicc ? fit : best));
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

/**
 * Fits a model. The likelihood can have two optima, so the search begins near both: those of a season that changes and
 * of one that does not; without a season, those of an average and of a level and trend that follow the last values.
 */
function fitModel(model: Model, values: Float64Array, m: number): Fit {
  const fit = fitFrom(model, values, m, {});
  const other = fitFrom(model, values, m, model.season === 'N' ? { alpha: 3, beta: 2 } : { gamma: -7 });
  return other.aicc < fit.aicc ? other : fit;
}

/** Fits a model from first smoothing parameters, as coordinates of the logistic function. */
function fitFrom(
  model: Model,
  values: Float64Array,
  m: number,
  { alpha = -0.8, beta = -3, gamma = -2.5 }: Partial<Parameters>,
): Fit {
  const { season: firstSeason, rest } = decompose(values, model.season, m);
  let season: readonly number[] = firstSeason;
  const hasTrend = model.trend !== 'N';
  const head = rest.slice(0, Math.max(10, m));
  const line = lineOf(head);
  const scale = momentsOf(values).deviation || 1;
  // Optimized on unbounded coordinates: the smoothing parameters by a logistic function, initial states in deviations.
  const start = [
    alpha,
    hasTrend ? beta : [],
    model.season === 'N' ? [] : gamma,
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
  const stateOf = (level: number, trend: number): State => ({ level, trend, season: [...season] });
  const likelihoodOf = (point: readonly number[]): { value: number; state: State; deviation: number } => {
    const { parameters, level, trend } = read(point);
    const state = stateOf(level, trend);
    if (model.season !== 'N' && !isStable(parameters, m)) return { value: Infinity, state, deviation: NaN };
    return { ...smooth(model, parameters, state, values), state };
  };
  const search = (from: readonly number[], scale: number, iterations: number): readonly number[] =>
    minimize((x) => likelihoodOf(x).value, from, { scale, iterations: iterations * from.length, tolerance: 1e-7 });
  let point = search(start, 0.5, 120);
  for (let round = 0; round < rounds && model.season !== 'N'; round++) {
    const { parameters, level, trend } = read(point);
    season = improveSeason(model, parameters, stateOf(level, trend), values);
    point = search(point, 0.1, 60);
  }
  const { value, state, deviation } = likelihoodOf(point);
  // All initial states and the variance are parameters.
  const k = start.length + (model.season === 'N' ? 0 : m - 1) + 1;
  const N = values.length;
  const aicc = N - k - 1 > 0 ? value + 2 * k + (2 * k * (k + 1)) / (N - k - 1) : Infinity;
  return { model, parameters: read(point).parameters, state, deviation, aicc };
}

/**
 * Whether the influence of old values on a model with a season of m steps does not grow: no root of its characteristic
 * polynomial is outside of the unit circle (Hyndman, Akram and Archibald, 2008, "The Admissible Parameter Space for
 * Exponential Smoothing Models"). Models without a season are stable with all parameters in use.
 */
export function isStable({ alpha, beta, gamma, phi }: Parameters, m: number): boolean {
  const inner = alpha + beta - alpha * phi;
  const middle = new Array<number>(m - 2).fill(inner);
  // From the constant on, for roots divided by a little more than 1.
  let polynomial = [phi * (1 - alpha - gamma), inner + gamma - 1, ...middle, alpha + beta - phi, 1].map(
    (coefficient, power) => coefficient * (1 + 1e-9) ** power,
  );
  // The test of Schur and Cohn: every step divides out one degree.
  while (polynomial.length > 1) {
    const degree = polynomial.length - 1;
    const ratio = polynomial[0]! / polynomial[degree]!;
    if (!(Math.abs(ratio) < 1)) return false;
    polynomial = polynomial.slice(1).map((coefficient, i) => coefficient - ratio * polynomial[degree - 1 - i]!);
  }
  return true;
}

/** How often the initial season and the other parameters are optimized in turn. */
const rounds = 2;

/** Improves the initial season by a step of the Gauss-Newton method, if the likelihood increases. */
function improveSeason(model: Model, parameters: Parameters, state: State, values: Float64Array): readonly number[] {
  const { season } = state;
  const run = (candidate: readonly number[]): { value: number; errors: Float64Array } => {
    const errors = new Float64Array(values.length);
    const { value } = smooth(model, parameters, { ...state, season: [...candidate] }, values, errors);
    return { value, errors };
  };
  const current = run(season);
  const step = 1e-4 * (model.season === 'M' ? 1 : momentsOf(values).deviation);
  const slopes = season.map((_, i) => {
    const { errors } = run(season.map((value, j) => (i === j ? value + step : value)));
    return errors.map((error, t) => (error - current.errors[t]!) / step);
  });
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, t) => sum + x * b[t]!, 0);
  const products = slopes.map((a) => slopes.map((b) => dot(a, b)));
  const change = solve(
    products,
    slopes.map((a) => -dot(a, current.errors)),
  );
  for (let factor = 1; factor > 0.1; factor /= 2) {
    const candidate = season.map((value, i) => value + factor * change[i]!);
    if (run(candidate).value < current.value) return candidate;
  }
  return season;
}

/** Solves a system with a symmetric positive matrix, to which a little is added, since a sum of it may be 0. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const n = right.length;
  const ridge = (1e-8 * matrix.reduce((sum, row, i) => sum + row[i]!, 0)) / n;
  const rows = matrix.map((row, i) => [...row.map((value, j) => (i === j ? value + ridge : value)), right[i]!]);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      if (k === i) continue;
      const factor = rows[k]![i]! / rows[i]![i]!;
      for (let j = i; j <= n; j++) rows[k]![j]! -= factor * rows[i]![j]!;
    }
  }
  return rows.map((row, i) => row[n]! / row[i]!);
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
export function predictNext(
  { season: kind }: Model,
  { phi }: Parameters,
  { level, trend, season }: State,
): [mu: number, q: number] {
  const q = level + phi * trend;
  return [kind === 'N' ? q : kind === 'A' ? q + season[0]! : q * season[0]!, q];
}

/** Updates the state after a value that differs from its prediction by `difference`. */
export function update(
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

/**
 * Runs a model over values, and changes the state. Returns −2 log likelihood and the deviation of the errors.
 *
 * @param scaledErrors receives the errors, scaled such that the likelihood is greatest where their squares are least
 */
function smooth(
  model: Model,
  parameters: Parameters,
  state: State,
  values: Float64Array,
  scaledErrors?: Float64Array,
): { readonly value: number; readonly deviation: number } {
  const N = values.length;
  let [squares, logs] = [0, 0];
  for (let t = 0; t < N; t++) {
    const [mu, q] = predictNext(model, parameters, state);
    if (model.error === 'M' && !(mu > 0)) return { value: Infinity, deviation: NaN };
    const difference = values[t]! - mu;
    const error = model.error === 'M' ? difference / mu : difference;
    if (model.error === 'M') logs += Math.log(mu);
    squares += error * error;
    if (scaledErrors) scaledErrors[t] = error;
    update(model, parameters, state, q, difference);
  }
  scaledErrors?.forEach((error, t) => {
    scaledErrors[t] = error * Math.exp(logs / N);
  });
  // Without errors the likelihood has no maximum.
  return { value: N * Math.log(Math.max(squares, 1e-20)) + 2 * logs, deviation: Math.sqrt(squares / N) };
}
