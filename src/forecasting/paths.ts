/** Sampled paths of autoregressive forecasters. */

import { createRandom, type Tensor } from '../index';
import { appendValue, baseOf, copyTrack, inputSize, valueInputs, writeCovariates, writeValues } from './features';
import type { FittedForecaster } from './fit-forecaster';
import { createForecast, type Forecast } from './forecast-result';
import { quantileOfSorted } from './probability';
import { type ForecastState, joined, runMember } from './state';
import { unscaleValue } from './value-scaling';

interface PathOptions {
  readonly levels: readonly number[];
  readonly paths: number;
  readonly seed: number;
}

/** Draws paths for every state, those of each network in turn. The rows of a batch are the paths. */
export function samplePaths(
  fitted: FittedForecaster,
  states: readonly ForecastState[],
  { levels, paths: count, seed }: PathOptions,
): Forecast[] {
  const { horizon, distribution } = fitted.forecaster;
  const perMember = Math.ceil(count / fitted.members.length);
  const paths: number[][][] = states.map(() => []);
  fitted.members.forEach((_, m) => {
    const used = Math.min(perMember, count - m * perMember);
    if (used <= 0) return;
    // Point forecasts have no distribution: one path, of medians.
    pathsOf(fitted, m, states, distribution.name === 'point' ? 1 : used, seed + m).forEach((each, i) =>
      paths[i]!.push(...each),
    );
  });
  return states.map((state, i) => {
    const ordered = Array.from({ length: horizon }, (_, k) => paths[i]!.map((path) => path[k]!).sort((a, b) => a - b));
    const forecast = createForecast(fitted.forecaster, state, levels, (k, level) =>
      quantileOfSorted(ordered[k]!, level),
    );
    return { ...forecast, paths: paths[i]! };
  });
}

/** Draws `count` paths of one network for every state, `[states][count][horizon]`. */
function pathsOf(
  fitted: FittedForecaster,
  m: number,
  states: readonly ForecastState[],
  count: number,
  seed: number,
): number[][][] {
  const { forecaster, members, calibration } = fitted;
  const { horizon, distribution } = forecaster;
  const [B, F, P] = [states.length * count, inputSize(fitted), distribution.size];
  const random = createRandom(seed);
  const rows = Array.from({ length: B }, (_, row) => states[Math.floor(row / count)]!);
  const tracks = rows.map(({ track }) => copyTrack(track));
  const results = states.map(() => Array.from({ length: count }, () => new Array<number>(horizon)));
  const inputs: Tensor = { shape: [1, B, F], data: new Float32Array(B * F) };
  const covariates = new Float32Array(F);
  let network = joined(rows.map(({ networks }) => networks[m]));
  for (let k = 0; k < horizon; k++) {
    rows.forEach((state, row) => {
      const t = state.length + k;
      const values = valueInputs(forecaster);
      if (row % count === 0) {
        const future = state.future.map((column) => column[k]!);
        writeCovariates(covariates, 0, fitted, t, { ...state, past: undefined, future });
      }
      writeValues(inputs.data, row * F, forecaster, tracks[row]!, t, t - 1);
      inputs.data.set(covariates.subarray(0, F - values), row * F + values);
    });
    const run = runMember(fitted, members[m]!, rows, inputs, network);
    network = run.state;
    rows.forEach((state, row) => {
      const { scale } = state.scaler;
      const track = tracks[row]!;
      const t = state.length + k;
      const outputs = run.output.data.subarray(row * P, (row + 1) * P);
      outputs[0]! += baseOf(forecaster, track, t, t - 1);
      const drawn = distribution.sample(outputs, scale, random);
      const median = calibration === 1 ? 0 : distribution.quantile(outputs, scale)(0.5);
      const value = calibration === 1 ? drawn : median + calibration * (drawn - median);
      appendValue(track, forecaster, value);
      results[Math.floor(row / count)]![row % count]![k] = unscaleValue(state.scaler, value);
    });
  }
  return results;
}
