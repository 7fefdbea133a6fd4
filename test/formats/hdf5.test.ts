/**
 * HDF5: agreement with h5py bit for bit, errors that name unsupported features, and bounded work on malformed files.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRandom, integerNumber, randomBits } from 'bptt';
import { readHdf5, readZip } from 'bptt/keras';
import { describe, expect, it } from 'vitest';

const files = readZip(readFileSync(new URL('../golden/hdf5/files.zip', import.meta.url)));
const expected = JSON.parse(new TextDecoder().decode(files['expected.json'])) as Record<
  string,
  { tensors: Record<string, { shape: number[]; bytes: string }>; others: string[] }
>;

describe('files written by h5py', () => {
  it.each(Object.keys(expected))('%s: every dataset has the bytes that h5py reads', (name) => {
    const { tensors, others } = readHdf5(files[`${name}.h5`]!);
    const { tensors: golden, others: goldenOthers } = expected[name]!;
    expect(others.slice().sort()).toEqual(goldenOthers.slice().sort());
    expect(Object.keys(tensors).sort()).toEqual(Object.keys(golden).sort());
    for (const [path, { shape, bytes }] of Object.entries(golden)) {
      expect(tensors[path]!.shape).toEqual(shape);
      expect(new Uint8Array(tensors[path]!.data.buffer), path).toEqual(
        Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0)),
      );
    }
  });

  it.each([
    ['never written', 'x was never written'],
    ['external storage', 'x is stored in another file'],
    ['virtual', 'x is a virtual dataset, which is not supported'],
    ['soft link', 'b in the root is a soft link'],
    ['external link', 'b in the root is an external link, which is not supported'],
    ['hard link', 'b at byte 800 is reached twice, through a hard link'],
    ['loop', 'a/root at byte 96 is reached twice, through a hard link or a cycle'],
    ['committed type', 't has no data. Is it a committed type?'],
    ['of a committed type', 'a has a shared type (a committed type)'],
    ['compound', 'x has compound values'],
    ['array type', 'x has arrays'],
    ['bytes of no type', 'x has opaque values (bfloat16?)'],
    ['references', 'x has references'],
    ['long double', 'x has 16-byte floating-point values that are not float32, float64 or float16'],
    ['name not in UTF-8', 'one of the names of the root is not valid UTF-8'],
    ['longest name', 'a path in the root… has more than 4096 characters'],
    ['seventy deep', 'is nested more than 64 groups deep'],
    ['user block', 'the file does not start with the HDF5 signature'],
  ])('%s: rejected with an error that names it', (name, message) => {
    expect(() => readHdf5(files[`${name}.h5`]!)).toThrow(RangeError);
    expect(() => readHdf5(files[`${name}.h5`]!)).toThrow(/^readHdf5: /);
    expect(() => readHdf5(files[`${name}.h5`]!)).toThrow(message);
  });

  it('the archive has no other files', () => {
    expect(Object.keys(files).filter((name) => name.endsWith('.h5'))).toHaveLength(Object.keys(expected).length + 26);
  });

  it('attributes of the root that are strings are read', () => {
    const kept = Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 3 !== 0);
    expect(readHdf5(files['attributes.h5']!).attributes).toEqual({
      name: 'lstm',
      fixed: 'text',
      ['long name'.repeat(20)]: 'x'.repeat(2000),
      ...Object.fromEntries(kept.map((i) => [`a${i}`, 'x'.repeat(i)])),
    });
  });

  it('a view, an ArrayBuffer and a Buffer are read alike, and results do not alias the file', () => {
    const file = files['types.h5']!;
    const shifted = new Uint8Array([1, ...file]).subarray(1);
    const copy = shifted.slice();
    const folder = mkdtempSync(join(tmpdir(), 'bptt-'));
    writeFileSync(join(folder, 'file'), file);
    const buffer = readFileSync(join(folder, 'file'));
    rmSync(folder, { recursive: true });
    const { tensors } = readHdf5(shifted);
    for (const bytes of [file, file.buffer as ArrayBuffer, buffer])
      expect(readHdf5(bytes)).toEqual({ tensors, others: [], attributes: {} });
    for (const { data } of Object.values(tensors)) data.fill(7);
    expect(shifted).toEqual(copy);
    expect(() => readHdf5('text' as never)).toThrow(
      'readHdf5: file must be a Uint8Array or an ArrayBuffer, got a ' + 'string.',
    );
  });
});

const u8 = (...values: number[]): number[] => values;
const u16 = (value: number): number[] => [value & 255, value >> 8];
const u32 = (value: number): number[] => [...u16(value & 0xffff), ...u16(value >>> 16)];
const u64 = (value: number): number[] =>
  value === Infinity
    ? Array<number>(8).fill(255)
    : [...u32((value % 2 ** 32) >>> 0), ...u32(Math.floor(value / 2 ** 32))];
const text = (value: string): number[] => [...new TextEncoder().encode(value)];
const message = (type: number, body: number[], flags = 0): number[] => [
  ...u16(type),
  ...u16(body.length),
  flags,
  0,
  0,
  0,
  ...body,
];
const header = (...messages: number[][]): number[] => [
  1,
  0,
  ...u16(messages.length),
  ...u32(1),
  ...u32(messages.flat().length),
  ...u32(0),
  ...messages.flat(),
];
const space = (...lengths: number[]): number[] =>
  message(1, [1, lengths.length, 0, 0, 0, 0, 0, 0, ...lengths.flatMap(u64)]);
const float32 = { flags: 0x20, sign: 31, properties: u8(0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0) };
const type = ({ flags, sign, properties }: typeof float32): number[] =>
  message(3, [0x11, flags, sign, 0, ...u32(4), ...properties]);
const contiguous = (at: number, size: number): number[] =>
  message(8, [3, 1, ...u64(at), ...u64(size), ...u8(0, 0, 0, 0, 0, 0)]);
const compact = (...values: number[]): number[] =>
  message(8, [3, 0, ...u16(4 * values.length), ...new Uint8Array(Float32Array.from(values).buffer)]);
const entry = (name: number, at: number): number[] => [
  ...u64(name),
  ...u64(at),
  ...u32(0),
  ...u32(0),
  ...u64(0),
  ...u64(0),
];
const table = (...entries: number[][]): number[] => [...text('SNOD'), 1, 0, ...u16(entries.length), ...entries.flat()];
const node = (level: number, ...children: number[]): number[] => [
  ...text('TREE'),
  0,
  level,
  ...u16(children.length),
  ...u64(Infinity),
  ...u64(Infinity),
  ...u64(0),
  ...children.flatMap((child) => [...u64(child), ...u64(0)]),
];
const heap = (at: number, size: number): number[] => [
  ...text('HEAP'),
  0,
  0,
  0,
  0,
  ...u64(size),
  ...u64(Infinity),
  ...u64(at),
];

/** A file whose root is a group with its tree at byte 200 and its heap at byte 300; `parts` are bytes by offset. */
function fileOf(parts: Readonly<Record<number, readonly number[]>>, length = 4096, root = 96): Uint8Array {
  const file = new Uint8Array(length);
  file.set([
    0x89,
    ...text('HDF\r\n\x1a\n'),
    ...u8(0, 0, 0, 0, 0, 8, 8, 0),
    ...u16(4),
    ...u16(16),
    ...u32(0),
    ...u64(0),
    ...u64(Infinity),
    ...u64(length),
    ...u64(Infinity),
    ...u64(0),
    ...u64(root),
  ]);
  file.set(header(message(0x11, [...u64(200), ...u64(300)])), 96);
  for (const [at, bytes] of Object.entries(parts)) file.set(bytes, Number(at));
  return file;
}
/** A file with one dataset `x`, whose header is at byte 600. */
const datasetFile = (...messages: number[][]): Uint8Array =>
  fileOf({
    200: node(0, 400),
    300: heap(340, 16),
    340: text('\0x\0y\0'),
    400: table(entry(1, 600)),
    600: header(...messages),
  });

describe('malformed files', () => {
  it('the builders of this test create valid files from valid parts', () => {
    expect(readHdf5(datasetFile(space(2), type(float32), compact(1, 2)))).toEqual({
      tensors: { x: { shape: [2], data: Float32Array.of(1, 2) } },
      others: [],
      attributes: {},
    });
    expect(readHdf5(datasetFile(space(2), type(float32), contiguous(4000, 8)))).toEqual({
      tensors: { x: { shape: [2], data: Float32Array.of(0, 0) } },
      others: [],
      attributes: {},
    });
    expect(
      readHdf5(
        fileOf({
          200: node(1, 700),
          700: node(0, 400),
          300: heap(340, 16),
          340: text('\0x\0y\0'),
          400: table(entry(1, 600), entry(3, 900)),
          600: header(space(), type(float32), compact(1)),
          900: header(space(), type(float32), compact(2)),
        }),
      ),
    ).toEqual({
      tensors: { x: { shape: [], data: Float32Array.of(1) }, y: { shape: [], data: Float32Array.of(2) } },
      others: [],
      attributes: {},
    });
  });

  const one = header(space(), type(float32), compact(1));
  const stored = (at: number, size = 8): number[] => header(space(size / 4), type(float32), contiguous(at, size));
  const twoDatasets = (x: number[], y: number[]): Uint8Array =>
    fileOf({
      200: node(0, 400),
      300: heap(340, 16),
      340: text('\0x\0y\0'),
      400: table(entry(1, 600), entry(3, 900)),
      600: x,
      900: y,
    });
  it('datasets next to each other and to other parts of the file are read', () => {
    expect(Object.keys(readHdf5(twoDatasets(stored(4000), stored(4008))).tensors)).toEqual(['x', 'y']);
    expect(Object.keys(readHdf5(twoDatasets(stored(356, 44), stored(488, 112))).tensors)).toEqual(['x', 'y']);
  });

  it.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(0), 'the file does not start with the HDF5 signature'],
    [
      'only a signature',
      fileOf({}).slice(0, 16),
      'the superblock takes bytes 24 to 32, but the file has 16. Is it truncated?',
    ],
    [
      'truncated after everything that is read',
      datasetFile(space(), type(float32), compact(1)).slice(0, 4095),
      'the superblock gives a length of 4096 bytes, but the file has 4095. Is it truncated?',
    ],
    ['a root past the end of the file', fileOf({}, 4096, 2 ** 60), 'the header of the root takes bytes'],
    ['a root at the undefined address', fileOf({}, 4096, Infinity), 'the header of the root takes bytes'],
    ['addresses of four bytes', fileOf({ 13: [4] }), 'addresses have 4 and lengths 8 bytes'],
    [
      'a node that is its own child',
      fileOf({ 200: node(1, 200), 300: heap(340, 16) }),
      'a node of the root at byte 200 is reached twice',
    ],
    [
      'a tree of another type',
      fileOf({ 200: [...text('TREE'), 1, ...node(0).slice(5)], 300: heap(340, 16) }),
      'the node at byte 200 does not belong to the root',
    ],
    [
      'a child of the same level as its parent',
      fileOf({ 200: node(1, 700), 700: node(1, 800), 300: heap(340, 16) }),
      'the node at byte 700 does not belong to the root',
    ],
    [
      'the same table twice',
      fileOf({ 200: node(0, 400, 400), 300: heap(340, 16), 400: table() }),
      'a table of the root at byte 400 is reached twice',
    ],
    ['no tree', fileOf({}), 'the names of the root at byte 300 does not start with HEAP'],
    [
      'a heap larger than the file',
      fileOf({ 200: node(0), 300: heap(340, 2 ** 50) }),
      'the names of the root takes bytes 340 to 1125899906842964',
    ],
    [
      'a duplicate name',
      fileOf({
        200: node(0, 400),
        300: heap(340, 16),
        340: text('\0x\0x\0'),
        400: table(entry(1, 600), entry(3, 800)),
        600: one,
        800: one,
      }),
      'the names of the root are not in ascending order: x follows x',
    ],
    [
      'a table of another version',
      fileOf({ 200: node(0, 400), 300: heap(340, 16), 400: text('SNOD\x02\0\0\0') }),
      'a table of the root has version 2',
    ],
    [
      'a heap of another version',
      fileOf({ 200: node(0), 300: text('HEAP\x01') }),
      'the heap of the names of the root has version 1',
    ],
    [
      'a name with a slash',
      fileOf({ 200: node(0, 400), 300: heap(340, 16), 340: text('\0x/y\0'), 400: table(entry(1, 600)), 600: one }),
      'one of the names of the root is empty or has a slash',
    ],
    [
      'an empty name',
      fileOf({ 200: node(0, 400), 300: heap(340, 16), 340: text('\0x\0'), 400: table(entry(0, 600)), 600: one }),
      'one of the names of the root is empty or has a slash',
    ],
    [
      'a name past the end of its heap',
      fileOf({ 200: node(0, 400), 300: heap(340, 16), 400: table(entry(50, 600)), 600: one }),
      'one of the names of the root is not terminated',
    ],
    [
      'a header that continues in itself',
      fileOf({ 96: header(message(0x10, [...u64(112), ...u64(24)])) }),
      'the parts of the file up to the header of the root take more than its 4096 bytes',
    ],
    [
      'a message longer than its block',
      fileOf({ 96: header([...u16(1), ...u16(100), 0, 0, 0, 0]) }),
      'a message of the header of the root is longer than its block',
    ],
    [
      'two datasets with the same bytes',
      twoDatasets(stored(4000), stored(4000)),
      'y at byte 4000 overlaps x, which ends at 4008',
    ],
    ['two datasets with a byte in common', twoDatasets(stored(4007), stored(4000)), 'x at byte 4007 overlaps y'],
    ['a dataset in the superblock', datasetFile(...[space(2), type(float32), contiguous(0, 8)]), 'overlaps'],
    ['a dataset in a header', twoDatasets(stored(96), one), 'overlaps'],
    ['a dataset in a tree', twoDatasets(stored(240), one), 'x at byte 240 overlaps the root, which ends at 248'],
    ['a dataset in a table', twoDatasets(stored(480), one), 'x at byte 480 overlaps the root, which ends at 488'],
    ['a dataset in a heap', twoDatasets(stored(348), one), 'x at byte 348 overlaps the names of the root'],
    ['a dataset in its own header', twoDatasets(stored(620), one), 'overlaps the header of x'],
    ['neither group nor dataset', fileOf({ 96: header() }), 'the root is neither a group nor a dataset'],
    [
      'a shape of 33 dimensions',
      datasetFile(space(...Array<number>(33).fill(1)), type(float32), compact(1)),
      'the shape of x has 33 dimensions',
    ],
    [
      'a shape without its dimensions',
      datasetFile(message(1, [1, 2, 0, 0, 0, 0, 0, 0]), type(float32), compact(1)),
      'the shape of x has 2 dimensions',
    ],
    [
      'a shape of version 3',
      datasetFile(message(1, [3, 0, 0, 0, 0, 0, 0, 0]), type(float32), compact(1)),
      'the shape of x has version 3',
    ],
    [
      'an infinite dimension',
      datasetFile(space(0, Infinity), type(float32), compact()),
      'the shape of x is too large: [0, Infinity]',
    ],
    [
      'more elements than the file holds',
      datasetFile(space(2 ** 50), type(float32), contiguous(600, 2 ** 52)),
      'x takes bytes 600 to 4503599627371096',
    ],
    [
      'more elements than can exist',
      datasetFile(space(2 ** 52, 2 ** 52, 2 ** 52), type(float32), contiguous(600, 8)),
      'must have 3.6',
    ],
    [
      'elements that were never written',
      datasetFile(space(2), type(float32), contiguous(Infinity, 8)),
      'x was never written',
    ],
    [
      'fewer elements than the shape',
      datasetFile(space(3), type(float32), compact(1, 2)),
      'x [3] must have 12 bytes, its header has 8',
    ],
    [
      'fewer bytes than the shape',
      datasetFile(space(3), type(float32), contiguous(700, 8)),
      'x [3] must have 12 bytes, the file has 8',
    ],
    ['an empty layout', datasetFile(space(3), type(float32), message(8, [])), 'the layout of x is truncated'],
    [
      'a layout of version 2',
      datasetFile(space(), type(float32), message(8, [2, 0, 4, 0, 0, 0, 0, 0])),
      'the layout of x has version 2; only versions 3 to 5 are supported',
    ],
    [
      'an attribute with a longer string than its message',
      // Version 1, the sizes of the name, type and shape; the name a, strings of 9 bytes, a scalar, and 8 bytes.
      fileOf({
        96: header(
          message(12, [
            ...[1, 0, 2, 0, 8, 0, 8, 0],
            ...text('a\0\0\0\0\0\0\0'),
            ...[0x13, 0, 0, 0, ...u32(9)],
            ...[1, 0, 0, 0, 0, 0, 0, 0],
            ...text('01234567'),
          ]),
        ),
      }),
      'an attribute of the root is truncated',
    ],
    ['an empty type', datasetFile(space(3), message(3, []), compact(1)), 'the type of x is truncated'],
    [
      'a type without properties',
      datasetFile(space(3), message(3, [0x11, 0x20, 31, 0, ...u32(4)]), compact(1)),
      'the type of x is truncated',
    ],
    [
      'a sign bit in the middle',
      datasetFile(space(), type({ ...float32, sign: 15 }), compact(1)),
      'x has 4-byte floating-point values that are not float32',
    ],
    [
      'no implied leading 1',
      datasetFile(space(), type({ ...float32, flags: 0 }), compact(1)),
      'x has 4-byte floating-point values that are not float32',
    ],
    [
      'the byte order of a VAX',
      datasetFile(space(), type({ ...float32, flags: 0x61 }), compact(1)),
      'x has 4-byte floating-point values that are not float32',
    ],
    [
      'another exponent bias',
      datasetFile(space(), type({ ...float32, properties: u8(0, 0, 32, 0, 23, 8, 0, 23, 126, 0, 0, 0) }), compact(1)),
      'x has 4-byte floating-point values that are not float32',
    ],
  ])('%s', (_, file, reason) => {
    expect(() => readHdf5(file)).toThrow(RangeError);
    expect(() => readHdf5(file)).toThrow(/^readHdf5: /);
    expect(() => readHdf5(file)).toThrow(reason);
  });

  it('overlapping parts do not cause quadratic work', () => {
    const length = 2 ** 20;
    // A header of many overlapping blocks: each has the messages of the next and one more.
    const blocks = fileOf(
      {
        96: header(
          ...Array.from({ length: 2000 }, (_, i) => message(0x10, [...u64(100_000 + 8 * i), ...u64(900_000 - 8 * i)])),
        ),
      },
      length,
    );
    for (let at = 100_000; at < 1_000_000; at += 8) blocks[at] = 0x0c;
    // Every name is a suffix of one long name.
    const count = 2000;
    const names = fileOf(
      {
        200: node(0, 400),
        300: heap(500_000, 400_000),
        400: table(...Array.from({ length: count }, (_, i) => entry(i, 200_000 + 100 * i))),
        500000: Array<number>(399_999).fill(110),
      },
      length,
    );
    for (let i = 0; i < count; i++) names.set(header(space(), type(float32), compact(1)), 200_000 + 100 * i);
    for (const [file, reason] of [
      [blocks, 'the parts of the file up to'],
      [names, 'some of the names of the root overlap'],
    ] as const) {
      expect(() => readHdf5(file)).toThrow(reason);
    }
  });

  it('a file truncated at any byte is rejected', () => {
    const file = files['keras.h5']!;
    for (let length = 0; length < file.length; length++) {
      let error: unknown;
      try {
        readHdf5(file.subarray(0, length));
      } catch (caught) {
        error = caught;
      }
      if (!(error instanceof RangeError && error.message.startsWith('readHdf5: ')))
        expect.fail(`truncated at byte ${length}: ${String(error)}`);
    }
  });

  it('a file with random bytes changed is read or rejected with a RangeError', () => {
    const random = createRandom(3);
    for (const name of [
      'keras',
      'compact',
      '9 children',
      'attributes',
      'changed',
      'headers in pieces',
      'libver v108',
    ]) {
      const file = files[`${name}.h5`]!;
      // Only non-zero bytes: most of the file is zeros.
      const offsets = [...file.keys()].filter((at) => file[at] !== 0);
      const addresses = offsets.filter((at) => at % 8 === 0);
      let rejected = 0;
      // The properties change files many more times.
      for (let i = 0; i < 500; i++) {
        const wrong = file.slice();
        for (let k = integerNumber(random, 3); k >= 0; k--) {
          const kind = integerNumber(random, 4);
          if (kind === 0) wrong[integerNumber(random, file.length)] = integerNumber(random, 256);
          else if (kind === 1) wrong[offsets[integerNumber(random, offsets.length)]!]! ^= 1 << integerNumber(random, 8);
          else if (kind === 2)
            wrong.set(
              u64(
                [0, 8, 96, 2 ** 31, 2 ** 32 - 1, 2 ** 40, 2 ** 63, Infinity, file.length, file.length - 1][
                  integerNumber(random, 10)
                ]!,
              ),
              addresses[integerNumber(random, addresses.length)]!,
            );
          // Replacing one address with another creates cycles.
          else
            wrong.set(
              file.subarray(addresses[integerNumber(random, addresses.length)]!).slice(0, 8),
              addresses[integerNumber(random, addresses.length)]!,
            );
        }
        try {
          const { tensors } = readHdf5(
            wrong.subarray(0, integerNumber(random, 20) === 0 ? randomBits(random) % file.length : file.length),
          );
          // float16 takes twice as many bytes after conversion.
          expect(Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0)).toBeLessThanOrEqual(
            2 * file.length,
          );
        } catch (error) {
          if (!(error instanceof RangeError && error.message.startsWith('readHdf5: '))) throw error;
          rejected++;
        }
      }
      expect(rejected, name).toBeGreaterThan(60);
    }
  });
});
