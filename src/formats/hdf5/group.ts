/**
 * Groups. In older files, a group has a B-tree of version 1 [III.A.1] whose leaves are symbol tables [III.B] with names
 * in a local heap [III.D]. In newer files, links are in messages [IV.A.2.g], which are in the header of the group or in
 * a fractal heap [IV.A.2.c].
 */

import { openNode } from './btree1';
import { denseObjects } from './dense';
import type { Header, Message } from './header';
import { claim, openPart, readUint, readUint64, reject, type Source, textOf } from './source';

/** A member of a group: its name, and the offset of its object header. */
export interface Entry {
  readonly name: string;
  readonly at: number;
}

/**
 * Lists the members of a group, in ascending order of their names.
 *
 * @returns `undefined` if the header is not that of a group
 * @throws RangeError if the group is malformed, has two members of the same name, or has links that are not hard links
 */
export function entriesOf(source: Source, header: Header, what: string): readonly Entry[] | undefined {
  const { table, linkInfo, links } = header;
  if (table !== undefined) return tableEntries(source, table, what);
  if (linkInfo === undefined && links.length === 0) return undefined;
  // The index has the hash of a name before the ID.
  const dense = denseObjects(source, linkInfo, 8, { type: 5, size: 11, id: 4 }, `the links of ${what}`);
  const entries = [...links, ...dense].map((link) => entryOf(source, link, what));
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  checkAscending(entries, what);
  return entries;
}

function checkAscending(entries: readonly Entry[], what: string): void {
  entries.slice(1).forEach(({ name }, i) => {
    const previous = entries[i]!.name;
    if (name <= previous) reject(`the names of ${what} are not in ascending order: ${name} follows ${previous}.`);
  });
}

/** The member in a link message. */
function entryOf(source: Source, { at, size }: Message, what: string): Entry {
  const { bytes } = source;
  const end = at + size;
  const flags = bytes[at + 1]!;
  if (size < 4 || bytes[at] !== 1) reject(`a link of ${what} is truncated or has another version than 1.`);
  // Optional fields: the type of the link, its creation order and the encoding of its name.
  const typeAt = at + 2;
  const lengthAt = typeAt + (flags & 8 ? 1 : 0) + (flags & 4 ? 8 : 0) + (flags & 16 ? 1 : 0);
  const width = 1 << (flags & 3);
  const from = lengthAt + width;
  const target = from + readUint(source, lengthAt, width, what);
  if (!(target <= end)) reject(`a link of ${what} is truncated.`);
  const name = nameIn(bytes.subarray(from, target), `the names of ${what}`);
  const type = flags & 8 ? bytes[typeAt]! : 0;
  if (type !== 0) {
    const kind = ({ 1: 'a soft', 64: 'an external' } as Readonly<Record<number, string>>)[type] ?? 'a user-defined';
    reject(`${name} in ${what} is ${kind} link, which is not supported.`);
  }
  if (target + 8 > end) reject(`a link of ${what} is truncated.`);
  return { name, at: readUint64(source, target, what) };
}

/** The members in symbol tables. */
function tableEntries(source: Source, table: Message, what: string): readonly Entry[] {
  const nameAt = namesOf(source, readUint64(source, table.at + 8, what), what);
  const entries: Entry[] = [];
  for (const at of tablesOf(source, readUint64(source, table.at, what), what)) {
    const count = source.view.getUint16(at + 6, true);
    claim(source, at + 8, 40 * count, what);
    for (let entry = at + 8; entry < at + 8 + 40 * count; entry += 40) {
      const name = nameAt(readUint64(source, entry, what));
      if (source.view.getUint32(entry + 16, true) === 2)
        reject(`${name} in ${what} is a soft link, which is not supported.`);
      entries.push({ name, at: readUint64(source, entry + 8, what) });
    }
  }
  checkAscending(entries, what);
  return entries;
}

/** The offsets of the symbol tables of a group, in order. */
function tablesOf(source: Source, at: number, what: string, parentLevel?: number): readonly number[] {
  const { level, count } = openNode(source, at, 0, what, parentLevel);
  claim(source, at + 24, 8 + 16 * count, what);
  const children = Array.from({ length: count }, (_, i) => readUint64(source, at + 32 + 16 * i, what));
  if (level > 0) return children.flatMap((child) => tablesOf(source, child, what, level));
  for (const child of children) {
    openPart(source, child, 'SNOD', 8, `a table of ${what}`);
    if (source.bytes[child + 4] !== 1)
      reject(`a table of ${what} has version ${source.bytes[child + 4]}; only version 1 is supported.`);
  }
  return children;
}

/**
 * Returns a function that reads a name of a group by its offset in the heap. All names together may not be longer than
 * the heap.
 */
function namesOf(source: Source, heap: number, what: string): (offset: number) => string {
  const where = `the names of ${what}`;
  openPart(source, heap, 'HEAP', 32, where);
  if (source.bytes[heap + 4] !== 0)
    reject(`the heap of ${where} has version ${source.bytes[heap + 4]}; only version 0 is supported.`);
  const [size, from] = [readUint64(source, heap + 8, where), readUint64(source, heap + 24, where)];
  claim(source, from, size, where);
  const names = source.bytes.subarray(from, from + size);
  let left = size;
  return (offset) => {
    const end = offset < size ? names.indexOf(0, offset) : -1;
    if (end < 0) reject(`one of ${where} is not terminated.`);
    const bytes = names.subarray(offset, end);
    left -= bytes.length + 1;
    if (left < 0) reject(`some of ${where} overlap.`);
    return nameIn(bytes, where);
  };
}

function nameIn(bytes: Uint8Array, where: string): string {
  if (bytes.length === 0 || bytes.includes(0x2f)) reject(`one of ${where} is empty or has a slash.`);
  return textOf(bytes) ?? reject(`one of ${where} is not valid UTF-8.`);
}
