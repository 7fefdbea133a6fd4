/** Layers of Keras 2 and 3 in `.keras` files, compared with their definitions in double precision. */

import { readFileSync } from 'node:fs';
import {
  bidirectional,
  conv1d,
  createRandom,
  dense as denseLayer,
  fit,
  freeze,
  full,
  integerNumber,
  intTensor,
  leaves,
  load,
  lstm,
  meanSquaredError,
  predict,
  save,
  sequential,
  sgd,
  tensor,
  toTimeMajor,
} from 'bptt';
import { fromKeras, importKeras, readHdf5 } from 'bptt/keras';
import { describe, expect, it } from 'vitest';
import { hardSigmoidSlope } from '../../src/formats/keras/version';
import { hdf5Of, kerasFile, sequentialConfig, type Weight, weight } from './keras-files';

const expectClose = (found: ArrayLike<number>, expected: readonly number[]): void => {
  expect(found.length).toBe(expected.length);
  expected.forEach((value, i) =>
    expect(Math.abs(found[i]! - value), String(i)).toBeLessThan(1e-6 * Math.max(1, Math.abs(value))),
  );
};

/** The hidden state of an LSTM with hard sigmoid gates after T steps of one sequence. */
function hardLstm(x: readonly (readonly number[])[], [kernel, recurrent, bias]: Weight[], slope: number): number[] {
  const H = recurrent!.shape[0]!;
  const gate = (z: number): number => Math.min(1, Math.max(0, slope * z + 0.5));
  let h = Array<number>(H).fill(0);
  let c = h;
  for (const step of x) {
    const z = bias!.data.map(
      (b, k) =>
        step.reduce((sum, v, i) => sum + v * kernel!.data[i * 4 * H + k]!, b) +
        h.reduce((sum, v, i) => sum + v * recurrent!.data[i * 4 * H + k]!, 0),
    );
    c = c.map((v, k) => gate(z[H + k]!) * v + gate(z[k]!) * Math.tanh(z[2 * H + k]!));
    h = c.map((v, k) => gate(z[3 * H + k]!) * Math.tanh(v));
  }
  return h;
}

describe('hard_sigmoid gates', () => {
  const weights = [weight(2, 12), weight(3, 12), weight(12)];
  const x = [
    [0.7, -1.2],
    [3, 2],
    [-0.4, 0.9],
  ];
  const file = (version?: string): Uint8Array =>
    kerasFile({
      config: sequentialConfig(
        [3, 2],
        ['LSTM', { units: 3, activation: 'tanh', recurrent_activation: 'hard_sigmoid' }],
      ),
      ...(version === undefined ? {} : { version }),
      weights: Object.fromEntries(weights.map((each, i) => [`layers\\lstm\\cell\\vars\\${i}`, each])),
    });

  it.each([
    ['2.15.0', 1 / 5],
    ['3.6.0', 1 / 6],
    ['3.0.0.dev2023', 1 / 6],
  ])('Keras %s: the slope is %s', (version, slope) => {
    const { model } = importKeras(file(version));
    expectClose(predict(model, toTimeMajor(tensor([x]))).data, hardLstm(x, weights, slope));
  });

  it.each<[string, object, string]>([
    ['Dense', { units: 2 }, 'dense\\vars'],
    ['Conv1D', { filters: 2, kernel_size: [1] }, 'conv1d\\vars'],
    ['SimpleRNN', { units: 2, return_sequences: true }, 'simple_rnn\\cell\\vars'],
  ])('%s has the slope of the version, too', (className, config, path) => {
    const layer = { use_bias: false, activation: 'hard_sigmoid', ...config };
    const kernel = { shape: className === 'Conv1D' ? [1, 1, 2] : [1, 2], data: [0.5, -2] };
    const weights = {
      [`layers\\${path}\\0`]: kernel,
      ...(className === 'SimpleRNN' && { [`layers\\${path}\\1`]: weight(2, 2) }),
    };
    for (const [version, slope] of [
      ['2.15.0', 1 / 5],
      ['3.6.0', 1 / 6],
    ] as const) {
      const file = kerasFile({ config: sequentialConfig([1, 1], [className, layer]), version, weights });
      expectClose(predict(importKeras(file).model, tensor([[[1.5]]])).data, [
        0.5 + 0.75 * slope,
        Math.max(0, 0.5 - 3 * slope),
      ]);
    }
    expect(hardSigmoidSlope('tfjs-layers 4.22.0')).toBe(1 / 5);
  });

  it('a file without a version is rejected, since the slope depends on it', () => {
    for (const version of [undefined, 'unknown'])
      expect(() => importKeras(file(version))).toThrow(
        'importKeras: layer0 has recurrent_activation hard_sigmoid, which is not the same in Keras 2 and Keras 3, and ' +
          'the file has no keras_version.',
      );
  });
});

it.each<[string, object, object, Record<string, Weight>]>([
  [
    'LSTM',
    { units: 2 },
    { activation: 'tanh', recurrent_activation: 'sigmoid', return_sequences: false },
    {
      'lstm\\cell\\vars\\0': weight(4, 8),
      'lstm\\cell\\vars\\1': weight(2, 8),
      'lstm\\cell\\vars\\2': weight(8),
    },
  ],
  [
    'LayerNormalization',
    {},
    { axis: -1, epsilon: 1e-3 },
    {
      'layer_normalization\\vars\\0': weight(4),
      'layer_normalization\\vars\\1': weight(4),
    },
  ],
  [
    'BatchNormalization',
    {},
    { axis: -1, epsilon: 1e-3, momentum: 0.99 },
    {
      'batch_normalization\\vars\\0': weight(4),
      'batch_normalization\\vars\\1': weight(4),
      'batch_normalization\\vars\\2': weight(4),
      'batch_normalization\\vars\\3': { shape: [4], data: [1e-3, 2e-3, 0.5, 2] },
    },
  ],
  [
    'Conv1D',
    { filters: 2, kernel_size: 2 },
    { strides: 1, dilation_rate: 1, padding: 'valid', groups: 1 },
    {
      'conv1d\\vars\\0': weight(2, 4, 2),
      'conv1d\\vars\\1': weight(2),
    },
  ],
  ['MaxPooling1D', {}, { pool_size: 2, strides: 2, padding: 'valid' }, {}],
  ['LeakyReLU', {}, { negative_slope: 0.3 }, {}],
  ['ReLU', {}, { negative_slope: 0, max_value: null, threshold: 0 }, {}],
])('%s: options that a file omits have the defaults of Keras', (className, required, defaults, own) => {
  const head: Record<string, Weight> = { 'layers\\dense\\vars\\0': weight(4, 4), 'layers\\dense\\vars\\1': weight(4) };
  const weights = Object.entries(own).map(([path, each]) => [`layers\\${path}`, each]);
  const [short, long] = [required, { ...required, ...defaults }].map((config) => {
    const layers = [
      ['Dense', { units: 4 }],
      [className, config],
    ] as const;
    const file = { config: sequentialConfig([5, 4], ...layers), weights: { ...head, ...Object.fromEntries(weights) } };
    return importKeras(kerasFile({ ...file, version: '3.6.0' })).model;
  });
  const x = toTimeMajor(
    tensor(
      [weight(5, 4).data.map((value) => 0.1 * value)].map((row) =>
        Array.from({ length: 5 }, (_, t) => row.slice(4 * t, 4 * t + 4)),
      ),
    ),
  );
  expect(predict(short!, x)).toEqual(predict(long!, x));
  // The momentum has an effect in training.
  expect(short!.layers.map(({ layer }) => layer.origin)).toEqual(long!.layers.map(({ layer }) => layer.origin));
});

describe('files of Keras 2 and of Windows', () => {
  const kernels = [weight(2, 2), weight(2, 3)];
  const x = [[0.5, -0.25]];
  const times = (row: readonly number[], { shape, data }: Weight): number[] =>
    Array.from({ length: shape[1]! }, (_, j) => row.reduce((sum, v, i) => sum + v * data[i * shape[1]! + j]!, 0));
  const expected = times(times(x[0]!, kernels[0]!), kernels[1]!);
  const dense = (units: number): readonly [string, object] => ['Dense', { units, use_bias: false }];
  const config = sequentialConfig([1, 2], dense(2), dense(3));
  const outputs = (file: Uint8Array): Float32Array => predict(importKeras(file).model, toTimeMajor(tensor([x]))).data;

  it.each([
    ['numbered one by one', 'dense', 'dense_1'],
    ['numbered two by two', 'dense', 'dense_2'],
    ['with numbers whose order is not that of their names', 'dense_9', 'dense_10'],
  ])('layers %s', (_, first, second) => {
    const root = '_layer_checkpoint_dependencies\\';
    const weights = { [`${root}${second}\\vars\\0`]: kernels[1]!, [`${root}${first}\\vars\\0`]: kernels[0]! };
    expectClose(outputs(kerasFile({ config, version: '2.13.1', weights })), expected);
  });

  it('the moments of an optimizer are not taken for weights', () => {
    const weights = {
      'model_weights\\layer0\\layer0\\kernel:0': kernels[0]!,
      'model_weights\\layer1\\layer1\\kernel:0': kernels[1]!,
      'optimizer_weights\\Adam\\m\\layer0\\kernel:0': weight(2, 2),
      'optimizer_weights\\Adam\\v\\layer1\\kernel:0': weight(2, 3),
      'optimizer_weights\\training\\Adam\\layer1\\kernel\\m:0': weight(2, 3),
    };
    const { tensors } = readHdf5(hdf5Of(weights));
    const model = sequential([denseLayer({ size: 2 }), denseLayer({ size: 3 })], { inputSize: 2 });
    fromKeras(model, tensors, { layers: { dense: 'layer0', dense2: 'layer1' } });
    expectClose(predict(model, toTimeMajor(tensor([x]))).data, expected);
  });

  it('a weight that is in the file twice is rejected', () => {
    const weights = { 'layers\\dense\\vars\\0': kernels[0]!, 'copies\\dense\\vars\\0': kernels[0]! };
    expect(() => importKeras(kerasFile({ config: sequentialConfig([1, 2], dense(2)), weights }))).toThrow(
      'importKeras: the layer dense has two weights 0, copies\\dense\\vars\\0 and layers\\dense\\vars\\0.',
    );
  });

  it('NaN and Infinity in config.json are read, and rejected if a layer needs a number', () => {
    const file = (text: string): Uint8Array =>
      kerasFile({
        config: JSON.stringify(config).replace('"units":3', text),
        weights: { 'layers\\dense\\vars\\0': kernels[0]!, 'layers\\dense_1\\vars\\0': kernels[1]! },
      });
    expectClose(outputs(file('"units":3,"a":NaN,"b":[-Infinity,Infinity],"c":"NaN \\"Infinity"')), expected);
    expect(() => importKeras(file('"units":NaN'))).toThrow(
      'units of layer1 must be an integer of at least 1, got "NaN".',
    );
    expect(() => importKeras(file('"units":Infinity'))).toThrow('units of layer1 must be an integer of at least 1');
    expect(() => importKeras(file('"units":nan'))).toThrow('importKeras: config.json is not valid JSON.');
    expect(() => importKeras(file(`"units":"${'\\"'.repeat(2e5)}`))).toThrow('config.json is not valid JSON.');
  });
});

describe('functional models of Keras 3 with masks', () => {
  const from = (layer: string): object => ({
    class_name: '__keras_tensor__',
    config: { shape: [null, 3], dtype: 'float32', keras_history: [layer, 0, 0] },
  });
  const call = (source: string, kwargs: object = {}): object[] => [{ args: [from(source)], kwargs }];
  const layer = (className: string, name: string, config: object, inbound: object[]): object => ({
    module: 'keras.layers',
    class_name: className,
    name,
    config: { name, ...config },
    inbound_nodes: inbound,
  });
  const functional = (...layers: object[]): object => ({ class_name: 'Functional', config: { name: 'f', layers } });
  const [table, kernel] = [weight(5, 2), weight(2, 3)];
  const weights = {
    'layers\\embedding\\vars\\0': table,
    'layers\\simple_rnn\\cell\\vars\\0': kernel,
    'layers\\simple_rnn\\cell\\vars\\1': weight(3, 3),
  };
  const embeddingLayer = layer('Embedding', 'e', { input_dim: 5, output_dim: 2, mask_zero: true }, call('ids'));
  const rnn = (kwargs: object): object =>
    layer('SimpleRNN', 'rnn', { units: 3, activation: 'tanh', use_bias: false }, call('e', kwargs));
  const input = layer('InputLayer', 'ids', { batch_shape: [null, 3], dtype: 'int32' }, []);
  const notEqual = layer('NotEqual', 'not_equal', {}, [{ args: [from('ids'), 0], kwargs: {} }]);
  const any = layer('Any', 'any', { axis: [-1], keepdims: false }, call('not_equal'));
  const config = functional(input, embeddingLayer, notEqual, any, rnn({ training: false, mask: from('any') }));

  it('with zero_output_for_mask, have a note, or are rejected without return_sequences', () => {
    const importWith = (options: object): readonly string[] => {
      const units = { units: 3, activation: 'tanh', use_bias: false, zero_output_for_mask: true, ...options };
      const zero = layer('SimpleRNN', 'rnn', units, call('e', { training: false, mask: from('any') }));
      const file = kerasFile({ config: functional(input, embeddingLayer, notEqual, any, zero), weights });
      return importKeras(file, { lengths: true }).notes;
    };
    expect(importWith({ return_sequences: true })[1]).toBe(
      'rnn has zero outputs at masked steps (zero_output_for_mask): if it is the last recurrent layer, pass ' +
        'zeroOutputForMask: true to predictMasked',
    );
    expect(() => importWith({})).toThrow(
      'importKeras: rnn has zero_output_for_mask without return_sequences: Keras returns zeros if the last step is ' +
        'masked, which is not supported.',
    );
  });

  it('are imported with lengths: true', () => {
    const { model, notes } = importKeras(kerasFile({ config, weights }), { lengths: true });
    expect(notes).toEqual(['e masked the id 0: pass the sequence lengths to predict instead, or use predictMasked']);
    const step = (id: number, h: readonly number[]): number[] =>
      [0, 1, 2].map((j) =>
        Math.tanh(
          [0, 1].reduce((sum, i) => sum + table.data[2 * id + i]! * kernel.data[3 * i + j]!, 0) +
            h.reduce((sum, v, i) => sum + v * weight(3, 3).data[3 * i + j]!, 0),
        ),
      );
    const output = predict(model, toTimeMajor(intTensor([[4, 2, 0]])), { lengths: Int32Array.of(2) });
    expectClose(output.data, step(2, step(4, [0, 0, 0])));
  });

  it('are rejected without it', () => {
    expect(() => importKeras(kerasFile({ config, weights }))).toThrow(
      'importKeras: e masks the id 0 (mask_zero). Sequence lengths replace masks',
    );
  });

  it('masks from other layers, and operations that are not masks, are rejected', () => {
    const options = { lengths: true };
    const other = functional(input, embeddingLayer, rnn({ mask: from('ids') }));
    expect(() => importKeras(kerasFile({ config: other, weights }), options)).toThrow(
      'importKeras: rnn has a mask from ids, which is not the mask of a layer.',
    );
    const data = functional(
      input,
      notEqual,
      layer('Embedding', 'e', { input_dim: 5, output_dim: 2 }, call('not_equal')),
    );
    expect(() => importKeras(kerasFile({ config: data, weights }), options)).toThrow(
      'importKeras: e has inputs not_equal: the layers must be a single chain, ids, e.',
    );
  });
});

describe('.h5 files of whole models', () => {
  const x = [
    [0.7, -1.2],
    [3, 2],
    [-0.4, 0.9],
  ];
  const bytes = (name: string): Uint8Array => readFileSync(new URL(`../golden/keras/${name}.h5`, import.meta.url));

  it.each(['legacy', 'legacy-gzip', 'legacy-latest'])(
    '%s: the model is imported, without the state of the optimizer',
    (name) => {
      const { model, notes } = importKeras(bytes(name));
      const h = hardLstm(x, [weight(2, 12), weight(3, 12), weight(12)], 1 / 5);
      const [kernel, bias] = [weight(3, 2), weight(2)];
      const expected = bias.data.map((b, j) => h.reduce((sum, v, i) => sum + v * kernel.data[2 * i + j]!, b));
      expectClose(predict(model, toTimeMajor(tensor([x]))).data, expected);
      expect(notes).toEqual([]);
      const { others, attributes } = readHdf5(bytes(name));
      expect(others).toEqual(['optimizer_weights/iteration:0']);
      expect(attributes['keras_version']).toBe('2.13.1');
      expect(Object.keys(attributes).sort()).toEqual(['backend', 'keras_version', 'model_config', 'training_config']);
    },
  );

  it('a file with weights only is rejected', () => {
    expect(() => importKeras(bytes('tagger.weights'))).toThrow(
      'importKeras: the HDF5 file has weights, but no model_config. Create the model and load them with fromKeras.',
    );
  });

  it('a file of Keras 1 is rejected', () => {
    const file = new Uint8Array(bytes('legacy'));
    const at = new TextDecoder('latin1').decode(file).indexOf('2.13.1');
    file.set([0x31, 0x2e], at);
    expect(() => importKeras(file)).toThrow(
      'importKeras: the file was written by Keras 1.13.1; only files of Keras 2 and 3 are supported. Load it with ' +
        'Keras 2, and save it again.',
    );
  });

  it('a file with random bytes changed is read or rejected with a RangeError', () => {
    const random = createRandom(5);
    const file = bytes('legacy');
    const offsets = [...file.keys()].filter((at) => file[at] !== 0);
    let rejected = 0;
    for (let i = 0; i < 1500; i++) {
      const wrong = file.slice(0, integerNumber(random, 20) === 0 ? integerNumber(random, file.length) : file.length);
      for (let k = integerNumber(random, 3); k >= 0; k--)
        wrong[offsets[integerNumber(random, offsets.length)]!] = integerNumber(random, 256);
      try {
        importKeras(wrong);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        expect((error as Error).message).toMatch(/^importKeras: /);
        rejected++;
      }
    }
    expect(rejected).toBeGreaterThan(200);
  });
});

type Side = readonly [className: 'LSTM' | 'GRU', config: Readonly<Record<string, unknown> & { units: number }>];
it.each<[string, Side, Side]>([
  [
    'class, size and activation',
    ['LSTM', { units: 2, activation: 'tanh' }],
    ['GRU', { units: 3, activation: 'relu', reset_after: true }],
  ],
  ['class', ['LSTM', { units: 2 }], ['GRU', { units: 2 }]],
  ['size', ['LSTM', { units: 2 }], ['LSTM', { units: 3 }]],
  ['activation', ['LSTM', { units: 2 }], ['LSTM', { units: 2, activation: 'relu' }]],
  ['gates', ['LSTM', { units: 2 }], ['LSTM', { units: 2, recurrent_activation: 'hard_sigmoid' }]],
  ['reset', ['GRU', { units: 2, use_bias: false, reset_after: true }], ['GRU', { units: 2, use_bias: false }]],
  ['bias', ['GRU', { units: 2 }], ['GRU', { units: 2, use_bias: false }]],
])('a Bidirectional with a backward layer of another %s', (_, [forwardClass, first], [backwardClass, second]) => {
  const H = first.units;
  const K = second.units;
  const forward = { ...first, return_sequences: true };
  const backward = { ...second, return_sequences: true, go_backwards: true };
  const weightsOf = (side: string, [className, { units, use_bias, reset_after }]: Side): [string, Weight][] => {
    const size = (className === 'LSTM' ? 4 : 3) * units;
    const bias = use_bias === false ? [] : [reset_after ? weight(2, size) : weight(size)];
    return [weight(2, size), weight(units, size), ...bias].map((each, i) => [
      `layers\\bidirectional\\${side}_layer\\cell\\vars\\${i}`,
      each,
    ]);
  };
  const weights = Object.fromEntries([
    ...weightsOf('forward', [forwardClass, first]),
    ...weightsOf('backward', [backwardClass, second]),
  ]);
  const options = {
    layer: { class_name: forwardClass, config: { name: 'forward', ...forward } },
    backward_layer: { class_name: backwardClass, config: { name: 'backward', ...backward } },
    merge_mode: 'concat',
  };
  const fileWith = (layer: object): Uint8Array =>
    kerasFile({ config: sequentialConfig([3, 2], ['Bidirectional', layer]), version: '3.6.0', weights });
  const { model } = importKeras(fileWith(options));
  expect(() =>
    importKeras(
      fileWith({ ...options, layer: { class_name: forwardClass, config: { ...forward, go_backwards: true } } }),
    ),
  ).toThrow('has go_backwards, which is not supported.');
  const single = (className: string, cellOptions: object, prefix: string): readonly number[] => {
    const own = Object.entries(weights).filter(([path]) => path.includes(prefix));
    const name = className.toLowerCase();
    const file = kerasFile({
      config: sequentialConfig([3, 2], [className, { ...cellOptions, go_backwards: false }]),
      version: '3.6.0',
      weights: Object.fromEntries(own.map(([, each], i) => [`layers\\${name}\\cell\\vars\\${i}`, each])),
    });
    return [...predict(importKeras(file).model, prefix === 'forward' ? inputs : reversed).data];
  };
  const inputs = toTimeMajor(
    tensor([
      [
        [0.7, -1.2],
        [1, 0.5],
        [-0.4, 0.9],
      ],
    ]),
  );
  const reversed = toTimeMajor(
    tensor([
      [
        [-0.4, 0.9],
        [1, 0.5],
        [0.7, -1.2],
      ],
    ]),
  );
  const [a, b] = [single(forwardClass, forward, 'forward'), single(backwardClass, backward, 'backward')];
  const expected = [0, 1, 2].flatMap((t) => [...a.slice(t * H, (t + 1) * H), ...b.slice((2 - t) * K, (3 - t) * K)]);
  expectClose(predict(model, inputs).data, expected);
  expect(model.layers[0]!.output).toEqual({ kind: 'vectors', size: H + K, perStep: true });
});

it('dropout of a recurrent layer and of each direction is kept for training', () => {
  const own = { kernel: weight(2, 8), recurrent: weight(2, 8), bias: weight(8) };
  const weights = (...prefixes: string[]): Record<string, Weight> =>
    Object.fromEntries(
      prefixes.flatMap((prefix) => Object.values(own).map((each, i) => [`layers\\${prefix}\\cell\\vars\\${i}`, each])),
    );
  const originOf = (layer: readonly [string, object], ...prefixes: string[]): readonly unknown[] | undefined => {
    const file = { config: sequentialConfig([3, 2], layer), version: '3.6.0', weights: weights(...prefixes) };
    return importKeras(kerasFile(file)).model.layers[0]!.layer.origin;
  };
  const rates = { dropout: 0.2, recurrent_dropout: 0.3 };
  expect(originOf(['LSTM', { units: 2, ...rates }], 'lstm')?.[2]).toMatchObject({
    inputDropout: 0.2,
    recurrentDropout: 0.3,
  });
  const side = (config: object) => ({ class_name: 'LSTM', config: { name: 'lstm', units: 2, ...config } });
  const both = { layer: side(rates), backward_layer: side({ go_backwards: true }), merge_mode: 'concat' };
  const directions = ['bidirectional\\forward_layer', 'bidirectional\\backward_layer'];
  expect(originOf(['Bidirectional', both], ...directions)?.[2]).toMatchObject({
    inputDropout: 0.2,
    recurrentDropout: 0.3,
    reverse: { inputDropout: 0, recurrentDropout: 0 },
  });
});

describe('LSTM and GRU with other activations', () => {
  type Function = (x: number) => number;
  const functions: Readonly<Record<string, Function>> = {
    tanh: Math.tanh,
    relu: (x) => Math.max(0, x),
    linear: (x) => x,
    sigmoid: (x) => 1 / (1 + Math.exp(-x)),
    hard_sigmoid: (x) => Math.min(1, Math.max(0, x / 6 + 0.5)),
    softplus: (x) => Math.log1p(Math.exp(x)),
  };
  const x = [
    [0.7, -1.2],
    [1, 0.5],
    [-0.4, 0.9],
  ];
  /** x W + b of one row; the columns from `from` up to `to`. */
  const product = (row: readonly number[], { shape, data }: Weight, from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, j) =>
      row.reduce((sum, v, i) => sum + v * data[i * shape[1]! + from + j]!, 0),
    );
  const plus = (a: readonly number[], b: readonly number[]): number[] => a.map((v, i) => v + b[i]!);
  const H = 3;

  function lstmState(gate: Function, f: Function): number[] {
    const [kernel, recurrent, bias] = [weight(2, 12), weight(3, 12), weight(12)];
    let [h, c] = [Array<number>(H).fill(0), Array<number>(H).fill(0)];
    for (const row of x) {
      const z = plus(plus(product(row, kernel, 0, 12), product(h, recurrent, 0, 12)), bias.data);
      c = c.map((v, k) => gate(z[H + k]!) * v + gate(z[k]!) * f(z[2 * H + k]!));
      h = c.map((v, k) => gate(z[3 * H + k]!) * f(v));
    }
    return h;
  }

  function gruState(gate: Function, f: Function, resetAfter: boolean): number[] {
    const [kernel, recurrent] = [weight(2, 9), weight(3, 9)];
    const bias = resetAfter ? weight(2, 9).data : [...weight(9).data, ...Array<number>(9).fill(0)];
    const [input, hidden] = [bias.slice(0, 9), bias.slice(9)];
    let h = Array<number>(H).fill(0);
    for (const row of x) {
      const a = plus(product(row, kernel, 0, 9), input);
      const b = plus(product(h, recurrent, 0, 9), hidden);
      const [z, r] = [0, H].map((from) => h.map((_, k) => gate(a[from + k]! + b[from + k]!))) as [number[], number[]];
      const reset = resetAfter
        ? r.map((v, k) => v * b[2 * H + k]!)
        : product(
            r.map((v, k) => v * h[k]!),
            recurrent,
            2 * H,
            3 * H,
          );
      h = h.map((v, k) => z[k]! * v + (1 - z[k]!) * f(a[2 * H + k]! + reset[k]!));
    }
    return h;
  }

  it.each(
    [
      ['relu', 'sigmoid'],
      ['tanh', 'relu'],
      ['relu', 'hard_sigmoid'],
      ['linear', 'sigmoid'],
      ['softplus', 'sigmoid'],
      ['tanh', 'linear'],
      ['hard_sigmoid', 'hard_sigmoid'],
      ['tanh', 'sigmoid'],
    ].flatMap(([f, gate]) => ['LSTM', 'GRU', 'GRU reset before'].map((kind) => [kind, f!, gate!] as const)),
  )('%s with activation %s and gates %s, also after save and load', (kind, f, gate) => {
    const isLstm = kind === 'LSTM';
    const resetAfter = kind === 'GRU';
    const weights = isLstm
      ? [weight(2, 12), weight(3, 12), weight(12)]
      : [weight(2, 9), weight(3, 9), resetAfter ? weight(2, 9) : weight(9)];
    const options = { units: H, activation: f, recurrent_activation: gate, reset_after: resetAfter };
    const { model, notes } = importKeras(
      kerasFile({
        config: sequentialConfig([3, 2], [isLstm ? 'LSTM' : 'GRU', options]),
        version: '3.6.0',
        weights: Object.fromEntries(weights.map((w, i) => [`layers\\${isLstm ? 'lstm' : 'gru'}\\cell\\vars\\${i}`, w])),
      }),
    );
    const expected = isLstm
      ? lstmState(functions[gate]!, functions[f]!)
      : gruState(functions[gate]!, functions[f]!, resetAfter);
    const loaded = load(save(model)).model;
    for (const each of [model, loaded]) expectClose(predict(each, toTimeMajor(tensor([x]))).data, expected);
    expect(notes).toEqual([]);
  });
});

describe('use_bias=False', () => {
  const [T, H] = [3, 3];
  const layers = {
    SimpleRNN: { gates: 1, bias: [H] },
    LSTM: { gates: 4, bias: [4 * H] },
    GRU: { gates: 3, bias: [2, 3 * H] },
  };
  const x = toTimeMajor(tensor([[[0.5], [-0.25], [0.75]]]));
  /** A model with the weights of `count` directions, each with a bias, if given. */
  const file = (className: keyof typeof layers, wrapped: boolean, useBias: boolean, bias?: number): Uint8Array => {
    const { gates, bias: shape } = layers[className];
    const config = { units: H, use_bias: useBias, reset_after: true, return_sequences: true };
    const zeros = { shape, data: Array<number>(shape.reduce((a, b) => a * b)).fill(bias ?? 0) };
    const own = [weight(1, gates * H), weight(H, gates * H), ...(bias === undefined ? [] : [zeros])];
    const paths = wrapped ? ['bidirectional\\forward_layer\\cell', 'bidirectional\\backward_layer\\cell'] : [];
    const directions = wrapped
      ? paths
      : [`${className === 'SimpleRNN' ? 'simple_rnn' : className.toLowerCase()}\\cell`];
    const weights = directions.flatMap((path) => own.map((each, i) => [`layers\\${path}\\vars\\${i}`, each] as const));
    const layer = wrapped
      ? (['Bidirectional', { merge_mode: 'concat', layer: { class_name: className, config } }] as const)
      : ([className, config] as const);
    return kerasFile({
      config: sequentialConfig([T, 1], layer),
      version: '3.8.0',
      weights: Object.fromEntries(weights),
    });
  };

  describe.each(Object.keys(layers) as (keyof typeof layers)[])('%s', (className) => {
    it.each([
      ['alone', false],
      ['in both directions', true],
    ])('%s has no bias, and the outputs of zero biases', (_, wrapped) => {
      const { model } = importKeras(file(className, wrapped, false));
      expect(leaves(model.parameters).filter(({ path }) => path.includes('bias'))).toEqual([]);
      const { model: biased } = importKeras(file(className, wrapped, true, 0));
      expect(leaves(biased.parameters).filter(({ path }) => path.includes('bias'))).not.toEqual([]);
      expect(predict(model, x)).toEqual(predict(biased, x));
      expect(predict(load(save(model)).model as typeof model, x)).toEqual(predict(model, x));
      expect(() => importKeras(file(className, wrapped, false, 0))).toThrow(
        /^importKeras: the file has (forward\.)?bias of layer0, although the layer has use_bias=False\.$/,
      );
      expect(() => importKeras(file(className, wrapped, true))).toThrow(
        /^importKeras: the file has no (forward\.)?bias of layer0, although the layer has use_bias=True\.$/,
      );
    });
  });

  it('in one direction only: its biases are zero, and the notes list them', async () => {
    const config = { units: H, return_sequences: true };
    const layer = { class_name: 'SimpleRNN', config };
    const backward = { class_name: 'SimpleRNN', config: { ...config, use_bias: false, go_backwards: true } };
    const root = 'layers\\bidirectional\\';
    const weights = {
      [`${root}forward_layer\\cell\\vars\\0`]: weight(1, H),
      [`${root}forward_layer\\cell\\vars\\1`]: weight(H, H),
      [`${root}forward_layer\\cell\\vars\\2`]: weight(H),
      [`${root}backward_layer\\cell\\vars\\0`]: weight(1, H),
      [`${root}backward_layer\\cell\\vars\\1`]: weight(H, H),
    };
    const spec = ['Bidirectional', { merge_mode: 'sum', layer, backward_layer: backward }] as const;
    const { model, notes } = importKeras(kerasFile({ config: sequentialConfig([T, 1], spec), weights }));
    const { 'forward.bias': forward, 'reverse.bias': reverse } = model.parameters['bidirectional']!;
    expect([...forward!.data]).toEqual(weight(H).data);
    expect([...reverse!.data]).toEqual([0, 0, 0]);
    expect(notes).toEqual([
      'bidirectional.reverse.bias is constant in Keras (use_bias, scale or center is false): train with ' +
        "freeze(['bidirectional.reverse.bias'], …)",
    ]);
    const [name] = /(?<=\[').*(?='\])/.exec(notes[0]!)!;
    const optimizer = freeze([name], sgd(1));
    await fit(model, { inputs: x, targets: full([T, 1, H], 1) }, { loss: meanSquaredError, optimizer, steps: 2 });
    expect([...reverse!.data]).toEqual([0, 0, 0]);
    expect([...forward!.data]).not.toEqual(weight(H).data);

    const unexpected = { ...weights, [`${root}backward_layer\\cell\\vars\\2`]: weight(H) };
    expect(() => importKeras(kerasFile({ config: sequentialConfig([T, 1], spec), weights: unexpected }))).toThrow(
      'importKeras: the file has reverse.bias of layer0, although the layer has use_bias=False.',
    );
  });

  it('the notes list layers with trainable=False', () => {
    const config = { units: H, return_sequences: true, use_bias: false };
    const { notes } = importKeras(
      kerasFile({
        config: sequentialConfig(
          [T, 1],
          ['SimpleRNN', { ...config, trainable: false }],
          ['Dropout', { rate: 0.5, trainable: false }],
          ['Dense', { units: 1, use_bias: false, trainable: true }],
        ),
        weights: {
          'layers\\simple_rnn\\cell\\vars\\0': weight(1, H),
          'layers\\simple_rnn\\cell\\vars\\1': weight(H, H),
          'layers\\dense\\vars\\0': weight(H, 1),
        },
      }),
    );
    expect(notes).toEqual(["simpleRnn has trainable=False in Keras: train with freeze(['simpleRnn'], …)"]);
  });

  it('LayerNormalization without scale has gains of one, and the notes list them', () => {
    const [beta, kernel] = [weight(2), weight(2, 3)];
    const imported = (center: boolean) =>
      importKeras(
        kerasFile({
          config: sequentialConfig(
            [1, 2],
            ['LayerNormalization', { axis: [-1], scale: false, center, epsilon: 0 }],
            ['Dense', { units: 3, use_bias: false }],
          ),
          weights: {
            ...(center && { 'layers\\layer_normalization\\vars\\0': beta }),
            'layers\\dense\\vars\\0': kernel,
          },
        }),
      );
    for (const center of [true, false]) {
      const { model, notes } = imported(center);
      expect(leaves(model.parameters).map(({ path }) => path)).toEqual([
        'layerNorm.gain',
        ...(center ? ['layerNorm.bias'] : []),
        'dense.weight',
      ]);
      expect(notes).toEqual([
        "layerNorm.gain is constant in Keras (use_bias, scale or center is false): train with freeze(['layerNorm.gain'], …)",
      ]);
      // The normalized vector [3, 1] is [1, −1].
      const [first, second] = center ? [1 + beta.data[0]!, beta.data[1]! - 1] : [1, -1];
      const expected = [0, 1, 2].map((j) => first * kernel.data[j]! + second * kernel.data[3 + j]!);
      expectClose(predict(model, tensor([[[3, 1]]])).data, expected);
    }
  });

  it('LayerNormalization(center=False) and Dense have no bias', () => {
    const [gamma, kernel] = [weight(2), weight(2, 3)];
    const { model } = importKeras(
      kerasFile({
        config: sequentialConfig(
          [1, 2],
          ['LayerNormalization', { axis: [-1], center: false, epsilon: 0 }],
          ['Dense', { units: 3, use_bias: false }],
        ),
        weights: { 'layers\\layer_normalization\\vars\\0': gamma, 'layers\\dense\\vars\\0': kernel },
      }),
    );
    expect(leaves(model.parameters).map(({ path }) => path)).toEqual(['layerNorm.gain', 'dense.weight']);
    // The normalized vector [3, 1] is [1, −1].
    const [first, second] = gamma.data as [number, number];
    const expected = [0, 1, 2].map((j) => first * kernel.data[j]! - second * kernel.data[3 + j]!);
    expectClose(predict(model, tensor([[[3, 1]]])).data, expected);
  });
});

it('the momentum of BatchNormalization is that of the new statistics, and rms_scaling is rejected', () => {
  const config = sequentialConfig([5, 4], ['BatchNormalization', { momentum: 0.75 }]);
  const weights = [0, 1, 2, 3].map((i) => [`layers\\batch_normalization\\vars\\${i}`, weight(4)] as const);
  const { model } = importKeras(kerasFile({ config, version: '3.6.0', weights: Object.fromEntries(weights) }));
  expect(model.layers[0]!.layer.origin).toMatchObject(['batchNorm', { momentum: 0.25 }]);
  const scaled = sequentialConfig([5, 4], ['LayerNormalization', { rms_scaling: true }]);
  expect(() => importKeras(kerasFile({ config: scaled, version: '3.6.0', weights: {} }))).toThrow(
    'scales by the root mean square (rms_scaling), which is not supported.',
  );
});

describe('fromKeras', () => {
  const tensors = (weights: Readonly<Record<string, Weight>>) =>
    Object.fromEntries(
      Object.entries(weights).map(([path, { shape, data }]) => [path, tensor(Float32Array.from(data), shape)]),
    );

  it('loads the directions of a Bidirectional each, and biases that the file lacks are zeros', () => {
    const model = sequential([bidirectional(lstm(), { hiddenSize: 2, reverse: { hiddenSize: 3 } })], { inputSize: 4 });
    model.data.fill(7);
    const weights = tensors({
      'bidirectional/forward_lstm/lstm_cell/kernel': weight(4, 8),
      'bidirectional/forward_lstm/lstm_cell/recurrent_kernel': weight(2, 8),
      'bidirectional/backward_lstm/lstm_cell/kernel': weight(4, 12),
      'bidirectional/backward_lstm/lstm_cell/recurrent_kernel': weight(3, 12),
      'bidirectional/backward_lstm/lstm_cell/bias': weight(12),
    });
    fromKeras(model, weights);
    const found = Object.fromEntries(leaves(model.parameters).map(({ path, tensor: each }) => [path, [...each.data]]));
    const expected = (path: string): number[] => [...weights[`bidirectional/${path}`]!.data];
    expect(found).toEqual({
      'bidirectional.forward.weightIh': expected('forward_lstm/lstm_cell/kernel'),
      'bidirectional.forward.weightHh': expected('forward_lstm/lstm_cell/recurrent_kernel'),
      'bidirectional.forward.bias': Array<number>(8).fill(0),
      'bidirectional.reverse.weightIh': expected('backward_lstm/lstm_cell/kernel'),
      'bidirectional.reverse.weightHh': expected('backward_lstm/lstm_cell/recurrent_kernel'),
      'bidirectional.reverse.bias': expected('backward_lstm/lstm_cell/bias'),
    });
  });

  it('a convolution of one input is not depthwise, and kernels of other sizes are rejected', () => {
    const model = sequential([conv1d({ size: 2, kernelSize: 3 })], { inputSize: 1 });
    fromKeras(model, tensors({ 'conv1d/kernel': weight(3, 1, 2), 'conv1d/bias': weight(2) }));
    expect([...model.data.subarray(0, 6)]).toEqual(weight(3, 1, 2).data);
    const other = sequential([denseLayer({ size: 2 })], { inputSize: 2 });
    expect(() => fromKeras(other, tensors({ 'dense/kernel': weight(3, 2), 'dense/bias': weight(2) }))).toThrow(
      'fromKeras: dense.weight must be [2, 2], got [3, 2].',
    );
  });

  it('weights of three names below a layer do not belong to it', () => {
    const model = sequential([denseLayer({ size: 2 })], { inputSize: 2 });
    const weights = tensors({ 'dense/a/b/cell/kernel': weight(2, 2), 'dense/bias': weight(2) });
    expect(() => fromKeras(model, weights)).toThrow('the layer dense needs its kernel, which is missing.');
  });
});

it('config.json may start with a byte order mark', () => {
  const config = sequentialConfig([1, 2], ['Dense', { units: 2, use_bias: false }]);
  const weights = { 'layers\\dense\\vars\\0': weight(2, 2) };
  const [plain, marked] = [config, `\ufeff${JSON.stringify(config)}`].map((each) =>
    importKeras(kerasFile({ config: each, version: '3.6.0', weights })),
  );
  expect(marked!.model.data).toEqual(plain!.model.data);
});
