/** Batch normalization. */

import { combineColumns, multiplyTaps, scaleColumns, sumProducts } from '../../kernels/columns';
import { sumRows } from '../../kernels/linear';
import { fill } from '../../kernels/movement';
import { allocate, allocateZeros, type Workspace } from '../../kernels/workspace';
import { gradientIfTracked, gradientOf, record, result, type Scope, type Variable, withScratch } from '../tape';

/** The operands of {@link batchNormalize}, `[n]` each, and its numbers. */
export interface BatchNormalization {
  readonly gain: Variable;
  readonly bias: Variable;
  /** The running statistics. */
  readonly mean: Variable;
  readonly variance: Variable;
  /** The number added to the variance. */
  readonly epsilon: number;
  /** The weight of a batch in the running statistics. */
  readonly momentum: number;
}

/** Writes scale = gain / √(variance + epsilon) and shift = bias − mean · scale, of n elements each. */
export function writeScale(
  { memory: { view } }: Workspace,
  [scale, shift]: readonly [number, number],
  [gain, bias, mean, variance]: readonly [number, number, number, number],
  epsilon: number,
  n: number,
): void {
  for (let j = 0; j < n; j++) {
    const factor = view[gain + j]! / Math.sqrt(view[variance + j]! + epsilon);
    view[scale + j] = factor;
    view[shift + j] = view[bias + j]! - view[mean + j]! * factor;
  }
}

/**
 * Computes y = gain · (x − mean) / √(variance + epsilon) + bias for the rows of `[…, n]` with the running statistics,
 * which are constants.
 */
export function normalizeByRunning(x: Variable, statistics: BatchNormalization): Variable {
  const { gain, bias, mean, variance, epsilon } = statistics;
  const scope = x.storage.scope;
  const { kernels: k, workspace } = scope;
  const n = gain.size;
  const rows = x.size / n;
  const y = result(x.shape, [x, gain, bias]);
  const scale = allocate(workspace, n);
  const shift = allocate(workspace, n);
  writeScale(workspace, [scale, shift], [gain.offset, bias.offset, mean.offset, variance.offset], epsilon, n);
  k.of(scaleColumns)(y.offset, x.offset, scale, shift, rows, n);
  record([y], () => {
    const dy = gradientOf(y);
    if (x.storage.tracked) k.of(multiplyTaps)(gradientOf(x), dy, scale, rows, 1, 0, n);
    if (bias.storage.tracked) k.of(sumRows)(gradientOf(bias), dy, rows, n);
    if (!gain.storage.tracked) return;
    const dgain = gradientOf(gain);
    withScratch(scope, () => {
      const [sums, products] = columnSums(workspace, dy, x.offset, rows, n);
      const view = workspace.memory.view;
      for (let j = 0; j < n; j++)
        view[dgain + j]! +=
          (view[products + j]! - view[mean.offset + j]! * view[sums + j]!) /
          Math.sqrt(view[variance.offset + j]! + epsilon);
    });
  });
  return y;
}

/** Returns the sums of the columns of dy, and of dy · x. */
function columnSums(workspace: Workspace, dy: number, x: number, rows: number, n: number): readonly [number, number] {
  const k = workspace.kernels;
  const sums = allocateZeros(workspace, n);
  const products = allocateZeros(workspace, n);
  k.of(sumRows)(sums, dy, rows, n);
  k.of(sumProducts)(products, dy, x, rows, n);
  return [sums, products];
}

/**
 * Computes y = gain · (x − mean) / √(variance + epsilon) + bias for the rows of `[…, n]` with the mean and the biased
 * variance over the rows. During an update of {@link fit}, the running statistics move towards those of the batch, with
 * the unbiased variance.
 */
export function batchNormalize(x: Variable, statistics: BatchNormalization): Variable {
  const { gain, bias } = statistics;
  const scope = x.storage.scope;
  const { kernels: k, workspace } = scope;
  const n = gain.size;
  const rows = x.size / n;
  const y = result(x.shape, [x, gain, bias]);
  if (rows === 0) return y;
  const centered = allocate(workspace, x.size);
  // The mean is rounded. `rest` is its error, which is removed from the variance and from each element.
  const mean = allocate(workspace, n);
  const rest = allocate(workspace, n);
  const slope = allocate(workspace, n);
  center(scope, { centered, mean, rest, slope }, x, statistics);
  withScratch(scope, () => {
    const scale = allocate(workspace, n);
    const shift = allocate(workspace, n);
    const view = workspace.memory.view;
    for (let j = 0; j < n; j++) {
      view[scale + j] = view[gain.offset + j]! * view[slope + j]!;
      view[shift + j] = view[bias.offset + j]! - view[rest + j]! * view[scale + j]!;
    }
    k.of(scaleColumns)(y.offset, centered, scale, shift, rows, n);
  });
  record([y], () => {
    const [dx, dgain, dbias] = [x, gain, bias].map(gradientIfTracked);
    const dy = gradientOf(y);
    withScratch(scope, () => {
      const [sums, products] = columnSums(workspace, dy, centered, rows, n);
      const a = allocate(workspace, n);
      const b = allocate(workspace, n);
      const c = allocate(workspace, n);
      const view = workspace.memory.view;
      for (let j = 0; j < n; j++) {
        const factor = view[slope + j]!;
        const sum = view[sums + j]!;
        // Σ dy · normal
        const product = factor * (view[products + j]! - view[rest + j]! * sum);
        const ofNormal = (-view[gain.offset + j]! * factor * factor * product) / rows;
        view[a + j] = view[gain.offset + j]! * factor;
        view[b + j] = ofNormal;
        view[c + j] = (-view[a + j]! * sum) / rows - view[rest + j]! * ofNormal;
        if (dgain !== undefined) view[dgain + j]! += product;
        if (dbias !== undefined) view[dbias + j]! += sum;
      }
      if (dx !== undefined) k.of(combineColumns)(dx, dy, centered, a, b, c, rows, n);
    });
  });
  return y;
}

/**
 * Computes x − mean, the error of the mean, and 1 / √(variance + epsilon); moves the running statistics in an update.
 */
function center(
  { kernels: k, workspace, buffers }: Scope,
  { centered, mean, rest, slope }: Readonly<Record<'centered' | 'mean' | 'rest' | 'slope', number>>,
  x: Variable,
  { mean: runningMean, variance: runningVariance, epsilon, momentum }: BatchNormalization,
): void {
  const n = runningMean.size;
  const rows = x.size / n;
  // Not if they are frozen. In a recomputed body, they move once: in the backward pass.
  const moving = runningMean.storage.tracked && runningVariance.storage.tracked ? buffers : undefined;
  const ones = allocate(workspace, n);
  const variance = allocate(workspace, n);
  k.of(fill)(ones, 1, n);
  for (const offset of [mean, rest, variance]) k.of(fill)(offset, 0, n);
  k.of(sumRows)(mean, x.offset, rows, n);
  const view = workspace.memory.view;
  for (let j = 0; j < n; j++) view[mean + j]! /= -rows;
  k.of(scaleColumns)(centered, x.offset, ones, mean, rows, n);
  k.of(sumRows)(rest, centered, rows, n);
  k.of(sumProducts)(variance, centered, centered, rows, n);
  for (let j = 0; j < n; j++) {
    view[rest + j]! /= rows;
    const biased = Math.max(0, view[variance + j]! / rows - view[rest + j]! ** 2);
    view[slope + j] = 1 / Math.sqrt(biased + epsilon);
    if (moving === undefined) continue;
    const atMean = runningMean.offset + j;
    const atVariance = runningVariance.offset + j;
    const unbiased = rows > 1 ? (biased * rows) / (rows - 1) : biased;
    view[atMean]! += momentum * (view[rest + j]! - view[mean + j]! - view[atMean]!);
    view[atVariance]! += momentum * (unbiased - view[atVariance]!);
  }
  moving?.set(runningMean.offset, n);
  moving?.set(runningVariance.offset, n);
}
