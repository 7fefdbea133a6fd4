/** Words of a text, and text of words. */

/** Words with the apostrophes and hyphens inside of them, numbers with their points and commas; the end of a line; any other sign alone. */
const tokenPattern =
  /[\p{L}\p{M}\p{N}_]+(?:(?:['’-]|(?<=\p{N})[.,](?=\p{N}))[\p{L}\p{M}\p{N}_]+)*|\n|[^\s\p{L}\p{M}\p{N}_]/gu;

/** The words, signs and line ends of a text in order; other white space falls away. */
export function splitWords(text: string): readonly string[] {
  return text.match(tokenPattern) ?? [];
}

const closing = /^[.,;:!?%)\]}»”…]$/u;
const opening = /^[([{«“¿¡$£€#@]$/u;
const joining = /^[-–—/\n]$/u;

/** Words with one space between them, but none before a closing sign, after an opening one, or around dashes and line ends. */
export function joinWords(words: readonly string[]): string {
  return words
    .map((word, i) => {
      const before = words[i - 1];
      const close =
        before === undefined ||
        closing.test(word) ||
        opening.test(before) ||
        joining.test(word) ||
        joining.test(before);
      return close ? word : ` ${word}`;
    })
    .join('');
}
