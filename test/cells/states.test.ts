/** The states after every step. */

import {
  add,
  bidirectional,
  type Cell,
  checkGradients,
  compute,
  createRandom,
  dense,
  dropout,
  gru,
  initializeCell,
  intTensor,
  lstm,
  lstmWith,
  multiply,
  normal,
  predict,
  predictStates,
  predictWithState,
  projectedLstm,
  recurrent,
  relu,
  residual,
  runInSegments,
  runModel,
  type Sequential,
  sequential,
  simpleRnn,
  step,
  sum,
  type Tensor,
  unroll,
  valueAndGradient,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const [T, B, I, H] = [5, 3, 2, 4];
const random = createRandom(6);
const x = normal(0, 1)([T, B, I], random);
const lengths = Int32Array.of(5, 0, 3);
const at = ({ shape, data }: Tensor, t: number, row: number): Float32Array => {
  const size = shape[2]!;
  return data.slice((t * B + row) * size, (t * B + row + 1) * size);
};

const cells: readonly (readonly [string, Cell])[] = [
  ['simpleRnn', simpleRnn()],
  ['lstm', lstm()],
  ['gru', gru()],
  ['lstmWith', lstmWith({ activation: relu })],
  ['projectedLstm', projectedLstm({ projectionSize: 2 })],
];

describe.each(cells)('%s', (_, cell) => {
  const p = { ...initializeCell(cell, { inputSize: I, hiddenSize: H, random: 1, inputInitializer: normal(0, 1) }) };
  const run = (options: object): Readonly<Record<string, Tensor>> =>
    compute(p, (v) => ({ ...unroll<string>(cell, v, x, options).states() }));

  it('equal those of single steps', () => {
    const states = run({});
    const single = compute(p, (v) => {
      let state: ReturnType<typeof step>['state'] | undefined;
      return Array.from({ length: T }, (__, t) => {
        const row = { shape: [B, I], data: x.data.slice(t * B * I, (t + 1) * B * I) };
        state = step<string>(cell, v, row, state).state;
        return { ...state };
      });
    });
    for (const name of cell.state)
      for (let t = 0; t < T; t++)
        for (let row = 0; row < B; row++) {
          const size = states[name]!.shape[2]!;
          expect(at(states[name]!, t, row)).toEqual(single[t]![name]!.data.slice(row * size, (row + 1) * size));
        }
  });

  it.each([false, true])('are zero after the length of a row, reverse %s', (reverse) => {
    const states = run({ lengths, reverse });
    for (let row = 0; row < B; row++) {
      const length = lengths[row]!;
      const alone = { shape: [length, 1, I], data: new Float32Array(length * I) };
      for (let t = 0; t < length; t++) alone.data.set(at(x, t, row), t * I);
      const expected = compute(p, (v) => ({ ...unroll<string>(cell, v, alone, { reverse }).states() }));
      for (const name of cell.state) {
        const size = states[name]!.shape[2]!;
        for (let t = 0; t < T; t++)
          expect(at(states[name]!, t, row)).toEqual(
            t < length ? expected[name]!.data.slice(t * size, (t + 1) * size) : new Float32Array(size),
          );
      }
    }
  });

  it.each([
    ['', {}],
    [' with lengths, reversed', { lengths, reverse: true }],
    [
      ' with resets',
      {
        resets: intTensor([
          [0, 0, 0],
          [0, 1, 0],
          [1, 0, 0],
          [0, 1, 1],
          [0, 0, 0],
        ]),
      },
    ],
  ])('have gradients%s', (__, options) => {
    const weights = Object.fromEntries(
      cell.state.map((name) => [
        name,
        normal(0, 1)([T, B, name === 'h' && cell.name === 'projectedLstm' ? 2 : H], random),
      ]),
    );
    const { error } = checkGradients({ p, x }, (v) => {
      const states = unroll<string>(cell, v.p, v.x, options).states();
      return cell.state.map((name) => sum(multiply(states[name]!, weights[name]!))).reduce((a, b) => add(a, b));
    });
    expect(error).toBeLessThan(1e-6);
  });
});

describe('of a model', () => {
  const model = sequential(
    [
      recurrent(lstm(), { hiddenSize: H }),
      dropout(0.5),
      residual([bidirectional(gru(), { hiddenSize: H / 2 })]),
      recurrent(lstm(), { hiddenSize: H, returnSequences: false }),
      dense({ size: 1 }),
    ],
    { inputSize: I, seed: 3 },
  );

  it('are named by layer; the last valid ones are the final state', () => {
    const states = predictStates(model, x, { lengths: Int32Array.of(5, 1, 3) });
    const { state } = predictWithState(model, x, { lengths: Int32Array.of(5, 1, 3) });
    const names = (all: Readonly<Record<string, object>>): string[] =>
      Object.entries(all).flatMap(([layer, each]) => Object.keys(each).map((name) => `${layer}.${name}`));
    expect(names(states)).toEqual(names(state));
    expect(names(states)).toEqual([
      'lstm.h',
      'lstm.c',
      'residual.bidirectional.forward.h',
      'residual.bidirectional.reverse.h',
      'lstm2.h',
      'lstm2.c',
    ]);
    for (const [layer, each] of Object.entries(states))
      for (const [name, all] of Object.entries(each)) {
        const final = state[layer]![name]!;
        [5, 1, 3].forEach((length, row) => {
          const size = all.shape[2]!;
          const last = name.includes('reverse') ? 0 : length - 1;
          expect(at(all, last, row)).toEqual(final.data.slice(row * size, (row + 1) * size));
        });
      }
  });

  it('continue from a state', () => {
    const half = (from: number, to: number): Tensor => ({
      shape: [to - from, B, I],
      data: x.data.slice(from * B * I, to * B * I),
    });
    const one = sequential([recurrent(lstm(), { hiddenSize: H })], { inputSize: I, seed: 3 });
    const { state } = predictWithState(one, half(0, 2));
    const rest = predictStates(one, half(2, 5), { state })['lstm']!['c']!.data;
    expect([...rest]).toEqual([...predictStates(one, x)['lstm']!['c']!.data.slice(2 * B * H)]);
  });

  it('are available with gradients in the results of runModel', () => {
    const cOf = (m: Sequential): number =>
      predictStates(m, x)['lstm']!['c']!.data.reduce((total, value) => total + value, 0);
    const { value, gradient } = valueAndGradient(model.parameters, (p) =>
      sum(runModel(model, p, x).results['lstm']!.states!()['c']!),
    );
    expect(value).toBeCloseTo(cOf(model), 4);
    const { data } = model.parameters['lstm']!['bias']!;
    const [old, d] = [data[0]!, 1 / 64];
    data[0] = old + d;
    const above = cOf(model);
    data[0] = old - d;
    const below = cOf(model);
    data[0] = old;
    expect(gradient['lstm']!['bias']!.data[0]).toBeCloseTo((above - below) / (2 * d), 2);
    expect(predict(model, x).shape).toEqual([B, 1]);
  });

  it('are not kept by runInSegments, and options are checked', () => {
    const causal = sequential([recurrent(lstm(), { hiddenSize: H })], { inputSize: I });
    compute(causal.parameters, (p) => {
      const { output, results } = runInSegments(causal, p, x);
      expect(results).toEqual({});
      return output;
    });
    expect(() => predictStates(causal, x, { length: 3 } as object)).toThrow(
      'predictStates: options must have only lengths, resets, state, got length.',
    );
  });
});
