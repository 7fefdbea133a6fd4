/** Streams: step by step is the same as at once, whatever the layers; state goes in and out; a step allocates nothing. */

import { afterAll, describe, expect, it } from 'vitest';
import {
  advance, createRandom, dense, dropout, embedding, gru, ids, initializeCell, lstm, normal, predict, recurrent, relu, sequential,
  simpleRnn, stream, streamCell, tanh, tensor, unroll, compute, useKernels, type Cell, type Layer, type PointwiseCell, type Sequential, type Tensor,
} from 'bptt';

afterAll(() => useKernels(undefined));

const vectorsIn = (layers: Layer[]): Sequential => sequential(layers, { inputSize: 3, seed: 4 });
const models: [string, Sequential][] = [
  ['an LSTM', vectorsIn([recurrent(lstm(), { hiddenSize: 5 })])],
  ['a GRU, dropout and a head', vectorsIn([recurrent(gru(), { hiddenSize: 8 }), dropout(0.5), dense({ size: 2 })])],
  ['a GRU with reset before, which is made of ops', vectorsIn([recurrent(gru({ reset: 'before' }), { hiddenSize: 5 }), dense({ size: 9 })])],
  ['two layers, the second of ReLU, and a head with an activation', vectorsIn([
    recurrent(simpleRnn(), { hiddenSize: 4 }), recurrent(simpleRnn({ activation: relu }), { hiddenSize: 7 }), dense({ size: 3, activation: tanh }),
  ])],
  ['the last output alone', vectorsIn([recurrent(lstm(), { hiddenSize: 5, returnSequences: false }), dense({ size: 2 })])],
];

const stepOf = ({ shape, data }: Tensor, t: number): Tensor => {
  const [, B, I] = shape as [number, number, number];
  return { shape: [B, I], data: data.slice(t * B * I, (t + 1) * B * I) };
};

describe.each(['portable', undefined] as const)('kernels %s', (kernels) => {
  it.each(models)('%s: T steps, of one row and of several, are predict over the sequence, within 1e-6', (_, model) => {
    useKernels(kernels);
    for (const batchSize of [1, 3]) {
      const inputs = normal(0, 1)([6, batchSize, 3], createRandom(1));
      const running = stream(model, { batchSize });
      for (let t = 0; t < 6; t++) {
        const { shape, data } = advance(running, stepOf(inputs, t));
        const whole = predict(model, { shape: [t + 1, batchSize, 3], data: inputs.data.slice(0, (t + 1) * batchSize * 3) });
        const wanted = whole.data.slice(-data.length);
        expect(shape).toEqual([batchSize, data.length / batchSize]);
        data.forEach((value, i) => expect(Math.abs(value - wanted[i]!)).toBeLessThan(1e-6));
      }
    }
  });

  it('a cell from its parameters is unroll, and its state comes out', () => {
    useKernels(kernels);
    for (const cell of [lstm(), gru(), simpleRnn()] as Cell[]) {
      const parameters = initializeCell(cell, { inputSize: 3, hiddenSize: 6, random: 2 });
      const inputs = normal(0, 1)([4, 2, 3], createRandom(5));
      const [outputs, ...states] = compute(parameters, (p) => {
        const { outputs, state } = unroll(cell, p, inputs);
        return [outputs, ...cell.state.map((name) => state[name]!)];
      }) as [Tensor, ...Tensor[]];
      const running = streamCell(cell as PointwiseCell, parameters, { batchSize: 2 });
      for (let t = 0; t < 4; t++) {
        advance(running, stepOf(inputs, t)).data.forEach((value, i) => expect(value).toBeCloseTo(outputs.data[t * 12 + i]!, 6));
      }
      cell.state.forEach((name, s) => running.state![name]!.data.forEach((value, i) => expect(value).toBeCloseTo(states[s]!.data[i]!, 6)));
    }
  });
});

it('state can be kept, set back, moved to another stream, and begun anew', () => {
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

it('refuses a reversed layer, a state of another shape, an id that is not in the vocabulary, and what does not fit', () => {
  const reversed = vectorsIn([recurrent(lstm(), { hiddenSize: 2, reverse: true })]);
  expect(() => stream(reversed)).toThrow('stream: the layer lstm needs the whole sequence and cannot go step by step.');
  const running = stream(models[0]![1]);
  expect(() => (running.state = { lstm: { h: tensor([[1]]) } })).toThrow('stream: state.h must be [B, H] = [1, 5], got [1, 1].');
  expect(() => advance(running, tensor([[1, 2]]))).toThrow('advance: x must be [B, I] = [1, 3], got [1, 2].');
  expect(() => advance(running, tensor([[1, 2, 3]]), tensor([1]))).toThrow('advance: into must be [B, O] = [1, 5], got [1].');
  const reader = stream(sequential([embedding({ vocabularySize: 4, size: 2 })]));
  expect(() => advance(reader, ids([4]))).toThrow('embedding: ids must be whole numbers from 0 to 3, got 4 at position 0.');
  expect(() => streamCell(lstm(), { weightIh: tensor([[1]]) })).toThrow('streamCell: the parameters of lstm must have weightHh, got weightIh.');
});
