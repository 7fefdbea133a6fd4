/** The options of forecasters. */

import { type Cell, gru, recurrent } from '../index';
import type { Complete } from '../tensor/complete';
import { withCaller } from '../tensor/error-context';
import { checkArray, checkBelowOne, checkChoice, checkCount, checkNames, checkNumber } from '../tensor/shape';
import { defaultSeason, type Frequency } from './calendar';
import { checkDistribution, type Distribution, quantiles } from './distributions';
import type { Scaling } from './value-scaling';

/** The options of {@link forecaster}. Only `horizon` is required. */
export interface ForecasterOptions {
  /** The number of steps to forecast. */
  readonly horizon: number;
  /** The time between two values. With it, the network has calendar features, and series need a `start`. */
  readonly frequency?: Frequency | undefined;
  /**
   * The lengths of the seasons in steps, the main one first: `[48, 336]` for half-hourly data with days and weeks, `[]`
   * for none. By default, the season of the frequency: 12 for months, 7 for days, 24 for hours.
   */
  readonly seasons?: readonly number[] | undefined;
  /**
   * The number of steps before the forecast in a training window. By default two main seasons, but at least twice the
   * horizon and at least 8.
   */
  readonly context?: number | undefined;
  /** `gru()` by default. */
  readonly cell?: Cell | undefined;
  /** The size of the hidden state. 32 by default. */
  readonly hiddenSize?: number | undefined;
  /** The number of recurrent layers. 1 by default. */
  readonly layers?: number | undefined;
  /** The probability that an output of the recurrent layers is dropped in training. 0.1 by default. */
  readonly dropout?: number | undefined;
  /**
   * `'direct'`, the default, forecasts all steps at once. `'autoregressive'` forecasts one step, draws a value, and
   * continues from it, many times: the sampled paths are consistent over the steps (DeepAR: Salinas et al., 2020, arXiv
   * 1704.04110).
   */
  readonly mode?: 'direct' | 'autoregressive' | undefined;
  /** {@link quantiles} by default. */
  readonly distribution?: Distribution | undefined;
  /** `'auto'` by default, `'mean'` for counts. */
  readonly scaling?: Scaling | undefined;
  /**
   * The value that the network corrects: that of one season earlier (`'seasonal'`: seasonal differencing), the last one
   * (`'last'`, the default), the mean of the last season (`'level'`, the default for counts), or zero.
   */
  readonly base?: 'seasonal' | 'last' | 'level' | 'none' | undefined;
  /**
   * Whether a linear function of the context is added to the location, which can represent an autoregressive model
   * (Lai et al., 2018, arXiv 1703.07015). By default, true for direct forecasts, except of counts.
   */
  readonly linearSkip?: boolean | undefined;
  /** The number of networks, with different initial parameters, whose forecasts are averaged. 1 by default. */
  readonly members?: number | undefined;
  /** The seed of the initial parameters. 0 by default. */
  readonly seed?: number | undefined;
}

/** A forecaster before training: its options, with all defaults. */
export interface Forecaster extends Complete<Omit<ForecasterOptions, 'frequency'>> {
  readonly frequency: Frequency | undefined;
}

/**
 * Describes a recurrent network that forecasts series. {@link fitForecaster} trains it.
 *
 * @throws TypeError if an option is unknown or of another type
 * @throws RangeError if an option is out of range, or two of them do not fit
 * @example
 * const daily = forecaster({ horizon: 14, frequency: 'day' });
 * daily.seasons; // [7]
 * daily.context; // 28
 */
export function forecaster(options: ForecasterOptions): Forecaster {
  const where = 'forecaster';
  checkNames(where, 'options', options, [
    'horizon',
    'frequency',
    'seasons',
    'context',
    'cell',
    'hiddenSize',
    'layers',
    'dropout',
    'mode',
    'distribution',
    'scaling',
    'base',
    'linearSkip',
    'members',
    'seed',
  ]);
  const { horizon, frequency, mode = 'direct', distribution = quantiles(), layers = 1, members = 1 } = options;
  checkCount(where, 'horizon', horizon);
  checkDistribution(where, 'distribution', distribution);
  const season = defaultSeason(frequency);
  const seasons = options.seasons ?? (season > 1 ? [season] : []);
  checkArray(where, 'seasons', seasons);
  for (const each of seasons) checkCount(where, 'seasons', each, 2);
  const isCount = distribution.name === 'negativeBinomial';
  const base = options.base ?? (isCount ? 'level' : 'last');
  const context = options.context ?? Math.max(2 * horizon, 2 * (seasons[0] ?? 1), 8);
  const { cell = gru(), hiddenSize = 32, dropout = 0.1, scaling = isCount ? 'mean' : 'auto', seed = 0 } = options;
  const { linearSkip = mode === 'direct' && !isCount } = options;
  for (const [name, value] of Object.entries({ context, hiddenSize, layers, members })) checkCount(where, name, value);
  withCaller(where, () => recurrent(cell, { hiddenSize })); // checks the cell
  checkBelowOne(where, 'dropout', dropout);
  checkChoice(where, 'mode', mode, ['direct', 'autoregressive']);
  checkChoice(where, 'scaling', scaling, ['auto', 'none', 'mean', 'standard', 'log', 'boxCox']);
  checkChoice(where, 'base', base, ['seasonal', 'last', 'level', 'none']);
  checkNumber(where, 'seed', seed);
  if (base === 'seasonal' && seasons.length === 0)
    throw new RangeError(`${where}: base 'seasonal' needs seasons or a frequency with a season.`);
  if (isCount && scaling !== 'mean' && scaling !== 'none')
    throw new RangeError(`${where}: negativeBinomial needs scaling 'mean' or 'none', got ${scaling}.`);
  if (linearSkip && mode !== 'direct') throw new RangeError(`${where}: linearSkip needs mode 'direct', got ${mode}.`);
  return {
    horizon,
    frequency,
    seasons: [...seasons],
    context,
    cell,
    hiddenSize,
    layers,
    dropout,
    mode,
    distribution,
    scaling,
    base,
    linearSkip,
    members,
    seed,
  };
}
