/** Zip: what Python's zipfile wrote comes out as it was put in; the rest is refused by name; a wrong archive takes no more memory than it can fill. */

import { readdirSync, readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { createRandom, integerNumber } from 'bptt';
import { readZip } from 'bptt/keras';
import { describe, expect, it } from 'vitest';
import { inflate } from '../../src/formats/inflate';
import { archiveOf } from './archive';

const folder = new URL('../golden/zip/', import.meta.url);
const archive = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`${encodeURIComponent(name)}.zip`, folder)));

function noise(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => ((state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) >> 16) & 255);
}
const zeros = (length: number): Uint8Array => new Uint8Array(length);
const squares = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (((i * i) % 251) * (i % 3)) >> 1);
/** What is in a file of the golden archives, by its name. */
function contentOf(name: string): Uint8Array {
  const [kind, length] = name.split('/').at(-1)!.split(' ') as ['noise' | 'zeros' | 'squares', string];
  return { noise, zeros, squares }[kind](Number(length));
}

describe('archives of Python', () => {
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
  ])('%s', (name, names) => {
    const files = readZip(archive(name));
    expect(Object.keys(files)).toEqual(names);
    for (const each of names) expect(files[each], each).toEqual(contentOf(each));
  });

  it('of other methods are refused', () => {
    expect(() => readZip(archive('bzip2'))).toThrow(
      'readZip: squares 700 is compressed by method 12; stored and deflated files are read.',
    );
    expect(() => readZip(archive('lzma'))).toThrow(
      'readZip: squares 700 is compressed by method 14; stored and deflated files are read.',
    );
  });

  it('are all there', () => expect(readdirSync(folder)).toHaveLength(20));

  it('in any container of bytes, whose memory is left alone', () => {
    const file = archive('stored');
    const shifted = new Uint8Array([1, ...file]).subarray(1);
    const before = shifted.slice();
    const files = readZip(shifted);
    for (const bytes of [file, file.buffer as ArrayBuffer, readFileSync(new URL('stored.zip', folder))])
      expect(readZip(bytes)).toEqual(files);
    for (const content of Object.values(files)) content.fill(7);
    expect(shifted).toEqual(before);
    expect(() => readZip('text' as never)).toThrow('readZip: file must be a Uint8Array or an ArrayBuffer, got text.');
  });
});

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

it('whatever zlib deflates is inflated: any strategy, the farthest distances, the longest runs, many blocks', () => {
  const far = new Uint8Array(70_000);
  for (let at = 0; at < far.length; at += 32_768) far.set(noise(32_768).subarray(0, far.length - at), at);
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
    // As zlib chooses, literals alone, runs alone, the fixed code alone.
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

describe('a wrong archive', () => {
  const a = { name: 'a', content: squares(100) };
  it('is made here of right parts', () => {
    expect(readZip(archiveOf([a, { name: 'b', content: new Uint8Array(0) }]))).toEqual({
      a: a.content,
      b: new Uint8Array(0),
    });
  });

  const deflated = { name: 'a', content: new Uint8Array(deflateRawSync(zeros(100))), method: 8 };
  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'the file has no end of a directory. Is this a zip archive, and whole?'],
    ['no archive', new Uint8Array(100), 'the file has no end of a directory'],
    ['more behind it', archiveOf([a], { behind: [0] }), 'the file has no end of a directory'],
    [
      'something before it',
      Uint8Array.from([1, ...archiveOf([a])]),
      'the directory ends at byte 178, but its end stands at 179. Was the file cut short, or put behind another?',
    ],
    [
      'fewer files than the directory has',
      archiveOf([a, { ...a, name: 'b' }], { count: 1 }),
      'the directory has more than its 1 files',
    ],
    ['more files than the directory has', archiveOf([a], { count: 2 }), 'entry 1 of the directory is not there'],
    [
      'the form for many files',
      archiveOf([a], { count: 0xffff }),
      'the archive is of the form for more than four gigabytes (zip64)',
    ],
    [
      'the form for large files',
      archiveOf([{ ...a, size: 0xffffffff }]),
      'a is of the form for more than four gigabytes (zip64)',
    ],
    ['a file twice', archiveOf([a, a]), 'a stands twice in the archive'],
    ['a file of another name', archiveOf([{ ...a, localName: 'b' }]), 'a has another name where it stands'],
    ['two files in one place', archiveOf([a, { ...a, name: 'b', from: 0 }]), 'b has another name where it stands'],
    [
      'files in each other',
      archiveOf([a, { ...a, name: 'b', packed: 300, size: 300 }]),
      'the files up to b are more than the archive',
    ],
    ['a place beyond the file', archiveOf([{ ...a, from: 4e9 }]), 'a is not where the directory says'],
    ['a size beyond the file', archiveOf([{ ...a, packed: 190, size: 190 }]), 'a reaches beyond the end of the file'],
    [
      'a size beyond the file by far',
      archiveOf([{ ...a, packed: 4e9, size: 4e9 }]),
      'the files up to a are more than the archive',
    ],
    ['two sizes', archiveOf([{ ...a, size: 99 }]), 'a is stored, with two different sizes'],
    ['encryption', archiveOf([{ ...a, flags: 1 }]), 'a is encrypted'],
    ['strong encryption', archiveOf([{ ...a, flags: 0x40 }]), 'a is encrypted'],
    ['a hidden directory', archiveOf([{ ...a, flags: 0x2000 }]), 'a is encrypted'],
    [
      'a name not in UTF-8',
      archiveOf([{ ...a, name: '?' }]).map((byte) => (byte === 0x3f ? 0xff : byte)),
      'the name of entry 0 is not text in UTF-8',
    ],
    [
      'other bytes',
      archiveOf([a]).map((byte, at) => (at === 60 ? byte ^ 1 : byte)),
      'a is not what was put into the archive (CRC-32)',
    ],
    ['more than is said', archiveOf([{ ...deflated, size: 99 }]), 'a: more than 99 bytes come out'],
    ['less than is said', archiveOf([{ ...deflated, size: 101 }]), 'a: 100 bytes come out, 101 are to'],
    [
      'what cannot be',
      archiveOf([{ ...deflated, size: 4e9 }]),
      `a: ${deflated.content.length} compressed bytes cannot become 4000000000`,
    ],
    [
      'no end',
      archiveOf([{ ...deflated, content: deflated.content.subarray(0, -1), size: 100 }]),
      'a: the compressed bytes end too early',
    ],
    [
      'a block of no kind',
      archiveOf([{ ...deflated, content: Uint8Array.of(7, 0, 0) }]),
      'a: the compressed bytes have a block of no kind',
    ],
    [
      'a stored block of two lengths',
      archiveOf([{ ...deflated, content: Uint8Array.of(1, 1, 0, 1, 0, 0), size: 1 }]),
      'a: a stored block has lengths that differ',
    ],
    [
      'a reach before the beginning',
      archiveOf([{ ...deflated, content: Uint8Array.of(0x03, 0x02, 0, 0), size: 3 }]),
      'a: the compressed bytes reach back before their beginning',
    ],
    [
      'more codes than there can be',
      archiveOf([{ ...deflated, content: Uint8Array.of(0x05, 0, 0x92, 0x04), size: 3 }]),
      'a: the compressed bytes have more codes of a length than there are',
    ],
  ])('%s', (_, file, reason) => {
    expect(() => readZip(file)).toThrow(RangeError);
    expect(() => readZip(file)).toThrow(/^readZip: /);
    expect(() => readZip(file)).toThrow(reason);
  });

  it('of very many empty blocks is refused soon, and takes no memory before it has to', () => {
    // Ten bits a block, without end: zeros but for the kind.
    const blocks = Uint8Array.from({ length: 1_000_000 }, (_, i) => [0x02, 0x08, 0x20, 0x80, 0x00][i % 5]!);
    const before = process.memoryUsage().arrayBuffers;
    expect(() => inflate('x', blocks, 1e9)).toThrow('x: the compressed bytes end too early');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e7);
  });

  it('that is cut short is refused, wherever', () => {
    for (const name of ['stored', 'piped', 'level 9']) {
      const file = archive(name);
      for (let length = 0; length < file.length; length++) {
        if (!refuses(file.subarray(0, length))) expect.fail(`${name} cut at byte ${length} was read`);
      }
    }
  });

  it('of any bytes changed holds what was put in, or is refused', () => {
    const random = createRandom(4);
    for (const name of ['stored', 'piped', 'forced to zip64', 'names', 'level 0', 'level 1', 'level 9']) {
      const file = archive(name);
      const contents = new Set(Object.values(readZip(file)).map((content) => content.join()));
      let refused = 0;
      for (let i = 0; i < 1500; i++) {
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
          refuses(wrong, (files) =>
            Object.values(files).forEach((content) => expect(contents.has(content.join())).toBe(true)),
          )
        )
          refused++;
      }
      expect(refused, name).toBeGreaterThan(500);
    }
  });

  function refuses(file: Uint8Array, check = (_: Readonly<Record<string, Uint8Array>>): void => undefined): boolean {
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
