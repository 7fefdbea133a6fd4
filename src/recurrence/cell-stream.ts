/**
 * Step runners run one time step at a time, as streams do, with the weights kept packed in a workspace. A step
 * allocates nothing.
 */

import { interpolate } from '../kernels/arithmetic';
import { copy, fill } from '../kernels/movement';
import { gemmPacked } from '../kernels/product';
import type { Resident } from '../kernels/resident';
import type { Workspace } from '../kernels/workspace';
import { byName, mapValues } from '../tensor/named-values';
import { checkNames, checkShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import type { PointwiseCell, PointwiseStep } from './cell';

/** The state by name, `[B, H]` each. */
export type StepRunnerState = Readonly<Record<string, Tensor>>;

/** The state of one of the streams that share a step runner, while another one runs. */
export interface StateSlot {
  /** Copies the state from the runner. */
  readonly save: () => void;
  /** Copies the state to the runner. */
  readonly load: () => void;
}

/**
 * Runs one time step at a time in a workspace: reads the input buffer and writes the output buffer `[B, size]`. Streams of
 * a model share one runner, and exchange its state.
 */
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
  /** Creates storage with the initial state for one stream. Absent for stateless layers. */
  readonly createSlot?: () => StateSlot;
}

/** Options for creating a {@link StepRunner}. */
export interface StepRunnerOptions {
  readonly workspace: Workspace;
  /** Reserves a buffer in the workspace and returns its offset. */
  readonly reserve: (size: number) => number;
  /** Copies or packs parameters into the workspace, once for all streams of a model. */
  readonly resident: Resident;
  /** The parameters by name. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** The offset of the input `[B, I]`, the same at every step. */
  readonly input: number;
  /** B, the number of rows. */
  readonly batchSize: number;
}

/** Returns a function that computes y = x W + b, or y = x W, for `rows` rows of x. W stays packed in the workspace. */
export function packedAffine(
  { workspace, place, pack }: Resident,
  weight: Tensor,
  bias: Tensor | undefined,
): (y: number, x: number, rows: number) => void {
  const [K, N] = weight.shape as [number, number];
  const [panels, biasOffset] = [pack(weight), bias === undefined ? -1 : place(bias)];
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
  { workspace, reserve, resident, parameters, input, batchSize }: StepRunnerOptions,
  { initialState = {}, zoneout = {} }: CellStepRunnerOptions = {},
): StepRunner {
  const { kernels: k, memory } = workspace;
  const { weightIh, weightHh, bias } = parameters as { weightIh: Tensor; weightHh?: Tensor; bias?: Tensor };
  const GH = weightIh.shape[1]!;
  const H = GH / cell.gates;
  const size = batchSize * H;
  const shape = [batchSize, H];
  const affine = packedAffine(resident, weightIh, bias);
  const panels = weightHh === undefined ? -1 : resident.pack(weightHh);
  const gates = reserve(batchSize * GH);
  const output = reserve(size);
  const product = cell.separateProducts ? reserve(batchSize * GH) : gates;
  const saved = reserve(cell.savedBlocks * size);
  const vectors = byName(cell.vectorParameters, (name) => resident.place(parameters[name]!));
  const initial = new Float32Array(cell.state.length * size);
  cell.state.forEach((name, i) => {
    const data = initialState[name]?.data;
    if (data !== undefined) for (let row = 0; row < batchSize; row++) initial.set(data, i * size + row * H);
  });
  const blocks = [reserve(initial.length), reserve(initial.length)] as const;
  const offsetsFrom = (block: number): Record<string, number> =>
    byName(cell.state, (name) => block + cell.state.indexOf(name) * size);
  const stepFrom = (from: number, to: number): PointwiseStep<string> & { readonly block: number } => ({
    rows: batchSize,
    hiddenSize: H,
    gates,
    product,
    saved,
    previous: offsetsFrom(from),
    next: offsetsFrom(to),
    vectors,
    block: from,
  });
  let [current, following] = [stepFrom(blocks[0], blocks[1]), stepFrom(blocks[1], blocks[0])];
  const [multiply, move] = [k.of(gemmPacked), k.of(copy)];
  const zoned = cell.state
    .filter((name) => zoneout[name])
    .map((name) => {
      const moveRate = reserve(size);
      k.of(fill)(moveRate, 1 - zoneout[name]!, size);
      return { name, moveRate };
    });
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
        shape,
        data: Float32Array.from(memory.view.subarray(offset, offset + size)),
      })),
    writeState(state) {
      checkNames('stream', 'state', state ?? {}, cell.state);
      memory.view.set(initial, current.block);
      for (const name of cell.state) {
        const value = state?.[name];
        if (value === undefined) continue;
        checkShape('stream', `state.${name}`, value.shape, '[B, H]', shape);
        memory.view.set(value.data, current.previous[name]!);
      }
    },
    createSlot() {
      const values = initial.slice();
      return {
        save: () => values.set(memory.view.subarray(current.block, current.block + values.length)),
        load: () => memory.view.set(values, current.block),
      };
    },
  };
}
