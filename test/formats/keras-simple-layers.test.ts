/** Imported layers that bptt itself does not have, compared with their definitions in Keras in double precision. */

import {
  checkGradients,
  load,
  multiply,
  predict,
  runModel,
  type Sequential,
  save,
  sum,
  tensor,
  toTimeMajor,
} from 'bptt';
import { type ImportedModel, importKeras, kerasLayers } from 'bptt/keras';
import { describe, expect, it } from 'vitest';
import { kerasFile, sequentialConfig, type Weight, weight } from './keras-files';

type Rows = number[][];

/** Two sequences of three steps. */
const inputs = [
  [
    [0.5, -1.25, 7],
    [2, 0.75, -3],
    [-0.5, 1.5, 9.5],
  ],
  [
    [-2.5, 3, 0.25],
    [1, -0.125, 4],
    [6.5, -4, -0.75],
  ],
];

/** A Dense layer without bias, so that every model has weights. */
const kernel = weight(3, 3);
const dense = (rows: Rows): Rows => rows.map((row) => times(row, kernel));
const times = (row: readonly number[], { shape, data }: Weight): number[] =>
  Array.from({ length: shape[1]! }, (_, j) => row.reduce((total, v, i) => total + v * data[i * shape[1]! + j]!, 0));
const denseLayer = (units = 3): Spec => ['Dense', { units, use_bias: false }];

type Spec = readonly [className: string, config: object];
type Weights = Readonly<Record<string, Weight>>;

function imported(specs: readonly Spec[], weights: Weights = {}, options = {}): ImportedModel {
  const config = sequentialConfig([3, 3], ...specs);
  const all = { 'layers\\dense\\vars\\0': kernel, ...weights };
  return importKeras(kerasFile({ config, version: '3.6.0', weights: all }), options);
}

/** Compares a model with the rows that a definition gives for each sequence, also after save and load. */
function expectRows(model: Sequential, of: (rows: Rows) => Rows, lengths?: readonly number[]): void {
  const options = lengths === undefined ? {} : { lengths: Int32Array.from(lengths) };
  const x = toTimeMajor(tensor(inputs));
  const expected = inputs.map((rows, b) => of(rows.slice(0, lengths?.[b])));
  for (const each of [model, load(save(model), { customObjects: kerasLayers() }).model]) {
    const { shape, data } = predict(each, x, options);
    const B = shape.at(-2)!;
    const I = shape.at(-1)!;
    expect([B, I]).toEqual([2, expected[0]![0]!.length]);
    expected.forEach((rows, b) => {
      rows.forEach((row, t) => {
        row.forEach((value, i) => {
          const found = data[(t * B + b) * I + i]!;
          expect(Math.abs(found - value), `${b} ${t} ${i}`).toBeLessThan(2e-6 * Math.max(1, Math.abs(value)));
        });
      });
    });
    if (shape.length === 3) expect(shape[0]).toBe(lengths === undefined ? expected[0]!.length : 3);
  }
}

const each =
  (f: (x: number, i: number) => number) =>
  (rows: Rows): Rows =>
    rows.map((row) => row.map(f));
const softmax = (row: number[]): number[] => {
  const powers = row.map((x) => Math.exp(x));
  return powers.map((power) => power / powers.reduce((a, b) => a + b));
};

/** A layer that is used as an activation function. */
const asActivation = (className: string, config: object): object => ({
  module: 'keras.layers',
  class_name: className,
  config: { name: 'layer', trainable: true, dtype: { module: 'keras', class_name: 'DTypePolicy' }, ...config },
});

describe('layers that act on every element', () => {
  it.each<[string, Spec, (rows: Rows) => Rows]>([
    ['Activation', ['Activation', { activation: 'tanh' }], each(Math.tanh)],
    ['Activation softmax', ['Activation', { activation: 'softmax' }], (rows) => rows.map(softmax)],
    ['Activation linear', ['Activation', { activation: 'linear' }], (rows) => rows],
    [
      'a layer as activation',
      ['Activation', { activation: asActivation('ReLU', { max_value: null, negative_slope: 0, threshold: 0 }) }],
      each((x) => Math.max(0, x)),
    ],
    [
      'a softmax layer as activation',
      ['Activation', { activation: asActivation('Softmax', { axis: -1 }) }],
      (rows) => rows.map(softmax),
    ],
    ['Softmax', ['Softmax', { axis: -1 }], (rows) => rows.map(softmax)],
    ['ReLU', ['ReLU', { max_value: null, negative_slope: 0, threshold: 0 }], each((x) => Math.max(0, x))],
    ['ReLU6', ['ReLU', { max_value: 6, negative_slope: 0, threshold: 0 }], each((x) => Math.min(6, Math.max(0, x)))],
    [
      'ReLU with a slope and a maximum',
      ['ReLU', { max_value: 1.5, negative_slope: 0.25 }],
      each((x) => (x < 0 ? 0.25 * x : Math.min(x, 1.5))),
    ],
    ['LeakyReLU of Keras 3', ['LeakyReLU', { negative_slope: 0.1 }], each((x) => (x < 0 ? 0.1 * x : x))],
    ['LeakyReLU of Keras 2', ['LeakyReLU', { alpha: 0.2 }], each((x) => (x < 0 ? 0.2 * x : x))],
    ['LeakyReLU by default', ['LeakyReLU', {}], each((x) => (x < 0 ? 0.3 * x : x))],
    ['Rescaling', ['Rescaling', { scale: 0.125, offset: -1.5 }], each((x) => 0.125 * x - 1.5)],
    [
      'Rescaling of each feature',
      ['Rescaling', { scale: [2, 3, 4], offset: [0.5, 0, -1] }],
      each((x, i) => [2, 3, 4][i]! * x + [0.5, 0, -1][i]!),
    ],
    [
      'Normalization with given values',
      ['Normalization', { axis: [-1], mean: [[1, 2, 1000]], variance: [[4, 0.25, 0]] }],
      each((x, i) => (x - [1, 2, 1000][i]!) / Math.max(Math.sqrt([4, 0.25, 0][i]!), 1e-7)),
    ],
    [
      'Normalization of all features alike',
      ['Normalization', { axis: null, mean: 3, variance: 0.5 }],
      each((x) => (x - 3) / Math.sqrt(0.5)),
    ],
    [
      'Normalization inverted',
      ['Normalization', { axis: -1, invert: true, mean: [1, 2, 3], variance: [4, 9, 16] }],
      each((x, i) => i + 1 + x * (i + 2)),
    ],
  ])('%s', (_, spec, f) => {
    expectRows(imported([denseLayer(), spec]).model, (rows) => f(dense(rows)));
    expectRows(imported([denseLayer(), spec]).model, (rows) => f(dense(rows)), [2, 3]);
    expectRows(imported([spec, denseLayer()]).model, (rows) => dense(f(rows)));
  });

  it.each(['SpatialDropout1D', 'GaussianNoise', 'GaussianDropout', 'AlphaDropout', 'ActivityRegularization'])(
    '%s has no effect at prediction',
    (className) => {
      const { model } = imported([[className, { rate: 0.5, stddev: 1, l1: 1 }], denseLayer()]);
      expect(model.layers.map(({ name }) => name)).toEqual(['dense']);
      expectRows(model, dense);
    },
  );

  const [gamma, beta, mean] = [weight(3), { shape: [3], data: [0.5, -1, 2] }, { shape: [3], data: [0.25, 1, 5] }];
  const variance = { shape: [3], data: [0.5, 2, 1e-4] };
  const normalized =
    (epsilon: number, scale: number[], shift: number[]) =>
    (rows: Rows): Rows =>
      each((x, i) => ((x - mean.data[i]!) / Math.sqrt(variance.data[i]! + epsilon)) * scale[i]! + shift[i]!)(rows);
  it.each<[string, object, Weight[], (rows: Rows) => Rows]>([
    ['by default', {}, [gamma, beta, mean, variance], normalized(1e-3, [...gamma.data], beta.data)],
    ['with an epsilon', { epsilon: 0.5 }, [gamma, beta, mean, variance], normalized(0.5, [...gamma.data], beta.data)],
    ['without scale', { scale: false }, [beta, mean, variance], normalized(1e-3, [1, 1, 1], beta.data)],
    ['without center', { center: false }, [gamma, mean, variance], normalized(1e-3, [...gamma.data], [0, 0, 0])],
    ['with neither', { scale: false, center: false }, [mean, variance], normalized(1e-3, [1, 1, 1], [0, 0, 0])],
  ])('BatchNormalization %s', (_, config, list, f) => {
    const weights = Object.fromEntries(list.map((each, i) => [`layers\\batch_normalization\\vars\\${i}`, each]));
    const { model, notes } = imported([['BatchNormalization', { axis: -1, ...config }], denseLayer()], weights);
    expectRows(model, (rows) => dense(f(rows)));
    const given = { scale: true, center: true, ...config };
    expect(notes).toEqual(
      given.scale
        ? []
        : [
            'batchNorm.gain is constant in Keras (use_bias, scale or center is false): ' +
              "train with freeze(['batchNorm.gain'], …)",
          ],
    );
    expect(Object.keys(model.parameters['batchNorm']!)).toEqual(
      given.center ? ['gain', 'bias', 'mean', 'variance'] : ['gain', 'mean', 'variance'],
    );
    expectRows(load(save(model)).model, (rows) => dense(f(rows)));
  });

  it('BatchNormalization over axis 1 of vectors per sequence uses its moving statistics, also in training', () => {
    const weights = Object.fromEntries(
      [gamma, beta, mean, variance].map((each, i) => [`layers\\batch_normalization\\vars\\${i}`, each]),
    );
    const specs: Spec[] = [['GlobalMaxPooling1D', {}], ['BatchNormalization', { axis: 1 }], denseLayer()];
    const { notes } = imported(specs, weights);
    expect(notes).toEqual([
      'layer1 uses its moving mean and variance, also in training',
      'to load the model from a file of save, pass customObjects: kerasLayers() for batchNormalization',
    ]);
  });

  it.each<[object, Weight[], number[], readonly number[]]>([
    [{}, [gamma, beta, mean, variance], [...gamma.data], beta.data],
    [{ scale: false }, [beta, mean, variance], [1, 1, 1], beta.data],
    [{ center: false }, [gamma, mean, variance], [...gamma.data], [0, 0, 0]],
  ])('BatchNormalization over axis 1 of vectors per sequence with %o', (config, list, scale, shift) => {
    const weights = Object.fromEntries(list.map((each, i) => [`layers\\batch_normalization\\vars\\${i}`, each]));
    const specs: Spec[] = [['GlobalMaxPooling1D', {}], ['BatchNormalization', { axis: 1, ...config }], denseLayer()];
    expectRows(imported(specs, weights).model, (rows) =>
      dense(normalized(1e-3, scale, [...shift])([rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!)))])),
    );
  });

  it.each([1, [1], -1])('LayerNormalization over axis %j of vectors per sequence', (axis) => {
    const weights = {
      'layers\\layer_normalization\\vars\\0': gamma,
      'layers\\layer_normalization\\vars\\1': beta,
    };
    const specs: Spec[] = [['GlobalMaxPooling1D', {}], ['LayerNormalization', { axis, epsilon: 0.5 }], denseLayer()];
    const { model, notes } = imported(specs, weights);
    expect(notes).toEqual([]);
    expectRows(model, (rows) => {
      const row = rows[0]!.map((_, i) => Math.max(...rows.map((each) => each[i]!)));
      const mean = row.reduce((a, b) => a + b) / 3;
      const deviation = Math.sqrt(row.reduce((total, x) => total + (x - mean) ** 2, 0) / 3 + 0.5);
      return dense([row.map((x, i) => (gamma.data[i]! * (x - mean)) / deviation + beta.data[i]!)]);
    });
  });

  it('an adapted Normalization has its mean and variance in the weights, and a count', () => {
    const weights = {
      'layers\\normalization\\vars\\0': mean,
      'layers\\normalization\\vars\\1': variance,
      'layers\\normalization\\vars\\2': { shape: [], data: [1000] },
    };
    const { model } = imported([['Normalization', { axis: [-1], mean: null, variance: null }], denseLayer()], weights);
    expectRows(model, (rows) => dense(each((x, i) => (x - mean.data[i]!) / Math.sqrt(variance.data[i]!))(rows)));
  });
});

describe('layers that add or remove the time axis', () => {
  const mean = (rows: Rows): Rows => [
    rows[0]!.map((_, i) => rows.reduce((total, row) => total + row[i]!, 0) / rows.length),
  ];
  const max = (rows: Rows): Rows => [rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!)))];
  it.each<[string, (rows: Rows) => Rows]>([
    ['GlobalAveragePooling1D', mean],
    ['GlobalMaxPooling1D', max],
  ])('%s, with and without lengths', (className, f) => {
    const spec: Spec = [className, { data_format: 'channels_last', keepdims: false }];
    expectRows(imported([denseLayer(), spec]).model, (rows) => f(dense(rows)));
    expectRows(imported([spec, denseLayer()]).model, (rows) => dense(f(rows)));
    expectRows(imported([denseLayer(), spec]).model, (rows) => f(dense(rows)), [1, 2]);
  });

  // The first steps of the windows over 3 steps; padding takes no part, neither in a maximum nor in a mean.
  it.each<[object, number, number[]]>([
    [{ pool_size: [2], strides: [1], padding: 'valid' }, 2, [0, 1]],
    [{ pool_size: [2], strides: [1], padding: 'same' }, 2, [0, 1, 2]],
    [{ pool_size: 3, strides: 2, padding: 'same' }, 3, [-1, 1]],
    [{ pool_size: [2], strides: null, padding: 'same' }, 2, [0, 2]],
    [{}, 2, [0]],
  ])('MaxPooling1D and AveragePooling1D with %o', (config, size, starts) => {
    const windows = (rows: Rows): Rows[] => starts.map((start) => rows.slice(Math.max(0, start), start + size));
    const pooled = (className: string): Sequential => imported([[className, config], denseLayer()]).model;
    expectRows(pooled('MaxPooling1D'), (rows) => dense(windows(rows).flatMap(max)));
    expectRows(pooled('AveragePooling1D'), (rows) => dense(windows(rows).flatMap(mean)));
  });

  const flatKernel = weight(9, 2);
  const flat = (rows: Rows): Rows => [times(rows.flat(), flatKernel)];
  it('Flatten', () => {
    const weights = { 'layers\\dense\\vars\\0': flatKernel };
    expectRows(imported([['Flatten', {}], denseLayer(2)], weights).model, flat);
    expectRows(imported([['GlobalMaxPooling1D', {}], ['Flatten', {}], denseLayer()]).model, (rows) => dense(max(rows)));
  });

  it('Flatten with channels_first, which has no effect on vectors per sequence', () => {
    const weights = { 'layers\\dense\\vars\\0': flatKernel };
    const spec: Spec = ['Flatten', { data_format: 'channels_first' }];
    const { model } = imported([spec, denseLayer(2)], weights);
    expectRows(model, (rows) => flat(rows[0]!.map((_, i) => rows.map((row) => row[i]!))));
    const { model: loaded } = load(save(model), { customObjects: kerasLayers() });
    const x = toTimeMajor(tensor(inputs));
    expect(predict(loaded, x)).toEqual(predict(model, x));
    expectRows(imported([['GlobalMaxPooling1D', {}], spec, denseLayer()]).model, (rows) => dense(max(rows)));
  });

  it('RepeatVector, and Flatten after it', () => {
    const repeated: readonly Spec[] = [
      ['GlobalMaxPooling1D', {}],
      ['RepeatVector', { n: 3 }],
    ];
    const copies = (rows: Rows): Rows => [0, 1, 2].flatMap(() => max(rows));
    expectRows(imported([...repeated, denseLayer()]).model, (rows) => dense(copies(rows)));
    const weights = { 'layers\\dense\\vars\\0': flatKernel };
    const { model } = imported([...repeated, ['Flatten', {}], denseLayer(2)], weights);
    expectRows(model, (rows) => flat(copies(rows)));
  });

  it('the lengths of the input are rejected by layers whose steps do not correspond to it', () => {
    const lengths = Int32Array.of(2, 3);
    const x = toTimeMajor(tensor(inputs));
    const weights = { 'layers\\dense\\vars\\0': flatKernel };
    const flattening = imported([['Flatten', {}], denseLayer(2)], weights).model;
    expect(() => predict(flattening, x, { lengths })).toThrow(
      'predict: layer flatten: lengths are not supported by models with this layer.',
    );
    const repeating = imported([['GlobalMaxPooling1D', {}], ['RepeatVector', { n: 2 }], denseLayer()]).model;
    expect(() => predict(repeating, x, { lengths })).toThrow('layer repeatVector: lengths are not supported');
    expect(() => predict(flattening, tensor([[[1, 2, 3]]]))).toThrow(
      'layer flatten: expected sequences of 3 steps, got 1.',
    );
  });
});

it('gradients equal finite differences', () => {
  const values = { shape: [3], data: [0.5, 0.75, 1.5] };
  const { model } = imported(
    [
      ['BatchNormalization', {}],
      ['Rescaling', { scale: 0.5, offset: 0.25 }],
      ['ReLU', { max_value: 3, negative_slope: 0.5 }],
      ['GlobalMaxPooling1D', {}],
      ['RepeatVector', { n: 2 }],
      ['GlobalAveragePooling1D', {}],
      denseLayer(),
      ['Activation', { activation: 'tanh' }],
    ],
    Object.fromEntries([0, 1, 2, 3].map((i) => [`layers\\batch_normalization\\vars\\${i}`, values])),
  );
  const x = toTimeMajor(tensor(inputs));
  // The moving statistics are constants.
  const { mean, variance, ...own } = model.parameters['batchNorm']!;
  const trained = { ...model.parameters, batchNorm: own };
  const { error } = checkGradients({ p: trained, x }, (v) => {
    const constants = { mean: multiply(mean!, 1), variance: multiply(variance!, 1) };
    return sum(runModel(model, { ...v.p, batchNorm: { ...v.p.batchNorm, ...constants } }, v.x).output);
  });
  expect(error).toBeLessThan(1e-6);
});

it('notes list the value that a Masking layer masked', () => {
  const notes = (config: object): readonly string[] =>
    imported([['Masking', config], denseLayer()], {}, { lengths: true }).notes;
  const note = 'layer0 masked vectors of 0: pass the sequence lengths to predict instead, or use predictMasked';
  expect(notes({ mask_value: 0 })).toEqual([note]);
  expect(notes({})).toEqual([note]);
  expect(notes({ mask_value: -1.5 })).toEqual([
    `${note.replace('vectors of 0', 'vectors of -1.5')} with mask: stepMask(inputs, -1.5)`,
  ]);
});

it('a custom class with the name of one of Keras is rejected', () => {
  const importedAs = (fields: object): ImportedModel => {
    const config = sequentialConfig([3, 3], denseLayer()) as { config: { layers: object[] } };
    config.config.layers[1] = { ...config.config.layers[1], ...fields };
    return importKeras(kerasFile({ config, version: '3.6.0', weights: { 'layers\\dense\\vars\\0': kernel } }));
  };
  for (const [module, name] of [
    [null, 'Dense'],
    ['mine', 'pkg>Dense'],
    [{ toString: 1 }, 'Dense'],
  ])
    expect(() => importedAs({ module, registered_name: name })).toThrow(
      `importKeras: the layer layer0 has class ${name as string} (custom), which is not supported.`,
    );
  expectRows(importedAs({ module: 'keras.layers', registered_name: null }).model, dense);
  expectRows(importedAs({ module: 'keras.src.layers.core.dense', registered_name: 'Dense' }).model, dense);
});

describe('what cannot be converted exactly is rejected', () => {
  it.each<[string, Spec, string]>([
    ['a threshold', ['ReLU', { threshold: 1 }], 'layer0 has threshold 1; only 0 is supported.'],
    ['NaN as a number', ['ReLU', { max_value: 'NaN' }], 'max_value of layer0 must be a finite number, got "NaN".'],
    ['softmax over time', ['Softmax', { axis: 1 }], 'layer0 normalizes over axis 1; only the last axis is supported.'],
    ['normalization over time', ['BatchNormalization', { axis: 1 }], 'axis 1 is the time axis'],
    ['pooling that keeps the axis', ['GlobalMaxPooling1D', { keepdims: true }], 'layer0 has keepdims'],
    ['pooling over features', ['GlobalAveragePooling1D', { data_format: 'channels_first' }], 'layer0 has data_format'],
    ['no repetitions', ['RepeatVector', { n: 0 }], 'n of layer0 must be an integer of at least 1, got 0.'],
    ['repeating a sequence', ['RepeatVector', { n: 2 }], 'the input must be a vector per sequence, got one per step'],
    ['an unknown activation', ['Activation', { activation: 'gelu' }], 'layer0 has activation gelu'],
    [
      'a layer with options as activation',
      ['Activation', { activation: asActivation('ReLU', { max_value: 6, negative_slope: 0, threshold: 0 }) }],
      'layer0 has activation ReLU with {"max_value":6}; only linear, tanh, relu,',
    ],
    [
      'softmax over time as activation',
      ['Activation', { activation: asActivation('Softmax', { axis: 1 }) }],
      'layer0 has activation Softmax with {"axis":1}; only linear, tanh, relu,',
    ],
    ['LayerNormalization over time', ['LayerNormalization', { axis: [1] }], 'axis 1 is the time axis'],
    ['a wrong size', ['Rescaling', { scale: [1, 2], offset: 0 }], 'the input must be vectors of size 2, got 3'],
    [
      'a negative variance',
      ['Normalization', { axis: -1, mean: [0, 0, 0], variance: [1, 1, -1] }],
      'the square root of variance of layer0 must be finite numbers, element 2 is NaN.',
    ],
    ['text as a scale', ['Rescaling', { scale: 'x' }], 'scale of layer0 must be numbers, got "x".'],
  ])('%s', (_, spec, message) => {
    const four = Object.fromEntries([0, 1, 2, 3].map((i) => [`layers\\batch_normalization\\vars\\${i}`, weight(3)]));
    const two = Object.fromEntries([0, 1].map((i) => [`layers\\layer_normalization\\vars\\${i}`, weight(3)]));
    const weights = { BatchNormalization: four, LayerNormalization: two }[spec[0]] ?? {};
    expect(() => imported([spec, denseLayer()], weights)).toThrow(message);
    expect(() => imported([spec, denseLayer()], weights)).toThrow(/^importKeras: /);
  });

  it.each<[string, Spec, string]>([
    ['offset', ['Rescaling', { offset: [1, 'Infinity'] }], 'offset of layer0 must be finite numbers, element 1 is'],
    ['bound', ['ReLU', { max_value: 'Infinity' }], 'max_value of layer0 must be a finite number, got Infinity.'],
  ])('an infinite %s, which Python writes as Infinity', (_, spec, message) => {
    const config = JSON.stringify(sequentialConfig([3, 3], spec, denseLayer())).replace('"Infinity"', 'Infinity');
    const file = kerasFile({ config, version: '3.6.0', weights: { 'layers\\dense\\vars\\0': kernel } });
    expect(() => importKeras(file)).toThrow(`importKeras: ${message}`);
  });

  it('moving statistics that are not finite', () => {
    const statistics = [weight(3), weight(3), { shape: [3], data: [0, Number.NaN, 0] }, weight(3)];
    const weights = Object.fromEntries(statistics.map((each, i) => [`layers\\batch_normalization\\vars\\${i}`, each]));
    const specs: readonly Spec[] = [['GlobalMaxPooling1D', {}], ['BatchNormalization', { axis: 1 }], denseLayer()];
    expect(() => imported(specs, weights)).toThrow(
      'the moving mean of layer1 must be finite numbers, element 1 is NaN.',
    );
  });

  it('Flatten of sequences of unknown length', () => {
    const config = sequentialConfig([null, 3], ['Flatten', {}], denseLayer());
    expect(() => importKeras(kerasFile({ config, weights: { 'layers\\dense\\vars\\0': kernel } }))).toThrow(
      'importKeras: cannot build the model of the file: sequential: layer flatten: the sequence length must be known',
    );
  });

  it('a saved model needs kerasLayers', () => {
    const { model, notes } = imported([denseLayer(), ['Softmax', {}]]);
    expect(notes).toEqual(['to load the model from a file of save, pass customObjects: kerasLayers() for activation']);
    expect(() => load(save(model))).toThrow('load: the file contains the unknown name "kerasActivation".');
  });
});

it('a configuration with any value replaced is imported or rejected with a RangeError', () => {
  const specs: readonly Spec[] = [
    ['Normalization', { axis: [-1], mean: [[1, 2, 3]], variance: [[1, 2, 3]], invert: false }],
    ['BatchNormalization', { axis: -1, epsilon: 0.001, scale: true, center: true }],
    ['LSTM', { units: 3, activation: 'relu', recurrent_activation: 'hard_sigmoid', return_sequences: true }],
    ['Rescaling', { scale: 2, offset: [0, 1, 2] }],
    ['ReLU', { max_value: 6, negative_slope: 0.5, threshold: 0 }],
    ['GlobalAveragePooling1D', { data_format: 'channels_last', keepdims: false }],
    ['RepeatVector', { n: 3 }],
    ['Softmax', { axis: -1 }],
    ['Flatten', {}],
    denseLayer(2),
  ];
  const config = sequentialConfig([3, 3], ...specs);
  const weights = {
    ...Object.fromEntries([0, 1, 2, 3].map((i) => [`layers\\batch_normalization\\vars\\${i}`, weight(3)])),
    ...Object.fromEntries(
      [weight(3, 12), weight(3, 12), weight(12)].map((w, i) => [`layers\\lstm\\cell\\vars\\${i}`, w]),
    ),
    'layers\\dense\\vars\\0': weight(9, 2),
  };
  const paths: (string | number)[][] = [];
  const visit = (value: unknown, path: (string | number)[]): void => {
    paths.push(path);
    if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) visit(inner, [...path, key]);
  };
  visit(config, []);
  const replaced = (value: unknown, [key, ...rest]: (string | number)[], by: unknown): unknown => {
    if (key === undefined) return by;
    const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string | number, unknown>;
    copy[key] = replaced(copy[key], rest, by);
    return copy;
  };
  const counts = { imported: 0, rejected: 0 };
  for (const path of paths) {
    for (const by of [null, -1, 0.5, 1e300, 2 ** 53, 'x', 'constructor', true, [], [[1]], {}, { toString: 1 }, 'NaN']) {
      const file = kerasFile({ config: replaced(config, path, by), version: '3.6.0', weights });
      try {
        importKeras(file, { lengths: true });
        counts.imported++;
      } catch (error) {
        expect((error as Error).message, `${path.join('.')} ${String(JSON.stringify(by))}`).toMatch(/^importKeras: /);
        expect(error).toBeInstanceOf(RangeError);
        counts.rejected++;
      }
    }
  }
  expect(counts.imported).toBeGreaterThan(100);
  expect(counts.rejected).toBeGreaterThan(300);
});
