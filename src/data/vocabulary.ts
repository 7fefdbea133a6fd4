/** Characters as ids. */

/** The tokens in the order of their ids: plain data, to be saved beside a model. */
export interface Vocabulary {
  readonly tokens: readonly string[];
  /** V */
  readonly size: number;
}

/**
 * The distinct characters (code points) of a text, in the order of their code points.
 *
 * @throws RangeError for an empty text
 * @example
 * characterVocabulary('banana').tokens; // ['a', 'b', 'n']
 */
export function characterVocabulary(text: string): Vocabulary {
  const tokens = [...new Set(text)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  if (tokens.length === 0) throw new RangeError('characterVocabulary: text must have at least one character, got an empty text.');
  return { tokens, size: tokens.length };
}

/**
 * The ids of a text's characters.
 *
 * @throws RangeError naming the first character that the vocabulary does not have
 * @example
 * encode(characterVocabulary('abc'), 'cab'); // Int32Array [2, 0, 1]
 */
export function encode(vocabulary: Vocabulary, text: string): Int32Array {
  const idOf = new Map(vocabulary.tokens.map((token, id) => [token, id]));
  const ids = new Int32Array(text.length);
  let count = 0;
  for (const character of text) {
    const id = idOf.get(character);
    if (id === undefined) {
      throw new RangeError(`encode: the vocabulary of ${vocabulary.size} tokens has no ${JSON.stringify(character)}, at position ${count}.`);
    }
    ids[count++] = id;
  }
  return ids.slice(0, count);
}

/**
 * The text of ids.
 *
 * @throws RangeError for an id outside the vocabulary
 * @example
 * decode(characterVocabulary('abc'), Int32Array.of(2, 0, 1)); // 'cab'
 */
export function decode(vocabulary: Vocabulary, ids: ArrayLike<number>): string {
  return Array.from(ids, (id) => {
    const token = vocabulary.tokens[id];
    if (token === undefined) throw new RangeError(`decode: ids must be whole numbers from 0 to ${vocabulary.size - 1}, got ${id}.`);
    return token;
  }).join('');
}
