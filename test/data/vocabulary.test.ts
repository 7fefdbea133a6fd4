import { describe, expect, it } from 'vitest';
import { characterVocabulary, decode, encode } from 'bptt';

describe('characterVocabulary', () => {
  it('holds the distinct characters in the order of their code points', () => {
    expect(characterVocabulary('to be, or not to be')).toEqual({ tokens: [' ', ',', 'b', 'e', 'n', 'o', 'r', 't'], size: 8 });
  });

  it('takes code points rather than UTF-16 units, and sorts by them', () => {
    // U+FF01 is one unit that is greater than the first of the two units of U+1F40B.
    expect(characterVocabulary('🐋！a🐋').tokens).toEqual(['a', '！', '🐋']);
  });

  it('refuses an empty text', () => {
    expect(() => characterVocabulary('')).toThrow(new RangeError('characterVocabulary: text must hold at least one character, got none.'));
  });
});

describe('encode and decode', () => {
  const vocabulary = characterVocabulary('a 🐋 is no fish');

  it('encode gives places in the vocabulary', () => {
    const ids = encode(characterVocabulary('to be'), 'bet');
    expect(ids).toBeInstanceOf(Int32Array);
    expect([...ids]).toEqual([1, 2, 4]);
  });

  it('are each other’s inverse, with one id a code point', () => {
    const text = 'fish 🐋🐋 o';
    const ids = encode(vocabulary, text);
    expect(ids.length).toBe([...text].length);
    expect(decode(vocabulary, ids)).toBe(text);
    expect(encode(vocabulary, '').length).toBe(0);
    expect(decode(vocabulary, [])).toBe('');
  });

  it('a megabyte comes back unchanged', () => {
    const text = 'a fish is a 🐋 no '.repeat(60_000);
    expect(decode(vocabulary, encode(vocabulary, text))).toBe(text);
  });

  it('vocabularies do not mix, and a restored one works', () => {
    const other = characterVocabulary('zyx');
    expect([...encode(other, 'zx')]).toEqual([2, 0]);
    expect(decode(vocabulary, encode(vocabulary, 'fish'))).toBe('fish');
    expect([...encode(JSON.parse(JSON.stringify(other)), 'zx')]).toEqual([2, 0]);
  });

  it('encode names the unknown character and its position in the string', () => {
    expect(() => encode(vocabulary, '🐋 qa')).toThrow(
      new RangeError(`encode: every character must be one of the vocabulary's ${vocabulary.size}, got "q" at position 3. Was the vocabulary made from another text?`),
    );
  });

  it.each([-1, 8, 0.5, NaN])('decode refuses the id %s', (id) => {
    expect(() => decode(characterVocabulary('abcdefgh'), [0, id])).toThrow(
      new RangeError(`decode: ids must be whole numbers from 0 to 7, got ${id} at position 1.`),
    );
  });
});
