/**
 * The inputs of the network. Step t predicts the value at t from inputs that depend only on values up to an origin: t −
 * 1 in the history, and the last observed value in the horizon of a direct forecast. Values are relative to the level
 * at the origin, the mean of the last season, so that a trend does not leave the range of the training data.
 */

import type { Scaler } from '../index';
import { lastOf } from '../tensor/arrays';
import { calendarFeatures, calendarSize, parseFrequency, timeAfter } from './calendar';
import type { Forecaster } from './forecaster';
import type { CheckedSeries, Schema } from './series';
import { scaleValue, type ValueScaler } from './value-scaling';

/** The values of a series so far, scaled. All arrays start at the step `offset`. Plain data. */
export interface Track {
  offset: number;
  /** The values; a missing one is that of the season before, or the level. */
  filled: number[];
  /** 1 for observed values and 0 for missing ones. */
  observed: number[];
  /** The level after every value. */
  levels: number[];
}

/** The part of a forecaster that the features depend on. */
export interface FeaturePlan {
  readonly forecaster: Forecaster;
  readonly schema: Schema;
  /** The scaling of the past covariates, the future covariates and the static numbers, in this order. */
  readonly covariates: Scaler;
}

export const emptyTrack = (): Track => ({ offset: 0, filled: [], observed: [], levels: [] });

/** A copy, from an index on, to which values can be appended. */
export const copyTrack = ({ offset, filled, observed, levels }: Track, from = 0): Track => ({
  offset: offset + from,
  filled: filled.slice(from),
  observed: observed.slice(from),
  levels: levels.slice(from),
});

/** The main season: the first one. */
export const mainSeason = ({ seasons }: Forecaster): number => seasons[0] ?? 1;

/** The number of values whose mean is the level. */
const levelWindow = (forecaster: Forecaster): number => Math.max(mainSeason(forecaster), 4);

/** Appends a scaled value, NaN if it is missing. */
export function appendValue(track: Track, forecaster: Forecaster, value: number): void {
  const { filled, observed, levels } = track;
  const isObserved = !Number.isNaN(value);
  const last = lastOf(levels) ?? 0;
  filled.push(isObserved ? value : (filled[filled.length - mainSeason(forecaster)] ?? last));
  observed.push(isObserved ? 1 : 0);
  let sum = 0;
  let count = 0;
  for (let i = Math.max(0, filled.length - levelWindow(forecaster)); i < filled.length; i++) {
    sum += observed[i]! * filled[i]!;
    count += observed[i]!;
  }
  levels.push(count > 0 ? sum / count : last);
}

export const scaled = (scaler: ValueScaler, value: number): number =>
  Number.isNaN(value) ? NaN : scaleValue(scaler, value);

/**
 * The end of a track, with all values that features of later steps depend on. Without the linear skip, they do not
 * depend on the context.
 */
export function tailOf(track: Track, forecaster: Forecaster, context: number = forecaster.context): Track {
  const needed = Math.max(context, levelWindow(forecaster), ...forecaster.seasons) + 2;
  return copyTrack(track, Math.max(0, track.filled.length - needed));
}

const levelAt = (track: Track, t: number): number => track.levels[t - track.offset] ?? 0;

/** The value of step t − s, or of the last season before the origin. The level, if the series is shorter. */
function seasonalValue(track: Track, t: number, origin: number, season: number): number {
  const at = t - season * Math.ceil((t - origin) / season);
  return track.filled[at - track.offset] ?? levelAt(track, origin);
}

/** The value to which the output of the network is added. */
export function baseOf(forecaster: Forecaster, track: Track, t: number, origin: number): number {
  if (forecaster.base === 'none' || origin < track.offset) return 0;
  if (forecaster.base === 'level') return levelAt(track, origin);
  return seasonalValue(track, t, origin, forecaster.base === 'last' ? 1 : mainSeason(forecaster));
}

/** The values before the origin, from the last one backward, relative to the level: the input of the linear skip. */
export function writeRecent(into: Float32Array, at: number, track: Track, origin: number, context: number): void {
  const level = levelAt(track, origin);
  for (let j = 0; j < context; j++) into[at + j] = (track.filled[origin - j - track.offset] ?? level) - level;
}

/** The number of inputs per step, without embeddings. */
export function inputSize({ forecaster, schema }: FeaturePlan): number {
  const calendar = calendarSize(schema.cycles);
  return valueInputs(forecaster) + schema.past.length + schema.future.length + schema.numbers.length + calendar;
}

/** The values of covariates at a step. */
export interface StepCovariates {
  /** The past covariates of the step before, or undefined if they are not available. */
  readonly past: ArrayLike<number> | undefined;
  readonly future: ArrayLike<number>;
  readonly numbers: ArrayLike<number>;
  /** Milliseconds since 1970. */
  readonly start: number | undefined;
}

/** The number of inputs that depend on values: the first ones. */
export const valueInputs = ({ seasons, mode }: Forecaster): number => 3 + seasons.length + (mode === 'direct' ? 2 : 0);

/** Writes all inputs of step t from index `at`, those that depend on values first. */
export function writeInputs(
  into: Float32Array,
  at: number,
  plan: FeaturePlan,
  track: Track,
  t: number,
  origin: number,
  covariates: StepCovariates,
): void {
  writeValues(into, at, plan.forecaster, track, t, origin);
  writeCovariates(into, at + valueInputs(plan.forecaster), plan, t, covariates);
}

/** Writes the inputs of step t that depend on values, from index `at`. */
export function writeValues(
  into: Float32Array,
  at: number,
  forecaster: Forecaster,
  track: Track,
  t: number,
  origin: number,
): void {
  const level = levelAt(track, origin);
  const isNext = origin === t - 1 && origin >= track.offset;
  const last = isNext ? track.filled[origin - track.offset]! : level;
  let to = at;
  into[to++] = last - level;
  into[to++] = isNext ? last - (track.filled[origin - mainSeason(forecaster) - track.offset] ?? last) : 0;
  into[to++] = isNext ? track.observed[origin - track.offset]! : 0;
  for (const season of forecaster.seasons) into[to++] = seasonalValue(track, t, origin, season) - level;
  if (forecaster.mode === 'autoregressive') return;
  into[to++] = (t - origin - 1) / forecaster.horizon;
  into[to++] = t - origin > 1 ? 1 : 0;
}

/** Writes the other inputs of step t: calendar, past covariates (of the step before; undefined if not available), … */
export function writeCovariates(
  into: Float32Array,
  at: number,
  { forecaster, schema, covariates: { offset, scale } }: FeaturePlan,
  t: number,
  { past, future, numbers, start }: StepCovariates,
): void {
  let to = at;
  let column = 0;
  for (const [names, values] of [
    [schema.past, past],
    [schema.future, future],
    [schema.numbers, numbers],
  ] as const)
    for (let i = 0; i < names.length; i++, column++)
      into[to++] = values === undefined ? 0 : (values[i]! - offset[column]!) / scale[column]!;
  if (forecaster.frequency === undefined) return;
  const step = parseFrequency('forecaster', forecaster.frequency);
  for (const feature of calendarFeatures(timeAfter(start!, step, t), schema.cycles)) into[to++] = feature;
}

/** The covariates of step t, with the past covariates of the step before. */
export function covariatesAt(series: CheckedSeries, t: number): StepCovariates {
  return {
    past: t > 0 ? series.past.map((values) => values[t - 1]!) : undefined,
    future: series.future.map((values) => values[t]!),
    numbers: series.numbers,
    start: series.start,
  };
}
