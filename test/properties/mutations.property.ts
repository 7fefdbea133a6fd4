/**
 * Random changes to files, 331,000 in all: every reader reads or rejects them, with an error that is its own and short,
 * and with memory of at most ten times the size of the file and 50 MB.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  adam,
  attentionPooling,
  bidirectional,
  dense,
  dotScore,
  embedding,
  encoderDecoder,
  fit,
  full,
  gru,
  type IntTensor,
  integerNumber,
  layerNorm,
  load,
  loadEncoderDecoder,
  loadInto,
  lstm,
  meanSquaredError,
  type Random,
  readSafetensors,
  recurrent,
  relu,
  residual,
  type Sequential,
  save,
  sequential,
  simpleRnn,
  type Tensor,
  type TrainingState,
  writeSafetensors,
} from 'bptt';
import { fitForecaster, forecast, forecaster, loadForecaster, saveForecaster } from 'bptt/forecasting';
import { fromKeras, importKeras, importTensorFlowJs, kerasLayers, readHdf5, readZip } from 'bptt/keras';
import { resumeFrom } from 'bptt/node';
import { exportOnnx, importOnnx, importOnnxStream, type OnnxStream, predictOnnx } from 'bptt/onnx';
import { fromPyTorch, inferModel, toPyTorch } from 'bptt/pytorch';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeOnnx } from '../../src/formats/onnx/decode';
import { encodeOnnx } from '../../src/formats/onnx/encode';
import type { OnnxAttribute, OnnxModel, OnnxTensor } from '../../src/formats/onnx/model';
import { allOperators } from '../../src/formats/onnx/operators';
import { isTensor } from '../../src/tensor/tensor';
import { archiveOf } from '../formats/archive';
import { withChecksums } from '../formats/hdf5-repair';
import { hdf5Of, kerasFile, sequentialConfig, weight } from '../formats/keras-files';
import { inputOf, modelOf, tensorOf } from '../golden/onnx';
import { allocated, forEachChange, mutated, reads } from './hostile';

const golden = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../golden/${path}`, import.meta.url)));
const bytesOf = (text: string): Uint8Array => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Calls `read` and checks its error and its memory. Returns whether it succeeded. */
function check(size: number, read: () => unknown, message: RegExp): boolean {
  let succeeded = false;
  const used = allocated(() => {
    succeeded = reads(read, message);
  });
  if (used > 10 * size + 5e7) throw new Error(`a file of ${size} bytes takes ${used} bytes`);
  return succeeded;
}

interface Changes {
  readonly count: number;
  /** More than this number of the changed files must be readable. */
  readonly least: number;
  /** The chance that a change replaces a number or a string. */
  readonly texts?: number;
  /** Repairs a changed file before it is read. */
  readonly repair?: (bytes: Uint8Array) => Uint8Array;
}

/** Checks a reader with random changes to its files. */
async function checkReader(
  { count, least, texts = 0, repair = (bytes) => bytes }: Changes,
  files: readonly Uint8Array[],
  read: (bytes: Uint8Array) => unknown,
  message: RegExp,
): Promise<void> {
  let succeeded = 0;
  await forEachChange(count, (random) => {
    const bytes = repair(mutated(files[integerNumber(random, files.length)]!, random, texts));
    if (check(bytes.length, () => read(bytes), message)) succeeded++;
  });
  expect(succeeded).toBeGreaterThan(least);
}

const make = (): Sequential =>
  sequential(
    [
      bidirectional(lstm(), { hiddenSize: 1, zoneout: { h: 0.1 } }),
      recurrent(gru({ reset: 'before' }), { hiddenSize: 2, learnInitialState: true }),
      residual([layerNorm(), dense({ size: 2, activation: relu })]),
      recurrent(simpleRnn(), { hiddenSize: 2 }),
      attentionPooling({ score: dotScore() }),
      dense({ size: 1 }),
    ],
    { inputSize: 1 },
  );
const ids = (): Sequential =>
  sequential([embedding({ vocabularySize: 3, size: 2 }), recurrent(lstm(), { hiddenSize: 2 }), dense({ size: 2 })]);
const seq2seq = () =>
  encoderDecoder({
    encoder: [embedding({ vocabularySize: 3, size: 2 }), recurrent(gru(), { hiddenSize: 2 })],
    decoder: {
      cell: gru(),
      vocabularySize: 3,
      embeddingSize: 2,
      hiddenSize: 2,
      attention: dotScore(),
      inputFeeding: true,
    },
    start: 0,
    end: 1,
  });

/** The file of a checkpoint with the state of Adam, a best model and validation losses. */
async function checkpoint(): Promise<Uint8Array> {
  const model = make();
  const data = [{ inputs: full([2, 1, 1], 1), targets: full([1, 1], 0.5) }];
  const states: TrainingState[] = [];
  const write = (state: TrainingState): unknown => states.push(state);
  await fit(model, data, {
    loss: meanSquaredError,
    optimizer: adam(),
    epochs: 2,
    patience: 3,
    checkpoint: { every: 1, write },
    validation: data,
  });
  return save(model, { training: states.at(-1), extras: { note: 'n' } });
}

it('readSafetensors', async () => {
  const header = {
    a: { dtype: 'F16', shape: [2], data_offsets: [0, 4] },
    b: { dtype: 'BF16', shape: [2, 1], data_offsets: [4, 8] },
    c: { dtype: 'F64', shape: [], data_offsets: [8, 16] },
    d: { dtype: 'I64', shape: [1], data_offsets: [16, 24] },
    e: { dtype: 'F32', shape: [0], data_offsets: [24, 24] },
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const mixed = Uint8Array.from([
    text.length & 255,
    text.length >> 8,
    0,
    0,
    0,
    0,
    0,
    0,
    ...text,
    ...new Uint8Array(24),
  ]);
  readSafetensors(mixed);
  const written = writeSafetensors({ x: full([2, 2], 1), 'y.z': full([3], 2) }, { note: '"a"' });
  await checkReader({ count: 60_000, least: 500, texts: 0.3 }, [mixed, written], readSafetensors, /^readSafetensors: /);
});

it('load', async () => {
  const files = [save(make()), save(ids()), await checkpoint()];
  await checkReader({ count: 30_000, least: 500, texts: 0.5 }, files, (bytes) => load(bytes), /^load: /);
});

it('loadForecaster and forecast', async () => {
  const values = Float64Array.from({ length: 30 }, (_, t) => 10 + (t % 4));
  const series = {
    name: 'a',
    start: '2024-01-01',
    values,
    future: { price: Array.from({ length: 32 }, (_, t) => t % 2) },
    static: { city: 'Turin', area: 3 },
  };
  const files = await Promise.all(
    (['direct', 'autoregressive'] as const).map(async (mode) => {
      const settings = { horizon: 2, frequency: 'day', context: 3, hiddenSize: 2, members: 2, mode } as const;
      return saveForecaster(await fitForecaster(forecaster(settings), [series], { steps: 1, validation: 0 }));
    }),
  );
  const read = (file: Uint8Array): void => {
    const fitted = loadForecaster(file);
    if (fitted.forecaster.horizon < 100) forecast(fitted, [series], { paths: 2 });
  };
  await checkReader({ count: 10_000, least: 200, texts: 0.5 }, files, read, /^(loadForecaster|forecast): /);
});

it('loadInto, and the model changes only if the file is read', async () => {
  const files = [save(make()), await checkpoint()];
  const model = make();
  const original = model.data.slice();
  await checkReader(
    { count: 30_000, least: 500, texts: 0.5 },
    files,
    (bytes) => {
      try {
        loadInto(model, bytes);
      } catch (error) {
        if (!model.data.every((value, i) => value === original[i])) throw new Error('the model has changed');
        throw error;
      }
      model.data.set(original);
    },
    /^loadInto: /,
  );
});

it('loadEncoderDecoder', () =>
  checkReader(
    { count: 15_000, least: 200, texts: 0.5 },
    [save(seq2seq())],
    (bytes) => loadEncoderDecoder(bytes),
    /^loadEncoderDecoder: /,
  ));

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bptt-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('resumeFrom', async () => {
  const path = join(folder, 'checkpoint.safetensors');
  const file = await checkpoint();
  const model = make();
  let succeeded = 0;
  await forEachChange(5000, async (random) => {
    writeFileSync(path, mutated(file, random, 0.5));
    try {
      expect(await resumeFrom(path, model)).toBeDefined();
      succeeded++;
    } catch (error) {
      reads(() => {
        throw error;
      }, /^resumeFrom: .*checkpoint\.safetensors: /);
    }
  });
  expect(succeeded).toBeGreaterThan(50);
});

it('inferModel and fromPyTorch', async () => {
  const model = ids();
  const files = [
    writeSafetensors(toPyTorch(model)),
    writeSafetensors(toPyTorch(sequential([layerNorm(), dense({ size: 2 })], { inputSize: 2 }))),
  ];
  let succeeded = 0;
  await forEachChange(20_000, (random) => {
    const bytes = mutated(files[integerNumber(random, files.length)]!, random, 0.6);
    let weights: Readonly<Record<string, Tensor>> = {};
    if (!reads(() => (weights = readSafetensors(bytes).tensors), /^readSafetensors: /)) return;
    check(bytes.length, () => inferModel(weights), /^inferModel: /);
    if (check(bytes.length, () => fromPyTorch(model, weights), /^fromPyTorch: /)) succeeded++;
  });
  expect(succeeded).toBeGreaterThan(150);
});

/** A Keras model with most of the supported layers, and its weights, by paths in which | separates the parts. */
const keras = {
  config: sequentialConfig(
    [3, 2],
    ['LSTM', { units: 2, return_sequences: true, activation: 'relu', recurrent_activation: 'hard_sigmoid' }],
    [
      'Bidirectional',
      {
        merge_mode: 'concat',
        layer: { class_name: 'GRU', config: { units: 1, return_sequences: true, reset_after: true } },
      },
    ],
    ['BatchNormalization', { epsilon: 0.001 }],
    ['LayerNormalization', {}],
    ['TimeDistributed', { layer: { class_name: 'Dense', config: { units: 2 } } }],
    ['LeakyReLU', { negative_slope: 0.2 }],
    ['SimpleRNN', { units: 2, return_sequences: true }],
    ['GlobalAveragePooling1D', {}],
    ['RepeatVector', { n: 2 }],
    ['Flatten', {}],
    ['Rescaling', { scale: 2, offset: [1, 2, 3, 4] }],
    ['Softmax', {}],
    ['Dense', { units: 1, activation: 'sigmoid' }],
  ),
  weights: {
    'lstm\\kernel': weight(2, 8),
    'lstm\\recurrent_kernel': weight(2, 8),
    'lstm\\bias': weight(8),
    'bidirectional\\forward_gru\\kernel': weight(2, 3),
    'bidirectional\\forward_gru\\recurrent_kernel': weight(1, 3),
    'bidirectional\\forward_gru\\bias': weight(2, 3),
    'bidirectional\\backward_gru\\kernel': weight(2, 3),
    'bidirectional\\backward_gru\\recurrent_kernel': weight(1, 3),
    'bidirectional\\backward_gru\\bias': weight(2, 3),
    'batch_normalization\\gamma': weight(2),
    'batch_normalization\\beta': weight(2),
    'batch_normalization\\moving_mean': weight(2),
    'batch_normalization\\moving_variance': { shape: [2], data: [1, 2] },
    'layer_normalization\\gamma': weight(2),
    'layer_normalization\\beta': weight(2),
    'time_distributed\\kernel': weight(2, 2),
    'time_distributed\\bias': weight(2),
    'simple_rnn\\kernel': weight(2, 2),
    'simple_rnn\\recurrent_kernel': weight(2, 2),
    'simple_rnn\\bias': weight(2),
    'dense\\kernel': weight(4, 1),
    'dense\\bias': weight(1),
  },
};

it('readHdf5', async () => {
  const chunks = readZip(golden('hdf5/chunks.zip'));
  const files = [
    hdf5Of({ a: weight(2, 3), b: weight(4), c: weight(1) }),
    ...['partial chunks', 'filters not applied', 'zeros'].map((name) => chunks[`${name}.h5`]!),
  ];
  await checkReader({ count: 25_000, least: 2000 }, files, readHdf5, /^readHdf5: /);
});

it("readHdf5 of files with libver='latest', with and without correct checksums", async () => {
  const latest = readZip(golden('hdf5/latest-2.0.zip'));
  const files = Object.entries(latest).flatMap(([name, file]) =>
    name.endsWith('.h5') && !name.startsWith('many') ? [file] : [],
  );
  await checkReader({ count: 10_000, least: 100 }, files, readHdf5, /^readHdf5: /);
  await checkReader({ count: 5000, least: 250, repair: withChecksums }, files, readHdf5, /^readHdf5: /);
});

it('readZip', async () => {
  const files = [
    golden('hdf5/chunks.zip'),
    archiveOf([
      { name: 'a', content: bytesOf('YWJj') },
      { name: 'b/c', content: new Uint8Array(9) },
    ]),
  ];
  readZip(files[0]!);
  await checkReader({ count: 8000, least: 100 }, [files[1]!, files[1]!, files[1]!, files[0]!], readZip, /^readZip: /);
});

it('importKeras, and the model is saved and loaded', async () => {
  const config = new TextEncoder().encode(JSON.stringify(keras.config));
  const metadata = new TextEncoder().encode('{"keras_version":"3.9.0"}');
  const weights = hdf5Of(keras.weights);
  const archive = kerasFile({ ...keras, version: '3.9.0' });
  importKeras(archive);
  let succeeded = 0;
  await forEachChange(25_000, (random) => {
    const part = integerNumber(random, 8);
    const file =
      part === 7
        ? mutated(archive, random, 0)
        : archiveOf([
            { name: 'config.json', content: part < 4 ? mutated(config, random, 0.9) : config },
            { name: 'metadata.json', content: part === 4 ? mutated(metadata, random, 0.9) : metadata },
            { name: 'model.weights.h5', content: part > 4 ? mutated(weights, random, 0) : weights },
          ]);
    let model: Sequential | undefined;
    check(file.length, () => (model = importKeras(file, { lengths: part === 3 }).model), /^importKeras: /);
    if (model === undefined) return;
    succeeded++;
    if (succeeded % 10 === 0)
      expect(load(save(model), { customObjects: kerasLayers() }).model.data).toEqual(model.data);
  });
  expect(succeeded).toBeGreaterThan(150);
});

it('importKeras of a whole model in HDF5', () =>
  checkReader(
    { count: 3000, least: 100, texts: 0.3 },
    [golden('keras/legacy.h5'), golden('keras/legacy-gzip.h5'), golden('keras/legacy-latest.h5')],
    (bytes) => importKeras(bytes),
    /^importKeras: /,
  ));

it('fromKeras', async () => {
  const model = sequential([recurrent(gru(), { hiddenSize: 2 }), layerNorm(), dense({ size: 1 })], { inputSize: 2 });
  const file = hdf5Of({
    'gru\\gru_cell\\kernel': weight(2, 6),
    'gru\\gru_cell\\recurrent_kernel': weight(2, 6),
    'gru\\gru_cell\\bias': weight(2, 6),
    'layer_normalization\\gamma': weight(2),
    'layer_normalization\\beta': weight(2),
    'dense\\kernel': weight(2, 1),
    'dense\\bias': weight(1),
  });
  fromKeras(model, readHdf5(file).tensors);
  let succeeded = 0;
  await forEachChange(10_000, (random) => {
    const bytes = mutated(file, random, 0);
    let weights: Readonly<Record<string, Tensor>> = {};
    if (!reads(() => (weights = readHdf5(bytes).tensors), /^readHdf5: /)) return;
    if (check(bytes.length, () => fromKeras(model, weights), /^fromKeras: /)) succeeded++;
  });
  expect(succeeded).toBeGreaterThan(150);
});

it('importTensorFlowJs', async () => {
  const models = ['embedding', 'quantized', 'functional', 'defaults', 'mixed', 'masked-last'].map((name) => {
    const { json, files } = JSON.parse(textOf(golden(`tfjs/${name}.json`))) as {
      json: object;
      files: Record<string, string>;
    };
    const bytes = Object.fromEntries(Object.entries(files).map(([path, text]) => [path, bytesOf(text)]));
    const size = Object.values(bytes).reduce((sum, { length }) => sum + length, 0);
    return { json: new TextEncoder().encode(JSON.stringify(json)), bytes, size };
  });
  let succeeded = 0;
  await forEachChange(25_000, (random) => {
    const { json, bytes, size } = models[integerNumber(random, models.length)]!;
    const text = textOf(mutated(json, random, 0.9));
    const lengths = integerNumber(random, 2) === 0;
    const read = (): unknown => importTensorFlowJs(text, bytes, { lengths });
    if (check(text.length + size, read, /^importTensorFlowJs: /)) succeeded++;
  });
  expect(succeeded).toBeGreaterThan(150);
});

/** The operator tests of ONNX with their inputs, models of exporters, and one with If and Scan. */
const onnxFiles = (): readonly { readonly file: Uint8Array; readonly inputs: readonly (Tensor | IntTensor)[] }[] => {
  const tests = JSON.parse(textOf(golden('onnx/operators.json'))) as Record<
    string,
    { model: string; inputs: string[] }
  >;
  const graph = (nodes: Parameters<typeof modelOf>[0], inputs: string, outputs: string) => {
    const file = modelOf(
      nodes,
      inputs.split(' ').map((name) => [name, 'float'] as const),
      outputs,
    );
    return { type: 'graph' as const, value: decodeOnnx('test', file).graph };
  };
  const control = modelOf(
    [
      ['Constant', '', 'c', { value_int: 1 }],
      [
        'If',
        'c',
        'y',
        { then_branch: graph([['Relu', 'x', 'z']], '', 'z'), else_branch: graph([['Tanh', 'x', 'z']], '', 'z') },
      ],
      ['Scan', 'y x', 'last', { body: graph([['Add', 'a b', 'd']], 'a b', 'd'), num_scan_inputs: 1 }],
    ],
    [['x', 'float', [2, 2]]],
    'last',
  );
  return [
    { file: control, inputs: [full([2, 2], 1)] },
    { file: exportOnnx(make()), inputs: [full([2, 1, 1], 1)] },
    { file: golden('onnx/gru.onnx'), inputs: [] },
    { file: golden('onnx/peephole.onnx'), inputs: [] },
    ...Object.values(tests).map(({ model, inputs }) => ({
      file: bytesOf(model),
      inputs: inputs.map((text) => inputOf(tensorOf(bytesOf(text)))),
    })),
  ];
};

/** Runs a network, whose inputs may have other types or names than the feeds: a TypeError. */
const predicts = (run: () => unknown): boolean =>
  reads(() => {
    try {
      run();
    } catch (error) {
      throw error instanceof TypeError ? new RangeError(error.message, { cause: error }) : error;
    }
  }, /^predictOnnx: /);

/** A copy of a model in which an operator, an input, an attribute, a constant or the operator set is another one. */
function changedModel({ graph, opsets, ...rest }: OnnxModel, random: Random): Uint8Array {
  const pick = <T>(items: readonly T[]): T => items[integerNumber(random, items.length)]!;
  const odd = (): number => pick([-9, -2, -1, 0, 1, 2, 3, 7, 100, 2 ** 20, 2 ** 31, 2 ** 40, -(2 ** 40)]);
  const names = ['', ...graph.inputs, ...graph.initializers, ...graph.outputs].map((value) =>
    typeof value === 'string' ? value : value.name,
  );
  const attributeOf = (attribute: OnnxAttribute): OnnxAttribute => {
    switch (attribute.type) {
      case 'int':
      case 'float':
        return { ...attribute, value: odd() };
      case 'ints':
      case 'floats':
        return { ...attribute, value: Array.from({ length: integerNumber(random, 4) }, odd) };
      case 'string':
        return { ...attribute, value: pick(['', 'forward', 'bidirectional', 'tanh']) };
      case 'tensor':
        return { type: 'tensor', value: tensorLike(attribute.value) };
      default:
        return pick<OnnxAttribute>([
          { type: 'int', value: odd() },
          { type: 'ints', value: [odd()] },
        ]);
    }
  };
  const tensorLike = ({ name }: OnnxTensor): OnnxTensor => {
    const shape = Array.from({ length: integerNumber(random, 4) }, () => integerNumber(random, 4));
    const length = shape.reduce((size, n) => size * n, 1);
    return pick<OnnxTensor>([
      { name, shape, type: 'float', data: Float32Array.from({ length }, odd) },
      { name, shape, type: 'int64', data: BigInt64Array.from({ length }, () => BigInt(odd())) },
    ]);
  };
  const kind = integerNumber(random, 6);
  const index = integerNumber(random, graph.nodes.length);
  const nodes = graph.nodes.map((node, i) => {
    if (i !== index) return node;
    if (kind === 0) return { ...node, opType: pick(operatorNames) };
    const inputs = node.inputs.length === 0 || kind === 2 ? [...node.inputs, pick(names)] : [...node.inputs];
    if (kind === 1) inputs[integerNumber(random, inputs.length)] = pick(names);
    const attributes = Object.entries(node.attributes);
    const added: [string, OnnxAttribute] = [
      pick(['axis', 'axes', 'perm', 'keepdims', 'to']),
      { type: 'int', value: odd() },
    ];
    const changes = attributes.length === 0 ? [added] : attributes.map(([name, value]) => [name, attributeOf(value)]);
    return { ...node, inputs, attributes: kind === 3 ? Object.fromEntries(changes) : node.attributes };
  });
  const initializers = graph.initializers.map((tensor) => (kind === 4 ? tensorLike(tensor) : tensor));
  const version = kind === 5 ? 7 + integerNumber(random, 19) : Math.max(7, opsets['']!);
  return encodeOnnx({ ...rest, opsets: { ...opsets, '': version }, graph: { ...graph, nodes, initializers } });
}

const operatorNames = [...allOperators().keys()];

it('importOnnx and predictOnnx', async () => {
  const files = onnxFiles();
  const decoded = new Map(files.map(({ file }) => [file, decodeOnnx('test', file)]));
  let [imported, predicted] = [0, 0];
  await forEachChange(50_000, (random) => {
    const { file, inputs } = files[integerNumber(random, files.length)]!;
    const model = integerNumber(random, 2) === 0 ? undefined : decoded.get(file);
    const bytes = model === undefined ? mutated(file, random, 0) : changedModel(model, random);
    let network: ReturnType<typeof importOnnx> | undefined;
    check(bytes.length, () => (network = importOnnx(bytes)), /^importOnnx: /);
    if (network === undefined) return;
    imported++;
    const feeds = Object.fromEntries(network.inputs.flatMap(({ name }, i) => (inputs[i] ? [[name, inputs[i]]] : [])));
    const used = allocated(() => {
      if (predicts(() => predictOnnx(network!, feeds))) predicted++;
    });
    // Small inputs and constants allow little more than 8 million elements.
    if (used > 3e8) throw new Error(`a prediction takes ${used} bytes`);
  });
  expect(imported).toBeGreaterThan(5000);
  expect(predicted).toBeGreaterThan(2000);
});

it('importOnnxStream', async () => {
  const files = onnxFiles();
  const decoded = new Map(files.map(({ file }) => [file, decodeOnnx('test', file)]));
  let [imported, stepped] = [0, 0];
  await forEachChange(10_000, (random) => {
    const { file, inputs } = files[integerNumber(random, files.length)]!;
    const original = decoded.get(file)!;
    const bytes = integerNumber(random, 2) === 0 ? mutated(file, random, 0) : changedModel(original, random);
    const fed = original.graph.inputs.flatMap(({ name }, i) => (inputs[i] ? [[name, inputs[i]] as const] : []));
    const shapes = Object.fromEntries(fed.filter(([, x]) => isTensor(x)).map(([name, { shape }]) => [name, shape]));
    const constants = Object.fromEntries(fed.filter(([, x]) => !isTensor(x)));
    let running: OnnxStream | undefined;
    check(
      bytes.length,
      () => {
        try {
          running = importOnnxStream(bytes, { shapes, inputs: constants });
        } catch (error) {
          // An input of the changed model can have another name or type than the options.
          throw error instanceof TypeError && /^importOnnxStream: /.test(error.message)
            ? new RangeError(error.message, { cause: error })
            : error;
        }
      },
      /^importOnnxStream: /,
    );
    if (running === undefined) return;
    imported++;
    running.step(Object.fromEntries(Object.entries(running.inputs).map(([name, shape]) => [name, full(shape, 0.5)])));
    stepped++;
  });
  expect(imported).toBeGreaterThan(1000);
  expect(stepped).toBe(imported);
});
