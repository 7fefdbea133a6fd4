/** Vocabularies: conversion between text and token ids. */

import { memoize } from '../tensor/memoize';
import {
  checkArray,
  checkIds,
  checkNames,
  checkObject,
  checkShape,
  checkString,
  lengthOf,
  outOfRange,
} from '../tensor/shape';
import { type BytePair, bytePairEncoder } from './byte-pair-encoding';
import { textOfBytes } from './utf8';
import { joinWords, splitWords } from './words';

/** Special tokens: for unknown tokens, padding, and the start and end of a sequence. */
export type Mark = 'unknown' | 'padding' | 'start' | 'end';

/** The tokens of a model; the id of a token is its index. Plain data: store it as JSON with the weights. */
export interface Vocabulary {
  /** How text is split into tokens. */
  readonly kind: 'characters' | 'words' | 'bytePairs';
  /** The special tokens, then the others. Byte-pair tokens have one character per byte. */
  readonly tokens: readonly string[];
  /** V, the number of tokens. */
  readonly size: number;
  /** The ids of the special tokens, which come first. */
  readonly marks: Partial<Readonly<Record<Mark, number>>>;
  /** For words: whether text is converted to lower case first. */
  readonly lowercase?: boolean;
  /** For byte pairs: the merged ids, in the order in which they were learned. */
  readonly merges?: readonly BytePair[];
}

/** Creates a vocabulary of special tokens and other tokens. */
export function vocabularyOf(kind: Vocabulary['kind'], marks: readonly Mark[], others: readonly string[]): Vocabulary {
  const tokens = [...marks.map((mark) => `<${mark}>`), ...others];
  return { kind, tokens, size: tokens.length, marks: Object.fromEntries(marks.map((mark, id) => [mark, id])) };
}

/** The special tokens that {@link encode} adds to a text. */
export interface EncodeOptions {
  /** Whether to add the start token at the front; false by default. */
  readonly start?: boolean | undefined;
  /** Whether to add the end token at the end; false by default. */
  readonly end?: boolean | undefined;
}

/**
 * Converts a text to token ids. Tokens outside the vocabulary become the unknown token.
 *
 * @throws TypeError if the text is not a string
 * @throws RangeError if a token is not in a vocabulary without an unknown token, or the vocabulary lacks the start or
 * end token, or is malformed: merges refer to later ones, for example
 * @example
 * encode(characterVocabulary('to be'), 'bet'); // Int32Array [1, 2, 4]
 */
export function encode(vocabulary: Vocabulary, text: string, options: EncodeOptions = {}): Int32Array {
  checkVocabulary('encode', vocabulary);
  checkNames('encode', 'options', options, ['start', 'end']);
  const { start = false, end = false } = options;
  checkString('encode', 'text', text);
  const ids = start ? [markId(vocabulary, 'start')] : [];
  if (vocabulary.kind === 'bytePairs') for (const id of encoderOf(vocabulary)(text)) ids.push(id);
  else pushTokens(ids, vocabulary, text);
  if (end) ids.push(markId(vocabulary, 'end'));
  return Int32Array.from(ids);
}

/** @throws TypeError or RangeError if a vocabulary, which may be from a file, has malformed tokens or marks */
function checkVocabulary(where: string, vocabulary: Vocabulary): void {
  checkObject(where, 'vocabulary', vocabulary);
  const { tokens, marks } = vocabulary;
  checkArray(where, 'vocabulary.tokens', tokens);
  checkObject(where, 'vocabulary.marks', marks);
  checkIds(where, 'vocabulary.marks', Object.values(marks), tokens.length);
}

function markId({ marks }: Vocabulary, mark: Mark): number {
  const id = marks[mark];
  if (id === undefined) throw outOfRange('encode', 'the vocabulary', `one with marks: ['${mark}']`, 'one without');
  return id;
}

function pushTokens(ids: number[], vocabulary: Vocabulary, text: string): void {
  const idOf = idsOf(vocabulary);
  const unknown = vocabulary.marks.unknown;
  const first = ids.length;
  for (const token of vocabulary.kind === 'words'
    ? splitWords(vocabulary.lowercase ? text.toLowerCase() : text)
    : text) {
    const id = idOf.get(token) ?? unknown;
    if (id === undefined) {
      const got = `${JSON.stringify(token)} as token ${ids.length - first}`;
      throw outOfRange('encode', 'every token of text', 'in the vocabulary', got, "Create it with marks: ['unknown'].");
    }
    ids.push(id);
  }
}

/**
 * Converts token ids to text. Padding, start and end tokens are left out; the unknown token is written `<unknown>`.
 * Words are joined as described for {@link wordVocabulary}; characters and byte pairs are concatenated.
 *
 * @throws TypeError if `ids` is not an array
 * @throws RangeError if an id is not an integer in [0, V); the message has its position
 * @example
 * decode(characterVocabulary('to be'), [1, 2, 4]); // 'bet'
 */
export function decode(vocabulary: Vocabulary, ids: Int32Array | readonly number[]): string {
  lengthOf('decode', 'ids', ids);
  checkVocabulary('decode', vocabulary);
  checkIds('decode', 'ids', ids, vocabulary.tokens.length);
  const { padding, start, end } = vocabulary.marks;
  const tokens = Array.from(ids)
    .filter((id) => id !== padding && id !== start && id !== end)
    .map((id) => vocabulary.tokens[id]!);
  if (vocabulary.kind === 'words') return joinWords(tokens);
  const text = tokens.join('');
  return vocabulary.kind === 'bytePairs' ? textOfBytes(text) : text;
}

/** The id of every token except the special tokens. */
const idsOf = /* @__PURE__ */ memoize(({ tokens, marks }: Vocabulary): Map<string, number> => {
  const special = new Set(Object.values(marks));
  return new Map(tokens.flatMap((token, id) => (special.has(id) ? [] : [[token, id] as const])));
});

/** The encoder of byte pairs. Merges refer to earlier tokens only, so that encoding ends. */
const encoderOf = /* @__PURE__ */ memoize(({ tokens, marks, merges = [] }: Vocabulary) => {
  const first = Object.keys(marks).length;
  checkArray('encode', 'vocabulary.merges', merges);
  checkShape('encode', 'vocabulary.merges', [merges.length], '[V - 256 - marks]', [tokens.length - first - 256]);
  merges.forEach((pair, i) => checkIds('encode', `vocabulary.merges[${i}]`, [pair?.[0], pair?.[1]], first + 256 + i));
  return bytePairEncoder(merges, first);
});
