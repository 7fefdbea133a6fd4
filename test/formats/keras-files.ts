/** `.keras` files and HDF5 files for tests, in the layout of the Keras sources. */

import { memoize } from '../../src/tensor/memoize';
import { archiveOf } from './archive';

const u16 = (value: number): number[] => [value & 255, value >>> 8];
const u32 = (value: number): number[] => [...u16(value & 0xffff), ...u16(value >>> 16)];
const u64 = (value: number): number[] => (value === Infinity ? Array<number>(8).fill(255) : [...u32(value), ...u32(0)]);
const text = (value: string): number[] => [...new TextEncoder().encode(value)];

/** A weight: its shape and elements. */
export interface Weight {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

const message = (type: number, body: readonly number[]): number[] => {
  const padded = [...body, ...Array<number>((8 - (body.length % 8)) % 8).fill(0)];
  return [...u16(type), ...u16(padded.length), 0, 0, 0, 0, ...padded];
};
const header = (...messages: readonly number[][]): number[] => {
  const bytes = messages.flat();
  return [1, 0, ...u16(messages.length), ...u32(1), ...u32(bytes.length), ...u32(0), ...bytes];
};

/** An HDF5 file with one group, whose datasets have float32 values and any names without a slash. */
export function hdf5Of(weights: Readonly<Record<string, Weight>>): Uint8Array {
  const names = Object.keys(weights).sort();
  const heap = [0];
  const offsets = names.map((name) => heap.push(...text(name), 0) - text(name).length - 1);
  const tableAt = 200 + 24 + 24;
  const heapAt = tableAt + 8 + 40 * names.length;
  const objects: number[] = [];
  const first = heapAt + 32 + heap.length;
  const addresses = names.map((name) => {
    const { shape, data } = weights[name]!;
    const at = first + objects.length;
    const raw = [...new Uint8Array(Float32Array.from(data).buffer)];
    const messages = (dataAt: number): number[] =>
      header(
        message(1, [1, shape.length, 0, 0, 0, 0, 0, 0, ...shape.flatMap(u64)]),
        message(3, [0x11, 0x20, 31, 0, ...u32(4), 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0]),
        message(8, [3, 1, ...u64(dataAt), ...u64(raw.length)]),
      );
    objects.push(...messages(at + messages(0).length), ...raw);
    return at;
  });
  const length = first + objects.length;
  const file = new Uint8Array(length);
  const superblock = [0x89, ...text('HDF\r\n\x1a\n'), 0, 0, 0, 0, 0, 8, 8, 0, ...u16(names.length), ...u16(16)];
  file.set([...superblock, ...u32(0), ...u64(0), ...u64(Infinity), ...u64(length), ...u64(Infinity), ...u64(0)]);
  file.set(u64(96), 64);
  file.set(header(message(0x11, [...u64(200), ...u64(heapAt)])), 96);
  file.set(
    [...text('TREE'), 0, 0, 1, 0, ...u64(Infinity), ...u64(Infinity), ...u64(0), ...u64(tableAt), ...u64(0)],
    200,
  );
  const entries = names.flatMap((_, i) => [...u64(offsets[i]!), ...u64(addresses[i]!), ...Array<number>(24).fill(0)]);
  file.set([...text('SNOD'), 1, 0, ...u16(names.length), ...entries], tableAt);
  file.set([...text('HEAP'), 0, 0, 0, 0, ...u64(heap.length), ...u64(Infinity), ...u64(heapAt + 32)], heapAt);
  file.set(heap, heapAt + 32);
  file.set(objects, first);
  return file;
}

/** The parts of a `.keras` file. The separator of `weights` paths in one HDF5 group must not be a slash. */
export interface KerasFile {
  readonly config: unknown;
  readonly version?: string;
  readonly weights: Readonly<Record<string, Weight>>;
}

/** Files with other configurations often share their weights. */
const weightsFile = memoize(hdf5Of);

/** A `.keras` file. */
export function kerasFile({ config, version, weights }: KerasFile): Uint8Array {
  const json = (value: unknown): Uint8Array =>
    new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
  return archiveOf([
    ...(version === undefined ? [] : [{ name: 'metadata.json', content: json({ keras_version: version }) }]),
    { name: 'config.json', content: json(config) },
    { name: 'model.weights.h5', content: weightsFile(weights) },
  ]);
}

/** The configuration of a Sequential model; its input is `[null, …shape]`. */
export const sequentialConfig = (
  shape: readonly (number | null)[],
  ...layers: readonly (readonly [className: string, config: object])[]
): object => ({
  module: 'keras',
  class_name: 'Sequential',
  config: {
    name: 'sequential',
    layers: [
      { class_name: 'InputLayer', config: { name: 'input_layer', batch_shape: [null, ...shape], dtype: 'float32' } },
      ...layers.map(([className, config], i) => ({
        class_name: className,
        config: { name: `layer${i}`, ...config },
      })),
    ],
  },
  registered_name: null,
});

/** Weights with arbitrary elements in [−0.8, 0.8]. */
export const weight = (...shape: number[]): Weight => ({
  shape,
  data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
    Math.fround(0.8 * Math.sin(1 + 1.7 * i + shape.length)),
  ),
});
