/** Between text and token ids. */

import { checkIds, checkSome } from '../tensor/shape';

/** The tokens a model knows; the id of a token is its place. Plain data: store it as JSON beside the weights. */
export interface Vocabulary {
  readonly tokens: readonly string[];
  /** V, the number of tokens. */
  readonly size: number;
}

/**
 * The vocabulary of a text's distinct characters (Unicode code points), sorted by code point.
 *
 * @throws RangeError where the text is empty
 * @example
 * characterVocabulary('to be').tokens; // [' ', 'b', 'e', 'o', 't']
 */
export function characterVocabulary(text: string): Vocabulary {
  checkSome('characterVocabulary', 'text', text.length, 'character');
  // The default order of strings is by UTF-16 unit, which puts U+1F40B before U+FF01.
  const tokens = [...new Set(text)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  return { tokens, size: tokens.length };
}

/**
 * The ids of a text's characters.
 *
 * @throws RangeError where a character is not in the vocabulary, with its position in the string
 * @example
 * encode(characterVocabulary('to be'), 'bet'); // Int32Array [1, 2, 4]
 */
export function encode(vocabulary: Vocabulary, text: string): Int32Array {
  const idOf = idsOf(vocabulary);
  const ids = new Int32Array(text.length);
  let count = 0;
  let position = 0;
  for (const character of text) {
    const id = idOf.get(character);
    if (id === undefined) {
      throw new RangeError(
        `encode: every character must be one of the vocabulary's ${vocabulary.size}, ` +
          `got ${JSON.stringify(character)} at position ${position}. Was the vocabulary made from another text?`,
      );
    }
    ids[count++] = id;
    position += character.length;
  }
  return count === ids.length ? ids : ids.slice(0, count);
}

/**
 * The text of ids: their tokens, one behind the other.
 *
 * @throws RangeError where an id is not a whole number in [0, V), with its position
 * @example
 * decode(characterVocabulary('to be'), [1, 2, 4]); // 'bet'
 */
export function decode(vocabulary: Vocabulary, ids: Int32Array | readonly number[]): string {
  checkIds('decode', 'ids', ids, vocabulary.size);
  return Array.from(ids, (id) => vocabulary.tokens[id]!).join('');
}

let idsByVocabulary: WeakMap<Vocabulary, Map<string, number>> | undefined;

/** The vocabulary turned round, made at its first use and kept as long as the vocabulary. */
function idsOf(vocabulary: Vocabulary): Map<string, number> {
  idsByVocabulary ??= new WeakMap();
  let idOf = idsByVocabulary.get(vocabulary);
  if (idOf === undefined) {
    idOf = new Map(vocabulary.tokens.map((token, id) => [token, id]));
    idsByVocabulary.set(vocabulary, idOf);
  }
  return idOf;
}
