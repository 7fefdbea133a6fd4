/** Forecasts of a trained forecaster. */

import type { Tensor } from '../index';
import { withCaller } from '../tensor/error-context';
import { checkArray, checkCount, checkNames, checkNumber, checkSome, counted, isObject } from '../tensor/shape';
import { checkLevels } from './distributions';
import { baseOf, inputSize, writeInputs, writeRecent } from './features';
import { checkFitted, type FittedForecaster } from './fit-forecaster';
import { createForecast, type Forecast } from './forecast-result';
import { samplePaths } from './paths';
import type { Series } from './series';
import { checkForecastState, covariatesAfter, type ForecastState, inGroups, observeAs, runMember } from './state';
import { averageQuantile } from './step-quantiles';
import { unscaleValue } from './value-scaling';

/** The options of {@link forecast}. */
export interface ForecastOptions {
  /** The levels of the quantiles, in order. By default {@link forecastLevels}. */
  readonly levels?: readonly number[] | undefined;
  /** The number of paths of an autoregressive forecaster. 100 by default. */
  readonly paths?: number | undefined;
  /** The seed of the paths. 0 by default. Every series draws its own random numbers, which depend on its name. */
  readonly seed?: number | undefined;
}

/**
 * The default levels of forecasts: 0.05, 0.1, …, 0.95.
 *
 * @example
 * forecastLevels().length; // 19
 */
export function forecastLevels(): number[] {
  return Array.from({ length: 19 }, (_, i) => (i + 1) / 20);
}

/**
 * Forecasts the steps after the last value of every series.
 *
 * @param input series with their whole history, or states of {@link observe}
 * @throws TypeError or RangeError if a series is wrong, as {@link fitForecaster}, has a value that its scaling or
 * distribution does not support, or future covariates end before the horizon
 * @example
 * const values = Float64Array.from({ length: 60 }, (_, t) => 10 + (t % 4));
 * const fitted = await fitForecaster(forecaster({ horizon: 4, seasons: [4] }), [{ name: 'a', values }], { steps: 5 });
 * const [next] = forecast(fitted, [{ name: 'a', values }], { levels: [0.1, 0.5, 0.9] });
 * next!.quantiles.length; // 4
 */
export function forecast(
  fitted: FittedForecaster,
  input: readonly Series[] | readonly ForecastState[],
  options: ForecastOptions = {},
): Forecast[] {
  const where = 'forecast';
  checkFitted(where, fitted);
  checkNames(where, 'options', options, ['levels', 'paths', 'seed']);
  const { levels = forecastLevels(), paths = 100, seed = 0 } = options;
  checkLevels(where, levels);
  checkCount(where, 'paths', paths);
  checkNumber(where, 'seed', seed);
  checkArray(where, 'input', input);
  const states = isStates(input) ? input : observeAs(where, fitted, input);
  const { horizon, mode } = fitted.forecaster;
  for (const state of states) checkState(where, state, fitted);
  const drawsPaths = mode === 'autoregressive';
  return inGroups(
    fitted,
    states,
    () => (drawsPaths ? 2 * paths : horizon),
    (group) =>
      withCaller(where, () =>
        drawsPaths ? samplePaths(fitted, group, { levels, paths, seed }) : forecastDirectly(fitted, group, levels),
      ),
  );
}

const isStates = (input: readonly Series[] | readonly ForecastState[]): input is readonly ForecastState[] =>
  isObject(input[0]) && 'networks' in input[0];

function checkState(where: string, state: ForecastState, fitted: FittedForecaster): void {
  checkForecastState(where, state, fitted);
  const { forecaster, schema } = fitted;
  const { name, length, future } = state;
  checkSome(where, `series ${name}`, length, 'value');
  schema.future.forEach((covariate, i) => {
    const rows = future[i]?.length ?? 0;
    if (rows < forecaster.horizon)
      throw new RangeError(
        `${where}: series ${name}, column ${covariate}: must extend ${counted(forecaster.horizon, 'row')} beyond the ` +
          `values, to row ${length + forecaster.horizon - 1}, got ${rows}.`,
      );
  });
}

function forecastDirectly(
  fitted: FittedForecaster,
  states: readonly ForecastState[],
  levels: readonly number[],
): Forecast[] {
  const functions = quantilesOf(fitted, states, fitted.forecaster.horizon);
  return states.map((state, b) =>
    createForecast(fitted.forecaster, state, levels, (k, level) => unscaleValue(state.scaler, functions(k, b)(level))),
  );
}

/**
 * Runs a forecast of h steps, of one step if it is autoregressive.
 *
 * @returns the calibrated quantile function of step k after the last value of row b, scaled
 */
export function quantilesOf(
  fitted: FittedForecaster,
  states: readonly ForecastState[],
  h: number,
): (k: number, b: number) => (level: number) => number {
  const { forecaster, members } = fitted;
  const [B, F] = [states.length, inputSize(fitted)];
  const inputs: Tensor = { shape: [h, B, F], data: new Float32Array(h * B * F) };
  const bases = new Float64Array(h * B);
  states.forEach((state, b) => {
    const origin = state.length - 1;
    for (let k = 0; k < h; k++) {
      const [t, row] = [state.length + k, k * B + b];
      writeInputs(inputs.data, row * F, fitted, state.track, t, origin, covariatesAfter(state, k));
      bases[row] = baseOf(forecaster, state.track, t, origin);
    }
  });
  const outputs = members.map((member, m) => {
    const { data } = runMember(fitted, m, states, inputs).output;
    addLocations(fitted, member.parameters.skip, states, h, bases, data);
    return data;
  });
  return (k, b) => averageQuantile(fitted, outputs, k * B + b, states[b]!.scaler.scale);
}

/** Adds the base and the linear skip to the locations of outputs `[h, B, P]`. */
function addLocations(
  { forecaster: { context: C, distribution } }: FittedForecaster,
  { weight, bias }: Readonly<Record<string, Tensor>>,
  states: readonly ForecastState[],
  h: number,
  bases: Float64Array,
  outputs: Float32Array,
): void {
  const B = states.length;
  const recent = new Float32Array(C);
  states.forEach((state, b) => {
    if (weight !== undefined) writeRecent(recent, 0, state.track, state.length - 1, C);
    for (let k = 0; k < h; k++) {
      let shift = bases[k * B + b]!;
      if (weight !== undefined) {
        shift += bias!.data[k]!;
        for (let j = 0; j < C; j++) shift += recent[j]! * weight.data[j * h + k]!;
      }
      outputs[(k * B + b) * distribution.size]! += shift;
    }
  });
}
