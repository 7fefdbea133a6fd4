/**
 * Step runners run one time step at a time, as streams do, with the weights kept packed in a workspace. A step
 * allocates nothing.
 */

import type { Heap, Memory } from '../kernels/kernel';
import { affinePacked, gemmPacked } from '../kernels/product';
import type { Resident } from '../kernels/resident';
import type { Workspace } from '../kernels/workspace';
import { byName } from '../tensor/named-values';
import { checkNames, checkShape } from '../tensor/shape';
import { checkTensor, type Tensor } from '../tensor/tensor';
import type { PointwiseCell, PointwiseStep } from './cell';

/** The state by name, `[B, H]` each. */
export type StepRunnerState = Readonly<Record<string, Tensor>>;

/**
 * Runs one time step at a time in a workspace. The streams of a model share its weights and buffers. Each has its
 * own state of type C, which only the runner reads and changes; its values, of type S, are plain tensors.
 */
export interface StepRunner<S = StepRunnerState, C = unknown> {
  /** The offset of the output `[B, size]`. */
  readonly output: number;
  /** The number of output features per row. */
  readonly size: number;
  // Methods, so that runners with states of different types can be in one list.
  /** Returns the initial state of a stream. */
  start(): C;
  /** Runs one step, from the input buffer to the output buffer, and changes the state. */
  step(state: C): void;
  /** Returns the values of a state; undefined for stateless layers. */
  readState(state: C): S | undefined;
  /** Changes a state to the values, or to the initial ones if missing. @throws RangeError if a shape does not match */
  writeState(state: C, values: S | undefined): void;
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
  const panels = pack(weight);
  if (bias === undefined) {
    const multiply = workspace.kernels.of(gemmPacked);
    return (y, x, rows) => multiply(y, x, panels, rows, N, K, false);
  }
  const multiplyAdd = workspace.kernels.of(affinePacked);
  const start = place(bias);
  return (y, x, rows) => multiplyAdd(y, x, panels, start, rows, N, K);
}

/** Options of {@link cellStepRunner}. */
export interface CellStepRunnerOptions {
  /** The initial state: its parts `[B, H]` one after another, in the order of `cell.state`. Zeros by default. */
  readonly initialState?: Float32Array | undefined;
  /** Changes the new state after the forward function of the cell, such as {@link expectedZoneout}. */
  readonly afterForward?: ((step: PointwiseStep<string>) => void) | undefined;
}

/**
 * Runs a pointwise cell step by step: two matrix products and the forward function. The state is one array of all its
 * parts.
 */
export function cellStepRunner(
  cell: PointwiseCell,
  { workspace, reserve, resident, parameters, input, batchSize }: StepRunnerOptions,
  { initialState, afterForward }: CellStepRunnerOptions = {},
): StepRunner<StepRunnerState, Float32Array> {
  const { kernels: k, memory } = workspace;
  const { weightIh, weightHh, bias } = parameters as { weightIh: Tensor; weightHh?: Tensor; bias?: Tensor };
  const GH = weightIh.shape[1]!;
  const H = GH / cell.gates;
  const size = batchSize * H;
  const shape = [batchSize, H];
  const affine = packedAffine(resident, weightIh, bias);
  const panels = weightHh === undefined ? -1 : resident.pack(weightHh);
  const initial = initialState ?? new Float32Array(cell.state.length * size);
  const at = (name: string): number => cell.state.indexOf(name) * size;
  // The states before and after a step. The first part of each is the output.
  const from = reserve(initial.length);
  const to = reserve(initial.length);
  const gates = reserve(batchSize * GH);
  const product = cell.separateProducts ? reserve(batchSize * GH) : gates;
  const step: PointwiseStep<string> = {
    rows: batchSize,
    hiddenSize: H,
    gates,
    product,
    saved: reserve(cell.savedBlocks * size),
    previous: byName(cell.state, (name) => from + at(name)),
    next: byName(cell.state, (name) => to + at(name)),
    vectors: byName(cell.vectorParameters, (name) => resident.place(parameters[name]!)),
  };
  const multiply = k.of(gemmPacked);
  const nextState = memoryView(memory, to, initial.length);
  return {
    output: to,
    size: H,
    start: () => initial.slice(),
    step(state) {
      memory.view.set(state, from);
      affine(gates, input, batchSize);
      if (panels >= 0) multiply(product, from, panels, batchSize, GH, H, !cell.separateProducts);
      cell.forward(k, step);
      afterForward?.(step);
      state.set(nextState());
    },
    readState: (state) => byName(cell.state, (name) => ({ shape, data: state.slice(at(name), at(name) + size) })),
    writeState(state, values = {}) {
      checkNames('stream', 'state', values, cell.state);
      const next = initial.slice();
      for (const name of cell.state) {
        const part = values[name];
        if (part === undefined) continue;
        checkTensor('stream', `state.${name}`, part);
        checkShape('stream', `state.${name}`, part.shape, '[B, H]', shape);
        next.set(part.data, at(name));
      }
      state.set(next);
    },
  };
}

/** Returns a function that returns a view of the memory, also after the memory has grown. */
export function memoryView(memory: Memory, offset: number, size: number): () => Heap {
  let heap: Heap | undefined;
  let view: Heap;
  return () => {
    if (heap !== memory.view) {
      heap = memory.view;
      view = heap.subarray(offset, offset + size);
    }
    return view;
  };
}
