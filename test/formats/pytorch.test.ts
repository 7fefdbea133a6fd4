/** Weights from PyTorch and back: what its own modules answered, to the last digits; what has no equal is refused with the reason. */

import { readFileSync } from 'node:fs';
import {
  attentionPooling,
  bidirectional,
  createRandom,
  dense,
  dropout,
  embedding,
  full,
  gru,
  intTensor,
  type Layer,
  layerNorm,
  layerNormLstm,
  lstm,
  normal,
  predict,
  projectedLstm,
  readSafetensors,
  recurrent,
  relu,
  residual,
  type Sequential,
  sequential,
  sigmoid,
  simpleRnn,
  type Tensor,
  tensor,
  writeSafetensors,
} from 'bptt';
import { fromPyTorch, inferModel, type PyTorchOptions, toPyTorch } from 'bptt/pytorch';
import { describe, expect, it } from 'vitest';

interface Numbers {
  readonly shape: number[];
  readonly data: number[];
}
const folder = new URL('../golden/pytorch/', import.meta.url);
const { lengths, cases } = JSON.parse(readFileSync(new URL('cases.json', folder), 'utf8')) as {
  lengths: number[];
  cases: Record<string, { inputs: Numbers; outputs: Numbers }>;
};
const weightsOf = (name: string): Readonly<Record<string, Tensor>> =>
  readSafetensors(readFileSync(new URL(`${name}.safetensors`, folder))).tensors;

const models: Record<
  string,
  {
    layers: Layer[];
    inputSize?: number;
    modules: NonNullable<PyTorchOptions['modules']>;
    withoutBias?: string[];
    infer?: object;
  }
> = {
  tagger: {
    layers: [
      embedding({ vocabularySize: 11, size: 5 }),
      bidirectional(lstm(), { hiddenSize: 4 }),
      dropout(0.5),
      bidirectional(lstm(), { hiddenSize: 4 }),
      layerNorm(),
      dense({ size: 3 }),
    ],
    modules: { bidirectional: 'encoder.rnn', bidirectional2: 'encoder.rnn', layerNorm: 'norm', dense: 'fc' },
  },
  'gru-without-bias': {
    layers: [recurrent(gru(), { hiddenSize: 5 }), recurrent(gru(), { hiddenSize: 5 }), dense({ size: 2 })],
    inputSize: 3,
    modules: { gru: 'rnn', gru2: 'rnn', dense: 'head' },
    withoutBias: ['rnn', 'head'],
  },
  gru: { layers: [bidirectional(gru(), { hiddenSize: 4 })], inputSize: 3, modules: { bidirectional: 'rnn' } },
  'rnn-relu': {
    layers: [bidirectional(simpleRnn({ activation: relu }), { hiddenSize: 4 })],
    inputSize: 3,
    modules: { bidirectional: '' },
    infer: { nonlinearity: 'relu' },
  },
  projected: {
    layers: [1, 2]
      .map(() => bidirectional(projectedLstm({ projectionSize: 2 }), { hiddenSize: 6 }))
      .concat(dense({ size: 2 })),
    inputSize: 3,
    modules: { bidirectional: 'rnn', bidirectional2: 'rnn', dense: 'head' },
  },
};

function expectAnswers(model: Sequential, name: string): void {
  const { inputs, outputs } = cases[name]!;
  const x =
    inputs.shape.length === 2
      ? intTensor(Int32Array.from(inputs.data), inputs.shape)
      : tensor(Float32Array.from(inputs.data), inputs.shape);
  const { data } = predict(model, x, { lengths: Int32Array.from(lengths) });
  outputs.data.forEach((value, i) => expect(Math.abs(data[i]! - value), `${name} ${i}`).toBeLessThan(1e-6));
}

describe.each(Object.entries(models))('%s', (name, { layers, inputSize, modules, withoutBias = [], infer = {} }) => {
  const weights = weightsOf(name);
  const filled = (): Sequential => {
    const model = sequential(layers, { ...(inputSize && { inputSize }), seed: 4 });
    fromPyTorch(model, weights, { modules });
    return model;
  };

  it('answers what PyTorch answered', () => expectAnswers(filled(), name));

  it('goes back with PyTorch’s names and shapes, its matrices bit for bit, and comes in again with the same bits', () => {
    const model = filled();
    const back = readSafetensors(writeSafetensors(toPyTorch(model, { modules, withoutBias }))).tensors;
    expect(Object.keys(back).sort()).toEqual(Object.keys(weights).sort());
    for (const [path, { shape, data }] of Object.entries(weights)) {
      expect(back[path]!.shape).toEqual(shape);
      if (path.includes('weight')) expect(back[path]!.data).toEqual(data);
    }
    // Two biases become one sum.
    const again = sequential(layers, inputSize ? { inputSize } : {});
    fromPyTorch(again, back, { modules });
    expect(again.data).toEqual(model.data);
    // Weights whose second bias is zero, as ours go out, come back to the bit.
    expect(toPyTorch(again, { modules, withoutBias })).toEqual(back);
  });

  it('is inferred from its weights alone', () => {
    const inferred = inferModel(weights, infer);
    const model = sequential(
      inferred.layers,
      inferred.inputSize === undefined ? {} : { inputSize: inferred.inputSize },
    );
    fromPyTorch(model, weights, inferred);
    expectAnswers(model, name);
    expect(inferred.assumed.join()).toContain('every step goes out');
  });
});

it('one layer inside of a residual, and several of one kind', () => {
  const layers = [
    residual([recurrent(lstm(), { hiddenSize: 3 }), dense({ size: 3 })]),
    recurrent(lstm(), { hiddenSize: 2 }),
    recurrent(lstm(), { hiddenSize: 2 }),
  ];
  const model = sequential(layers, { inputSize: 3, seed: 2 });
  const weights = toPyTorch(model, { modules: { 'residual.lstm': 'block.rnn', lstm: 'top', lstm2: 'top' } });
  expect(Object.keys(weights).filter((name) => name.includes('weight'))).toEqual([
    'block.rnn.weight_ih_l0',
    'block.rnn.weight_hh_l0',
    'residual.dense.weight',
    'top.weight_ih_l0',
    'top.weight_hh_l0',
    'top.weight_ih_l1',
    'top.weight_hh_l1',
  ]);
  const again = sequential(layers, { inputSize: 3, seed: 9 });
  fromPyTorch(again, weights, { modules: { 'residual.lstm': 'block.rnn', lstm: 'top', lstm2: 'top' } });
  expect(again.data).toEqual(model.data);
});

describe('what has no equal in PyTorch is refused with the reason', () => {
  const inputSize = 2;
  it.each<[string, Layer[], string]>([
    [
      'reset before',
      [recurrent(gru({ reset: 'before' }), { hiddenSize: 2 })],
      'gruResetBefore resets before the recurrent product; PyTorch’s GRU resets after it, and one cannot be turned into the other.',
    ],
    [
      'another cell',
      [recurrent(layerNormLstm(), { hiddenSize: 2 })],
      'layerNormLstm is made of the cell layerNormLstm, which has no equal in PyTorch.',
    ],
    [
      'another activation',
      [recurrent(simpleRnn({ activation: sigmoid }), { hiddenSize: 2 })],
      'simpleRnn has an activation that nn.RNN has not: tanh and ReLU are all.',
    ],
    [
      'the reverse direction alone',
      [recurrent(lstm(), { hiddenSize: 2, reverse: true })],
      'lstm runs from the last step to the first',
    ],
    ['a sum of directions', [bidirectional(lstm(), { hiddenSize: 2, merge: 'sum' })], 'bidirectional merges by sum'],
    ['a learned state', [recurrent(gru(), { hiddenSize: 2, learnInitialState: true })], 'gru learns its first state'],
    ['attention', [attentionPooling()], 'attentionPooling has no equal in PyTorch.'],
  ])('%s', (_, layers, message) => {
    const model = sequential(layers, { inputSize });
    expect(() => toPyTorch(model)).toThrow(`toPyTorch: ${message}`);
    expect(() => fromPyTorch(model, {})).toThrow(`fromPyTorch: ${message}`);
  });

  it('biases that a module has no place for, layers that do not stack, and names of nothing', () => {
    const model = sequential(
      [recurrent(lstm(), { hiddenSize: 2 }), dense({ size: 2 }), recurrent(lstm(), { hiddenSize: 2 })],
      { inputSize },
    );
    expect(() => toPyTorch(model, { withoutBias: ['lstm'] })).toThrow(
      'toPyTorch: lstm has biases that are not zero, which lstm (bias=False) has no place for.',
    );
    expect(() => toPyTorch(model, { modules: { lstm2: 'lstm' } })).toThrow(
      'toPyTorch: lstm2 cannot be one more layer of lstm: only recurrent layers that follow each other can.',
    );
    expect(() => toPyTorch(model, { modules: { dense: 'lstm' } })).toThrow(
      'toPyTorch: dense cannot be one more layer of lstm',
    );
    expect(() => toPyTorch(model, { modules: { gru: 'rnn' } })).toThrow(
      'toPyTorch: modules names gru, which is no layer. There are lstm, dense, lstm2.',
    );
  });
});

describe('weights that do not fit are refused, and nothing is changed', () => {
  const make = (): Sequential =>
    sequential([recurrent(lstm(), { hiddenSize: 2 }), dense({ size: 1 })], { inputSize: 3, seed: 1 });
  const weights = toPyTorch(make());
  it.each<[string, Record<string, Tensor | undefined>, string]>([
    [
      'missing',
      { 'lstm.weight_hh_l0': undefined },
      'fromPyTorch: lstm needs lstm.weight_hh_l0 [8, 2]. There are lstm.weight_ih_l0, ',
    ],
    ['one bias of two', { 'lstm.bias_hh_l0': undefined }, 'fromPyTorch: lstm needs lstm.bias_hh_l0 [8].'],
    ['of another shape', { 'dense.weight': full([2, 1], 0) }, 'fromPyTorch: dense.weight must be [1, 2], got [2, 1].'],
    ['a layer more', { 'lstm.weight_ih_l1': full([8, 2], 0) }, 'fromPyTorch: there is no layer for lstm.weight_ih_l1.'],
  ])('%s', (_, change, message) => {
    const given = Object.fromEntries(
      Object.entries({ ...weights, ...change }).filter(([, value]) => value !== undefined),
    ) as Record<string, Tensor>;
    const model = make();
    const before = model.data.slice();
    expect(() => fromPyTorch(model, given)).toThrow(message);
    expect(model.data).toEqual(before);
  });
});

describe('inferModel', () => {
  const random = createRandom(2);
  const matrix = (...shape: number[]): Tensor => normal(0, 1)(shape, random);
  it('tells what it assumes', () => {
    const { layers, assumed, modules } = inferModel({
      'table.weight': matrix(9, 4),
      'rnn.weight_ih_l0': matrix(4, 4),
      'rnn.weight_hh_l0': matrix(4, 4),
      'head.weight': matrix(2, 4),
    });
    expect(layers.map(({ name }) => name)).toEqual(['embedding', 'simpleRnn', 'dense']);
    expect(modules).toEqual({ embedding: 'table', simpleRnn: 'rnn', dense: 'head' });
    expect(assumed).toEqual([
      'table, a matrix without bias, is an Embedding',
      'rnn is an RNN with tanh',
      'every step goes out (returnSequences: false for the last alone)',
    ]);
  });

  it('takes an order, and says where another one fits as well', () => {
    const weights = { 'a.weight': matrix(3, 3), 'a.bias': matrix(3), 'b.weight': matrix(3, 3), 'b.bias': matrix(3) };
    expect(inferModel(weights).assumed).toEqual(['the order a, b, which is not the only one that fits (order: [...])']);
    expect(inferModel(weights, { order: ['b', 'a'] })).toMatchObject({
      modules: { dense: 'b', dense2: 'a' },
      assumed: [],
      inputSize: 3,
    });
    expect(() => inferModel(weights, { order: ['b'] })).toThrow(
      'inferModel: order must name every module once: a (3 to 3), b (3 to 3).',
    );
    expect(() => inferModel(weights, { order: ['b', 'c'] })).toThrow('inferModel: order names c, which is no module.');
    expect(() =>
      inferModel({ ...weights, 'c.weight': matrix(2, 3), 'c.bias': matrix(2) }, { order: ['a', 'c', 'b'] }),
    ).toThrow('in this order c (3 to 2), b (3 to 3) do not fit each other.');
    expect(inferModel({ ...weights, 'c.weight': matrix(2, 3), 'c.bias': matrix(2) }).modules).toEqual({
      dense: 'a',
      dense2: 'b',
      dense3: 'c',
    });
  });

  it('answers once a sequence, if it is told so', () => {
    const weights = toPyTorch(
      sequential([recurrent(gru(), { hiddenSize: 3 }), recurrent(gru(), { hiddenSize: 3 })], { inputSize: 2 }),
      { modules: { gru: 'rnn', gru2: 'rnn' } },
    );
    const { layers, inputSize } = inferModel(weights, { returnSequences: false });
    expect(predict(sequential(layers, { inputSize: inputSize! }), full([4, 2, 2], 1)).shape).toEqual([2, 3]);
  });

  it.each<[string, Record<string, Tensor>, string]>([
    ['nothing', {}, 'weights must hold at least one tensor'],
    [
      'a convolution',
      { 'conv.weight': matrix(2, 3, 5), 'conv.bias': matrix(2) },
      'conv.weight [2, 3, 5] is neither of an Embedding nor of a Linear.',
    ],
    [
      'a batch normalization',
      { 'bn.weight': matrix(2), 'bn.bias': matrix(2), 'bn.running_mean': matrix(2) },
      'bn.running_mean belongs to no module that is known here',
    ],
    [
      'two gates',
      { 'x.weight_ih_l0': matrix(4, 3), 'x.weight_hh_l0': matrix(4, 2) },
      'x.weight_ih_l0 [4, 3] with weight_hh_l0 of 2 columns is neither',
    ],
    [
      'modules that do not meet',
      { 'a.weight': matrix(2, 3), 'a.bias': matrix(2), 'b.weight': matrix(7, 5), 'b.bias': matrix(7) },
      'the modules do not follow each other in one line: a (3 to 2), b (5 to 7).',
    ],
  ])('refuses %s', (_, weights, message) => expect(() => inferModel(weights)).toThrow(`inferModel: ${message}`));
});
