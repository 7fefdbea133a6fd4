/**
 * Recurrent layers in ONNX: the operators RNN, LSTM and GRU where they are what the cell is, a Scan over its steps otherwise. Gates go from i f g o to i o f c and from
 * r z n to z r h, matrices are turned, and there are two biases.
 */

import { tanh } from '../../autodiff/ops/elementwise';
import { cellOriginOf } from '../../layers/origins';
import type { DirectionOptions } from '../../layers/recurrent';
import { type Cell, stateSizes } from '../../recurrence/cell';
import type { Tensor } from '../../tensor/tensor';
import { joined, reordered, transposed, zerosOf } from '../matrix';
import {
  type Attribute,
  add,
  addNode,
  type Builder,
  constant,
  freshName,
  graphOf,
  innerBuilder,
  integers,
} from './builder';
import { cellSteps } from './cell-body';
import { rnnActivation } from './functions';
import type { OnnxValue } from './model';

/** What layers are told while they are written down. */
export interface ExportContext {
  readonly where: string;
  readonly builder: Builder;
  /** The names of B, `[1]`, of the lengths `[B]`, and of `[T, B, 1]` whether a step is valid; the latter two where rows have lengths. */
  readonly batch: string;
  readonly lengths: string | undefined;
  readonly valid: string | undefined;
  /** Whether states go in and out, and those that do. */
  readonly carries: boolean;
  readonly states: { readonly name: string; readonly size: number; readonly output: string }[];
}

/** One direction to be written down. */
export interface Direction {
  /** What its state is called outside: `lstm.`, `bidirectional.forward.`. */
  readonly prefix: string;
  readonly reverse: boolean;
  readonly parameters: Readonly<Record<string, Tensor>>;
}

/** What a direction gives: `[T, B, H]`, and the last of every state, `[B, H]`. */
export interface Recurred {
  readonly outputs: string;
  readonly state: Readonly<Record<string, string>>;
}

/** Writes a cell down in one direction or two. @throws RangeError where it has no form in ONNX */
export function exportRecurrence(
  context: ExportContext,
  path: string,
  cell: Cell,
  options: DirectionOptions,
  directions: readonly Direction[],
  x: string,
): readonly Recurred[] {
  const zoned = Object.values(options.zoneout ?? {}).some((rate) => rate > 0);
  const operator = zoned ? undefined : operatorOf(cell);
  const runs =
    operator === undefined
      ? directions.map((direction) => scan(context, path, cell, options, direction, x))
      : operate(context, path, cell, options, directions, x, operator);
  if (context.carries) {
    runs.forEach(({ state }, i) =>
      Object.entries(stateSizes(cell, options.hiddenSize)).forEach(([name, size]) =>
        context.states.push({ name: directions[i]!.prefix + name, size, output: state[name]! }),
      ),
    );
  }
  return runs;
}

/** The state before the first step: what comes in, what was learned, or nothing. */
function firstState(
  { builder, batch, carries }: ExportContext,
  { prefix, parameters }: Direction,
  name: string,
): string | undefined {
  if (carries) return prefix + name;
  const learned = parameters[`initial.${name}`];
  return (
    learned &&
    add(builder, 'Expand', [
      constant(builder, `${prefix}initial.${name}`, learned),
      add(builder, 'Concat', [batch, integers(builder, learned.shape[1]!)], { axis: 0 }),
    ])
  );
}

interface Operator {
  readonly opType: 'RNN' | 'LSTM' | 'GRU';
  /** Its own, for so many directions. */
  readonly attributes: (directions: number) => Readonly<Record<string, Attribute>>;
  readonly order: readonly number[];
}

/** The activations of each direction, one behind the other. */
const repeated = <L>(values: readonly L[], count: number): readonly L[] =>
  Array.from({ length: count }, () => values).flat();

/** Gates that are straight lines: TensorFlow.js' default. */
const hardGates = (
  slope: number,
  others: readonly string[],
  directions: number,
): Readonly<Record<string, Attribute>> => ({
  activations: repeated(['HardSigmoid', ...others], directions),
  activation_alpha: { floats: repeated([slope], directions) },
  activation_beta: { floats: repeated([0.5], directions) },
});

/** Whether the reset gate of a GRU is applied after the recurrent product. */
const resetAttribute = (reset: 'after' | 'before' = 'after'): Readonly<Record<string, Attribute>> => ({
  linear_before_reset: reset === 'after' ? 1 : 0,
});

/** The operator that a cell is, if it is one. */
function operatorOf(cell: Cell): Operator | undefined {
  const origin = cellOriginOf(cell);
  switch (origin?.[0]) {
    case 'lstm':
      return { opType: 'LSTM', attributes: () => ({}), order: [0, 3, 1, 2] };
    case 'hardSigmoidLstm':
      return {
        opType: 'LSTM',
        attributes: (count) => hardGates(origin[1].slope, ['Tanh', 'Tanh'], count),
        order: [0, 3, 1, 2],
      };
    case 'gru':
      return { opType: 'GRU', attributes: () => resetAttribute(origin[1]?.reset), order: [1, 0, 2] };
    case 'hardSigmoidGru':
      return {
        opType: 'GRU',
        attributes: (count) => ({
          ...resetAttribute(origin[1].reset),
          ...hardGates(origin[1].slope, ['Tanh'], count),
        }),
        order: [1, 0, 2],
      };
    case 'simpleRnn': {
      const activation = rnnActivation(origin[1]?.activation ?? tanh);
      return activation === undefined
        ? undefined
        : { opType: 'RNN', attributes: (count) => ({ activations: repeated([activation], count) }), order: [0] };
    }
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

function operate(
  context: ExportContext,
  path: string,
  cell: Cell,
  { hiddenSize: H }: DirectionOptions,
  directions: readonly Direction[],
  x: string,
  { opType, attributes, order }: Operator,
): readonly Recurred[] {
  const { builder: b, lengths } = context;
  const stacked = (name: string, each: (parameters: Direction['parameters']) => Tensor): string => {
    const tensors = directions.map(({ parameters }) => each(parameters));
    return constant(b, `${path}.${name}`, {
      shape: [tensors.length, ...tensors[0]!.shape],
      data: joined(...tensors).data,
    });
  };
  const W = stacked('W', ({ weightIh }) => transposed(reordered(weightIh!, order)));
  const R = stacked('R', ({ weightHh }) => transposed(reordered(weightHh!, order)));
  const B = stacked('B', ({ bias, biasHn }) =>
    joined(reordered(bias!, order), biasHn === undefined ? zerosOf(bias!.shape[0]!) : joined(zerosOf(2 * H), biasHn)),
  );
  const initial = cell.state.map((name) => {
    const each = directions.map((direction) => firstState(context, direction, name));
    return each[0] === undefined ? '' : unsqueezedAll(b, each as readonly string[]);
  });
  const both = directions.length === 2;
  const inputs = [x, W, R, B, lengths ?? '', ...initial];
  while (inputs.at(-1) === '') inputs.pop();
  const direction = both ? 'bidirectional' : directions[0]!.reverse ? 'reverse' : 'forward';
  const [Y, ...last] = addNode(
    b,
    opType,
    inputs,
    { hidden_size: H, direction, ...attributes(directions.length) },
    1 + cell.state.length,
  );
  const apart = (value: string, axis: number): readonly string[] =>
    directions.map((_, d) => {
      const own = both ? add(b, 'Slice', [value, integers(b, d), integers(b, d + 1), integers(b, axis)]) : value;
      return add(b, 'Squeeze', [own, integers(b, axis)]);
    });
  const outputs = apart(Y!, 1);
  const states = last.map((value) => apart(value, 0));
  return directions.map((_, i) => ({
    outputs: outputs[i]!,
    state: Object.fromEntries(cell.state.map((name, j) => [name, states[j]![i]!])),
  }));
}

/** `[B, H]` each as `[D, B, H]`. */
function unsqueezedAll(b: Builder, values: readonly string[]): string {
  const each = values.map((value) => add(b, 'Unsqueeze', [value, integers(b, 0)]));
  return each.length === 1 ? each[0]! : add(b, 'Concat', each, { axis: 0 });
}

function scan(
  context: ExportContext,
  path: string,
  cell: Cell,
  { hiddenSize, zoneout = {} }: DirectionOptions,
  direction: Direction,
  x: string,
): Recurred {
  const { where, builder: b, batch, valid } = context;
  const { inputs, step } = cellSteps(where, path, cell, direction.parameters, b);
  const sizes = Object.entries(stateSizes(cell, hiddenSize));
  const initial = sizes.map(
    ([name, size]) =>
      firstState(context, direction, name) ??
      add(b, 'Expand', [constant(b, `${path}.zero`, 0), add(b, 'Concat', [batch, integers(b, size)], { axis: 0 })]),
  );

  const body = innerBuilder(b);
  const value = (name: string, type = 'float', shape: readonly (number | string)[] = ['B', '']): OnnxValue => ({
    name,
    type,
    shape,
  });
  const before = Object.fromEntries(sizes.map(([name]) => [name, freshName(body, `before_${name}`)]));
  const now = freshName(body, 'x_t');
  const validNow = freshName(body, 'valid_t');
  const next = step(body, now, before);
  const after = Object.fromEntries(
    sizes.map(([name]) => {
      const [old, made] = [before[name]!, next[name]!];
      const rate = zoneout[name] ?? 0;
      const moved =
        rate === 0
          ? made
          : add(body, 'Add', [
              old,
              add(body, 'Mul', [add(body, 'Sub', [made, old]), constant(b, `${path}.moves`, 1 - rate)]),
            ]);
      return [name, valid === undefined ? add(body, 'Identity', [moved]) : add(body, 'Where', [validNow, moved, old])];
    }),
  );
  const h = after[cell.state[0]!]!;
  const output =
    valid === undefined
      ? add(body, 'Identity', [h])
      : add(body, 'Where', [validNow, h, constant(b, `${path}.zero`, 0)]);
  const graph = graphOf(
    body,
    freshName(b, `${path}.step`),
    [
      ...sizes.map(([name]) => value(before[name]!)),
      value(now),
      ...(valid === undefined ? [] : [value(validNow, 'bool', ['B', 1])]),
    ],
    [...sizes.map(([name]) => value(after[name]!)), value(output)],
  );
  const scanned = [inputs(b, x), ...(valid === undefined ? [] : [valid])];
  const backwards = direction.reverse ? 1 : 0;
  const results = addNode(
    b,
    'Scan',
    [...initial, ...scanned],
    {
      body: { graph },
      num_scan_inputs: scanned.length,
      scan_input_directions: scanned.map(() => backwards),
      scan_output_directions: [backwards],
    },
    sizes.length + 1,
  );
  return { outputs: results.at(-1)!, state: Object.fromEntries(sizes.map(([name], i) => [name, results[i]!])) };
}
