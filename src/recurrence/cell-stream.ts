/** Going on step by step, as streams do: weights stay packed in a workspace of their own, and a step allocates nothing. */

import { interpolate } from '../kernels/arithmetic';
import { copy, fill } from '../kernels/movement';
import { gemmPacked, packPanels, panelsSize } from '../kernels/product';
import { allocate, type Workspace } from '../kernels/workspace';
import { checkShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import type { PointwiseCell, PointwiseStep } from './cell';

/** State by name, each `[B, H]`. */
export type StepRunnerState = Readonly<Record<string, Tensor>>;

/** Something that goes on step by step: each step reads the input where it lies and leaves the output, rows of `size` numbers. */
export interface StepRunner {
  /** Where the output begins in the workspace. */
  readonly output: number;
  readonly size: number;
  readonly step: () => void;
  /** Copies the state out, if there is one. */
  readonly readState: () => StepRunnerState | undefined;
  /** Copies a state in; what it lacks begins anew. @throws RangeError where a shape does not fit */
  readonly writeState: (state: StepRunnerState | undefined) => void;
}

/** Where steps begin: a workspace to keep weights and state in, and the input of every step, `batchSize` rows. */
export interface StepRunnerOptions {
  readonly workspace: Workspace;
  readonly parameters: StepRunnerState;
  readonly input: number;
  readonly batchSize: number;
}

/** A matrix [K, N], packed into the workspace. */
function packInto(workspace: Workspace, { shape, data }: Tensor): number {
  const [K, N] = shape as [number, number];
  const panels = allocate(workspace, panelsSize(K, N));
  const { top } = workspace;
  const plain = copyInto(workspace, data);
  workspace.kernels.of(packPanels)(panels, plain, K, N, false);
  workspace.top = top;
  return panels;
}

/** y = x W + b for `rows` rows of x, or y = x W, with W and b kept packed in the workspace. */
export function packedAffine(
  workspace: Workspace,
  weight: Tensor,
  bias: Tensor | undefined,
): (y: number, x: number, rows: number) => void {
  const [K, N] = weight.shape as [number, number];
  const [panels, biasAt] = [packInto(workspace, weight), bias === undefined ? -1 : copyInto(workspace, bias.data)];
  const [move, multiply] = [workspace.kernels.of(copy), workspace.kernels.of(gemmPacked)];
  return (y, x, rows) => {
    if (biasAt >= 0) for (let row = 0; row < rows; row++) move(y + row * N, biasAt, N);
    multiply(y, x, panels, rows, N, K, false, biasAt >= 0);
  };
}

/** Numbers, copied into the workspace. */
export function copyInto(workspace: Workspace, data: Float32Array): number {
  const offset = allocate(workspace, data.length);
  workspace.memory.view.set(data, offset);
  return offset;
}

/** What the steps of a cell take into account besides its parameters. */
export interface CellStepRunnerOptions {
  /** What a state begins with, `[1, H]` by name; zeros where it is not given. */
  readonly initialState?: StepRunnerState;
  /** The probability that a number stays as it was, by the name of the state: each moves on by the expected part. */
  readonly zoneout?: Readonly<Record<string, number | undefined>>;
}

/** The steps of a pointwise cell: two products, the pair, and the state before and after take turns. */
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
  const kept = allocate(workspace, cell.savedBlocks * size);
  const vectors = Object.fromEntries(
    cell.vectorParameters.map((name) => [name, copyInto(workspace, parameters[name]!.data)]),
  );
  const blocks = (): Record<string, number> =>
    Object.fromEntries(cell.state.map((name) => [name, allocate(workspace, size)]));
  const [one, other] = [blocks(), blocks()];
  const stepFrom = (previous: Record<string, number>, next: Record<string, number>): PointwiseStep<string> => ({
    rows: batchSize,
    hiddenSize: H,
    gates,
    product,
    saved: kept,
    previous,
    next,
    vectors,
  });
  let [now, then] = [stepFrom(one, other), stepFrom(other, one)];
  const [multiply, move] = [k.of(gemmPacked), k.of(copy)];
  const stays = cell.state
    .filter((name) => zoneout[name])
    .map((name) => {
      const moved = allocate(workspace, size);
      k.of(fill)(moved, 1 - zoneout[name]!, size);
      return { name, moved, answer: allocate(workspace, size) };
    });
  const writeState = (state: StepRunnerState | undefined): void => {
    for (const name of cell.state) {
      const given = state?.[name] ?? beginning(initialState[name], [batchSize, H]);
      checkShape('stream', `state.${name}`, given.shape, { letters: '[B, H]', lengths: [batchSize, H] });
      workspace.memory.view.set(given.data, now.previous[name]!);
    }
  };
  writeState(undefined);
  return {
    output,
    size: H,
    step() {
      affine(gates, input, batchSize);
      if (panels >= 0) multiply(product, now.previous['h']!, panels, batchSize, GH, H, false, !cell.separateProducts);
      cell.forward(k, now);
      for (const { name, moved, answer } of stays) {
        move(answer, now.next[name]!, size);
        k.of(interpolate)(now.next[name]!, now.previous[name]!, answer, moved, size);
      }
      move(output, now.next['h']!, size);
      const before = now;
      now = then;
      then = before;
    },
    readState: () =>
      Object.fromEntries(
        cell.state.map((name) => [
          name,
          {
            shape: [batchSize, H],
            data: Float32Array.from(workspace.memory.view.subarray(now.previous[name]!, now.previous[name]! + size)),
          },
        ]),
      ),
    writeState,
  };
}

/** The state that every row begins with. */
export function beginning(state: Tensor | undefined, [rows, size]: readonly [number, number]): Tensor {
  const data = new Float32Array(rows * size);
  if (state !== undefined) for (let row = 0; row < rows; row++) data.set(state.data, row * size);
  return { shape: [rows, size], data };
}
