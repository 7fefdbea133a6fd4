/** The first and the third net: finite differences through everything, and properties that hold for every cell. */

import {
  add,
  affine,
  type Cell,
  checkGradients,
  compute,
  createRandom,
  full,
  gateParameters,
  gru,
  initializeCell,
  intTensor,
  layerNormGru,
  layerNormLstm,
  layerNormRnn,
  lstm,
  matmul,
  multiply,
  normal,
  type PointwiseCell,
  projectedLstm,
  relu,
  type State,
  sigmoid,
  simpleRnn,
  slice,
  step,
  stopGradient,
  sum,
  type Tensor,
  tanh,
  tensor,
  unroll,
  type Variable,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const draw = normal(0, 0.7);
const H = 3;
const I = 2;

/** The user's own pointwise pair: a leaky unit, h = 0.9·h' + 0.1·tanh(gates). */
function leaky(): PointwiseCell<'h'> {
  return {
    name: 'leaky',
    state: ['h'],
    gates: 1,
    savedBlocks: 1,
    vectorParameters: [],
    separateProducts: false,
    parameters: (inputSize, hiddenSize) => gateParameters(1, inputSize, hiddenSize),
    forward: ({ memory: { view: m } }, { next, previous, gates, saved: kept, rows, hiddenSize }) => {
      for (let i = 0; i < rows * hiddenSize; i++) {
        m[kept + i] = Math.tanh(m[gates + i]!);
        m[next.h + i] = 0.9 * m[previous.h + i]! + 0.1 * m[kept + i]!;
      }
    },
    backward: ({ memory: { view: m } }, { dNext, dPrevious, gates, saved: kept, rows, hiddenSize }) => {
      for (let i = 0; i < rows * hiddenSize; i++) {
        m[gates + i] = 0.1 * m[dNext.h + i]! * (1 - m[kept + i]! ** 2);
        m[dPrevious.h + i] = m[dPrevious.h + i]! + 0.9 * m[dNext.h + i]!;
      }
    },
  };
}

/** A cell without recurrent product and bias: h = tanh(x W + u · h'), independent units. */
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
  ['simpleRnn with an activation of ops', simpleRnn({ activation: sigmoid })],
  ['simpleRnn with a pair', simpleRnn({ activation: hardTanh })],
  ['lstm', lstm()],
  ['gru', gru()],
  ['gru, reset before', gru({ reset: 'before' })],
  // With a large epsilon: where rows have hardly any variance, finite differences would see nothing but curvature.
  ['layerNormRnn', layerNormRnn({ epsilon: 0.5 })],
  ['layerNormLstm', layerNormLstm({ epsilon: 0.5 })],
  ['layerNormGru', layerNormGru({ epsilon: 0.5 })],
  ['projectedLstm', projectedLstm({ projectionSize: H })],
  ['a pointwise cell of one’s own', leaky()],
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

/** What disturbs a sequence on its way, as far as the cell goes along. */
function disturbances(cell: Cell): readonly (readonly [string, (s: Readonly<Record<string, Variable>>) => object])[] {
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
    ['sequences that start on the way', (s) => ({ resets, resetState: resetState(s) })],
    [
      'all of it, reversed and with lengths',
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

function run(cell: Cell, given: ReturnType<typeof setUp>, options: object = {}): Record<string, Tensor> {
  return compute(given, ({ p, s, xs }) => {
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
    ['as it stands', () => ({})],
    ['with lengths, one of them 0', () => ({ lengths: Int32Array.of(2, 5, 0) })],
    ['reversed', () => ({ reverse: true })],
    ['reversed with lengths', () => ({ reverse: true, lengths: Int32Array.of(4, 0, 5) })],
    ...disturbances(cell),
  ] as readonly (readonly [string, (s: Readonly<Record<string, Variable>>) => object])[])(
    'gradients of parameters, inputs and initial state, %s, within 1e-7',
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

  it('unrolled is step by step', () => {
    const given = setUp(cell);
    const whole = run(cell, given);
    const steps = compute(given, ({ p, s, xs }) => {
      let state = s as State<string>;
      const outputs = [];
      for (let t = 0; t < 5; t++) {
        const next = step(cell, p, compute1(xs, t), state);
        outputs.push(next.output);
        state = next.state;
      }
      return { outputs, state };
    });
    steps.outputs.forEach((output, t) => close(output, tensor(whole['outputs']!.data.slice(t * 9, t * 9 + 9), [3, H])));
    for (const name of cell.state) close((steps.state as Record<string, Tensor>)[name]!, whole[name]!);
  });

  it('two windows with the state carried are one', () => {
    const given = setUp(cell);
    const whole = run(cell, given);
    const first = run(cell, { ...given, xs: tensor(given.xs.data.slice(0, 12), [2, 3, I]) });
    const { outputs, ...state } = first;
    const second = run(cell, { ...given, s: state, xs: tensor(given.xs.data.slice(12), [3, 3, I]) });
    close(tensor(Float32Array.of(...outputs!.data, ...second['outputs']!.data), [5, 3, H]), whole['outputs']!);
    for (const name of cell.state) close(second[name]!, whole[name]!);
  });

  it.each([false, true])('a row of a batch of unequal lengths is that row alone, reversed: %s', (reverse) => {
    const given = setUp(cell);
    const lengths = Int32Array.of(3, 5, 1);
    const batch = run(cell, given, { lengths, reverse });
    lengths.forEach((length, b) => {
      const alone = run(
        cell,
        {
          p: given.p,
          s: Object.fromEntries(Object.entries(given.s).map(([name, s]) => [name, row(s, b)])),
          xs: row(given.xs, b, length),
        },
        { reverse },
      );
      close(row(batch['outputs']!, b, length), alone['outputs']!);
      for (const name of cell.state) close(row(batch[name]!, b), alone[name]!);
      for (let t = length; t < 5; t++)
        expect([...batch['outputs']!.data.slice((t * 3 + b) * H, (t * 3 + b + 1) * H)]).toEqual([0, 0, 0]);
    });
  });

  it.each([false, true])('a row in which sequences start is those sequences one by one, reversed: %s', (reverse) => {
    const given = setUp(cell);
    const resetState = Object.fromEntries(cell.state.map((name) => [name, draw([1, H], createRandom(6))]));
    const lengths = Int32Array.of(5, 4, 5);
    const batch = run(cell, given, { resets, resetState, lengths, reverse });
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
        const part = tensor(row(given.xs, b, 5).data.slice(from * I, to * I), [to - from, 1, I]);
        const s = first
          ? Object.fromEntries(Object.entries(given.s).map(([name, each]) => [name, row(each, b)]))
          : resetState;
        const { outputs, ...state } = run(cell, { p: given.p, s, xs: part }, { reverse });
        close(tensor(row(batch['outputs']!, b, 5).data.slice(from * H, to * H), [to - from, 1, H]), outputs!);
        if (last) for (const name of cell.state) close(row(batch[name]!, b), state[name]!);
      }),
    );
  });

  it('zoneout keeps every number of the state or lets it move; at prediction it moves by the expected part', () => {
    const given = setUp(cell, 1);
    const free = run(cell, given);
    const rates = Object.fromEntries(cell.state.map((name) => [name, 0.4]));
    const drawn = run(cell, given, { zoneout: { rates, random: createRandom(2) } });
    const expected = run(cell, given, { zoneout: { rates } });
    const kept = cell.state.flatMap((name) =>
      [...drawn[name]!.data].map((value, i) => {
        const [before, after] = [given.s[name]!.data[i]!, free[name]!.data[i]!];
        expect(expected[name]!.data[i]).toBeCloseTo(0.4 * before + 0.6 * after, 6);
        expect([before, after].map((either) => Math.abs(value - either)).sort((a, b) => a - b)[0]).toBeLessThan(1e-6);
        return Math.abs(value - before) < 1e-6;
      }),
    );
    expect(new Set(kept)).toEqual(new Set([true, false]));
    const still = run(cell, setUp(cell), {
      zoneout: { rates: Object.fromEntries(cell.state.map((name) => [name, 1])) },
    });
    for (const name of cell.state) close(still[name]!, setUp(cell).s[name]!);
  });

  it('what stands in the padding changes nothing, not even a NaN', () => {
    const given = setUp(cell);
    const lengths = Int32Array.of(3, 5, 1);
    const xs = { shape: given.xs.shape, data: given.xs.data.slice() };
    lengths.forEach((length, b) => {
      for (let t = length; t < 5; t++) xs.data.fill(NaN, (t * 3 + b) * I, (t * 3 + b + 1) * I);
    });
    const clean = run(cell, given, { lengths });
    const padded = run(cell, { ...given, xs }, { lengths });
    for (const [name, value] of Object.entries(clean)) expect([...padded[name]!.data]).toEqual([...value.data]);
  });

  it('no steps leave the state as it was', () => {
    const given = { ...setUp(cell), xs: full([0, 3, I], 0) };
    const { outputs, ...state } = run(cell, given);
    expect(outputs!.shape).toEqual([0, 3, H]);
    for (const name of cell.state) expect([...state[name]!.data]).toEqual([...given.s[name]!.data]);
  });
});

function compute1(xs: Variable, t: number): Variable {
  const x = slice(xs, t, t + 1);
  return stopGradient({ ...x, shape: x.shape.slice(1) });
}

describe('each built-in cell is what its five lines of ops say', () => {
  const lines: Record<
    string,
    [
      Cell,
      (
        p: Record<string, Variable>,
        x: Variable,
        s: Record<string, Variable>,
        dropped: (h: Variable) => Variable,
      ) => Record<string, Variable>,
    ]
  > = {
    simpleRnn: [
      simpleRnn(),
      (p, x, { h }, dropped) => ({
        h: tanh(add(affine(x, { weight: p['weightIh']!, bias: p['bias']! }), matmul(dropped(h!), p['weightHh']!))),
      }),
    ],
    lstm: [
      lstm(),
      (p, x, { h, c }, dropped) => {
        const gates = add(affine(x, { weight: p['weightIh']!, bias: p['bias']! }), matmul(dropped(h!), p['weightHh']!));
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
      (p, x, { h }, dropped) => {
        const input = affine(x, { weight: p['weightIh']!, bias: p['bias']! });
        const product = matmul(dropped(h!), p['weightHh']!);
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

  it.each(Object.entries(lines))('%s, in value and gradient', (_, [cell, written]) => {
    const given = setUp(cell);
    const lengths = Int32Array.of(3, 5, 1);
    const disturbed = (): object => ({
      recurrentMask: mask,
      zoneout: { rates: Object.fromEntries(cell.state.map((name) => [name, 0.3])), random: createRandom(4) },
      resets,
    });
    for (const options of [() => ({}), disturbed]) {
      const results = [cell, written].map((each) =>
        compute(
          given,
          ({ p, s, xs }) => unroll(each as Cell, p, xs, { initialState: s, lengths, ...options() }).outputs,
        ),
      );
      close(results[0]!, results[1]!);
    }
    const weights = draw([5, 3, H], createRandom(3));
    const { error } = checkGradients(given, ({ p, s, xs }) => {
      const [fused, ops] = [cell, written].map(
        (each) => unroll(each as Cell, p, xs, { initialState: s, lengths }).outputs,
      ) as [Variable, Variable];
      // The difference is zero everywhere, so its gradient is that of one path against the other.
      return sum(multiply(add(multiply(fused, 2), multiply(ops, -1)), weights));
    });
    expect(error).toBeLessThan(1e-7);
  });
});
