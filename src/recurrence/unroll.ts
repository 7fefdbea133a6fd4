/** A cell over time. */

import { concat, takeRows } from '../autodiff/ops/movement';
import {
  constantOf,
  currentScope,
  type Operand,
  operand,
  result,
  type Scope,
  type Variable,
  viewOf,
} from '../autodiff/tape';
import { fill } from '../kernels/movement';
import type { Random } from '../tensor/random';
import { checkShape, type Shape } from '../tensor/shape';
import type { IntTensor } from '../tensor/tensor';
import { type Cell, type CellFunction, checkParameters, type PointwiseCell, type State, stateSizes } from './cell';
import { runOps } from './ops-engine';
import { packSteps } from './packing';
import { runPointwise } from './pointwise-engine';
import { drawZoneout } from './zoneout';

/** Where {@link unroll} begins, how far each row goes, in which direction, and what disturbs it on the way. */
export interface UnrollOptions<N extends string = string> {
  /** The state before the first step, each `[B, H]`; zeros where it is not given. */
  readonly initialState?: Partial<State<N, Operand>> | undefined;
  /** `[B]` how many steps of each row are valid; all by default. */
  readonly lengths?: Int32Array | undefined;
  /** Whether to run each row's valid steps from its last to its first. Outputs stay in the order of the input. */
  readonly reverse?: boolean | undefined;
  /** `[T, B]` 1 where a step begins a new sequence, whose state is `resetState`, not what the row had before; 0 elsewhere. */
  readonly resets?: IntTensor | undefined;
  /** The state of every sequence that begins at one of the `resets`, each `[1, H]`; zeros where it is not given. */
  readonly resetState?: Partial<State<N, Operand>> | undefined;
  /** `[B, H]` what h is multiplied by before it meets the recurrent weights, the same at every step: the mask of recurrent dropout. */
  readonly recurrentMask?: Operand | undefined;
  /** Which part of the state stays as it was, by name. */
  readonly zoneout?: ZoneoutOptions<N> | undefined;
}

/** Zoneout (Krueger et al., 2017, arXiv 1606.01305): each number of the state stays what it was with some probability. */
export interface ZoneoutOptions<N extends string = string> {
  /** The probability of staying, from 0 to 1, by the name of the state. */
  readonly rates: Partial<Readonly<Record<N, number>>>;
  /** The generator that draws in training. Without it, as at prediction, the new state is the expected one. */
  readonly random?: Random | undefined;
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
  options: UnrollOptions<N> = {},
): Unrolled<N> {
  const scope = currentScope('unroll');
  const x = operand('unroll', xs, 'xs');
  checkShape('unroll', 'xs', x.shape, { letters: '[T, B, I]', lengths: [undefined, undefined, undefined] });
  const [T, B, I] = x.shape as [number, number, number];
  if (B === 0) throw new RangeError('unroll: xs must have at least one row, got an empty batch.');
  const p: Record<string, Variable> = {};
  for (const [name, value] of Object.entries(parameters)) p[name] = operand('unroll', value, name);

  const packing = packSteps('unroll', T, B, options);
  const { order, rows, total } = packing;
  const rowsOf = (table: Variable, ids: Int32Array, shape: readonly number[]): Variable =>
    takeRows(table, constantOf(scope, [ids.length], ids), shape);
  const flat = viewOf(x, [T * B, I]);
  const inputs = order === undefined ? flat : rowsOf(flat, order.input, [total, I]);
  const sizes = sizesOf(cell, p, options.initialState, x.shape);
  const initial = statesOf(scope, 'initialState', options.initialState, sizes, B);
  let mask = options.recurrentMask === undefined ? undefined : recurrentMaskOf(cell, options.recurrentMask, initial, B);
  if (order !== undefined) {
    const begun = order.initial.map((row) => (row < 0 ? B : row));
    const reset = begun.includes(B) ? statesOf(scope, 'resetState', options.resetState, sizes, 1) : undefined;
    for (const [name, state] of Object.entries(initial)) {
      const from = reset === undefined ? state : concat([state, reset[name]!]);
      initial[name] = rowsOf(from, begun, [begun.length, sizes[name]!]);
    }
    if (mask !== undefined) mask = rowsOf(mask, order.row, [begun.length, mask.shape[1]!]);
  }
  const zoneout = drawZoneout(scope, options.zoneout, initial, total);

  const isPointwise = typeof cell !== 'function' && 'forward' in cell;
  const run = { scope, parameters: p, inputs, initial, rows, mask, zoneout };
  const history = isPointwise ? runPointwise(cell as unknown as PointwiseCell, run) : runOps(cell, run);

  const state: Record<string, Variable> = {};
  for (const [name, states] of Object.entries(history)) {
    const size = states.shape[1]!;
    state[name] =
      order === undefined ? viewOf(states, [B, size], T * B * size) : rowsOf(states, order.final, [B, size]);
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
  const { outputs, state: next } = unroll(cell, parameters, viewOf(input, [1, ...input.shape]), {
    initialState: state,
  });
  return { output: viewOf(outputs, outputs.shape.slice(1)), state: next };
}

/** How many numbers each part of the state has; a cell that is a function gets that from its initial state. */
function sizesOf<N extends string>(
  cell: Cell<N> | CellFunction<N>,
  p: Readonly<Record<string, Variable>>,
  given: Partial<State<N, Operand>> = {},
  xs: Shape,
): Readonly<Record<string, number>> {
  if (typeof cell !== 'function') return stateSizes(cell, checkParameters('unroll', cell, p, xs[2]!, xs));
  const states = Object.entries<Operand | undefined>(given);
  if (states.length === 0)
    throw new TypeError('unroll: a cell that is a function needs initialState, which tells the sizes of its state.');
  return Object.fromEntries(states.map(([name, state]) => [name, (state as Variable).shape?.[1] ?? 0]));
}

/** States of so many rows, zeros where they are not given. */
function statesOf(
  scope: Scope,
  argument: string,
  given: Readonly<Record<string, Operand | undefined>> = {},
  sizes: Readonly<Record<string, number>>,
  rows: number,
): Record<string, Variable> {
  const unknown = Object.keys(given).find((name) => sizes[name] === undefined);
  if (unknown !== undefined)
    throw new TypeError(
      `unroll: ${argument} has ${unknown}, but the cell's state is ${Object.keys(sizes).join(', ')}.`,
    );
  return Object.fromEntries(
    Object.entries(sizes).map(([name, size]) => {
      const value = given[name];
      const state =
        value === undefined ? result(scope, [rows, size], []) : operand('unroll', value, `${argument}.${name}`);
      if (value === undefined) scope.kernels.of(fill)(state.offset, 0, state.size);
      checkShape('unroll', `${argument}.${name}`, state.shape, { letters: '[B, H]', lengths: [rows, size] });
      return [name, state];
    }),
  );
}

/** The mask of recurrent dropout. @throws TypeError where the cell does not tell h from what meets its recurrent weights */
function recurrentMaskOf<N extends string>(
  cell: Cell<N> | CellFunction<N>,
  given: Operand,
  initial: Readonly<Record<string, Variable>>,
  batchSize: number,
): Variable {
  const advance = typeof cell === 'function' ? cell : 'step' in cell ? cell.step : undefined;
  if (advance === undefined ? !('weightHh' in (cell as PointwiseCell).parameters(1, 1)) : advance.length < 4) {
    throw new TypeError(
      'unroll: recurrentMask needs a cell with recurrent weights, or a step that uses its fourth argument, applyDropout(h).',
    );
  }
  const mask = operand('unroll', given, 'recurrentMask');
  checkShape('unroll', 'recurrentMask', mask.shape, {
    letters: '[B, H]',
    lengths: [batchSize, Object.values(initial)[0]!.shape[1]],
  });
  return mask;
}
