/** Files that are built to take long or to need far more memory than they have bytes are rejected at once. */

import { readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import {
  dense,
  dropout,
  full,
  type Layer,
  layerNorm,
  load,
  loadInto,
  readSafetensors,
  recurrent,
  save,
  sequential,
  simpleRnn,
  type Tensor,
  writeSafetensors,
} from 'bptt';
import { importKeras, importTensorFlowJs, readZip } from 'bptt/keras';
import { checkpointFile } from 'bptt/node';
import { importOnnx, predictOnnx } from 'bptt/onnx';
import { fromPyTorch, inferModel } from 'bptt/pytorch';
import { describe, expect, it } from 'vitest';
import { joinBytes } from '../../src/formats/file-bytes';
import { decodeHdf5 } from '../../src/formats/hdf5';
import { filtersOf } from '../../src/formats/hdf5/filters';
import { bytesField, floatsField, integerField, integersField, textField } from '../../src/formats/onnx/protobuf';
import { archiveOf } from './archive';

const model = () => sequential([dense({ size: 2 })], { inputSize: 2 });
const { tensors, metadata } = readSafetensors(save(model()));
const withDescription = (layers: readonly unknown[]): Uint8Array =>
  writeSafetensors(tensors, { ...metadata, 'bptt.model': JSON.stringify(['sequential', layers, { inputSize: 2 }]) });
const named = (count: number, name: (i: number) => string): Record<string, Tensor> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [name(i), full([2], 0)]));

describe('inferModel', () => {
  it('reads names and lists of tensors in time proportional to their length', () => {
    const name = `${'fc'.repeat(100_000)}-`;
    const [short, long] = [name.slice(150_000), name].map((prefix) => {
      const start = performance.now();
      inferModel({ [`${prefix}.weight`]: full([2, 3], 0) });
      return performance.now() - start;
    }) as [number, number];
    // Four times the length. In quadratic time the long name takes 16 times as long, about 20 seconds.
    expect(long).toBeLessThan(8 * short + 1000);
  });

  it('classifies modules by the last word of their name', () => {
    const kindOf = (name: string) =>
      inferModel({ [`${name}.weight`]: full([2, 3], 0) }).layers.map((layer) => layer.name)[0];
    expect(kindOf('decoder')).toBe('dense');
    expect(kindOf('my.fc2')).toBe('dense');
    expect(kindOf('fc-table')).toBe('dense');
    expect(kindOf('fc.table')).toBe('embedding');
  });

  it('rejects more modules and layers than any model has, and does not list them all', () => {
    expect(() => inferModel(named(8000, (i) => `m${i}.weight`))).toThrow(
      'inferModel: weights must have at most 1024 modules, got 8000.',
    );
    const stack = Object.fromEntries(
      Array.from({ length: 1025 }, (_, i) => [
        [`weight_ih_l${i}`, full([1, 1], 0)],
        [`weight_hh_l${i}`, full([1, 1], 0)],
      ]).flat(),
    );
    expect(() => inferModel(stack)).toThrow('must have at most 1024 layers, got 1025');
    const unordered = Array.from({ length: 100 }, (_, i) => ({
      [`m${i}.weight`]: full([2, 2], 0),
      [`m${i}.bias`]: full([2], 0),
    }));
    const other = { 'last.weight': full([3], 0), 'last.bias': full([3], 0) };
    expect(() => inferModel(Object.assign(other, ...unordered))).toThrow(/m6 \(2 to 2\) and 93 more/);
  });

  it('accepts a parameter named as a property of Object.prototype as unknown', () => {
    expect(() => inferModel({ 'm.__proto__': full([2], 0) })).toThrow(
      'inferModel: m.__proto__ does not belong to a supported module',
    );
  });
});

it.each([1, 20])(
  '%d files of an archive that expand by a factor of 1000 are rejected before decompression',
  (count) => {
    const content = new Uint8Array(deflateRawSync(new Uint8Array(200_000_000 / count), { level: 9 }));
    const names = Array.from({ length: count }, (_, i) => (i === 0 ? 'config.json' : `file ${i}`));
    const file = archiveOf(names.map((name) => ({ name, content, size: 200_000_000 / count, method: 8 })));
    expect(file.length).toBeLessThan(200_000);
    expect(() => readZip(file)).toThrow('readZip: the files take 200000000 bytes after decompression, too many for');
    expect(() => importKeras(file)).toThrow('importKeras: the files take 200000000 bytes');
  },
);

it('an archive whose files are moments of zero is read', () => {
  const content = new Uint8Array(deflateRawSync(new Uint8Array(4_000_000)));
  // The checksum is that of the content after decompression, which the archive of the tests does not compute.
  expect(() => readZip(archiveOf([{ name: 'a', content, size: 4_000_000, method: 8 }]))).toThrow(/CRC-32/);
});

describe('importOnnx', () => {
  const onnx = (graph: Uint8Array): Uint8Array =>
    joinBytes([bytesField(8, Uint8Array.of(16, 17)), bytesField(7, graph)]);
  const repeated = (count: number, part: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array(count * part.length);
    for (let i = 0; i < count; i++) bytes.set(part, i * part.length);
    return bytes;
  };

  it.each<[string, Uint8Array]>([
    ['empty nodes', repeated(450_000, Uint8Array.of(10, 0))],
    ['empty initializers', repeated(450_000, Uint8Array.of(42, 0))],
    ['inputs of a node', bytesField(1, joinBytes([textField(4, 'Concat'), repeated(450_000, textField(1, 'x'))]))],
    ['small nodes', repeated(60_000, bytesField(1, joinBytes([textField(4, 'Relu'), textField(2, 'y')])))],
  ])('rejects more %s than any model has', (_, graph) => {
    expect(() => importOnnx(onnx(graph))).toThrow(/has more fields than any model of the size of this file\.$/);
  });

  it.each<[string, string, Uint8Array]>([
    [
      'axes of a tensor',
      'must have at most 64 axes',
      bytesField(5, integersField(1, new Array<number>(200_000).fill(1))),
    ],
    [
      'axes of an input',
      'must have at most 64 axes',
      bytesField(11, bytesField(2, bytesField(1, bytesField(2, repeated(65, bytesField(1, integersField(1, []))))))),
    ],
    [
      'integers in an attribute',
      'must have at most 100000 ints, got 200000.',
      bytesField(
        1,
        bytesField(5, joinBytes([integerField(20, 7), integersField(8, new Array<number>(200_000).fill(1))])),
      ),
    ],
    [
      'floats in an attribute',
      'must have at most 100000 floats, got 200000.',
      bytesField(
        1,
        bytesField(5, joinBytes([integerField(20, 6), floatsField(7, new Array<number>(200_000).fill(1))])),
      ),
    ],
  ])('rejects too many %s', (_, message, graph) => {
    expect(() => importOnnx(onnx(graph))).toThrow(message);
  });

  it('shortens the problems of a graph inside a node, and lists only the first inputs', () => {
    const foo = (i: number): Uint8Array => bytesField(1, joinBytes([textField(4, 'Foo'), textField(2, `y${i}`)]));
    const branch = (name: string): Uint8Array => {
      const nodes = joinBytes([...Array.from({ length: 100 }, (_, i) => foo(i)), bytesField(12, textField(1, 'y1'))]);
      return bytesField(5, joinBytes([textField(1, name), integerField(20, 5), bytesField(6, nodes)]));
    };
    const condition = joinBytes([
      textField(4, 'Constant'),
      textField(2, 'c'),
      bytesField(5, joinBytes([textField(1, 'value_int'), integerField(20, 2), integerField(3, 1)])),
    ]);
    const node = joinBytes([
      textField(1, 'c'),
      textField(4, 'If'),
      textField(2, 'y'),
      branch('then_branch'),
      branch('else_branch'),
    ]);
    const graph = joinBytes([bytesField(1, condition), bytesField(1, node), bytesField(12, textField(1, 'y'))]);
    expect(() => importOnnx(onnx(graph))).toThrow(/: If "y": in then_branch: Foo "y0": .{100,200}….$/);

    const float = bytesField(2, bytesField(1, integerField(1, 1)));
    const inputs = Array.from({ length: 100 }, (_, i) => bytesField(11, joinBytes([textField(1, `x${i}`), float])));
    const network = importOnnx(onnx(joinBytes([...inputs, bytesField(12, textField(1, 'x1'))])));
    const values = named(100, (i) => `x${i}`);
    expect(() => predictOnnx(network, { ...values, other: full([1], 0) })).toThrow(
      'predictOnnx: the model has no input other. Its inputs are: x0, x1, x2, x3, x4, x5, x6, x7 and 92 more.',
    );
  });

  it('lists only the first problems', () => {
    const node = (i: number): Uint8Array => bytesField(1, joinBytes([textField(4, 'Foo'), textField(2, `y${i}`)]));
    const graph = joinBytes([...Array.from({ length: 1000 }, (_, i) => node(i)), bytesField(12, textField(1, 'y1'))]);
    expect(() => importOnnx(onnx(graph))).toThrow(
      /\(1000 problems\): .*Foo "y7": the operator is not.* and 992 more\.$/,
    );
    expect(() => importOnnx(onnx(bytesField(1, integersField(99, [1]))))).toThrow(/node 0 has no op_type\./);
  });
});

describe('JSON', () => {
  it.each<[string, string]>([
    ['more than 256 levels deep', `{"x":${'{"a":'.repeat(300)}1${'}'.repeat(301)}`],
    ['more than 256 levels deep', `{"x":${'['.repeat(300)}${']'.repeat(300)}}`],
    ['too many values', `{"x":[${'{},'.repeat(500_000)}1]}`],
  ])('of a header, an extra or a configuration with %s is rejected before it is parsed', (reason, text) => {
    const header = new TextEncoder().encode(text);
    const file = new Uint8Array(8 + header.length);
    new DataView(file.buffer).setUint32(0, header.length, true);
    file.set(header, 8);
    const message = (where: string, what: string): RegExp => new RegExp(`^${where}: ${what} (is|has) ${reason}\\.$`);
    expect(() => readSafetensors(file)).toThrow(message('readSafetensors', 'the header'));
    expect(() => load(writeSafetensors(tensors, { ...metadata, 'bptt.extras': text }))).toThrow(
      message('load', 'bptt.extras'),
    );
    expect(() => importTensorFlowJs(text, {})).toThrow(message('importTensorFlowJs', 'model.json'));
    const archive = archiveOf([
      { name: 'config.json', content: header },
      { name: 'model.weights.h5', content: header },
    ]);
    expect(() => importKeras(archive)).toThrow(/^importKeras: /);
  });

  it('of a header or a configuration with many names is rejected before it is parsed', () => {
    const names = Array.from({ length: 400_000 }, (_, i) => `"${i}":""`).join();
    for (const text of [`{"__metadata__":{${names}}}`, `{${names}}`]) {
      const header = new TextEncoder().encode(text);
      const file = new Uint8Array(8 + header.length);
      new DataView(file.buffer).setUint32(0, header.length, true);
      file.set(header, 8);
      expect(() => readSafetensors(file)).toThrow('readSafetensors: the header has too many values.');
      expect(() => importTensorFlowJs(text, {})).toThrow('importTensorFlowJs: model.json has too many values.');
    }
  });

  it('brackets, colons and quotes inside strings do not count', () => {
    const text = `[\\"{:`.repeat(200_000);
    const file = save(model(), { extras: { text } });
    expect(load(file).extras['text']).toBe(text);
  });
});

it('a description of more layers than any model has is rejected', () => {
  const layers = Array.from({ length: 5000 }, () => ({ $make: ['dropout', 0] }));
  expect(() => load(withDescription(layers))).toThrow('load: the model has more than 2048 layers and cells.');
  const config = {
    class_name: 'Sequential',
    config: { layers: Array.from({ length: 5000 }, () => ({ class_name: 'Dropout', config: { rate: 0 } })) },
  };
  const topology = { modelTopology: { model_config: config }, weightsManifest: [] };
  expect(() => importTensorFlowJs(topology, {})).toThrow('importTensorFlowJs: the model has more than 2048 layers.');
});

it('save and checkpoints reject what load would reject', () => {
  const deep = (count: number) => sequential(new Array<Layer>(count).fill(dropout(0)), { inputSize: 1 });
  expect(load(save(deep(2048))).model.layers).toHaveLength(2048);
  expect(() => save(deep(2049))).toThrow(new RangeError('save: the model has more than 2048 layers and cells.'));
  const layers = new Array<Layer>(1025).fill(recurrent(simpleRnn(), { hiddenSize: 1 }));
  expect(() => save(sequential(layers, { inputSize: 1 }))).toThrow('more than 2048 layers and cells.');
  expect(() => checkpointFile('unused', deep(2049), { every: 1 })).toThrow(
    'checkpointFile: the model has more than 2048 layers and cells.',
  );
  const many = { extras: { list: new Array<readonly number[]>(600_000).fill([1]) } };
  expect(() => save(model(), many)).toThrow(new RangeError('save: bptt.extras has too many values.'));
  // @ts-expect-error Extras have names.
  expect(() => save(model(), { extras: 'text' })).toThrow(new TypeError('save: extras must be an object, got text.'));
  // @ts-expect-error Extras have names.
  expect(() => save(model(), { extras: ['text'] })).toThrow('save: extras must be an object, got an array.');
});

it('a weight file may be listed only once', () => {
  const manifest = [{ paths: ['w', 'w'], weights: [] }];
  const config = { class_name: 'Sequential', config: { layers: [] } };
  const topology = { modelTopology: { model_config: config }, weightsManifest: manifest };
  expect(() => importTensorFlowJs(topology, { w: new Uint8Array(4) })).toThrow('the manifest lists w twice.');
});

it('messages list at most eight names, and shorten them', () => {
  const file = writeSafetensors({ ...tensors, ...named(2000, (i) => `x${i}`) }, metadata);
  const rest = 'x0, x1, x2, x3, x4, x5, x6, x7 and 1992 more';
  expect(() => load(file)).toThrow(`load: the file has ${rest}, but the model has no such parameters.`);
  expect(() => loadInto(model(), file)).toThrow(
    `loadInto: the file has ${rest}, but the model has no such parameters.`,
  );
  expect(() =>
    fromPyTorch(
      model(),
      named(2000, (i) => `x${i}`),
    ),
  ).toThrow(`The weights are ${rest}.`);
  const long = withDescription([{ $make: ['x'.repeat(100_000)] }]);
  expect(() => load(long)).toThrow(/^load: the file contains the unknown name "x{199}…\. If it is custom/);
});

it('two thousand layers of one kind load within the time limit of a test', () => {
  const layers = Array.from({ length: 2000 }, () => layerNorm());
  const deep = sequential(layers, { inputSize: 1 });
  expect(deep.layers.at(-1)!.name).toBe('layerNorm2000');
  expect(load(save(deep)).model.layers.at(-1)!.name).toBe('layerNorm2000');
});

describe('models of Keras', () => {
  /** A model of TensorFlow.js with Dense layers from 1 to 1 and weights with one element each. */
  const topology = (names: readonly string[], weights: readonly string[], functional = false) => ({
    modelTopology: {
      model_config: {
        class_name: functional ? 'Functional' : 'Sequential',
        config: {
          layers: names.map((name, i) => ({
            class_name: 'Dense',
            config: { name, units: 1, use_bias: false, ...(i === 0 && { batch_input_shape: [null, null, 1] }) },
            inbound_nodes: i === 0 ? [] : [[[names[i - 1], 0, 0, {}]]],
          })),
        },
      },
    },
    weightsManifest: [{ paths: ['w'], weights: weights.map((name) => ({ name, shape: [1, 1], dtype: 'float32' })) }],
  });
  const sequence = (count: number, name: string): string[] => Array.from({ length: count }, (_, i) => `${name}${i}`);

  it.each([false, true])('of 2000 layers and 20,000 weights are read in time proportional to them', (functional) => {
    const names = sequence(2000, 'd');
    const used = names.map((name) => `${name}/kernel`);
    const ignored = sequence(18_000, 'optimizer/m');
    const { model } = importTensorFlowJs(topology(names, [...used, ...ignored], functional), {
      w: new Uint8Array(80_000),
    });
    expect(model.layers).toHaveLength(2000);
  });

  it('of more than 25,000 weights, or with names of more than 200 letters, are rejected', () => {
    const weights = sequence(25_001, 'optimizer/m');
    const files = (count: number) => ({ w: new Uint8Array(4 * count) });
    expect(() => importTensorFlowJs(topology(['d'], weights), files(25_001))).toThrow('more than 25000 weights.');
    expect(() => importTensorFlowJs(topology(['d'.repeat(1e5)], ['d']), files(1))).toThrow(
      /^importTensorFlowJs: the layer d{200}… has a name or class of over 200 letters\.$/,
    );
  });

  it.each<[string, unknown]>([
    ['a list', new Array<number>(10_000).fill(1)],
    ['a text', 'x'.repeat(100_000)],
    ['an object', { class_name: 'x'.repeat(100_000), config: {} }],
  ])('with %s of any length in place of an option are rejected with a short message', (_, value) => {
    for (const [className, key] of [
      ['Dense', 'units'],
      ['Dense', 'activation'],
      ['LSTM', 'recurrent_activation'],
      ['LayerNormalization', 'epsilon'],
      ['LayerNormalization', 'axis'],
      ['Bidirectional', 'layer'],
      ['TimeDistributed', 'layer'],
      ['ReLU', 'threshold'],
      ['GlobalMaxPooling1D', 'data_format'],
    ] as const) {
      const layers = [{ class_name: className, config: { name: 'x', units: 1, [key]: value } }];
      const config = { class_name: 'Sequential', config: { layers } };
      const read = () => importTensorFlowJs({ modelTopology: { model_config: config }, weightsManifest: [] }, {});
      expect(read).toThrow(RangeError);
      expect(read).toThrow(/^importTensorFlowJs: .{10,500}$/);
    }
  });
});

it('a dataset with the same filter twice is rejected: every one could take long', () => {
  // Version 2: two filters, gzip without values.
  const bytes = Uint8Array.of(2, 2, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0);
  const source = {
    bytes,
    view: new DataView(bytes.buffer),
    seen: new Set<number>(),
    parts: [],
    left: 0,
    expandable: 0,
  };
  expect(() => filtersOf(source, { at: 0, size: bytes.length }, 'x')).toThrow(
    'readHdf5: x is filtered by filter 1 twice, which is not supported.',
  );
});

it('an archive with a small HDF5 file in it bounds the memory of its chunks', () => {
  const files = readZip(readFileSync(new URL('../golden/hdf5/chunks.zip', import.meta.url)));
  const file = files['zeros.h5']!;
  // The chunks, the dataset of 300 x 300 and the file itself fit into the budget, but not after 40 MB of other files.
  expect(decodeHdf5(file, file.length).tensors['x']!.shape).toEqual([300, 300]);
  const padded = new Uint8Array(39_600_000);
  padded.set(file);
  expect(() => decodeHdf5(padded, 1000)).toThrow(
    /^readHdf5: reading x \[300, 300\] takes \d+ bytes, which is too much/,
  );
});
