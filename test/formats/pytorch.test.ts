/**
 * Conversion of PyTorch weights in both directions, outputs equal to those of PyTorch's modules, and errors for other
 * layers.
 */

import { readFileSync } from 'node:fs';
import {
  attentionPooling,
  batchNorm,
  bidirectional,
  conv1d,
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
  leaves,
  lstm,
  maxPool1d,
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
  tanh,
  tensor,
  withoutBias,
  writeSafetensors,
} from 'bptt';
import {
  fromPyTorch,
  type InferOptions,
  inferModel,
  type PyTorchOptions,
  type ToPyTorchOptions,
  toPyTorch,
} from 'bptt/pytorch';
import { describe, expect, it } from 'vitest';

/** A tensor in JSON. */
interface PlainTensor {
  readonly shape: number[];
  readonly data: number[];
}
const folder = new URL('../golden/pytorch/', import.meta.url);
const { lengths, cases } = JSON.parse(readFileSync(new URL('cases.json', folder), 'utf8')) as {
  lengths: number[];
  cases: Record<string, { inputs: PlainTensor; outputs: PlainTensor }>;
};
const weightsOf = (name: string): Readonly<Record<string, Tensor>> =>
  readSafetensors(readFileSync(new URL(`${name}.safetensors`, folder))).tensors;

const projected = projectedLstm({ projectionSize: 2 });
const models: Record<
  string,
  {
    layers: Layer[];
    inputSize?: number;
    modules: NonNullable<PyTorchOptions['modules']>;
    biasFree?: string[];
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
    biasFree: ['rnn', 'head'],
  },
  'lstm-without-bias': {
    layers: [1, 2]
      .map(() => withoutBias(bidirectional(lstm(), { hiddenSize: 4 })))
      .concat(withoutBias(dense({ size: 2 }))),
    inputSize: 3,
    modules: { bidirectional: 'rnn', bidirectional2: 'rnn', dense: 'head' },
  },
  gru: { layers: [bidirectional(gru(), { hiddenSize: 4 })], inputSize: 3, modules: { bidirectional: 'rnn' } },
  'rnn-relu': {
    layers: [bidirectional(simpleRnn({ activation: relu }), { hiddenSize: 4 })],
    inputSize: 3,
    modules: { bidirectional: '' },
    infer: { nonlinearity: 'relu' },
  },
  projected: {
    layers: [1, 2].map(() => bidirectional(projected, { hiddenSize: 6 })).concat(dense({ size: 2 })),
    inputSize: 3,
    modules: { bidirectional: 'rnn', bidirectional2: 'rnn', dense: 'head' },
  },
};

function expectOutputs(model: Sequential, name: string): void {
  const { inputs, outputs } = cases[name]!;
  const x =
    inputs.shape.length === 2
      ? intTensor(Int32Array.from(inputs.data), inputs.shape)
      : tensor(Float32Array.from(inputs.data), inputs.shape);
  const { data } = predict(model, x, { lengths: Int32Array.from(lengths) });
  outputs.data.forEach((value, i) => expect(Math.abs(data[i]! - value), `${name} ${i}`).toBeLessThan(1e-6));
}

describe.each(Object.entries(models))('%s', (name, { layers, inputSize, modules, biasFree = [], infer = {} }) => {
  const weights = weightsOf(name);
  const loaded = (): Sequential => {
    const model = sequential(layers, { ...(inputSize && { inputSize }), seed: 4 });
    fromPyTorch(model, weights, { modules });
    return model;
  };

  it('the outputs equal those of PyTorch', () => expectOutputs(loaded(), name));

  it('toPyTorch returns copies', () => {
    const layers = [embedding({ vocabularySize: 3, size: 2 }), recurrent(gru(), { hiddenSize: 2 }), dense({ size: 1 })];
    const trained = sequential(layers);
    const weights = toPyTorch(trained);
    const before = Object.values(weights).map(({ data }) => data.slice());
    trained.data.fill(9);
    expect(Object.values(weights).map(({ data }) => data)).toEqual(before);
  });

  it('toPyTorch restores names, shapes and matrices bit for bit, and its result loads to the same model', () => {
    const model = loaded();
    const exported = readSafetensors(writeSafetensors(toPyTorch(model, { modules, withoutBias: biasFree }))).tensors;
    expect(Object.keys(exported).sort()).toEqual(Object.keys(weights).sort());
    for (const [path, { shape, data }] of Object.entries(weights)) {
      expect(exported[path]!.shape).toEqual(shape);
      if (path.includes('weight')) expect(exported[path]!.data).toEqual(data);
    }
    // The two biases have been added.
    const reloaded = sequential(layers, inputSize ? { inputSize } : {});
    fromPyTorch(reloaded, exported, { modules });
    expect(reloaded.data).toEqual(model.data);
    // With a zero second bias, as toPyTorch writes it, the conversion is exact.
    expect(toPyTorch(reloaded, { modules, withoutBias: biasFree })).toEqual(exported);
  });

  it('inferModel finds its layers from the weights', () => {
    const inferred = inferModel(weights, infer);
    const model = sequential(
      inferred.layers,
      inferred.inputSize === undefined ? {} : { inputSize: inferred.inputSize },
    );
    fromPyTorch(model, weights, { modules: inferred.modules });
    expectOutputs(model, name);
    const hasBias = ({ parameters }: Sequential): boolean =>
      leaves(parameters).some(({ path }) => /\.bias(Hn)?$/.test(path));
    expect(hasBias(model)).toBe(!name.includes('without-bias'));
    expect(inferred.assumed.join()).toContain('the last recurrent layer returns every step');
  });
});

it('a layer inside a residual and stacked layers convert in both directions', () => {
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
  const reloaded = sequential(layers, { inputSize: 3, seed: 9 });
  fromPyTorch(reloaded, weights, { modules: { 'residual.lstm': 'block.rnn', lstm: 'top', lstm2: 'top' } });
  expect(reloaded.data).toEqual(model.data);
});

describe('state dicts of nn.RNNCell, nn.LSTMCell and nn.GRUCell, which have no suffix _l0', () => {
  const random = createRandom(6);
  const [I, H] = [2, 3];
  const xs = normal(0, 1)([5, 1, I], random);
  const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
  type Blocks = (block: number, unit: number) => number;
  /** The steps of PyTorch's cells for one unit: from the pre-activations of the input and the state to h and c. */
  const steps: Record<string, (input: Blocks, hidden: Blocks, u: number, h: number, c: number) => [number, number]> = {
    simpleRnn: (input, hidden, u) => [Math.tanh(input(0, u) + hidden(0, u)), 0],
    lstm: (input, hidden, u, _, c) => {
      const [i, f, g, o] = [0, 1, 2, 3].map((block) => input(block, u) + hidden(block, u)) as [
        number,
        number,
        number,
        number,
      ];
      const next = logistic(f) * c + logistic(i) * Math.tanh(g);
      return [logistic(o) * Math.tanh(next), next];
    },
    gru: (input, hidden, u, h) => {
      const [r, z] = [0, 1].map((block) => logistic(input(block, u) + hidden(block, u))) as [number, number];
      const n = Math.tanh(input(2, u) + r * hidden(2, u));
      return [(1 - z) * n + z * h, 0];
    },
  };

  it.each([
    ['simpleRnn', 1, simpleRnn()],
    ['gru', 3, gru()],
    ['lstm', 4, lstm()],
  ] as const)('%s', (name, gates, cell) => {
    const matrix = (...shape: number[]): Tensor => normal(0, 1)(shape, random);
    const weights = {
      'rnn.weight_ih': matrix(gates * H, I),
      'rnn.weight_hh': matrix(gates * H, H),
      'rnn.bias_ih': matrix(gates * H),
      'rnn.bias_hh': matrix(gates * H),
    };
    const affine = (suffix: 'ih' | 'hh', x: ArrayLike<number>): Blocks => {
      const { data } = weights[`rnn.weight_${suffix}`];
      return (block, unit) => {
        const row = block * H + unit;
        return Array.from(x).reduce(
          (total, value, i) => total + value * data[row * x.length + i]!,
          weights[`rnn.bias_${suffix}`].data[row]!,
        );
      };
    };
    let [h, c] = [new Array<number>(H).fill(0), new Array<number>(H).fill(0)];
    const expected: number[] = [];
    for (let t = 0; t < 5; t++) {
      const [input, hidden] = [affine('ih', xs.data.slice(t * I, t * I + I)), affine('hh', h)];
      const next = h.map((value, u) => steps[name]!(input, hidden, u, value, c[u]!));
      [h, c] = [next.map(([value]) => value), next.map(([, value]) => value)];
      expected.push(...h);
    }
    const model = sequential([recurrent(cell, { hiddenSize: H })], { inputSize: I });
    fromPyTorch(model, weights, { modules: { [name]: 'rnn' } });
    predict(model, xs).data.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-6));

    const inferred = inferModel(weights);
    const again = sequential(inferred.layers, { inputSize: inferred.inputSize! });
    fromPyTorch(again, weights, { modules: inferred.modules });
    expect(again.data).toEqual(model.data);
    const exported = toPyTorch(model, { modules: { [name]: 'rnn' }, cells: ['rnn'] });
    expect(Object.keys(exported)).toEqual(Object.keys(weights));
    expect(exported['rnn.weight_hh']).toEqual(weights['rnn.weight_hh']);
  });
});

describe('layers without an equivalent in PyTorch are rejected with the reason', () => {
  const inputSize = 2;
  it.each<[string, Layer[], string]>([
    [
      'reset before',
      [recurrent(gru({ reset: 'before' }), { hiddenSize: 2 })],
      "gruResetBefore has reset: 'before'; nn.GRU applies the reset gate after the recurrent product, which is a " +
        'different model.',
    ],
    [
      'another cell',
      [recurrent(layerNormLstm(), { hiddenSize: 2 })],
      'layerNormLstm has the cell layerNormLstm, which has no equivalent in PyTorch.',
    ],
    [
      'another activation',
      [recurrent(simpleRnn({ activation: sigmoid }), { hiddenSize: 2 })],
      'simpleRnn has an activation that nn.RNN does not support; only tanh and relu are.',
    ],
    [
      'only the reverse direction',
      [recurrent(lstm(), { hiddenSize: 2, reverse: true })],
      'lstm has reverse: true; a PyTorch module runs backward only as part of a bidirectional module.',
    ],
    [
      'a sum of directions',
      [bidirectional(lstm(), { hiddenSize: 2, merge: 'sum' })],
      "bidirectional has merge: 'sum'; bidirectional PyTorch modules always concatenate.",
    ],
    [
      'a mean of directions',
      [bidirectional(lstm(), { hiddenSize: 2, merge: 'mean' })],
      "bidirectional has merge: 'mean'; bidirectional PyTorch modules always concatenate.",
    ],
    [
      'different directions',
      [bidirectional(lstm(), { hiddenSize: 2, reverse: { cell: gru() } })],
      'bidirectional has different directions, which PyTorch modules do not support.',
    ],
    [
      'a learned initial state',
      [recurrent(gru(), { hiddenSize: 2, learnInitialState: true })],
      'gru learns its initial state, which PyTorch modules do not support.',
    ],
    [
      'zoneout, which also changes predictions',
      [recurrent(lstm(), { hiddenSize: 2, zoneout: { h: 0, c: 0.5 } })],
      'lstm has zoneout, which PyTorch modules do not support.',
    ],
    [
      'zoneout in two directions',
      [bidirectional(gru(), { hiddenSize: 2, zoneout: { h: 0.5 } })],
      'bidirectional has zoneout, which PyTorch modules do not support.',
    ],
    ['attention', [attentionPooling()], 'attentionPooling has no equivalent in PyTorch.'],
  ])('%s', (_, layers, message) => {
    const model = sequential(layers, { inputSize });
    expect(() => toPyTorch(model)).toThrow(`toPyTorch: ${message}`);
    expect(() => fromPyTorch(model, {})).toThrow(`fromPyTorch: ${message}`);
  });

  it('options without an effect at prediction are not rejected', () => {
    const options = { hiddenSize: 2, inputDropout: 0.5, recurrentDropout: 0.5, zoneout: { h: 0 } };
    const model = sequential([recurrent(lstm(), options), bidirectional(lstm(), options)], { inputSize });
    fromPyTorch(model, toPyTorch(model));
  });

  it('biases of a module for a layer without bias are rejected', () => {
    for (const [layer, modules] of [
      [dense({ size: 2 }), { dense: 'fc' }],
      [layerNorm(), { layerNorm: 'fc' }],
      [recurrent(gru(), { hiddenSize: 2 }), { gru: 'fc' }],
    ] as const) {
      const weights = toPyTorch(sequential([layer], { inputSize }), { modules });
      const model = sequential([withoutBias(layer)], { inputSize });
      expect(() => fromPyTorch(model, weights, { modules })).toThrow(/^fromPyTorch: no layer uses fc\.bias/);
      expect(Object.keys(toPyTorch(model, { modules })).some((name) => name.includes('bias'))).toBe(false);
      fromPyTorch(model, toPyTorch(model, { modules }), { modules });
    }
  });

  it('layers of a module have one activation', () => {
    const rnn = (activation: typeof relu): Layer => recurrent(simpleRnn({ activation }), { hiddenSize: 2 });
    const modules = { simpleRnn: 'rnn', simpleRnn2: 'rnn' };
    const mixed = sequential([rnn(relu), rnn(tanh)], { inputSize });
    expect(() => toPyTorch(mixed, { modules })).toThrow('toPyTorch: simpleRnn2 cannot be another layer of rnn');
    const stack = sequential([rnn(tanh), recurrent(simpleRnn(), { hiddenSize: 2 })], { inputSize });
    const weights = toPyTorch(stack, { modules });
    expect(() => fromPyTorch(mixed, weights, { modules })).toThrow('fromPyTorch: simpleRnn2 cannot be another layer');
    fromPyTorch(stack, weights, { modules });
    fromPyTorch(sequential([rnn(relu), rnn(relu)], { inputSize }), weights, { modules });
  });

  it('biases of modules without bias, layers that cannot stack, and unknown layer names are rejected', () => {
    const model = sequential(
      [recurrent(lstm(), { hiddenSize: 2 }), dense({ size: 2 }), recurrent(lstm(), { hiddenSize: 2 })],
      { inputSize },
    );
    expect(() => toPyTorch(model, { withoutBias: ['lstm'] })).toThrow(
      'toPyTorch: the biases of lstm must be zero, since withoutBias has lstm (bias=False).',
    );
    expect(() => toPyTorch(model, { modules: { lstm2: 'lstm' } })).toThrow(
      'toPyTorch: lstm2 cannot be another layer of lstm: only consecutive recurrent layers of one cell and size, all ' +
        'with or all without bias, can share a module.',
    );
    expect(() => toPyTorch(model, { modules: { dense: 'lstm' } })).toThrow(
      'toPyTorch: dense cannot be another layer of lstm',
    );
    expect(() => toPyTorch(model, { modules: { gru: 'rnn' } })).toThrow(
      'toPyTorch: modules has gru, which is not a layer. The layers are lstm, dense, lstm2.',
    );
  });
});

it.each<[string, readonly Layer[]]>([
  ['of different cells', [recurrent(lstm(), { hiddenSize: 3 }), recurrent(gru(), { hiddenSize: 3 })]],
  ['of different sizes', [recurrent(lstm(), { hiddenSize: 3 }), recurrent(lstm(), { hiddenSize: 2 })]],
  ['with and without projection', [recurrent(lstm(), { hiddenSize: 2 }), recurrent(projected, { hiddenSize: 3 })]],
  ['with one and two directions', [recurrent(lstm(), { hiddenSize: 3 }), bidirectional(lstm(), { hiddenSize: 3 })]],
  ['with and without bias', [recurrent(lstm(), { hiddenSize: 3 }), withoutBias(recurrent(lstm(), { hiddenSize: 3 }))]],
  ['that are not recurrent', [dense({ size: 3 }), dense({ size: 3 })]],
  [
    'with pooling between them',
    [recurrent(lstm(), { hiddenSize: 3 }), maxPool1d({ windowSize: 2 }), recurrent(lstm(), { hiddenSize: 3 })],
  ],
  [
    'with a residual dropout between them',
    [recurrent(lstm(), { hiddenSize: 3 }), residual([dropout(0.5)]), recurrent(lstm(), { hiddenSize: 3 })],
  ],
  ['inside a residual', [residual([recurrent(lstm(), { hiddenSize: 3 })]), recurrent(lstm(), { hiddenSize: 3 })]],
  ['before a residual', [recurrent(lstm(), { hiddenSize: 3 }), residual([recurrent(lstm(), { hiddenSize: 3 })])]],
])('layers %s are not one module', (_, layers) => {
  const model = sequential(layers, { inputSize: 3 });
  const paths = leaves(model.parameters).map(({ path }) => path.replace(/\.(forward|reverse)/, ''));
  const modules = Object.fromEntries(paths.map((path) => [path.slice(0, path.lastIndexOf('.')), 'rnn']));
  expect(() => toPyTorch(model, { modules })).toThrow('cannot be another layer of rnn');
});

it('the weights of a cell are those of one layer, and a cell can be the root', () => {
  const stack = sequential([recurrent(lstm(), { hiddenSize: 2 }), recurrent(lstm(), { hiddenSize: 2 })], {
    inputSize: 2,
  });
  const [first] = stack.layers;
  const cell = sequential([first!.layer], { inputSize: 2, seed: 5 });
  const weights = toPyTorch(cell, { modules: { lstm: '' }, cells: [''] });
  expect(Object.keys(weights)).toEqual(['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh']);
  expect(() => fromPyTorch(stack, weights, { modules: { lstm: '', lstm2: '' } })).toThrow(
    'lstm2 needs weight_ih_l1 [8, 2], which is missing.',
  );
});

describe('options that do not fit the model are rejected', () => {
  const recurrentLstm = recurrent(lstm(), { hiddenSize: 3 });
  const stack = { modules: { lstm: 'rnn', lstm2: 'rnn' } };
  it.each<[string, Layer[], ToPyTorchOptions, string]>([
    [
      'an unknown module in cells',
      [recurrentLstm, dense({ size: 2 })],
      { cells: ['rnn'] },
      'cells must be modules of one layer in one direction without projection (lstm), got rnn.',
    ],
    ['a module of another kind in cells', [dense({ size: 2 })], { cells: ['dense'] }, 'projection (none), got dense.'],
    [
      'two layers in a cell module',
      [recurrentLstm, recurrentLstm, recurrent(gru(), { hiddenSize: 2 })],
      { ...stack, cells: ['rnn'] },
      'projection (gru), got rnn.',
    ],
    [
      'a projected LSTM in cells',
      [recurrent(projected, { hiddenSize: 3 })],
      { cells: ['projectedLstm'] },
      'projection (none), got projectedLstm.',
    ],
    [
      'two directions in cells',
      [bidirectional(lstm(), { hiddenSize: 3 })],
      { cells: ['bidirectional'] },
      'projection (none), got bidirectional.',
    ],
    [
      'an unknown module in withoutBias',
      [recurrentLstm, dense({ size: 2 })],
      { withoutBias: ['dense', 'fc'] },
      'withoutBias must be modules that can have bias=False (lstm, dense), got fc.',
    ],
    [
      'a batch normalization in withoutBias',
      [batchNorm(), dense({ size: 2 })],
      { withoutBias: ['batchNorm'] },
      'withoutBias must be modules that can have bias=False (dense), got batchNorm.',
    ],
  ])('%s', (_, layers, options, message) => {
    const model = sequential(layers, { inputSize: 2 });
    for (const { path, tensor: values } of leaves(model.parameters)) if (path.endsWith('bias')) values.data.fill(0);
    expect(() => toPyTorch(model, options)).toThrow(message);
  });

  it('a module that is not a string, and another option of fromPyTorch', () => {
    const model = sequential([recurrentLstm], { inputSize: 2 });
    const modules = { lstm: 5 } as unknown as Record<string, string>;
    const message = 'modules.lstm must be a string, got 5.';
    expect(() => toPyTorch(model, { modules })).toThrow(new TypeError(`toPyTorch: ${message}`));
    expect(() => fromPyTorch(model, {}, { modules })).toThrow(new TypeError(`fromPyTorch: ${message}`));
    const misspelled: object = { module: { lstm: 'rnn' } };
    expect(() => fromPyTorch(model, {}, misspelled)).toThrow(
      new TypeError('fromPyTorch: options must have only modules, got module.'),
    );
  });
});

it('a BatchNorm1d with affine=False has the gain 1 and the bias 0', () => {
  const model = sequential([batchNorm()], { inputSize: 2 });
  model.data.fill(7);
  fromPyTorch(model, { 'batchNorm.running_mean': tensor([3, 4]), 'batchNorm.running_var': tensor([5, 6]) });
  const { gain, bias, mean, variance } = model.parameters['batchNorm']!;
  expect([gain, bias, mean, variance].map((values) => [...values!.data])).toEqual([
    [1, 1],
    [0, 0],
    [3, 4],
    [5, 6],
  ]);
});

it('a BatchNorm1d without bias has a bias of zeros in PyTorch, which has a gain and a bias or neither', () => {
  const model = sequential([withoutBias(batchNorm())], { inputSize: 2 });
  model.parameters['batchNorm']!['gain']!.data.set([2, 3]);
  const weights = toPyTorch(model);
  expect(weights['batchNorm.bias']).toEqual(full([2], 0));
  const reloaded = sequential([withoutBias(batchNorm())], { inputSize: 2 });
  fromPyTorch(reloaded, weights);
  expect(reloaded.data).toEqual(model.data);
  for (const value of [0.5, NaN])
    expect(() => fromPyTorch(reloaded, { ...weights, 'batchNorm.bias': tensor([0, value]) })).toThrow(
      'fromPyTorch: batchNorm has no bias, but that of the module is not zero.',
    );
});

describe('weights that do not match are rejected, and the model is not changed', () => {
  const make = (): Sequential =>
    sequential([recurrent(lstm(), { hiddenSize: 2 }), dense({ size: 1 })], { inputSize: 3, seed: 1 });
  const weights = toPyTorch(make());
  it.each<[string, Record<string, Tensor | undefined>, string]>([
    [
      'missing',
      { 'lstm.weight_hh_l0': undefined },
      'fromPyTorch: lstm needs lstm.weight_hh_l0 [8, 2], which is missing. The weights are lstm.weight_ih_l0, ',
    ],
    [
      'one of two biases missing',
      { 'lstm.bias_hh_l0': undefined },
      'fromPyTorch: lstm needs lstm.bias_hh_l0 [8], which is missing.',
    ],
    ['a wrong shape', { 'dense.weight': full([2, 1], 0) }, 'fromPyTorch: dense.weight must be [1, 2], got [2, 1].'],
    ['an additional layer', { 'lstm.weight_ih_l1': full([8, 2], 0) }, 'fromPyTorch: no layer uses lstm.weight_ih_l1.'],
  ])('%s', (_, change, message) => {
    const changed = Object.fromEntries(
      Object.entries({ ...weights, ...change }).filter(([, value]) => value !== undefined),
    ) as Record<string, Tensor>;
    const model = make();
    const original = model.data.slice();
    expect(() => fromPyTorch(model, changed)).toThrow(message);
    expect(model.data).toEqual(original);
  });
});

describe('inferModel', () => {
  const random = createRandom(2);
  const matrix = (...shape: number[]): Tensor => normal(0, 1)(shape, random);
  const none =
    'no operation without weights, such as dropout, pooling, a residual connection or a LayerNorm with ' +
    'elementwise_affine=False, is around the modules';

  it('reports its assumptions', () => {
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
      'head, a matrix without bias, is a Linear',
      'head has no activation; set one with activations: { "head": relu }',
      none,
      'the last recurrent layer returns every step; use returnSequences: false for only the last one',
    ]);
  });

  it.each(['ln', 'ln_1', 'layernorm', 'encoder.layer_norm', 'LayerNorm'])(
    '%s, a vector without bias, is a LayerNorm with bias=False',
    (name) => {
      const weights = { [`${name}.weight`]: tensor([2, 0.5]), 'fc.weight': tensor([[3, 1]]), 'fc.bias': tensor([0]) };
      const { layers, inputSize, modules, assumed } = inferModel(weights);
      expect(assumed[0]).toBe(`${name}, a vector without bias, is a LayerNorm with eps 1e-5`);
      const model = sequential(layers, { inputSize: inputSize! });
      expect(leaves(model.parameters).map(({ path }) => path)).toEqual([
        'layerNorm.gain',
        'dense.weight',
        'dense.bias',
      ]);
      fromPyTorch(model, weights, { modules });
      // The normalized vector [5, 1] is [1, −1].
      expect(predict(model, tensor([[[5, 1]]])).data[0]).toBeCloseTo(3 * 2 - 0.5, 4);
      expect(toPyTorch(model, { modules })).toEqual(weights);
    },
  );

  it('a LayerNorm with bias=False in a model with a bias has a bias of zeros', () => {
    const model = sequential([layerNorm()], { inputSize: 2 });
    model.data.fill(7);
    fromPyTorch(model, { 'layerNorm.weight': tensor([2, 0.5]) });
    expect([...model.data]).toEqual([2, 0.5, 0, 0]);
    expect(() => fromPyTorch(model, {})).toThrow('layerNorm needs layerNorm.weight [2], which is missing.');
  });

  it('accepts an order, and reports if several orders fit', () => {
    const weights = { 'a.weight': matrix(3, 3), 'a.bias': matrix(3), 'b.weight': matrix(3, 3), 'b.bias': matrix(3) };
    expect(inferModel(weights).assumed).toEqual([
      'a has no activation; set one with activations: { "a": relu }',
      'b has no activation; set one with activations: { "b": relu }',
      none,
      'the order a, b, although others fit as well; set it with order: [...]',
    ]);
    expect(inferModel(weights, { order: ['b', 'a'], activations: { a: tanh, b: relu } })).toMatchObject({
      modules: { dense: 'b', dense2: 'a' },
      assumed: [none],
      inputSize: 3,
    });
    expect(() => inferModel(weights, { order: ['b'] })).toThrow(
      'inferModel: order must have every module exactly once: a (3 to 3), b (3 to 3).',
    );
    expect(() => inferModel(weights, { order: ['b', 'c'] })).toThrow('inferModel: order has c, which is not a module.');
    expect(() =>
      inferModel({ ...weights, 'c.weight': matrix(2, 3), 'c.bias': matrix(2) }, { order: ['a', 'c', 'b'] }),
    ).toThrow('the sizes of c (3 to 2), b (3 to 3) do not match in this order.');
    expect(inferModel({ ...weights, 'c.weight': matrix(2, 3), 'c.bias': matrix(2) }).modules).toEqual({
      dense: 'a',
      dense2: 'b',
      dense3: 'c',
    });
  });

  it('chooses convolutions, recurrent modules, normalizations and Linear modules in this order if sizes allow', () => {
    const ofSize4 = {
      'fc.weight': matrix(4, 4),
      'fc.bias': matrix(4),
      'norm.weight': matrix(4),
      'norm.bias': matrix(4),
      'rnn.weight_ih_l0': matrix(16, 4),
      'rnn.weight_hh_l0': matrix(16, 4),
      'conv.weight': matrix(4, 4, 3),
    };
    const { modules } = inferModel(ofSize4);
    expect(Object.values(modules)).toEqual(['conv', 'rnn', 'norm', 'fc']);
    expect(() => inferModel(ofSize4, { order: ['conv', 'rnn', 'norm', 'norm'] })).toThrow(
      'inferModel: order must have every module exactly once',
    );
    const many: Record<string, Tensor> = { 'last.weight': matrix(2, 3), 'last.bias': matrix(2) };
    for (let i = 0; i < 12; i++) Object.assign(many, { [`fc${i}.weight`]: matrix(4, 4), [`fc${i}.bias`]: matrix(4) });
    expect(() => inferModel(many)).toThrow('inferModel: there are too many possible orders of ');
  });

  it('the last part of a name shows whether a matrix without bias is an Embedding', () => {
    expect(inferModel({ 'embedder.out.weight': matrix(2, 3) }).modules).toEqual({ dense: 'embedder.out' });
  });

  it('a matrix without bias after the first module, or with an activation, is a Linear whatever its name', () => {
    const weights = {
      'embed.weight': matrix(3, 3),
      'rnn.weight_ih_l0': matrix(12, 3),
      'rnn.weight_hh_l0': matrix(12, 3),
    };
    const guessed = inferModel(weights);
    expect(guessed.modules).toEqual({ embedding: 'embed', lstm: 'rnn' });
    expect(guessed.assumed[0]).toBe('embed, a matrix without bias, is an Embedding');

    const projecting = inferModel(weights, { activations: { embed: relu } });
    expect(projecting).toMatchObject({ modules: { lstm: 'rnn', dense: 'embed' }, inputSize: 3 });
    expect(projecting.assumed.join()).not.toContain('a matrix without bias');

    const ordered = inferModel(weights, { order: ['rnn', 'embed'] });
    expect(ordered).toMatchObject({ modules: { lstm: 'rnn', dense: 'embed' }, inputSize: 3 });
    expect(ordered.assumed[0]).toBe('embed has no activation; set one with activations: { "embed": relu }');
    expect(inferModel(weights, { order: ['embed', 'rnn'] }).modules).toEqual(guessed.modules);
  });

  it('a recurrent module can have only the bias of the state', () => {
    const weights = { weight_ih_l0: matrix(12, 2), weight_hh_l0: matrix(12, 3), bias_hh_l0: matrix(12) };
    const { layers, inputSize, modules } = inferModel(weights);
    const model = sequential(layers, { inputSize: inputSize! });
    fromPyTorch(model, weights, { modules });
    expect(model.parameters['lstm']!['bias']!.data).toEqual(weights.bias_hh_l0.data);
  });

  it('rejects a nonlinearity that PyTorch does not have', () => {
    const weights = { weight_ih_l0: matrix(3, 2), weight_hh_l0: matrix(3, 3) };
    expect(() => inferModel(weights, { nonlinearity: 'sigmoid' as 'tanh' })).toThrow(
      new RangeError('inferModel: nonlinearity must be one of tanh, relu, got sigmoid.'),
    );
  });

  it('activations: the activation after a Linear, which weights do not show', () => {
    const weights = {
      'lstm.weight_ih_l0': matrix(12, 2),
      'lstm.weight_hh_l0': matrix(12, 3),
      'fc1.weight': matrix(4, 3),
      'fc1.bias': tensor([-3, 3, -1, 1]),
      'fc2.weight': matrix(2, 4),
      'fc2.bias': matrix(2),
    };
    expect(() => inferModel(weights, { activations: { fc1: 'relu' as never } })).toThrow(
      'inferModel: activations.fc1 must be a function, got relu.',
    );
    const outputs = (activations: InferOptions['activations'] = {}): number[] => {
      const { layers, inputSize, modules } = inferModel(weights, { activations });
      const model = sequential(layers, { inputSize: inputSize! });
      fromPyTorch(model, weights, { modules });
      return [...predict(model, tensor([[[0.5, -1]]])).data];
    };
    const at = (name: keyof typeof weights, row: number, column = 0): number =>
      weights[name].data[row * (weights[name].shape[1] ?? 1) + column]!;
    const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
    const h = [0, 1, 2].map((unit) => {
      const gate = (block: number): number =>
        0.5 * at('lstm.weight_ih_l0', block * 3 + unit, 0) - at('lstm.weight_ih_l0', block * 3 + unit, 1);
      return logistic(gate(3)) * Math.tanh(logistic(gate(0)) * Math.tanh(gate(2)));
    });
    const linear = (name: 'fc1' | 'fc2', x: readonly number[]): number[] =>
      Array.from({ length: weights[`${name}.bias`].data.length }, (_, row) =>
        x.reduce((total, value, i) => total + value * at(`${name}.weight`, row, i), at(`${name}.bias`, row)),
      );
    const hidden = linear('fc1', h);
    expect(Math.min(...hidden)).toBeLessThan(-0.1);
    const withRelu = linear(
      'fc2',
      hidden.map((value) => Math.max(0, value)),
    );
    outputs({ fc1: relu }).forEach((value, i) => expect(value).toBeCloseTo(withRelu[i]!, 5));
    linear('fc2', hidden).forEach((value, i) => expect(outputs()[i]).toBeCloseTo(value, 5));
    expect(inferModel(weights).assumed.slice(0, 2)).toEqual([
      'fc1 has no activation; set one with activations: { "fc1": relu }',
      'fc2 has no activation; set one with activations: { "fc2": relu }',
    ]);
    expect(() => inferModel(weights, { activations: { lstm: relu } })).toThrow(
      'inferModel: activations has lstm, which is not a Linear or Conv1d module. These modules are: fc1, fc2.',
    );
  });

  it('Conv1d and BatchNorm1d: options and activations that weights do not show', () => {
    const layers = [
      conv1d({ size: 6, kernelSize: 3, padding: 'same', stride: 2, activation: relu }),
      batchNorm(),
      conv1d({ size: 6, kernelSize: 3, groups: 6 }),
      recurrent(gru(), { hiddenSize: 5 }),
    ];
    const model = sequential(layers, { inputSize: 4, seed: 3 });
    model.parameters['batchNorm']!['mean']!.data.set([0.5, 0.1, 0.25, -1, 2, 0]);
    model.parameters['batchNorm']!['variance']!.data.set([0.5, 1, 2, 3, 1, 0.25]);
    const names = { conv: 'features.0', batchNorm: 'features.2', conv2: 'depthwise', gru: 'rnn' };
    const weights = toPyTorch(model, { modules: names });
    const renamed = Object.entries(weights)
      .filter(([path]) => path.startsWith('features.2.'))
      .map(([path, values]) => [path.replace('features.2', 'bn'), values] as const);
    const { assumed, modules, ...inferred } = inferModel(weights, {
      order: Object.values(names),
      activations: { 'features.0': relu },
      convolutions: { 'features.0': { padding: 'same', stride: 2 }, depthwise: { groups: 6 } },
    });
    expect(modules).toEqual(names);
    expect(assumed.slice(0, 2)).toEqual([
      'features.2 is a BatchNorm1d with eps 1e-5 and momentum 0.1',
      'depthwise has no activation; set one with activations: { "depthwise": relu }',
    ]);
    const copy = sequential(inferred.layers, { inputSize: inferred.inputSize! });
    fromPyTorch(copy, weights, { modules });
    const counted = { 'bn.num_batches_tracked': full([], 7), ...Object.fromEntries(renamed) };
    expect(inferModel(counted).layers.map(({ name }) => name)).toEqual(['batchNorm']);
    const x = normal(0, 1)([9, 2, 4], createRandom(5));
    expect(predict(copy, x)).toEqual(predict(model, x));

    expect(inferModel({ 'conv.weight': matrix(2, 3, 5), 'conv.bias': matrix(2) }).assumed.slice(0, 2)).toEqual([
      'conv is a Conv1d with stride 1, dilation 1, one group and no padding; set others with convolutions: { "conv": { ' +
        "padding: 'same' } }",
      'conv has no activation; set one with activations: { "conv": relu }',
    ]);
    const wrong =
      (convolutions: object): (() => unknown) =>
      () =>
        inferModel(weights, { convolutions } as InferOptions);
    expect(wrong({ rnn: {} })).toThrow('convolutions has rnn, which is not a Conv1d module. These modules are: ');
    expect(wrong({ depthwise: { size: 6 } })).toThrow('inferModel: convolutions.depthwise must have only stride');
    expect(wrong({ depthwise: { groups: 0 } })).toThrow('inferModel: convolutions.depthwise.groups must be');
    expect(wrong({ depthwise: { groups: 6, stride: 0 } })).toThrow(
      'inferModel: convolutions.depthwise.stride must be an integer of at least 1, got 0.',
    );
    expect(wrong({ depthwise: 3 })).toThrow('inferModel: convolutions.depthwise must be an object, got 3.');
  });

  it('reports padding rows, cells that run over the steps, and what the last step of two directions is', () => {
    const table = matrix(4, 2);
    table.data.fill(0, 2, 4);
    table.data[0] = 0;
    const stateOf = (suffix: string, inputs: number): Record<string, Tensor> => ({
      [`weight_ih${suffix}`]: matrix(12, inputs),
      [`weight_hh${suffix}`]: matrix(12, 3),
    });
    const named = (name: string, entries: Record<string, Tensor>): Record<string, Tensor> =>
      Object.fromEntries(Object.entries(entries).map(([key, value]) => [`${name}.${key}`, value]));
    const weights = {
      'out_embedding.weight': table,
      ...named('cell', stateOf('', 2)),
      ...named('rnn', { ...stateOf('_l0', 3), ...stateOf('_l0_reverse', 3) }),
    };
    expect(inferModel(weights, { returnSequences: false }).assumed).toEqual([
      'out_embedding, a matrix without bias, is an Embedding',
      'row 1 of out_embedding, all zeros, is trained; with padding_idx=1 it is not',
      'cell, a single cell, runs over the steps from first to last',
      none,
      'the last recurrent layer returns the final output of each direction (h_n), which is not output[-1]',
    ]);
    expect(inferModel(stateOf('_l0', 2)).assumed).toHaveLength(2);
  });

  it('long names and many modules take linear time', () => {
    const name = `${'fc'.repeat(100_000)}-`;
    expect(inferModel({ [`${name}.weight`]: matrix(2, 3) }).modules).toEqual({ dense: name });
    const many = Object.fromEntries(Array.from({ length: 8000 }, (_, i) => [`w${i}`, tensor([0])]));
    expect(() => inferModel(many)).toThrow('inferModel: w0 does not belong to a supported module');
    const modules = Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [`w${i}.weight`, tensor([0])]));
    expect(() => inferModel(modules)).toThrow('inferModel: weights must have at most 1024 modules, got 1025.');
    const layers: Record<string, Tensor> = { weight_hh_l0: matrix(3, 1) };
    for (let i = 0; i < 1025; i++) layers[`weight_ih_l${i}`] = matrix(3, 1);
    expect(() => inferModel(layers)).toThrow('inferModel: the module must have at most 1024 layers, got 1025.');
  });

  it('returnSequences: false gives a model with one output per sequence', () => {
    const weights = toPyTorch(
      sequential([recurrent(gru(), { hiddenSize: 3 }), recurrent(gru(), { hiddenSize: 3 })], { inputSize: 2 }),
      { modules: { gru: 'rnn', gru2: 'rnn' } },
    );
    const { layers, inputSize } = inferModel(weights, { returnSequences: false });
    expect(predict(sequential(layers, { inputSize: inputSize! }), full([4, 2, 2], 1)).shape).toEqual([2, 3]);
  });

  it.each<[string, Record<string, Tensor>, string]>([
    ['no weights', {}, 'weights must have at least one tensor'],
    [
      'a convolution over two axes',
      { 'conv.weight': matrix(2, 3, 5, 5), 'conv.bias': matrix(2) },
      'conv.weight [2, 3, 5, 5] does not belong to an Embedding, a Linear or a Conv1d.',
    ],
    [
      'a batch normalization without variance',
      { 'bn.weight': matrix(2), 'bn.bias': matrix(2), 'bn.running_mean': matrix(2) },
      'bn has running_mean, but no running_var, so it is not an affine BatchNorm1d.',
    ],
    [
      'a batch normalization with another weight',
      Object.fromEntries(
        ['weight', 'bias', 'running_mean', 'running_var', 'scale'].map((name) => [`bn.${name}`, matrix(2)]),
      ),
      'bn.scale does not belong to a BatchNorm1d.',
    ],
    [
      'a root mean square normalization',
      { 'norm.weight': matrix(3) },
      'norm has a weight [3] without bias, as RMSNorm and PReLU, which are not supported. If it is a LayerNorm with ' +
        'bias=False, add norm.bias with zeros.',
    ],
    [
      'two gates of a cell',
      { weight_ih: matrix(4, 3), weight_hh: matrix(4, 2) },
      'weight_ih [4, 3] and weight_hh with 2 columns do not belong to an RNN, LSTM or GRU.',
    ],
    [
      'two gates',
      { 'x.weight_ih_l0': matrix(4, 3), 'x.weight_hh_l0': matrix(4, 2) },
      'x.weight_ih_l0 [4, 3] and weight_hh_l0 with 2 columns do not belong to an RNN, LSTM or GRU.',
    ],
    [
      'a GRU with a projection',
      { 'x.weight_ih_l0': matrix(9, 2), 'x.weight_hh_l0': matrix(9, 2), 'x.weight_hr_l0': matrix(2, 3) },
      'x.weight_ih_l0 [9, 2] and weight_hh_l0 with 2 columns do not belong to an RNN, LSTM or GRU.',
    ],
    [
      'modules with sizes that do not match',
      { 'a.weight': matrix(2, 3), 'a.bias': matrix(2), 'b.weight': matrix(7, 5), 'b.bias': matrix(7) },
      'the modules do not form a single chain: a (3 to 2), b (5 to 7).',
    ],
  ])('rejects %s', (_, weights, message) => expect(() => inferModel(weights)).toThrow(`inferModel: ${message}`));
});

it('fromPyTorch ignores and reports the batch counts of normalizations, but no other unused weight', () => {
  const model = sequential([dense({ size: 1 })], { inputSize: 1 });
  const weights = {
    'dense.weight': full([1, 1], 2),
    'dense.bias': full([1], 3),
    'bn.num_batches_tracked': full([], 7),
  };
  expect(fromPyTorch(model, weights)).toEqual({ ignored: ['bn.num_batches_tracked'] });
  expect([...model.data]).toEqual([2, 3]);
  expect(() => fromPyTorch(model, { ...weights, my_num_batches_tracked: full([], 7) })).toThrow(
    'fromPyTorch: no layer uses my_num_batches_tracked.',
  );
  expect(() => fromPyTorch(model, { ...weights, 'bn.running_mean': full([1], 0) })).toThrow(
    'fromPyTorch: no layer uses bn.running_mean.',
  );
});
