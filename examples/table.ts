/** Tables in CSV files. */

import { readFileSync } from 'node:fs';
import papa from 'papaparse';

/**
 * Reads the rows of a CSV file whose first row is the header.
 *
 * @returns one object per row, with the cells by column name
 * @throws RangeError if a row has more or fewer cells than the header, or quotes are malformed; the message names the
 * file and the row, counted from 1 with the header
 */
export function readTable(path: string | URL): readonly Readonly<Record<string, string>>[] {
  // Papa Parse counts an empty line at the end as a row.
  const text = readFileSync(path, 'utf8').trimEnd();
  const { data, errors } = papa.parse(text, { header: true, delimiter: ',' });
  const [error] = errors;
  if (error !== undefined) {
    const row = error.row + (error.type === 'Quotes' ? 1 : 2);
    throw new RangeError(`readTable: ${path}, row ${row}: ${error.message}.`);
  }
  return data;
}
