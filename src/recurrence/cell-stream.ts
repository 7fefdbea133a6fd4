/**
 * Step runners run one time step at a time, as streams do, with the weights kept packed in a workspace. A step
 * allocates nothing.
 */

import { interpolate } from '../kernels/arithmetic';
import { copy, fill } from '../kernels/movement';
import { gemmPacked, packPanels, panelsSize } from '../kernels/product';
import { allocate, copyInto, type Workspace } from '../kernels/workspace';
import { byName, mapValues } from '../tensor/named-values';
import { checkNames, checkShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import type { PointwiseCell, PointwiseStep } from './cell';

/** The state by name, `[B, H]` each. */
export type StepRunnerState = Readonly<Record<string, Tensor>>;

/** Runs one time step at a time in a workspace: reads the input buffer and writes the output buffer `[B, size]`. */
export interface StepRunner<S = StepRunnerState> {
  /** The offset of the output. */
  readonly output: number;
  /** The number of output features per row. */
  readonly size: number;
  /** Runs one step and moves the state forward. */
  readonly step: () => void;
  /** Returns a copy of the state; undefined for stateless layers. */
  readonly readState: () => S | undefined;
  /** Sets the state; missing parts are reset to the initial state. @throws RangeError if a shape does not match */
  readonly writeState: (state: S | undefined) => void;
}

/** Options for creating a {@link StepRunner}. */
export interface StepRunnerOptions {
  /** Holds the weights and the state. */
  readonly workspace: Workspace;
  /** The parameters by name, copied or packed into the workspace. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** The offset of the input `[B, I]`, the same at every step. */
  readonly input: number;
  /** B, the number of rows. */
  readonly batchSize: number;
}

/** Packs a matrix `[K, N]` into the workspace and returns its offset. */
function packInto(workspace: Workspace, { shape, data }: Tensor): number {
  const [K, N] = shape as [number, number];
  const panels = allocate(workspace, panelsSize(K, N));
  const { top } = workspace;
  const plain = copyInto(workspace, data);
  workspace.kernels.of(packPanels)(panels, plain, K, N, false);
  workspace.top = top;
  return panels;
}

/** Returns a function that computes y = x W + b, or y = x W, for `rows` rows of x. W stays packed in the workspace. */
export function packedAffine(
  workspace: Workspace,
  weight: Tensor,
  bias: Tensor | undefined,
): (y: number, x: number, rows: number) => void {
  const [K, N] = weight.shape as [number, number];
  const [panels, biasOffset] = [packInto(workspace, weight), bias === undefined ? -1 : copyInto(workspace, bias.data)];
  const [move, multiply] = [workspace.kernels.of(copy), workspace.kernels.of(gemmPacked)];
  return (y, x, rows) => {
    if (biasOffset >= 0) for (let row = 0; row < rows; row++) move(y + row * N, biasOffset, N);
    multiply(y, x, panels, rows, N, K, false, biasOffset >= 0);
  };
}

/** Options of {@link cellStepRunner}. */
export interface CellStepRunnerOptions {
  /** `[1, H]` by name: the initial state of every row. Zeros by default. */
  readonly initialState?: StepRunnerState;
  /** Zoneout rates by the name of the state; the expected value is used. */
  readonly zoneout?: Readonly<Record<string, number | undefined>>;
}

/**
 * Runs a pointwise cell step by step: two matrix products and the forward function, with two state buffers that are
 * swapped after each step.
 */
export function cellStepRunner(
  cell: PointwiseCell,
  { workspace, parameters, input, batchSize }: StepRunnerOptions,
  { initialState = {}, zoneout = {} }: CellStepRunnerOptions = {},
): StepRunner {
  const { kernels: k } = workspace;
  const { weightIh, weightHh, bias } = parameters as { weightIh: Tensor; weightHh?: Tensor; bias?: Tensor };
  const GH = weightIh.shape[1]!;
  const H = GH / cell.gates;
  const size = batchSize * H;
  const affine = packedAffine(workspace, weightIh, bias);
  const panels = weightHh === undefined ? -1 : packInto(workspace, weightHh);
  const gates = allocate(workspace, batchSize * GH);
  const output = allocate(workspace, size);
  const product = cell.separateProducts ? allocate(workspace, batchSize * GH) : gates;
  const saved = allocate(workspace, cell.savedBlocks * size);
  const vectors = byName(cell.vectorParameters, (name) => copyInto(workspace, parameters[name]!.data));
  const stateBuffers = (): Record<string, number> => byName(cell.state, () => allocate(workspace, size));
  const [first, second] = [stateBuffers(), stateBuffers()];
  const stepFrom = (previous: Record<string, number>, next: Record<string, number>): PointwiseStep<string> => ({
    rows: batchSize,
    hiddenSize: H,
    gates,
    product,
    saved,
    previous,
    next,
    vectors,
  });
  let [current, following] = [stepFrom(first, second), stepFrom(second, first)];
  const [multiply, move] = [k.of(gemmPacked), k.of(copy)];
  const zoned = cell.state
    .filter((name) => zoneout[name])
    .map((name) => {
      const moveRate = allocate(workspace, size);
      k.of(fill)(moveRate, 1 - zoneout[name]!, size);
      return { name, moveRate };
    });
  const writeState = (state: StepRunnerState | undefined): void => {
    checkNames('stream', 'state', state ?? {}, cell.state);
    for (const name of cell.state) {
      const value = state?.[name] ?? broadcastState(initialState[name], [batchSize, H]);
      checkShape('stream', `state.${name}`, value.shape, '[B, H]', [batchSize, H]);
      workspace.memory.view.set(value.data, current.previous[name]!);
    }
  };
  writeState(undefined);
  return {
    output,
    size: H,
    step() {
      affine(gates, input, batchSize);
      if (panels >= 0)
        multiply(product, current.previous['h']!, panels, batchSize, GH, H, false, !cell.separateProducts);
      cell.forward(k, current);
      for (const { name, moveRate } of zoned) {
        const next = current.next[name]!;
        k.of(interpolate)(next, current.previous[name]!, next, moveRate, size);
      }
      move(output, current.next['h']!, size);
      const last = current;
      current = following;
      following = last;
    },
    readState: () =>
      mapValues(current.previous, (offset) => ({
        shape: [batchSize, H],
        data: Float32Array.from(workspace.memory.view.subarray(offset, offset + size)),
      })),
    writeState,
  };
}

/** Repeats an initial state `[1, size]` for every row; zeros if it is undefined. */
export function broadcastState(state: Tensor | undefined, [rows, size]: readonly [number, number]): Tensor {
  const data = new Float32Array(rows * size);
  if (state !== undefined) for (let row = 0; row < rows; row++) data.set(state.data, row * size);
  return { shape: [rows, size], data };
}
