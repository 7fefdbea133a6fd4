/** A check of JSON text from a file before it is parsed. */

const deepest = 256;

/**
 * @param what the part of the file
 * @param limit the number of objects and arrays that it may have, with 1.5 times as many names
 * @throws RangeError if the text is nested deeply or has very many objects, arrays or names. Other text may not be
 * JSON.
 */
export function checkJsonSize(
  where: string,
  what: string,
  text: string,
  limit: number = 250_000 + text.length / 8,
): void {
  // An empty object takes 20 times the memory of its text, and a name up to 10 times and some microseconds. The entry
  // of a tensor has three objects and arrays and four names.
  let left = limit;
  let names = 1.5 * limit;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === '\\') at++;
    } else if (character === '{' || character === '[') {
      depth++;
      left--;
    } else if (character === '}' || character === ']') depth--;
    else if (character === ':') names--;
    if (depth > deepest) throw new RangeError(`${where}: ${what} is more than ${deepest} levels deep.`);
    if (left < 0 || names < 0) throw new RangeError(`${where}: ${what} has too many values.`);
  }
}
