import {
  bytePairVocabulary,
  characterVocabulary,
  createRandom,
  decode,
  encode,
  integerNumber,
  intTensor,
  type Vocabulary,
  wordVocabulary,
} from 'bptt';
import { describe, expect, it } from 'vitest';

describe('characterVocabulary', () => {
  it('has the distinct characters, sorted by code point', () => {
    expect(characterVocabulary('to be, or not to be')).toEqual({
      kind: 'characters',
      tokens: [' ', ',', 'b', 'e', 'n', 'o', 'r', 't'],
      size: 8,
      marks: {},
    });
  });

  it('splits and sorts by code points, not by UTF-16 code units', () => {
    // The code unit of U+FF01 is greater than the first code unit of U+1F40B.
    expect(characterVocabulary('🐋！a🐋').tokens).toEqual(['a', '！', '🐋']);
  });

  it('rejects an empty text', () => {
    expect(() => characterVocabulary('')).toThrow(
      new RangeError('characterVocabulary: text must hold at least one character, got none.'),
    );
  });
});

describe('encode and decode', () => {
  const vocabulary = characterVocabulary('a 🐋 is no fish');

  it('encode returns indices in the vocabulary', () => {
    const ids = encode(characterVocabulary('to be'), 'bet');
    expect(ids).toBeInstanceOf(Int32Array);
    expect([...ids]).toEqual([1, 2, 4]);
  });

  it('are inverses of each other, with one id per code point', () => {
    const text = 'fish 🐋🐋 o';
    const ids = encode(vocabulary, text);
    expect(ids.length).toBe([...text].length);
    expect(decode(vocabulary, ids)).toBe(text);
    expect(encode(vocabulary, '').length).toBe(0);
    expect(decode(vocabulary, [])).toBe('');
  });

  it('reproduce a text of one megabyte', () => {
    const text = 'a fish is a 🐋 no '.repeat(60_000);
    expect(decode(vocabulary, encode(vocabulary, text))).toBe(text);
  });

  it('keep vocabularies apart, and accept a vocabulary restored from JSON', () => {
    const other = characterVocabulary('zyx');
    expect([...encode(other, 'zx')]).toEqual([2, 0]);
    expect(decode(vocabulary, encode(vocabulary, 'fish'))).toBe('fish');
    expect([...encode(JSON.parse(JSON.stringify(other)), 'zx')]).toEqual([2, 0]);
  });

  it('encode names the unknown character and its index', () => {
    expect(() => encode(vocabulary, '🐋 qa')).toThrow(
      new RangeError(
        'encode: every token of text must be in the vocabulary, got "q" as token 2. ' +
          "Create it with marks: ['unknown'].",
      ),
    );
  });

  it.each([-1, 8, 0.5, NaN])('decode rejects the id %s', (id) => {
    expect(() => decode(characterVocabulary('abcdefgh'), [0, id])).toThrow(
      new RangeError(`decode: ids must be integers from 0 to 7, got ${id} at index 1.`),
    );
  });
});

/** Random strings of letters, signs, spaces and characters of every length in UTF-8. */
function texts(count: number): string[] {
  const random = createRandom(4);
  const alphabet = [
    'a',
    'b',
    'ab',
    ' ',
    '  ',
    '\n',
    '\t',
    '.',
    ',',
    '’',
    'é',
    'ß',
    '語',
    '🐋',
    '7',
    '42',
    '<unknown>',
    '\u0301',
    '-',
  ];
  return Array.from({ length: count }, () =>
    Array.from({ length: integerNumber(random, 40) }, () => alphabet[integerNumber(random, alphabet.length)]!).join(''),
  );
}

/** Random strings of code points from all of Unicode except surrogates. */
function wildTexts(count: number): string[] {
  const random = createRandom(6);
  const codePoint = (): number => {
    const limit = [0x80, 0x800, 0x10000, 0x110000][integerNumber(random, 4)]!;
    const drawn = integerNumber(random, limit);
    return drawn >= 0xd800 && drawn < 0xe000 ? 0xfeff : drawn;
  };
  return Array.from({ length: count }, () =>
    String.fromCodePoint(...Array.from({ length: 1 + integerNumber(random, 20) }, codePoint)),
  );
}

describe('byte pairs', () => {
  const text = 'the whale and the other whale, the white one, whaled 🐋🐋 the whalers';
  const vocabulary = bytePairVocabulary([text, text], { size: 300, marks: ['padding', 'start', 'end'] });

  it('encode any text without loss, with ids in the vocabulary', () => {
    for (const sample of [text, '', '\uFEFFmark', '<unknown>', ...texts(300), ...wildTexts(300)]) {
      const ids = encode(vocabulary, sample, { start: true, end: true });
      expect([ids[0], ids.at(-1)]).toEqual([1, 2]);
      expect(ids.every((id) => id >= 0 && id < vocabulary.size)).toBe(true);
      expect(decode(vocabulary, [0, ...ids, 0, 0])).toBe(sample);
    }
  });

  it('decode the unknown token as <unknown>, and never encode it', () => {
    const marked = bytePairVocabulary(text, { size: 270, marks: ['unknown'] });
    expect(decode(marked, [0, ...encode(marked, 'é')])).toBe('<unknown>é');
    expect([...encode(marked, text)]).not.toContain(0);
  });

  it('merge the most frequent pair first, among equals the one with smaller bytes', () => {
    const { tokens, merges } = bytePairVocabulary('abab abc abc', { size: 259 });
    expect(merges![0]).toEqual([97, 98]);
    expect(tokens.slice(256)).toEqual(['ab', ' ab', ' abc'].slice(0, tokens.length - 256));
  });

  /** Letters of DNA without spaces: one piece. */
  const dna = (length: number): string => {
    const random = createRandom(length);
    return Array.from({ length }, () => 'ACGT'[integerNumber(random, 4)]).join('');
  };

  /** Words of four letters of the beginning of the alphabet. */
  const randomWords = (count: number): string => {
    const random = createRandom(count);
    const word = (): string => Array.from({ length: 4 }, () => 'abcdefgh'[integerNumber(random, 8)]).join('');
    return Array.from({ length: count }, word).join(' ');
  };

  it.each([
    ['a text', text],
    ['a text without spaces', dna(1000)],
    ['words with many pairs', randomWords(200)],
    ['two words with one pair each', ['ab', 'ab', 'ab', 'cd', 'cd'].join('\n')],
    ['runs of one letter', 'aaa aaaa aaaaaaa baab'.repeat(5)],
  ])('learn the same merges as an exhaustive search from %s', (_, text) => {
    const words = text
      .match(/ ?\p{L}+| ?[^\s\p{L}]+/gu)!
      .map((word) => Array.from(new TextEncoder().encode(word), (byte) => byte));
    const expected: [number, number][] = [];
    for (let next = 256; next < 290; next++) {
      const counts = new Map<string, number>();
      for (const word of words)
        word.slice(1).forEach((b, i) => counts.set(`${word[i]} ${b}`, (counts.get(`${word[i]} ${b}`) ?? 0) + 1));
      const order = [...counts]
        .map(([key, count]) => ({ pair: key.split(' ').map(Number) as [number, number], count }))
        .sort((x, y) => y.count - x.count || x.pair[0] - y.pair[0] || x.pair[1] - y.pair[1]);
      if ((order[0]?.count ?? 0) < 2) break;
      const [a, b] = order[0]!.pair;
      expected.push([a, b]);
      for (const word of words)
        for (let i = 0; i + 1 < word.length; i++) if (word[i] === a && word[i + 1] === b) word.splice(i, 2, next);
    }
    expect(bytePairVocabulary(text, { size: 290 }).merges).toEqual(expected);
  });

  it('shorten text, survive JSON, and accept a text without repetitions', () => {
    expect(encode(vocabulary, text).length).toBeLessThan(text.length / 2);
    const restored = JSON.parse(JSON.stringify(vocabulary)) as typeof vocabulary;
    expect(encode(restored, text)).toEqual(encode(vocabulary, text));
    expect(bytePairVocabulary('abc', { size: 1000 }).size).toBe(256);
    expect(() => bytePairVocabulary('abc', { size: 256, marks: ['end'] })).toThrow(
      'bytePairVocabulary: size must be an integer of at least 257',
    );
    expect(() => bytePairVocabulary('', { size: 256 })).toThrow(
      'bytePairVocabulary: text must hold at least one character',
    );
  });
});

/** A vocabulary as in a file, with another value of one part. */
const changed = (vocabulary: Vocabulary, part: keyof Vocabulary, value: unknown): Vocabulary =>
  JSON.parse(JSON.stringify({ ...vocabulary, [part]: value })) as Vocabulary;

describe('a malformed vocabulary', () => {
  const vocabulary = bytePairVocabulary('low lower lowest', { size: 260, marks: ['end'] });
  const { merges = [] } = vocabulary;

  it.each<[string, unknown, string]>([
    ['a merge of itself', [merges[0], [258, 101], merges[2]], 'got 258 at index 0'],
    ['a merge of a later token', [[108, 259], ...merges.slice(1)], 'got 259 at index 1'],
    // Encoding "lo", (109, 112), did not end: 108 · 2²¹ + (112 + 2²¹) is 109 · 2²¹ + 112.
    ['an id far out of range', [[108, 112 + 2 ** 21], ...merges.slice(1)], `got ${112 + 2 ** 21} at index 1`],
    ['a negative id', [[110, 112 - 2 ** 21], ...merges.slice(1)], `got ${112 - 2 ** 21} at index 1`],
    ['half an id', [[108.5, 111], ...merges.slice(1)], 'got 108.5 at index 0'],
    ['a text', ['lo', ...merges.slice(1)], "got 'l' at index 0"],
    ['one id', [[108], ...merges.slice(1)], 'got undefined at index 1'],
    ['a missing merge', [null, ...merges.slice(1)], 'got undefined at index 0'],
    ['too few merges', merges.slice(1), 'vocabulary.merges must be [V - 256 - marks] = [3], got [2].'],
    ['no array', 7, 'vocabulary.merges must be an array of defined elements, got 7.'],
  ])('encode rejects %s', (_, value, message) => {
    expect(merges).toHaveLength(3);
    expect(() => encode(changed(vocabulary, 'merges', value), 'low lower')).toThrow(message);
  });

  it('encode and decode reject tokens and marks that are not those of a vocabulary', () => {
    const words = wordVocabulary('a b');
    for (const [part, value, message] of [
      ['tokens', 'ab', 'tokens must be an array of defined elements, got ab.'],
      ['marks', null, 'marks must be an object, got null.'],
      ['marks', { unknown: 3 }, 'marks must be integers from 0 to 2, got 3 at index 0.'],
      ['marks', { unknown: '0' }, "marks must be integers from 0 to 2, got '0' at index 0."],
    ] as const) {
      expect(() => encode(changed(words, part, value), 'a')).toThrow(`encode: vocabulary.${message}`);
      expect(() => decode(changed(words, part, value), [0])).toThrow(`decode: vocabulary.${message}`);
    }
    expect(() => decode(changed(words, 'tokens', ['a', 'b', 'c']), [3])).toThrow('from 0 to 2, got 3');
  });
});

describe('words', () => {
  const text =
    'Call me Ishmael. Some years ago—never mind how long—having little money, I thought I’d sail.\n“Call me,” he cried.';

  it('reproduce a text with usual spacing', () => {
    const vocabulary = wordVocabulary(text);
    expect(decode(vocabulary, encode(vocabulary, text))).toBe(text);
    expect(vocabulary.tokens.slice(0, 5)).toEqual(['<unknown>', '.', ',', 'Call', 'me']);
    expect(vocabulary.tokens).toContain('I’d');
    expect(wordVocabulary('1,000.5 is 3.14. Or so, 2.', { marks: [] }).tokens).toEqual([
      '.',
      ',',
      '1,000.5',
      '2',
      '3.14',
      'Or',
      'is',
      'so',
    ]);
  });

  it('keep the most frequent words with at least minCount occurrences; others are unknown, or rejected', () => {
    const vocabulary = wordVocabulary(['a b b c c c', 'd d d d'], {
      maxSize: 4,
      minCount: 2,
      marks: ['padding', 'unknown'],
    });
    expect(vocabulary).toMatchObject({
      tokens: ['<padding>', '<unknown>', 'd', 'c'],
      marks: { padding: 0, unknown: 1 },
      size: 4,
    });
    expect([...encode(vocabulary, 'a c d <padding>')]).toEqual([1, 3, 2, 1, 1, 1]);
    expect(decode(vocabulary, [2, 1, 0, 0])).toBe('d <unknown>');
    expect(() => encode(wordVocabulary('a b', { marks: [] }), 'a c')).toThrow(
      'every token of text must be in the vocabulary, got "c" as token 1',
    );
    expect(() => encode(vocabulary, 'a', { end: true })).toThrow(
      "encode: the vocabulary must be one with marks: ['end'], got one without.",
    );
    expect(() => wordVocabulary('a', { marks: ['end', 'end'] })).toThrow(
      'wordVocabulary: marks must be one of unknown, padding, start, got end.',
    );
    expect(() => encode(wordVocabulary('a b', { marks: ['start'] }), 'a c', { start: true })).toThrow(
      'got "c" as token 1',
    );
    expect(wordVocabulary('a b b c c c', { minCount: 2 }).tokens).toEqual(['<unknown>', 'c', 'b']);
    expect(() => wordVocabulary('a', { maxSize: 1 })).toThrow('wordVocabulary: maxSize');
    expect(() => wordVocabulary('a', { minCount: 0 })).toThrow(
      'wordVocabulary: minCount must be an integer of at least 1, got 0',
    );
    expect(() => wordVocabulary(' \t ')).toThrow('wordVocabulary: text must hold at least one word');
  });

  it('orders equally frequent words by code point, a word after its beginning', () => {
    expect(wordVocabulary('ab abc a b 🐋 ！', { marks: [] }).tokens).toEqual(['a', 'ab', 'abc', 'b', '！', '🐋']);
    expect(wordVocabulary('b a abc ab', { marks: [] }).tokens).toEqual(['a', 'ab', 'abc', 'b']);
  });

  it('are converted to lower case on request, also by encode', () => {
    const vocabulary = wordVocabulary('The whale the Whale', { lowercase: true, marks: [] });
    expect(vocabulary.tokens).toEqual(['the', 'whale']);
    expect([...encode(vocabulary, 'THE WHALE')]).toEqual([0, 1]);
  });
});

it('special tokens never match text', () => {
  const vocabulary = characterVocabulary(['<unknown>', 'ab'], { marks: ['padding', 'unknown', 'start', 'end'] });
  const ids = encode(vocabulary, '<unknown>ü', { start: true, end: true });
  expect(ids.length).toBe(12);
  expect([ids[0], ids[10], ids[11]]).toEqual([2, 1, 3]);
  expect(decode(vocabulary, ids)).toBe('<unknown><unknown>');
  const custom = { kind: 'characters', tokens: ['_', 'a'], size: 2, marks: { padding: 0 } } as const;
  expect(() => encode(custom, 'a_')).toThrow('every token of text must be in the vocabulary, got "_" as token 1');
  for (const text of [...texts(50), ...wildTexts(50)])
    expect(decode(characterVocabulary(`${text}.`), encode(characterVocabulary(`${text}.`), text))).toBe(text);
});

it('rejects values that are not text, and values that are not ids', () => {
  // @ts-expect-error Undefined is not a text.
  expect(() => characterVocabulary(undefined)).toThrow(
    new TypeError('characterVocabulary: text must be a string, got undefined.'),
  );
  // @ts-expect-error A number is not a text.
  expect(() => bytePairVocabulary(['a', 7], { size: 256 })).toThrow(TypeError);
  // @ts-expect-error An array is not a text.
  expect(() => encode(characterVocabulary('a'), ['a'])).toThrow(
    new TypeError('encode: text must be a string, got an array.'),
  );
  // @ts-expect-error A tensor is not an array.
  expect(() => decode(characterVocabulary('a'), intTensor([0]))).toThrow(
    new TypeError('decode: ids must be an array, got { shape, data: an instance of Int32Array }.'),
  );
});
