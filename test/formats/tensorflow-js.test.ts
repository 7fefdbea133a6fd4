/** Imported TensorFlow.js models have the outputs that TensorFlow.js computed. */

import { readdirSync, readFileSync } from 'node:fs';
import {
  intTensor,
  load,
  predict,
  predictWithState,
  type Sequential,
  save,
  type Tensor,
  tensor,
  toBatchMajor,
  toTimeMajor,
} from 'bptt';
import { importTensorFlowJs, predictMasked } from 'bptt/keras';
import { describe, expect, it } from 'vitest';

/** A tensor in JSON. */
interface PlainTensor {
  readonly shape: number[];
  readonly data: number[];
}
interface File {
  readonly json: {
    modelTopology: Record<string, unknown>;
    weightsManifest: { paths: string[]; weights: Record<string, unknown>[] }[];
  };
  readonly files: Record<string, string>;
  readonly inputs: PlainTensor;
  readonly outputs: PlainTensor;
  readonly lengths?: number[];
  readonly next?: { readonly inputs: PlainTensor; readonly outputs: number[] };
}
const folder = new URL('../golden/tfjs/', import.meta.url);
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.json') && !name.startsWith('package'))
  .map((name) => name.slice(0, -5));
const read = (name: string): File => JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as File;
const filesOf = ({ files }: File): Record<string, Uint8Array> =>
  Object.fromEntries(
    Object.entries(files).map(([path, text]) => [
      path,
      Uint8Array.from(atob(text), (character) => character.charCodeAt(0)),
    ]),
  );

function expectOutputs(model: Sequential, { inputs, outputs }: File): void {
  const x =
    model.input.kind === 'ids'
      ? toTimeMajor(intTensor(Int32Array.from(inputs.data), inputs.shape))
      : toTimeMajor(tensor(Float32Array.from(inputs.data), inputs.shape));
  const output = predict(model, x as Tensor);
  const batchMajor = output.shape.length === 3 ? toBatchMajor(output) : output;
  expect([...batchMajor.shape]).toEqual(outputs.shape);
  outputs.data.forEach((value, i) => expect(Math.abs(batchMajor.data[i]! - value), String(i)).toBeLessThan(1e-5));
}

/** Models that are imported with notes have separate tests. */
const noted = ['masked', 'masked-bidirectional', 'masked-last', 'masked-steps', 'stateful'];

it('the golden folder has models', () => expect(names.length).toBeGreaterThan(10));

describe.each(names.filter((name) => !noted.includes(name)))('%s', (name) => {
  it('predicts the same, and after save and load as well', () => {
    const file = read(name);
    const { model, notes } = importTensorFlowJs(JSON.stringify(file.json), filesOf(file));
    expect(notes).toEqual(
      name === 'functional'
        ? [
            'layerNorm.gain is constant in Keras (use_bias, scale or center is false): train with ' +
              "freeze(['layerNorm.gain'], …)",
          ]
        : [],
    );
    expectOutputs(model, file);
    expectOutputs(load(save(model)).model, file);
    expect(importTensorFlowJs(file.json, filesOf(file)).model.data).toEqual(model.data);
  });
});

describe('models that cannot be converted exactly are rejected', () => {
  it('gates with an unsupported activation', () => {
    const file = read('lstm');
    const json = JSON.stringify(file.json).replace(
      '"recurrent_activation":"sigmoid"',
      '"recurrent_activation":"softsign"',
    );
    expect(() => importTensorFlowJs(json, filesOf(file))).toThrow(
      /importTensorFlowJs: lstm_LSTM\d has recurrent_activation softsign; only linear, tanh, relu, .* are supported\./,
    );
  });

  it('masks, unless lengths: true is given', () => {
    const file = read('masked');
    expect(() => importTensorFlowJs(file.json, filesOf(file))).toThrow(
      'import with { lengths: true }, and pass lengths to predict, or use predictMasked.',
    );
    const { model, notes } = importTensorFlowJs(file.json, filesOf(file), { lengths: true });
    expect(notes).toHaveLength(1);
    const output = predict(model, toTimeMajor(intTensor(Int32Array.from(file.inputs.data), file.inputs.shape)), {
      lengths: Int32Array.from(file.lengths!),
    });
    file.outputs.data.forEach((value, i) => expect(Math.abs(output.data[i]! - value), String(i)).toBeLessThan(1e-5));
  });
});

it.each(['masked', 'masked-bidirectional', 'masked-last', 'masked-steps'])(
  '%s: predictMasked has the predictions of TensorFlow.js at all steps',
  (name) => {
    const file = read(name);
    const { model, notes } = importTensorFlowJs(file.json, filesOf(file), { lengths: true });
    const ids = toTimeMajor(intTensor(Int32Array.from(file.inputs.data), file.inputs.shape));
    const repeats = name === 'masked-bidirectional';
    expect(notes.slice(1).map((note) => note.replace(/^\w+ /, ''))).toEqual(
      repeats
        ? [
            'repeats outputs at masked steps in TensorFlow.js: if it is the last recurrent layer, pass ' +
              'zeroOutputForMask: false to predictMasked',
          ]
        : [],
    );
    const output = predictMasked(model, ids, repeats ? { zeroOutputForMask: false } : {});
    const { shape, data } = output.shape.length === 3 ? toBatchMajor(output) : output;
    expect(shape).toEqual(file.outputs.shape);
    file.outputs.data.forEach((value, i) => expect(Math.abs(data[i]! - value), String(i)).toBeLessThan(1e-5));
  },
);

it('notes list global pooling of TensorFlow.js, which has no mask', () => {
  const notes = (className: string): readonly string[] => {
    const layers = [
      { class_name: className, config: { name: 'pool', batch_input_shape: [null, null, 1] } },
      { class_name: 'Dense', config: { name: 'head', units: 1, use_bias: false } },
    ];
    const json = {
      format: 'layers-model',
      modelTopology: { model_config: { class_name: 'Sequential', config: { layers } } },
      weightsManifest: [{ paths: ['w'], weights: [{ name: 'head/kernel', shape: [1, 1], dtype: 'float32' }] }],
    };
    return importTensorFlowJs(json, { w: new Uint8Array(4) }, { lengths: true }).notes;
  };
  expect(notes('GlobalAveragePooling1D')).toEqual([
    'pool takes the mean of the valid steps, in TensorFlow.js of all steps',
  ]);
  expect(notes('GlobalMaxPooling1D')).toEqual([
    'pool takes the maximum of the valid steps, in TensorFlow.js of all steps',
  ]);
});

it('reads a Normalization layer of any name, whose count of samples is an integer', () => {
  const layers = [
    { class_name: 'Normalization', config: { name: 'scaler', axis: [-1], batch_input_shape: [null, null, 1] } },
    { class_name: 'Dense', config: { name: 'count', units: 1, use_bias: false } },
  ];
  const weights = [
    { name: 'scaler/mean', shape: [1], dtype: 'float32' },
    { name: 'scaler/variance', shape: [1], dtype: 'float32' },
    { name: 'scaler/count', shape: [], dtype: 'int32' },
    { name: 'count/kernel', shape: [1, 1], dtype: 'float32' },
  ];
  const json = {
    format: 'layers-model',
    modelTopology: { model_config: { class_name: 'Sequential', config: { layers } } },
    weightsManifest: [{ paths: ['w'], weights }],
  };
  const file = new Uint8Array(Float32Array.of(1, 4, 0, 3).buffer);
  expect(predict(importTensorFlowJs(json, { w: file }).model, tensor([[[5]]])).data[0]).toBeCloseTo(6, 6);
});

it('without a version, hard sigmoid has the slope of Keras 2, which TensorFlow.js uses', () => {
  const file = read('defaults');
  const { keras_version: _, ...modelTopology } = file.json.modelTopology;
  expectOutputs(importTensorFlowJs({ ...file.json, modelTopology }, filesOf(file)).model, file);
});

it('a stateful model continues from the state of the previous batch', () => {
  const file = read('stateful');
  const { model, notes } = importTensorFlowJs(file.json, filesOf(file));
  expect(notes).toHaveLength(2);
  expectOutputs(model, file);
  const x = ({ shape, data }: PlainTensor): Tensor => toTimeMajor(tensor(Float32Array.from(data), shape));
  const { state } = predictWithState(model, x(file.inputs));
  const { output } = predictWithState(model, x(file.next!.inputs), { state });
  file.next!.outputs.forEach((value, i) => expect(Math.abs(output.data[i]! - value), String(i)).toBeLessThan(1e-5));
});

describe('malformed files are rejected', () => {
  const file = read('lstm');
  const files = filesOf(file);
  const bytes = files['weights.bin']!;
  const group = file.json.weightsManifest[0]!;
  const [first, ...rest] = group.weights;
  const withWeights = (weights: unknown, paths: unknown = ['weights.bin']): object => ({
    ...file.json,
    weightsManifest: [{ paths, weights }],
  });
  it.each<[string, string | object, Record<string, Uint8Array>, string]>([
    ['not JSON', '{', files, 'model.json is not valid JSON.'],
    [
      'a graph model',
      { ...file.json, format: 'graph-model' },
      files,
      'this is a graph model; only layers models are supported.',
    ],
    [
      'a network of brain.js',
      { type: 'LSTM', options: {}, hiddenLayers: [{ inputMatrix: {} }], outputConnector: {}, output: {} },
      files,
      'this is a network of brain.js. Its "LSTM" uses the previous output as the cell state',
    ],
    ['no topology', { ...file.json, modelTopology: null }, files, 'modelTopology must be an object, got null.'],
    [
      'a topology nested deeper than the stack',
      `{"modelTopology":{"class_name":${'['.repeat(1e5)}${']'.repeat(1e5)}},"weightsManifest":[]}`,
      files,
      'model.json is more than 256 levels deep.',
    ],
    [
      'a configuration string nested deeper than the stack',
      { modelTopology: { model_config: `{"class_name":${'['.repeat(1e5)}${']'.repeat(1e5)}}` }, weightsManifest: [] },
      {},
      'the configuration is more than 256 levels deep.',
    ],
    [
      'a property of Object.prototype as merge_mode',
      JSON.stringify(read('merge-sum').json).replace('"merge_mode":"sum"', '"merge_mode":"constructor"'),
      filesOf(read('merge-sum')),
      'has merge_mode "constructor"; only concat, sum, ave and mul',
    ],
    [
      'a merge_mode and a version with toString and valueOf properties',
      JSON.stringify({
        ...read('merge-sum').json,
        modelTopology: { ...read('merge-sum').json.modelTopology, keras_version: { toString: 1, valueOf: 1 } },
      }).replace('"merge_mode":"sum"', '"merge_mode":{"toString":1,"valueOf":1}'),
      filesOf(read('merge-sum')),
      'has merge_mode {"toString":1,"valueOf":1};',
    ],
    [
      'no manifest',
      { ...file.json, weightsManifest: undefined },
      files,
      'weightsManifest must be an array, got undefined.',
    ],
    ['a missing file', file.json, {}, 'files must have "weights.bin", which the manifest lists, got no files.'],
    [
      'a file that is listed twice',
      { ...file.json, weightsManifest: [group, group] },
      files,
      'the manifest lists weights.bin twice.',
    ],
    ['a file truncated by a byte', file.json, { 'weights.bin': bytes.slice(0, -1) }, 'Are they truncated?'],
    ['a truncated file', file.json, { 'weights.bin': bytes.slice(0, -4) }, 'Are they truncated?'],
    [
      'a file too long',
      file.json,
      { 'weights.bin': new Uint8Array([...bytes, 0]) },
      `have ${bytes.length + 1} bytes, but the manifest lists ${bytes.length}.`,
    ],
    [
      'a missing weight',
      withWeights(rest),
      { 'weights.bin': bytes.slice(4 * (first!['shape'] as number[]).reduce((a, b) => a * b)) },
      'needs its kernel',
    ],
    [
      'a weight with another name',
      withWeights([{ ...first, name: 'else/kernel' }, ...rest]),
      files,
      'needs its kernel',
    ],
    [
      'a duplicate weight',
      withWeights([first, ...group.weights]),
      { 'weights.bin': new Uint8Array(2 * bytes.length) },
      'is in the manifest twice.',
    ],
    ['a shape of billions', withWeights([{ ...first, shape: [2 ** 30, 2 ** 20] }, ...rest]), files, 'ends at byte'],
    [
      'a negative dimension',
      withWeights([{ ...first, shape: [-1, 12] }, ...rest]),
      files,
      'must be non-negative integers, got [-1,12].',
    ],
    [
      'another shape',
      withWeights([{ ...first, shape: [...(first!['shape'] as number[])].reverse() }, ...rest]),
      files,
      'must be [12, 12], got [12, 2].',
    ],
    [
      'integers',
      withWeights([{ ...first, dtype: 'int32' }, ...rest]),
      files,
      'has type "int32"; only float32, and float32 quantized to float16, uint16 or uint8',
    ],
    [
      'a quantization without its scale',
      withWeights([{ ...first, quantization: { dtype: 'uint8' } }, ...rest]),
      files,
      'must have the numbers scale and min.',
    ],
  ])('%s', (_, json, fileBytes, message) => {
    expect(() => importTensorFlowJs(json, fileBytes)).toThrow(message);
    expect(() => importTensorFlowJs(json, fileBytes)).toThrow(/^importTensorFlowJs: /);
    expect(() => importTensorFlowJs(json, fileBytes)).toThrow(RangeError);
  });
});

it('rejects the bytes and the promise of a model.json', () => {
  const message = 'importTensorFlowJs: json must be the text of model.json or the parsed object, got';
  expect(() => importTensorFlowJs(new TextEncoder().encode('{}'), {})).toThrow(`${message} an instance of Uint8Array.`);
  expect(() => importTensorFlowJs(Promise.resolve({}), {})).toThrow(`${message} an instance of Promise.`);
  expect(() => importTensorFlowJs(undefined as never, {})).toThrow(`${message} undefined.`);
});
