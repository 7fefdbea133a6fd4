/** Exponential smoothing as a baseline. */

import { createRandom, normalNumber } from '../index';
import { checkArray, checkCount, checkNames, checkString, outOfRange } from '../tensor/shape';
import { type Distributed, type ForecastTask, filledValues, localMethod, type Method } from './methods';
import { quantileOfSorted } from './probability';
import { seasonalPart } from './seasonal-adjustment';
import { chooseModel, type Fit, predictNext, type State, stableModels, update } from './smoothing-models';

/** The options of {@link exponentialSmoothing}. */
export interface ExponentialSmoothingOptions {
  /**
   * The models to choose from by their letters for error (A, M), trend (N, A, Ad) and season (N, A, M): `['ANN',
   * 'MAdM']`. All 15 that are stable by default; those with M only for positive values.
   */
  readonly models?: readonly string[] | undefined;
  /** The number of simulated paths for the quantiles. 500 by default. */
  readonly paths?: number | undefined;
}

/**
 * Exponential smoothing (ETS). Fits every model to each history by maximum likelihood and forecasts with the one of
 * lowest AICc; the quantiles are those of simulated paths. A season of more than 24 steps is first removed by STL
 * (Cleveland et al., 1990), and its last values are added to the forecast, as `stlf` of R's package `forecast` does.
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
  const { models = stableModels, paths = 500 } = options;
  checkArray('exponentialSmoothing', 'models', models);
  for (const name of models) checkString('exponentialSmoothing', 'models', name);
  checkCount('exponentialSmoothing', 'paths', paths);
  const unknown = models.find((name) => !stableModels.includes(name));
  if (unknown !== undefined || models.length === 0)
    throw outOfRange('exponentialSmoothing', 'models', `some of ${stableModels.join(', ')}`, unknown ?? 'none');
  const withoutSeason = [...new Set(models.map((name) => `${name.slice(0, -1)}N`))];
  return localMethod('exponentialSmoothing', (observed, task) => {
    const m = task.season;
    const values = filledValues(observed, m);
    if (m <= longestSeason || values.length < 2 * m + 1) return simulate(chooseModel(values, models, m), task, paths);
    const season = seasonalPart(values, m);
    const adjusted = values.map((value, t) => value - season[t]!);
    const { median, quantile } = simulate(chooseModel(adjusted, withoutSeason, 1), task, paths);
    const seasonOf = (k: number): number => season[season.length - m + (k % m)]!;
    return {
      median: median.map((value, k) => value + seasonOf(k)),
      quantile: (k, level) => quantile(k, level) + seasonOf(k),
    };
  });
}

/** The longest season that a model has. For a longer one, AICc penalizes too many initial values. */
const longestSeason = 24;

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
