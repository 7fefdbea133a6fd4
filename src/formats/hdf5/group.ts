/** Groups by symbol tables: a tree of version 1 [III.A.1] whose leaves are tables [III.B] of names in a local heap [III.D]. */

import type { Message } from './header';
import { checkSignature, claim, enter, refuse, type Source, wide } from './source';

/** What stands in a group: its name, and where its header is. */
export interface Entry {
  readonly name: string;
  readonly at: number;
}

/** @throws RangeError where the group is cut short, has its names out of order or twice, or links to elsewhere */
export function entriesOf(source: Source, table: Message, what: string): readonly Entry[] {
  const nameAt = namesOf(source, wide(source, table.at + 8, what), what);
  const entries: Entry[] = [];
  for (const at of tablesOf(source, wide(source, table.at, what), what)) {
    const count = source.view.getUint16(at + 6, true);
    claim(source, at + 8, 40 * count, what);
    for (let entry = at + 8; entry < at + 8 + 40 * count; entry += 40) {
      const name = nameAt(wide(source, entry, what));
      const before = entries.at(-1)?.name ?? '';
      if (name <= before) refuse(`the names of ${what} are out of order, ${name} behind ${before}.`);
      if (source.view.getUint32(entry + 16, true) === 2)
        refuse(`${name} in ${what} is a soft link; what it leads to is read at its own place alone.`);
      entries.push({ name, at: wide(source, entry + 8, what) });
    }
  }
  return entries;
}

/** Where the tables of a group stand, in order. A node stands one level below the node that leads to it. */
function tablesOf(source: Source, at: number, what: string, above?: number): readonly number[] {
  enter(source, at, `a node of ${what}`);
  checkSignature(source, at, 'TREE', `a node of ${what}`);
  claim(source, at, 24, what);
  const [kind, level, count] = [source.bytes[at + 4]!, source.bytes[at + 5]!, source.view.getUint16(at + 6, true)];
  if (kind !== 0 || (above !== undefined && level !== above - 1)) refuse(`the node at byte ${at} is none of ${what}.`);
  claim(source, at + 24, 8 + 16 * count, what);
  const children = Array.from({ length: count }, (_, i) => wide(source, at + 32 + 16 * i, what));
  if (level > 0) return children.flatMap((child) => tablesOf(source, child, what, level));
  for (const child of children) {
    enter(source, child, `a table of ${what}`);
    checkSignature(source, child, 'SNOD', `a table of ${what}`);
    claim(source, child, 8, what);
    if (source.bytes[child + 4] !== 1)
      refuse(`a table of ${what} is of version ${source.bytes[child + 4]}; 1 is what is read.`);
  }
  return children;
}

/** The names of a group by their place in its heap. Each stands there once, so that all are no longer than the heap. */
function namesOf(source: Source, heap: number, what: string): (offset: number) => string {
  const where = `the names of ${what}`;
  enter(source, heap, where);
  checkSignature(source, heap, 'HEAP', where);
  claim(source, heap, 32, where);
  if (source.bytes[heap + 4] !== 0)
    refuse(`the heap of ${where} is of version ${source.bytes[heap + 4]}; 0 is what is read.`);
  const [size, from] = [wide(source, heap + 8, where), wide(source, heap + 24, where)];
  claim(source, from, size, where);
  const names = source.bytes.subarray(from, from + size);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let left = size;
  return (offset) => {
    const end = offset < size ? names.indexOf(0, offset) : -1;
    if (end < 0) refuse(`one of ${where} does not end.`);
    const bytes = names.subarray(offset, end);
    left -= bytes.length + 1;
    if (left < 0 || bytes.length === 0 || bytes.includes(0x2f)) refuse(`one of ${where} is none.`);
    try {
      return decoder.decode(bytes);
    } catch {
      return refuse(`one of ${where} is not text in UTF-8.`);
    }
  };
}
