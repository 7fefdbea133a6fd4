/**
 * The engine for pointwise cells: one matrix product for the inputs of all time steps and one per step for the hidden
 * state; after the backward loop, one product each for the gradients of the weights and of the inputs.
 *
 * S is the number of sequences, N the number of packed rows (Σ rows), I the input size, H the hidden size and G the
 * number of gate blocks.
 */

import { gradientOf, record, result, type Variable, withScratch } from '../autodiff/tape';
import { addProduct, addScaled, interpolate, interpolateBackward, multiplication } from '../kernels/arithmetic';
import { sumRows } from '../kernels/linear';
import { copy } from '../kernels/movement';
import { affineRows, gemm, gemmPacked, packPanels, panelsSize } from '../kernels/product';
import { allocate } from '../kernels/workspace';
import type { PointwiseBackwardStep, PointwiseCell } from './cell';
import type { EngineInput, StateSequences } from './engine';

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
interface Layout extends Omit<EngineInput, 'initial' | 'zoneout'> {
  readonly cell: PointwiseCell;
  /** The number of sequences. */
  readonly S: number;
  /** The number of packed rows, Σ rows. */
  readonly N: number;
  /** The input size. */
  readonly I: number;
  /** The hidden size. */
  readonly H: number;
  /** G·H */
  readonly GH: number;
  readonly parameters: Weights;
  /** One per part of the state; the first is the hidden state. */
  readonly tracks: readonly StateTrack[];
  /** Every variable that the outputs depend on. */
  readonly sources: readonly Variable[];
  /** `[N, G·H]` pre-activations, then what the forward function leaves there, then their gradient. */
  readonly gates: number;
  /** `[N, savedBlocks·H]` what the forward function saves for the backward function. */
  readonly saved: number;
  /** `[S, G·H]` the product of the hidden state of one step, for cells with `separateProducts`. */
  readonly product: number;
  /** `[N, H]` the hidden states multiplied by the mask; empty without a mask. */
  readonly maskedHidden: number;
  /** The offsets of the current step, set by {@link selectStep}; those of `dVectors`, by the backward pass. */
  readonly step: PointwiseBackwardStep<string> & { readonly dVectors: Record<string, number> };
}

/** Runs a pointwise cell over packed time steps. */
export function runPointwise(cell: PointwiseCell, input: EngineInput): StateSequences {
  const layout = layoutOf(cell, input);
  forward(layout);
  record(
    layout.tracks.map(({ sequence }) => sequence),
    () => backward(layout),
  );
  return Object.fromEntries(layout.tracks.map(({ name, sequence }) => [name, sequence]));
}

/** Allocates the state sequences and buffers of a run. */
function layoutOf(cell: PointwiseCell, input: EngineInput): Layout {
  const { scope, inputs, initial, mask, zoneout } = input;
  const { kernels: k, workspace } = scope;
  const [N, I] = inputs.shape as [number, number];
  const [S, H] = initial[cell.state[0]!]!.shape as [number, number];
  const GH = cell.gates * H;
  // unroll has checked the parameters.
  const parameters = input.parameters as Weights;
  const sources = [inputs, ...Object.values(parameters), ...Object.values(initial)];
  const tracks = cell.state.map((name): StateTrack => {
    const sequence = result(scope, [S + N, H], sources);
    k.of(copy)(sequence.offset, initial[name]!.offset, S * H);
    const moveRate = zoneout[name];
    const candidates = moveRate === undefined ? sequence.offset + S * H : allocate(workspace, N * H);
    return { name, initial: initial[name]!, sequence, candidates, moveRate };
  });
  const gates = allocate(workspace, N * GH);
  const saved = allocate(workspace, N * cell.savedBlocks * H);
  const product = allocate(workspace, cell.separateProducts ? S * GH : 0);
  const maskedHidden = allocate(workspace, mask === undefined ? 0 : N * H);
  const step: Layout['step'] = {
    rows: 0,
    hiddenSize: H,
    gates,
    product,
    saved,
    dProduct: -1,
    previous: {},
    next: {},
    dPrevious: {},
    dNext: {},
    vectors: Object.fromEntries(cell.vectorParameters.map((name) => [name, parameters[name]!.offset])),
    dVectors: {},
  };
  // Written out: an object made by spreading another one would slow down every step.
  return {
    scope,
    cell,
    inputs,
    parameters,
    rows: input.rows,
    mask,
    S,
    N,
    I,
    H,
    GH,
    tracks,
    sources,
    gates,
    saved,
    product,
    maskedHidden,
    step,
  };
}

/** The first row of the state before step `t` in a sequence of states, whose packed rows begin at `start`. */
const previousRow = ({ rows, S }: Layout, t: number, start: number): number => (t === 0 ? 0 : S + start - rows[t - 1]!);

/** Sets the offsets of step `t`, whose packed rows begin at `start`. */
function selectStep(layout: Layout, t: number, start: number): PointwiseBackwardStep<string> {
  const { H, step } = layout;
  const previous = previousRow(layout, t, start);
  step.rows = layout.rows[t]!;
  step.gates = layout.gates + start * layout.GH;
  step.saved = layout.saved + start * layout.cell.savedBlocks * H;
  for (const { name, sequence, candidates } of layout.tracks) {
    step.previous[name] = sequence.offset + previous * H;
    step.next[name] = candidates + start * H;
  }
  return step;
}

/** Computes the part of the pre-activations that does not depend on the state, with one product for all steps. */
function projectInputs({ scope, parameters: { weightIh, bias }, inputs, N, I, GH, gates }: Layout): void {
  const { kernels: k } = scope;
  if (bias === undefined) k.of(gemm)(gates, inputs.offset, weightIh.offset, N, GH, I, false, false, false);
  else k.of(affineRows)(gates, inputs.offset, weightIh.offset, bias.offset, N, GH, I);
}

/** Projects the inputs, then runs the steps in order. */
function forward(layout: Layout): void {
  const { scope, cell, H, GH, mask } = layout;
  const { weightHh } = layout.parameters;
  const { kernels: k } = scope;
  projectInputs(layout);
  withScratch(scope, weightHh === undefined ? 0 : panelsSize(H, GH), (panels) => {
    if (weightHh !== undefined) k.of(packPanels)(panels, weightHh.offset, H, GH, false);
    for (let t = 0, start = 0; t < layout.rows.length; t++) {
      const step = selectStep(layout, t, start);
      const size = step.rows * H;
      if (weightHh !== undefined) {
        const hidden = mask === undefined ? step.previous['h']! : layout.maskedHidden + start * H;
        if (mask !== undefined) k.of(multiplication)(hidden, step.previous['h']!, mask.offset, size);
        const target = cell.separateProducts ? layout.product : step.gates;
        k.of(gemmPacked)(target, hidden, panels, step.rows, GH, H, false, !cell.separateProducts);
      }
      cell.forward(k, step);
      for (const { name, sequence, moveRate } of layout.tracks) {
        if (moveRate === undefined) continue;
        const next = sequence.offset + (layout.S + start) * H;
        k.of(interpolate)(next, step.previous[name]!, step.next[name]!, moveRate.offset + start * H, size);
      }
      start += step.rows;
    }
  });
}

/** Allocates the gradients and scratch buffers, then runs the backward loop and the products after it. */
function backward(layout: Layout): void {
  const { scope, cell, S, N, H, mask, tracks, sources } = layout;
  const sequences = Object.fromEntries(tracks.map(({ name, sequence }) => [name, gradientOf(sequence)]));
  // Gradients outlive the scratch memory, so they are allocated before it.
  for (const source of sources) if (source.storage.tracked) gradientOf(source);
  // Every vector parameter gets a gradient, since the backward function always adds to it.
  for (const name of cell.vectorParameters) layout.step.dVectors[name] = gradientOf(layout.parameters[name]!);
  const repacks = mask === undefined && layout.rows.some((count) => count !== S);
  const sizes = [
    cell.separateProducts ? N * layout.GH : 0,
    repacks ? N * H : 0,
    mask === undefined ? 0 : S * H,
    ...tracks.map(({ moveRate }) => (moveRate === undefined ? 0 : S * H)),
  ];
  withScratch(
    scope,
    sizes.reduce((sum, size) => sum + size, 0),
    (scratch) => {
      const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, scratch));
      const [products, packedHidden, dMasked, ...dCandidates] = starts as [number, number, number, ...number[]];
      const dProduct = cell.separateProducts ? products : layout.gates;
      const target = repacks ? packedHidden : undefined;
      backwardSteps(layout, sequences, dProduct, target, dMasked, dCandidates);
      // The hidden states that were multiplied by the recurrent weights, in packed order.
      const hidden = mask === undefined ? (target ?? tracks[0]!.sequence.offset) : layout.maskedHidden;
      parameterGradients(layout, dProduct, hidden);
      for (const { name, initial } of tracks) {
        if (initial.storage.tracked) scope.kernels.of(addScaled)(gradientOf(initial), sequences[name]!, 1, S * H);
      }
    },
  );
}

/**
 * Runs the steps in reverse: leaves the gradient of all pre-activations in `gates` and adds to the gradients of the
 * states.
 *
 * @param sequences `[S + N, H]` per part of the state: the gradients of the state sequences
 * @param dProduct `[N, G·H]` the gradient of the products of the hidden states
 * @param packedHidden `[N, H]` receives the previous hidden states in packed order, if given
 * @param dMasked `[S, H]` scratch: the gradient of the masked hidden state of one step
 * @param dCandidates `[S, H]` per part of the state, scratch: the gradient of the candidates of one step, under zoneout
 */
function backwardSteps(
  layout: Layout,
  sequences: Readonly<Record<string, number>>,
  dProduct: number,
  packedHidden: number | undefined,
  dMasked: number,
  dCandidates: readonly number[],
): void {
  const { scope, rows, H, GH, mask, tracks } = layout;
  const { weightHh } = layout.parameters;
  const { kernels: k } = scope;
  const initialTracked = tracks.some(({ initial }) => initial.storage.tracked);
  withScratch(scope, weightHh === undefined ? 0 : panelsSize(GH, H), (panels) => {
    if (weightHh !== undefined) k.of(packPanels)(panels, weightHh.offset, GH, H, true);
    for (let t = rows.length - 1, start = layout.N; t >= 0; t--) {
      start -= rows[t]!;
      const previous = previousRow(layout, t, start);
      const step = selectStep(layout, t, start);
      const size = step.rows * H;
      step.dProduct = dProduct + start * GH;
      tracks.forEach(({ name, moveRate }, i) => {
        const [dPrevious, dNext] = [sequences[name]! + previous * H, sequences[name]! + (layout.S + start) * H];
        step.dPrevious[name] = dPrevious;
        step.dNext[name] = moveRate === undefined ? dNext : dCandidates[i]!;
        if (moveRate === undefined) return;
        k.of(interpolateBackward)(dPrevious, dCandidates[i]!, dNext, moveRate.offset + start * H, size);
      });
      layout.cell.backward(k, step);
      if (weightHh !== undefined && (t > 0 || initialTracked)) {
        const dHidden = mask === undefined ? step.dPrevious['h']! : dMasked;
        k.of(gemmPacked)(dHidden, step.dProduct, panels, step.rows, H, GH, false, mask === undefined);
        if (mask !== undefined) k.of(addProduct)(step.dPrevious['h']!, dMasked, mask.offset, size);
      }
      if (packedHidden !== undefined) k.of(copy)(packedHidden + start * H, step.previous['h']!, size);
    }
  });
}

/**
 * Adds the gradients of the weights, the bias and the inputs, one product each over all steps.
 *
 * @param dProduct `[N, G·H]` the gradient of the products of the hidden states
 * @param hidden `[N, H]` the hidden states that were multiplied by the recurrent weights
 */
function parameterGradients(
  { scope, parameters, inputs, N, I, H, GH, gates }: Layout,
  dProduct: number,
  hidden: number,
): void {
  const { weightIh, weightHh, bias } = parameters;
  const { kernels: k } = scope;
  if (weightIh.storage.tracked) k.of(gemm)(gradientOf(weightIh), inputs.offset, gates, I, GH, N, true, false, true);
  if (weightHh?.storage.tracked) k.of(gemm)(gradientOf(weightHh), hidden, dProduct, H, GH, N, true, false, true);
  if (bias?.storage.tracked) k.of(sumRows)(gradientOf(bias), gates, N, GH);
  if (inputs.storage.tracked) k.of(gemm)(gradientOf(inputs), gates, weightIh.offset, N, I, GH, false, true, true);
}
