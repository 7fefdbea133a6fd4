/** The state of forecasts: the values of series so far and the hidden states of the networks. */

import { createPredictor, full, joinStates, type ModelState, mapTree, splitState, type Tensor } from '../index';
import { withCaller } from '../tensor/error-context';
import { checkArray, checkNumber, checkObject, outOfRange } from '../tensor/shape';
import { parseFrequency, timeAfter } from './calendar';
import {
  appendValue,
  copyTrack,
  emptyTrack,
  inputSize,
  type StepCovariates,
  scaled,
  type Track,
  tailOf,
  writeInputs,
} from './features';
import { checkFitted, type FittedForecaster } from './fit-forecaster';
import { embeddingsSize, type MemberParameters } from './network';
import { type CheckedSeries, checkSeries, checkStart, type Series } from './series';
import { checkRange, fitValueScaler, type ValueScaler } from './value-scaling';

/** The state of one series, from which {@link forecast} and {@link observe} continue. Plain data. */
export interface ForecastState {
  readonly name: string;
  /** The number of values so far. */
  readonly length: number;
  readonly scaler: ValueScaler;
  /** The time of the first value, in milliseconds since 1970. */
  readonly start: number | undefined;
  /** The last values, scaled. */
  readonly track: Track;
  /** The past covariates of the last step. */
  readonly past: readonly number[];
  /** The future covariates of the steps after the last value, `[covariates][steps]`. */
  readonly future: readonly (readonly number[])[];
  readonly numbers: readonly number[];
  readonly categories: readonly number[];
  /** The state of every network, `[1, H]` each. */
  readonly networks: readonly ModelState[];
}

/** The largest number of inputs of the network in one run. */
const mostInputs = 4_194_304;

/**
 * Reads new values of series and returns the states after them. A forecast from a state equals one from the whole
 * history, but takes only the time of the new values. The scaling of a series that was not in the training is that of
 * the values of the first call, so pass enough of them at once.
 *
 * @param series the values after those of the states; their covariates start at the same step. Without states, all
 * values
 * @param states the states to continue, in the order of the series
 * @returns one state per series; the given states are not changed
 * @throws TypeError or RangeError if a series is wrong, as {@link fitForecaster}, has a value that its scaling or
 * distribution does not support, or does not continue its state
 * @example
 * const values = Float64Array.from({ length: 60 }, (_, t) => 10 + Math.sin(t));
 * const fitted = await fitForecaster(forecaster({ horizon: 3 }), [{ name: 'a', values }], { steps: 5 });
 * const state = observe(fitted, [{ name: 'a', values: values.slice(0, 50) }]);
 * const later = observe(fitted, [{ name: 'a', values: values.slice(50) }], state);
 * later[0]!.length; // 60
 * const [fromState, fromHistory] = [forecast(fitted, later), forecast(fitted, [{ name: 'a', values }])];
 * Math.abs(fromState[0]!.median[0]! - fromHistory[0]!.median[0]!) < 1e-6; // true
 */
export function observe(
  fitted: FittedForecaster,
  series: readonly Series[],
  states?: readonly ForecastState[],
): ForecastState[] {
  checkFitted('observe', fitted);
  return observeAs('observe', fitted, series, states);
}

export function observeAs(
  where: string,
  fitted: FittedForecaster,
  series: readonly Series[],
  states?: readonly ForecastState[],
): ForecastState[] {
  const checked = checkSeries(where, series, fitted.schema);
  checkRange(where, fitted.forecaster, checked);
  return observeChecked(where, fitted, checked, states);
}

/** Reads series, whose values the scaling must support. */
export function observeChecked(
  where: string,
  fitted: FittedForecaster,
  series: readonly CheckedSeries[],
  states?: readonly ForecastState[],
  visit?: Visit,
): ForecastState[] {
  if (states !== undefined) checkArray(where, 'states', states);
  if (states !== undefined && states.length !== series.length)
    throw outOfRange(where, 'states', `those of the ${series.length} series`, states.length);
  const rows = series.map((each, i) =>
    states === undefined ? startRow(where, fitted, each) : continueRow(where, fitted, each, states[i]!),
  );
  return inGroups(
    fitted,
    rows,
    (row) => row.series.values.length,
    (group) => withCaller(where, () => runRows(fitted, group, visit)),
  );
}

/** Called with the outputs `[T, B, P]` of one network, and the rows; step t of row b predicts its value number t. */
export type Visit = (member: number, outputs: Tensor, rows: readonly Row[]) => void;

/** Runs rows in groups that fit into memory. */
export function inGroups<R, S>(
  fitted: FittedForecaster,
  rows: readonly R[],
  lengthOf: (row: R) => number,
  run: (group: readonly R[]) => readonly S[],
): S[] {
  const longest = rows.reduce((most, row) => Math.max(most, lengthOf(row)), 1);
  const size = Math.max(1, Math.floor(mostInputs / (longest * inputSize(fitted))));
  const results: S[] = [];
  for (let first = 0; first < rows.length; first += size) results.push(...run(rows.slice(first, first + size)));
  return results;
}

/** New values of a series and the state before them. */
export interface Row {
  readonly series: CheckedSeries;
  readonly state: ForecastState;
}

function startRow(where: string, fitted: FittedForecaster, series: CheckedSeries): Row {
  const { name, start, numbers, categories } = series;
  checkStart(where, fitted.forecaster, series);
  const scaler = scalerOf(where, fitted, series);
  const nothing = { past: [], future: [], networks: [] };
  return { series, state: { name, length: 0, scaler, start, track: emptyTrack(), numbers, categories, ...nothing } };
}

/** The scaling of a series. One that was not in the training is scaled by its history. */
export function scalerOf(where: string, { forecaster, scalers }: FittedForecaster, series: CheckedSeries): ValueScaler {
  const { name, values } = series;
  if (Object.hasOwn(scalers, name)) return scalers[name]!;
  return fitValueScaler(`${where}: series ${name}, column values`, forecaster.scaling, values);
}

/** @throws TypeError or RangeError if it is not a state of this forecaster, from {@link observe}; it may be damaged */
export function checkForecastState(
  where: string,
  state: ForecastState,
  { schema, members }: Pick<FittedForecaster, 'schema' | 'members'>,
): void {
  checkObject(where, 'the state of a series', state);
  const { length, scaler, track, networks, past, future, numbers, categories } = state;
  // Spreading takes a missing object as an empty one.
  const { offset, scale, filled, observed, levels } = { ...track, ...scaler };
  for (const [name, value] of Object.entries({ length, offset, scale })) checkNumber(`${where}: state`, name, value);
  const arrays = { networks, past, future, numbers, categories, filled, observed, levels };
  for (const [name, value] of Object.entries(arrays)) checkArray(`${where}: state`, name, value);
  networks.forEach((network) => checkObject(`${where}: state`, 'the state of a network', network));
  const expected = { ...schema, categories: Object.keys(schema.categories), networks: members };
  for (const name of ['networks', 'past', 'future', 'numbers', 'categories'] as const) {
    const count = arrays[name].length;
    // A state before the first value has neither networks nor covariates.
    if (count !== expected[name].length && length + count > 0)
      throw outOfRange(`${where}: state`, name, `${expected[name].length}, as in the forecaster`, count);
  }
}

function continueRow(where: string, fitted: FittedForecaster, series: CheckedSeries, state: ForecastState): Row {
  checkForecastState(where, state, fitted);
  const { forecaster } = fitted;
  if (series.name !== state.name)
    throw new RangeError(
      `${where}: series ${series.name}: must have the order of the states, in which ${state.name} is next.`,
    );
  if (series.start !== undefined && state.start !== undefined && forecaster.frequency !== undefined) {
    const expected = timeAfter(state.start, parseFrequency(where, forecaster.frequency), state.length);
    if (series.start !== expected)
      throw new RangeError(
        `${where}: series ${series.name}: must start at ${new Date(expected).toISOString()}, after the values of its ` +
          `state, got ${new Date(series.start).toISOString()}.`,
      );
  }
  return { series, state };
}

/** Runs the networks over the new values of rows. */
function runRows(fitted: FittedForecaster, rows: readonly Row[], visit: Visit | undefined): ForecastState[] {
  const { forecaster, members } = fitted;
  const [B, F] = [rows.length, inputSize(fitted)];
  const T = rows.reduce((most, { series }) => Math.max(most, series.values.length), 0);
  const inputs: Tensor = { shape: [T, B, F], data: new Float32Array(T * B * F) };
  const tracks = rows.map(({ series, state }, b) => {
    const track = copyTrack(state.track);
    series.values.forEach((value, i) => {
      const t = state.length + i;
      const at = (i * B + b) * F;
      const past = i > 0 ? series.past.map((column) => column[i - 1]!) : state.length > 0 ? state.past : undefined;
      const future = series.future.map((column) => column[i]!);
      writeInputs(inputs.data, at, fitted, track, t, t - 1, { ...state, past, future });
      appendValue(track, forecaster, scaled(state.scaler, value));
    });
    return track;
  });
  const lengths = Int32Array.from(rows, ({ series }) => series.values.length);
  const states = rows.map(({ state }) => state);
  const networks = (T > 0 ? members : []).map((_, m) => {
    const run = runMember(fitted, m, states, inputs, lengths);
    visit?.(m, run.output, rows);
    return splitState(run.state);
  });
  return rows.map(({ series, state }, b) => {
    const n = series.values.length;
    return {
      ...state,
      length: state.length + n,
      track: tailOf(tracks[b]!, forecaster),
      past: n > 0 ? series.past.map((column) => column[n - 1]!) : state.past,
      future: series.future.map((column) => Array.from(column.subarray(n))),
      networks: n > 0 ? networks.map((each) => each[b]!) : state.networks,
    };
  });
}

/** The covariates of step k after the values of a state. Past covariates are available only for the first one. */
export function covariatesAfter(state: ForecastState, k: number): StepCovariates {
  const future = state.future.map((column) => column[k]!);
  return { ...state, past: k === 0 ? state.past : undefined, future };
}

/** Runs network m from the states on inputs `[T, B, F]`, to which it adds the embeddings. */
export function runMember(
  fitted: FittedForecaster,
  m: number,
  states: readonly ForecastState[],
  inputs: Tensor,
  lengths?: Int32Array,
): { readonly output: Tensor; readonly state: ModelState } {
  const { network, parameters } = fitted.members[m]!;
  const [T, B, F] = inputs.shape as [number, number, number];
  const E = embeddingsSize(fitted.schema);
  let all = inputs;
  if (E > 0) {
    all = { shape: [T, B, F + E], data: new Float32Array(T * B * (F + E)) };
    for (let row = 0; row < T * B; row++) {
      all.data.set(inputs.data.subarray(row * F, (row + 1) * F), row * (F + E));
      writeEmbeddings(all.data, row * (F + E) + F, parameters, states[row % B]!);
    }
  }
  const state = joined(states.map(({ networks }) => networks[m]));
  return createPredictor(network).predictWithState(all, { state, lengths });
}

/** Writes the embeddings of the categories of a series from index `at`. */
export function writeEmbeddings(
  into: Float32Array,
  at: number,
  { embeddings }: MemberParameters,
  { categories }: Pick<ForecastState, 'categories'>,
): void {
  let to = at;
  Object.values(embeddings).forEach(({ shape, data }, i) => {
    const [size, id] = [shape[1]!, categories[i]!];
    into.set(data.subarray(id * size, (id + 1) * size), to);
    to += size;
  });
}

/** One state of all rows, with zeros for those at their start; undefined if all are. */
function joined(states: readonly (ModelState | undefined)[]): ModelState | undefined {
  const given = states.find((state) => state !== undefined);
  if (given === undefined) return undefined;
  const zeros = mapTree(given, ({ shape }) => full(shape, 0));
  return joinStates(states.map((state) => state ?? zeros));
}
