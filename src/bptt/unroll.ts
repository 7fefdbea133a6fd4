/** A cell over time: the only loop over time of the library, forward, and back. */

import { addScaled } from '../kernels/arithmetic';
import { sumRows } from '../kernels/linear';
import { copy, fill } from '../kernels/movement';
import { affineRows, gemm, gemmPacked, packPanels, panelsSize } from '../kernels/product';
import { allocate } from '../kernels/workspace';
import { checkShape, type Shape } from '../tensor/shape';
import { checkParameters, type Cell, type CellFunction, type OpsCell, type PointwiseBackwardStep, type PointwiseCell, type State } from './cell';
import { concat, slice, takeRows } from './ops/movement';
import { packSteps } from './packing';
import {
  constantOf, currentScope, gradientOf, operand, record, result, viewOf, withScratch, type Operand, type Scope, type Variable,
} from './tape';

/** Where {@link unroll} begins, how far each row goes, and in which direction. */
export interface UnrollOptions<N extends string = string> {
  /** The state before the first step, each `[B, H]`; zeros where it is not given. */
  readonly initialState?: Partial<State<N, Operand>> | undefined;
  /** `[B]` how many steps of each row are valid; all by default. */
  readonly lengths?: Int32Array | undefined;
  /** Whether to run each row's valid steps from its last to its first. Outputs stay in the order of the input. */
  readonly reverse?: boolean | undefined;
}

/** What {@link unroll} answers. */
export interface Unrolled<N extends string = string> {
  /** `[T, B, H]`, zeros past a row's length. */
  readonly outputs: Variable;
  /** The state after each row's last valid step, each `[B, H]`. */
  readonly state: State<N>;
}

/**
 * Runs a cell over a sequence:
 *
 *     for (t = 0; t < T; t++) state = step(cell, parameters, xs[t], state), outputs[t] = state.h;
 *
 * with one product for the inputs of all steps, one a step for the state, and after the loop one each for the gradients of the weights
 * (Werbos, 1990, "Backpropagation through time"). A row past its length keeps its state, its outputs are zero and it earns no gradient;
 * no time is spent on it.
 *
 * @param cell a cell, or a function of ops `(parameters, x, state) => state`, which needs `initialState`
 * @param parameters the cell's parameters by name
 * @param xs `[T, B, I]`; T may be 0
 * @throws RangeError where a shape or a length does not fit, TypeError where a parameter is missing
 * @example
 * const p = initializeCell(lstm(), { inputSize: 2, hiddenSize: 3, random: 1 });
 * compute(p, (p) => unroll(lstm(), p, full([5, 4, 2], 1)).outputs).shape; // [5, 4, 3]
 */
export function unroll<N extends string>(
  cell: Cell<N> | CellFunction<N>,
  parameters: Readonly<Record<string, Operand>>,
  xs: Operand,
  { initialState = {}, lengths, reverse = false }: UnrollOptions<N> = {},
): Unrolled<N> {
  const scope = currentScope('unroll');
  const x = operand('unroll', xs, 'xs');
  checkShape('unroll', 'xs', x.shape, { letters: '[T, B, I]', lengths: [undefined, undefined, undefined] });
  const [T, B, I] = x.shape as [number, number, number];
  if (B === 0) throw new RangeError('unroll: xs must have at least one row, got an empty batch.');
  const p: Record<string, Variable> = {};
  for (const [name, value] of Object.entries(parameters)) p[name] = operand('unroll', value, name);

  const packing = packSteps('unroll', T, B, lengths, reverse);
  const { order } = packing;
  const rowsOf = (table: Variable, ids: Int32Array, shape: readonly number[]): Variable =>
    takeRows(table, constantOf(scope, [ids.length], ids), shape);
  const flat = viewOf(x, [T * B, I]);
  const inputs = order === undefined ? flat : rowsOf(flat, order.input, [packing.total, I]);
  const initial = initialStates(scope, cell, p, initialState, x.shape);
  for (const name of Object.keys(initial)) {
    if (order !== undefined) initial[name] = rowsOf(initial[name]!, order.batch, initial[name]!.shape);
  }

  const isPointwise = typeof cell !== 'function' && 'forward' in cell;
  const history = isPointwise
    ? pointwiseHistory(scope, cell as unknown as PointwiseCell, p, inputs, initial, packing.rows)
    : opsHistory(cell, p, inputs, initial, packing.rows);

  const state: Record<string, Variable> = {};
  for (const [name, states] of Object.entries(history)) {
    const H = states.shape[1]!;
    state[name] = order === undefined ? viewOf(states, [B, H], T * B * H) : rowsOf(states, order.final, [B, H]);
  }
  const h = history[Object.keys(history)[0]!]!;
  const H = h.shape[1]!;
  const outputs = order === undefined ? viewOf(h, [T, B, H], B * H) : rowsOf(h, order.output, [T, B, H]);
  return { outputs, state: state as State<N> };
}

/**
 * One step of a cell.
 *
 * @param x `[B, I]`
 * @param state the state before, each `[B, H]`; zeros where it is not given
 * @returns the output `[B, H]` and the state after
 * @throws as {@link unroll}
 * @example
 * const p = initializeCell(lstm(), { inputSize: 2, hiddenSize: 3, random: 1 });
 * compute(p, (p) => step(lstm(), p, full([5, 2], 1)).state.c).shape; // [5, 3]
 */
export function step<N extends string>(
  cell: Cell<N> | CellFunction<N>,
  parameters: Readonly<Record<string, Operand>>,
  x: Operand,
  state?: Partial<State<N, Operand>>,
): { readonly output: Variable; readonly state: State<N> } {
  const input = operand('step', x);
  checkShape('step', 'x', input.shape, { letters: '[B, I]', lengths: [undefined, undefined] });
  const { outputs, state: next } = unroll(cell, parameters, viewOf(input, [1, ...input.shape]), { initialState: state });
  return { output: viewOf(outputs, outputs.shape.slice(1)), state: next };
}

/** Every state before, between and after the steps: `[B + Σ rows, H]` by name, the initial ones first. */
type History = Readonly<Record<string, Variable>>;

function pointwiseHistory(
  scope: Scope,
  cell: PointwiseCell,
  p: Readonly<Record<string, Variable>>,
  x: Variable,
  initial: Readonly<Record<string, Variable>>,
  rows: readonly number[],
): History {
  const { kernels: k, workspace } = scope;
  const [N, I] = x.shape as [number, number];
  const [B, H] = initial[cell.state[0]!]!.shape as [number, number];
  const GH = cell.gates * H;
  const { weightIh, weightHh, bias } = p as Record<'weightIh' | 'weightHh' | 'bias', Variable>;
  const own = cell.vectors.map((name) => [name, p[name]!] as const);
  const sources = [x, ...Object.values(p), ...Object.values(initial)];

  const history: Record<string, Variable> = {};
  for (const name of cell.state) {
    history[name] = result(scope, [B + N, H], sources);
    k.of(copy)(history[name].offset, initial[name]!.offset, B * H);
  }
  const gates = allocate(workspace, N * GH);
  const kept = allocate(workspace, N * cell.kept * H);
  const product = allocate(workspace, cell.separate ? B * GH : 0);
  k.of(affineRows)(gates, x.offset, weightIh.offset, bias.offset, N, GH, I);

  const dVectors: Record<string, number> = {};
  const now: PointwiseBackwardStep<string> = {
    rows: 0, hiddenSize: H, gates, product, kept, dProduct: -1,
    previous: {}, next: {}, dPrevious: {}, dNext: {},
    vectors: Object.fromEntries(own.map(([name, vector]) => [name, vector.offset])),
    dVectors,
  };
  // `start` is the step's first packed row, `before` the first row of the state before it in the history.
  const moveTo = (t: number, start: number, before: number): void => {
    now.rows = rows[t]!;
    now.gates = gates + start * GH;
    now.kept = kept + start * cell.kept * H;
    for (const name of cell.state) {
      now.previous[name] = history[name]!.offset + before * H;
      now.next[name] = history[name]!.offset + (B + start) * H;
    }
  };

  withScratch(scope, panelsSize(H, GH), (panels) => {
    const multiply = k.of(gemmPacked);
    k.of(packPanels)(panels, weightHh.offset, H, GH, false);
    for (let t = 0, start = 0, before = 0; t < rows.length; t++) {
      moveTo(t, start, before);
      multiply(cell.separate ? product : now.gates, now.previous['h']!, panels, now.rows, GH, H, false, !cell.separate);
      cell.forward(k, now);
      before = B + start;
      start += now.rows;
    }
  });

  record(Object.values(history), () => {
    const gradients: Record<string, number> = {};
    for (const name of cell.state) gradients[name] = gradientOf(history[name]!);
    const targets = sources.map((source) => (source.storage.tracked ? gradientOf(source) : -1));
    const gradientFor = (source: Variable): number => targets[sources.indexOf(source)]!;
    for (const [name, vector] of own) dVectors[name] = gradientOf(vector);
    const initialTracked = cell.state.some((name) => initial[name]!.storage.tracked);
    const uniform = rows.every((count) => count === B);
    withScratch(scope, (cell.separate ? N * GH : 0) + (uniform ? 0 : N * H), (scratch) => {
      const dProduct = cell.separate ? scratch : gates;
      const repacked = scratch + (cell.separate ? N * GH : 0);
      withScratch(scope, panelsSize(GH, H), (panels) => {
        const multiply = k.of(gemmPacked);
        k.of(packPanels)(panels, weightHh.offset, GH, H, true);
        for (let t = rows.length - 1, end = N; t >= 0; t--) {
          const start = end - rows[t]!;
          const before = t === 0 ? 0 : B + start - rows[t - 1]!;
          moveTo(t, start, before);
          now.dProduct = dProduct + start * GH;
          for (const name of cell.state) {
            now.dPrevious[name] = gradients[name]! + before * H;
            now.dNext[name] = gradients[name]! + (B + start) * H;
          }
          cell.backward(k, now);
          if (t > 0 || initialTracked) multiply(now.dPrevious['h']!, now.dProduct, panels, now.rows, H, GH, false, true);
          if (!uniform) k.of(copy)(repacked + start * H, history['h']!.offset + before * H, now.rows * H);
          end = start;
        }
      });
      const hPrevious = uniform ? history['h']!.offset : repacked;
      if (weightIh.storage.tracked) k.of(gemm)(gradientFor(weightIh), x.offset, gates, I, GH, N, true, false, true);
      if (weightHh.storage.tracked) k.of(gemm)(gradientFor(weightHh), hPrevious, dProduct, H, GH, N, true, false, true);
      if (bias.storage.tracked) k.of(sumRows)(gradientFor(bias), gates, N, GH);
      if (x.storage.tracked) k.of(gemm)(gradientFor(x), gates, weightIh.offset, N, I, GH, false, true, true);
      for (const name of cell.state) {
        if (initial[name]!.storage.tracked) k.of(addScaled)(gradientFor(initial[name]!), gradients[name]!, 1, B * H);
      }
    });
  });
  return history;
}

function opsHistory<N extends string>(
  cell: OpsCell<N> | CellFunction<N>,
  parameters: Readonly<Record<string, Variable>>,
  x: Variable,
  initial: Readonly<Record<string, Variable>>,
  rows: readonly number[],
): History {
  const advance = typeof cell === 'function' ? cell : cell.step;
  const p = (typeof cell === 'function' ? undefined : cell.prepare?.(parameters)) ?? parameters;
  const states: Readonly<Record<string, Variable>>[] = [initial];
  let start = 0;
  for (const count of rows) {
    const before = states.at(-1)!;
    const running = Object.fromEntries(Object.entries(before).map(([name, state]) => [name, slice(state, 0, count)]));
    const after: Readonly<Record<string, Variable>> = advance(p, slice(x, start, start + count), running as State<N>);
    for (const [name, { shape }] of Object.entries(running)) {
      checkShape('unroll', `the cell's new state ${name}`, after[name]?.shape ?? [], { letters: '[B, H]', lengths: shape });
    }
    states.push(after);
    start += count;
  }
  return Object.fromEntries(Object.keys(initial).map((name) => [name, concat(states.map((state) => state[name]!))]));
}

function initialStates<N extends string>(
  scope: Scope,
  cell: Cell<N> | CellFunction<N>,
  p: Readonly<Record<string, Variable>>,
  given: Partial<State<N, Operand>>,
  xs: Shape,
): Record<string, Variable> {
  const batchSize = xs[1]!;
  const names: readonly string[] = typeof cell === 'function' ? Object.keys(given) : cell.state;
  if (names.length === 0) throw new TypeError('unroll: a cell that is a function needs initialState, which tells the sizes of its state.');
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new TypeError(`unroll: initialState has ${unknown}, but the cell's state is ${names.join(', ')}.`);
  const hiddenSize = typeof cell === 'function' ? undefined : checkParameters('unroll', cell, p, xs[2]!, xs);
  const states: Record<string, Variable> = {};
  for (const name of names) {
    const operandOf = (given as Readonly<Record<string, Operand | undefined>>)[name];
    if (operandOf === undefined) {
      const size = hiddenSize ?? 0;
      states[name] = result(scope, [batchSize, size], []);
      scope.kernels.of(fill)(states[name].offset, 0, batchSize * size);
      continue;
    }
    const state = operand('unroll', operandOf, `initialState.${name}`);
    checkShape('unroll', `initialState.${name}`, state.shape, { letters: '[B, H]', lengths: [batchSize, hiddenSize] });
    states[name] = state;
  }
  return states;
}
