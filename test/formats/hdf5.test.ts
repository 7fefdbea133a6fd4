/** HDF5: what h5py wrote is read as h5py reads it, bit for bit; the rest is refused by name; a wrong file costs no more than its length. */

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
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

describe('files of h5py', () => {
  it.each(Object.keys(expected))('%s', (name) => {
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
    ['chunks', 'x is stored in chunks'],
    ['resizable', 'x is stored in chunks'],
    ['gzip', 'x is compressed'],
    ['shuffle', 'x is compressed, or filtered'],
    ['never written', 'x was never written'],
    ['external storage', 'x lies in another file'],
    ['virtual', "x is laid out by version 4 (libver='latest', or virtual)"],
    ['soft link', 'b in the root is a soft link'],
    [
      'external link',
      'the root is a group of the newer form (in order of creation, with a name beyond ASCII or a link to another file',
    ],
    ['hard link', 'b at byte 800 stands in the file in two places: as a hard link'],
    ['loop', 'a/root at byte 96 stands in the file in two places: as a hard link, or in a loop'],
    ['committed type', 't has no numbers: is it a committed type?'],
    ['of a committed type', 'a shares its type with others (a committed type)'],
    ['compound', 'x holds several fields'],
    ['array type', 'x holds arrays'],
    ['bytes of no type', 'x holds bytes of no type (bfloat16?)'],
    ['references', 'x holds references'],
    ['long double', 'x holds numbers of 16 bytes that are none of float32, float64 and float16'],
    ['name beyond ASCII', 'the root is a group of the newer form (in order of creation, with a name beyond ASCII'],
    ['name not in UTF-8', 'one of the names of the root is not text in UTF-8'],
    ['longest name', 'a path in the root… is of more than 4096 letters'],
    ['seventy deep', 'is more than 64 groups deep'],
    ['track_order', 'the header of the root is of version 2 (in order of creation'],
    ['track_order of a group', 'the header of a is of version 2 (in order of creation'],
    ['libver latest', "the file is of superblock version 3 (libver='latest')"],
    ['user block', 'the file does not begin as HDF5 does'],
  ])('%s: refused by name', (name, message) => {
    expect(() => readHdf5(files[`${name}.h5`]!)).toThrow(RangeError);
    expect(() => readHdf5(files[`${name}.h5`]!)).toThrow(/^readHdf5: /);
    expect(() => readHdf5(files[`${name}.h5`]!)).toThrow(message);
  });

  it('are all there', () => {
    expect(Object.keys(files).filter((name) => name.endsWith('.h5'))).toHaveLength(Object.keys(expected).length + 26);
  });

  it('in any container of bytes, whose memory is left alone', () => {
    const file = files['types.h5']!;
    const shifted = new Uint8Array([1, ...file]).subarray(1);
    const before = shifted.slice();
    const path = join(mkdtempSync(join(tmpdir(), 'bptt-')), 'file');
    writeFileSync(path, file);
    const { tensors } = readHdf5(shifted);
    for (const bytes of [file, file.buffer as ArrayBuffer, readFileSync(path)])
      expect(readHdf5(bytes)).toEqual({ tensors, others: [] });
    for (const { data } of Object.values(tensors)) data.fill(7);
    expect(shifted).toEqual(before);
    expect(() => readHdf5('text' as never)).toThrow('readHdf5: file must be a Uint8Array or an ArrayBuffer, got text.');
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
const float32 = { flags: 0x20, sign: 31, numbers: u8(0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0) };
const type = ({ flags, sign, numbers }: typeof float32): number[] =>
  message(3, [0x11, flags, sign, 0, ...u32(4), ...numbers]);
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

/** A file whose root is a group with its tree at byte 200 and its heap at byte 300, and parts at their places. */
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
/** One dataset x beside its group, whose header is at byte 600. */
const datasetFile = (...messages: number[][]): Uint8Array =>
  fileOf({
    200: node(0, 400),
    300: heap(340, 16),
    340: text('\0x\0y\0'),
    400: table(entry(1, 600)),
    600: header(...messages),
  });

describe('a wrong file', () => {
  it('is made here of right parts', () => {
    expect(readHdf5(datasetFile(space(2), type(float32), compact(1, 2)))).toEqual({
      tensors: { x: { shape: [2], data: Float32Array.of(1, 2) } },
      others: [],
    });
    expect(readHdf5(datasetFile(space(2), type(float32), contiguous(4000, 8)))).toEqual({
      tensors: { x: { shape: [2], data: Float32Array.of(0, 0) } },
      others: [],
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
    });
  });

  const one = header(space(), type(float32), compact(1));
  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'the file does not begin as HDF5 does'],
    [
      'a signature alone',
      fileOf({}).slice(0, 16),
      'the superblock is to have 8 bytes at byte 24, but the file has 16. Was it cut short?',
    ],
    [
      'cut short behind everything that is read',
      datasetFile(space(), type(float32), compact(1)).slice(0, 4095),
      'the file is to have 4096 bytes, but it has 4095. Was it cut short?',
    ],
    ['a root beyond the file', fileOf({}, 4096, 2 ** 60), 'the header of the root is to have 16 bytes'],
    ['a root nowhere', fileOf({}, 4096, Infinity), 'the header of the root is to have 16 bytes'],
    ['addresses of four bytes', fileOf({ 13: [4] }), 'addresses of 4 and lengths of 8 bytes'],
    [
      'a node that leads to itself',
      fileOf({ 200: node(1, 200), 300: heap(340, 16) }),
      'a node of the root at byte 200 stands in the file in two places',
    ],
    [
      'a tree of another kind',
      fileOf({ 200: [...text('TREE'), 1, ...node(0).slice(5)], 300: heap(340, 16) }),
      'the node at byte 200 is none of the root',
    ],
    [
      'a node of the same level below',
      fileOf({ 200: node(1, 700), 700: node(1, 800), 300: heap(340, 16) }),
      'the node at byte 700 is none of the root',
    ],
    [
      'a table twice',
      fileOf({ 200: node(0, 400, 400), 300: heap(340, 16), 400: table() }),
      'a table of the root at byte 400 stands in the file in two places',
    ],
    ['no tree', fileOf({}), 'the names of the root at byte 300 does not begin with HEAP'],
    [
      'a heap of all the file and more',
      fileOf({ 200: node(0), 300: heap(340, 2 ** 50) }),
      'the names of the root is to have 1125899906842624 bytes at byte 340',
    ],
    [
      'a name twice',
      fileOf({
        200: node(0, 400),
        300: heap(340, 16),
        340: text('\0x\0x\0'),
        400: table(entry(1, 600), entry(3, 800)),
        600: one,
        800: one,
      }),
      'the names of the root are out of order, x behind x',
    ],
    [
      'a table of another version',
      fileOf({ 200: node(0, 400), 300: heap(340, 16), 400: text('SNOD\x02\0\0\0') }),
      'a table of the root is of version 2',
    ],
    [
      'a heap of another version',
      fileOf({ 200: node(0), 300: text('HEAP\x01') }),
      'the heap of the names of the root is of version 1',
    ],
    [
      'a name of two groups',
      fileOf({ 200: node(0, 400), 300: heap(340, 16), 340: text('\0x/y\0'), 400: table(entry(1, 600)), 600: one }),
      'one of the names of the root is none',
    ],
    [
      'no name',
      fileOf({ 200: node(0, 400), 300: heap(340, 16), 340: text('\0x\0'), 400: table(entry(0, 600)), 600: one }),
      'one of the names of the root is none',
    ],
    [
      'a name beyond its heap',
      fileOf({ 200: node(0, 400), 300: heap(340, 16), 400: table(entry(50, 600)), 600: one }),
      'one of the names of the root does not end',
    ],
    [
      'a header in itself',
      fileOf({ 96: header(message(0x10, [...u64(112), ...u64(24)])) }),
      'the parts of the file up to the header of the root are more than its 4096 bytes',
    ],
    [
      'a message beyond its block',
      fileOf({ 96: header([...u16(1), ...u16(100), 0, 0, 0, 0]) }),
      'a message of the header of the root is longer than its block',
    ],
    ['neither group nor dataset', fileOf({ 96: header() }), 'the root is neither a group nor a dataset'],
    [
      'a shape of 33 axes',
      datasetFile(space(...Array<number>(33).fill(1)), type(float32), compact(1)),
      'the shape of x is to have 33 axes',
    ],
    [
      'a shape of axes that are not there',
      datasetFile(message(1, [1, 2, 0, 0, 0, 0, 0, 0]), type(float32), compact(1)),
      'the shape of x is to have 2 axes',
    ],
    [
      'a shape of version 3',
      datasetFile(message(1, [3, 0, 0, 0, 0, 0, 0, 0]), type(float32), compact(1)),
      'the shape of x is of version 3',
    ],
    [
      'an axis without end',
      datasetFile(space(0, Infinity), type(float32), compact()),
      'x has a shape beyond all numbers, [0, Infinity]',
    ],
    [
      'more numbers than the file',
      datasetFile(space(2 ** 50), type(float32), contiguous(600, 2 ** 52)),
      'x is to have 4503599627370496 bytes at byte 600',
    ],
    [
      'more numbers than can be',
      datasetFile(space(2 ** 52, 2 ** 52, 2 ** 52), type(float32), contiguous(600, 8)),
      'is to have 3.6',
    ],
    [
      'numbers that were never written',
      datasetFile(space(2), type(float32), contiguous(Infinity, 8)),
      'x was never written',
    ],
    [
      'fewer numbers than the shape',
      datasetFile(space(3), type(float32), compact(1, 2)),
      'x [3] is to have 12 bytes, its header holds 8',
    ],
    [
      'fewer bytes than the shape',
      datasetFile(space(3), type(float32), contiguous(700, 8)),
      'x [3] is to have 12 bytes, it is stored in 8',
    ],
    ['a layout of no bytes', datasetFile(space(3), type(float32), message(8, [])), 'the layout of x is cut short'],
    ['a type of no bytes', datasetFile(space(3), message(3, []), compact(1)), 'the type of x is cut short'],
    [
      'a type of no numbers',
      datasetFile(space(3), message(3, [0x11, 0x20, 31, 0, ...u32(4)]), compact(1)),
      'the type of x is cut short',
    ],
    [
      'a sign in the middle',
      datasetFile(space(), type({ ...float32, sign: 15 }), compact(1)),
      'x holds numbers of 4 bytes that are none of float32',
    ],
    [
      'no leading 1',
      datasetFile(space(), type({ ...float32, flags: 0 }), compact(1)),
      'x holds numbers of 4 bytes that are none of float32',
    ],
    [
      'bytes in the order of a VAX',
      datasetFile(space(), type({ ...float32, flags: 0x61 }), compact(1)),
      'x holds numbers of 4 bytes that are none of float32',
    ],
    [
      'another exponent',
      datasetFile(space(), type({ ...float32, numbers: u8(0, 0, 32, 0, 23, 8, 0, 23, 126, 0, 0, 0) }), compact(1)),
      'x holds numbers of 4 bytes that are none of float32',
    ],
  ])('%s', (_, file, reason) => {
    expect(() => readHdf5(file)).toThrow(RangeError);
    expect(() => readHdf5(file)).toThrow(/^readHdf5: /);
    expect(() => readHdf5(file)).toThrow(reason);
  });

  it('whose parts stand in each other’s place is no work of squares', () => {
    const length = 2 ** 20;
    // A header of many blocks, all of them the same messages but for the first.
    const blocks = fileOf(
      {
        96: header(
          ...Array.from({ length: 2000 }, (_, i) => message(0x10, [...u64(100_000 + 8 * i), ...u64(900_000 - 8 * i)])),
        ),
      },
      length,
    );
    for (let at = 100_000; at < 1_000_000; at += 8) blocks[at] = 0x0c;
    // Every name is the end of one long name.
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
      [names, 'one of the names of the root is none'],
    ] as const) {
      expect(() => readHdf5(file)).toThrow(reason);
    }
  });

  it('that is cut short is refused, wherever', () => {
    const file = files['keras.h5']!;
    for (let length = 0; length < file.length; length++) {
      let error: unknown;
      try {
        readHdf5(file.subarray(0, length));
      } catch (caught) {
        error = caught;
      }
      if (!(error instanceof RangeError && error.message.startsWith('readHdf5: ')))
        expect.fail(`cut at byte ${length}: ${String(error)}`);
    }
  });

  it('of any bytes changed is read, or refused by a RangeError', () => {
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
      // Where the file says something: most of it are zeros.
      const places = [...file.keys()].filter((at) => file[at] !== 0);
      const addresses = places.filter((at) => at % 8 === 0);
      let refused = 0;
      for (let i = 0; i < 1500; i++) {
        const wrong = file.slice();
        for (let k = integerNumber(random, 3); k >= 0; k--) {
          const kind = integerNumber(random, 4);
          if (kind === 0) wrong[integerNumber(random, file.length)] = integerNumber(random, 256);
          else if (kind === 1) wrong[places[integerNumber(random, places.length)]!]! ^= 1 << integerNumber(random, 8);
          else if (kind === 2)
            wrong.set(
              u64(
                [0, 8, 96, 2 ** 31, 2 ** 32 - 1, 2 ** 40, 2 ** 63, Infinity, file.length, file.length - 1][
                  integerNumber(random, 10)
                ]!,
              ),
              addresses[integerNumber(random, addresses.length)]!,
            );
          // One address in place of another makes loops.
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
          // Halves become twice as long.
          expect(Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0)).toBeLessThanOrEqual(
            2 * file.length,
          );
        } catch (error) {
          if (!(error instanceof RangeError && error.message.startsWith('readHdf5: '))) throw error;
          refused++;
        }
      }
      expect(refused, name).toBeGreaterThan(200);
    }
  });
});
