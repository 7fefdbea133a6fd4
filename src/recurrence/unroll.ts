/** Running a cell over time. */

import { concat } from '../autodiff/ops/movement';
import { currentScope, filled, type Operand, operand, type Variable, viewOf } from '../autodiff/tape';
import { withCaller } from '../tensor/error-context';
import { byName, mapValues } from '../tensor/named-values';
import type { ParameterSpec } from '../tensor/parameter-spec';
import { checkNames, checkObject, checkShape, checkSome, mismatch, type Shape } from '../tensor/shape';
import type { IntTensor } from '../tensor/tensor';
import {
  type Cell,
  type CellFunction,
  checkCell,
  checkParameters,
  type PointwiseCell,
  type State,
  stateSizes,
} from './cell';
import { runOps } from './ops-engine';
import { packSteps } from './packing';
import { runPointwise } from './pointwise-engine';
import { rowsAt } from './valid-steps';
import { drawZoneout, type ZoneoutOptions } from './zoneout';

/** Options of {@link unroll}. */
export interface UnrollOptions<N extends string = string> {
  /** `[B, H]` each: the initial state. Zeros by default. */
  readonly initialState?: Partial<State<N, Operand>> | undefined;
  /** `[B]` the number of valid steps of each row; all by default. */
  readonly lengths?: Int32Array | undefined;
  /**
   * Whether to run from each row's last valid step to its first. Outputs keep the order of the inputs. False by
   * default.
   */
  readonly reverse?: boolean | undefined;
  /**
   * `[T, B]` 1 at steps that begin a new sequence, before which the state is reset to `resetState`; 0 elsewhere. All 0
   * by default.
   */
  readonly resets?: IntTensor | undefined;
  /** `[1, H]` each: the state after a reset. Zeros by default. */
  readonly resetState?: Partial<State<N, Operand>> | undefined;
  /**
   * `[B, H]` the mask of recurrent dropout: h is multiplied by it before the recurrent weights, the same at every step.
   * Pass a constant: pointwise cells compute no gradient of it.
   */
  readonly recurrentMask?: Operand | undefined;
  /** Zoneout of the states. None by default. */
  readonly zoneout?: ZoneoutOptions<N> | undefined;
}

/** The result of {@link unroll}. */
export interface Unrolled<N extends string = string> {
  /** `[T, B, H]`; zeros after a row's length. */
  readonly outputs: Variable;
  /** `[B, H]` each: the state after each row's last valid step. */
  readonly state: State<N>;
  /**
   * Returns the states after every step, `[T, B, H]` each; zeros after a row's length. With `reverse`, the state after
   * step t depends on step t and later ones.
   */
  readonly states: () => State<N>;
}

/**
 * Runs a cell over a sequence:
 *
 *     for (let t = 0; t < T; t++) {
 *       state = cell(parameters, xs[t], state);
 *       outputs[t] = state.h;
 *     }
 *
 * with one matrix product for the inputs of all steps, one per step for the hidden state, and after the backward loop
 * one each for the gradients of the weights (Werbos, 1990, "Backpropagation through time: what it does and how to do
 * it"). After its length, a row keeps its state, its outputs are zero and it contributes no gradient; no time is spent
 * on padding.
 *
 * @param cell a cell, or a function of ops `(parameters, x, state) => state`, which needs `initialState`
 * @param parameters the parameters of the cell by name
 * @param xs `[T, B, I]` the inputs; T may be 0
 * @returns the outputs `[T, B, H]` and the final state, `[B, H]` each
 * @throws RangeError if a shape or a length does not match; TypeError if a parameter is missing or a state has an
 * unknown name
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
  checkNames('unroll', 'options', options, [
    'initialState',
    'lengths',
    'reverse',
    'resets',
    'resetState',
    'recurrentMask',
    'zoneout',
  ]);
  const x = operand('unroll', xs, 'xs');
  const scope = x.storage.scope;
  checkShape('unroll', 'xs', x.shape, '[T, B, I]', [undefined, undefined, undefined]);
  const [T, B, I] = x.shape as [number, number, number];
  checkSome('unroll', 'xs', B, 'row');
  if (typeof cell !== 'function') checkCell('unroll', cell);
  checkObject('unroll', 'parameters', parameters);
  const p = mapValues(parameters, (value, name) => operand('unroll', value, name));

  const { order, rows } = packSteps('unroll', T, B, options);
  const flat = viewOf(x, [T * B, I]);
  const inputs = order === undefined ? flat : rowsAt(flat, order.input);
  const sizes = sizesOf(cell, p, options.initialState, x.shape);
  const initial = completeState<string>('unroll', 'initialState', options.initialState, sizes, B);
  let mask = recurrentMaskOf(cell, options.recurrentMask, initial, B);
  if (order !== undefined) {
    const reset =
      order.initial.includes(B) && completeState<string>('unroll', 'resetState', options.resetState, sizes, 1);
    for (const [name, state] of Object.entries(initial)) {
      initial[name] = rowsAt(reset ? concat([state, reset[name]!]) : state, order.initial);
    }
    if (mask !== undefined) mask = rowsAt(mask, order.row);
  }
  const zoneout = drawZoneout(scope, options.zoneout, initial, inputs.shape[0]!);

  const input = { scope, parameters: p, inputs, initial, rows, mask, zoneout };
  const sequences = isPointwise(cell) ? runPointwise(cell, input) : runOps(cell, input);

  // The engines return a sequence of states for every name of the cell's state.
  const mapStates = (f: (states: Variable, size: number) => Variable): State<N> =>
    mapValues(sequences, (states) => f(states, states.shape[1]!)) as State<N>;
  const everyStep = (states: Variable, size: number): Variable =>
    order === undefined ? viewOf(states, [T, B, size], B * size) : rowsAt(states, order.output, [T, B, size]);
  const h = Object.values(sequences)[0]!;
  return {
    outputs: everyStep(h, h.shape[1]!),
    state: mapStates((states, size) =>
      order === undefined ? viewOf(states, [B, size], T * B * size) : rowsAt(states, order.final),
    ),
    states: () => mapStates(everyStep),
  };
}

/**
 * Runs one time step of a cell.
 *
 * @param x `[B, I]` the input
 * @param state `[B, H]` each: the previous state. Zeros by default.
 * @returns the output `[B, H]` and the next state
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
  checkShape('step', 'x', input.shape, '[B, I]', [undefined, undefined]);
  const xs = viewOf(input, [1, ...input.shape]);
  const { outputs, state: next } = withCaller('step', () => unroll(cell, parameters, xs, { initialState: state }));
  return { output: viewOf(outputs, outputs.shape.slice(1)), state: next };
}

/**
 * Whether a cell is a pair of pointwise functions. The engine reads the names of its state from `state` alone, so any
 * name type will do.
 */
function isPointwise(cell: Cell | CellFunction): cell is PointwiseCell {
  return 'forward' in cell;
}

/** The size of each part of the state; for a function of ops, that of its initial state. */
function sizesOf<N extends string>(
  cell: Cell<N> | CellFunction<N>,
  p: Readonly<Record<string, Variable>>,
  initialState: Partial<State<N, Operand>> = {},
  xs: Shape,
): Readonly<Record<string, number>> {
  if (typeof cell !== 'function')
    return stateSizes(
      cell,
      checkParameters('unroll', cell, p, xs[2]!, (actual, expected) => checkInputSize(actual, expected, xs)),
    );
  checkObject('unroll', 'initialState', initialState);
  checkSome('unroll', 'initialState', Object.keys(initialState).length, 'state of a cell that is a function');
  return mapValues<string, Operand | undefined, number>(
    initialState,
    (state, name) => operand('unroll', state!, `initialState.${name}`).shape[1] ?? 0,
  );
}

/** @throws RangeError if an input weight, such as `[I, G·H]` or `[I + H, G·H]`, is for another I than that of xs */
function checkInputSize(actual: Shape, { role, shape }: ParameterSpec, xs: Shape): void {
  if (role !== 'input' || actual.length !== 2 || actual[0] === shape[0] || actual[1] !== shape[1]) return;
  const lengths = [undefined, undefined, xs[2]! + actual[0]! - shape[0]!];
  checkShape('unroll', 'xs', xs, '[T, B, I]', lengths, `Was the cell created with inputSize ${xs[2]}?`);
}

/** The parts of a state for `rows` rows; zeros for those that are not given. */
export function completeState<N extends string>(
  where: string,
  argument: string,
  given: Readonly<Partial<Record<N, Operand>>> | undefined,
  sizes: Readonly<Record<N, number>>,
  rows: number,
): Record<N, Variable> {
  const names = Object.keys(sizes) as N[];
  checkNames(where, argument, given ?? {}, names);
  return byName(names, (name) => {
    const value = given?.[name];
    const shape = [rows, sizes[name]];
    if (value === undefined) return filled(currentScope(where), shape, 0);
    const state = operand(where, value, `${argument}.${name}`);
    checkShape(where, `${argument}.${name}`, state.shape, '[B, H]', shape);
    return state;
  });
}

/**
 * The mask of recurrent dropout, if there is one.
 *
 * @throws TypeError if the cell has no recurrent weights, or its step does not have the parameter `applyDropout`
 */
function recurrentMaskOf<N extends string>(
  cell: Cell<N> | CellFunction<N>,
  recurrentMask: Operand | undefined,
  initial: Readonly<Record<string, Variable>>,
  batchSize: number,
): Variable | undefined {
  if (recurrentMask === undefined) return undefined;
  const step = typeof cell === 'function' ? cell : 'step' in cell ? cell.step : undefined;
  if (step === undefined ? !('weightHh' in (cell as Cell<N>).parameters(1, 1)) : step.length < 4) {
    const expected = 'undefined for a cell that does not apply dropout to h';
    throw mismatch('unroll', 'recurrentMask or recurrentDropout', expected, recurrentMask);
  }
  const mask = operand('unroll', recurrentMask, 'recurrentMask');
  checkShape('unroll', 'recurrentMask', mask.shape, '[B, H]', [batchSize, Object.values(initial)[0]!.shape[1]]);
  return mask;
}
