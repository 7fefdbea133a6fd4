/** The rows of the tables in docs/everywhere.md. Every table belongs to one test file. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { build } from './run.ts';

export type Row = Readonly<Record<string, string>>;

const fileOf = (table: string): string => `${build}/rows/${table}.json`;

export const rowsOf = (table: string): Row[] =>
  existsSync(fileOf(table)) ? (JSON.parse(readFileSync(fileOf(table), 'utf8')) as Row[]) : [];

const begun = new Set<string>();

/**
 * Adds a row to a table: the cells by the titles of their columns. The first one replaces the table of earlier runs.
 */
export function record(table: string, row: Row): void {
  mkdirSync(`${build}/rows`, { recursive: true });
  const earlier = begun.has(table) ? rowsOf(table) : [];
  begun.add(table);
  writeFileSync(fileOf(table), JSON.stringify([...earlier, row], undefined, 2));
}
