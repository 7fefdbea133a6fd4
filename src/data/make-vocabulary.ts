/** Creation of vocabularies from texts. */

import { checkArray, checkChoice, checkCount, checkNames, checkSome, checkString } from '../tensor/shape';
import { learnMerges, piecesOf } from './byte-pair-encoding';
import { type Mark, type Vocabulary, vocabularyOf } from './vocabulary';
import { splitWords } from './words';

/** The special tokens of a vocabulary. */
export interface MarksOptions {
  /** The special tokens, with ids 0, 1, … in this order. None by default, except for {@link wordVocabulary}. */
  readonly marks?: readonly Mark[] | undefined;
}

/** The tokens that are kept in a vocabulary. */
export interface CountOptions extends MarksOptions {
  /** The maximum number of tokens, including special tokens; the rarest are dropped. All by default. */
  readonly maxSize?: number | undefined;
  /** The minimum count of a token in the texts. 1 by default. */
  readonly minCount?: number | undefined;
}

/**
 * The texts as an array.
 *
 * @param unit the unit of which there must be at least one, for the message
 * @throws TypeError if an item is not a string; RangeError if the texts are empty
 */
function textsOf(where: string, text: string | readonly string[], unit: string): readonly string[] {
  const texts = Array.isArray(text) ? text : [text];
  for (const item of texts) checkString(where, 'text', item);
  const length = texts.reduce((sum, item) => sum + item.length, 0);
  checkSome(where, 'text', length, unit);
  return texts;
}

function checkMarks(where: string, marks: readonly Mark[]): void {
  checkArray(where, 'marks', marks);
  const allowed = ['unknown', 'padding', 'start', 'end'];
  for (const mark of marks) {
    checkChoice(where, 'marks', mark, allowed);
    // At most once.
    allowed.splice(allowed.indexOf(mark), 1);
  }
}

/** The tokens that are kept, the most frequent first; equally frequent tokens in code point order. */
function frequentTokens(
  where: string,
  tokens: Iterable<string>,
  { marks = [], maxSize = Infinity, minCount = 1 }: CountOptions,
): string[] {
  checkMarks(where, marks);
  if (maxSize !== Infinity) checkCount(where, 'maxSize', maxSize, marks.length + 1);
  checkCount(where, 'minCount', minCount);
  const counts = new Map<string, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count >= minCount)
    .sort(([a, m], [b, n]) => n - m || compareCodePoints(a, b))
    .slice(0, maxSize - marks.length)
    .map(([token]) => token);
}

/** Compares strings by code point. The default order, by UTF-16 code unit, has U+1F40B before U+FF01. */
function compareCodePoints(a: string, b: string): number {
  const x = [...a];
  const y = [...b];
  const at = x.findIndex((character, i) => character !== y[i]);
  return at < 0 ? x.length - y.length : at >= y.length ? 1 : x[at]!.codePointAt(0)! - y[at]!.codePointAt(0)!;
}

function* charactersOf(texts: readonly string[]): Iterable<string> {
  for (const text of texts) yield* text;
}

/**
 * Creates a vocabulary of the distinct characters (Unicode code points) of one or more texts, sorted by code point,
 * after the special tokens.
 *
 * @throws TypeError if the text is not a string or an array of strings
 * @throws RangeError if there is no text, or an option is out of range
 * @example
 * characterVocabulary('to be').tokens; // [' ', 'b', 'e', 'o', 't']
 * characterVocabulary('to be', { marks: ['padding', 'end'], maxSize: 4 }).tokens; // ['<padding>', '<end>', ' ', 'b']
 */
export function characterVocabulary(text: string | readonly string[], options: CountOptions = {}): Vocabulary {
  checkNames('characterVocabulary', 'options', options, ['marks', 'maxSize', 'minCount']);
  const texts = textsOf('characterVocabulary', text, 'character');
  const characters = frequentTokens('characterVocabulary', charactersOf(texts), options);
  return vocabularyOf('characters', options.marks ?? [], characters.sort(compareCodePoints));
}

/** The options of {@link wordVocabulary}. */
export interface WordVocabularyOptions extends CountOptions {
  /** Whether text is converted to lower case; false by default. */
  readonly lowercase?: boolean | undefined;
}

/**
 * Creates a vocabulary of the words of one or more texts, the most frequent first, after the special tokens. Tokens are
 * words, including inner apostrophes and hyphens (`don’t`, `sperm-whale`), numbers (`3.14`), line ends, and all other
 * signs as single characters; spaces are not tokens. {@link decode} puts one space between words, but none before a
 * closing sign, after an opening sign, or around dashes and line ends; a straight quotation mark, which can be either,
 * has a space on both sides.
 *
 * @param options.marks `['unknown']` by default
 * @throws TypeError if the text is not a string or an array of strings
 * @throws RangeError if there is no text, or an option is out of range
 * @example
 * const vocabulary = wordVocabulary('The whale, the whale!', { lowercase: true });
 * vocabulary.tokens; // ['<unknown>', 'the', 'whale', '!', ',']
 * decode(vocabulary, encode(vocabulary, 'The white whale!')); // 'the <unknown> whale!'
 */
export function wordVocabulary(text: string | readonly string[], options: WordVocabularyOptions = {}): Vocabulary {
  checkNames('wordVocabulary', 'options', options, ['marks', 'maxSize', 'minCount', 'lowercase']);
  const { lowercase = false, marks = ['unknown'] } = options;
  const texts = textsOf('wordVocabulary', text, 'word');
  const words = texts.flatMap((item) => splitWords(lowercase ? item.toLowerCase() : item));
  checkSome('wordVocabulary', 'text', words.length, 'word');
  return { ...vocabularyOf('words', marks, frequentTokens('wordVocabulary', words, { ...options, marks })), lowercase };
}

/** The options of {@link bytePairVocabulary}. */
export interface BytePairOptions extends MarksOptions {
  /**
   * V, at least 256 plus the number of special tokens. The vocabulary is smaller if the text runs out of pairs that
   * occur at least twice.
   */
  readonly size: number;
}

/**
 * Creates a byte-pair encoding vocabulary (Sennrich, Haddow and Birch, 2016, arXiv 1508.07909): after the special
 * tokens the 256 bytes, then the tokens that result from repeatedly merging the most frequent pair of neighbors. The
 * alphabet is the bytes of UTF-8, as in GPT-2, so that every text can be encoded and decoded without loss (except for
 * unpaired surrogates, which are not text). Pairs do not cross word boundaries; the space before a word belongs to the
 * word.
 *
 * @throws TypeError if the text is not a string or an array of strings
 * @throws RangeError if there is no text, or the size is less than 256 plus the number of special tokens
 * @example
 * const vocabulary = bytePairVocabulary('low lower lowest', { size: 260 });
 * encode(vocabulary, 'low lower'); // Int32Array [257, 259, 114]
 * decode(vocabulary, encode(vocabulary, 'grüß dich')); // 'grüß dich'
 */
export function bytePairVocabulary(text: string | readonly string[], options: BytePairOptions): Vocabulary {
  checkNames('bytePairVocabulary', 'options', options, ['size', 'marks']);
  const { size, marks = [] } = options;
  const texts = textsOf('bytePairVocabulary', text, 'character');
  checkMarks('bytePairVocabulary', marks);
  checkCount('bytePairVocabulary', 'size', size, 256 + marks.length);
  const pieces = new Map<string, number>();
  for (const item of texts) for (const piece of piecesOf(item)) pieces.set(piece, (pieces.get(piece) ?? 0) + 1);
  const merges = learnMerges(pieces, marks.length, size - 256 - marks.length);
  const tokens = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
  for (const [a, b] of merges) tokens.push(tokens[a - marks.length]! + tokens[b - marks.length]!);
  return { ...vocabularyOf('bytePairs', marks, tokens), merges };
}
