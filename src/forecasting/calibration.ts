/**
 * Calibration of the intervals of forecasts: conformal prediction with one factor, by which the quantiles are stretched
 * around the median (Romano, Patterson and Candès, 2019, "Conformalized quantile regression", arXiv 1905.03222, with
 * the relative scores of Sesia and Candès, 2020, arXiv 1909.05433).
 */

import { checkCount, checkNames, counted } from '../tensor/shape';
import { type FeaturePlan, scaled } from './features';
import { checkFitted, type FittedForecaster } from './fit-forecaster';
import { quantilesOf } from './forecast';
import type { Forecaster } from './forecaster';
import type { Windows } from './network';
import { type CheckedSeries, checkSeries, checkStart, type Series } from './series';
import { type ForecastState, observeChecked, scalerOf } from './state';
import { coverageScore } from './step-quantiles';
import { checkRange } from './value-scaling';
import { type WindowOrigin, windowsOf } from './windows';

/** The largest number of held-out windows. */
const mostHeld = 512;

/** The held-out windows in batches, evenly thinned. */
export function heldBatches(plan: FeaturePlan, held: readonly WindowOrigin[]): Windows[] {
  return inBatches(thinned(held, ageOf, mostHeld)).map((origins) => windowsOf(plan, origins, 0));
}

/** At most `most` of the items, evenly spaced from the oldest to the latest. */
function thinned<T>(items: readonly T[], age: (item: T) => number, most: number): readonly T[] {
  const every = Math.ceil(items.length / most);
  // In the order of the series, every n-th item could be the oldest one of each series.
  const ordered = every > 1 ? [...items].sort((a, b) => age(b) - age(a)) : items;
  return ordered.filter((_, i) => i % every === 0);
}

const inBatches = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / 64) }, (_, i) => items.slice(64 * i, 64 * (i + 1)));

/** The number of steps from an origin to the end of its series. */
const ageOf = ({ of, at }: WindowOrigin): number => of.series.values.length - 1 - at;

/** The last step before a forecast of a series. */
interface Origin {
  readonly of: CheckedSeries;
  /** The number of steps from there to the end of the series. */
  readonly age: number;
}

/** The score of a held-out value, and the number of steps from it to the end of its series. */
interface HeldScore {
  readonly score: number;
  readonly age: number;
}

/** The scores of the values after the origins, in forecasts of at most `most` windows. */
function scoresAt(
  where: string,
  fitted: FittedForecaster,
  series: readonly CheckedSeries[],
  origins: readonly Origin[],
  most: number,
): HeldScore[] {
  const { horizon, mode, distribution } = fitted.forecaster;
  // Paths are sequences of forecasts of one step.
  const steps = mode === 'direct' ? horizon : 1;
  const used = thinned(origins, ({ age }) => age, (most * horizon) / steps);
  const plain = { ...fitted, calibration: 1 };
  return inBatches(statesAt(where, fitted, series, used)).flatMap((states) => {
    const quantileOf = quantilesOf(
      plain,
      states.map(({ state }) => state),
      steps,
    );
    return states.flatMap(({ of, age, state: { scaler, length } }, b) =>
      Array.from(of.values.subarray(length, length + steps), (value, k) => ({
        score: coverageScore(distribution, quantileOf(k, b), scaled(scaler, value), scaler.scale),
        age: age - 1 - k,
      })).filter(({ score }) => score >= 0),
    );
  });
}

/** The states of forecasts from the origins: those after all values before them. */
function statesAt(
  where: string,
  fitted: FittedForecaster,
  series: readonly CheckedSeries[],
  origins: readonly Origin[],
): (Origin & { readonly state: ForecastState })[] {
  const { horizon } = fitted.forecaster;
  const ages = [...new Set(origins.map(({ age }) => age))].sort((a, b) => b - a);
  let states: readonly ForecastState[] | undefined;
  return ages.flatMap((age) => {
    const parts = series.map((each, i) => {
      const from = states?.[i]?.length ?? 0;
      return partOf(each, from, Math.max(from, each.values.length - age), horizon);
    });
    const after = observeChecked(where, fitted, parts, states);
    states = after;
    return origins
      .filter((origin) => origin.age === age)
      .map((each) => ({ ...each, state: after[series.indexOf(each.of)]! }));
  });
}

/** The steps of a series from `from` up to, but not including, `to`, with future covariates of the horizon. */
function partOf(series: CheckedSeries, from: number, to: number, horizon: number): CheckedSeries {
  const part = (values: Float64Array): Float64Array => values.subarray(from, to);
  return {
    ...series,
    start: from ? undefined : series.start,
    values: part(series.values),
    past: series.past.map(part),
    future: series.future.map((values) => values.subarray(from, to + horizon)),
  };
}

/** Factors beyond these limits mean that the model is wrong, not its intervals. */
const leastFactor = 0.25;
const mostFactor = 4;

/**
 * The score that 80 % of the weight of new scores will not exceed. There are no limits for point forecasts, of which
 * the model predicts no intervals.
 *
 * @param horizons the number of horizons of the scores: the fewer, the more scores the factor must contain. For n
 * independent scores, that is 0.8 (1 + 1/n) of them (Romano et al., 2019); scores of one horizon depend on each other,
 * and the summand was chosen on the earlier period of the example "forecasting". Intervals of counts contain their
 * limits, so they need no correction.
 */
function factorOf(
  scores: readonly HeldScore[],
  forecaster: Forecaster,
  horizons: number,
  weightOf: (age: number) => number,
): number {
  const level = 0.8 + (isCount(forecaster) ? 0 : 0.1 / (1 + horizons));
  const sorted = [...scores].sort((a, b) => a.score - b.score);
  const total = sorted.reduce((sum, { age }) => sum + weightOf(age), 0);
  let weight = 0;
  const found = sorted.find(({ age }) => {
    weight += weightOf(age);
    return weight >= level * total;
  });
  const score = found?.score ?? 1;
  return isPoint(forecaster) ? Math.max(1e-9, score) : Math.min(mostFactor, Math.max(leastFactor, score));
}

const isPoint = ({ distribution }: Forecaster): boolean => distribution.name === 'point';
const isCount = ({ distribution }: Forecaster): boolean => distribution.name === 'negativeBinomial';

/** The number of held-out windows without overlap at which the calibration counts half. */
const priorWindows = 10;

/**
 * The factor with which 80 % of the held-out values are in their 80 % intervals. Windows that overlap are not
 * independent, so there may be few of them: the factor is shrunk towards 1, except for point forecasts.
 */
export function calibrate(
  where: string,
  fitted: FittedForecaster,
  series: readonly CheckedSeries[],
  held: readonly WindowOrigin[],
): number {
  const { forecaster } = fitted;
  // The intervals of counts contain their limits, so the correct ones cover more than 80 %.
  if (isCount(forecaster)) return 1;
  const origins = held.map((each) => ({ of: each.of.series, age: ageOf(each) }));
  const scores = scoresAt(where, fitted, series, origins, mostHeld);
  const windows = new Set(held.map(({ of, at }) => `${of.series.name}/${Math.floor(at / forecaster.horizon)}`)).size;
  const factor = factorOf(scores, forecaster, windows, () => 1);
  if (isPoint(forecaster)) return factor;
  return scores.length < 20 ? 1 : factor ** (windows / (windows + priorWindows));
}

/** The options of {@link recalibrate}. */
export interface RecalibrateOptions {
  /** The number of last steps of every series that were not in the training. */
  readonly heldOut: number;
}

/** A score counts half after this number of horizons. */
const halfLife = 2;
/** The number of recent horizons at which they count as much as the calibration of the training. */
const priorHorizons = 0.5;
/** The largest number of recent windows: {@link recalibrate} runs before every forecast. */
const mostRecent = 128;

/**
 * Adapts the intervals of a forecaster to the values after its training, without changing its medians: a series may
 * have become less or more variable. The last steps count most, as weights of conformal prediction under drift (Barber,
 * Candès, Ramdas and Tibshirani, 2023, arXiv 2202.13415): half after two horizons. With few steps, the calibration of
 * the training still counts. {@link backtest} does this at every origin.
 *
 * @param fitted a trained forecaster; each call starts from the calibration of the training
 * @param series with their history; no value after them is used
 * @returns the same networks with other intervals
 * @throws TypeError or RangeError if a series is wrong, as {@link fitForecaster}, has a value that its scaling or
 * distribution does not support, or does not have more than `heldOut` values
 * @example
 * const values = Float64Array.from({ length: 90 }, (_, t) => 10 + (t % 4) + (t < 60 ? 0.1 : 2) * Math.sin(t * t));
 * const training = [{ name: 'a', values: values.slice(0, 60) }];
 * const fitted = await fitForecaster(forecaster({ horizon: 4, seasons: [4] }), training, { steps: 60 });
 * const adapted = recalibrate(fitted, [{ name: 'a', values }], { heldOut: 30 });
 * adapted.calibration > fitted.calibration; // true
 */
export function recalibrate(
  fitted: FittedForecaster,
  series: readonly Series[],
  options: RecalibrateOptions,
): FittedForecaster {
  const where = 'recalibrate';
  checkFitted(where, fitted);
  checkNames(where, 'options', options, ['heldOut']);
  const { heldOut } = options;
  checkCount(where, 'heldOut', heldOut, 0);
  const checked = checkSeries(where, series, fitted.schema);
  checkRange(where, fitted.forecaster, checked);
  for (const each of checked) {
    checkStart(where, fitted.forecaster, each);
    const { name, values } = each;
    if (values.length <= heldOut)
      throw new RangeError(
        `${where}: series ${name}: must have more than ${counted(heldOut, 'value')}, got ${values.length}.`,
      );
  }
  const { forecaster, trainedCalibration } = fitted;
  // Older scores would count less than 2 %.
  const used = Math.min(heldOut, 6 * halfLife * forecaster.horizon);
  const origins = checked.flatMap((of) => Array.from({ length: used }, (_, i) => ({ of, age: used - i })));
  // The values before the first origin may be too few to scale a series that was not in the training.
  const scalers = Object.fromEntries(checked.map((each) => [each.name, scalerOf(where, fitted, each)]));
  const scores = scoresAt(where, { ...fitted, scalers }, checked, origins, mostRecent);
  const weightOf = (age: number): number => 0.5 ** (age / (halfLife * forecaster.horizon));
  const ages = new Set(scores.map(({ age }) => age));
  const horizons = [...ages].reduce((sum, age) => sum + weightOf(age), 0) / forecaster.horizon;
  const recent = factorOf(scores, forecaster, horizons, weightOf);
  // A training without validation steps has no calibration of point forecasts.
  if (isPoint(forecaster) && trainedCalibration === 1) return { ...fitted, calibration: recent };
  const share = horizons / (horizons + priorHorizons);
  return { ...fitted, calibration: trainedCalibration ** (1 - share) * recent ** share };
}
