/**
 * Import of Keras models and weights, compared with the definitions of its layers, and errors for models that cannot
 * be converted.
 */

import { readFileSync } from 'node:fs';
import {
  attentionPooling,
  bidirectional,
  dense,
  dropout,
  embedding,
  full,
  gru,
  intTensor,
  type Layer,
  layerNorm,
  layerNormLstm,
  load,
  lstm,
  predict,
  readSafetensors,
  recurrent,
  type Sequential,
  save,
  sequential,
  softmax,
  type Tensor,
  tensor,
  toBatchMajor,
  toTimeMajor,
  withoutBias,
} from 'bptt';
import { fromKeras, importKeras, importTensorFlowJs, readHdf5, readZip } from 'bptt/keras';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/formats/description';
import { modelOf } from '../../src/formats/keras/model';
import { nameInFile } from '../../src/formats/keras/weights';
import { archiveOf } from './archive';

/** A tensor in JSON. */
interface PlainTensor {
  readonly shape: number[];
  readonly data: number[];
}
const folder = new URL('../golden/keras/', import.meta.url);
const bytesOf = (name: string): Uint8Array => readFileSync(new URL(name, folder));
const { cases } = JSON.parse(new TextDecoder().decode(bytesOf('cases.json'))) as {
  cases: Record<string, { inputs: PlainTensor; outputs: PlainTensor }>;
};

/** The golden inputs and outputs are batch-major. */
function expectOutputs(model: Sequential, name: string): void {
  const { inputs, outputs } = cases[name]!;
  const x =
    inputs.shape.length === 2
      ? toTimeMajor(intTensor(Int32Array.from(inputs.data), inputs.shape))
      : toTimeMajor(tensor(Float32Array.from(inputs.data), inputs.shape));
  const output = predict(model, x as Tensor);
  const { data } = output.shape.length === 3 ? toBatchMajor(output) : output;
  expect(data).toHaveLength(outputs.data.length);
  outputs.data.forEach((value, i) => expect(Math.abs(data[i]! - value), `${name} ${i}`).toBeLessThan(1e-6));
}

describe.each(Object.keys(cases))('%s.keras', (name) => {
  it('the imported model has the outputs of Keras', () => {
    const { model, notes } = importKeras(bytesOf(`${name}.keras`));
    expectOutputs(model, name);
    expect(notes).toEqual([]);
  });

  it('the imported model round-trips through save and load', () =>
    expectOutputs(load(save(importKeras(bytesOf(`${name}.keras`)).model)).model, name));
});

describe('fromKeras', () => {
  const layers = [
    embedding({ vocabularySize: 9, size: 4 }),
    bidirectional(lstm(), { hiddenSize: 3 }),
    layerNorm({ epsilon: 1e-3 }),
    dropout(0.3),
    recurrent(gru(), { hiddenSize: 4 }),
    dense({ size: 2, activation: softmax }),
  ];
  it('loads a .weights.h5 file', () => {
    const model = sequential(layers, { seed: 3 });
    const { tensors, others } = readHdf5(bytesOf('tagger.weights.h5'));
    fromKeras(model, tensors, { layers: { dense: 'time_distributed' } });
    expectOutputs(model, 'tagger');
    expect(others).toEqual(['layers/dropout/seed_generator/vars/0']);
  });

  it('loads safetensors by variable path', () => {
    const model = sequential(layers, { seed: 3 });
    const { tensors } = readSafetensors(bytesOf('tagger.safetensors'));
    fromKeras(model, tensors);
    expectOutputs(model, 'tagger');
    const unprefixed = Object.fromEntries(
      Object.entries(tensors).map(([path, weight]) => [
        path.replace('sequential/', '').replace('time_distributed/', ''),
        weight,
      ]),
    );
    const reloaded = sequential(layers, { seed: 4 });
    fromKeras(reloaded, unprefixed);
    expect(reloaded.data).toEqual(model.data);
  });

  it('finds the weights of the layer in a TimeDistributed and of a backward_layer by their own names', () => {
    const { tensors } = readSafetensors(bytesOf('tagger.safetensors'));
    const names = { layers: { dense: 'time_distributed' } };
    for (const own of ['dense', 'forward_dense']) {
      const model = sequential(layers, { seed: 3 });
      const renamed = Object.entries(tensors).map(([path, weight]) => [
        path.replace('backward_lstm/', 'lstm_3/').replace('time_distributed/dense/', `time_distributed/${own}/`),
        weight,
      ]);
      expect(renamed.filter(([path]) => !Object.hasOwn(tensors, path as string))).toHaveLength(own === 'dense' ? 3 : 5);
      fromKeras(model, Object.fromEntries(renamed) as typeof tensors, names);
      expectOutputs(model, 'tagger');
    }
  });

  it('loads safetensors with the integers of seed generators and optimizers, and reports what it ignores', () => {
    const { tensors } = readSafetensors(bytesOf('tagger.safetensors'));
    // Files have the first path; the others are `path` of the variables of optimizers.
    const state = {
      'optimizer/learning_rate': full([], 0.001),
      'adam/learning_rate': full([], 0.001),
      'adamw/sequential_lstm_lstm_cell_kernel_momentum': full([2], 0.5),
      'rmsprop/embedding_embeddings_velocity': full([2], 0.5),
    };
    const entries = Object.entries({ ...tensors, ...state });
    let offset = 8;
    const header: Record<string, object> = {
      'seed_generator/seed_generator_state': { dtype: 'U32', shape: [2], data_offsets: [0, 8] },
    };
    const parts = entries.map(([path, { shape, data }]) => {
      header[path] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
      offset += data.byteLength;
      return new Uint8Array(data.slice().buffer);
    });
    const text = new TextEncoder().encode(JSON.stringify(header));
    const file = new Uint8Array([text.length & 255, text.length >> 8, 0, 0, 0, 0, 0, 0, ...text, ...Array(8).fill(3)]);
    const read = readSafetensors(Uint8Array.from([...file, ...parts.flatMap((part) => [...part])]));
    expect(read.others).toEqual(['seed_generator/seed_generator_state']);
    const model = sequential(layers, { seed: 3 });
    expect(fromKeras(model, read.tensors)).toEqual({ ignored: Object.keys(state) });
    expectOutputs(model, 'tagger');
    // No optimizer.
    expect(() => fromKeras(model, { ...tensors, 'adapter/kernel': full([2], 1) })).toThrow(
      'fromKeras: no layer uses the weights adapter/kernel.',
    );
  });

  it.each([
    ['3', 'tagger-tfjs.json'],
    ['2', 'tagger-tfjs-keras2.json'],
  ])('importTensorFlowJs reads a model of Keras %s from the TensorFlow.js converter', (_, name) => {
    const { model } = importTensorFlowJs(new TextDecoder().decode(bytesOf(name)), {
      'group1-shard1of1.bin': bytesOf('tagger-tfjs.bin'),
    });
    expectOutputs(model, 'tagger');
  });

  it('importTensorFlowJs reads a compiled model, whose optimizer has an integer', () => {
    const json = JSON.parse(new TextDecoder().decode(bytesOf('tagger-tfjs.json'))) as {
      weightsManifest: { weights: object[] }[];
    };
    const group = json.weightsManifest[0]!;
    const step = { name: 'optimizer/vars/0', shape: [], dtype: 'int32' };
    const rate = { name: 'optimizer/vars/1', shape: [], dtype: 'float32' };
    const seed = { name: 'layers/dropout/seed_generator/vars/0', shape: [2], dtype: 'int32' };
    const flags = { name: 'metrics/x/vars/0', shape: [3], dtype: 'bool' };
    group.weights = [step, flags, ...group.weights, seed, rate];
    const bytes = new Uint8Array([...new Uint8Array(7), ...bytesOf('tagger-tfjs.bin'), ...new Uint8Array(12)]);
    expectOutputs(importTensorFlowJs(json, { 'group1-shard1of1.bin': bytes }).model, 'tagger');
    group.weights.push(step);
    expect(() => importTensorFlowJs(json, { 'group1-shard1of1.bin': new Uint8Array([...bytes, 0, 0, 0, 0]) })).toThrow(
      'importTensorFlowJs: the weight optimizer/vars/0 is in the manifest twice.',
    );
  });

  it('rejects weights that do not match, and does not change the model', () => {
    const { tensors } = readSafetensors(bytesOf('tagger.safetensors'));
    const gruBias = 'sequential/gru/gru_cell/bias';
    const expectRejection = (
      message: string,
      changed: readonly Layer[],
      weights: Readonly<Record<string, Tensor>> = tensors,
      options: object = {},
    ): void => {
      const model = sequential(changed, { seed: 3 });
      const original = model.data.slice();
      expect(() => fromKeras(model, weights, options)).toThrow(message);
      expect(model.data).toEqual(original);
    };
    const { [gruBias]: bias, ...filtered } = tensors;
    expectRejection(
      'fromKeras: the layer head needs its kernel, which is missing. It has no weights.',
      layers,
      tensors,
      {
        layers: { dense: 'head' },
      },
    );
    expectRejection(
      'fromKeras: layers has head, which is not a layer. The layers are embedding, bidirectional, layerNorm, ' +
        'dropout, gru, dense.',
      layers,
      tensors,
      { layers: { head: 'x' } },
    );
    expectRejection('fromKeras: sequential/gru/gru_cell/recurrent_kernel must be [5, 15], got [4, 12].', [
      ...layers.slice(0, 4),
      recurrent(gru(), { hiddenSize: 5 }),
      dense({ size: 2 }),
    ]);
    expectRejection(
      "fromKeras: gru has reset_after=True: use gru({ reset: 'after' }).",
      layers.map((layer) => (layer.name === 'gru' ? recurrent(gru({ reset: 'before' }), { hiddenSize: 4 }) : layer)),
      tensors,
      { layers: { gruResetBefore: 'gru' } },
    );
    expectRejection("fromKeras: gru has reset_after=False: use gru({ reset: 'before' }).", layers, {
      ...tensors,
      [gruBias]: { shape: [12], data: bias!.data.slice(12) },
    });
    expectRejection('fromKeras: no layer uses the weights sequential/extra/kernel.', layers, {
      ...tensors,
      'sequential/extra/kernel': full([1], 0),
    });
    expectRejection('fromKeras: bidirectional has the cell layerNormLstm, which has no equivalent in Keras', [
      embedding({ vocabularySize: 9, size: 4 }),
      bidirectional(layerNormLstm(), { hiddenSize: 3 }),
    ]);
    expectRejection('fromKeras: layerNormLstm has the cell layerNormLstm, which has no equivalent in Keras', [
      embedding({ vocabularySize: 9, size: 4 }),
      recurrent(layerNormLstm(), { hiddenSize: 3 }),
    ]);
    expectRejection('fromKeras: attentionPooling has no equivalent in Keras', [
      embedding({ vocabularySize: 9, size: 4 }),
      attentionPooling(),
    ]);
    expectRejection(
      'learns its initial state',
      [embedding({ vocabularySize: 9, size: 4 }), recurrent(lstm(), { hiddenSize: 3, learnInitialState: true })],
      tensors,
      { layers: { lstm: 'gru' } },
    );
    // Missing biases (use_bias=False) are zero.
    const model = sequential(layers);
    fromKeras(model, filtered);
    expect(
      [...model.parameters['gru']!['bias']!.data, ...model.parameters['gru']!['biasHn']!.data].every(
        (value) => value === 0,
      ),
    ).toBe(true);
    const bare = sequential(layers.map((layer) => (layer.name === 'gru' ? withoutBias(layer) : layer)));
    fromKeras(bare, filtered);
    expect(predict(bare, intTensor([[1], [3], [2]]))).toEqual(predict(model, intTensor([[1], [3], [2]])));
    const before = bare.data.slice();
    expect(() => fromKeras(bare, tensors)).toThrow('fromKeras: gru has no bias, but the file has.');
    expect(bare.data).toEqual(before);
  });
});

describe('configurations', () => {
  const { model: whole } = importKeras(bytesOf('stacked.keras'));
  const { tensors } = readHdf5(readZip(bytesOf('stacked.keras'))['model.weights.h5']!);
  const config = JSON.parse(new TextDecoder().decode(readZip(bytesOf('stacked.keras'))['config.json'])) as {
    config: { layers: { class_name: string; config: Record<string, unknown> }[] };
  };
  type Changes = Record<string, unknown>;
  const changed = (index: number, change: Changes, className?: string): Json => {
    const copy = structuredClone(config);
    const layer = copy.config.layers[index]!;
    copy.config.layers[index] = {
      ...layer,
      ...(className && { class_name: className }),
      config: { ...layer.config, ...change },
    };
    return copy as unknown as Json;
  };
  const imported = (json: Json, options = {}): ReturnType<typeof modelOf> =>
    modelOf('importKeras', json, tensors, { slope: 1 / 6, ...options }, nameInFile);

  it('an unchanged configuration gives the model', () => {
    expect(imported(config as unknown as Json).model.data).toEqual(whole.data);
    expect(whole.layers.map(({ name }) => name)).toEqual([
      'lstm',
      'lstm2',
      'bidirectional',
      'lstm3',
      'dense',
      'dense2',
    ]);
  });

  it.each<[string, Json, string]>([
    [
      'an unsupported layer',
      changed(1, {}, 'ConvLSTM1D'),
      'the layer lstm has class ConvLSTM1D, which is not supported. Supported classes are InputLayer, Embedding,',
    ],
    [
      'gates with an unknown activation',
      changed(1, { recurrent_activation: 'gelu' }),
      'lstm has recurrent_activation gelu; only linear, tanh, relu,',
    ],
    [
      'an unknown activation of a gated cell',
      changed(1, { activation: 'gelu' }),
      'lstm has activation gelu; only linear, tanh, relu,',
    ],
    [
      'an unknown activation',
      changed(5, { activation: 'gelu' }),
      'dense has activation gelu; only linear, tanh, relu,',
    ],
    [
      'a sequence in reverse order',
      changed(1, { go_backwards: true }),
      'lstm has go_backwards and return_sequences: Keras returns the outputs in reverse order',
    ],
    ['a state as output', changed(1, { return_state: true }), 'lstm has return_state, which is not supported.'],
    [
      'separate outputs of both directions',
      changed(3, { merge_mode: null }),
      'bidirectional has merge_mode null; only concat, sum, ave and mul are supported.',
    ],
    ['a transformer', { class_name: 'Transformer', config: {} }, 'the configuration is of class "Transformer"'],
    ['no layers', { class_name: 'Sequential', config: { name: 'x' } }, 'the configuration has no layers'],
    [
      'a number as a layer',
      { class_name: 'Sequential', config: { layers: [3] } },
      'a layer of the configuration has no class_name and config',
    ],
    [
      'units that are not a number',
      changed(1, { units: '3' }),
      'units of lstm must be an integer of at least 1, got "3".',
    ],
    ['other units', changed(1, { units: 4 }), 'layers/lstm/cell/vars/1 must be [4, 16], got [3, 12].'],
    ['an empty list of layers', { class_name: 'Sequential', config: { layers: [] } }, 'the model has no layers.'],
    [
      'masks',
      changed(5, {}, 'Masking'),
      'dense masks steps. Sequence lengths replace masks: import with { lengths: true }, and pass lengths to predict, ' +
        'or use predictMasked.',
    ],
  ])('%s: rejected', (_, json, message) => {
    expect(() => imported(json)).toThrow(`importKeras: ${message}`);
    expect(() => imported(json)).toThrow(RangeError);
  });

  it('backward layers that are not recurrent and TimeDistributed recurrent layers are rejected', () => {
    const differing = structuredClone(config);
    (differing.config.layers[3]!.config['backward_layer'] as { class_name: string }).class_name = 'ConvLSTM1D';
    expect(() => imported(differing as unknown as Json)).toThrow(
      'importKeras: the backward layer of bidirectional is ConvLSTM1D; only SimpleRNN, LSTM and GRU are supported.',
    );
    const distributed = changed(5, { layer: { class_name: 'LSTM', config: {} } }, 'TimeDistributed');
    expect(() => imported(distributed)).toThrow(
      'importKeras: dense is TimeDistributed over a LSTM; only Dense is supported.',
    );
  });

  it('a functional model with several outputs, or that uses another output of a layer, is rejected', () => {
    const importAs = (outputs: Json, source: Json): unknown => {
      const call = (tensor: Json): Json => [{ args: [{ config: { keras_history: tensor } }], kwargs: {} }];
      const layers: Json = [
        { class_name: 'InputLayer', config: { name: 'x', batch_shape: [null, null, 2] }, inbound_nodes: [] },
        { class_name: 'Dense', config: { name: 'a', units: 2, use_bias: false }, inbound_nodes: call(['x', 0, 0]) },
        { class_name: 'Dense', config: { name: 'b', units: 2, use_bias: false }, inbound_nodes: call(source) },
      ];
      const kernel = tensor([
        [1, 2],
        [3, 4],
      ]);
      const json: Json = { class_name: 'Functional', config: { name: 'f', layers, output_layers: outputs } };
      return modelOf('importKeras', json, { 'a/kernel': kernel, 'b/kernel': kernel }, { slope: 1 }, ({ name }) => name);
    };
    for (const outputs of [['b', 0, 0], [['b', 0, 0]], { y: ['b', 0, 0] }]) importAs(outputs, ['a', 0, 0]);
    expect(() =>
      importAs(
        [
          ['a', 0, 0],
          ['b', 0, 0],
        ],
        ['a', 0, 0],
      ),
    ).toThrow('importKeras: the outputs of the model are a, b; only that of its last layer, b, is supported.');
    expect(() => importAs(['b', 0, 1], ['a', 0, 0])).toThrow('the outputs of the model are b[1]; only that of');
    expect(() => importAs(['b', 0, 0], ['a', 0, 2])).toThrow('importKeras: b has inputs a[2]: the layers must be a');
  });

  it('a layer of Keras 2 that also runs as in training to predict is rejected', () => {
    const importAs = (call: Json, isTensorFlowJs: boolean): unknown => {
      const layers: Json = [
        { class_name: 'InputLayer', config: { name: 'x', batch_input_shape: [null, null, 2] }, inbound_nodes: [] },
        { class_name: 'Dense', config: { name: 'a', units: 2, use_bias: false }, inbound_nodes: [[['x', 0, 0, {}]]] },
        { class_name: 'Dropout', config: { name: 'drop', rate: 0.5 }, inbound_nodes: [call] },
      ];
      const kernel = tensor([
        [1, 2],
        [3, 4],
      ]);
      const json: Json = { class_name: 'Functional', config: { name: 'f', layers } };
      return modelOf('importKeras', json, { 'a/kernel': kernel }, { slope: 1, isTensorFlowJs }, ({ name }) => name);
    };
    const keras2 = (training: boolean | null): Json => [['a', 0, 0, { training }]];
    expect(() => importAs(keras2(true), false)).toThrow(
      'importKeras: drop is called with training=True, so that it also runs as in training to predict.',
    );
    for (const training of [false, null]) importAs(keras2(training), false);
    // TensorFlow.js and Keras 3 override the argument.
    importAs(keras2(true), true);
    importAs({ args: [{ config: { keras_history: ['a', 0, 0] } }], kwargs: { training: true } }, false);
  });

  it('a functional model that branches is rejected', () => {
    const functional = JSON.parse(new TextDecoder().decode(readZip(bytesOf('functional.keras'))['config.json'])) as {
      config: { layers: { inbound_nodes: unknown }[] };
    };
    const weights = readHdf5(readZip(bytesOf('functional.keras'))['model.weights.h5']!).tensors;
    functional.config.layers[3]!.inbound_nodes = functional.config.layers[1]!.inbound_nodes;
    expect(() => modelOf('importKeras', functional as unknown as Json, weights, { slope: 1 }, nameInFile)).toThrow(
      'importKeras: dropout has inputs input_layer: the layers must be a single chain, input_layer, simplernn, gru, ' +
        'dropout, dense.',
    );
  });

  it('notes report stateful layers and masks', () => {
    expect(imported(changed(1, { stateful: true })).notes).toEqual([
      'lstm was stateful: pass the state of the previous batch to predictWithState',
    ]);
    const tagger = JSON.parse(new TextDecoder().decode(readZip(bytesOf('tagger.keras'))['config.json'])) as {
      config: { layers: { config: Changes }[] };
    };
    const weights = readHdf5(bytesOf('tagger.weights.h5')).tensors;
    tagger.config.layers[1]!.config['mask_zero'] = true;
    expect(() => modelOf('importKeras', tagger as unknown as Json, weights, { slope: 1 }, nameInFile)).toThrow(
      'importKeras: embedding masks the id 0 (mask_zero).',
    );
    expect(
      modelOf('importKeras', tagger as unknown as Json, weights, { slope: 1, lengths: true }, nameInFile).notes,
    ).toEqual(['embedding masked the id 0: pass the sequence lengths to predict instead, or use predictMasked']);
  });

  it('errors name the function that was called', () => {
    expect(() => importKeras(new Uint8Array(40))).toThrow(/^importKeras: the file has no end-of-directory record\./);
    expect(() => importKeras('text' as never)).toThrow(/^importKeras: file must be a Uint8Array or an ArrayBuffer/);
    expect(() => importKeras(archiveOf([]))).toThrow(
      'importKeras: the archive has no model.weights.h5. It has no files.',
    );
    expect(() => importKeras(archiveOf([{ name: 'model.weights.h5', content: new Uint8Array(16) }]))).toThrow(
      /^importKeras: model\.weights\.h5: the file does not start with the HDF5 signature\./,
    );
    expect(() => readHdf5(bytesOf('tagger.keras'))).toThrow(
      'readHdf5: the file does not start with the HDF5 signature.',
    );
  });

  it('class names become the snake case of Keras', () => {
    const names = ['SimpleRNN', 'LSTM', 'GRU', 'LayerNormalization', 'TimeDistributed', 'Conv2DTranspose'].map(
      (className) => nameInFile({ className, name: '', config: {} }, 0),
    );
    expect(names).toEqual(['simple_rnn', 'lstm', 'gru', 'layer_normalization', 'time_distributed', 'conv2d_transpose']);
  });
});
