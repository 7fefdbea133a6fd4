/** Anomalies: values that are improbable in the one-step forecasts of a forecaster. */

import type { Tensor } from '../index';
import { isArrayOf, lastOf } from '../tensor/arrays';
import { checkArray, checkCount, checkKind, checkNames, checkNumber, checkObject, mismatch } from '../tensor/shape';
import { appendValue, baseOf, copyTrack, scaled } from './features';
import { checkFitted, type FittedForecaster } from './fit-forecaster';
import { quantileOfSorted } from './probability';
import { checkSeries, type Series } from './series';
import { type ForecastState, observeChecked, type Row } from './state';
import { averageQuantile, spreadScore } from './step-quantiles';
import { isOutside } from './value-scaling';

/** The scores of one series. */
export interface AnomalyScores {
  readonly name: string;
  /**
   * One score per value: its distance from the median of the forecast of one step, in units of the distance of the
   * quantile 0.1 or 0.9 from the median on the same side, which is at least 1/2 for counts. Distances are those of
   * scaled values: of logarithms if the scaling is `'log'`, which `'auto'` may choose. The forecasts do not use the
   * linear skip, which applies only to the horizon. NaN for missing values and the first value of a series. Infinity
   * for values of 0 or less if the scaling is `'log'` or `'boxCox'`, which are defined only for positive ones, and for
   * negative counts.
   */
  readonly scores: Float64Array;
  /** The states after the series, from which later values can be scored. */
  readonly state: ForecastState;
}

/**
 * Scores every value of series by the forecast from the values before it. Values that the scaling or the distribution
 * does not support have the score `Infinity`, and count as missing in the forecasts of later ones.
 *
 * @param states the states before the values, as {@link observe} returns them; without them, the series start with
 * their first value
 * @throws TypeError or RangeError as {@link observe}, except for values that are not supported
 * @example
 * const values = Float64Array.from({ length: 90 }, (_, t) => 10 + (t % 4) + 0.1 * Math.sin(t * t));
 * values[80] = 30;
 * const training = [{ name: 'a', values: values.slice(0, 60) }];
 * const fitted = await fitForecaster(forecaster({ horizon: 4, seasons: [4] }), training, { steps: 60 });
 * const [{ scores }] = scoreAnomalies(fitted, [{ name: 'a', values }]) as [AnomalyScores];
 * scores.subarray(60).indexOf(Math.max(...scores.subarray(60))); // 20
 */
export function scoreAnomalies(
  fitted: FittedForecaster,
  series: readonly Series[],
  states?: readonly ForecastState[],
): AnomalyScores[] {
  const where = 'scoreAnomalies';
  checkFitted(where, fitted);
  const all = new Map<string, Float64Array>();
  const outputs: Tensor[] = [];
  const checked = checkSeries(where, series, fitted.schema);
  const isImpossible = (value: number): boolean => isOutside(fitted.forecaster, value);
  const possible = checked.map((each) => ({
    ...each,
    values: each.values.map((value) => (isImpossible(value) ? NaN : value)),
  }));
  const after = observeChecked(where, fitted, possible, states, (member, output, rows) => {
    outputs[member] = output;
    if (member < fitted.members.length - 1) return;
    rows.forEach((row, b) => {
      all.set(row.series.name, scoresOfRow(fitted, row, b, rows.length, outputs));
    });
  });
  return after.map((state, i) => {
    const scores = checked[i]!.values.map((value, t) => (isImpossible(value) ? Infinity : all.get(state.name)![t]!));
    return { name: state.name, scores, state };
  });
}

/** The scores of row b of B. The outputs of the networks get their bases. */
function scoresOfRow(
  fitted: FittedForecaster,
  { series, state }: Row,
  b: number,
  B: number,
  outputs: readonly Tensor[],
): Float64Array {
  const { forecaster } = fitted;
  const P = forecaster.distribution.size;
  const track = copyTrack(state.track);
  const data = outputs.map((output) => output.data);
  return Float64Array.from(series.values, (value, i) => {
    const t = state.length + i;
    const row = i * B + b;
    const base = baseOf(forecaster, track, t, t - 1);
    for (const each of data) each[row * P]! += base;
    const y = scaled(state.scaler, value);
    appendValue(track, forecaster, y);
    if (Number.isNaN(y) || t === 0) return NaN;
    const { scale } = state.scaler;
    // All quantiles of small counts can be equal.
    const least = forecaster.distribution.name === 'negativeBinomial' ? 0.5 / scale : undefined;
    return spreadScore(averageQuantile(fitted, data, row, scale), y, least);
  });
}

/** The options of {@link calibrateAnomalies}. */
export interface AnomalyOptions {
  /** The expected fraction of regular values that are reported. 0.01 by default. */
  readonly rate?: number | undefined;
  /** The number of values of a window. 1, the default, finds single values; longer windows find changes. */
  readonly window?: number | undefined;
}

/** The threshold of anomalies, calibrated on held-out data. Plain data. */
export interface AnomalyDetector {
  readonly window: number;
  readonly threshold: number;
}

/**
 * Calibrates the threshold of anomalies: the quantile 1 − rate of the scores of data without known anomalies, on which
 * the forecaster was not trained. The score of a window is the mean of the scores of its values. Infinite scores do not
 * count: their values are known to be anomalies.
 *
 * @throws RangeError if there are fewer than 1 / rate finite scores, or an option is out of range
 * @example
 * const scores = [{ name: 'a', scores: Float64Array.from({ length: 1000 }, (_, i) => i / 1000) }];
 * calibrateAnomalies(scores, { rate: 0.01 }).threshold.toFixed(2); // '0.99'
 */
export function calibrateAnomalies(
  scores: readonly Pick<AnomalyScores, 'name' | 'scores'>[],
  options: AnomalyOptions = {},
): AnomalyDetector {
  const where = 'calibrateAnomalies';
  checkNames(where, 'options', options, ['rate', 'window']);
  const { rate = 0.01, window = 1 } = options;
  checkNumber(where, 'rate', rate, 1e-9, 0.5);
  checkCount(where, 'window', window);
  checkScores(where, scores);
  const all = scores.flatMap((each) => Array.from(windowScores(each.scores, window))).filter(Number.isFinite);
  // 1 / (1 / 49) is larger than 49.
  const least = Math.ceil(1 / rate - 1e-9);
  if (all.length < least)
    throw new RangeError(
      `${where}: scores must have at least ${least} values for a rate of ${rate}, got ${all.length}.`,
    );
  all.sort((a, b) => a - b);
  return { window, threshold: quantileOfSorted(all, 1 - rate) };
}

/** A range of values whose scores exceed the threshold. */
export interface Anomaly {
  /** The name of the series. */
  readonly name: string;
  /** The first index, counted from the first score, and the index after the last one. */
  readonly start: number;
  readonly end: number;
  /** The largest score of a value, or of a window, in the range. */
  readonly score: number;
}

/**
 * Finds anomalies: values, or windows, whose score exceeds the threshold. Overlapping windows and neighbors are joined.
 *
 * @example
 * const scores = [{ name: 'a', scores: Float64Array.of(0.5, 4, 5, 0.2) }];
 * const [found] = findAnomalies({ window: 1, threshold: 3 }, scores);
 * found!.start === 1 && found!.end === 3 && found!.score === 5; // true
 */
export function findAnomalies(
  detector: AnomalyDetector,
  scores: readonly Pick<AnomalyScores, 'name' | 'scores'>[],
): Anomaly[] {
  checkKind('findAnomalies', 'detector', detector, 'a detector, as calibrateAnomalies returns', 'threshold');
  const { window, threshold } = detector;
  checkCount('findAnomalies', 'detector.window', window);
  checkNumber('findAnomalies', 'detector.threshold', threshold);
  checkScores('findAnomalies', scores);
  return scores.flatMap(({ name, scores: values }) => {
    const found: Anomaly[] = [];
    windowScores(values, window).forEach((score, end) => {
      if (!(score > threshold)) return;
      const last = lastOf(found);
      const start = end - window + 1;
      if (last !== undefined && start <= last.end)
        found[found.length - 1] = { ...last, end: end + 1, score: Math.max(last.score, score) };
      else found.push({ name, start, end: end + 1, score });
    });
    return found;
  });
}

/** @throws TypeError if scores are not those of series */
function checkScores(where: string, scores: readonly Pick<AnomalyScores, 'name' | 'scores'>[]): void {
  checkArray(where, 'scores', scores);
  for (const [i, each] of scores.entries()) {
    checkObject(where, `scores[${i}]`, each);
    if (!isArrayOf('Float64Array', each.scores))
      throw mismatch(where, `scores[${i}].scores`, 'a Float64Array, as scoreAnomalies returns', each.scores);
  }
}

/** The mean score of the window that ends at each value, without missing ones; NaN before the first full window. */
function windowScores(scores: Float64Array, window: number): Float64Array {
  return scores.map((_, end) => {
    if (end < window - 1) return NaN;
    const values = scores.subarray(end - window + 1, end + 1).filter((score) => !Number.isNaN(score));
    return values.reduce((sum, score) => sum + score, 0) / values.length;
  });
}
