/**
 * Zip archives of Python's zipfile, errors that name unsupported features, and bounded memory on malformed archives.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { createRandom, integerNumber } from 'bptt';
import { readZip } from 'bptt/keras';
import { describe, expect, it } from 'vitest';
import { inflate } from '../../src/formats/inflate';
import { collectGarbage } from '../memory';
import { archiveOf } from './archive';

const folder = new URL('../golden/zip/', import.meta.url);
const archive = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`${encodeURIComponent(name)}.zip`, folder)));

function noise(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 16) & 255;
  });
}
const zeros = (length: number): Uint8Array => new Uint8Array(length);
const squares = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (((i * i) % 251) * (i % 3)) >> 1);
/** The content of a file in the golden archives, which its name describes. */
function contentOf(name: string): Uint8Array {
  const [kind, length] = name.split('/').at(-1)!.split(' ') as ['noise' | 'zeros' | 'squares', string];
  return { noise, zeros, squares }[kind](Number(length));
}

describe('archives written by Python', () => {
  const various = ['noise 0', 'zeros 1', 'folder/squares 700', 'folder/within/noise 300', 'zeros 3000'];
  it.each<[string, string[]]>([
    ['stored', various],
    ['piped', various],
    ['piped and stored', various],
    ['forced to zip64', various],
    ['with a comment', various],
    [
      'names',
      ['ä/語 😀/noise 5', '__proto__/zeros 3', 'back\\slash/zeros 4', '../zeros 2', '/zeros 6', '\ufeff/zeros 7'],
    ],
    ['100 files', Array.from({ length: 100 }, (_, i) => `${i}/zeros ${i}`)],
    ['of nothing', []],
    ...Array.from({ length: 10 }, (_, level): [string, string[]] => [
      `level ${level}`,
      ['squares 2000', 'noise 100', 'zeros 1000', 'zeros 2'],
    ]),
  ])('%s: every file has its content', (name, names) => {
    const files = readZip(archive(name));
    expect(Object.keys(files)).toEqual(names);
    for (const path of names) expect(files[path], path).toEqual(contentOf(path));
  });

  it('other compression methods are rejected', () => {
    expect(() => readZip(archive('bzip2'))).toThrow(
      'readZip: squares 700 is compressed by method 12; only stored and deflated files are supported.',
    );
    expect(() => readZip(archive('lzma'))).toThrow(
      'readZip: squares 700 is compressed by method 14; only stored and deflated files are supported.',
    );
  });

  it('the folder has no other archives', () => expect(readdirSync(folder)).toHaveLength(20));

  it('a view, an ArrayBuffer and a Buffer are read alike, and results do not alias the file', () => {
    const file = archive('stored');
    const shifted = new Uint8Array([1, ...file]).subarray(1);
    const copy = shifted.slice();
    const files = readZip(shifted);
    for (const bytes of [file, file.buffer as ArrayBuffer, readFileSync(new URL('stored.zip', folder))])
      expect(readZip(bytes)).toEqual(files);
    for (const content of Object.values(files)) content.fill(7);
    expect(shifted).toEqual(copy);
    expect(() => readZip('text' as never)).toThrow(
      'readZip: file must be a Uint8Array or an ArrayBuffer, got a ' + 'string.',
    );
  });
});

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

it('inflate inverts zlib: all strategies, the largest distances, the longest runs, many blocks', () => {
  const far = new Uint8Array(70_000);
  for (let offset = 0; offset < far.length; offset += 32_768)
    far.set(noise(32_768).subarray(0, far.length - offset), offset);
  for (const content of [
    zeros(0),
    zeros(1),
    noise(3),
    zeros(300_000),
    noise(200_000),
    squares(50_000),
    far,
    new TextEncoder().encode('to be or not to be, '.repeat(999)),
  ]) {
    // The strategies of zlib: default, Huffman only, runs, fixed codes.
    for (const strategy of [0, 2, 3, 4]) {
      for (const level of [0, 1, 9]) {
        const settings = { level, strategy, memLevel: level || 8 };
        expect(
          sameBytes(inflate('x', new Uint8Array(deflateRawSync(content, settings)), content.length), content),
          `${content.length} ${JSON.stringify(settings)}`,
        ).toBe(true);
      }
    }
  }
});

describe('malformed archives', () => {
  const a = { name: 'a', content: squares(100) };
  it('archiveOf creates a valid archive from valid entries', () => {
    expect(readZip(archiveOf([a, { name: 'b', content: new Uint8Array(0) }]))).toEqual({
      a: a.content,
      b: new Uint8Array(0),
    });
  });

  const deflated = { name: 'a', content: new Uint8Array(deflateRawSync(zeros(100))), method: 8 };
  it.each<[string, Uint8Array, string]>([
    [
      'an empty file',
      new Uint8Array(0),
      'the file has no end-of-directory record. Is this a zip archive, and is it ' + 'complete?',
    ],
    ['not an archive', new Uint8Array(100), 'the file has no end-of-directory record'],
    ['trailing data', archiveOf([a], { trailing: [0] }), 'the file has no end-of-directory record'],
    [
      'leading data',
      Uint8Array.from([1, ...archiveOf([a])]),
      'the directory ends at byte 178, but its end record is at byte 179. Is the file truncated, or preceded by ' +
        'other data?',
    ],
    [
      'fewer files than the directory has',
      archiveOf([a, { ...a, name: 'b' }], { count: 1 }),
      'the directory has more than the 1 entries that its end record gives',
    ],
    ['more files than the directory has', archiveOf([a], { count: 2 }), 'entry 1 of the directory is missing'],
    [
      'zip64 for many files',
      archiveOf([a], { count: 0xffff }),
      'the archive is in zip64 format (4 GB or 65,535 files), which is not supported',
    ],
    [
      'zip64 for large files',
      archiveOf([{ ...a, size: 0xffffffff }]),
      'a is in zip64 format (4 GB), which is not supported',
    ],
    ['a duplicate file', archiveOf([a, a]), 'a is in the archive twice'],
    [
      'another name in the local header',
      archiveOf([{ ...a, localName: 'b' }]),
      'a has a different name in its local ' + 'header',
    ],
    [
      'two files at one offset',
      archiveOf([a, { ...a, name: 'b', from: 0 }]),
      'b has a different name in its local ' + 'header',
    ],
    [
      'overlapping files',
      archiveOf([a, { ...a, name: 'b', packed: 300, size: 300 }]),
      'b extends past the end of the file',
    ],
    [
      'an offset past the end of the file',
      archiveOf([{ ...a, from: 4e9 }]),
      'a is not at the offset that the directory ' + 'gives',
    ],
    [
      'a size past the end of the file',
      archiveOf([{ ...a, packed: 190, size: 190 }]),
      'a extends past the end of the file',
    ],
    [
      'a size far past the end of the file',
      archiveOf([{ ...a, packed: 4e9, size: 4e9 }]),
      'a extends past the end of the file',
    ],
    ['two different sizes', archiveOf([{ ...a, size: 99 }]), 'a is stored uncompressed, but its two sizes differ'],
    ['encryption', archiveOf([{ ...a, flags: 1 }]), 'a is encrypted'],
    ['strong encryption', archiveOf([{ ...a, flags: 0x40 }]), 'a is encrypted'],
    ['a masked directory', archiveOf([{ ...a, flags: 0x2000 }]), 'a is encrypted'],
    [
      'a name not in UTF-8',
      archiveOf([{ ...a, name: '?' }]).map((byte) => (byte === 0x3f ? 0xff : byte)),
      'the name of entry 0 is not valid UTF-8',
    ],
    [
      'a changed byte',
      archiveOf([a]).map((byte, at) => (at === 60 ? byte ^ 1 : byte)),
      'a does not match its CRC-32 checksum',
    ],
    ['a size too small', archiveOf([{ ...deflated, size: 99 }]), 'a: the content is longer than the expected 99 bytes'],
    ['a size too large', archiveOf([{ ...deflated, size: 101 }]), 'a: the content has 100 bytes, expected 101'],
    [
      'an impossible size',
      archiveOf([{ ...deflated, size: 4e9 }]),
      'the files take 4000000000 bytes after decompression, too many for an archive of',
    ],
    [
      'an impossible size below the limit of the archive',
      archiveOf([{ ...deflated, size: 9e6 }]),
      `a: ${deflated.content.length} compressed bytes cannot expand to 9000000 bytes`,
    ],
    [
      'files that together expand too much',
      archiveOf(['b', 'c', 'd'].map((name) => ({ ...deflated, name, size: 6e6 }))),
      'the files take 18000000 bytes after decompression, too many for an archive of',
    ],
    ['a file inside another', archiveOf([a, { ...a, name: 'b', from: 0, localName: 'a' }]), 'has a different name'],
    [
      'two names for one file',
      archiveOf([
        { ...a, name: 'b/c', localName: 'b/c' },
        { ...a, name: 'b/c', from: 0 },
      ]),
      'b/c is in the archive twice',
    ],
    [
      'no final block',
      archiveOf([{ ...deflated, content: deflated.content.subarray(0, -1), size: 100 }]),
      'a: the compressed data ends unexpectedly',
    ],
    [
      'a block of an invalid type',
      archiveOf([{ ...deflated, content: Uint8Array.of(7, 0, 0) }]),
      'a: the compressed data has a block of an invalid type',
    ],
    [
      'a stored block with a wrong complement',
      archiveOf([{ ...deflated, content: Uint8Array.of(1, 1, 0, 1, 0, 0), size: 1 }]),
      'a: the length of a stored block does not match its complement',
    ],
    [
      'a distance before the start',
      archiveOf([{ ...deflated, content: Uint8Array.of(0x03, 0x02, 0, 0), size: 3 }]),
      'a: the compressed data has a distance that reaches before the start of the output',
    ],
    [
      'an oversubscribed code',
      archiveOf([{ ...deflated, content: Uint8Array.of(0x05, 0, 0x92, 0x04), size: 3 }]),
      'a: the compressed data has an oversubscribed Huffman code',
    ],
  ])('%s', (_, file, reason) => {
    expect(() => readZip(file)).toThrow(RangeError);
    expect(() => readZip(file)).toThrow(/^readZip: /);
    expect(() => readZip(file)).toThrow(reason);
  });

  it('very many empty blocks are rejected without allocating the declared size', () => {
    // Ten bits per block, all zero except the type, and no final block.
    const blocks = Uint8Array.from({ length: 1_000_000 }, (_, i) => [0x02, 0x08, 0x20, 0x80, 0x00][i % 5]!);
    collectGarbage();
    const memoryBefore = process.memoryUsage().arrayBuffers;
    expect(() => inflate('x', blocks, 1e9)).toThrow('x: the compressed data ends unexpectedly');
    expect(process.memoryUsage().arrayBuffers - memoryBefore).toBeLessThan(1e7);
  });

  it('an archive truncated at any byte is rejected', () => {
    for (const name of ['stored', 'piped', 'level 9']) {
      const file = archive(name);
      for (let length = 0; length < file.length; length++) {
        if (!rejects(file.subarray(0, length))) expect.fail(`${name}, truncated at byte ${length}, was read`);
      }
    }
  });

  it('an archive with random bytes changed has its original contents or is rejected', () => {
    const random = createRandom(4);
    for (const name of ['stored', 'piped', 'forced to zip64', 'names', 'level 0', 'level 1', 'level 9']) {
      const file = archive(name);
      const contents = new Set(Object.values(readZip(file)).map((content) => content.join()));
      let rejected = 0;
      for (let i = 0; i < 500; i++) {
        const wrong = file.slice();
        for (let k = integerNumber(random, 3); k >= 0; k--) {
          const at = integerNumber(random, file.length);
          if (integerNumber(random, 2) === 0) wrong[at] = integerNumber(random, 256);
          else
            wrong.set(
              [
                [0, 0, 0, 0],
                [255, 255, 255, 255],
                [255, 255, 255, 127],
                [0, 0, 0, 128],
              ][integerNumber(random, 4)]!.slice(0, file.length - at),
              at,
            );
        }
        if (
          rejects(wrong, (files) =>
            Object.values(files).forEach((content) => expect(contents.has(content.join())).toBe(true)),
          )
        )
          rejected++;
      }
      expect(rejected, name).toBeGreaterThan(150);
    }
  });

  function rejects(file: Uint8Array, check = (_: Readonly<Record<string, Uint8Array>>): void => undefined): boolean {
    let files: Readonly<Record<string, Uint8Array>>;
    try {
      files = readZip(file);
    } catch (error) {
      if (error instanceof RangeError && error.message.startsWith('readZip: ')) return true;
      throw error;
    }
    check(files);
    return false;
  }
});

describe('malformed streams of DEFLATE are rejected', () => {
  /** Fields of a stream: numbers with their bits from the lowest on, and codes of Huffman from their highest bit on. */
  const streamOf = (...fields: readonly (readonly [value: number, bits: number] | string)[]): Uint8Array => {
    const bits = fields.flatMap((field) =>
      typeof field === 'string'
        ? [...field].map(Number)
        : Array.from({ length: field[1] }, (_, i) => (field[0] >> i) & 1),
    );
    const bytes = new Uint8Array(Math.ceil(bits.length / 8) + 8);
    bits.forEach((bit, i) => (bytes[i >> 3]! |= bit << (i & 7)));
    return bytes;
  };
  /** The start of a last block with own codes: their numbers, and the lengths of the codes for lengths, by symbol. */
  const dynamic = (literals: number, distances: number, lengths: Readonly<Record<number, number>>) => [
    [1, 1] as const,
    [2, 2] as const,
    [literals - 257, 5] as const,
    [distances - 1, 5] as const,
    [14, 4] as const,
    ...[16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1].map(
      (symbol) => [lengths[symbol] ?? 0, 3] as const,
    ),
  ];

  it.each<[string, Uint8Array]>([
    // Fixed codes have one for the symbol 286, which has no length.
    ['an invalid length code', streamOf([1, 1], [1, 2], '11000110')],
    ['repeats a code length before the first one', streamOf(...dynamic(257, 1, { 16: 1, 17: 1 }), '0')],
    ['more code lengths than codes', streamOf(...dynamic(257, 1, { 17: 1, 18: 1 }), '1', [127, 7], '1', [127, 7])],
    [
      // The symbol 257, and the distance 30, which does not exist.
      'an invalid distance code',
      streamOf(
        ...dynamic(258, 31, { 1: 1, 18: 1 }),
        ...(['1', [127, 7], '1', [107, 7], '0', '0', '1', [19, 7], '0', '1', '0'] as const),
      ),
    ],
  ])('%s', (message, stream) => expect(() => inflate('test', stream, 10)).toThrow(message));
});

it('an archive has a comment of at most 65,535 bytes, and belongs to one disk', () => {
  const file = { name: 'a', content: noise(5) };
  const archived = archiveOf([file], { comment: 'x'.repeat(65_535) });
  expect(readZip(archived)).toEqual({ a: file.content });
  const split = archiveOf([file]);
  split[split.length - 22 + 4] = 1;
  expect(() => readZip(split)).toThrow('readZip: the archive is split into several files');
});

it('a streamed archive may have the end records of zip64, whose fields do not need them', () => {
  const plain = archiveOf([{ name: 'a', content: noise(5) }]);
  const at = plain.length - 22;
  const streamed = (signature: number, length = 76): Uint8Array => {
    const records = new Uint8Array(length);
    new DataView(records.buffer).setUint32(0, signature, true);
    return Uint8Array.from([...plain.slice(0, at), ...records, ...plain.slice(at)]);
  };
  expect(readZip(streamed(0x06064b50))).toEqual(readZip(plain));
  const message = `readZip: the directory ends at byte ${at}, but its end record is at byte`;
  expect(() => readZip(streamed(0x06064b51))).toThrow(`${message} ${at + 76}.`);
  expect(() => readZip(streamed(0x06064b50, 77))).toThrow(`${message} ${at + 77}.`);
});

it('a name that continues in the local header, or only there, is rejected', () => {
  for (const localName of ['a', 'abc'])
    expect(() => readZip(archiveOf([{ name: 'ab', content: noise(5), localName }]))).toThrow(
      'ab has a different name in its local header.',
    );
});
