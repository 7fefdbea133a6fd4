/** Tokenization of text into words, and its inverse. */

/**
 * Words with inner apostrophes and hyphens, numbers with decimal points and thousands separators, line ends, and every
 * other sign as a token of one character.
 */
const tokenPattern =
  /[\p{L}\p{M}\p{N}_]+(?:(?:['’-]|(?<=\p{N})[.,](?=\p{N}))[\p{L}\p{M}\p{N}_]+)*|\n|[^\s\p{L}\p{M}\p{N}_]/gu;

/** The words, signs and line ends of a text in order. Other white space is dropped. */
export function splitWords(text: string): readonly string[] {
  return text.match(tokenPattern) ?? [];
}

const closing = /^[.,;:!?%)\]}»”…]$/u;
const opening = /^[([{«“¿¡$£€#@]$/u;
const joining = /^[-–—/\n]$/u;

/** Joins words with one space, except before closing signs, after opening signs, and around dashes and line ends. */
export function joinWords(words: readonly string[]): string {
  return words
    .map((word, i) => {
      const previous = words[i - 1];
      const attached =
        previous === undefined ||
        closing.test(word) ||
        opening.test(previous) ||
        joining.test(word) ||
        joining.test(previous);
      return attached ? word : ` ${word}`;
    })
    .join('');
}
