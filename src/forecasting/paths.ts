/** Sampled paths of autoregressive forecasters. */

import {
  advance,
  createRandom,
  type ModelState,
  mapTree,
  type Random,
  type Stream,
  stream,
  type Tensor,
} from '../index';
import { sizeOf } from '../tensor/shape';
import {
  appendValue,
  baseOf,
  copyTrack,
  inputSize,
  type Track,
  tailOf,
  valueInputs,
  writeCovariates,
  writeInputs,
  writeValues,
} from './features';
import type { FittedForecaster } from './fit-forecaster';
import { createForecast, type Forecast } from './forecast-result';
import { embeddingsSize } from './network';
import { quantileOfSorted } from './probability';
import { covariatesAfter, type ForecastState, runMember, writeEmbeddings } from './state';
import { unscaleValue } from './value-scaling';

interface PathOptions {
  readonly levels: readonly number[];
  readonly paths: number;
  readonly seed: number;
}

/** Draws paths for every state, those of each network in turn. */
export function samplePaths(
  fitted: FittedForecaster,
  states: readonly ForecastState[],
  { levels, paths: count, seed }: PathOptions,
): Forecast[] {
  const { forecaster, members } = fitted;
  const { horizon: h, distribution } = forecaster;
  // Point forecasts have no distribution: one path per network, of medians.
  const perMember = distribution.name === 'point' ? 1 : Math.ceil(count / members.length);
  const counts = members.map((_, m) => Math.max(0, Math.min(perMember, count - m * perMember)));
  const total = Math.min(count, perMember * members.length);
  const values = new Float64Array(states.length * h * total); // [states, horizon, paths]
  counts.forEach((used, m) => {
    const draws = { values, total, first: m * perMember, count: used, seed: seed + m };
    if (used > 0) drawPaths(fitted, m, states, draws);
  });
  return states.map((state, i) => {
    const steps = Array.from({ length: h }, (_, k) => values.subarray((i * h + k) * total, (i * h + k + 1) * total));
    const ordered = steps.map((each) => each.slice().sort());
    const forecast = createForecast(forecaster, state, levels, (k, level) => quantileOfSorted(ordered[k]!, level));
    return { ...forecast, paths: Array.from({ length: total }, (_, path) => steps.map((each) => each[path]!)) };
  });
}

/** The paths of one network among those of all networks. */
interface Draws {
  /** `[states, horizon, total]`, receives the paths. */
  readonly values: Float64Array;
  readonly total: number;
  /** The index of the first path of this network, and their number. */
  readonly first: number;
  readonly count: number;
  /** The seed of this network. */
  readonly seed: number;
}

/**
 * A generator of random numbers for a series. It depends on the name, by the hash FNV-1a: the paths of a series are
 * independent of those of other series, and do not depend on which series are forecast together.
 */
function randomOf(name: string, seed: number): Random {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  // Less than 1, since the seeds of the networks are consecutive.
  return createRandom(seed + (hash >>> 1) / 2 ** 32);
}

/** Batches of at most this many paths, and of those of one series at least, stay in the caches of the processor. */
const mostRows = 256;

/** Draws the paths of network m. All paths of a series have the same first step, which runs once. */
function drawPaths(fitted: FittedForecaster, m: number, states: readonly ForecastState[], draws: Draws): void {
  const { forecaster } = fitted;
  const { size: P } = forecaster.distribution;
  const [S, F] = [states.length, inputSize(fitted)];
  const inputs: Tensor = { shape: [1, S, F], data: new Float32Array(S * F) };
  states.forEach((state, i) => {
    const { track, length } = state;
    writeInputs(inputs.data, i * F, fitted, track, length, length - 1, covariatesAfter(state, 0));
  });
  const member = fitted.members[m]!;
  const start = runMember(fitted, m, states, inputs);
  const perBatch = Math.max(1, Math.floor(mostRows / draws.count));
  const streams = new Map<number, Stream>();
  for (let first = 0; first < S; first += perBatch) {
    const group = states.slice(first, first + perBatch);
    const batchSize = group.length * draws.count;
    const running = streams.get(batchSize) ?? stream(member.network, { batchSize });
    streams.set(batchSize, running);
    running.state = repeated(start.state, first, group.length, draws.count);
    const outputs = start.output.data.subarray(first * P, (first + group.length) * P);
    continuePaths(fitted, m, group, first, outputs, running, draws);
  }
}

/** Draws the paths of a batch of states from the outputs of the first step, `[G, P]`, and the stream after it. */
function continuePaths(
  fitted: FittedForecaster,
  m: number,
  group: readonly ForecastState[],
  first: number,
  firstOutputs: Float32Array,
  running: Stream,
  draws: Draws,
): void {
  const { forecaster, calibration } = fitted;
  const { horizon, distribution } = forecaster;
  const [B, F, P, n] = [running.batchSize, inputSize(fitted), distribution.size, draws.count];
  const values = valueInputs(forecaster);
  const width = F + embeddingsSize(fitted.schema);
  const inputs: Tensor = { shape: [B, width], data: new Float32Array(B * width) };
  const outputs: Tensor = { shape: [B, P], data: new Float32Array(B * P) };
  const tracks: Track[] = [];
  const generators = group.map(({ name }) => randomOf(name, draws.seed));
  const covariates = new Float32Array(F - values);
  group.forEach((state, i) => {
    const tail = tailOf(state.track, forecaster, 0);
    for (let row = i * n; row < (i + 1) * n; row++) {
      tracks.push(copyTrack(tail));
      outputs.data.set(firstOutputs.subarray(i * P, (i + 1) * P), row * P);
      writeEmbeddings(inputs.data, row * width + F, fitted.members[m]!.parameters, state);
    }
  });
  for (let k = 0; k < horizon; k++) {
    if (k > 0) {
      group.forEach((state, i) => {
        writeCovariates(covariates, 0, fitted, state.length + k, covariatesAfter(state, k));
        for (let row = i * n; row < (i + 1) * n; row++) {
          writeValues(inputs.data, row * width, forecaster, tracks[row]!, state.length + k, state.length + k - 1);
          for (let j = 0; j < covariates.length; j++) inputs.data[row * width + values + j] = covariates[j]!;
        }
      });
      advance(running, inputs, outputs);
    }
    group.forEach((state, i) => {
      const { scaler, length } = state;
      const to = ((first + i) * horizon + k) * draws.total + draws.first;
      for (let j = 0; j < n; j++) {
        const row = i * n + j;
        outputs.data[row * P]! += baseOf(forecaster, tracks[row]!, length + k, length + k - 1);
        const value = distribution.sample(outputs.data, row * P, scaler.scale, generators[i]!, calibration);
        appendValue(tracks[row]!, forecaster, value);
        draws.values[to + j] = unscaleValue(scaler, value);
      }
    });
  }
}

/** The rows of a state from `first` up to, but not including, `first + rows`, each `times` times. */
function repeated(state: ModelState, first: number, rows: number, times: number): ModelState {
  return mapTree(state, ({ shape: [, ...rest], data }) => {
    const size = sizeOf(rest);
    const copies = new Float32Array(rows * times * size);
    for (let row = 0; row < rows * times; row++) {
      const from = first + Math.floor(row / times);
      copies.set(data.subarray(from * size, (from + 1) * size), row * size);
    }
    return { shape: [rows * times, ...rest], data: copies };
  });
}
