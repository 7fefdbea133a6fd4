/**
 * Recurrent layers in ONNX: the operators RNN, LSTM and GRU for the cells that they implement, a Scan over the steps
 * for other cells. For an operator, gates are reordered from i f g o to i o f c and from r z n to z r h, matrices are
 * transposed, and the bias is written as two.
 */

import { sigmoid, tanh } from '../../autodiff/ops/elementwise';
import { cellOriginOf } from '../../layers/origins';
import type { DirectionOptions } from '../../layers/recurrent';
import { type Cell, stateSizes } from '../../recurrence/cell';
import { lastOf } from '../../tensor/arrays';
import { full, type Tensor } from '../../tensor/tensor';
import { joined, reordered, transposed } from '../matrix';
import { activationAttributes, type CellActivations } from './activations';
import {
  type Attribute,
  add,
  addConstant,
  addIntegers,
  addNode,
  type Builder,
  freshName,
  graphOf,
  innerBuilder,
} from './builder';
import { type CellBody, cellBody } from './cell-body';
import { castLengths } from './mask';
import type { OnnxGraph, OnnxValue } from './model';

/** The state of an export. */
export interface ExportContext {
  readonly builder: Builder;
  /** The name of the batch size B, a vector `[1]`. */
  readonly batch: string;
  /** The name of the sequence lengths `[B]` after the layers so far, if the file has them as an input. */
  lengths: string | undefined;
  /** The name of the mask `[T, B, 1]` of valid steps, if the file has lengths. */
  valid: string | undefined;
  /** Whether the states are inputs and outputs of the file. */
  readonly carriesState: boolean;
  /** The states added so far: the name of the input, the size, and the name of the final value. */
  readonly states: { readonly name: string; readonly size: number; readonly output: string }[];
}

/** One direction of a recurrent layer. */
export interface Direction {
  readonly cell: Cell;
  readonly options: DirectionOptions;
  /** The prefix of the names of its states: `lstm.`, `bidirectional.forward.`. */
  readonly prefix: string;
  readonly reverse: boolean;
  readonly parameters: Readonly<Record<string, Tensor>>;
}

/** The names of the results of a direction: the sequence `[T, B, H]` and the final states `[B, H]`. */
export interface DirectionResult {
  readonly outputs: string;
  readonly state: Readonly<Record<string, string>>;
}

/** Adds a cell in one or two directions with equal options. @throws RangeError if the cell has no ONNX form */
export function exportRecurrence(
  context: ExportContext,
  path: string,
  directions: readonly Direction[],
  x: string,
): readonly DirectionResult[] {
  const { cell, options } = directions[0]!;
  const hasZoneout = Object.values(options.zoneout ?? {}).some((rate) => rate);
  const operator = hasZoneout ? undefined : operatorOf(cell);
  const activations = operator && activationAttributes(directions.flatMap(() => operator.activations));
  const results =
    operator === undefined || activations === undefined
      ? directions.map((direction) => addScan(context, path, direction, x))
      : addOperator(context, path, directions, x, operator, activations);
  if (context.carriesState) {
    results.forEach(({ state }, i) =>
      Object.entries(stateSizes(cell, options.hiddenSize)).forEach(([name, size]) =>
        context.states.push({ name: directions[i]!.prefix + name, size, output: state[name]! }),
      ),
    );
  }
  return results;
}

/** The initial state `[B, H]`: an input of the file, the learned one expanded to the batch, or undefined for zeros. */
function initialState(context: ExportContext, { prefix, parameters }: Direction, name: string): string | undefined {
  if (context.carriesState) return prefix + name;
  const learned = parameters[`initial.${name}`];
  return learned && expanded(context, `${prefix}initial.${name}`, learned, learned.shape[1]!);
}

/** Adds a constant, a scalar or `[1, size]`, that is expanded to `[B, size]`. */
const expanded = ({ builder: b, batch }: ExportContext, name: string, value: Tensor | number, size: number): string =>
  add(b, 'Expand', [addConstant(b, name, value), add(b, 'Concat', [batch, addIntegers(b, size)], { axis: 0 })]);

interface Operator {
  readonly opType: 'RNN' | 'LSTM' | 'GRU';
  /** The activations of one direction; none for the defaults. */
  readonly activations: readonly unknown[];
  /** Further attributes. */
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** For each gate block in ONNX, the index of the block in the cell. */
  readonly order: readonly number[];
}

/** An LSTM, with the activations of its gates, candidate and cell state. */
const lstmOperator = ({ activation = tanh, gateActivation = sigmoid }: CellActivations): Operator => ({
  opType: 'LSTM',
  activations: [gateActivation, activation, activation],
  order: [0, 3, 1, 2],
});

/** A GRU, with the activations of its gates and candidate. */
const gruOperator = (
  reset: 'after' | 'before' = 'after',
  { activation = tanh, gateActivation = sigmoid }: CellActivations,
): Operator => ({
  opType: 'GRU',
  activations: [gateActivation, activation],
  attributes: { linear_before_reset: reset === 'after' ? 1 : 0 },
  order: [1, 0, 2],
});

/** The operator that implements a cell, except for its activations; undefined if no operator does. */
function operatorOf(cell: Cell): Operator | undefined {
  const origin = cellOriginOf(cell);
  switch (origin?.[0]) {
    case 'lstm':
      return { ...lstmOperator({}), activations: [] };
    case 'lstmWith':
      return lstmOperator(origin[1]);
    case 'gru':
      return { ...gruOperator(origin[1]?.reset, {}), activations: [] };
    case 'gruWith':
      return gruOperator(origin[1].reset, origin[1]);
    case 'simpleRnn':
      return { opType: 'RNN', activations: [origin[1]?.activation ?? tanh], order: [0] };
    case 'layerNormGru':
    case 'layerNormLstm':
    case 'layerNormRnn':
    case 'projectedLstm':
    case undefined:
      return undefined;
    default:
      return origin satisfies never;
  }
}

/** Adds the node of an operator, for all directions together. */
function addOperator(
  context: ExportContext,
  path: string,
  directions: readonly Direction[],
  x: string,
  { opType, attributes, order }: Operator,
  activations: Readonly<Record<string, Attribute>>,
): readonly DirectionResult[] {
  const { builder: b, lengths } = context;
  const {
    cell,
    options: { hiddenSize: H },
  } = directions[0]!;
  const initial = cell.state.map((name) => {
    const states = directions.map((direction) => initialState(context, direction, name));
    return states[0] === undefined ? '' : stackDirections(b, states as readonly string[]);
  });
  const weights = addOperatorWeights(b, path, directions, order, H);
  const inputs = [x, ...weights, lengths ?? '', ...initial];
  while (lastOf(inputs) === '') inputs.pop();
  const isBidirectional = directions.length === 2;
  const direction = isBidirectional ? 'bidirectional' : directions[0]!.reverse ? 'reverse' : 'forward';
  const [Y, ...finals] = addNode(
    b,
    opType,
    inputs,
    { hidden_size: H, direction, ...attributes, ...activations },
    1 + cell.state.length,
  );
  const unstackDirections = (value: string, axis: number): readonly string[] =>
    directions.map((_, d) => {
      const part = isBidirectional
        ? add(b, 'Slice', [value, addIntegers(b, d), addIntegers(b, d + 1), addIntegers(b, axis)])
        : value;
      return add(b, 'Squeeze', [part, addIntegers(b, axis)]);
    });
  const outputs = unstackDirections(Y!, 1);
  // The initial state is the final one of a sequence of length 0, for which ONNX Runtime returns zeros.
  const states = finals.map((value, i) =>
    unstackDirections(
      lengths && initial[i] ? add(b, 'Where', [castLengths(b, lengths, 9), value, initial[i]]) : value,
      0,
    ),
  );
  return directions.map((_, d) => ({
    outputs: outputs[d]!,
    state: Object.fromEntries(cell.state.map((name, i) => [name, states[i]![d]!])),
  }));
}

/** Adds the weights of an operator: `W [D, G·H, I]`, `R [D, G·H, H]` and `B [D, 2·G·H]`. Returns their names. */
function addOperatorWeights(
  b: Builder,
  path: string,
  directions: readonly Direction[],
  order: readonly number[],
  H: number,
): readonly string[] {
  const stacked = (name: string, convert: (parameters: Direction['parameters']) => Tensor): string => {
    const tensors = directions.map(({ parameters }) => convert(parameters));
    const shape = [tensors.length, ...tensors[0]!.shape];
    return addConstant(b, `${path}.${name}`, { shape, data: joined(...tensors).data });
  };
  return [
    stacked('W', ({ weightIh }) => transposed(reordered(weightIh!, order))),
    stacked('R', ({ weightHh }) => transposed(reordered(weightHh!, order))),
    stacked('B', ({ bias, biasHn }) =>
      joined(
        reordered(bias!, order),
        biasHn === undefined ? full([bias!.shape[0]!], 0) : joined(full([2 * H], 0), biasHn),
      ),
    ),
  ];
}

/** Stacks values `[…]` of all directions to `[D, …]`. */
export function stackDirections(b: Builder, values: readonly string[]): string {
  const parts = values.map((value) => add(b, 'Unsqueeze', [value, addIntegers(b, 0)]));
  return parts.length === 1 ? parts[0]! : add(b, 'Concat', parts, { axis: 0 });
}

/** Adds a Scan over the steps of one direction. */
function addScan(context: ExportContext, path: string, direction: Direction, x: string): DirectionResult {
  const { cell, options } = direction;
  const { builder: b, valid } = context;
  const { inputs, step } = cellBody(path, cell, direction.parameters, b);
  const sizes = Object.entries(stateSizes(cell, options.hiddenSize));
  const initial = sizes.map(
    ([name, size]) => initialState(context, direction, name) ?? expanded(context, `${path}.zero`, 0, size),
  );
  const graph = scanBody(context, path, cell, options, step);
  const scanned = [inputs(b, x), ...(valid === undefined ? [] : [valid])];
  const reverse = direction.reverse ? 1 : 0;
  const results = addNode(
    b,
    'Scan',
    [...initial, ...scanned],
    {
      body: { graph },
      num_scan_inputs: scanned.length,
      scan_input_directions: scanned.map(() => reverse),
      scan_output_directions: [reverse],
    },
    sizes.length + 1,
  );
  return { outputs: lastOf(results)!, state: Object.fromEntries(sizes.map(([name], i) => [name, results[i]!])) };
}

/**
 * The body of a Scan: from the previous states `[B, H]`, the input of the step and its mask `[B, 1]` to the next states
 * and the output. Padded steps keep the state and output zeros.
 */
function scanBody(
  { builder, valid }: ExportContext,
  path: string,
  cell: Cell,
  { hiddenSize, zoneout = {} }: DirectionOptions,
  step: CellBody['step'],
): OnnxGraph {
  const body = innerBuilder(builder);
  const names = Object.keys(stateSizes(cell, hiddenSize));
  const previous = Object.fromEntries(names.map((name) => [name, freshName(body, `previous_${name}`)]));
  const xStep = freshName(body, 'x_t');
  const validStep = freshName(body, 'valid_t');
  const computed = step(body, xStep, previous);
  const next = Object.fromEntries(
    names.map((name) => {
      const old = previous[name]!;
      const update = computed[name]!;
      const rate = zoneout[name] ?? 0;
      // At inference zoneout is the expected state: old + (1 − rate) · (update − old).
      const expected =
        rate === 0
          ? update
          : add(body, 'Add', [
              old,
              add(body, 'Mul', [add(body, 'Sub', [update, old]), addConstant(builder, `${path}.keep`, 1 - rate)]),
            ]);
      const masked =
        valid === undefined ? add(body, 'Identity', [expected]) : add(body, 'Where', [validStep, expected, old]);
      return [name, masked];
    }),
  );
  const h = next[cell.state[0]!]!;
  const output =
    valid === undefined
      ? add(body, 'Identity', [h])
      : add(body, 'Where', [validStep, h, addConstant(builder, `${path}.zero`, 0)]);
  const floats = (name: string): OnnxValue => ({ name, type: 'float', shape: ['B', ''] });
  return graphOf(
    body,
    freshName(builder, `${path}.step`),
    [
      ...names.map((name) => floats(previous[name]!)),
      floats(xStep),
      ...(valid === undefined ? [] : [{ name: validStep, type: 'bool', shape: ['B', 1] }]),
    ],
    [...names.map((name) => floats(next[name]!)), floats(output)],
  );
}
