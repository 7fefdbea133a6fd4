/**
 * Calibration of the intervals of forecasts: conformal prediction with one factor, by which the quantiles are stretched
 * around the median (Romano, Patterson and Candès, 2019, "Conformalized quantile regression", arXiv 1905.03222, with
 * the relative scores of Sesia and Candès, 2020, arXiv 1909.05433).
 */

import { checkCount, checkNames, counted } from '../tensor/shape';
import type { FeaturePlan } from './features';
import { checkFitted, type FittedForecaster } from './fit-forecaster';
import { predictWindows, type Windows } from './network';
import { type CheckedSeries, checkSeries, checkStart, type Series } from './series';
import { scalerOf } from './state';
import { averageQuantile, coverageScore } from './step-quantiles';
import { checkRange } from './value-scaling';
import { originsOf, prepare, type WindowOrigin, windowsOf } from './windows';

/** The largest number of held-out windows. */
const mostHeld = 512;

/** The held-out windows in batches, evenly thinned. */
export function heldBatches(plan: FeaturePlan, held: readonly WindowOrigin[]): Windows[] {
  return thinned(held, mostHeld).map((origins) => windowsOf(plan, origins, 0));
}

/** At most `most` of the origins, evenly spaced from the oldest to the latest, in groups of 64. */
function thinned(origins: readonly WindowOrigin[], most: number): WindowOrigin[][] {
  const every = Math.ceil(origins.length / most);
  // In the order of the series, every n-th origin could be the oldest one of each series.
  const ordered = every > 1 ? [...origins].sort((a, b) => ageOf(b) - ageOf(a)) : origins;
  const used = ordered.filter((_, i) => i % every === 0);
  return Array.from({ length: Math.ceil(used.length / 64) }, (_, i) => used.slice(64 * i, 64 * (i + 1)));
}

/** The number of steps from an origin to the end of its series. */
const ageOf = ({ of, at }: WindowOrigin): number => of.series.values.length - 1 - at;

/** The score of a held-out value, and the number of steps from it to the end of its series. */
interface HeldScore {
  readonly score: number;
  readonly age: number;
}

/** The scores of the values in the horizons of the origins. */
function scoresAt(fitted: FittedForecaster, origins: readonly WindowOrigin[], most: number): HeldScore[] {
  const { horizon, distribution } = fitted.forecaster;
  const plain = { ...fitted, calibration: 1 };
  return thinned(origins, most).flatMap((group) => {
    const batch = windowsOf(fitted, group, 0);
    const outputs = fitted.members.map((member) => predictWindows(member, fitted.forecaster, batch).data);
    const [T = 0, B = 0] = batch.targets.shape;
    return group.flatMap((origin, b) =>
      Array.from({ length: horizon }, (_, k) => k).flatMap((k): HeldScore[] => {
        const row = (T - horizon + k) * B + b;
        if (batch.weights.data[row] === 0) return [];
        const scale = batch.scales.data[row]!;
        const quantile = averageQuantile(plain, outputs, row, scale);
        const score = coverageScore(distribution, quantile, batch.targets.data[row]!, scale);
        return [{ score, age: ageOf(origin) - 1 - k }];
      }),
    );
  });
}

/** Factors beyond these limits mean that the model is wrong, not its intervals. */
const leastFactor = 0.25;
const mostFactor = 4;

/**
 * The score that a fraction of 0.8 of the weight does not exceed. There are no limits for point forecasts, of which the
 * model predicts no intervals.
 */
function factorOf(scores: readonly HeldScore[], isPoint: boolean, weightOf: (age: number) => number): number {
  const sorted = [...scores].sort((a, b) => a.score - b.score);
  const total = sorted.reduce((sum, { age }) => sum + weightOf(age), 0);
  let weight = 0;
  const found = sorted.find(({ age }) => {
    weight += weightOf(age);
    return weight >= 0.8 * total;
  });
  const score = found?.score ?? 1;
  return isPoint ? Math.max(1e-9, score) : Math.min(mostFactor, Math.max(leastFactor, score));
}

/** The number of held-out windows without overlap at which the calibration counts half. */
const priorWindows = 10;

/**
 * The factor with which 80 % of the held-out values are in their 80 % intervals. Windows that overlap are not
 * independent, so there may be few of them: the factor is shrunk towards 1, except for point forecasts.
 */
export function calibrate(fitted: FittedForecaster, held: readonly WindowOrigin[]): number {
  // The intervals of counts contain their limits, so the correct ones cover more than 80 %.
  if (fitted.forecaster.distribution.name === 'negativeBinomial') return 1;
  const scores = scoresAt(fitted, held, mostHeld);
  if (isPointOf(fitted)) return factorOf(scores, true, () => 1);
  if (scores.length < 20) return 1;
  const { horizon } = fitted.forecaster;
  const windows = new Set(held.map(({ of, at }) => `${of.series.name}/${Math.floor(at / horizon)}`)).size;
  return factorOf(scores, false, () => 1) ** (windows / (windows + priorWindows));
}

const isPointOf = ({ forecaster }: FittedForecaster): boolean => forecaster.distribution.name === 'point';

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
  const { horizon } = fitted.forecaster;
  const rows = (each: CheckedSeries): number =>
    each.future.reduce((least, { length }) => Math.min(least, length), Infinity);
  const ahead = checked.reduce((least, each) => Math.min(least, rows(each) - each.values.length), horizon - 1);
  // Older scores would count less than 2 %.
  const used = Math.min(heldOut, 6 * halfLife * horizon);
  const prepared = checked.map((each) => prepare(fitted, extended(each, ahead), scalerOf(where, fitted, each)));
  const origins = originsOf(prepared, horizon, (N) => [N - ahead - 1 - used, N]);
  const scores = scoresAt(fitted, origins, mostRecent);
  if (scores.length === 0) return { ...fitted, calibration: fitted.trainedCalibration };
  const weightOf = (age: number): number => 0.5 ** ((age - ahead) / (halfLife * horizon));
  const { trainedCalibration } = fitted;
  const recent = factorOf(scores, isPointOf(fitted), weightOf);
  // A training without validation steps has no calibration of point forecasts.
  if (isPointOf(fitted) && trainedCalibration === 1) return { ...fitted, calibration: recent };
  const ages = new Set(scores.map(({ age }) => age));
  const horizons = [...ages].reduce((sum, age) => sum + weightOf(age), 0) / horizon;
  const share = horizons / (horizons + priorHorizons);
  return { ...fitted, calibration: trainedCalibration ** (1 - share) * recent ** share };
}

/** A series with missing values after its end, so that forecasts can be scored whose last steps are not known yet. */
function extended(series: CheckedSeries, ahead: number): CheckedSeries {
  const padded = (values: Float64Array, filler: number): Float64Array => {
    const longer = new Float64Array(values.length + ahead).fill(filler);
    longer.set(values);
    return longer;
  };
  return { ...series, values: padded(series.values, NaN), past: series.past.map((values) => padded(values, 0)) };
}
