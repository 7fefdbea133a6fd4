/** HDF5 datasets in chunks: agreement with h5py bit for bit, and errors for damaged and hostile files. */

import { readFileSync } from 'node:fs';
import { createRandom, integerNumber } from 'bptt';
import { readHdf5, readZip } from 'bptt/keras';
import { describe, expect, it } from 'vitest';

const archive = (name: string): Readonly<Record<string, Uint8Array>> =>
  readZip(readFileSync(new URL(`../golden/hdf5/${name}.zip`, import.meta.url)));
const files = { ...archive('files'), ...archive('chunks') };
const expected = JSON.parse(new TextDecoder().decode(archive('chunks')['expected.json'])) as Record<
  string,
  Record<string, { shape: number[]; bytes: string }>
>;

it.each(Object.keys(expected))('%s: every dataset has the bytes that h5py reads', (name) => {
  const { tensors, others } = readHdf5(files[`${name}.h5`]!);
  expect(others).toEqual([]);
  expect(Object.keys(tensors).sort()).toEqual(Object.keys(expected[name]!).sort());
  for (const [path, { shape, bytes }] of Object.entries(expected[name]!)) {
    expect(tensors[path]!.shape).toEqual(shape);
    const { data } = tensors[path]!;
    const golden = Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0));
    expect(
      new Uint8Array(data.buffer).findIndex((byte, i) => byte !== golden[i]),
      path,
    ).toBe(-1);
    expect(data.byteLength).toBe(golden.length);
  }
});

it.each([
  ['some chunks never written', 'readHdf5: x has 1 of its 2 chunks: some of them were never written.'],
  ['lzf', 'readHdf5: x is compressed or filtered by filter 32000; only gzip, shuffle and fletcher32 are supported.'],
  ['a bomb', 'readHdf5: reading x [4000, 4000] takes 128000000 bytes, which is too much for this file.'],
])('%s: rejected', (name, message) => {
  expect(() => readHdf5(files[`${name}.h5`]!)).toThrow(message);
});

describe('damaged files', () => {
  it('a changed byte in a compressed or checked chunk is rejected', () => {
    for (const [name, count] of [
      ['gzip', 20],
      ['filters', 200],
    ] as const) {
      const file = files[`${name}.h5`]!;
      const random = createRandom(4);
      const original = JSON.stringify(readHdf5(file).tensors);
      let rejected = 0;
      for (let i = 0; i < count; i++) {
        const wrong = file.slice();
        wrong[integerNumber(random, file.length)]! ^= 1 << integerNumber(random, 8);
        try {
          readHdf5(wrong);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          expect((error as Error).message).toMatch(/^readHdf5: /);
          rejected++;
        }
      }
      expect(rejected, name).toBeGreaterThan(0);
      expect(JSON.stringify(readHdf5(file).tensors)).toBe(original);
    }
  });

  it('each byte of a zlib stream and of a checksum matters', () => {
    // The only chunk of gzip.h5 is at the end of the file.
    const file = files['gzip.h5']!;
    const begin = file.findIndex((byte, i) => i > 600 && byte === 0x78 && [0x5e, 0x9c, 0xda].includes(file[i + 1]!));
    expect(begin).toBeGreaterThan(0);
    for (let at = begin; at < file.length; at++) {
      const wrong = file.slice();
      wrong[at]! ^= 0xff;
      expect(() => readHdf5(wrong), String(at)).toThrow(/^readHdf5: a chunk of x/);
    }
  });

  it('a file truncated at any byte is rejected', () => {
    for (const name of ['chunks', 'gzip']) {
      const file = files[`${name}.h5`]!;
      for (let length = 0; length < file.length; length += 7)
        expect(() => readHdf5(file.subarray(0, length)), String(length)).toThrow(/^readHdf5: /);
    }
  });
});
