/**
 * The engine for pointwise cells: one matrix product for the inputs of all time steps and one per step for the hidden
 * state; after the backward loop, one product each for the gradients of the weights and of the inputs.
 *
 * S is the number of sequences, N the number of packed rows (Σ rows), I the input size, H the hidden size and G the
 * number of gate blocks.
 */

import { affineBackward, affineInto } from '../autodiff/ops/linear';
import { gradientIfTracked, gradientOf, record, result, type Variable, viewOf, withScratch } from '../autodiff/tape';
import { addProduct, addScaled, interpolate, interpolateBackward, multiplication } from '../kernels/arithmetic';
import type { Kernels } from '../kernels/kernel';
import { copy } from '../kernels/movement';
import { gemm, gemmPacked, packPanels, panelsSize } from '../kernels/product';
import { allocate, type Workspace } from '../kernels/workspace';
import { byName } from '../tensor/named-values';
import type { PointwiseBackwardStep, PointwiseCell } from './cell';
import type { EngineInput, StateSequences } from './engine';

/** The number of rows (time steps × sequences) that are computed at once if no backward pass follows. */
export const rowsAtOnce = 512;

/** The sequence of one part of the state, such as `h` or `c`. */
interface StateTrack {
  readonly name: string;
  /** `[S, H]` the state before the first step. */
  readonly initial: Variable;
  /** `[S + N, H]` the initial state, followed by the state after every packed row. */
  readonly sequence: Variable;
  /**
   * Offset of `[N, H]`: the new states that the cell computes. Part of `sequence`, or a separate buffer under zoneout.
   */
  readonly candidates: number;
  /** `[N, H]` the fraction by which the state moves to the candidate; undefined without zoneout. */
  readonly moveRate: Variable | undefined;
  /** Offset of the gradient of `sequence`; set by the backward pass. */
  gradient: number;
  /** Offset of `[S, H]`: the gradient of the candidates of one step, under zoneout; set by the backward pass. */
  dCandidates: number;
}

/** The parameters of a pointwise cell: its weights, and its vector parameters by name. */
type Weights = Readonly<Record<string, Variable>> & {
  /** `[I, G·H]` */
  readonly weightIh: Variable;
  /** `[H, G·H]` */
  readonly weightHh?: Variable;
  /** `[G·H]` */
  readonly bias?: Variable;
};

/** The sizes, variables and buffers of one run. Buffers are offsets into the workspace. */
interface Layout extends Pick<EngineInput, 'scope' | 'inputs' | 'rows' | 'mask'> {
  readonly cell: PointwiseCell;
  /** The number of sequences. */
  readonly S: number;
  /** The number of packed rows, Σ rows. */
  readonly N: number;
  /** The hidden size. */
  readonly H: number;
  /** G·H */
  readonly GH: number;
  readonly parameters: Weights;
  /** One per part of the state; the first is the hidden state. */
  readonly tracks: readonly StateTrack[];
  /** Every variable that the outputs depend on. */
  readonly sources: readonly Variable[];
  /** The number of steps whose rows `gates` and `saved` hold at once: all of them if there is a backward pass. */
  readonly stepsAtOnce: number;
  /** `[N, G·H]` pre-activations, then the values that the forward function saves there, then their gradient. */
  gates: number;
  /** `[S, G·H]` the products of the hidden states of one step; empty unless the cell takes them separately. */
  readonly product: number;
  /** `[N, savedBlocks·H]` the other values that the forward function saves for the backward function. */
  saved: number;
  /** `[N, H]` the hidden states multiplied by the mask; empty without a mask. */
  readonly masked: number;
  /** The offsets of the current step, set by {@link overSteps}; those of `dVectors`, by the backward pass. */
  readonly step: PointwiseBackwardStep<string> & { readonly dVectors: Record<string, number> };
}

/** Runs a pointwise cell over packed time steps. */
export function runPointwise(cell: PointwiseCell, input: EngineInput): StateSequences {
  const layout = layoutOf(cell, input);
  forward(layout);
  const sequences = Object.fromEntries(layout.tracks.map(({ name, sequence }) => [name, sequence]));
  record(Object.values(sequences), () => backward(layout));
  return sequences;
}

/** Allocates the state sequences and buffers of a run. */
function layoutOf(cell: PointwiseCell, input: EngineInput): Layout {
  const { inputs, initial, mask, zoneout } = input;
  const { kernels: k, workspace } = input.scope;
  const N = inputs.shape[0]!;
  const [S, H] = initial[cell.state[0]!]!.shape as [number, number];
  const GH = cell.gates * H;
  // unroll has checked the parameters.
  const parameters = input.parameters as Weights;
  const sources = [inputs, ...Object.values(parameters), ...Object.values(initial)];
  const tracks = cell.state.map((name): StateTrack => {
    const sequence = result([S + N, H], sources);
    k.of(copy)(sequence.offset, initial[name]!.offset, S * H);
    const moveRate = zoneout[name];
    const candidates = moveRate === undefined ? sequence.offset + S * H : allocate(workspace, N * H);
    return { name, initial: initial[name]!, sequence, candidates, moveRate, gradient: -1, dCandidates: -1 };
  });
  const stepsAtOnce = tracks[0]!.sequence.storage.tracked ? input.rows.length : Math.ceil(rowsAtOnce / S);
  const M = Math.min(N, stepsAtOnce * S);
  const buffers = {
    gates: allocate(workspace, M * GH),
    saved: allocate(workspace, M * cell.savedBlocks * H),
    product: allocate(workspace, cell.separateProducts ? S * GH : 0),
  };
  const masked = allocate(workspace, mask === undefined ? 0 : N * H);
  const step: Layout['step'] = {
    ...buffers,
    rows: 0,
    hiddenSize: H,
    dProduct: -1,
    previous: {},
    next: {},
    dPrevious: {},
    dNext: {},
    vectors: byName(cell.vectorParameters, (name) => parameters[name]!.offset),
    dVectors: {},
  };
  return { ...input, ...buffers, cell, S, N, H, GH, stepsAtOnce, parameters, tracks, sources, masked, step };
}

/** Packs a matrix `[K, N]`, stored as `[N, K]` if transposed, unless it is packed. Returns the offset of its panels. */
function packed(workspace: Workspace, matrix: Variable, K: number, N: number, transposed: boolean): number {
  if (!transposed && matrix.panels !== undefined) return matrix.panels;
  const panels = allocate(workspace, panelsSize(K, N));
  workspace.kernels.of(packPanels)(panels, matrix.offset, K, N, transposed);
  return panels;
}

/**
 * Computes one step of rows of the batch from `first` on, which are the packed rows from `at` on.
 *
 * @param step the offsets for these rows
 */
type StepFunction = (k: Kernels, step: Layout['step'], t: number, at: number, first: number) => void;

/**
 * Sets the offsets of each step and calls `run`, in order or in reverse order. If the rows have the same length and the
 * cell allows it, threads compute all steps of some rows each; otherwise they divide the kernels.
 *
 * @param beforeBlock is called before each block of steps, with its packed rows
 */
function overSteps(
  layout: Layout,
  isReversed: boolean,
  run: StepFunction,
  beforeBlock?: (start: number, end: number) => void,
): void {
  const { cell, scope, rows, stepsAtOnce, S, H, GH, step } = layout;
  const kernels = scope.kernels;
  const T = rows.length;
  let end = 0;
  const starts = rows.map((count) => {
    end += count;
    return end - count;
  });
  const runRows = (k: Kernels, first: number, count: number, from: number, to: number): void => {
    for (let i = from; i < to; i++) {
      const t = isReversed ? T - 1 - i : i;
      const at = starts[t]! + first;
      const previous = t === 0 ? first : S + at - rows[t - 1]!;
      step.rows = Math.min(rows[t]!, count);
      step.gates = layout.gates + at * GH;
      step.product = layout.product + first * GH;
      step.saved = layout.saved + at * cell.savedBlocks * H;
      for (const { name, sequence, candidates, moveRate, gradient, dCandidates } of layout.tracks) {
        step.previous[name] = sequence.offset + previous * H;
        step.next[name] = candidates + at * H;
        step.dPrevious[name] = gradient + previous * H;
        step.dNext[name] = moveRate === undefined ? gradient + (S + at) * H : dCandidates + first * H;
      }
      run(k, step, t, at, first);
    }
  };
  const divides = cell.callsOnlyKernels && rows[T - 1] === S;
  for (let from = 0; from < T; from += stepsAtOnce) {
    const to = Math.min(T, from + stepsAtOnce);
    beforeBlock?.(starts[from]!, starts[to] ?? end);
    if (kernels.overSteps && divides) kernels.overSteps(S, H * GH, from, to, runRows);
    else runRows(kernels, 0, S, from, to);
  }
}

/**
 * Computes the part of the pre-activations that does not depend on the state, with one product for a block of steps,
 * then runs the steps in order. Without a backward pass, every block uses the same memory for what it saves.
 */
function forward(layout: Layout): void {
  const { cell, scope, inputs, mask, S, H, GH, tracks, gates, saved } = layout;
  const { weightIh, weightHh, bias } = layout.parameters;
  const hiddenName = cell.state[0]!;
  const I = inputs.shape[1]!;
  withScratch(scope, () => {
    const panels = weightHh === undefined ? -1 : packed(scope.workspace, weightHh, H, GH, false);
    const run: StepFunction = (k, step, _, at, first) => {
      const size = step.rows * H;
      if (weightHh !== undefined) {
        const hidden = mask === undefined ? step.previous[hiddenName]! : layout.masked + at * H;
        if (mask !== undefined) k.of(multiplication)(hidden, step.previous[hiddenName]!, mask.offset + first * H, size);
        const target = cell.separateProducts ? step.product : step.gates;
        k.of(gemmPacked)(target, hidden, panels, step.rows, GH, H, !cell.separateProducts);
      }
      cell.forward(k, step);
      for (const { name, sequence, moveRate } of tracks) {
        if (moveRate === undefined) continue;
        const next = sequence.offset + (S + at) * H;
        k.of(interpolate)(next, step.previous[name]!, step.next[name]!, moveRate.offset + at * H, size);
      }
    };
    overSteps(layout, false, run, (start, end) => {
      // Row `start` of all packed rows is the first one in the buffers.
      layout.gates = gates - start * GH;
      layout.saved = saved - start * cell.savedBlocks * H;
      affineInto(gates, viewOf(inputs, [end - start, I], start * I), weightIh, bias);
    });
  });
}

/**
 * Runs the steps in reverse, which leaves the gradient of all pre-activations in `gates` and adds to the gradients of
 * the states; then adds the gradients of the weights and the inputs, with one product each.
 */
function backward(layout: Layout): void {
  const { cell, scope, inputs, rows, mask, S, N, H, GH, tracks, step } = layout;
  const { weightIh, weightHh, bias } = layout.parameters;
  const { kernels: k, workspace } = scope;
  const hiddenName = cell.state[0]!;
  // Gradients outlive the scratch memory, so they are allocated before it.
  for (const track of tracks) track.gradient = gradientOf(track.sequence);
  layout.sources.forEach(gradientIfTracked);
  // Every vector parameter gets a gradient, since the backward function always adds to it.
  for (const name of cell.vectorParameters) step.dVectors[name] = gradientOf(layout.parameters[name]!);
  const initialTracked = tracks.some(({ initial }) => initial.storage.tracked);
  withScratch(scope, () => {
    for (const track of tracks) if (track.moveRate !== undefined) track.dCandidates = allocate(workspace, S * H);
    // `[N, G·H]` the gradient of the products of the hidden states.
    const dProduct = cell.separateProducts ? allocate(workspace, N * GH) : layout.gates;
    // `[N, H]` the previous hidden states in packed order, if they are not in that order.
    const repacked = mask === undefined && rows.some((count) => count !== S) ? allocate(workspace, N * H) : undefined;
    const panels = weightHh === undefined ? -1 : packed(workspace, weightHh, GH, H, true);
    const dMasked = allocate(workspace, mask === undefined ? 0 : S * H);
    overSteps(layout, true, (k, step, t, at, first) => {
      const size = step.rows * H;
      step.dProduct = dProduct + at * GH;
      for (const { name, moveRate, gradient } of tracks) {
        if (moveRate === undefined) continue;
        const dNext = gradient + (S + at) * H;
        k.of(interpolateBackward)(step.dPrevious[name]!, step.dNext[name]!, dNext, moveRate.offset + at * H, size);
      }
      cell.backward(k, step);
      if (weightHh !== undefined && (t > 0 || initialTracked)) {
        const dHidden = mask === undefined ? step.dPrevious[hiddenName]! : dMasked + first * H;
        k.of(gemmPacked)(dHidden, step.dProduct, panels, step.rows, H, GH, mask === undefined);
        if (mask !== undefined) k.of(addProduct)(step.dPrevious[hiddenName]!, dHidden, mask.offset + first * H, size);
      }
      if (repacked !== undefined) k.of(copy)(repacked + at * H, step.previous[hiddenName]!, size);
    });
    cell.backwardVectors?.(k, { ...step, saved: layout.saved, rows: N });
    affineBackward(layout.gates, inputs, weightIh, bias);
    if (weightHh?.storage.tracked) {
      // The hidden states that were multiplied by the recurrent weights, in packed order.
      const hidden = mask === undefined ? (repacked ?? tracks[0]!.sequence.offset) : layout.masked;
      k.of(gemm)(gradientOf(weightHh), hidden, dProduct, H, GH, N, true, false, true);
    }
    for (const { initial, gradient } of tracks) {
      if (initial.storage.tracked) k.of(addScaled)(gradientOf(initial), gradient, 1, S * H);
    }
  });
}
