/** Gradients of every cell compared with finite differences, and properties that hold for every cell. */

import {
  add,
  advance,
  affine,
  applyPointwise,
  type Cell,
  type CellFunction,
  checkGradients,
  compute,
  concat,
  createRandom,
  full,
  gateParameters,
  gru,
  gruWith,
  hardSigmoid,
  initializeCell,
  intTensor,
  layerNormGru,
  layerNormLstm,
  layerNormRnn,
  lstm,
  lstmWith,
  matmul,
  multiply,
  normal,
  type OpsCell,
  type PointwiseCell,
  predict,
  projectedLstm,
  recurrent,
  relu,
  type State,
  sequential,
  sigmoid,
  simpleRnn,
  slice,
  softplus,
  step,
  stopGradient,
  stream,
  subtract,
  sum,
  type Tensor,
  tanh,
  tensor,
  unroll,
  type Variable,
} from 'bptt';
import { describe, expect, it } from 'vitest';
import { leaky } from './leaky';

const draw = normal(0, 0.7);
const H = 3;
const I = 2;

/** A pointwise cell without recurrent product and bias: h_t = tanh(x_t W + u · h_{t−1}), with independent units. */
function independent(): PointwiseCell<'h'> {
  return {
    name: 'independent',
    state: ['h'],
    gates: 1,
    savedBlocks: 0,
    vectorParameters: ['recurrent'],
    separateProducts: false,
    parameters: (inputSize, hiddenSize) => ({
      weightIh: gateParameters(1, inputSize, hiddenSize).weightIh,
      recurrent: { role: 'bias', shape: [hiddenSize], blocks: 1, initializer: draw },
    }),
    forward: ({ memory: { view: m } }, { next, previous, gates, vectors, rows, hiddenSize }) => {
      for (let i = 0; i < rows * hiddenSize; i++) {
        m[next.h + i] = Math.tanh(m[gates + i]! + m[vectors['recurrent']! + (i % hiddenSize)]! * m[previous.h + i]!);
      }
    },
    backward: (
      { memory: { view: m } },
      { dNext, dPrevious, dVectors, next, previous, gates, vectors, rows, hiddenSize },
    ) => {
      for (let i = 0; i < rows * hiddenSize; i++) {
        const unit = i % hiddenSize;
        const d = m[dNext.h + i]! * (1 - m[next.h + i]! ** 2);
        m[gates + i] = d;
        m[dPrevious.h + i] = m[dPrevious.h + i]! + d * m[vectors['recurrent']! + unit]!;
        m[dVectors['recurrent']! + unit] = m[dVectors['recurrent']! + unit]! + d * m[previous.h + i]!;
      }
    },
  };
}

const hardTanh = {
  name: 'hardTanh',
  forward: (x: number) => Math.max(-1, Math.min(1, x)),
  derivative: (y: number) => (Math.abs(y) < 1 ? 1 : 0),
};

const cells: readonly (readonly [string, Cell])[] = [
  ['simpleRnn tanh', simpleRnn()],
  ['simpleRnn relu', simpleRnn({ activation: relu })],
  ['simpleRnn with an activation function of ops', simpleRnn({ activation: sigmoid })],
  ['simpleRnn with an activation pair', simpleRnn({ activation: hardTanh })],
  ['lstm', lstm()],
  ['gru', gru()],
  ['gru with reset before', gru({ reset: 'before' })],
  ['lstmWith', lstmWith({ activation: softplus, gateActivation: hardSigmoid(0.2) })],
  ['gruWith', gruWith({ activation: softplus, gateActivation: hardSigmoid() })],
  ['gruWith with reset before', gruWith({ gateActivation: hardSigmoid(), reset: 'before' })],
  // A large epsilon limits the curvature at rows with little variance, which would spoil finite differences.
  ['layerNormRnn', layerNormRnn({ epsilon: 0.5 })],
  ['layerNormLstm', layerNormLstm({ epsilon: 0.5 })],
  ['layerNormGru', layerNormGru({ epsilon: 0.5 })],
  ['projectedLstm', projectedLstm({ projectionSize: H })],
  ['a custom pointwise cell', leaky()],
  ['a pointwise cell without recurrent product and bias', independent()],
];

const mask = tensor([
  [1.5, 0, 1.5],
  [0, 0, 1.5],
  [1.5, 1.5, 0],
]);
const resets = intTensor([
  [0, 1, 0],
  [1, 0, 0],
  [0, 0, 0],
  [1, 1, 0],
  [0, 1, 1],
]);
const zoneout = (): object => ({ rates: { h: 0.4, c: 0.6 }, random: createRandom(8) });

/** Options of `unroll` that act within a sequence, as far as the cell supports them. */
function regularizations(
  cell: Cell,
): readonly (readonly [string, (s: Readonly<Record<string, Variable>>) => object])[] {
  const rates = (): object => ({
    ...zoneout(),
    rates: Object.fromEntries(cell.state.map((name, i) => [name, 0.4 + i / 5])),
  });
  const resetState = (s: Readonly<Record<string, Variable>>): object =>
    Object.fromEntries(cell.state.map((name) => [name, multiply(slice(s[name]!, 1, 2), 2)]));
  const masks = cell.name === 'independent' ? {} : { recurrentMask: mask };
  return [
    ['recurrent dropout', () => masks],
    ['zoneout', () => ({ zoneout: rates() })],
    ['resets within a row', (s) => ({ resets, resetState: resetState(s) })],
    [
      'all of these, reversed and with lengths',
      (s) => ({
        ...masks,
        zoneout: rates(),
        resets,
        resetState: resetState(s),
        reverse: true,
        lengths: Int32Array.of(4, 5, 2),
      }),
    ],
  ];
}

function setUp(cell: Cell, T = 5, B = 3): { p: Record<string, Tensor>; s: Record<string, Tensor>; xs: Tensor } {
  const random = createRandom(11);
  return {
    p: { ...initializeCell(cell, { inputSize: I, hiddenSize: H, random, biasInitializer: draw }) },
    s: Object.fromEntries(cell.state.map((name) => [name, draw([B, H], random)])),
    xs: draw([T, B, I], random),
  };
}

function run(cell: Cell, values: ReturnType<typeof setUp>, options: object = {}): Record<string, Tensor> {
  return compute(values, ({ p, s, xs }) => {
    const { outputs, state } = unroll(cell, p, xs, { initialState: s, ...options });
    return { outputs, ...state };
  }) as Record<string, Tensor>;
}

function close(a: Tensor, b: Tensor, bound = 1e-6): void {
  expect(a.shape).toEqual(b.shape);
  a.data.forEach((value, i) => expect(Math.abs(value - b.data[i]!)).toBeLessThanOrEqual(bound));
}

/** Row `b` of `[B, H]`, or of `[T, B, H]` its first `T` steps. */
function row(x: Tensor, b: number, T?: number): Tensor {
  const [B, n] = x.shape.slice(-2) as [number, number];
  const steps = T ?? 1;
  const data = new Float32Array(steps * n);
  for (let t = 0; t < steps; t++) data.set(x.data.subarray((t * B + b) * n, (t * B + b + 1) * n), t * n);
  return tensor(data, T === undefined ? [1, n] : [steps, 1, n]);
}

describe.each(cells)('%s', (_, cell) => {
  it.each([
    ['full length', () => ({})],
    ['lengths, one of them 0', () => ({ lengths: Int32Array.of(2, 5, 0) })],
    ['reversed', () => ({ reverse: true })],
    ['reversed, lengths', () => ({ reverse: true, lengths: Int32Array.of(4, 0, 5) })],
    ...regularizations(cell),
  ] as readonly (readonly [string, (s: Readonly<Record<string, Variable>>) => object])[])(
    'gradients of parameters, inputs and initial state match finite differences within 1e-7: %s',
    (_name, options) => {
      const random = createRandom(5);
      const weights = {
        outputs: draw([5, 3, H], random),
        ...Object.fromEntries(cell.state.map((name) => [name, draw([3, H], random)])),
      };
      const { error, worst } = checkGradients(setUp(cell), ({ p, s, xs }) => {
        const { outputs, state } = unroll(cell, p, xs, { initialState: s, ...options(s) });
        const parts: Record<string, Variable> = { outputs, ...state };
        return Object.entries(weights)
          .map(([name, w]) => sum(multiply(parts[name]!, w)))
          .reduce((a, b) => add(a, b));
      });
      expect(error, JSON.stringify(worst)).toBeLessThan(1e-7);
    },
  );

  it('unroll equals repeated calls of step', () => {
    const values = setUp(cell);
    const whole = run(cell, values);
    const steps = compute(values, ({ p, s, xs }) => {
      let state = s as State<string>;
      const outputs = [];
      for (let t = 0; t < 5; t++) {
        const next = step(cell, p, timeStep(xs, t), state);
        outputs.push(next.output);
        state = next.state;
      }
      return { outputs, state };
    });
    steps.outputs.forEach((output, t) => close(output, tensor(whole['outputs']!.data.slice(t * 9, t * 9 + 9), [3, H])));
    for (const name of cell.state) close((steps.state as Record<string, Tensor>)[name]!, whole[name]!);
  });

  it('two windows with carried state equal one long sequence', () => {
    const values = setUp(cell);
    const whole = run(cell, values);
    const first = run(cell, { ...values, xs: tensor(values.xs.data.slice(0, 12), [2, 3, I]) });
    const { outputs, ...state } = first;
    const second = run(cell, { ...values, s: state, xs: tensor(values.xs.data.slice(12), [3, 3, I]) });
    close(tensor(Float32Array.of(...outputs!.data, ...second['outputs']!.data), [5, 3, H]), whole['outputs']!);
    for (const name of cell.state) close(second[name]!, whole[name]!);
  });

  it.each([false, true])(
    'each row of a batch of unequal lengths equals that row run separately, reversed: %s',
    (reverse) => {
      const values = setUp(cell);
      const lengths = Int32Array.of(3, 5, 1);
      const batch = run(cell, values, { lengths, reverse });
      lengths.forEach((length, b) => {
        const separate = run(
          cell,
          {
            p: values.p,
            s: Object.fromEntries(Object.entries(values.s).map(([name, s]) => [name, row(s, b)])),
            xs: row(values.xs, b, length),
          },
          { reverse },
        );
        close(row(batch['outputs']!, b, length), separate['outputs']!);
        for (const name of cell.state) close(row(batch[name]!, b), separate[name]!);
        for (let t = length; t < 5; t++)
          expect([...batch['outputs']!.data.slice((t * 3 + b) * H, (t * 3 + b + 1) * H)]).toEqual([0, 0, 0]);
      });
    },
  );

  it.each([false, true])('a row with resets equals its sequences run separately, reversed: %s', (reverse) => {
    const values = setUp(cell);
    const resetState = Object.fromEntries(cell.state.map((name) => [name, draw([1, H], createRandom(6))]));
    const lengths = Int32Array.of(5, 4, 5);
    const masks = cell.name !== 'independent';
    const batch = run(cell, values, { resets, resetState, lengths, reverse, ...(masks && { recurrentMask: mask }) });
    const bounds = [
      [0, 1, 3, 5],
      [0, 3, 4],
      [0, 4, 5],
    ];
    bounds.forEach((times, b) =>
      times.slice(1).forEach((to, i) => {
        const from = times[i]!;
        const first = reverse ? to === lengths[b] : from === 0 && resets.data[b] === 0;
        const last = reverse ? from === 0 : to === lengths[b];
        const part = tensor(row(values.xs, b, 5).data.slice(from * I, to * I), [to - from, 1, I]);
        const s = first
          ? Object.fromEntries(Object.entries(values.s).map(([name, state]) => [name, row(state, b)]))
          : resetState;
        const own = { reverse, ...(masks && { recurrentMask: row(mask, b) }) };
        const { outputs, ...state } = run(cell, { p: values.p, s, xs: part }, own);
        close(tensor(row(batch['outputs']!, b, 5).data.slice(from * H, to * H), [to - from, 1, H]), outputs!);
        if (last) for (const name of cell.state) close(row(batch[name]!, b), state[name]!);
      }),
    );
  });

  it('a reset at the first step replaces the initial state, except in a row without steps', () => {
    const values = setUp(cell);
    // Any value other than 0 is a reset.
    const marks = intTensor(new Int32Array(15).fill(2, 0, 2), [5, 3]);
    const batch = run(cell, values, { resets: marks, lengths: Int32Array.of(0, 5, 5) });
    const fromZeros = run(cell, { p: values.p, s: {}, xs: row(values.xs, 1, 5) });
    close(row(batch['outputs']!, 1, 5), fromZeros['outputs']!);
    for (const name of cell.state) close(row(batch[name]!, 0), row(values.s[name]!, 0));
  });

  it('zoneout keeps or replaces each element of the state; without random it uses the expected value', () => {
    const values = setUp(cell, 1);
    const unregularized = run(cell, values);
    const rates = Object.fromEntries(cell.state.map((name) => [name, 0.4]));
    const drawn = run(cell, values, { zoneout: { rates, random: createRandom(2) } });
    const expected = run(cell, values, { zoneout: { rates } });
    const isKept = cell.state.flatMap((name) =>
      [...drawn[name]!.data].map((value, i) => {
        const [previous, next] = [values.s[name]!.data[i]!, unregularized[name]!.data[i]!];
        expect(expected[name]!.data[i]).toBeCloseTo(0.4 * previous + 0.6 * next, 6);
        expect(Math.min(Math.abs(value - previous), Math.abs(value - next))).toBeLessThan(1e-6);
        return Math.abs(value - previous) < 1e-6;
      }),
    );
    expect(new Set(isKept)).toEqual(new Set([true, false]));
    const frozen = run(cell, setUp(cell), {
      zoneout: { rates: Object.fromEntries(cell.state.map((name) => [name, 1])) },
    });
    for (const name of cell.state) close(frozen[name]!, setUp(cell).s[name]!);
  });

  it('the content of the padding has no effect, even if it is NaN', () => {
    const values = setUp(cell);
    const lengths = Int32Array.of(3, 5, 1);
    const xs = { shape: values.xs.shape, data: values.xs.data.slice() };
    lengths.forEach((length, b) => {
      for (let t = length; t < 5; t++) xs.data.fill(NaN, (t * 3 + b) * I, (t * 3 + b + 1) * I);
    });
    const clean = run(cell, values, { lengths });
    const padded = run(cell, { ...values, xs }, { lengths });
    for (const [name, value] of Object.entries(clean)) expect([...padded[name]!.data]).toEqual([...value.data]);
  });

  it('zero time steps leave the state unchanged', () => {
    const values = { ...setUp(cell), xs: full([0, 3, I], 0) };
    const { outputs, ...state } = run(cell, values);
    expect(outputs!.shape).toEqual([0, 3, H]);
    for (const name of cell.state) expect([...state[name]!.data]).toEqual([...values.s[name]!.data]);
  });
});

/** `[B, I]` of `[T, B, I]`. */
function timeStep(xs: Variable, t: number): Variable {
  const x = slice(xs, t, t + 1);
  return stopGradient({ ...x, shape: x.shape.slice(1) });
}

describe('each fused cell matches its equations written as ops', () => {
  const equations: Record<
    string,
    [
      Cell,
      (
        p: Record<string, Variable>,
        x: Variable,
        s: Record<string, Variable>,
        applyDropout: (h: Variable) => Variable,
      ) => Record<string, Variable>,
    ]
  > = {
    simpleRnn: [
      simpleRnn(),
      (p, x, { h }, applyDropout) => ({
        h: tanh(add(affine(x, { weight: p['weightIh']!, bias: p['bias']! }), matmul(applyDropout(h!), p['weightHh']!))),
      }),
    ],
    lstm: [
      lstm(),
      (p, x, { h, c }, applyDropout) => {
        const gates = add(
          affine(x, { weight: p['weightIh']!, bias: p['bias']! }),
          matmul(applyDropout(h!), p['weightHh']!),
        );
        const [i, f, g, o] = [0, 1, 2, 3].map((k) => slice(gates, k * H, (k + 1) * H, 1)) as [
          Variable,
          Variable,
          Variable,
          Variable,
        ];
        const cell = add(multiply(sigmoid(f), c!), multiply(sigmoid(i), tanh(g)));
        return { h: multiply(sigmoid(o), tanh(cell)), c: cell };
      },
    ],
    gru: [
      gru(),
      (p, x, { h }, applyDropout) => {
        const input = affine(x, { weight: p['weightIh']!, bias: p['bias']! });
        const product = matmul(applyDropout(h!), p['weightHh']!);
        const [r, z] = [0, 1].map((k) =>
          sigmoid(add(slice(input, k * H, (k + 1) * H, 1), slice(product, k * H, (k + 1) * H, 1))),
        ) as [Variable, Variable];
        const n = tanh(
          add(slice(input, 2 * H, 3 * H, 1), multiply(r, add(slice(product, 2 * H, 3 * H, 1), p['biasHn']!))),
        );
        return { h: add(multiply(add(1, multiply(z, -1)), n), multiply(z, h!)) };
      },
    ],
  };

  it.each(Object.entries(equations))('%s: outputs and gradients', (_, [cell, reference]) => {
    const values = setUp(cell);
    const lengths = Int32Array.of(3, 5, 1);
    const regularized = (): object => ({
      recurrentMask: mask,
      zoneout: { rates: Object.fromEntries(cell.state.map((name) => [name, 0.3])), random: createRandom(4) },
      resets,
    });
    for (const options of [() => ({}), regularized]) {
      const results = [cell, reference].map((version) =>
        compute(
          values,
          ({ p, s, xs }) => unroll(version as Cell, p, xs, { initialState: s, lengths, ...options() }).outputs,
        ),
      );
      close(results[0]!, results[1]!);
    }
    const weights = draw([5, 3, H], createRandom(3));
    const { error } = checkGradients(values, ({ p, s, xs }) => {
      const [fused, ops] = [cell, reference].map(
        (version) => unroll(version as Cell, p, xs, { initialState: s, lengths }).outputs,
      ) as [Variable, Variable];
      // The value of 2 · fused − ops equals that of either path; finite differences check the gradients of both.
      return sum(multiply(add(multiply(fused, 2), multiply(ops, -1)), weights));
    });
    expect(error).toBeLessThan(1e-7);
  });
});

it.each([
  ['layerNormRnn', layerNormRnn],
  ['layerNormLstm', layerNormLstm],
  ['layerNormGru', layerNormGru],
])('%s has an epsilon of 1e-5 by default, and rejects a negative one', (name, create) => {
  // The variances are about 1e-5.
  const run = (cell: Cell) => {
    const p = initializeCell(cell, { inputSize: I, hiddenSize: H, random: 1 });
    return compute(p, (p) => unroll(cell, p, normal(0, 0.003)([4, 2, I], createRandom(2))).outputs);
  };
  expect(run(create() as Cell)).toEqual(run(create({ epsilon: 1e-5 }) as Cell));
  expect(run(create() as Cell)).not.toEqual(run(create({ epsilon: 2e-5 }) as Cell));
  expect(() => create({ epsilon: -1 })).toThrow(`${name}: epsilon must be a finite number of at least 0, got -1.`);
});

/** minGRU (Feng et al., 2024, arXiv 2410.01201): the gate and the candidate depend on the input alone. */
const minGru = (): OpsCell<'h'> => ({
  name: 'minGru',
  state: ['h'],
  parameters: (inputSize, hiddenSize) => {
    const { weightIh, bias } = gateParameters(2, inputSize, hiddenSize);
    return { weightIh, bias };
  },
  inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
  step: (_, x, { h }) => {
    const z = sigmoid(slice(x, 0, h.shape[1]!, 1));
    return { h: add(multiply(subtract(1, z), h), multiply(z, slice(x, h.shape[1]!, undefined, 1))) };
  },
});

/** An LSTM with one kernel [I + H, 4·H], as in TensorFlow 1. */
const concatenated = (): OpsCell<'h' | 'c'> => ({
  name: 'concatenated',
  state: ['h', 'c'],
  parameters: (inputSize, hiddenSize) => ({
    kernel: { role: 'input', shape: [inputSize + hiddenSize, 4 * hiddenSize], blocks: 4 },
    bias: gateParameters(4, inputSize, hiddenSize).bias,
  }),
  step: ({ kernel, bias }, x, { h, c }) =>
    applyPointwise(lstm(), affine(concat([x, h], 1), { weight: kernel!, bias: bias! }), { c }),
});

describe('cells without a parameter that has an axis of length H', () => {
  it.each<[string, OpsCell]>([
    ['minGru', minGru()],
    ['concatenated', concatenated()],
  ])('%s: gradients agree with finite differences', (_, cell) => {
    const p = initializeCell(cell, { inputSize: I, hiddenSize: H, random: 1 });
    const xs = draw([4, 2, I], createRandom(2));
    const { error } = checkGradients({ p, xs }, ({ p, xs }) => sum(unroll(cell, p, xs).outputs));
    expect(error).toBeLessThan(1e-7);
  });

  it('run in models', () => {
    const model = sequential([recurrent(minGru(), { hiddenSize: H })], { inputSize: I });
    const [x, y] = [full([1, 1, I], 1), full([2, 1, I], 1)];
    const [first, second] = [predict(model, x).data, predict(model, y).data.subarray(H)];
    const { weightIh, bias } = model.parameters['minGru']!;
    const gates = compute({}, () => affine(full([1, I], 1), { weight: weightIh!, bias: bias! })).data;
    for (let j = 0; j < H; j++) {
      const z = 1 / (1 + Math.exp(-gates[j]!));
      expect(first[j]).toBeCloseTo(z * gates[H + j]!, 6);
      expect(second[j]).toBeCloseTo((1 - z) * first[j]! + z * gates[H + j]!, 6);
    }
    const running = stream(model);
    expect(advance(running, full([1, I], 1)).data).toEqual(first);
  });

  it('one kernel for x and h gives the results of two matrices', () => {
    const p = initializeCell(lstm(), { inputSize: I, hiddenSize: H, random: 1 });
    const kernel = compute(p, (p) => concat([p['weightIh']!, p['weightHh']!]));
    const xs = draw([5, 3, I], createRandom(2));
    const one = compute({ kernel, bias: p['bias']! }, (p) => unroll(concatenated(), p, xs).outputs);
    close(
      one,
      compute(p, (p) => unroll(lstm(), p, xs).outputs),
    );
    const wider = draw([5, 3, I + 1], createRandom(2));
    expect(() => compute({ kernel, bias: p['bias']! }, (p) => unroll(concatenated(), p, wider).outputs)).toThrow(
      'unroll: xs must be [T, B, I] = [*, *, 2], got [5, 3, 3]. Was the cell created with inputSize 3?',
    );
  });

  it('messages name the parameter that is missing or wrong', () => {
    const xs = full([2, 1, I], 1);
    const run = (p: Record<string, Tensor>, cell: OpsCell = minGru()) => compute(p, (p) => unroll(cell, p, xs).outputs);
    const bias = full([2 * H], 0);
    expect(() => run({ bias })).toThrow(
      'unroll: the parameters of minGru must be an object with weightIh, got an object with bias.',
    );
    expect(() => run({ weightIh: full([I, 2 * H + 1], 0), bias })).toThrow(
      `unroll: weightIh must be of the cell = [${I}, ${2 * H}], got [${I}, ${2 * H + 1}].`,
    );
    expect(() => run({ weightIh: full([I, 1], 0), bias })).toThrow('unroll: weightIh must be of the cell = [2, 2]');
    const other = {
      ...minGru(),
      parameters: () => ({ gain: { role: 'gain', shape: [1], blocks: 1 } }),
    } satisfies OpsCell<'h'>;
    expect(() => run({ gain: full([1], 1) }, other)).toThrow(
      'unroll: cell must be one with parameters of hiddenSize, got an object with name, state',
    );
  });
});

it('a cell that is a function needs an initial state', () => {
  const cell: CellFunction = (_, x, { h }) => ({ h: add(x, h!) });
  expect(() => compute({}, () => unroll(cell, {}, full([2, 1, H], 1)).outputs)).toThrow(
    'unroll: initialState must hold at least one state of a cell that is a function, got none.',
  );
});

it.each<[string, Cell | CellFunction]>([
  ['without recurrent weights', independent()],
  ['whose step does not take applyDropout', (_, x, { h }) => ({ h: add(x, h!) })],
])('rejects recurrent dropout of a cell %s', (_, cell) => {
  const { p, xs } = setUp(independent());
  const initialState = { h: full([3, H], 0) };
  expect(() =>
    compute({ p, xs }, ({ p, xs }) => unroll(cell, p, xs, { initialState, recurrentMask: mask }).outputs),
  ).toThrow(
    'unroll: recurrentMask or recurrentDropout must be undefined for a cell that does not apply dropout to h, got { shape',
  );
});
