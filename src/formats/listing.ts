/** Short forms of names and lists from files, which may be long, for error messages. */

/** The largest number of names, and of characters of a text, in an error message. */
const [mostNames, mostCharacters] = [8, 200];

/** Shortens a text. */
export const abbreviate = (text: string): string =>
  text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text;

/**
 * Lists names: the first few, and how many there are in addition.
 *
 * @param none the result if there are no names
 */
export function listed(names: readonly string[], none: string = 'none'): string {
  const first = names.slice(0, mostNames).map(abbreviate).join(', ');
  return names.length > mostNames ? `${first} and ${names.length - mostNames} more` : first || none;
}
