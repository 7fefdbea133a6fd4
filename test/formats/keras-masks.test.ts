/**
 * Masks of Keras: padding in front and gaps, compared with the loop over time in `keras.backend.rnn`, written out in
 * double precision. A masked step keeps the state, and its output is the previous one; zeros before the first, and for
 * bidirectional layers, or with `zero_output_for_mask`.
 */

import {
  additiveScore,
  attentionPooling,
  averagePool1d,
  bidirectional,
  type Cell,
  compute,
  conv1d,
  createRandom,
  crossEntropy,
  customModel,
  dense,
  embedding,
  fit,
  full,
  globalMaxPool,
  gru,
  integerNumber,
  intTensor,
  type Layer,
  lstm,
  type Merge,
  maxPool1d,
  multiply,
  normal,
  padSequences,
  predict,
  predictWithState,
  recurrent,
  relu,
  residual,
  type Sequential,
  sequential,
  sgd,
  simpleRnn,
  sum,
  type Tensor,
  tanh,
  tensor,
  valueAndGradient,
  withoutBias,
} from 'bptt';
import { packMasked, predictMasked, runMasked, stepMask } from 'bptt/keras';
import { describe, expect, it } from 'vitest';
import { kerasFlatten, kerasPooling } from '../../src/formats/keras/sequence-layers';

const [T, B, I, H] = [6, 5, 3, 2];
const random = createRandom(21);

/** Padding in front, a gap, padding at the end, all of them, and a row without valid steps. */
const mask = tensor([
  [0, 1, 1, 0, 0],
  [0, 1, 1, 1, 0],
  [0, 0, 1, 0, 0],
  [1, 1, 0, 0, 0],
  [1, 0, 0, 1, 0],
  [1, 1, 0, 0, 0],
]);
const isValid = (t: number, b: number): boolean => mask.data[t * B + b] === 1;

type Parameters = Readonly<Record<string, Readonly<Record<string, Float64Array>>>>;
type Vector = readonly number[];
/** The vectors of the steps of one row. */
type Row = readonly Vector[];
interface CellState {
  readonly h: Vector;
  readonly c: Vector;
}

const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
/** The numbers from 0 to n − 1. Array.from takes ten times as long, and finite differences need them often. */
function range(n: number): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < n; i++) numbers.push(i);
  return numbers;
}

/** x W, for W `[I, O]`. */
function times(x: Vector, w: Float64Array): Vector {
  const size = w.length / x.length;
  return range(size).map((j) => x.reduce((total, value, i) => total + value * w[i * size + j]!, 0));
}

/** Block k of size H. */
const block = (x: ArrayLike<number>, k: number): Vector => range(H).map((j) => x[k * H + j]!);

type Step = (p: Readonly<Record<string, Float64Array>>, x: Vector, state: CellState) => CellState;
const steps: Record<string, Step> = {
  simpleRnn(p, x, { h, c }) {
    const [fromX, fromH] = [times(x, p['weightIh']!), times(h, p['weightHh']!)];
    return { h: range(H).map((j) => Math.tanh(fromX[j]! + fromH[j]! + p['bias']![j]!)), c };
  },
  lstm(p, x, { h, c }) {
    const [fromX, fromH] = [times(x, p['weightIh']!), times(h, p['weightHh']!)];
    const gates = fromX.map((value, j) => value + fromH[j]! + p['bias']![j]!);
    const [i, f, g, o] = [0, 1, 2, 3].map((k) => block(gates, k)) as [Vector, Vector, Vector, Vector];
    const next = range(H).map((j) => sigma(f[j]!) * c[j]! + sigma(i[j]!) * Math.tanh(g[j]!));
    return { h: next.map((value, j) => sigma(o[j]!) * Math.tanh(value)), c: next };
  },
  gruAfter(p, x, { h, c }) {
    const [fromX, fromH] = [times(x, p['weightIh']!), times(h, p['weightHh']!)];
    const gate = (k: number, j: number): number =>
      sigma(block(fromX, k)[j]! + block(fromH, k)[j]! + block(p['bias']!, k)[j]!);
    return {
      h: range(H).map((j) => {
        const inner = block(fromH, 2)[j]! + p['biasHn']![j]!;
        const n = Math.tanh(block(fromX, 2)[j]! + block(p['bias']!, 2)[j]! + gate(0, j) * inner);
        return (1 - gate(1, j)) * n + gate(1, j) * h[j]!;
      }),
      c,
    };
  },
  gruBefore(p, x, { h, c }) {
    const [fromX, fromH] = [times(x, p['weightIh']!), times(h, p['weightHh']!)];
    const gate = (k: number, j: number): number =>
      sigma(block(fromX, k)[j]! + block(fromH, k)[j]! + block(p['bias']!, k)[j]!);
    const fromReset = times(
      h.map((value, j) => gate(0, j) * value),
      p['weightHh']!,
    );
    return {
      h: range(H).map((j) => {
        const n = Math.tanh(block(fromX, 2)[j]! + block(p['bias']!, 2)[j]! + block(fromReset, 2)[j]!);
        return (1 - gate(1, j)) * n + gate(1, j) * h[j]!;
      }),
      c,
    };
  },
};

/** The loop of Keras over the steps of row b. */
function runKeras(
  step: Step,
  p: Readonly<Record<string, Float64Array>>,
  xs: Row,
  b: number,
  { reverse = false, isZero = false } = {},
): { readonly outputs: Row; readonly state: CellState } {
  const outputs: Vector[] = new Array<Vector>(T);
  const zero = range(H).map(() => 0);
  let state: CellState = { h: zero, c: zero };
  let output: Vector = zero;
  for (const i of range(T)) {
    const t = reverse ? T - 1 - i : i;
    if (isValid(t, b)) {
      state = step(p, xs[t]!, state);
      output = state.h;
    } else if (isZero) output = zero;
    outputs[t] = output;
  }
  return { outputs, state };
}

const joins: Record<string, (f: Vector, r: Vector) => Vector> = {
  concat: (f, r) => [...f, ...r],
  sum: (f, r) => f.map((value, j) => value + r[j]!),
  mean: (f, r) => f.map((value, j) => (value + r[j]!) / 2),
  product: (f, r) => f.map((value, j) => value * r[j]!),
};

/** The parameters of one direction. */
const direction = (p: Readonly<Record<string, Float64Array>>, name: string): Readonly<Record<string, Float64Array>> =>
  Object.fromEntries(
    Object.entries(p).flatMap(([key, value]) =>
      key.startsWith(`${name}.`) ? [[key.slice(name.length + 1), value]] : [],
    ),
  );

function bothDirections(
  step: Step,
  merge: Merge,
  p: Readonly<Record<string, Float64Array>>,
  xs: Row,
  b: number,
  isZero = true,
): Row {
  const forward = runKeras(step, direction(p, 'forward'), xs, b, { isZero }).outputs;
  const reverse = runKeras(step, direction(p, 'reverse'), xs, b, { reverse: true, isZero }).outputs;
  return forward.map((f, t) => joins[merge]!(f, reverse[t]!));
}

const affineOf = (p: Readonly<Record<string, Float64Array>>, x: Vector): Vector =>
  times(x, p['weight']!).map((value, j) => value + p['bias']![j]!);

/** A model, and its output for row b in double precision: one vector per step, or per sequence. */
interface Case {
  readonly layers: readonly Layer[];
  readonly expected: (p: Parameters, xs: Row, b: number) => Row;
  readonly zeroOutputForMask?: boolean;
}

const cells: [name: string, cell: Cell, step: Step][] = [
  ['simpleRnn', simpleRnn(), steps['simpleRnn']!],
  ['lstm', lstm(), steps['lstm']!],
  ['gru', gru(), steps['gruAfter']!],
  ["gru with reset 'before'", gru({ reset: 'before' }), steps['gruBefore']!],
];
const columns = (rows: Row): Vector[] => rows[0]!.map((_, j) => rows.map((row) => row[j]!));
const cases: Record<string, Case> = {};
for (const [name, cell, step] of cells) {
  const of = (p: Parameters): Readonly<Record<string, Float64Array>> => Object.values(p)[0]!;
  cases[name] = {
    layers: [recurrent(cell, { hiddenSize: H })],
    expected: (p, xs, b) => runKeras(step, of(p), xs, b).outputs,
  };
  cases[`${name}, last output`] = {
    layers: [recurrent(cell, { hiddenSize: H, returnSequences: false }), dense({ size: 2 })],
    expected: (p, xs, b) => [affineOf(p['dense']!, runKeras(step, of(p), xs, b).state.h)],
  };
  cases[`${name}, reversed`] = {
    layers: [recurrent(cell, { hiddenSize: H, reverse: true })],
    expected: (p, xs, b) => runKeras(step, of(p), xs, b, { reverse: true }).outputs,
  };
  cases[`bidirectional ${name}, last outputs`] = {
    layers: [bidirectional(cell, { hiddenSize: H, returnSequences: false })],
    expected: (p, xs, b) => [
      [
        ...runKeras(step, direction(of(p), 'forward'), xs, b).state.h,
        ...runKeras(step, direction(of(p), 'reverse'), xs, b, { reverse: true }).state.h,
      ],
    ],
  };
  for (const merge of ['concat', 'sum', 'mean', 'product'] as const) {
    cases[`bidirectional ${name}, ${merge}`] = {
      layers: [bidirectional(cell, { hiddenSize: H, merge })],
      expected: (p, xs, b) => bothDirections(step, merge, of(p), xs, b),
    };
  }
}
cases['lstm with zero_output_for_mask, and a dense layer after'] = {
  layers: [recurrent(lstm(), { hiddenSize: H }), dense({ size: 2 })],
  expected: (p, xs, b) =>
    runKeras(steps['lstm']!, p['lstm']!, xs, b, { isZero: true }).outputs.map((x) => affineOf(p['dense']!, x)),
  zeroOutputForMask: true,
};
cases['bidirectional lstm of TensorFlow.js'] = {
  layers: [bidirectional(lstm(), { hiddenSize: H })],
  expected: (p, xs, b) => bothDirections(steps['lstm']!, 'concat', p['bidirectional']!, xs, b, false),
  zeroOutputForMask: false,
};
for (const kind of ['max', 'mean'] as const) {
  cases[`bidirectional simpleRnn without bias, and a pool: ${kind}`] = {
    layers: [withoutBias(bidirectional(simpleRnn(), { hiddenSize: H })), kerasPooling({ kind })],
    expected: (p, xs, b) => {
      const zeroBias = new Float64Array(H);
      const parameters = { ...p['bidirectional']!, 'forward.bias': zeroBias, 'reverse.bias': zeroBias };
      const outputs = columns(bothDirections(steps['simpleRnn']!, 'concat', parameters, xs, b));
      const count = range(T).filter((t) => isValid(t, b)).length;
      return [
        outputs.map((values) =>
          kind === 'max' ? Math.max(...values) : values.reduce((total, value) => total + value, 0) / Math.max(1, count),
        ),
      ];
    },
  };
}
cases['a stack with dense layers between and after'] = {
  layers: [
    dense({ size: 4, activation: tanh }),
    bidirectional(lstm(), { hiddenSize: H }),
    dense({ size: 3 }),
    recurrent(gru(), { hiddenSize: H }),
    dense({ size: 2, activation: tanh }),
  ],
  expected: (p, xs, b) => {
    const first = xs.map((x) => affineOf(p['dense']!, x).map(Math.tanh));
    const second = bothDirections(steps['lstm']!, 'concat', p['bidirectional']!, first, b);
    const third = second.map((x) => affineOf(p['dense2']!, x));
    const fourth = runKeras(steps['gruAfter']!, p['gru']!, third, b).outputs;
    return fourth.map((x) => affineOf(p['dense3']!, x).map(Math.tanh));
  },
};
const pools: [name: string, layer: Layer, pool: (outputs: Row, b: number) => Vector][] = [
  ['Flatten', kerasFlatten({ sequenceLength: T }), (outputs) => outputs.flat()],
  ['maximum', kerasPooling({ kind: 'max' }), (outputs) => columns(outputs).map((values) => Math.max(...values))],
  [
    'mean of valid steps',
    kerasPooling({ kind: 'mean' }),
    (outputs, b) => {
      const count = range(T).filter((t) => isValid(t, b)).length;
      const valid = columns(outputs).map((values) => values.filter((_, t) => isValid(t, b)));
      return valid.map((values) => values.reduce((total, value) => total + value, 0) / Math.max(1, count));
    },
  ],
];
for (const [name, layer, pool] of pools) {
  cases[`dense layers and ${name} after a recurrent layer`] = {
    layers: [recurrent(lstm(), { hiddenSize: H }), dense({ size: 3, activation: tanh }), layer, dense({ size: 2 })],
    expected: (p, xs, b) => {
      const outputs = runKeras(steps['lstm']!, p['lstm']!, xs, b).outputs;
      const second = outputs.map((x) => affineOf(p['dense']!, x).map(Math.tanh));
      return [affineOf(p['dense2']!, pool(second, b))];
    },
  };
}

const inputs: Tensor = normal(0, 1)([T, B, I], random);

const modelOf = ({ layers }: Case): Sequential => {
  const model = sequential(layers, { inputSize: I, seed: 4 });
  model.data.set(normal(0, 0.6)([model.data.length], createRandom(9)).data);
  return model;
};

const inDouble = (model: Sequential): Parameters =>
  Object.fromEntries(
    Object.entries(model.parameters).map(([layer, values]) => [
      layer,
      Object.fromEntries(Object.entries(values).map(([name, { data }]) => [name, Float64Array.from(data)])),
    ]),
  );

/** The expected output in the layout of the model: `[T, B, O]` or `[B, O]`. */
function expectedOf({ expected }: Case, p: Parameters, x: Float64Array): number[] {
  const rows = range(B).map((b) => {
    const xs = range(T).map((t) => range(I).map((i) => x[(t * B + b) * I + i]!));
    return expected(p, xs, b);
  });
  return range(rows[0]!.length).flatMap((t) => rows.flatMap((row) => [...row[t]!]));
}

/** Inputs with NaN at masked steps. */
const poisoned: Tensor = {
  ...inputs,
  data: inputs.data.map((value, i) => (mask.data[Math.floor(i / I)] === 0 ? NaN : value)),
};

describe.each(Object.entries(cases))('%s', (_name, item) => {
  const model = modelOf(item);
  const startsRecurrent = model.layers[0]!.layer.origin?.[0] !== 'dense';
  const { zeroOutputForMask } = item;
  const options = { mask, zeroOutputForMask };

  it('has the outputs of Keras at all steps', () => {
    const expected = expectedOf(item, inDouble(model), Float64Array.from(inputs.data));
    const output = predictMasked(model, inputs, options);
    expect(output.data.length).toBe(expected.length);
    output.data.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
    expect(predictMasked(model, poisoned, options)).toEqual(output);
  });

  it('has the gradients of Keras', () => {
    const p = inDouble(model);
    const x = Float64Array.from(inputs.data);
    const factors = normal(0, 1)(predictMasked(model, inputs, options).shape, createRandom(2));
    const loss = (): number => expectedOf(item, p, x).reduce((total, value, i) => total + value * factors.data[i]!, 0);
    const difference = (values: Float64Array, i: number): number => {
      const value = values[i]!;
      const [low, high] = [-1e-5, 1e-5].map((h) => {
        values[i] = value + h;
        return loss();
      }) as [number, number];
      values[i] = value;
      return (high - low) / 2e-5;
    };
    const { value, gradient } = valueAndGradient({ parameters: model.parameters, inputs }, (variables) =>
      sum(multiply(runMasked(model, variables.parameters, variables.inputs, options).output, factors)),
    );
    expect(value).toBeCloseTo(loss(), 4);
    for (const [layer, values] of Object.entries(p)) {
      for (const [name, data] of Object.entries(values)) {
        const actual = gradient.parameters[layer]![name]!.data;
        expect(actual.length).toBe(data.length);
        actual.forEach((g, i) => expect(g).toBeCloseTo(difference(data, i), 4));
      }
    }
    gradient.inputs.data.forEach((g, i) => {
      expect(g).toBeCloseTo(difference(x, i), 4);
      if (startsRecurrent && mask.data[Math.floor(i / I)] === 0) expect(g).toBe(0);
    });
  });
});

describe('an embedding with mask_zero', () => {
  const model = sequential(
    [
      embedding({ vocabularySize: 7, size: 3 }),
      bidirectional(lstm(), { hiddenSize: 3 }),
      recurrent(gru(), { hiddenSize: 4, returnSequences: false }),
      dense({ size: 2 }),
    ],
    { seed: 6 },
  );
  const sequences = [[3, 1, 4], [5], [2, 6, 5, 3, 5]].map((row) => Int32Array.from(row));
  const { inputs: back, lengths } = padSequences(sequences, { sequenceLength: 6 });
  const front = intTensor([
    [0, 0, 0],
    [0, 0, 2],
    [0, 0, 6],
    [3, 0, 5],
    [1, 0, 3],
    [4, 5, 5],
  ]);

  it('gives the same output for padding in front, gaps and padding at the end', () => {
    const expected = predict(model, back, { lengths });
    const gaps = intTensor([
      [3, 0, 2],
      [0, 0, 6],
      [1, 5, 5],
      [0, 0, 0],
      [0, 0, 3],
      [4, 0, 5],
    ]);
    for (const ids of [front, gaps, back]) expect(predictMasked(model, ids)).toEqual(expected);
  });

  it('packs into the same batch, with the gradients of masked training', async () => {
    const packed = packMasked(front, stepMask(front));
    expect(packed.inputs.data).toEqual(back.data);
    expect(packed.lengths).toEqual(lengths);
    const targets = intTensor([0, 1, 1]);
    const custom = customModel({ model: model.parameters }, (p, batch: { ids: typeof front }) =>
      crossEntropy(runMasked(model, p.model, batch.ids).output, targets),
    );
    const options = { optimizer: sgd(0.5), steps: 3 };
    const { losses } = await fit(custom, { batchCount: 1, batches: () => [{ ids: front }] }, options);
    const batch = { ...packed, targets };
    const same = await fit(model, { batchCount: 1, batches: () => [batch] }, { ...options, loss: crossEntropy });
    expect(losses).toEqual(same.losses);
  });
});

it('has zero outputs of bidirectional layers at masked steps, in both directions', () => {
  // h is the sum of the inputs so far.
  const model = sequential([bidirectional(simpleRnn({ activation: relu }), { hiddenSize: 1 })], { inputSize: 1 });
  for (const [name, { data }] of Object.entries(model.parameters['bidirectional']!))
    data.fill(/bias/.test(name) ? 0 : 1);
  const x = tensor([[[1]], [[9]], [[2]], [[9]]]);
  const gaps = tensor([[1], [0], [1], [0]]);
  expect([...predictMasked(model, x, { mask: gaps }).data]).toEqual([1, 3, 0, 0, 3, 2, 0, 0]);
  const repeated = predictMasked(model, x, { mask: gaps, zeroOutputForMask: false });
  expect([...repeated.data]).toEqual([1, 3, 1, 2, 3, 2, 3, 0]);
});

it('continues from a state, and returns the final one', () => {
  const model = sequential([recurrent(lstm(), { hiddenSize: H })], { inputSize: I, seed: 8 });
  const packed = packMasked(inputs, mask);
  const state = { lstm: { h: normal(0, 1)([B, H], random), c: normal(0, 1)([B, H], random) } };
  const expected = predictWithState(model, packed.inputs, { lengths: packed.lengths, state });
  const final = compute(model.parameters, (p) => runMasked(model, p, inputs, { mask, state }).state['lstm']!);
  expect(final).toEqual(expected.state['lstm']);
});

it.each<[string, Layer]>([
  ['conv1d', conv1d({ size: 2, kernelSize: 2, padding: 'causal' })],
  ['maxPool1d', maxPool1d({ windowSize: 2, stride: 1, padding: 'same' })],
  ['averagePool1d', averagePool1d({ windowSize: 2, stride: 1, padding: 'same' })],
  ['residual', residual([recurrent(gru(), { hiddenSize: 2 })])],
])('%s: the output of a valid step depends only on valid steps', (_, layer) => {
  const model = sequential([layer], { inputSize: 2, seed: 3 });
  const x = normal(0, 1)([6, 1, 2], createRandom(4));
  const valid = [1, 3, 4];
  const only = tensor(valid.map((t) => [[...x.data.subarray(2 * t, 2 * t + 2)]]));
  const expected = predict(model, only).data;
  const masked = predictMasked(model, x, { mask: tensor([0, 1, 2, 3, 4, 5].map((t) => [Number(valid.includes(t))])) });
  valid.forEach((t, i) => {
    for (const k of [0, 1]) expect(masked.data[2 * t + k]).toBeCloseTo(expected[2 * i + k]!, 6);
  });
});

it('takes the maximum of all steps, as Keras does: zeros before the first valid one count', () => {
  const layers = [recurrent(simpleRnn(), { hiddenSize: 2 })];
  const [states, pooled] = [layers, [...layers, globalMaxPool()]].map((all) =>
    sequential(all, { inputSize: 2, seed: 3 }),
  ) as [Sequential, Sequential];
  for (const { data } of [states, pooled]) data.fill(-0.3);
  const [x, mask] = [full([4, 1, 2], 1), tensor([[0], [1], [0], [1]])];
  const all = predictMasked(states, x, { mask }).data;
  expect(Math.max(...all.subarray(2))).toBeLessThan(0);
  expect([...predictMasked(pooled, x, { mask }).data]).toEqual([0, 0]);
  expect(predictMasked(pooled, x, { mask: tensor([[1], [1], [0], [1]]) }).data[0]).toBeLessThan(0);
});

it('excludes masked steps from attention pooling', () => {
  const layers = [bidirectional(lstm(), { hiddenSize: H }), attentionPooling({ score: additiveScore({ size: 3 }) })];
  const model = sequential([...layers, dense({ size: 2 })], { inputSize: I, seed: 8 });
  const three = (x: Tensor): Tensor => ({ shape: [T, 3, ...x.shape.slice(2)], data: rowsOfThree(x) });
  const packed = packMasked(three(inputs), three(mask));
  const expected = predict(model, packed.inputs, { lengths: packed.lengths });
  expect(predictMasked(model, three(inputs), { mask: three(mask) })).toEqual(expected);
});

/** The first three rows of a batch. */
function rowsOfThree({ data }: Tensor): Float32Array {
  const width = data.length / (T * B);
  return Float32Array.from({ length: T * 3 * width }, (_, i) => {
    const [t, rest] = [Math.floor(i / (3 * width)), i % (3 * width)];
    return data[t * B * width + rest]!;
  });
}

it('applies layers to every step of a model without recurrent layers', () => {
  const model = sequential([dense({ size: 2 })], { inputSize: I, seed: 8 });
  expect(predictMasked(model, inputs, { mask })).toEqual(predict(model, inputs));
});

it('moves vectors and ids of random masks, in order', () => {
  for (let trial = 0; trial < 20; trial++) {
    const ids = { shape: [T, B], data: Int32Array.from({ length: T * B }, () => integerNumber(random, 3)) };
    const { inputs: moved, lengths } = packMasked(ids, stepMask(ids));
    for (const b of range(B)) {
      const column = (data: Int32Array): number[] => range(T).map((t) => data[t * B + b]!);
      const kept = column(ids.data).filter((id) => id !== 0);
      expect(lengths[b]).toBe(kept.length);
      expect(column(moved.data)).toEqual([...kept, ...range(T - kept.length).map(() => 0)]);
    }
  }
  expect(packMasked(inputs, mask).inputs.data.slice(0, I)).toEqual(inputs.data.slice(3 * B * I, 3 * B * I + I));
});

it('masks vectors whose elements all have the masked value', () => {
  const vectors = tensor([
    [
      [-1, -1],
      [-1, 2],
    ],
    [
      [0, 0],
      [-1, -1],
    ],
  ]);
  expect(stepMask(vectors, -1)).toEqual(
    tensor([
      [0, 1],
      [1, 0],
    ]),
  );
  expect(stepMask(vectors)).toEqual(
    tensor([
      [1, 1],
      [0, 1],
    ]),
  );
});

it('rejects masks and inputs of the wrong shape', () => {
  const model = sequential([recurrent(lstm(), { hiddenSize: H })], { inputSize: I });
  const wrong = tensor([[1, 1]]);
  expect(() => predictMasked(model, inputs, { mask: wrong })).toThrow(
    'predictMasked: mask must be [T, B] = [6, 5], got [1, 2].',
  );
  expect(() => packMasked(inputs, wrong)).toThrow('packMasked: mask must be [T, B] = [6, 5], got [1, 2].');
  expect(() => predictMasked(model, inputs, { lengths: [6] } as never)).toThrow(
    'predictMasked: options must have only state, mask, zeroOutputForMask, got lengths.',
  );
  expect(() => stepMask(tensor([1, 2]))).toThrow('stepMask: inputs must be [T, B] or [T, B, I], got [2].');
});
