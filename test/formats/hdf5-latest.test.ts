/**
 * HDF5 files with libver='latest': agreement with h5py bit for bit, and errors for unsupported, damaged and hostile
 * files.
 */

import { readFileSync } from 'node:fs';
import { createRandom, integerNumber } from 'bptt';
import { readHdf5, readZip } from 'bptt/keras';
import { describe, expect, it } from 'vitest';
import { lookup3 } from '../../src/formats/hdf5/checksum';
import { withChecksums } from './hdf5-repair';

const archive = (name: string): Readonly<Record<string, Uint8Array>> =>
  readZip(readFileSync(new URL(`../golden/hdf5/${name}.zip`, import.meta.url)));

interface Golden {
  readonly tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly bytes: string }>>;
  readonly others: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
}

describe.each(['latest-1.10', 'latest-2.0'])('%s', (version) => {
  const files = { ...archive('files'), ...archive(version) };
  const expected = JSON.parse(new TextDecoder().decode(files['expected.json'])) as Record<string, Golden>;

  it.each(Object.entries(expected))('%s: the bytes, paths and attributes that h5py reads', (name, golden) => {
    const { tensors, others, attributes } = readHdf5(files[`${name}.h5`]!);
    expect([...others].sort()).toEqual(golden.others);
    expect(attributes).toEqual(golden.attributes);
    expect(Object.keys(tensors).sort()).toEqual(Object.keys(golden.tensors).sort());
    for (const [path, { shape, bytes }] of Object.entries(golden.tensors)) {
      const { data, shape: found } = tensors[path]!;
      expect(found, path).toEqual(shape);
      const goldenBytes = Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0));
      expect(new Uint8Array(data.buffer), path).toEqual(goldenBytes);
    }
  });

  it('a dataset that was never written is rejected', () => {
    expect(() => readHdf5(files['never written.h5']!)).toThrow('readHdf5: x was never written.');
  });
});

const files = archive('latest-2.0');

it.each([
  ['partly written fixed array', 'a chunk of x was never written'],
  ['partly written extensible array', 'a chunk of x was never written'],
  ['partly written tree', 'x has 1 of its 2 chunks: some of them were never written'],
  ['page never written', 'a chunk of x was never written'],
  ['soft link', 'b in the root is a soft link, which is not supported'],
  ['external link', 'b in the root is an external link, which is not supported'],
  ['hard link', 'is reached twice, through a hard link'],
  ['loop', 'a/root at byte 48 is reached twice, through a hard link or a cycle'],
  ['committed type', 't has no data. Is it a committed type?'],
  ['complex', 'x has compound values'],
])('%s: rejected with an error that names it', (name, message) => {
  expect(() => readHdf5(files[`${name}.h5`]!)).toThrow(RangeError);
  expect(() => readHdf5(files[`${name}.h5`]!)).toThrow(/^readHdf5: /);
  expect(() => readHdf5(files[`${name}.h5`]!)).toThrow(message);
});

it('the checksum is that of the documentation of lookup3', () => {
  // "driver5" in the source of lookup3: hashlittle with the initial value 0.
  const text = new TextEncoder().encode('Four score and seven years ago');
  expect(lookup3(text, 0, text.length)).toBe(0x17770551);
  expect(lookup3(Uint8Array.of(1, ...text, 2), 1, 1 + text.length)).toBe(0x17770551);
});

/** The offsets at which a signature is in a file. */
const offsetsOf = (file: Uint8Array, signature: string): readonly number[] => {
  const text = new TextDecoder('latin1').decode(file);
  return [...text.matchAll(new RegExp(signature, 'g'))].map(({ index }) => index);
};

describe('damaged and hostile files', () => {
  it.each([
    ['many links', ['OHDR', 'FRHP', 'FHIB', 'FHDB', 'BTHD', 'BTIN', 'BTLF']],
    ['attributes', ['OHDR', 'FRHP', 'FHIB', 'BTHD', 'BTLF']],
    ['header in pieces', ['OHDR', 'OCHK']],
    ['chunks', ['FAHD', 'FADB', 'EAHD', 'EAIB', 'EADB', 'BTHD', 'BTLF']],
    ['pages of a fixed array', ['FAHD', 'FADB']],
    ['groups of an extensible array', ['EAHD', 'EAIB', 'EASB', 'EADB']],
    ['nodes of a tree', ['BTHD', 'BTIN', 'BTLF']],
  ])('%s: a changed byte in a block of each kind is rejected because of its checksum', (name, signatures) => {
    const file = files[`${name}.h5`]!;
    for (const signature of signatures) {
      const [at] = offsetsOf(file, signature);
      const wrong = file.slice();
      // A time, a size or an address, after everything that determines the length of the block.
      wrong[at! + (signature === 'OHDR' || signature === 'OCHK' ? 25 : 8)]! ^= 1;
      expect(() => readHdf5(wrong), signature).toThrow(/^readHdf5: .* has the checksum \d+ at byte \d+, must be \d+/);
    }
  });

  it.each(['9 links', 'attributes', 'groups of an extensible array', 'types'])(
    '%s: truncated files are rejected',
    (name) => {
      const file = files[`${name}.h5`]!;
      for (let length = 0; length < file.length; length += 7)
        expect(() => readHdf5(file.subarray(0, length)), String(length)).toThrow(/^readHdf5: /);
    },
  );

  it.each<[string, string, string, (block: DataView, at: number) => void, string]>([
    ['a tree that is too deep', '9 links', 'BTHD', (block) => block.setUint16(12, 200, true), 'is malformed'],
    ['records that are too small', '9 links', 'BTHD', (block) => block.setUint16(10, 4, true), 'is malformed'],
    ['a tree of another type', '9 links', 'BTHD', (block) => block.setUint8(5, 8), 'is malformed'],
    ['a node of another type', '9 links', 'BTLF', (block) => block.setUint8(5, 8), 'does not belong to the links'],
    ['a node of another version', '9 links', 'BTLF', (block) => block.setUint8(4, 1), 'the root has version 1'],
    [
      'a node that is its own child',
      'many links',
      'BTIN',
      (block, at) => {
        // The pointers have 9 bytes and follow the records, which have 11 bytes.
        const count = new DataView(block.buffer).getUint16(offsetsOf(files['many links.h5']!, 'BTHD')[0]! + 24, true);
        block.setBigUint64(6 + 11 * count, BigInt(at), true);
      },
      'is reached twice',
    ],
    [
      'a table of blocks that has itself as a block',
      'many links',
      'FHIB',
      (block, at) => block.setBigUint64(17, BigInt(at), true),
      'is reached twice',
    ],
    ['a compressed heap', '9 links', 'FRHP', (block) => block.setUint16(7, 1, true), 'which is not supported'],
    ['a heap of tables of 3 columns', '9 links', 'FRHP', (block) => block.setUint16(110, 3, true), 'is malformed'],
    ['an object of another kind', '9 links', 'BTLF', (block) => block.setUint8(10, 0x20), 'an object of kind 2'],
    ['an object past the heap', '9 links', 'BTLF', (block) => block.setUint32(11, 600, true), 'is not in its blocks'],
    [
      'fewer elements than chunks',
      'partly written fixed array',
      'FAHD',
      (block) => block.setBigUint64(8, 1n, true),
      'has 1 elements, fewer than there are chunks',
    ],
    [
      'a number of pointers that is not a power of two',
      'groups of an extensible array',
      'EAHD',
      (block) => block.setUint8(10, 5),
      'is malformed',
    ],
  ])('%s', (_, name, signature, change, message) => {
    const wrong = files[`${name}.h5`]!.slice();
    const [at] = offsetsOf(wrong, signature);
    change(new DataView(wrong.buffer, wrong.byteOffset + at!), at!);
    const repaired = withChecksums(wrong);
    expect(() => readHdf5(repaired)).toThrow(RangeError);
    expect(() => readHdf5(repaired)).toThrow(message);
  });

  it.each([
    '9 links',
    'many links',
    'attributes',
    'chunks',
    'pages of a fixed array',
    'groups of an extensible array',
    'nodes of a tree',
    'tracked order',
  ])('%s: with random bytes changed and checksums corrected, a file is read or rejected', (name) => {
    const random = createRandom(6);
    const file = files[`${name}.h5`]!;
    // Most changes are in blocks with a signature, which have the structure of the file.
    const blocks = [
      'OHDR',
      'FRHP',
      'FHIB',
      'FHDB',
      'BTHD',
      'BTIN',
      'BTLF',
      'FAHD',
      'FADB',
      'EAHD',
      'EAIB',
      'EASB',
      'EADB',
    ]
      .map((signature) => offsetsOf(file, signature))
      .filter((offsets) => offsets.length > 0);
    let rejected = 0;
    for (let i = 0; i < 250; i++) {
      const wrong = file.slice();
      for (let k = integerNumber(random, 3); k >= 0; k--) {
        const offsets = blocks[integerNumber(random, blocks.length)]!;
        const at = offsets[integerNumber(random, offsets.length)]! + integerNumber(random, 150);
        wrong[at] = [0, 1, 0xff, integerNumber(random, 256)][integerNumber(random, 4)]!;
      }
      try {
        const { tensors } = readHdf5(withChecksums(wrong));
        const size = Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);
        expect(size).toBeLessThanOrEqual(8 * file.length + 4e7);
      } catch (error) {
        if (!(error instanceof RangeError && /^readHdf5: /.test(error.message))) throw error;
        rejected++;
      }
    }
    expect(rejected).toBeGreaterThan(20);
  });
});
