/** Pools of streams: the same bits as single streams, for streams that come and go. */

import {
  advance,
  createRandom,
  createStreamPool,
  dense,
  embedding,
  gru,
  integerNumber,
  intTensor,
  type Layer,
  layerNorm,
  layerNormLstm,
  lstm,
  normal,
  recurrent,
  type Stream,
  sequential,
  shuffle,
  stream,
  tensor,
  useKernels,
} from 'bptt';
import { afterAll, expect, it } from 'vitest';

afterAll(() => useKernels(undefined));

const stacks: Readonly<Record<string, { layers: () => readonly Layer[]; inputSize?: number }>> = {
  'vectors through an LSTM and a GRU': {
    layers: () => [recurrent(lstm(), { hiddenSize: 7 }), recurrent(gru(), { hiddenSize: 5 }), dense({ size: 3 })],
    inputSize: 4,
  },
  'token ids': {
    layers: () => [embedding({ vocabularySize: 9, size: 6 }), recurrent(gru(), { hiddenSize: 33 }), dense({ size: 2 })],
  },
  'a layer without a step runner': {
    layers: () => [recurrent(layerNormLstm(), { hiddenSize: 6 }), dense({ size: 2 })],
    inputSize: 3,
  },
  'a learned initial state': {
    layers: () => [recurrent(lstm(), { hiddenSize: 6, learnInitialState: true }), layerNorm(), dense({ size: 2 })],
    inputSize: 3,
  },
};

it.each(
  Object.keys(stacks).flatMap((name) =>
    (['portable', 'simd', undefined] as const).map((kernels) => [name, kernels] as const),
  ),
)('streams that come and go are bit-identical to single streams: %s, %s kernels', (name, kernels) => {
  useKernels(kernels);
  const { layers, inputSize } = stacks[name]!;
  const model = sequential(layers(), { ...(inputSize && { inputSize }), seed: 3 });
  // Weights that differ from their initial values, also those of the initial state.
  model.data.set(normal(0, 0.4)([model.data.length], createRandom(5)).data);
  const pool = createStreamPool(model);
  const alone = new Map<number, Stream>();
  const random = createRandom(1);
  for (let round = 0; round < 12; round++) {
    for (const number of [...alone.keys()]) {
      if (integerNumber(random, 5) > 0) continue;
      pool.close(number);
      alone.delete(number);
    }
    // Up to 300 new streams, so that there are batches of every size.
    for (let i = integerNumber(random, round === 4 ? 300 : 20); i >= 0; i--) {
      const number = pool.open();
      expect(alone.has(number)).toBe(false);
      alone.set(number, stream(model));
    }
    expect(pool.size).toBe(alone.size);
    const numbers = shuffle(random, [...alone.keys()]).slice(0, 1 + integerNumber(random, alone.size));
    const inputs = inputSize
      ? normal(0, 1)([numbers.length, inputSize], random)
      : intTensor(numbers.map(() => integerNumber(random, 9)));
    const outputs = pool.advance(numbers, inputs);
    expect(outputs.shape).toEqual([numbers.length, pool.outputSize]);
    numbers.forEach((number, row) => {
      const x =
        'data' in inputs && inputs.data instanceof Int32Array
          ? intTensor([inputs.data[row]!])
          : tensor([[...inputs.data.slice(row * inputSize!, (row + 1) * inputSize!)]]);
      const expected = advance(alone.get(number)!, x);
      expect(outputs.data.slice(row * pool.outputSize, (row + 1) * pool.outputSize)).toEqual(expected.data);
    });
    expect(pool.read(numbers.slice(-1))).toEqual(alone.get(numbers.at(-1)!)!.state);
  }
});

it('states move to a pool of another model, and continue there', () => {
  const create = (seed: number) => sequential([recurrent(gru(), { hiddenSize: 5 })], { inputSize: 2, seed });
  const [before, after] = [createStreamPool(create(1)), createStreamPool(create(2))];
  const numbers = [before.open(), before.open(), before.open()];
  const x = normal(0, 1)([3, 2], createRandom(1));
  before.advance(numbers, x);
  const moved = numbers.map(() => after.open());
  after.write(moved, before.read(numbers));
  const alone = stream(create(2), { batchSize: 3 });
  alone.state = before.read(numbers);
  expect(after.advance(moved, x)).toEqual(advance(alone, x));
});

it('a pool keeps the weights that the model had when it was created', () => {
  const model = sequential([recurrent(gru(), { hiddenSize: 5 })], { inputSize: 2, seed: 1 });
  const [pool, before] = [createStreamPool(model), stream(model)];
  model.data.fill(0);
  expect(pool.advance([pool.open()], tensor([[1, 2]]))).toEqual(advance(before, tensor([[1, 2]])));
});

it('a pool rejects wrong streams and inputs', () => {
  const pool = createStreamPool(sequential([recurrent(gru(), { hiddenSize: 5 })], { inputSize: 2 }));
  const [first, second] = [pool.open(), pool.open()];
  const x = tensor([[1, 2]]);
  expect(pool.advance([], tensor([], [0, 2])).shape).toEqual([0, 5]);
  expect(() => pool.advance([first, first], tensor([x.data, x.data].map((row) => [...row])))).toThrow(
    'pool.advance: numbers must be distinct, got 0 twice',
  );
  expect(() => pool.advance([7], x)).toThrow('pool.advance: number must be that of an open stream, got 7');
  expect(() => pool.advance([first, second], x)).toThrow('pool.advance: x must be [n, I] = [2, 2], got [1, 2]');
  expect(() => pool.advance([first], intTensor([1]))).toThrow('pool.advance: x must be vectors [n, I], got ids [1]');
  expect(() => pool.read([first])).toThrow(/^pool\.read: numbers must be of streams that have a state, got 0\./);
  pool.advance([first], x);
  expect(() => pool.write([second], { gru: { h: tensor([[1, 2]]) } })).toThrow('pool.write: gru.h must be');
  pool.close(second);
  expect(() => pool.close(second)).toThrow('pool.close: number must be that of an open stream, got 1');
  expect(() => createStreamPool({} as never)).toThrow(/^createStreamPool: model must be a model/);
});

it.each([
  ['zeros', false],
  ['a learned initial state', true],
])('parts that are not written take their initial value, also after another stream: %s', (_, learnInitialState) => {
  const model = sequential(
    [recurrent(lstm(), { hiddenSize: 3, learnInitialState }), recurrent(gru(), { hiddenSize: 2 })],
    {
      inputSize: 2,
    },
  );
  model.data.set(normal(0, 0.4)([model.data.length], createRandom(5)).data);
  const [pool, alone] = [createStreamPool(model), stream(model)];
  const closed = pool.open();
  pool.advance([closed], tensor([[1, 2]]));
  pool.close(closed);
  const number = pool.open();
  expect(number).toBe(closed);
  const state = { lstm: { h: tensor([[1, 2, 3]]) } };
  pool.write([number], state);
  alone.state = state;
  expect(pool.read([number])).toEqual(alone.state);
  expect(pool.advance([number], tensor([[3, 4]]))).toEqual(advance(alone, tensor([[3, 4]])));
});

it('a pool rejects states of another model, also before its first step, and stays usable', () => {
  const pool = createStreamPool(sequential([recurrent(gru(), { hiddenSize: 4 })], { inputSize: 2 }));
  const number = pool.open();
  const write = (state: object) => () => pool.write([number], state as never);
  expect(write({ gru: { h: tensor([[1, 2, 3, 4, 5]]) } })).toThrow(
    'pool.write: gru.h must be [n, H] = [1, 4], got [1, 5].',
  );
  expect(
    write({
      gru: {
        h: tensor([
          [1, 2, 3, 4],
          [1, 2, 3, 4],
        ]),
      },
    }),
  ).toThrow('[n, H] = [1, 4], got [2, 4].');
  expect(write({ gru: { c: tensor([[1]]) } })).toThrow('pool.write: gru must have only h, got c.');
  expect(write({ lstm: {} })).toThrow('pool.write: states must have only gru, got lstm.');
  expect(() => pool.read([number])).toThrow('of streams that have a state');
  expect(pool.advance([number], tensor([[1, 2]])).shape).toEqual([1, 4]);
});

it('a state without a part of a layer that has no step runner is rejected', () => {
  const pool = createStreamPool(sequential([recurrent(layerNormLstm(), { hiddenSize: 2 })], { inputSize: 2 }));
  const number = pool.open();
  expect(() => pool.write([number], { layerNormLstm: { h: tensor([[1, 2]]) } })).toThrow(
    'pool.write: states must be complete for a layer without a stepRunner, got no layerNormLstm.c.',
  );
});

it('a wrong id in the last batch changes no stream', () => {
  const model = sequential([embedding({ vocabularySize: 9, size: 6 }), recurrent(gru(), { hiddenSize: 3 })]);
  const pool = createStreamPool(model);
  const numbers = Array.from({ length: 300 }, pool.open);
  const ids = new Int32Array(300).fill(1);
  const wrong = ids.slice().fill(9, 298, 299);
  const message = 'pool.advance: layer embedding: ids must be integers from 0 to 8, got 9 at index 298.';
  expect(() => pool.advance(numbers, intTensor(wrong))).toThrow(message);
  expect(() => pool.read(numbers)).toThrow('of streams that have a state, got 0.');
  pool.advance(numbers.slice(10), intTensor(ids.subarray(10)));
  const before = pool.read(numbers.slice(10));
  // Fresh streams first, in another batch than the others.
  expect(() => pool.advance(numbers, intTensor(wrong))).toThrow(message);
  expect(pool.read(numbers.slice(10))).toEqual(before);
  expect(() => pool.read([0])).toThrow('of streams that have a state, got 0.');
});
