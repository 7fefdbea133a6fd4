/** The CSV reader of the examples. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readTable } from '../../examples/table';

const folder = mkdtempSync(join(tmpdir(), 'bptt-table-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(text: string): string {
  const path = join(folder, 'table.csv');
  writeFileSync(path, text);
  return path;
}

describe('readTable', () => {
  it.each([
    ['lines that end with LF', 'city,sold\nOslo,7\nRome,\n'],
    ['lines that end with CRLF', 'city,sold\r\nOslo,7\r\nRome,\r\n'],
    ['no line end after the last row', 'city,sold\nOslo,7\nRome,'],
    ['a byte order mark', '\ufeffcity,sold\nOslo,7\nRome,\n'],
  ])('reads a file with %s', (_, text) => {
    expect(readTable(write(text))).toEqual([
      { city: 'Oslo', sold: '7' },
      { city: 'Rome', sold: '' },
    ]);
  });

  it('reads commas, quotes and line breaks in quoted cells', () => {
    expect(readTable(write('name,note\n"Smith, J.","a ""b""\nc"\n'))).toEqual([
      { name: 'Smith, J.', note: 'a "b"\nc' },
    ]);
  });

  it('reads one column, and a file without rows', () => {
    expect(readTable(write('sold\n7\n8\n'))).toEqual([{ sold: '7' }, { sold: '8' }]);
    expect(readTable(write('city,sold\n'))).toEqual([]);
  });

  it.each([
    ['too few cells', 'city,sold\nOslo,7\nRome\n', 'row 3: Too few fields: expected 2 fields but parsed 1.'],
    ['too many cells', 'city,sold\nOslo,7,8\n', 'row 2: Too many fields: expected 2 fields but parsed 3.'],
    ['no cells', 'city,sold\nOslo,7\n\nRome,8\n', 'row 3: Too few fields: expected 2 fields but parsed 1.'],
    ['a quote that is not closed', 'city,sold\nOslo,7\n"Rome,8\n', 'row 3: Quoted field unterminated.'],
    ['text after a quoted cell', 'city,sold\n"Oslo"x,7\n', 'row 2: Trailing quote on quoted field is malformed.'],
  ])('names the file and the row with %s', (_, text, message) => {
    const path = write(text);
    expect(() => readTable(path)).toThrow(new RangeError(`readTable: ${path}, ${message}`));
  });
});
