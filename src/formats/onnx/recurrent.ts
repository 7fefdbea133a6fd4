/**
 * RNN, LSTM and GRU of ONNX. Their weights are `W [D, G·H, I]`, `R [D, G·H, H]`, `B [D, 2·G·H]` and, for an LSTM with
 * peepholes, `P [D, 3·H]`, with gates in the orders `i o f c` and `z r h`; D is the number of directions. Constants
 * that no other node uses are converted to the parameters of a cell once, during import; other weights are converted at
 * every run.
 *
 *     weightIh = Wᵀ, weightHh = Rᵀ, gates i f g o and r z n
 *     bias     = Wb + Rb; the n block of a GRU with linear_before_reset has Wb, and biasHn = Rb
 */

import { add } from '../../autodiff/ops/arithmetic';
import { concat, reshape, slice, stack, transpose } from '../../autodiff/ops/movement';
import type { Variable } from '../../autodiff/tape';
import { compute } from '../../autodiff/value-and-gradient';
import { gruWith } from '../../cells/gru-with';
import { lstm } from '../../cells/lstm';
import { generalLstm } from '../../cells/lstm-with';
import { simpleRnn } from '../../cells/simple-rnn';
import type { Cell } from '../../recurrence/cell';
import { unroll } from '../../recurrence/unroll';
import { checkShape } from '../../tensor/shape';
import { full, type IntTensor, type Tensor } from '../../tensor/tensor';
import { abbreviate } from '../listing';
import {
  checkInputs,
  consumeAttribute,
  consumeFlag,
  type NodeParameters,
  type NodeReader,
  type Operator,
  type PreparedNode,
  type Values,
} from './node-reader';
import { clamp, pointwise } from './pointwise';
import { type NodeActivation, readActivations } from './recurrent-activations';
import { checkResultShape } from './run-limit';

type WeightName = 'W' | 'R' | 'B' | 'P';
type Weights<L> = Partial<Readonly<Record<WeightName, L>>>;

/** The input index of each weight. */
const weightInputs = { W: 1, R: 2, B: 3, P: 7 } as const;

/** How an operator maps to a cell. */
interface Form {
  /** For each gate block of the cell, the index of the block in ONNX. */
  readonly order: readonly number[];
  /** The default activations. */
  readonly activations: readonly string[];
  /** The input index of each initial state. The final states are outputs in the same order, after the sequence. */
  readonly states: Readonly<Record<string, number>>;
}

const forms: Readonly<Record<string, Form>> = {
  RNN: { order: [0], activations: ['tanh'], states: { h: 5 } },
  GRU: { order: [1, 0, 2], activations: ['sigmoid', 'tanh'], states: { h: 5 } },
  LSTM: { order: [0, 2, 3, 1], activations: ['sigmoid', 'tanh', 'tanh'], states: { h: 5, c: 6 } },
};

const directionsOf: Readonly<Record<string, readonly string[]>> = {
  forward: ['forward'],
  reverse: ['reverse'],
  bidirectional: ['forward', 'reverse'],
};

/** A recurrent node after its attributes are read. */
interface RecurrentNode {
  readonly opType: string;
  readonly form: Form;
  readonly directions: readonly string[];
  /** One cell per direction. */
  readonly cells: readonly Cell[];
  /** Whether the reset gate of a GRU acts after the recurrent product. */
  readonly resetAfter: boolean;
  /** Whether inputs, outputs and states are batch-major. */
  readonly batchMajor: boolean;
  /** Whether the output sequence is used. */
  readonly returnsSequence: boolean;
}

/** The operator for RNN, LSTM and GRU. */
export const recurrentOperator: Operator = (reader): PreparedNode => {
  const { opType, inputs, outputs } = reader.node;
  const form = forms[opType]!;
  checkInputs(reader, [
    'float',
    'float',
    'float',
    'float?',
    'int?',
    'float?',
    ...(opType === 'LSTM' ? (['float?', 'float?'] as const) : []),
  ]);
  const direction = consumeAttribute(reader, 'direction', 'string') ?? 'forward';
  const directions = Object.hasOwn(directionsOf, direction) ? directionsOf[direction] : undefined;
  if (directions === undefined)
    throw new RangeError(
      `direction must be one of ${Object.keys(directionsOf).join(', ')}, got ${abbreviate(direction)}`,
    );
  const resetAfter = opType === 'GRU' && consumeFlag(reader, 'linear_before_reset');
  const batchMajor = consumeFlag(reader, 'layout');
  const hasPeepholes = (inputs[weightInputs.P] ?? '') !== '';
  const cells = cellsOf(reader, directions, resetAfter, hasPeepholes);
  const convert = weightConverter(form, directions, consumeAttribute(reader, 'hidden_size', 'int'), resetAfter);
  const returnsSequence = outputs[0] !== '';
  const node: RecurrentNode = { opType, form, directions, cells, resetAfter, batchMajor, returnsSequence };

  const constants: Record<string, Tensor> = {};
  const convertedPerRun: (readonly [name: string, input: number])[] = [];
  for (const [name, input] of Object.entries(weightInputs)) {
    const constant = reader.exclusiveConstant(input);
    if (constant === undefined) convertedPerRun.push([name, input]);
    else constants[name] = constant;
  }
  const replaced = Object.keys(constants) as WeightName[];
  return {
    kind: 'float',
    outputs: 1 + Object.keys(form.states).length,
    ...(replaced.length > 0 && {
      parameters: compute(constants, convert) as NodeParameters,
      replaces: replaced.map((name) => inputs[weightInputs[name]]!),
    }),
    run(values, parameters) {
      const weights = Object.fromEntries(
        convertedPerRun.flatMap(([name, i]) => (values[i] === undefined ? [] : [[name, values[i] as Variable]])),
      );
      return runDirections(node, values, parameters, convert(weights));
    },
  };
};

/**
 * Runs the cells of all directions. Returns the sequence `[T, D, B, H]` (batch-major `[B, T, D, H]`) and the final
 * states.
 */
function runDirections(
  { opType, form, directions, cells, resetAfter, batchMajor, returnsSequence }: RecurrentNode,
  values: Values,
  parameters: NodeParameters<Variable>,
  converted: NodeParameters<Variable>,
): Values {
  const swapLayout = (x: Variable): Variable =>
    batchMajor ? transpose(x, [1, 0, ...x.shape.slice(2).map((_, i) => i + 2)]) : x;
  const xs = swapLayout(values[0] as Variable);
  const B = xs.shape[1]!;
  const runs = directions.map((direction, d) => {
    const weights = { ...parameters[direction], ...converted[direction] };
    const H = weights['weightHh']!.shape[0]!;
    // The pre-activations of all gates and the states.
    checkResultShape([...xs.shape.slice(0, 2), (form.order.length + 2) * H]);
    const initialState = Object.fromEntries(
      Object.entries(form.states).flatMap(([name, i]) => {
        if (values[i] === undefined) return [];
        const state = swapLayout(values[i] as Variable);
        const lengths = [directions.length, B, H];
        checkShape(opType, `initial_${name}`, state.shape, '[D, B, H]', lengths);
        return [[name, reshape(slice(state, d, d + 1), [B, H])] as const];
      }),
    );
    const zeroBias = { bias: full([form.order.length * H], 0), ...(resetAfter ? { biasHn: full([H], 0) } : {}) };
    return unroll(cells[d]!, { ...zeroBias, ...weights }, xs, {
      initialState,
      lengths: (values[4] as IntTensor | undefined)?.data,
      reverse: direction === 'reverse',
    });
  });
  const sequence = returnsSequence
    ? stack(
        runs.map(({ outputs }) => outputs),
        1,
      )
    : undefined;
  const states = Object.keys(form.states).map((name) => swapLayout(stack(runs.map(({ state }) => state[name]!))));
  return [sequence && batchMajor ? transpose(sequence, [2, 0, 1, 3]) : sequence, ...states];
}

/** Creates the cell of each direction. @throws RangeError if an attribute is not supported */
function cellsOf(
  reader: NodeReader,
  directions: readonly string[],
  resetAfter: boolean,
  hasPeepholes: boolean,
): readonly Cell[] {
  const opType = reader.node.opType;
  const defaults = forms[opType]!.activations;
  const clip = consumeAttribute(reader, 'clip', 'float');
  const couplesGates = opType === 'LSTM' && consumeFlag(reader, 'input_forget');
  const all = readActivations(reader, defaults, defaults.length * directions.length);
  const reset = resetAfter ? 'after' : 'before';
  return directions.map((_, d) => {
    const own = all.slice(d * defaults.length, (d + 1) * defaults.length);
    const isDefault = clip === undefined && own.every(({ name }, i) => name === defaults[i]);
    // As in ONNX Runtime, the cell state of an LSTM is not clipped before its activation h.
    const [f, g, h] = own.map(({ apply }, i) => (i === 2 ? apply : clipped(apply, clip))) as [Apply, Apply, Apply];
    if (opType === 'RNN') return simpleRnn({ activation: f });
    if (opType === 'GRU') return gruWith({ gateActivation: f, activation: g, reset });
    const isPlain = isDefault && !couplesGates && !hasPeepholes;
    return isPlain ? lstm() : generalLstm({ gate: f, candidate: g, output: h, couplesGates, hasPeepholes });
  });
}

type Apply = NodeActivation['apply'];

/** The activation of x clipped to [−clip, clip]. */
const clipped = (apply: Apply, clip: number | undefined): Apply =>
  clip === undefined ? apply : (x) => apply(pointwise('clip', clamp(-clip, clip), x));

/**
 * Creates the function that converts weights of ONNX to the parameters of the cells, by direction and name.
 *
 * @throws RangeError (the returned function) if the shape of a weight does not fit
 */
function weightConverter(
  { order }: Form,
  directions: readonly string[],
  hiddenSize: number | undefined,
  resetAfter: boolean,
): (weights: Weights<Variable>) => NodeParameters<Variable> {
  const D = directions.length;
  const G = order.length;
  /** Checks the shape of a weight; returns H. */
  const check = (name: WeightName, x: Variable, rank: number, blocks: number): number => {
    const H = hiddenSize ?? (x.shape[1] ?? 0) / blocks;
    const letters = { W: '[D, G·H, I]', R: '[D, G·H, H]', B: '[D, 2·G·H]', P: '[D, 3·H]' }[name];
    const lengths = [D, blocks * H, ...(rank === 2 ? [] : [name === 'R' ? H : undefined])];
    checkShape('weights', name, x.shape, letters, lengths, `D is ${D}, G ${G}, H ${H}.`);
    return H;
  };
  const reorder = (x: Variable): Variable => concat(order.map((block) => slice(x, block, block + 1)));
  const matrix = (name: 'W' | 'R', x: Variable, d: number): Variable => {
    const H = check(name, x, 3, G);
    const columns = x.shape[2]!;
    return transpose(reshape(reorder(reshape(slice(x, d, d + 1), [G, H, columns])), [G * H, columns]));
  };
  const biases = (x: Variable, d: number): Readonly<Record<string, Variable>> => {
    const H = check('B', x, 2, 2 * G);
    const halves = reshape(slice(x, d, d + 1), [2 * G, H]);
    const input = reorder(slice(halves, 0, G));
    const recurrent = reorder(slice(halves, G, 2 * G));
    if (!resetAfter) return { bias: reshape(add(input, recurrent), [G * H]) };
    const bias = concat([add(slice(input, 0, 2), slice(recurrent, 0, 2)), slice(input, 2, 3)]);
    return { bias: reshape(bias, [G * H]), biasHn: reshape(slice(recurrent, 2, 3), [H]) };
  };
  const peepholes = (x: Variable, d: number): Readonly<Record<string, Variable>> => {
    const H = check('P', x, 2, 3);
    const block = (index: number): Variable => reshape(slice(slice(x, d, d + 1), index * H, (index + 1) * H, 1), [H]);
    return { peepholeI: block(0), peepholeO: block(1), peepholeF: block(2) };
  };
  return ({ W, R, B, P }) =>
    Object.fromEntries(
      directions.map((direction, d) => [
        direction,
        {
          ...(W && { weightIh: matrix('W', W, d) }),
          ...(R && { weightHh: matrix('R', R, d) }),
          ...(B && biases(B, d)),
          ...(P && peepholes(P, d)),
        },
      ]),
    );
}
