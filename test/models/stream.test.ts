/**
 * Streams: T steps equal one prediction for every kind of layer, states can be read and set, and a step allocates
 * nothing.
 */

import {
  add,
  advance,
  type Cell,
  compute,
  createRandom,
  createStreamPool,
  dense,
  dropout,
  embedding,
  full,
  gru,
  initializeCell,
  intTensor,
  joinStates,
  type Layer,
  layerNorm,
  layerNormLstm,
  lstm,
  normal,
  type PointwiseCell,
  predict,
  projectedLstm,
  recurrent,
  relu,
  residual,
  type Sequential,
  type Stream,
  scale,
  sequential,
  simpleRnn,
  splitState,
  stream,
  streamCell,
  type Tensor,
  tanh,
  tensor,
  unroll,
  useKernels,
  type Variable,
} from 'bptt';
import { afterAll, describe, expect, it } from 'vitest';
import { leaky } from '../cells/leaky';
import { collectGarbage } from '../memory';

afterAll(() => useKernels(undefined));

const vectorsIn = (layers: Layer[]): Sequential => sequential(layers, { inputSize: 3, seed: 4 });
const models: [string, Sequential][] = [
  ['an LSTM', vectorsIn([recurrent(lstm(), { hiddenSize: 5 })])],
  ['a GRU, dropout and a head', vectorsIn([recurrent(gru(), { hiddenSize: 8 }), dropout(0.5), dense({ size: 2 })])],
  [
    'a GRU with reset before, a function of ops',
    vectorsIn([recurrent(gru({ reset: 'before' }), { hiddenSize: 5 }), dense({ size: 9 })]),
  ],
  [
    'two layers, the second with ReLU, and a head with an activation',
    vectorsIn([
      recurrent(simpleRnn(), { hiddenSize: 4 }),
      recurrent(simpleRnn({ activation: relu }), { hiddenSize: 7 }),
      dense({ size: 3, activation: tanh }),
    ]),
  ],
  [
    'layer normalization inside the cell, and a projection',
    vectorsIn([
      recurrent(layerNormLstm(), { hiddenSize: 5 }),
      recurrent(projectedLstm({ projectionSize: 3 }), { hiddenSize: 6 }),
      layerNorm(),
    ]),
  ],
  [
    'only the last output',
    vectorsIn([recurrent(lstm(), { hiddenSize: 5, returnSequences: false }), dense({ size: 2 })]),
  ],
];

const stepOf = ({ shape, data }: Tensor, t: number): Tensor => {
  const [, B, I] = shape as [number, number, number];
  return { shape: [B, I], data: data.slice(t * B * I, (t + 1) * B * I) };
};

describe.each(['portable', undefined] as const)('kernels %s', (kernels) => {
  it.each(models)(
    '%s: T steps with one row and with several equal predict over the sequence within 1e-6',
    (_, model) => {
      useKernels(kernels);
      for (const batchSize of [1, 3]) {
        const inputs = normal(0, 1)([6, batchSize, 3], createRandom(1));
        const running = stream(model, { batchSize });
        for (let t = 0; t < 6; t++) {
          const { shape, data } = advance(running, stepOf(inputs, t));
          const whole = predict(model, {
            shape: [t + 1, batchSize, 3],
            data: inputs.data.slice(0, (t + 1) * batchSize * 3),
          });
          const expected = whole.data.slice(-data.length);
          expect(shape).toEqual([batchSize, data.length / batchSize]);
          data.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-6));
        }
      }
    },
  );

  it('streamCell equals unroll, and its state can be read', () => {
    useKernels(kernels);
    for (const cell of [lstm(), gru(), simpleRnn(), leaky()] as Cell[]) {
      const parameters = initializeCell(cell, { inputSize: 3, hiddenSize: 6, random: 2 });
      const inputs = normal(0, 1)([4, 2, 3], createRandom(5));
      const [outputs, ...states] = compute(parameters, (p) => {
        const { outputs, state } = unroll(cell, p, inputs);
        return [outputs, ...cell.state.map((name) => state[name]!)];
      }) as [Tensor, ...Tensor[]];
      const running = streamCell(cell as PointwiseCell, parameters, { batchSize: 2 });
      for (let t = 0; t < 4; t++) {
        advance(running, stepOf(inputs, t)).data.forEach((value, i) =>
          expect(value).toBeCloseTo(outputs.data[t * 12 + i]!, 6),
        );
      }
      cell.state.forEach((name, s) =>
        running.state![name]!.data.forEach((value, i) => expect(value).toBeCloseTo(states[s]!.data[i]!, 6)),
      );
    }
  });
});

it('a state can be saved, restored, moved to another stream, and reset', () => {
  for (const [, model] of models) {
    const x = tensor([[1, -1, 0.5]]);
    const [running, other] = [stream(model), stream(model)];
    const first = advance(running, x);
    const { state } = running;
    const second = advance(running, x);
    expect(second.data).not.toEqual(first.data);
    running.state = state;
    other.state = state;
    expect(advance(running, x).data).toEqual(second.data);
    expect(advance(other, x).data).toEqual(second.data);
    running.state = undefined;
    expect(advance(running, x).data).toEqual(first.data);
  }
});

it('the state of a stream has the names of that of a prediction, which a prediction can continue from', () => {
  const constant: Layer = {
    name: 'constant',
    output: (input) => input,
    run: (_, input) => ({ output: scale(input as Variable, 1), state: {} }),
  };
  const model = vectorsIn([residual([dense({ size: 3 })]), constant, recurrent(gru(), { hiddenSize: 2 })]);
  const x = tensor([[1, -1, 0.5]]);
  const running = stream(model);
  advance(running, x);
  expect(Object.keys(running.state!)).toEqual(['gru']);
  const pool = createStreamPool(model);
  const number = pool.open();
  pool.advance([number], x);
  expect(Object.keys(pool.read([number]))).toEqual(['gru']);
  const continued = predict(model, { shape: [1, 1, 3], data: x.data }, { state: running.state });
  const second = advance(running, x);
  continued.data.forEach((value, i) => expect(value).toBeCloseTo(second.data[i]!, 6));
});

it('streams are joined to one batch and split again without changing their outputs', () => {
  for (const [, model] of models) {
    const separate = [1, 2, 3].map(() => stream(model));
    const inputs = [0, 1, 2].map((i) => normal(0, 1)([4, 1, 3], createRandom(i)));
    const expected = separate.map((running, i) =>
      [0, 1, 2, 3].map((t) => advance(running, stepOf(inputs[i]!, t)).data),
    );
    // Two streams start, a third one joins, and the first one leaves.
    const [two, three, last] = [2, 3, 2].map((batchSize) => stream(model, { batchSize })) as [Stream, Stream, Stream];
    const rows = (at: readonly (readonly [number, number])[]): Tensor =>
      tensor(Float32Array.from(at.flatMap(([i, t]) => [...stepOf(inputs[i]!, t).data])), [at.length, 3]);
    const check = ({ data }: Tensor, at: readonly (readonly [number, number])[]): void =>
      at.forEach(([i, t], row) => {
        expected[i]![t]!.forEach((value, j) => expect(data[row * expected[i]![t]!.length + j]).toBeCloseTo(value, 5));
      });
    check(
      advance(
        two,
        rows([
          [0, 0],
          [1, 0],
        ]),
      ),
      [
        [0, 0],
        [1, 0],
      ],
    );
    advance(separate[2]!, stepOf(inputs[2]!, 0));
    separate[2]!.state = undefined;
    advance(separate[2]!, stepOf(inputs[2]!, 0));
    three.state = joinStates([two.state!, separate[2]!.state!]);
    check(
      advance(
        three,
        rows([
          [0, 1],
          [1, 1],
          [2, 1],
        ]),
      ),
      [
        [0, 1],
        [1, 1],
        [2, 1],
      ],
    );
    last.state = joinStates(splitState(three.state!).slice(1));
    expect(joinStates([last.state])).toEqual(last.state);
    check(
      advance(
        last,
        rows([
          [1, 2],
          [2, 2],
        ]),
      ),
      [
        [1, 2],
        [2, 2],
      ],
    );
  }
  expect(() => joinStates([])).toThrow('joinStates: states must hold at least one state');
  expect(() => joinStates([{ gru: { h: tensor([[1, 2]]) } }, { gru: { h: tensor([[1]]) } }])).toThrow(
    'joinStates: states[1].gru.h must be [B, …] = [*, 2], got [1, 1].',
  );
  expect(() => joinStates([{}, { gru: { h: tensor([[1, 2]]) } }])).toThrow(
    'joinStates: states[0].gru.h must be [B, …] = [*, 2], got []. It is missing.',
  );
  const uneven = { lstm: { h: tensor([[1], [2]]), c: tensor([[3]]) } };
  for (const [name, call] of [
    ['joinStates', () => joinStates([uneven])],
    ['splitState', () => splitState(uneven)],
  ] as const)
    expect(call).toThrow(`${name}: lstm.c must be [B, …] = [2, 1], got [1, 1].`);
  expect(splitState({ lstm: { h: tensor([], [0, 3]) } })).toEqual([]);
});

it('a million steps use no further memory, and the state stays accurate in single precision', () => {
  const running = stream(vectorsIn([recurrent(lstm(), { hiddenSize: 4 }), dense({ size: 1 })]));
  const x = tensor([[0.1, -0.2, 0.3]]);
  const into = advance(running, x);
  for (let t = 0; t < 1000; t++) advance(running, x, into);
  const settled = into.data[0];
  const used = Array.from({ length: 10 }, () => {
    for (let t = 0; t < 100_000; t++) advance(running, x, into);
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  });
  expect(used.at(-1)! - used[0]!).toBeLessThan(1e6);
  expect(into.data[0]).toBeCloseTo(settled!, 5);
});

it.each([
  ['with a step runner', lstm()],
  ['without a step runner', layerNormLstm()],
])('states that are read or assigned are copies, for a cell %s', (_, cell) => {
  const running = stream(vectorsIn([recurrent(cell, { hiddenSize: 2 })]));
  const x = tensor([[1, 2, 3]]);
  advance(running, x);
  const saved = structuredClone(running.state!);
  const next = [...advance(running, x).data];
  running.state = saved;
  for (const { data } of Object.values(Object.values(saved)[0]!)) data.fill(9);
  for (const { data } of Object.values(Object.values(running.state)[0]!)) data.fill(9);
  expect([...advance(running, x).data]).toEqual(next);
});

it('a rejected state changes no layer', () => {
  const running = stream(
    vectorsIn([recurrent(lstm(), { hiddenSize: 3 }), residual([recurrent(gru(), { hiddenSize: 3 })])]),
  );
  advance(running, tensor([[1, 2, 3]]));
  const before = running.state;
  const ones = full([1, 3], 1);
  expect(() => {
    running.state = { lstm: { h: ones, c: ones }, residual: { 'gru.h': full([1, 5], 0) } };
  }).toThrow('stream: layer residual.gru: state.h must be [B, H] = [1, 3], got [1, 5].');
  expect(running.state).toEqual(before);
});

it('rejects a state of the wrong shape for a layer without a step runner, before and after its first step', () => {
  const running = stream(vectorsIn([dense({ size: 4 }), recurrent(gru({ reset: 'before' }), { hiddenSize: 3 })]));
  const x = tensor([[1, 2, 3]]);
  const assign = (state: Readonly<Record<string, Tensor>>) => () => {
    running.state = { gruResetBefore: state };
  };
  const checkErrors = (): void => {
    for (const shape of [
      [1, 7],
      [2, 3],
    ])
      expect(assign({ h: full(shape, 1) })).toThrow(
        `stream: layer gruResetBefore: state.h must be [B, H] = [1, 3], got [${shape.join(', ')}].`,
      );
    expect(assign({ c: full([1, 3], 1) })).toThrow('stream: layer gruResetBefore: state must have only h, got c.');
  };
  checkErrors();
  expect(running.state).toEqual({});
  const first = advance(running, x).data;
  checkErrors();
  const h = full([1, 3], 0);
  assign({ h })();
  h.data.fill(9);
  expect(advance(running, x).data).toEqual(first);
});

it('a stream has the weights of its creation, also before its first step and in layers without a step runner', () => {
  const layers = [recurrent(lstm(), { hiddenSize: 3 }), recurrent(gru({ reset: 'before' }), { hiddenSize: 3 })];
  const model = vectorsIn([...layers, dense({ size: 2, activation: tanh })]);
  const expected = predict(model, tensor([[[1, 2, 3]]])).data;
  const running = stream(model);
  model.data.fill(0);
  advance(running, tensor([[1, 2, 3]])).data.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 6));
});

it('checks the state of a custom layer of ids', () => {
  const lookup = embedding({ vocabularySize: 4, size: 2 });
  const counting: Layer = {
    name: 'counting',
    accepts: 'ids',
    output: lookup.output,
    parameters: lookup.parameters!,
    run(parameters, ids, context) {
      const { output } = lookup.run(parameters, ids, context);
      return { output, state: { count: add(context.state?.['count'] ?? full([1, 2], 0), full([1, 2], 1)) } };
    },
  };
  const reader = stream(sequential([counting]));
  expect(() => advance(reader, intTensor([9]))).toThrow('ids must be integers from 0 to 3, got 9');
  expect(() => (reader.state = { counting: { count: full([1, 3], 1) } })).toThrow(
    'stream: layer counting: state.count must be [B, H] = [1, 2], got [1, 3].',
  );
  reader.state = { counting: { count: full([1, 2], 7) } };
  advance(reader, intTensor([3]));
  expect(reader.state['counting']!['count']!.data).toEqual(Float32Array.of(8, 8));
});

it('rejects reversed layers, states and inputs of the wrong shape, and ids outside the vocabulary', () => {
  const reversed = vectorsIn([recurrent(lstm(), { hiddenSize: 2, reverse: true })]);
  expect(() => stream(reversed)).toThrow('stream: layer lstm needs the whole sequence, so it cannot run step by step.');
  const running = stream(models[0]![1]);
  expect(() => (running.state = { lstm: { h: tensor([[1]]) } })).toThrow(
    'stream: layer lstm: state.h must be [B, H] = [1, 5], got [1, 1].',
  );
  expect(() => advance(running, tensor([[1, 2]]))).toThrow(
    'advance: x must be vectors [B, I] = [1, 3], got vectors [1, 2].',
  );
  for (const shape of [[1], [5, 1]])
    expect(() => advance(running, tensor([[1, 2, 3]]), full(shape, 0))).toThrow(
      `advance: into must be [B, O] = [1, 5], got [${shape.join(', ')}].`,
    );
  const reader = stream(sequential([embedding({ vocabularySize: 4, size: 2 })]));
  expect(() => advance(reader, tensor([1]))).toThrow('advance: x must be ids [B] = [1], got vectors [1].');
  expect(() => advance(reader, intTensor([4]))).toThrow(
    'embedding: ids must be integers from 0 to 3, got 4 at index 0.',
  );
  expect(() => streamCell(lstm(), { weightIh: tensor([[1]]) })).toThrow(
    'streamCell: the parameters of lstm must be an object with weightHh, got an object with weightIh.',
  );
  expect(() => streamCell(lstm(), { weightHh: tensor([[1, 1, 1, 1]]) })).toThrow(
    'streamCell: the parameters of lstm must be an object with weightIh, got an object with weightHh.',
  );
});
