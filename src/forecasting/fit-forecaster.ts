/** Training of forecasters. */

import {
  adamw,
  chain,
  clipByNorm,
  cosineDecay,
  fit,
  type Optimizer,
  type Progress,
  type Scaler,
  standardScaler,
  withParameters,
} from '../index';
import type { Complete } from '../tensor/complete';
import { attributed } from '../tensor/error-context';
import {
  checkArray,
  checkCount,
  checkFunction,
  checkKind,
  checkNames,
  checkNumber,
  checkObject,
  counted,
  outOfRange,
} from '../tensor/shape';
import { calibrate, heldBatches } from './calibration';
import { checkDistribution } from './distributions';
import { type FeaturePlan, mainSeason } from './features';
import type { Forecaster } from './forecaster';
import { createMember, type Member, trainable } from './network';
import { type CheckedSeries, checkSeries, checkStart, type Schema, type Series, schemaOf } from './series';
import { checkRange, fitValueScaler, momentsOf, type ValueScaler } from './value-scaling';
import { originsOf, prepare, windowsAt } from './windows';

/** The options of {@link fitForecaster}. */
export interface FitForecasterOptions {
  /** The number of updates of each network. 600 by default. */
  readonly steps?: number | undefined;
  /** The number of windows per update. 32 by default. */
  readonly batchSize?: number | undefined;
  /** The learning rate of the first updates, which decays to 0 along a cosine. 0.005 by default. */
  readonly learningRate?: number | undefined;
  /** Replaces the default optimizer: AdamW with gradient clipping. */
  readonly optimizer?: Optimizer | undefined;
  /**
   * The number of last steps of every series that calibrate the intervals of forecasts. 0 disables that. By default the
   * horizon, if all series are long enough for two windows; with fewer than 20 series up to a fifth of the shortest
   * one. It must be 0 or at least the horizon.
   */
  readonly validation?: number | undefined;
  /**
   * Whether the networks are trained a second time after the calibration, then also on the validation steps. True by
   * default; otherwise the validation steps also select the best parameters.
   */
  readonly retrain?: boolean | undefined;
  /** Called after every update. */
  readonly onProgress?: ((progress: Progress) => unknown) | undefined;
  /** A signal, such as an `AbortSignal`, that stops training. */
  readonly signal?: { readonly aborted: boolean } | undefined;
}

/** A trained forecaster, with everything that forecasts need. {@link saveForecaster} writes it to a file. */
export interface FittedForecaster extends FeaturePlan {
  readonly forecaster: Forecaster;
  readonly schema: Schema;
  readonly covariates: Scaler;
  /** The scaling of every series of the training, by name. Other series are scaled by their history. */
  readonly scalers: Readonly<Record<string, ValueScaler>>;
  readonly members: readonly Member[];
  /** The factor by which the predicted quantiles are stretched around the median: see {@link recalibrate}. */
  readonly calibration: number;
  /** The factor from the validation steps alone. */
  readonly trainedCalibration: number;
  /** The validation loss of every network; NaN without validation. */
  readonly validationLosses: readonly number[];
}

/** @throws TypeError if `fitted` is not a {@link FittedForecaster} */
export function checkFitted(where: string, fitted: FittedForecaster): void {
  checkKind(where, 'fitted', fitted, 'a trained forecaster, as fitForecaster returns', 'scalers');
  checkForecaster(where, 'fitted.forecaster', fitted.forecaster);
  for (const name of ['schema', 'covariates', 'scalers'] as const) checkObject(where, `fitted.${name}`, fitted[name]);
  for (const name of ['past', 'future', 'numbers', 'cycles'] as const)
    checkArray(where, `fitted.schema.${name}`, fitted.schema[name]);
  checkObject(where, 'fitted.schema.categories', fitted.schema.categories);
  checkArray(where, 'fitted.members', fitted.members);
}

/** @throws TypeError if `forecaster` is not a {@link Forecaster} */
function checkForecaster(where: string, argument: string, forecaster: Forecaster): void {
  checkKind(where, argument, forecaster, 'a forecaster, as forecaster returns', 'linearSkip');
  checkArray(where, `${argument}.seasons`, forecaster.seasons);
  checkDistribution(where, `${argument}.distribution`, forecaster.distribution);
}

/**
 * Trains a forecaster on one or many series: one set of parameters for all of them.
 *
 * @throws TypeError if an argument is of another type
 * @throws RangeError that names the series, the column and the row if a value is not finite, a column is too short,
 * the scaling or the distribution does not support a value, or a series is constant or not longer than the horizon and
 * the validation steps
 * @throws RangeError if an option is out of range, or no validation step has an observed value
 * @example
 * const values = Float64Array.from({ length: 80 }, (_, t) => 10 + (t % 4));
 * const fitted = await fitForecaster(forecaster({ horizon: 4, seasons: [4] }), [{ name: 'a', values }], { steps: 20 });
 * fitted.members.length; // 1
 */
export async function fitForecaster(
  forecaster: Forecaster,
  series: readonly Series[],
  options: FitForecasterOptions = {},
): Promise<FittedForecaster> {
  const where = 'fitForecaster';
  checkForecaster(where, 'forecaster', forecaster);
  checkNames(where, 'options', options, [
    'steps',
    'batchSize',
    'learningRate',
    'optimizer',
    'validation',
    'retrain',
    'onProgress',
    'signal',
  ]);
  const { steps = 600, batchSize = 32, learningRate = 5e-3, optimizer, onProgress, signal } = options;
  checkCount(where, 'steps', steps);
  checkCount(where, 'batchSize', batchSize);
  checkNumber(where, 'learningRate', learningRate, 0);
  if (onProgress !== undefined) checkFunction(where, 'onProgress', onProgress);
  const schema = schemaOf(where, series, forecaster.frequency);
  const checked = checkSeries(where, series, schema);
  checkForTraining(where, forecaster, checked, schema);
  const resolved = withScaling(forecaster, checked);
  checkRange(where, resolved, checked);
  const { validation = defaultValidation(forecaster, checked), retrain = true } = options;
  checkCount(where, 'validation', validation, 0);
  if (validation > 0 && validation < forecaster.horizon)
    throw outOfRange(where, 'validation', `0 or at least the horizon ${forecaster.horizon}`, validation);
  for (const each of checked) checkLonger(where, each, validation, counted(validation, 'validation step'));
  const training = { steps, batchSize, learningRate, optimizer, onProgress, signal };
  const { fitted, bestSteps } = await train(where, resolved, schema, checked, validation, training);
  if (validation === 0 || !retrain || signal?.aborted) return fitted;
  const { calibration, trainedCalibration, validationLosses } = fitted;
  const again = await train(where, resolved, schema, checked, 0, { ...training, steps: bestSteps });
  return { ...again.fitted, calibration, trainedCalibration, validationLosses };
}

interface Training extends Complete<Pick<FitForecasterOptions, 'steps' | 'batchSize' | 'learningRate'>> {
  readonly optimizer: Optimizer | undefined;
  readonly onProgress: FitForecasterOptions['onProgress'];
  readonly signal: FitForecasterOptions['signal'];
}

/**
 * Trains the networks on all but the last `validation` steps of every series.
 *
 * @returns also the number of updates after which the validation loss was least, but at least half of all: with few
 * validation steps, the best epoch is uncertain
 */
async function train(
  where: string,
  forecaster: Forecaster,
  schema: Schema,
  series: readonly CheckedSeries[],
  validation: number,
  { steps, batchSize, learningRate, optimizer, onProgress, signal }: Training,
): Promise<{ readonly fitted: FittedForecaster; readonly bestSteps: number }> {
  const { horizon } = forecaster;
  const scalers = Object.fromEntries(
    series.map(({ name, values }) => {
      const label = `${where}: series ${name}, column values`;
      return [name, fitValueScaler(label, forecaster.scaling, values, values.length - validation)];
    }),
  );
  const plan: FeaturePlan = { forecaster, schema, covariates: covariateScaler(series, validation) };
  const prepared = series.map((each) => prepare(plan, each, scalers[each.name]!));
  const first = firstOrigin(forecaster);
  const origins = originsOf(prepared, horizon, (N) => [first(N), N - validation - horizon]);
  if (origins.length === 0) throw tooShort(where, forecaster, series, validation);
  const held = originsOf(prepared, horizon, (N) => [Math.max(first(N), N - validation - 1), N]);
  if (validation > 0 && held.length === 0)
    throw new RangeError(
      `${where}: the ${counted(validation, 'validation step')} must contain an observed value. Set validation: 0.`,
    );
  const heldData = validation > 0 ? heldBatches(plan, held) : undefined;
  const data = windowsAt(plan, origins, { batchSize, most: 50 * batchSize });
  const members: Member[] = [];
  const validationLosses: number[] = [];
  let bestSteps = 0;
  for (let m = 0; m < forecaster.members; m++) {
    const seed = forecaster.seed * 1000 + m;
    const member = createMember(plan, seed);
    const model = trainable(member, forecaster);
    const { validationLosses: losses } = await fit(model, data, {
      optimizer: optimizer ?? chain(clipByNorm(1), adamw(cosineDecay(learningRate, { steps }), { weightDecay: 0.01 })),
      steps,
      seed,
      validation: heldData,
      patience: heldData && steps,
      onProgress,
      signal,
    }).catch((error: unknown) => {
      // fit has checked the optimizer and the signal. Errors of callbacks keep their message.
      throw error instanceof Error && error.message.startsWith('fit: ') ? attributed(error, where) : error;
    });
    members.push({ network: withParameters(member.network, model.parameters.network), parameters: model.parameters });
    const best = losses.reduce((least, loss, i) => (loss < losses[least]! ? i : least), 0);
    validationLosses.push(losses[best] ?? NaN);
    bestSteps += Math.min(steps, (best + 1) * data.batchCount) / forecaster.members;
  }
  const fitted = { ...plan, scalers, members, calibration: 1, trainedCalibration: 1, validationLosses };
  const calibration = validation > 0 ? calibrate(where, fitted, series, held) : 1;
  return {
    fitted: { ...fitted, calibration, trainedCalibration: calibration },
    bestSteps: Math.ceil(Math.max(bestSteps, steps / 2)),
  };
}

/** Replaces the scaling `'auto'`. */
function withScaling(forecaster: Forecaster, series: readonly CheckedSeries[]): Forecaster {
  if (forecaster.scaling !== 'auto') return forecaster;
  const isRatio = series.every(({ values }) => {
    const observed = values.filter((value) => !Number.isNaN(value));
    const { mean } = momentsOf(observed);
    // All values are positive then, since some value is at most the mean.
    return observed.every((value) => value > 0.05 * mean);
  });
  return { ...forecaster, scaling: isRatio ? 'log' : 'standard' };
}

function checkForTraining(
  where: string,
  forecaster: Forecaster,
  series: readonly CheckedSeries[],
  { past }: Schema,
): void {
  const { horizon, mode } = forecaster;
  if (mode === 'autoregressive' && past.length > 0)
    throw new RangeError(
      `${where}: past covariates (${past.join(', ')}) need mode 'direct': paths continue after their last value.`,
    );
  for (const each of series) {
    checkLonger(where, each, horizon, `horizon ${horizon}`);
    checkStart(where, forecaster, each);
  }
}

/** @throws RangeError if a series has at most `count` values; `what` names the count */
function checkLonger(where: string, { name, values }: CheckedSeries, count: number, what: string): void {
  if (values.length <= count)
    throw new RangeError(`${where}: series ${name}: must have more values than the ${what}, got ${values.length}.`);
}

/** The first origin of a series: after one season, if it is long enough for a window then. */
function firstOrigin(forecaster: Forecaster): (length: number) => number {
  const { horizon, context } = forecaster;
  const season = mainSeason(forecaster);
  return (length) => Math.max(0, Math.min(season - 1, context - 1, length - horizon - 1));
}

function defaultValidation({ horizon, context }: Forecaster, series: readonly CheckedSeries[]): number {
  const shortest = series.reduce((least, { values }) => Math.min(least, values.length), Infinity);
  if (shortest < context + 2 * horizon) return 0;
  const longer = series.length < 20 ? Math.floor(shortest / 5) : 0;
  return Math.max(horizon, Math.min(longer, 10 * horizon));
}

/** The scaling of past covariates, future covariates and static numbers, from the training part. */
function covariateScaler(series: readonly CheckedSeries[], validation: number): Scaler {
  const { numbers } = series[0]!;
  const column = (values: (each: CheckedSeries) => Iterable<number>): Scaler => {
    const data = Float32Array.from(series.flatMap((each) => [...values(each)]));
    return standardScaler({ shape: [data.length, 1], data });
  };
  const scalers = [
    ...(['past', 'future'] as const).flatMap((kind) =>
      series[0]![kind].map((_, i) => column((each) => each[kind][i]!.subarray(0, each.values.length - validation))),
    ),
    ...numbers.map((_, i) => column((each) => [each.numbers[i]!])),
  ];
  return { offset: scalers.flatMap(({ offset }) => offset), scale: scalers.flatMap(({ scale }) => scale) };
}

function tooShort(
  where: string,
  { horizon }: Forecaster,
  series: readonly CheckedSeries[],
  validation: number,
): RangeError {
  const longest = series.reduce((most, each) => (each.values.length > most.values.length ? each : most));
  return new RangeError(
    `${where}: no series has a training window: the longest, ${longest.name}, has ` +
      `${counted(longest.values.length, 'value')}, for a horizon of ${horizon} and ` +
      `${counted(validation, 'validation step')}.`,
  );
}
