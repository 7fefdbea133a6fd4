/** Short forms of texts and lists from files, which may be long, for error messages. */

const mostNames = 8;
const mostCharacters = 200;

/** Shortens a text. */
export const abbreviate = (text: string): string =>
  text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text;

/** A value of JSON, or `undefined`, as text. */
export const shown = (json: unknown): string =>
  // JSON has no infinite numbers.
  abbreviate(String(typeof json === 'number' ? json : JSON.stringify(json)));

/** Lists names: the first few, and how many there are in addition. */
export function listed(names: readonly string[], separator: string = ', '): string {
  const rest = names.length - mostNames;
  return names.slice(0, mostNames).map(abbreviate).join(separator) + (rest > 0 ? ` and ${rest} more` : '');
}
