/** Models and weights of Keras: what its layers answer by their definitions; what cannot be mapped exactly is refused with the reason. */

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
} from 'bptt';
import { fromKeras, importKeras, importTensorFlowJs, readHdf5, readZip } from 'bptt/keras';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/formats/description';
import { modelOf, nameInFile } from '../../src/formats/keras/model';

interface Numbers {
  readonly shape: number[];
  readonly data: number[];
}
const folder = new URL('../golden/keras/', import.meta.url);
const bytesOf = (name: string): Uint8Array => readFileSync(new URL(name, folder));
const { cases } = JSON.parse(new TextDecoder().decode(bytesOf('cases.json'))) as {
  cases: Record<string, { inputs: Numbers; outputs: Numbers }>;
};

/** Keras' batch comes first. */
function expectAnswers(model: Sequential, name: string): void {
  const { inputs, outputs } = cases[name]!;
  const x =
    inputs.shape.length === 2
      ? toTimeMajor(intTensor(Int32Array.from(inputs.data), inputs.shape))
      : toTimeMajor(tensor(Float32Array.from(inputs.data), inputs.shape));
  const answer = predict(model, x as Tensor);
  const { data } = answer.shape.length === 3 ? toBatchMajor(answer) : answer;
  expect(data).toHaveLength(outputs.data.length);
  outputs.data.forEach((value, i) => expect(Math.abs(data[i]! - value), `${name} ${i}`).toBeLessThan(1e-6));
}

describe.each(Object.keys(cases))('%s.keras', (name) => {
  it('is imported, and answers what Keras’ layers do', () => {
    const { model, notes } = importKeras(bytesOf(`${name}.keras`));
    expectAnswers(model, name);
    expect(notes).toEqual([]);
  });

  it('is kept by save and load', () =>
    expectAnswers(load(save(importKeras(bytesOf(`${name}.keras`)).model)).model, name));
});

describe('weights for a model that the program makes', () => {
  const layers = [
    embedding({ vocabularySize: 9, size: 4 }),
    bidirectional(lstm(), { hiddenSize: 3 }),
    layerNorm({ epsilon: 1e-3 }),
    dropout(0.3),
    recurrent(gru(), { hiddenSize: 4 }),
    dense({ size: 2, activation: softmax }),
  ];
  it('of a .weights.h5 file', () => {
    const model = sequential(layers, { seed: 3 });
    const { tensors, others } = readHdf5(bytesOf('tagger.weights.h5'));
    fromKeras(model, tensors, { layers: { dense: 'time_distributed' } });
    expectAnswers(model, 'tagger');
    expect(others).toEqual(['layers/dropout/seed_generator/vars/0']);
  });

  it('of safetensors by variable path', () => {
    const model = sequential(layers, { seed: 3 });
    const { tensors } = readSafetensors(bytesOf('tagger.safetensors'));
    fromKeras(model, tensors);
    expectAnswers(model, 'tagger');
    const unprefixed = Object.fromEntries(
      Object.entries(tensors).map(([path, each]) => [
        path.replace('sequential/', '').replace('time_distributed/', ''),
        each,
      ]),
    );
    const again = sequential(layers, { seed: 4 });
    fromKeras(again, unprefixed);
    expect(again.data).toEqual(model.data);
  });

  it.each([
    ['3', 'tagger-tfjs.json'],
    ['2', 'tagger-tfjs-keras2.json'],
  ])('of a model of Keras %s as the converter of TensorFlow.js writes it', (_, name) => {
    const { model } = importTensorFlowJs(new TextDecoder().decode(bytesOf(name)), {
      'group1-shard1of1.bin': bytesOf('tagger-tfjs.bin'),
    });
    expectAnswers(model, 'tagger');
  });

  it('are refused, and nothing is changed, where they do not fit', () => {
    const { tensors } = readSafetensors(bytesOf('tagger.safetensors'));
    const given = {};
    const gruBias = 'sequential/gru/gru_cell/bias';
    const refused = (
      message: string,
      changed: readonly Layer[],
      weights: Readonly<Record<string, Tensor>> = tensors,
      options: object = given,
    ): void => {
      const model = sequential(changed, { seed: 3 });
      const before = model.data.slice();
      expect(() => fromKeras(model, weights, options)).toThrow(message);
      expect(model.data).toEqual(before);
    };
    const { [gruBias]: bias, ...without } = tensors;
    refused('fromKeras: the layer head needs its kernel. It has no weights in the file.', layers, tensors, {
      layers: { dense: 'head' },
    });
    refused(
      'fromKeras: layers names head, which is no layer. There are embedding, bidirectional, layerNorm, dropout, gru, dense.',
      layers,
      tensors,
      { layers: { head: 'x' } },
    );
    refused('fromKeras: sequential/gru/gru_cell/recurrent_kernel must be [5, 15], got [4, 12].', [
      ...layers.slice(0, 4),
      recurrent(gru(), { hiddenSize: 5 }),
      dense({ size: 2 }),
    ]);
    refused(
      "fromKeras: gru resets after the recurrent product, which gru({ reset: 'before' }) cannot be.",
      layers.map((layer) => (layer.name === 'gru' ? recurrent(gru({ reset: 'before' }), { hiddenSize: 4 }) : layer)),
      tensors,
      { layers: { gruResetBefore: 'gru' } },
    );
    refused(
      "fromKeras: gru resets before the recurrent product (reset_after=False): it is a gru({ reset: 'before' }).",
      layers,
      { ...tensors, [gruBias]: { shape: [12], data: bias!.data.slice(12) } },
    );
    refused('fromKeras: there is no layer for sequential/extra/kernel.', layers, {
      ...tensors,
      'sequential/extra/kernel': full([1], 0),
    });
    refused('fromKeras: the cell layerNormLstm of', [
      embedding({ vocabularySize: 9, size: 4 }),
      bidirectional(layerNormLstm(), { hiddenSize: 3 }),
    ]);
    refused('fromKeras: layerNormLstm is made of the cell layerNormLstm, which has no equal in Keras', [
      embedding({ vocabularySize: 9, size: 4 }),
      recurrent(layerNormLstm(), { hiddenSize: 3 }),
    ]);
    refused('fromKeras: attentionPooling has no equal in Keras', [
      embedding({ vocabularySize: 9, size: 4 }),
      attentionPooling(),
    ]);
    refused(
      'learns its first state',
      [embedding({ vocabularySize: 9, size: 4 }), recurrent(lstm(), { hiddenSize: 3, learnInitialState: true })],
      tensors,
      { layers: { lstm: 'gru' } },
    );
    // A layer without biases is one whose biases are zero.
    const model = sequential(layers);
    fromKeras(model, without, given);
    expect(
      [...model.parameters['gru']!['bias']!.data, ...model.parameters['gru']!['biasHn']!.data].every(
        (value) => value === 0,
      ),
    ).toBe(true);
  });
});

describe('configurations', () => {
  const { model: whole } = importKeras(bytesOf('stacked.keras'));
  const { tensors } = readHdf5(readZip(bytesOf('stacked.keras'))['model.weights.h5']!);
  const config = JSON.parse(new TextDecoder().decode(readZip(bytesOf('stacked.keras'))['config.json'])) as {
    config: { layers: { class_name: string; config: Record<string, unknown> }[] };
  };
  type Changes = Record<string, unknown>;
  const changed = (at: number, change: Changes, className?: string): Json => {
    const copy = structuredClone(config);
    const layer = copy.config.layers[at]!;
    copy.config.layers[at] = {
      ...layer,
      ...(className && { class_name: className }),
      config: { ...layer.config, ...change },
    };
    return copy as unknown as Json;
  };
  const imported = (json: Json, options = {}): ReturnType<typeof modelOf> =>
    modelOf('importKeras', json, tensors, { slope: 1 / 6, ...options }, nameInFile);

  it('read as it is, it is the model', () => {
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
      'a layer without an equal',
      changed(1, {}, 'ConvLSTM1D'),
      'the layer lstm is a ConvLSTM1D, which has no equal here. There are InputLayer, Embedding,',
    ],
    [
      'gates by another function',
      changed(1, { recurrent_activation: 'tanh' }),
      'lstm opens its gates by tanh; sigmoid and hard_sigmoid are what can be.',
    ],
    [
      'another activation of a gated cell',
      changed(1, { activation: 'relu' }),
      'lstm has the activation "relu", ours has tanh.',
    ],
    [
      'an unknown activation',
      changed(5, { activation: 'gelu' }),
      'dense has the activation gelu, which has no equal here.',
    ],
    [
      'a sequence backwards',
      changed(1, { go_backwards: true }),
      'lstm goes backwards and returns its sequence from the last step to the first',
    ],
    ['a state as output', changed(1, { return_state: true }), 'lstm returns its state as an output of its own'],
    [
      'outputs of both directions apart',
      changed(3, { merge_mode: null }),
      'bidirectional merges by null; concat, sum, ave and mul are what can be.',
    ],
    ['a transformer', { class_name: 'Transformer', config: {} }, 'the configuration is of a "Transformer"'],
    ['no layers', { class_name: 'Sequential', config: { name: 'x' } }, 'the configuration has no layers'],
    [
      'a layer that is none',
      { class_name: 'Sequential', config: { layers: [3] } },
      'a layer of the configuration has no class_name and config',
    ],
    ['units that are none', changed(1, { units: '3' }), 'lstm must have units, a whole number of at least 1, got "3".'],
    ['other units', changed(1, { units: 4 }), 'layers/lstm/cell/vars/1 must be [4, 16], got [3, 12].'],
    ['no layer at all', { class_name: 'Sequential', config: { layers: [] } }, 'the model has no layer.'],
    [
      'an activation by itself',
      changed(6, { activation: 'relu' }, 'Activation'),
      'dense_1 is an Activation by itself.',
    ],
    [
      'masks',
      changed(5, {}, 'Masking'),
      'dense masks steps. Here rows have lengths, which predict is given: say that it will be, by { lengths: true }.',
    ],
  ])('refused: %s', (_, json, message) => {
    expect(() => imported(json)).toThrow(`importKeras: ${message}`);
    expect(() => imported(json)).toThrow(RangeError);
  });

  it('directions that differ, and layers that are spread over time, are refused', () => {
    const both = structuredClone(config);
    (both.config.layers[3]!.config['backward_layer'] as { config: Changes }).config['units'] = 9;
    expect(() => imported(both as unknown as Json)).toThrow(
      'importKeras: the two directions of bidirectional differ in units.',
    );
    const spread = changed(5, { layer: { class_name: 'LSTM', config: {} } }, 'TimeDistributed');
    expect(() => imported(spread)).toThrow('importKeras: dense spreads a LSTM over time; Dense is what can be.');
  });

  it('a functional model that branches is refused, with its layers', () => {
    const functional = JSON.parse(new TextDecoder().decode(readZip(bytesOf('functional.keras'))['config.json'])) as {
      config: { layers: { inbound_nodes: unknown }[] };
    };
    const own = readHdf5(readZip(bytesOf('functional.keras'))['model.weights.h5']!).tensors;
    functional.config.layers[3]!.inbound_nodes = functional.config.layers[1]!.inbound_nodes;
    expect(() => modelOf('importKeras', functional as unknown as Json, own, { slope: 1 }, nameInFile)).toThrow(
      'importKeras: dropout takes in input_layer: the layers must follow each other in one line, input_layer, simplernn, gru, dropout, dense.',
    );
  });

  it('states that were carried, and masks that become lengths, are told', () => {
    expect(imported(changed(1, { stateful: true })).notes).toEqual([
      'lstm was stateful: give predictWithState the state of the batch before',
    ]);
    const tagger = JSON.parse(new TextDecoder().decode(readZip(bytesOf('tagger.keras'))['config.json'])) as {
      config: { layers: { config: Changes }[] };
    };
    const own = readHdf5(bytesOf('tagger.weights.h5')).tensors;
    tagger.config.layers[1]!.config['mask_zero'] = true;
    expect(() => modelOf('importKeras', tagger as unknown as Json, own, { slope: 1 }, nameInFile)).toThrow(
      'importKeras: embedding masks the id 0 (mask_zero).',
    );
    expect(
      modelOf('importKeras', tagger as unknown as Json, own, { slope: 1, lengths: true }, nameInFile).notes,
    ).toEqual(['embedding masked the id 0: rows are as long as the lengths that predict is given']);
  });

  it('an archive without its parts is refused', () => {
    expect(() => importKeras(bytesOf('tagger.weights.h5'))).toThrow('readZip: the file has no end of a directory.');
    expect(() => readHdf5(bytesOf('tagger.keras'))).toThrow('readHdf5: the file does not begin as HDF5 does.');
  });

  it('classes have the names that Keras gives them', () => {
    const names = ['SimpleRNN', 'LSTM', 'GRU', 'LayerNormalization', 'TimeDistributed', 'Conv2DTranspose'].map(
      (className) => nameInFile({ className, name: '', config: {} }, 0),
    );
    expect(names).toEqual(['simple_rnn', 'lstm', 'gru', 'layer_normalization', 'time_distributed', 'conv2d_transpose']);
  });
});
