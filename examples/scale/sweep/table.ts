/** The table of a sweep, as text. */

import type { Row } from './sweep';

/** Formats the trials as a table, the best first. */
export function sweepTable(rows: readonly Row[]): string {
  const names = Object.keys(rows[0]?.settings ?? {});
  const cells = rows.map(({ number, settings, epochs, loss, failed }) => [
    String(number),
    ...names.map((name) => String(settings[name])),
    String(epochs),
    loss?.toFixed(6) ?? `failed: ${failed}`,
  ]);
  const lines = [['trial', ...names, 'epochs', 'loss'], ...cells];
  // The last column may be long: the reason of a failure.
  const widths = lines[0]!.map((_, i) =>
    Math.max(...lines.map((line) => (line[i]!.startsWith('failed') ? 0 : line[i]!.length))),
  );
  return `${lines.map((line) => line.map((cell, i) => cell.padStart(widths[i]!)).join('  ')).join('\n')}\n`;
}
