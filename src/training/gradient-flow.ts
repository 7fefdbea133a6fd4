/** How a loss's gradient flows back through time, to be looked at. */

import { add, scale, subtract } from '../autodiff/ops/arithmetic';
import { reshape, slice } from '../autodiff/ops/movement';
import type { Variable } from '../autodiff/tape';
import { valueAndGradient } from '../autodiff/value-and-gradient';
import type { Batch } from '../data/dataset';
import { type BidirectionalOptions, bidirectional } from '../layers/bidirectional';
import { namesOf } from '../layers/chain';
import type { Layer } from '../layers/layer';
import { type RecurrentOptions, recurrent } from '../layers/recurrent';
import { residual } from '../layers/residual';
import { buildSequential, outputsPerStep, runModel, type Sequential } from '../models/sequential';
import { type Cell, type OpsCell, stateSizes } from '../recurrence/cell';
import { step as stepOf } from '../recurrence/unroll';
import { full, type Tensor } from '../tensor/tensor';
import type { Loss } from './losses';

/** What {@link gradientFlow} needs beside the batch. */
export interface GradientFlowOptions {
  readonly loss: Loss<never>;
}

/** What {@link gradientFlow} answers. */
export interface GradientFlow {
  readonly loss: number;
  /** By recurrent layer, `lstm`, `bidirectional.reverse`, `residual.gru`, and by state: `[T]`. */
  readonly norms: Readonly<Record<string, Readonly<Record<string, Float32Array>>>>;
}

/**
 * The norm of the loss's gradient by every state of every recurrent layer after every time step, ‖∂L/∂s_t‖ over all rows and units: the whole derivative, with what
 * flows back through all later steps. Where it shrinks toward the first steps they are not learned from (Hochreiter, 1991; Bengio, Simard and Frasconi, 1994, "Learning
 * long-term dependencies with gradient descent is difficult"); where it grows, steps explode (Pascanu, Mikolov and Bengio, 2013, arXiv 1211.5063).
 *
 * It runs step by step with dropout off, as predictions do. With `lengths`, steps count from each row's beginning, of reversed layers from each row's end.
 *
 * @param model is not changed
 * @throws RangeError where the model has no recurrent layer, or the batch does not fit
 * @example
 * const model = sequential([recurrent(simpleRnn(), { hiddenSize: 8, returnSequences: false }), dense({ size: 1 })], { inputSize: 1, seed: 1 });
 * const { norms } = gradientFlow(model, { inputs: full([30, 4, 1], 0.5), targets: full([4, 1], 1) }, { loss: meanSquaredError });
 * norms.simpleRnn.h.length; // 30
 * norms.simpleRnn.h[0] < norms.simpleRnn.h[29]; // true
 */
export function gradientFlow(model: Sequential, batch: Batch, { loss }: GradientFlowOptions): GradientFlow {
  const { inputs, targets, mask, lengths, resets } = batch;
  const [T, B] = inputs.shape as [number, number];
  const noise: Record<string, Record<string, Tensor>> = {};
  const watched: Watch[] = [];
  const layers = watchAll(
    model.layers.map(({ layer }) => layer),
    '',
    watched,
  );
  if (watched.length === 0) throw new RangeError('gradientFlow: the model has no recurrent layer.');
  // Zeros that are added to every state: the gradient by them is that by the state.
  for (const { path, sizes } of watched)
    noise[path] = Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, full([T, B, size], 0)]));
  const { value, gradient } = valueAndGradient({ model: model.parameters, noise }, (p) => {
    const own = p as unknown as {
      readonly model: never;
      readonly noise: Readonly<Record<string, Readonly<Record<string, Variable>>>>;
    };
    for (const watch of watched) watch.noise = own.noise[watch.path]!;
    const watching = buildSequential(
      layers,
      model.input.kind === 'ids' ? undefined : model.input.size,
      () => model.parameters as never,
    );
    const { output } = runModel(watching, own.model, inputs, { lengths, resets });
    return (loss as Loss)(output, targets as Tensor, { mask, lengths: outputsPerStep(model) ? lengths : undefined });
  });
  const found = gradient.noise as Readonly<Record<string, Readonly<Record<string, Tensor>>>>;
  const norms = watched.map(({ path, reverse }) => [
    path,
    Object.fromEntries(Object.entries(found[path]!).map(([name, tensor]) => [name, normsOf(tensor, reverse)])),
  ]);
  return { loss: value, norms: Object.fromEntries(norms) as GradientFlow['norms'] };
}

/** One run of a cell over time that is watched. */
interface Watch {
  readonly path: string;
  readonly reverse: boolean;
  readonly sizes: Readonly<Record<string, number>>;
  /** `[T, B, H]` by state. */
  noise: Readonly<Record<string, Variable>>;
}

/** The same layers with cells that are watched; those inside of residuals, too. */
function watchAll(layers: readonly Layer[], above: string, watched: Watch[]): readonly Layer[] {
  const names = namesOf(layers);
  return layers.map((layer, i) => {
    const path = above + names[i]!;
    const [maker, first, second] = layer.origin ?? [];
    if (maker === 'residual')
      return { ...residual(watchAll(first as readonly Layer[], `${path}.`, watched)), name: layer.name };
    if (maker !== 'recurrent' && maker !== 'bidirectional') return layer;
    const [cell, { zoneout = {}, ...options }] = [first as Cell, second as RecurrentOptions & BidirectionalOptions];
    const sizes = stateSizes(cell, options.hiddenSize);
    const own = (maker === 'recurrent' ? [''] : ['.forward', '.reverse']).map(
      (direction): Watch => ({
        path: path + direction,
        reverse: direction === '.reverse' || (options.reverse ?? false),
        sizes,
        noise: {},
      }),
    );
    watched.push(...own);
    const watching = watchedCell(cell, own, zoneout);
    return maker === 'recurrent' ? recurrent(watching, options) : bidirectional(watching, options);
  });
}

/** A cell to whose states noise is added; its sequences are those of the watches in turn. */
function watchedCell(cell: Cell, watches: readonly Watch[], zoneout: Readonly<Record<string, number>>): OpsCell {
  let [sequence, t] = [-1, 0];
  return {
    name: cell.name,
    state: cell.state,
    ...(cell.sizes && { sizes: cell.sizes }),
    parameters: cell.parameters,
    prepare(p) {
      sequence = (sequence + 1) % watches.length;
      t = 0;
      return p;
    },
    step(p, x, before) {
      const { noise } = watches[sequence]!;
      const rows = x.shape[0]!;
      const after = stepOf(cell, p, x, before).state;
      const now = t++;
      return Object.fromEntries(
        Object.entries(after).map(([name, answer]) => {
          const [stays, rate] = [before[name]!, zoneout[name] ?? 0];
          const moved = rate > 0 ? add(stays, scale(subtract(answer, stays), 1 - rate)) : answer;
          const own = slice(slice(noise[name]!, now, now + 1), 0, rows, 1);
          return [name, add(moved, reshape(own, moved.shape))];
        }),
      );
    },
  };
}

/** The norm of every step of `[T, …]`; what ran from the last step to the first stands the other way round. */
function normsOf({ shape, data }: Tensor, reverse: boolean): Float32Array {
  const [T, size] = [shape[0]!, data.length / shape[0]!];
  const norms = Float32Array.from({ length: T }, (_, t) =>
    Math.sqrt(data.subarray(t * size, (t + 1) * size).reduce((sum, value) => sum + value * value, 0)),
  );
  return reverse ? norms.reverse() : norms;
}
