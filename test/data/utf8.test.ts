/** UTF-8 with and without the TextEncoder and TextDecoder of the engine. */

import { createRandom, integerNumber } from 'bptt';
import { afterEach, expect, it, vi } from 'vitest';
import { bytesOfText, decodeUtf8, encodeUtf8, textOfBytes } from '../../src/data/utf8';

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Bytes at and next to the bounds of the table of well-formed sequences (Unicode Standard, table 3-7). */
const bounds = [
  0, 0x25, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
];
const bytes = [...bounds, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff];

const random = createRandom(1);
const sequences = Array.from({ length: 20_000 }, () =>
  Uint8Array.from({ length: integerNumber(random, 6) }, () => bytes[integerNumber(random, bytes.length)]!),
);

it('decodeUtf8 of the library accepts and returns the same as that of the engine', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const outcome = (decode: (bytes: Uint8Array) => string, sequence: Uint8Array): string | undefined => {
    try {
      return decode(sequence);
    } catch {
      return undefined;
    }
  };
  const expected = sequences.map((sequence) => outcome((sequence) => decoder.decode(sequence), sequence));
  expect(sequences.map((sequence) => outcome(decodeUtf8, sequence))).toEqual(expected);
  vi.stubGlobal('TextDecoder', undefined);
  expect(sequences.map((sequence) => outcome(decodeUtf8, sequence))).toEqual(expected);
  expect(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41))).toBe('\ufeffA');
});

it('textOfBytes returns all well-formed text, and U+FFFD for the rest', () => {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  // A decoder of the engine may replace several malformed bytes by one U+FFFD.
  const withoutRuns = (text: string): string => text.replace(/\ufffd+/g, '\ufffd');
  expect(sequences.map((sequence) => withoutRuns(textOfBytes(String.fromCharCode(...sequence))))).toEqual(
    sequences.map((sequence) => withoutRuns(decoder.decode(sequence))),
  );
  expect(textOfBytes('a\xf0\x9f\x90\x8b\xe9\xaf\xa8\xa8\xf0\x9f')).toBe('a🐋鯨\ufffd\ufffd\ufffd');
});

it('encodeUtf8 of the library returns the same as that of the engine, U+FFFD for unpaired surrogates included', () => {
  const units = ['a', '%', '\0', 'ß', '鯨', '\ufeff', '\uffff', '\ud83d', '\udc0b'];
  const texts = Array.from({ length: 5_000 }, () =>
    Array.from({ length: integerNumber(random, 6) }, () => units[integerNumber(random, units.length)]).join(''),
  );
  const expected = texts.map((text) => new TextEncoder().encode(text));
  expect(texts.map(encodeUtf8)).toEqual(expected);
  vi.stubGlobal('TextEncoder', undefined);
  expect(texts.map(encodeUtf8)).toEqual(expected);
  expect(texts.map((text) => Uint8Array.from(bytesOfText(text), (byte) => byte.charCodeAt(0)))).toEqual(expected);
});
