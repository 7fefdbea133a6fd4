/** safetensors: files round-trip bit for bit, and malformed files are rejected with a reason and little memory. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createRandom,
  full,
  integerNumber,
  normal,
  randomBits,
  readSafetensors,
  type Tensor,
  tensor,
  writeSafetensors,
} from 'bptt';
import { describe, expect, it } from 'vitest';

/** A file with the given header and data, valid or not. */
function fileOf(header: unknown, data: ArrayLike<number> = [], length?: number): Uint8Array {
  const text =
    typeof header === 'string'
      ? new TextEncoder().encode(header)
      : header instanceof Uint8Array
        ? header
        : new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(length ?? text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}
const bytesOf = (array: { readonly buffer: ArrayBufferLike }): Uint8Array => new Uint8Array(array.buffer);

it('tensors of any shape and any bits, and metadata, round-trip bit for bit', () => {
  const random = createRandom(1);
  const arbitraryBits = new Float32Array(Uint32Array.from({ length: 64 }, () => randomBits(random)).buffer);
  const tensors: Record<string, Tensor> = {
    'a "name", 語': { shape: [4, 16], data: arbitraryBits },
    scalar: tensor(3),
    empty: full([0, 5], 0),
    view: tensor(normal(0, 1)([3, 7], random).data.subarray(1, 7), [6]),
    ['__proto__']: full([1], NaN),
    constructor: full([1], 2),
  };
  const metadata = { format: 'bptt', wörter: '["a","\\u0000"]', 'a quote "': 'and a ":' };
  const file = writeSafetensors(tensors, metadata);
  const folder = mkdtempSync(join(tmpdir(), 'bptt-'));
  writeFileSync(join(folder, 'file'), file);
  const buffer = readFileSync(join(folder, 'file'));
  rmSync(folder, { recursive: true });
  for (const bytes of [file, file.buffer as ArrayBuffer, new Uint8Array([1, 2, 3, ...file]).subarray(3), buffer]) {
    const result = readSafetensors(bytes);
    expect(result.metadata).toEqual(metadata);
    expect(Object.keys(result.tensors)).toEqual(Object.keys(tensors));
    for (const [name, { shape, data }] of Object.entries(tensors)) {
      expect(result.tensors[name]!.shape).toEqual(shape);
      expect(new Uint8Array(result.tensors[name]!.data.slice().buffer)).toEqual(new Uint8Array(data.slice().buffer));
    }
  }
  expect(readSafetensors(writeSafetensors({}))).toEqual({ tensors: {}, others: [], metadata: {} });
  // Spaces after the header align the elements.
  const text = new TextDecoder().decode(writeSafetensors({ x: full([1], 0) }).subarray(8, -4));
  expect(text.trimEnd()).toBe('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
  // 54 bytes, and spaces up to a multiple of 8.
  expect(text).toHaveLength(56);
  expect(() => readSafetensors('text' as never)).toThrow(
    'readSafetensors: file must be a Uint8Array or an ArrayBuffer, got a string.',
  );
});

it('F16 and BF16 are converted to single precision exactly, F64 with rounding', () => {
  const read = (dtype: string, data: Uint8Array, width: number): number[] => [
    ...readSafetensors(fileOf({ x: { dtype, shape: [data.length / width], data_offsets: [0, data.length] } }, data))
      .tensors['x']!.data,
  ];
  expect(
    read('F16', bytesOf(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00, 0xfc00, 0x3555)), 2),
  ).toEqual([1, -2, 65504, 2 ** -24, -0, Infinity, -Infinity, 0.333251953125]);
  expect(read('F16', bytesOf(Uint16Array.of(0x7e00, 0xfc01)), 2)).toEqual([NaN, NaN]);
  expect(read('BF16', bytesOf(Uint16Array.of(0x3f80, 0xc000, 0x7f80, 0x0080, 0x4049)), 2)).toEqual([
    1,
    -2,
    Infinity,
    2 ** -126,
    3.140625,
  ]);
  expect(read('F64', bytesOf(Float64Array.of(0.1, -1e300, 5)), 8)).toEqual([Math.fround(0.1), -Infinity, 5]);
});

it('tensors of other types are listed, and the rest of the file is read', () => {
  const entry = (dtype: string, shape: number[], from: number, to: number): object => ({
    dtype,
    shape,
    data_offsets: [from, to],
  });
  const file = fileOf(
    {
      'bn.num_batches_tracked': entry('I64', [], 0, 8),
      weight: entry('F32', [2], 8, 16),
      flag: entry('BOOL', [3], 16, 19),
      four: entry('F4', [2], 19, 20),
      constructor: entry('constructor', [1], 20, 24),
    },
    [...bytesOf(BigInt64Array.of(7n)), ...bytesOf(Float32Array.of(1.5, -2)), 1, 0, 1, 0x12, 0, 0, 0, 0],
  );
  expect(readSafetensors(file)).toEqual({
    tensors: { weight: { shape: [2], data: Float32Array.of(1.5, -2) } },
    others: ['bn.num_batches_tracked', 'flag', 'four', 'constructor'],
    metadata: {},
  });
});

it('a tensor without elements can be at the offset of another one, before or after it', () => {
  const entry = (to: number) => ({ dtype: 'F32', shape: [to / 4], data_offsets: [0, to] });
  for (const header of [
    { empty: entry(0), x: entry(4) },
    { x: entry(4), empty: entry(0) },
  ]) {
    const { tensors } = readSafetensors(fileOf(header, bytesOf(Float32Array.of(3))));
    expect([tensors['x']!.data[0], tensors['empty']!.data.length]).toEqual([3, 0]);
  }
});

describe('a malformed file is rejected with the reason', () => {
  const f32 = (shape: unknown, from: unknown, to: unknown): object => ({
    dtype: 'F32',
    shape,
    data_offsets: [from, to],
  });
  const cases: [string, Uint8Array, string][] = [
    ['an empty file', new Uint8Array(0), 'the file must have at least the 8 bytes of the header length, got 0.'],
    ['truncated in the last bytes of the header', writeSafetensors({}).slice(0, -1), 'but only 7 follow'],
    ['truncated in the header', writeSafetensors({ x: full([3], 1) }).slice(0, 20), 'Is the file truncated?'],
    [
      'truncated in the data',
      writeSafetensors({ x: full([3], 1) }).slice(0, -1),
      'tensor "x" ends at byte 12 of the data, which has 11',
    ],
    [
      'a header of gigabytes',
      fileOf({}, [], 2 ** 40),
      'the header length is 1099511627776 bytes, the limit is 100000000',
    ],
    [
      'a zip archive, as torch.save writes',
      Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 8, 8, ...new Uint8Array(40)),
      'Is this a safetensors file? Use safetensors.torch.save_file, not torch.save.',
    ],
    ['a header of the largest size', fileOf({}, [], 1e8), 'the header length is 100000000 bytes, but only 2 follow'],
    ['a space before the header', fileOf(' {}'), 'the header must be a JSON object'],
    ['not UTF-8', fileOf(Uint8Array.of(0x7b, 0xff, 0x7d)), 'the header is not valid UTF-8'],
    ['not JSON', fileOf('{"x":'), 'the header is not JSON'],
    ['no object', fileOf('[]'), 'the header must be a JSON object'],
    [
      'a duplicate name',
      fileOf(
        '{"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0078":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
      ),
      'the name "x" is in the header twice',
    ],
    ['metadata that is not strings', fileOf({ __metadata__: { a: 1 } }), '__metadata__ must be an object of strings'],
    ['no type', fileOf({ x: { shape: [1], data_offsets: [0, 4] } }, new Uint8Array(4)), 'tensor "x" must have a dtype'],
    [
      'the offsets of another type in descending order',
      fileOf({ x: { dtype: 'I64', shape: [0], data_offsets: [8, 0] } }, new Uint8Array(8)),
      'tensor "x" has data_offsets 8 to 0',
    ],
    [
      'a tensor of another type that overlaps',
      fileOf({ x: f32([2], 0, 8), n: { dtype: 'I64', shape: [], data_offsets: [0, 8] } }, new Uint8Array(8)),
      'tensor "n" starts at byte 0, but tensor "x" ends at 8',
    ],
    [
      'a tensor of another type past the end',
      fileOf({ n: { dtype: 'I64', shape: [], data_offsets: [0, 8] } }, new Uint8Array(7)),
      'tensor "n" ends at byte 8 of the data, which has 7',
    ],
    [
      'a negative length',
      fileOf({ x: f32([-1], 0, 4) }, new Uint8Array(4)),
      'must have a shape of non-negative integers, got [-1]',
    ],
    [
      'a shape beyond the safe integers',
      fileOf({ x: f32([2 ** 40, 2 ** 40], 0, 4) }, new Uint8Array(4)),
      'tensor "x" of type F32',
    ],
    ['an offset that is not a number', fileOf({ x: f32([1], 0, '4') }, new Uint8Array(4)), 'two data_offsets'],
    [
      'overlap',
      fileOf({ x: f32([2], 0, 8), y: f32([1], 4, 8) }, new Uint8Array(8)),
      'tensor "y" starts at byte 4, but tensor "x" ends at 8',
    ],
    [
      'a gap',
      fileOf({ x: f32([1], 4, 8) }, new Uint8Array(8)),
      'tensor "x" starts at byte 4, but the header ends at 0',
    ],
    [
      'trailing bytes',
      fileOf({ x: f32([1], 0, 4) }, new Uint8Array(8)),
      'the file must end at byte 4 of the data, got 8.',
    ],
    ['a tensor that is not an object', fileOf({ x: 3 }), 'tensor "x" must be an object'],
    [
      'a duplicate field',
      fileOf('{"x":{"dtype":"F32","shape":[1],"shape":[0],"data_offsets":[0,0]}}'),
      'the name "shape" is in the header twice',
    ],
    ['duplicate metadata', fileOf('{"__metadata__":{"a":"1","\\u0061" : "2"}}'), 'the name "a" is in the header twice'],
    ['a byte order mark', fileOf('\ufeff{}'), 'the header is not JSON'],
    [
      'negative zero in a shape',
      fileOf('{"x":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}'),
      'must have a shape of non-negative integers',
    ],
    [
      'an unpaired surrogate',
      fileOf('{"\\ud800":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
      '"\\ud800" has an unpaired surrogate',
    ],
    [
      'an unpaired surrogate in a name of metadata',
      fileOf('{"__metadata__":{"\\ud800":""}}'),
      '"\\ud800" has an unpaired surrogate',
    ],
    [
      'a type with toString and valueOf properties',
      fileOf({ x: { dtype: { toString: 1, valueOf: 1 }, shape: [1], data_offsets: [0, 4] } }, new Uint8Array(4)),
      'tensor "x" must have a dtype, got an object with toString, valueOf',
    ],
    [
      'a type nested deeper than the stack',
      fileOf(
        `{"x":{"dtype":${'['.repeat(1e5)}${']'.repeat(1e5)},"shape":[1],"data_offsets":[0,4]}}`,
        new Uint8Array(4),
      ),
      'the header is more than 256 levels deep',
    ],
    [
      'a shape nested deeper than the stack',
      fileOf(
        `{"x":{"dtype":"F32","shape":${'['.repeat(1e5)}${']'.repeat(1e5)},"data_offsets":[0,4]}}`,
        new Uint8Array(4),
      ),
      'the header is more than 256 levels deep',
    ],
  ];

  it.each(cases)('%s', (_, file, message) => {
    expect(() => readSafetensors(file)).toThrow(RangeError);
    expect(() => readSafetensors(file)).toThrow(message);
  });

  it('an error message is short, whatever is in the file', () => {
    const long = 'x'.repeat(1e5);
    for (const header of [
      { [long]: 3 },
      { [long]: f32([2], 0, 4) },
      { x: { dtype: long } },
      { x: f32(Array(1e5).fill(1), 0, 8) },
      { x: f32([long], 0, 4) },
      { x: { [long]: 1 } },
      { x: f32([1], 0, long) },
    ]) {
      const read = (): unknown => readSafetensors(fileOf(header, new Uint8Array(4)));
      expect(read).toThrow(/^readSafetensors: tensor [\s\S]{1,600}$/);
    }
  });

  it('a file with random bytes changed is read or rejected with a RangeError', () => {
    const random = createRandom(2);
    const file = writeSafetensors({ weight: normal(0, 1)([3, 4], random), bias: full([4], 1) }, { made: 'here' });
    let rejected = 0;
    for (let i = 0; i < 5000; i++) {
      const wrong = file.slice(0, integerNumber(random, 10) === 0 ? integerNumber(random, file.length) : file.length);
      for (let k = integerNumber(random, 4); k >= 0 && wrong.length > 0; k--)
        wrong[integerNumber(random, Math.min(wrong.length, 180))] = integerNumber(random, 256);
      try {
        readSafetensors(wrong);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        expect((error as Error).message).toMatch(/^readSafetensors: /);
        rejected++;
      }
    }
    expect(rejected).toBeGreaterThan(2500);
  });
});

it('large headers are read in linear time: twenty megabytes of metadata, and 25,000 tensors', () => {
  const metadata = { text: '"\\a'.repeat(5e6) };
  expect(readSafetensors(writeSafetensors({}, metadata)).metadata['text'] === metadata.text).toBe(true);
  const empty = full([0], 0);
  const many = Object.fromEntries(Array.from({ length: 25_000 }, (_, i) => [`tensor${i}`, empty]));
  expect(Object.keys(readSafetensors(writeSafetensors(many)).tensors)).toHaveLength(25_000);
  for (const write of [() => writeSafetensors({ ...many, other: empty }), () => writeSafetensors(many, { a: 'b' })])
    expect(write).toThrow('writeSafetensors: got 25001 names, the limit is 25000.');
});

it('tensors whose bytes are not aligned are read, each into its own buffer', () => {
  const header = JSON.stringify({
    a: { dtype: 'F16', shape: [1], data_offsets: [0, 2] },
    b: { dtype: 'F32', shape: [2], data_offsets: [2, 10] },
    c: { dtype: 'F64', shape: [1], data_offsets: [10, 18] },
    d: { dtype: 'BF16', shape: [1], data_offsets: [18, 20] },
  });
  const data = new DataView(new ArrayBuffer(20));
  data.setUint16(0, 0x3c00, true);
  data.setFloat32(2, 2, true);
  data.setFloat32(6, 3, true);
  data.setFloat64(10, 4, true);
  data.setUint16(18, 0x40a0, true);
  for (const padding of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const { tensors } = readSafetensors(fileOf(header + ' '.repeat(padding), new Uint8Array(data.buffer)));
    expect(Object.values(tensors).map((tensor) => [...tensor.data])).toEqual([[1], [2, 3], [4], [5]]);
    expect(Object.values(tensors).map((tensor) => tensor.data.buffer.byteLength)).toEqual([4, 8, 4, 4]);
  }
});

it('writeSafetensors rejects values that are not tensors or strings, wrong shapes and invalid names', () => {
  expect(() => writeSafetensors({ x: 3 as never })).toThrow('writeSafetensors: x must be a tensor');
  expect(() => writeSafetensors({ x: { shape: [2], data: new Float32Array(3) } })).toThrow(
    'x must have a shape of size 3, got [2].',
  );
  expect(() => writeSafetensors({ __metadata__: full([1], 0) })).toThrow('no tensor may be named __metadata__');
  expect(() => writeSafetensors({}, { a: 1 as never })).toThrow('metadata.a must be a string');
  expect(() => writeSafetensors({ x: { shape: [-1, -2], data: new Float32Array(2) } })).toThrow(
    'x must have a shape of size 2, got [-1, -2].',
  );
  expect(() => writeSafetensors({ x: { shape: [0.5, 4], data: new Float32Array(2) } })).toThrow(
    'x must have a shape of size 2, got [0.5, 4].',
  );
  expect(() => writeSafetensors({ 'a\udc00': full([1], 0) })).toThrow(
    'writeSafetensors: "a\\udc00" has an unpaired surrogate',
  );
  expect(() => writeSafetensors({}, { a: '\ud83d' })).toThrow('has an unpaired surrogate');
  expect(() => writeSafetensors({}, { '\ud83d': 'a' })).toThrow('has an unpaired surrogate');
  expect(() => writeSafetensors({}, { a: 'x'.repeat(1e8) })).toThrow('the limit is 100000000');
});
