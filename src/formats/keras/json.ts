/** JSON as Python writes it. */

import type { Json } from '../description';
import { checkJsonSize } from '../json-size';

/**
 * Parses JSON. Python also writes the numbers `NaN` and `Infinity`, which are not JSON. Infinities are read as such,
 * and NaN as the string `'NaN'`, so that a layer that needs the number rejects it.
 *
 * @throws RangeError if `text` is not valid JSON, or has far more objects than any model
 */
export function parseJson(where: string, what: string, text: string): Json {
  // Several times what the largest number of layers takes.
  checkJsonSize(where, what, text, 200_000);
  try {
    return JSON.parse(text) as Json;
  } catch {
    try {
      return JSON.parse(text.replace(stringsAndNumbers, asJson)) as Json;
    } catch {
      throw new RangeError(`${where}: ${what} is not valid JSON.`);
    }
  }
}

/** Strings, whose content is not changed, and the numbers to replace. An unterminated string extends to the end. */
const stringsAndNumbers = /"[^"\\]*(?:\\[\s\S]?[^"\\]*)*(?:"|$)|\bNaN\b|\bInfinity\b/g;

function asJson(token: string): string {
  if (token === 'NaN') return '"NaN"';
  // A number beyond the largest double is read as infinity.
  return token === 'Infinity' ? '1e999' : token;
}
