/**
 * RNN, LSTM and GRU of ONNX. Their weights are `W [D, G·H, I]`, `R [D, G·H, H]`, `B [D, 2·G·H]` and, of an LSTM with peepholes, `P [D, 3·H]`, with gates in the
 * orders `i o f c` and `z r h`; D is the number of directions. Constants of one node alone become parameters of its cells once; others are turned at every run.
 *
 *     weightIh = Wᵀ, weightHh = Rᵀ, gates i f g o and r z n
 *     bias     = Wb + Rb, but for the n of a GRU with linear_before_reset: there Wb, and biasHn = Rb
 */

import { add } from '../../autodiff/ops/arithmetic';
import { relu, sigmoid, softplus, tanh } from '../../autodiff/ops/elementwise';
import { concat, reshape, slice, stack, transpose } from '../../autodiff/ops/movement';
import type { Variable } from '../../autodiff/tape';
import { compute } from '../../autodiff/value-and-gradient';
import { gru } from '../../cells/gru';
import { hardSigmoidGru, hardSigmoidLstm } from '../../cells/hard-sigmoid-cells';
import { lstm } from '../../cells/lstm';
import { simpleRnn } from '../../cells/simple-rnn';
import type { Cell } from '../../recurrence/cell';
import { unroll } from '../../recurrence/unroll';
import { checkShape } from '../../tensor/shape';
import { full, type IntTensor, type Tensor } from '../../tensor/tensor';
import { attribute, type NodeReader, type OwnParameters, type Prepared, takes } from './node-reader';
import { peepholeLstm } from './peephole-lstm';

type Given<L> = Partial<Readonly<Record<'W' | 'R' | 'B' | 'P', L>>>;

/** Where weights stand among the inputs. */
const places = { W: 1, R: 2, B: 3, P: 7 } as const;

/** What is wanted of an operator, and which block of theirs each of our gates is. */
interface Form {
  readonly order: readonly number[];
  readonly activations: readonly string[];
  /** Of the initial states among the inputs; they go out in the same order, behind all outputs. */
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

/** Of RNN; gates have those that their cells are defined by. */
const activations: Readonly<Record<string, (x: Variable) => Variable>> = { tanh, relu, sigmoid, softplus };

/** The operator of one of the three. */
export function recurrence(reader: NodeReader): Prepared {
  const { opType, outputs: named } = reader.node;
  const form = forms[opType]!;
  takes(reader, [
    'float',
    'float',
    'float',
    'float?',
    'whole?',
    'float?',
    ...(opType === 'LSTM' ? (['float?', 'float?'] as const) : []),
  ]);
  const directions = optionOf('direction', directionsOf, attribute(reader, 'direction', 'string') ?? 'forward');
  const resetAfter = opType === 'GRU' && (attribute(reader, 'linear_before_reset', 'int') ?? 0) !== 0;
  const toBatchMajor = (attribute(reader, 'layout', 'int') ?? 0) !== 0;
  const peepholes = (reader.node.inputs[places.P] ?? '') !== '';
  const cells = cellsOf(reader, directions, resetAfter, peepholes);
  const turn = turnerOf(form, directions, attribute(reader, 'hidden_size', 'int'), resetAfter);

  const constants = Object.fromEntries(
    Object.entries(places).flatMap(([name, i]) => {
      const constant = reader.constant(i);
      return constant === undefined ? [] : [[name, constant] as const];
    }),
  );
  const own =
    Object.keys(constants).length === 0
      ? undefined
      : (compute(constants as Record<string, Tensor>, turn) as OwnParameters);
  const turned = Object.entries(places).filter(([name]) => !Object.hasOwn(constants, name));
  return {
    kind: 'float',
    outputs: 1 + Object.keys(form.states).length,
    ...(own && { own }),
    run(values, parameters) {
      const swapped = (x: Variable): Variable =>
        toBatchMajor ? transpose(x, [1, 0, ...x.shape.slice(2).map((_, i) => i + 2)]) : x;
      const xs = swapped(values[0] as Variable);
      const given = turn(
        Object.fromEntries(
          turned.flatMap(([name, i]) => (values[i] === undefined ? [] : [[name, values[i] as Variable] as const])),
        ),
      );
      const runs = directions.map((direction, d) => {
        const p = { ...parameters?.[direction], ...given[direction] };
        const H = p['weightHh']!.shape[0]!;
        const initialState = Object.fromEntries(
          Object.entries(form.states).flatMap(([name, i]) => {
            if (values[i] === undefined) return [];
            const state = swapped(values[i] as Variable);
            checkShape(opType, `initial_${name}`, state.shape, {
              letters: '[D, B, H]',
              lengths: [directions.length, xs.shape[1], H],
            });
            return [[name, reshape(slice(state, d, d + 1), [xs.shape[1]!, H])] as const];
          }),
        );
        const bias = { bias: full([form.order.length * H], 0), ...(resetAfter ? { biasHn: full([H], 0) } : {}) };
        return unroll(cells[d]!, { ...bias, ...p }, xs, {
          initialState,
          lengths: (values[4] as IntTensor | undefined)?.data,
          reverse: direction === 'reverse',
        });
      });
      const y =
        named[0] === ''
          ? undefined
          : stack(
              runs.map(({ outputs }) => outputs),
              1,
            );
      const states = Object.keys(form.states).map((name) => swapped(stack(runs.map(({ state }) => state[name]!))));
      return [y && toBatchMajor ? transpose(y, [2, 0, 1, 3]) : y, ...states];
    },
  };
}

function optionOf<T>(name: string, options: Readonly<Record<string, T>>, chosen: string): T {
  if (!Object.hasOwn(options, chosen))
    throw new RangeError(`has ${name} ${chosen}; ${Object.keys(options).join(', ')} are known`);
  return options[chosen]!;
}

/** The cell of each direction. @throws RangeError where it is none of ours */
function cellsOf(
  reader: NodeReader,
  directions: readonly string[],
  resetAfter: boolean,
  peepholes: boolean,
): readonly Cell[] {
  const { opType } = reader.node;
  const { activations: standard } = forms[opType]!;
  if (attribute(reader, 'clip', 'float') !== undefined)
    throw new RangeError('has clip, which bounds what goes into its gates');
  if (opType === 'LSTM' && (attribute(reader, 'input_forget', 'int') ?? 0) !== 0)
    throw new RangeError('has input_forget, which couples its gates');
  const given = attribute(reader, 'activations', 'strings')?.map((name) => name.toLowerCase());
  if (given !== undefined && given.length !== standard.length * directions.length) {
    throw new RangeError(`needs ${standard.length * directions.length} activations, got ${given.length}`);
  }
  // The numbers of activations stand in the order of those that have some: of what is known here, hard sigmoids.
  const [slopes, offsets] = (['activation_alpha', 'activation_beta'] as const).map((name) => [
    ...(attribute(reader, name, 'floats') ?? []),
  ]);
  return directions.map((_, d) => {
    const names = given?.slice(d * standard.length, (d + 1) * standard.length) ?? standard;
    if (opType === 'RNN') return simpleRnn({ activation: optionOf('the activation', activations, names[0]!) });
    const hard = names[0] === 'hardsigmoid' && !peepholes;
    if ((hard ? names.slice(1) : names).join() !== standard.slice(hard ? 1 : 0).join())
      throw new RangeError(`has the activations ${names.join(', ')}; ${standard.join(', ')} are known`);
    const reset = resetAfter ? 'after' : 'before';
    if (!hard) return opType === 'GRU' ? gru({ reset }) : peepholes ? peepholeLstm() : lstm();
    const [slope, offset] = [slopes!.shift() ?? 0.2, offsets!.shift() ?? 0.5];
    if (offset !== 0.5) throw new RangeError(`has a hard sigmoid that is ${offset} at 0; 0.5 is known`);
    return opType === 'GRU' ? hardSigmoidGru({ slope, reset }) : hardSigmoidLstm({ slope });
  });
}

/** Turns weights into parameters, by direction and name. @throws RangeError where a shape does not fit */
function turnerOf(
  { order }: Form,
  directions: readonly string[],
  hiddenSize: number | undefined,
  resetAfter: boolean,
): (given: Given<Variable>) => OwnParameters<Variable> {
  const [D, G] = [directions.length, order.length];
  const check = (name: string, x: Variable, rank: number, blocks: number): number => {
    const H = hiddenSize ?? (x.shape[1] ?? 0) / blocks;
    const letters = { W: '[D, G·H, I]', R: '[D, G·H, H]', B: '[D, 2·G·H]', P: '[D, 3·H]' }[name]!;
    checkShape(
      'weights',
      name,
      x.shape,
      { letters, lengths: [D, blocks * H, ...(rank === 2 ? [] : [name === 'R' ? H : undefined])] },
      `D is ${D}, G ${G}, H ${H}.`,
    );
    return H;
  };
  const reordered = (x: Variable): Variable => concat(order.map((block) => slice(x, block, block + 1)));
  const matrix = (name: string, x: Variable, d: number): Variable => {
    const H = check(name, x, 3, G);
    const columns = x.shape[2]!;
    return transpose(reshape(reordered(reshape(slice(x, d, d + 1), [G, H, columns])), [G * H, columns]));
  };
  const biases = (x: Variable, d: number): Readonly<Record<string, Variable>> => {
    const H = check('B', x, 2, 2 * G);
    const halves = reshape(slice(x, d, d + 1), [2 * G, H]);
    const [input, recurrent] = [reordered(slice(halves, 0, G)), reordered(slice(halves, G, 2 * G))];
    if (!resetAfter) return { bias: reshape(add(input, recurrent), [G * H]) };
    const bias = concat([add(slice(input, 0, 2), slice(recurrent, 0, 2)), slice(input, 2, 3)]);
    return { bias: reshape(bias, [G * H]), biasHn: reshape(slice(recurrent, 2, 3), [H]) };
  };
  const peepholes = (x: Variable, d: number): Readonly<Record<string, Variable>> => {
    const H = check('P', x, 2, 3);
    const [peepholeI, peepholeO, peepholeF] = [0, 1, 2].map((block) =>
      reshape(slice(slice(x, d, d + 1), block * H, (block + 1) * H, 1), [H]),
    );
    return { peepholeI: peepholeI!, peepholeO: peepholeO!, peepholeF: peepholeF! };
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
