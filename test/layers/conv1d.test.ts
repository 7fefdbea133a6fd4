/** The convolution layer: unequal lengths, states, streams and chunks. */

import {
  advance,
  type Conv1dOptions,
  checkGradients,
  conv1d,
  createRandom,
  crossEntropy,
  dense,
  evaluate,
  fit,
  full,
  gradientFlow,
  gru,
  intTensor,
  load,
  meanSquaredError,
  multiply,
  normal,
  outputLengths,
  predict,
  predictWithState,
  recurrent,
  relu,
  residual,
  runInSegments,
  runModel,
  type Sequential,
  save,
  sequential,
  sgd,
  sigmoid,
  stream,
  sum,
  summary,
  type Tensor,
  tensor,
  valueAndGradient,
  withoutBias,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const [T, B, I] = [13, 4, 6];
const lengths = Int32Array.of(13, 5, 0, 8);
const options: readonly Partial<Conv1dOptions>[] = [
  {},
  { padding: 'same' },
  { padding: 'same', stride: 2 },
  { padding: 'same', stride: 3, dilation: 2 },
  { padding: 'causal', dilation: 2 },
  { padding: 'causal', stride: 2 },
  { padding: [1, 2], stride: 2 },
  { padding: 'same', groups: 2 },
  { padding: 'causal', groups: 6 },
  { padding: 'causal', activation: sigmoid },
];

const modelOf = (more: Partial<Conv1dOptions>, size = 6): Sequential => {
  const layer = conv1d({ size, kernelSize: 3, biasInitializer: normal(0, 1), ...more });
  return sequential([layer], { inputSize: I, seed: 3 });
};

const draw = (shape: readonly number[], seed = 1): Tensor => normal(0, 1)(shape, createRandom(seed));

/** The first `length` steps of a row, alone. */
const rowOf = ({ shape: [, rows = 0, size = 0], data }: Tensor, row: number, length: number): Tensor =>
  tensor(
    Float32Array.from(
      { length: length * size },
      (_, i) => data[(Math.floor(i / size) * rows + row) * size + (i % size)]!,
    ),
    [length, 1, size],
  );

describe.each(options)('%j', (more) => {
  const model = modelOf(more);

  it('gives each row of a batch of unequal lengths the output that it has alone, and zeros after it', () => {
    const x = draw([T, B, I]);
    const output = predict(model, x, { lengths });
    const counts = outputLengths(model, lengths);
    expect(output.shape[0]).toBe(outputLengths(model, Int32Array.of(T))[0]);
    lengths.forEach((length, row) => {
      const all = rowOf(output, row, output.shape[0]!);
      const size = counts[row]! * 6;
      expect(all.data.subarray(size).every((value) => value === 0)).toBe(true);
      if (counts[row]! > 0) expect(all.data.subarray(0, size)).toEqual(predict(model, rowOf(x, row, length)).data);
    });
    expect(counts[2]).toBe(0);
  });

  it('ignores the padding, even NaN, in outputs and gradients', () => {
    const x = draw([T, B, I]);
    const other = tensor(
      x.data.map((value, i) => (Math.floor(i / (B * I)) < lengths[Math.floor(i / I) % B]! ? value : NaN)),
      x.shape,
    );
    expect(predict(model, other, { lengths })).toEqual(predict(model, x, { lengths }));
    const [expected, actual] = [x, other].map((input) =>
      valueAndGradient({ p: model.parameters, input }, (v) => {
        const { output } = runModel(model, v.p, v.input, { lengths });
        return sum(multiply(output, draw(output.shape, 2)));
      }),
    );
    expect(actual).toEqual(expected);
    expected!.gradient.input.data.forEach((value, i) => {
      if (Number.isNaN(other.data[i])) expect(value).toBe(0);
    });
  });

  it('has the gradients of finite differences with unequal lengths', () => {
    const { error } = checkGradients({ p: model.parameters, x: draw([T, B, I]) }, (v) => {
      const { output } = runModel(model, v.p, v.x, { lengths });
      return sum(multiply(output, draw(output.shape, 2)));
    });
    expect(error).toBeLessThan(1e-7);
  });

  it('is saved and loaded', () => {
    const loaded = load(save(model)).model;
    expect(predict(loaded, draw([T, B, I]))).toEqual(predict(model, draw([T, B, I])));
  });
});

const causal: readonly (readonly [string, Sequential, number])[] = [
  ['few inputs', modelOf({ padding: 'causal' }), I],
  ['dilation', modelOf({ padding: 'causal', dilation: 3 }), I],
  ['groups', modelOf({ padding: 'causal', groups: 3 }), I],
  ['one output per group of inputs', modelOf({ padding: 'causal', groups: 3, size: 3 }), I],
  ['depthwise', modelOf({ padding: 'causal', groups: 6, dilation: 2 }), I],
  ['one tap', modelOf({ kernelSize: 1 }), I],
  ['an activation', modelOf({ padding: 'causal', activation: sigmoid }), I],
  ['explicit padding', modelOf({ padding: [2, 0] }), I],
  [
    'many inputs',
    sequential([conv1d({ size: 5, kernelSize: 4, dilation: 2, padding: 'causal' })], { inputSize: 40, seed: 2 }),
    40,
  ],
  [
    'a stack',
    sequential(
      [
        conv1d({ size: 8, kernelSize: 3, padding: 'causal', activation: relu }),
        residual([withoutBias(conv1d({ size: 8, kernelSize: 2, padding: 'causal' }))]),
        recurrent(gru(), { hiddenSize: 7 }),
      ],
      { inputSize: I, seed: 1 },
    ),
    I,
  ],
];

describe.each(causal)('causal with %s', (_, model, size) => {
  const x = draw([T, 2, size]);
  const steps = (from: number, to: number): Tensor => ({
    shape: [to - from, 2, size],
    data: x.data.subarray(from * 2 * size, to * 2 * size),
  });

  it('a stream equals a prediction within 1e-6', () => {
    const running = stream(model, { batchSize: 2 });
    const expected = predict(model, x);
    const width = 2 * running.outputSize;
    for (let t = 0; t < T; t++)
      advance(running, { shape: [2, size], data: steps(t, t + 1).data }).data.forEach((value, i) =>
        expect(Math.abs(value - expected.data[t * width + i]!)).toBeLessThan(1e-6),
      );
  });

  it('a stream has the weights of the time when it was created', () => {
    const input = { shape: [2, size], data: steps(0, 1).data };
    const before = advance(stream(model, { batchSize: 2 }), input);
    const weights = model.data.slice();
    for (let i = 0; i < weights.length; i++) model.data[i] = 2 * weights[i]!;
    const after = advance(stream(model, { batchSize: 2 }), input);
    const expected = predict(model, steps(0, 1));
    model.data.set(weights);
    after.data.forEach((value, i) => expect(Math.abs(value - expected.data[i]!)).toBeLessThan(1e-5));
    expect(after.data).not.toEqual(before.data);
  });

  it('chunks with the state between them equal the whole, and a stream can continue from a state', () => {
    const expected = predictWithState(model, x);
    const first = predictWithState(model, steps(0, 1));
    const second = predictWithState(model, steps(1, 6), { state: first.state });
    const third = predictWithState(model, steps(6, T), { state: second.state });
    const parts = [first, second, third].flatMap(({ output }) => [...output.data]);
    parts.forEach((value, i) => expect(Math.abs(value - expected.output.data[i]!)).toBeLessThan(1e-6));
    expect(third.state).toEqual(expected.state);
    const running = stream(model, { batchSize: 2 });
    const width = 2 * running.outputSize;
    // Again after some steps.
    for (let round = 0; round < 3; round++) {
      running.state = second.state;
      expect(running.state).toEqual(second.state);
      for (let t = 6; t < T - 2 + round; t++)
        advance(running, { shape: [2, size], data: steps(t, t + 1).data }).data.forEach((value, i) =>
          expect(Math.abs(value - expected.output.data[t * width + i]!)).toBeLessThan(1e-6),
        );
    }
    const close = (a: Tensor, b: Tensor): void =>
      a.data.forEach((value, i) => expect(Math.abs(value - b.data[i]!)).toBeLessThan(1e-6));
    for (const [layer, parts] of Object.entries(expected.state))
      for (const [name, value] of Object.entries(parts)) close(running.state![layer]![name]!, value);
    running.state = {};
    expect(advance(running, { shape: [2, size], data: steps(0, 1).data }).data).toHaveLength(width);
  });

  it('a reset starts a new sequence', () => {
    const resets = intTensor(new Int32Array(2 * T), [T, 2]);
    resets.data[2 * 5] = 1; // row 0 at step 5
    resets.data[1] = 1; // row 1 at step 0
    const { state } = predictWithState(model, steps(0, 4));
    const { output, state: final } = predictWithState(model, x, { resets, state });
    const alone = (row: number, from: number, to: number, before?: typeof state) => {
      const part = rowOf({ shape: [to - from, 2, size], data: steps(from, to).data }, row, to - from);
      const own =
        before &&
        Object.fromEntries(
          Object.entries(before).map(([layer, parts]) => [
            layer,
            Object.fromEntries(
              Object.entries(parts).map(([name, { shape, data }]) => [
                name,
                {
                  shape: [1, ...shape.slice(1)],
                  data: data.slice((data.length / 2) * row, (data.length / 2) * (row + 1)),
                },
              ]),
            ),
          ]),
        );
      return predictWithState(model, part, own && { state: own });
    };
    const [head, tail, other] = [alone(0, 0, 5, state), alone(0, 5, T), alone(1, 0, T)];
    const expected = [[...head.output.data, ...tail.output.data], [...other.output.data]];
    expected.forEach((values, row) =>
      rowOf(output, row, T).data.forEach((value, i) => expect(Math.abs(value - values[i]!)).toBeLessThan(1e-6)),
    );
    for (const [layer, parts] of Object.entries(tail.state))
      for (const [name, value] of Object.entries(parts))
        value.data.forEach((v, i) => expect(Math.abs(final[layer]![name]!.data[i]! - v)).toBeLessThan(1e-6));
  });

  it('rows without steps keep their state, also with a reset', () => {
    const { state } = predictWithState(model, steps(0, 4));
    const resets = intTensor(new Int32Array(2 * 3).fill(1, 0, 2), [3, 2]);
    const lengths = new Int32Array(2);
    for (const before of [{ state }, { state, resets }, {}]) {
      const { output, state: after } = predictWithState(model, steps(4, 7), { ...before, lengths });
      expect(output.data).toEqual(new Float32Array(output.data.length));
      for (const [layer, parts] of Object.entries(after))
        for (const [name, { data }] of Object.entries(parts))
          expect(data).toEqual('state' in before ? state[layer]![name]!.data : new Float32Array(data.length));
    }
  });

  it('a sequence without steps keeps the state', () => {
    const { state } = predictWithState(model, steps(0, 4));
    const empty = predictWithState(model, steps(4, 4), { state });
    expect(empty.output.shape[0]).toBe(0);
    expect(empty.state).toEqual(state);
  });

  it('segments have the gradients of the whole', () => {
    const gradientOf = (run: typeof runModel) =>
      valueAndGradient(model.parameters, (p) => {
        const { output } = run(model, p, x, { lengths: Int32Array.of(T, 6) });
        return sum(multiply(output, draw(output.shape, 5)));
      }).gradient;
    const [whole, parts] = [gradientOf(runModel), gradientOf((...args) => runInSegments(...args, 4))];
    for (const [layer, own] of Object.entries(whole))
      for (const [name, { data }] of Object.entries(own))
        data.forEach((value, i) =>
          expect(Math.abs(parts[layer]![name]!.data[i]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value))),
        );
  });
});

it('predictions of long sequences in chunks equal those of one run', () => {
  const layers = [conv1d({ size: 5, kernelSize: 3, dilation: 2, padding: 'causal' }), dense({ size: 2 })];
  const model = sequential(layers, { inputSize: 2, seed: 3 });
  const x = draw([3000, 1, 2]);
  const whole = valueAndGradient(model.parameters, (p) => sum(runModel(model, p, x).output)).value;
  const { data } = predict(model, x);
  expect(data.reduce((total, value) => total + value, 0)).toBeCloseTo(whole, 2);
});

it('the final state of unequal lengths has the last valid inputs', () => {
  const { state } = predictWithState(modelOf({ padding: 'causal' }), draw([T, B, I]), { lengths });
  const x = draw([T, B, I]);
  const { shape, data } = state['conv']!['inputs']!;
  expect(shape).toEqual([B, 2 * I]);
  lengths.forEach((length, b) => {
    for (let p = 0; p < 2; p++)
      for (let i = 0; i < I; i++) {
        const t = length - 2 + p;
        expect(data[(b * 2 + p) * I + i]).toBe(t < 0 ? 0 : x.data[(t * B + b) * I + i]);
      }
  });
});

it('a strided convolution in front of a GRU is trained and evaluated on targets of the new lengths', async () => {
  const layers = [
    conv1d({ size: 8, kernelSize: 3, stride: 2, padding: 'same', activation: relu }),
    recurrent(gru(), { hiddenSize: 8 }),
    dense({ size: 2 }),
  ];
  const model = sequential(layers, { inputSize: 1, seed: 1 });
  const x = draw([12, 3, 1]);
  const targets = intTensor(
    Int32Array.from({ length: 6 * 3 }, (_, i) => {
      return Number(x.data[Math.floor(i / 3) * 2 * 3 + (i % 3)]! > 0);
    }),
    [6, 3],
  );
  const batch = { inputs: x, targets, lengths: Int32Array.of(12, 7, 4) };
  const { losses } = await fit(model, batch, { loss: crossEntropy, optimizer: sgd(0.5), steps: 200 });
  expect(losses.at(-1)).toBeLessThan(0.2);
  // Targets after the lengths of the output do not count.
  const others = {
    ...batch,
    targets: intTensor(
      targets.data.map((id, i) => (i >= 15 && i % 3 > 0 ? 1 - id : id)),
      [6, 3],
    ),
  };
  expect(evaluate(model, others, { loss: crossEntropy })).toEqual(evaluate(model, batch, { loss: crossEntropy }));
  const flow = gradientFlow(model, batch, { loss: crossEntropy });
  expect(flow.norms['gru']!['h']).toHaveLength(6);
  expect(summary(model)).toContain('conv');
});

it.each([
  [() => conv1d({ size: 0, kernelSize: 1 }), /conv1d: size must be/],
  [() => conv1d({ size: 1, kernelSize: 0 }), /conv1d: kernelSize must be/],
  [() => conv1d({ size: 3, kernelSize: 1, groups: 2 }), /conv1d: size must be a multiple of groups = 2, got 3/],
  [() => conv1d({ size: 1, kernelSize: 1, padding: 'full' as 'same' }), /conv1d: padding must be/],
  [() => conv1d({ size: 1, kernelSize: 1, filters: 3 } as Conv1dOptions), /filters/],
  [
    () =>
      modelOf({ groups: 3, size: 3 }) && sequential([conv1d({ size: 4, kernelSize: 1, groups: 4 })], { inputSize: 6 }),
    /layer conv: the size of the input must be a multiple of groups = 4, got 6/,
  ],
  [
    () =>
      sequential([recurrent(gru(), { hiddenSize: 2, returnSequences: false }), conv1d({ size: 1, kernelSize: 1 })], {
        inputSize: 1,
      }),
    /layer conv: the input must be a vector per step/,
  ],
  [
    () => sequential([residual([conv1d({ size: 2, kernelSize: 2 })])], { inputSize: 2 }),
    /the inner layers must preserve the number of steps, but conv changes it/,
  ],
  [() => stream(modelOf({ padding: 'same' })), /stream: layer conv needs the whole sequence/],
  [() => predict(modelOf({}), full([2, 1, I], 0)), /layer conv: x must be at least 3 steps long.*got 2/],
  [
    () => predict(modelOf({ padding: 'causal' }), full([2, 1, I], 0), { state: { conv: { inputs: full([1, 2], 0) } } }),
    /layer conv: state.inputs must be/,
  ],
  [
    () => predict(modelOf({ padding: 'causal' }), full([2, 1, I], 0), { state: { conv: { h: full([1, 2], 0) } } }),
    /layer conv: state/,
  ],
  [
    () => predict(modelOf({}), full([5, 1, I], 0), { resets: intTensor([[0], [1], [0], [0], [0]]) }),
    /layer conv: resets must be undefined/,
  ],
  [() => predict(modelOf({}), full([5, 1, I], 0), { lengths: Int32Array.of(6) }), /lengths/],
] as const)('rejects a wrong argument (%#)', (call, message) => {
  expect(call).toThrow(message);
});

it('a stream without an assigned state continues from zeros', () => {
  const model = sequential([conv1d({ size: 2, kernelSize: 3, padding: 'causal' })], { inputSize: 1, seed: 1 });
  const running = stream(model);
  const first = advance(running, tensor([[2]]));
  for (const state of [undefined, {}, { conv: {} }]) {
    running.state = state;
    expect(advance(running, tensor([[2]]))).toEqual(first);
  }
});

it('rejects a wrong state of a stream', () => {
  const running = stream(modelOf({ padding: 'causal' }));
  expect(() => {
    running.state = { conv: { inputs: full([1, 5], 0) } };
  }).toThrow(/state.inputs must be/);
});

it('meanSquaredError compares the outputs of all steps', async () => {
  const model = modelOf({}, 2);
  const data = { inputs: draw([T, B, I]), targets: full([T - 2, B, 2], 0.5) };
  const { losses } = await fit(model, data, { loss: meanSquaredError, optimizer: sgd(0.1), steps: 100 });
  expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]!);
});
