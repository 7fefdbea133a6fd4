/** Vocabularies from texts. */

import { checkCount, checkSome, describe } from '../tensor/shape';
import { learnMerges, piecesOf } from './byte-pair-encoding';
import { type Mark, type Vocabulary, vocabularyOf } from './vocabulary';
import { splitWords } from './words';

/** The marks of a vocabulary. */
export interface MarksOptions {
  /** Which marks it has, with ids 0, 1, … in this order. */
  readonly marks?: readonly Mark[];
}

/** Which tokens are kept. */
export interface CountOptions extends MarksOptions {
  /** The most tokens, marks among them; the rarest go. All by default. */
  readonly maxSize?: number;
  /** How often a token must stand in the texts. 1 by default. */
  readonly minCount?: number;
}

function textsOf(where: string, text: string | readonly string[], what: string): readonly string[] {
  const texts = typeof text === 'string' ? [text] : text;
  if (!Array.isArray(texts) || texts.some((each) => typeof each !== 'string')) {
    throw new TypeError(
      `${where}: text must be a string or an array of strings, got ${Array.isArray(texts) ? 'others among them' : describe(texts)}.`,
    );
  }
  checkSome(
    where,
    'text',
    texts.reduce((total, each) => total + each.length, 0),
    what,
  );
  return texts;
}

function checkMarks(where: string, marks: readonly Mark[]): void {
  const wrong = marks.find(
    (mark, i) => !['unknown', 'padding', 'start', 'end'].includes(mark) || marks.indexOf(mark) !== i,
  );
  if (wrong !== undefined)
    throw new RangeError(
      `${where}: marks must be of unknown, padding, start and end, each once, got ${marks.join(', ')}.`,
    );
}

/** How often each token stands in the texts, the most frequent first, equals in the order of their code points. */
function frequent(
  tokens: Iterable<string>,
  { marks = [], maxSize = Infinity, minCount = 1 }: CountOptions,
  where: string,
): string[] {
  checkMarks(where, marks);
  if (maxSize !== Infinity) checkCount(where, 'maxSize', maxSize, marks.length + 1);
  checkCount(where, 'minCount', minCount);
  const counts = new Map<string, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  const kept = [...counts].filter(([, count]) => count >= minCount);
  return kept
    .sort(([a, m], [b, n]) => n - m || byCodePoint(a, b))
    .slice(0, maxSize - marks.length)
    .map(([token]) => token);
}

/** The default order of strings is by UTF-16 unit, which puts U+1F40B before U+FF01. */
function byCodePoint(a: string, b: string): number {
  const [x, y] = [[...a], [...b]];
  const at = x.findIndex((character, i) => character !== y[i]);
  return at < 0 ? x.length - y.length : at >= y.length ? 1 : x[at]!.codePointAt(0)! - y[at]!.codePointAt(0)!;
}

function* charactersOf(texts: readonly string[]): Iterable<string> {
  for (const text of texts) yield* text;
}

/**
 * The vocabulary of the distinct characters (Unicode code points) of a text or of several, sorted by code point behind the marks.
 *
 * @throws TypeError where the text is something else
 * @throws RangeError where there is no text, or an option is out of range
 * @example
 * characterVocabulary('to be').tokens; // [' ', 'b', 'e', 'o', 't']
 * characterVocabulary('to be', { marks: ['padding', 'unknown'], maxSize: 4 }).tokens; // ['<padding>', '<unknown>', ' ', 'b']
 */
export function characterVocabulary(text: string | readonly string[], options: CountOptions = {}): Vocabulary {
  const texts = textsOf('characterVocabulary', text, 'character');
  return vocabularyOf(
    'characters',
    options.marks ?? [],
    frequent(charactersOf(texts), options, 'characterVocabulary').sort(byCodePoint),
  );
}

/** What {@link wordVocabulary} counts as the same, and keeps. */
export interface WordVocabularyOptions extends CountOptions {
  /** Whether text is turned to lower case. Not by default. */
  readonly lowercase?: boolean;
}

/**
 * The vocabulary of the words of a text or of several, the most frequent first behind the marks. Tokens are words, with the apostrophes and
 * hyphens inside of them (`don’t`, `sperm-whale`), numbers (`3.14`), line ends, and every other sign by itself; spaces are no tokens. {@link decode} puts one
 * space between words, none before a closing sign or after an opening one, and none around dashes and line ends; a straight quotation mark,
 * which may be either, has one on both sides.
 *
 * @param options.marks `['unknown']` by default
 * @throws TypeError where the text is something else
 * @throws RangeError where there is no text, or an option is out of range
 * @example
 * const vocabulary = wordVocabulary('The whale, the whale!', { lowercase: true });
 * vocabulary.tokens; // ['<unknown>', 'the', 'whale', '!', ',']
 * decode(vocabulary, encode(vocabulary, 'The white whale!')); // 'the <unknown> whale!'
 */
export function wordVocabulary(
  text: string | readonly string[],
  { lowercase = false, ...options }: WordVocabularyOptions = {},
): Vocabulary {
  const texts = textsOf('wordVocabulary', text, 'word');
  const marks = options.marks ?? ['unknown'];
  const words = texts.flatMap((each) => splitWords(lowercase ? each.toLowerCase() : each));
  checkSome('wordVocabulary', 'text', words.length, 'word');
  return { ...vocabularyOf('words', marks, frequent(words, { ...options, marks }, 'wordVocabulary')), lowercase };
}

/** The size of {@link bytePairVocabulary}, and its marks. */
export interface BytePairOptions extends MarksOptions {
  /** V, at least 256 and the marks; less come out where the text has no more pairs that stand in it twice. */
  readonly size: number;
}

/**
 * A vocabulary of byte-pair encoding (Sennrich, Haddow and Birch, 2016, arXiv 1508.07909): behind the marks the 256 bytes, then what comes of
 * joining again and again the two neighbours that stand together most often. Its alphabet is the bytes of UTF-8, as in GPT-2, so that any
 * text can be encoded and comes back unchanged (but for half a surrogate pair, which is no text); pairs do not reach across words, the space
 * before a word belongs to it.
 *
 * @throws TypeError where the text is something else
 * @throws RangeError where there is no text, or the size is less than 256 and the marks
 * @example
 * const vocabulary = bytePairVocabulary('low lower lowest', { size: 260 });
 * encode(vocabulary, 'low lower'); // Int32Array [257, 259, 114]
 * decode(vocabulary, encode(vocabulary, 'grüß dich')); // 'grüß dich'
 */
export function bytePairVocabulary(
  text: string | readonly string[],
  { size, marks = [] }: BytePairOptions,
): Vocabulary {
  const texts = textsOf('bytePairVocabulary', text, 'character');
  checkMarks('bytePairVocabulary', marks);
  checkCount('bytePairVocabulary', 'size', size, 256 + marks.length);
  const pieces = new Map<string, number>();
  for (const each of texts) for (const piece of piecesOf(each)) pieces.set(piece, (pieces.get(piece) ?? 0) + 1);
  const merges = learnMerges(pieces, marks.length, size - 256 - marks.length);
  const tokens = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
  for (const [a, b] of merges) tokens.push(tokens[a - marks.length]! + tokens[b - marks.length]!);
  return { ...vocabularyOf('bytePairs', marks, tokens), merges };
}
