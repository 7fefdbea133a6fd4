/** Small tables in files. */

import type { TableRow } from 'bptt/forecasting';

/** Reads the rows of a CSV file without quotes. For other files, use a parser such as Papa Parse. */
export function readTable(text: string): TableRow[] {
  const [names = [], ...lines] = text
    .trim()
    .split('\n')
    .map((line) => line.split(','));
  return lines.map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i]])));
}
