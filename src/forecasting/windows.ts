/** Batches of windows for training. */

import { type Dataset, type IntTensor, type Random, shuffle, type Tensor } from '../index';
import {
  appendValue,
  baseOf,
  covariatesAt,
  emptyTrack,
  type FeaturePlan,
  inputSize,
  scaled,
  type Track,
  valueInputs,
  writeInputs,
  writeRecent,
  writeValues,
} from './features';
import type { Forecaster } from './forecaster';
import type { Windows } from './network';
import type { CheckedSeries } from './series';
import type { ValueScaler } from './value-scaling';

/** A series that is ready for windows. */
export interface PreparedSeries {
  readonly series: CheckedSeries;
  readonly scaler: ValueScaler;
  readonly track: Track;
  /** The inputs of every step from the values before it, `[N, F]`. */
  readonly inputs: Float32Array;
}

/** The last observed step of a window in a series. */
export interface WindowOrigin {
  readonly of: PreparedSeries;
  readonly at: number;
}

export function prepare(plan: FeaturePlan, series: CheckedSeries, scaler: ValueScaler): PreparedSeries {
  const track = emptyTrack();
  const [N, F] = [series.values.length, inputSize(plan)];
  const inputs = new Float32Array(N * F);
  series.values.forEach((value, t) => {
    writeInputs(inputs, t * F, plan, track, t, t - 1, covariatesAt(series, t));
    appendValue(track, plan.forecaster, scaled(scaler, value));
  });
  return { series, scaler, track, inputs };
}

/** The origins from `from` up to, but not including, `to` of all series, if they have a target that is observed. */
export function originsOf(
  series: readonly PreparedSeries[],
  horizon: number,
  range: (length: number) => readonly [from: number, to: number],
): WindowOrigin[] {
  return series.flatMap((of) => {
    const N = of.series.values.length;
    const [from, to] = range(N);
    const origins: WindowOrigin[] = [];
    for (let at = Math.max(0, from); at < Math.min(to, N - horizon); at++)
      if (of.track.observed.slice(at + 1, at + 1 + horizon).includes(1)) origins.push({ of, at });
    return origins;
  });
}

/** A dataset of windows that end at the origins, `most` of them per epoch, in a random order. */
export function windowsAt(
  plan: FeaturePlan,
  origins: readonly WindowOrigin[],
  { batchSize, most }: { readonly batchSize: number; readonly most: number },
): Dataset<Windows> {
  const used = Math.min(most, origins.length);
  return {
    batchCount: Math.ceil(used / batchSize),
    *batches(random: Random) {
      const order = shuffle(random, [...origins]).slice(0, used);
      for (let first = 0; first < used; first += batchSize)
        yield windowsOf(plan, order.slice(first, first + batchSize), contextWeight(plan.forecaster));
    },
  };
}

/** The weight of the one-step forecasts of the context in training; each has weight 1 in autoregressive mode. */
const contextWeight = ({ mode, context, horizon }: Forecaster): number =>
  mode === 'direct' ? 0.25 : context / horizon;

/**
 * The windows of these origins as one batch.
 *
 * @param weightOfContext the weight of all steps of the context together, compared with that of the horizon
 */
export function windowsOf(plan: FeaturePlan, origins: readonly WindowOrigin[], weightOfContext: number): Windows {
  const { context: C, horizon: h, mode } = plan.forecaster;
  const [T, B, F] = [C + h, origins.length, inputSize(plan)];
  const flat = (length: number): Tensor => ({ shape: [length, B], data: new Float32Array(length * B) });
  const inputs: Tensor = { shape: [T, B, F], data: new Float32Array(T * B * F) };
  const resets: IntTensor = { shape: [T, B], data: new Int32Array(T * B) };
  const recent: Tensor = { shape: [B, C], data: new Float32Array(B * C) };
  const [targets, weights, bases, scales] = [flat(T), flat(T), flat(T), flat(T)];
  origins.forEach(({ of, at }, b) => {
    const first = at + 1 - C;
    for (let i = Math.max(0, -first); i < T; i++) {
      const t = first + i;
      const cell = i * B + b;
      const origin = mode === 'direct' && t > at ? at : t - 1;
      writeStep(plan, of, t, origin, inputs.data, cell * F);
      const value = of.series.values[t]!;
      const base = baseOf(plan.forecaster, of.track, t, origin);
      bases.data[cell] = base;
      targets.data[cell] = Number.isNaN(value) ? base : scaled(of.scaler, value);
      const weight = t > at ? 1 : (weightOfContext * h) / C;
      weights.data[cell] = Number.isNaN(value) || t === 0 ? 0 : weight;
    }
    for (let i = 0; i < T; i++) scales.data[i * B + b] = of.scaler.scale;
    resets.data[Math.max(0, -first) * B + b] = 1;
    writeRecent(recent.data, b * C, of.track, at, C);
  });
  const ids = Object.keys(plan.schema.categories).map((_, i) => ({
    shape: [B],
    data: Int32Array.from(origins, ({ of }) => of.series.categories[i]!),
  }));
  return { inputs, ids, resets, targets, weights, bases, scales, recent };
}

/** Writes the inputs of step t, those of the history if its origin is the step before. */
function writeStep(
  plan: FeaturePlan,
  { series, track, inputs }: PreparedSeries,
  t: number,
  origin: number,
  into: Float32Array,
  to: number,
): void {
  const F = inputSize(plan);
  into.set(inputs.subarray(t * F, (t + 1) * F), to);
  if (origin === t - 1) return;
  const values = valueInputs(plan.forecaster);
  writeValues(into, to, plan.forecaster, track, t, origin);
  // Past covariates are not available in the horizon.
  if (series.past.length > 0) into.fill(0, to + values, to + values + series.past.length);
}
