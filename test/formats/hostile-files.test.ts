/** Files that are built to take long or to need far more memory than they have bytes are rejected at once. */

import { deflateRawSync } from 'node:zlib';
import {
  dense,
  full,
  layerNorm,
  load,
  loadInto,
  readSafetensors,
  save,
  sequential,
  type Tensor,
  writeSafetensors,
} from 'bptt';
import { importKeras, importTensorFlowJs, readZip } from 'bptt/keras';
import { importOnnx } from 'bptt/onnx';
import { fromPyTorch, inferModel } from 'bptt/pytorch';
import { describe, expect, it } from 'vitest';
import { joinBytes } from '../../src/formats/file-bytes';
import { bytesField, integersField, textField } from '../../src/formats/onnx/protobuf';
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
    ['too many objects and arrays', `{"x":[${'{},'.repeat(500_000)}1]}`],
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

  it('brackets and quotes inside strings do not count', () => {
    const text = `[\\"{`.repeat(100_000);
    const file = save(model(), { extras: { text } });
    expect(load(file).extras['text']).toBe(text);
  });
});

it('a description of more layers than any model has is rejected', () => {
  const layers = Array.from({ length: 5000 }, () => ({ $make: ['dropout', 0] }));
  expect(() => load(withDescription(layers))).toThrow('load: the model has more than 4096 layers and cells.');
  const config = {
    class_name: 'Sequential',
    config: { layers: Array.from({ length: 5000 }, () => ({ class_name: 'Dropout', config: { rate: 0 } })) },
  };
  const topology = { modelTopology: { model_config: config }, weightsManifest: [] };
  expect(() => importTensorFlowJs(topology, {})).toThrow('importTensorFlowJs: the model has more than 4096 layers.');
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

it('loading a thousand layers of one kind takes time proportional to their number', () => {
  const layers = Array.from({ length: 2000 }, () => layerNorm());
  const deep = sequential(layers, { inputSize: 1 });
  expect(deep.layers.at(-1)!.name).toBe('layerNorm2000');
  expect(load(save(deep)).model.layers.at(-1)!.name).toBe('layerNorm2000');
});
