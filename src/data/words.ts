/** Tokenization of text into words, and its inverse. */

/**
 * The words, signs and line ends of a text in order: words with inner apostrophes and hyphens, numbers with decimal
 * points and thousands separators, and every other sign as a token of one character. Other white space is dropped.
 *
 * The patterns of this file write signs outside ASCII (’ here) as escapes: engines parse a file of ASCII faster. This
 * one is created at first use, because an engine takes about a millisecond for its classes.
 */
export function splitWords(text: string): readonly string[] {
  const pattern =
    /[\p{L}\p{M}\p{N}_]+(?:(?:['\u{2019}-]|(?<=\p{N})[.,](?=\p{N}))[\p{L}\p{M}\p{N}_]+)*|\n|[^\s\p{L}\p{M}\p{N}_]/gu;
  return text.match(pattern) ?? [];
}

/** `. , ; : ! ? % ) ] } » ” …` */
const closing = /^[.,;:!?%)\]}\u{bb}\u{201d}\u{2026}]$/u;
/** `( [ { « “ ¿ ¡ $ £ € # @` */
const opening = /^[([{\u{ab}\u{201c}\u{bf}\u{a1}$\u{a3}\u{20ac}#@]$/u;
/** `- – — /` and line ends */
const joining = /^[-\u{2013}\u{2014}/\n]$/u;

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
