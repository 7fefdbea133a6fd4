/** Between text and token ids. */

import { checkIds, describe } from '../tensor/shape';
import { type BytePair, encodeBytePairs, textOfBytes } from './byte-pair-encoding';
import { joinWords, splitWords } from './words';

/** Tokens that stand for no text: what is not in the vocabulary, the padding of shorter sequences, and where a sequence starts and ends. */
export type Mark = 'unknown' | 'padding' | 'start' | 'end';

/** The tokens a model knows; the id of a token is its place. Plain data: store it as JSON beside the weights. */
export interface Vocabulary {
  /** How text falls into tokens. */
  readonly kind: 'characters' | 'words' | 'bytePairs';
  /** The marks, then the others; those of byte pairs hold one character a byte. */
  readonly tokens: readonly string[];
  /** V, the number of tokens. */
  readonly size: number;
  /** The ids of the marks, which come first. */
  readonly marks: Partial<Readonly<Record<Mark, number>>>;
  /** Of words: whether text is turned to lower case first. */
  readonly lowercase?: boolean;
  /** Of byte pairs: the two ids that became one, in the order in which they were learned. */
  readonly merges?: readonly BytePair[];
}

/** A vocabulary of marks and other tokens. */
export function vocabularyOf(kind: Vocabulary['kind'], marks: readonly Mark[], others: readonly string[]): Vocabulary {
  const tokens = [...marks.map((mark) => `<${mark}>`), ...others];
  return { kind, tokens, size: tokens.length, marks: Object.fromEntries(marks.map((mark, id) => [mark, id])) };
}

/** Marks that {@link encode} puts around a text. */
export interface EncodeOptions {
  /** Whether the mark for the start comes first. */
  readonly start?: boolean;
  /** Whether the mark for the end comes last. */
  readonly end?: boolean;
}

/**
 * The ids of a text's tokens. What is not in the vocabulary becomes the mark for the unknown.
 *
 * @throws TypeError where the text is no string
 * @throws RangeError where a token is not in a vocabulary without a mark for the unknown, or a mark is wanted that the vocabulary lacks
 * @example
 * encode(characterVocabulary('to be'), 'bet'); // Int32Array [1, 2, 4]
 */
export function encode(
  vocabulary: Vocabulary,
  text: string,
  { start = false, end = false }: EncodeOptions = {},
): Int32Array {
  if (typeof text !== 'string') throw new TypeError(`encode: text must be a string, got ${describe(text)}.`);
  const ids = start ? [markOf(vocabulary, 'start')] : [];
  if (vocabulary.kind === 'bytePairs') for (const id of encodeBytePairs(vocabulary, text)) ids.push(id);
  else pushTokens(ids, vocabulary, text);
  if (end) ids.push(markOf(vocabulary, 'end'));
  return Int32Array.from(ids);
}

function markOf({ marks }: Vocabulary, mark: Mark): number {
  const id = marks[mark];
  if (id === undefined)
    throw new RangeError(`encode: the vocabulary has no mark for the ${mark}. Make it with marks: ['${mark}'].`);
  return id;
}

function pushTokens(ids: number[], vocabulary: Vocabulary, text: string): void {
  const idOf = idsOf(vocabulary);
  const { unknown } = vocabulary.marks;
  const ofWords = vocabulary.kind === 'words';
  const first = ids.length;
  let position = 0;
  for (const token of ofWords ? splitWords(vocabulary.lowercase ? text.toLowerCase() : text) : text) {
    const id = idOf.get(token) ?? unknown;
    if (id === undefined) {
      throw new RangeError(
        `encode: every ${ofWords ? 'word' : 'character'} must be one of the vocabulary's ${vocabulary.size}, ` +
          `got ${JSON.stringify(token)} ${ofWords ? `as token ${ids.length - first}` : `at position ${position}`}. ` +
          "Was the vocabulary made from another text? A mark for the unknown helps: marks: ['unknown'].",
      );
    }
    ids.push(id);
    position += token.length;
  }
}

/**
 * The text of ids. Marks for padding, start and end are left out; the unknown is written `<unknown>`. Words are joined as
 * {@link wordVocabulary} says; characters and byte pairs stand one behind the other.
 *
 * @throws TypeError where ids are no array
 * @throws RangeError where an id is not a whole number in [0, V), with its position
 * @example
 * decode(characterVocabulary('to be'), [1, 2, 4]); // 'bet'
 */
export function decode(vocabulary: Vocabulary, ids: Int32Array | readonly number[]): string {
  if (!(ids instanceof Int32Array || Array.isArray(ids)))
    throw new TypeError(`decode: ids must be an Int32Array or an array, got ${describe(ids)}.`);
  checkIds('decode', 'ids', ids, vocabulary.size);
  const {
    tokens,
    marks: { padding, start, end },
  } = vocabulary;
  const shown = Array.from(ids)
    .filter((id) => id !== padding && id !== start && id !== end)
    .map((id) => tokens[id]!);
  if (vocabulary.kind === 'words') return joinWords(shown);
  return vocabulary.kind === 'bytePairs' ? textOfBytes(shown) : shown.join('');
}

let idsByVocabulary: WeakMap<Vocabulary, Map<string, number>> | undefined;

/** The vocabulary turned round but for its marks, made at its first use and kept as long as the vocabulary. */
function idsOf(vocabulary: Vocabulary): Map<string, number> {
  idsByVocabulary ??= new WeakMap();
  let idOf = idsByVocabulary.get(vocabulary);
  if (idOf === undefined) {
    const marks = new Set(Object.values(vocabulary.marks));
    idOf = new Map(vocabulary.tokens.flatMap((token, id) => (marks.has(id) ? [] : [[token, id] as const])));
    idsByVocabulary.set(vocabulary, idOf);
  }
  return idOf;
}
