/** Fixed [VII.C] and extensible [VII.D] arrays of elements, which newer files use as indexes of chunks. */

import { checkChecksum, claim, enter, openBlock, readUint64, reject, type Source, undefinedAddress } from './source';

/** An array in the file. */
export interface ElementArray {
  /** The size of an element in bytes. */
  readonly width: number;
  /** The offset of an element in the file; `undefined` if it was never written. */
  readonly elementAt: (index: number) => number | undefined;
}

/** An array that is being read. */
interface Elements {
  readonly source: Source;
  readonly width: number;
  readonly what: string;
  /** The number of elements in a page. A block with more elements than that is divided into pages. */
  readonly pageLength: number;
  /** The offsets of the blocks and pages that have been read. */
  readonly opened: Set<number>;
}

/**
 * The number of bytes at the start of every block but a header: signature, version, client and address of the header.
 */
const prefix = 14;

/** Reads the header of a fixed array, which has one block of elements. */
export function fixedArray(source: Source, at: number, what: string): ElementArray {
  openBlock(source, at, 'FAHD', 28, what);
  const elements = elementsOf(source, at, 7, what);
  const [count, block] = [8, 16].map((offset) => readUint64(source, at + offset, what)) as [number, number];
  // A block of pages has one bit per page, which is set if the page was written.
  const header = prefix + Math.ceil(pagesOf(elements, count) / 8);
  const elementAt = (index: number): number | undefined => {
    if (index >= count) return reject(`${what} has ${count} elements, fewer than there are chunks.`);
    const isWritten = (page: number): boolean => isSet(source, block + prefix, page);
    return elementIn(elements, { at: block, signature: 'FADB', header, count, isWritten }, index);
  };
  return { width: elements.width, elementAt };
}

/**
 * Reads the header of an extensible array. Its index block has the first elements. The others are in groups ("super
 * blocks") of 1, 1, 2, 2, 4, 4, … blocks, whose blocks have 1, 2, 2, 4, 4, 8, … times a minimum number of elements. The
 * index block has the addresses of the blocks of the first groups, and those of the further groups, which have the
 * addresses of their blocks.
 */
export function extensibleArray(source: Source, at: number, what: string): ElementArray {
  openBlock(source, at, 'EAHD', 72, what);
  const elements = elementsOf(source, at, 11, what);
  const { width } = elements;
  const [mostBits, direct, least, pointers] = [7, 8, 9, 10].map((offset) => source.bytes[at + offset]!) as [
    number,
    number,
    number,
    number,
  ];
  const directGroups = 2 * Math.log2(pointers);
  const groups = 1 + mostBits - Math.log2(least);
  if (![directGroups, groups - directGroups].every((n) => Number.isInteger(n) && n >= 0))
    reject(`${what} is malformed.`);
  const index = readUint64(source, at + 60, what);
  const pointersAt = index + prefix + width * direct;
  const groupsAt = pointersAt + 16 * (pointers - 1);
  const header = prefix + Math.ceil(mostBits / 8);

  const elementAt = (i: number): number | undefined => {
    if (index === undefinedAddress) return undefined;
    openOnce(elements, index, 'EAIB', groupsAt - index + 8 * (groups - directGroups) + 4);
    if (i < direct) return index + prefix + width * i;
    const group = Math.floor(Math.log2(Math.floor((i - direct) / least) + 1));
    if (group >= groups) return reject(`${what} has ${groups} groups, fewer than there are chunks.`);
    const count = least * 2 ** Math.ceil(group / 2);
    const rest = i - direct - least * (2 ** group - 1);
    const block = Math.floor(rest / count);
    const pages = pagesOf(elements, count);
    let [pointer, flags] = [pointersAt + 8 * (blocksBefore(group) + block), 0];
    if (group >= directGroups) {
      flags = readUint64(source, groupsAt + 8 * (group - directGroups), what) + header;
      if (flags === undefinedAddress) return undefined;
      const blocksAt = flags + 2 ** Math.floor(group / 2) * Math.ceil(pages / 8);
      openOnce(elements, flags - header, 'EASB', blocksAt - flags + header + 8 * 2 ** Math.floor(group / 2) + 4);
      pointer = blocksAt + 8 * block;
    }
    const isWritten = (page: number): boolean => isSet(source, flags, block * pages + page);
    const place = { at: readUint64(source, pointer, what), signature: 'EADB', header, count, isWritten };
    return elementIn(elements, place, rest % count);
  };
  return { width, elementAt };
}

/** The number of blocks in all groups before a group. */
function blocksBefore(group: number): number {
  let count = 0;
  for (let i = 0; i < group; i++) count += 2 ** Math.floor(i / 2);
  return count;
}

/** The common fields of a header: the size of an element, and at `bitsAt` the logarithm of the length of a page. */
function elementsOf(source: Source, at: number, bitsAt: number, what: string): Elements {
  const width = source.bytes[at + 6]!;
  if (width < 8) reject(`${what} is malformed.`);
  return { source, width, what, pageLength: 2 ** source.bytes[at + bitsAt]!, opened: new Set() };
}

/** The number of pages of a block; 0 if its elements fit into one, which is then not a page. */
const pagesOf = ({ pageLength }: Elements, count: number): number =>
  count > pageLength ? Math.ceil(count / pageLength) : 0;

/** Whether a bit is set; the first is the most significant one of the first byte. */
const isSet = ({ bytes }: Source, at: number, bit: number): boolean =>
  ((bytes[at + (bit >> 3)]! << (bit & 7)) & 128) !== 0;

function openOnce({ source, opened, what }: Elements, at: number, signature: string, length: number): void {
  if (opened.has(at)) return;
  openBlock(source, at, signature, length, what);
  opened.add(at);
}

/** A block of elements, or of pages of elements. */
interface Block {
  readonly at: number;
  readonly signature: string;
  /** The number of bytes before the elements, or before the checksum if there are pages. */
  readonly header: number;
  readonly count: number;
  readonly isWritten: (page: number) => boolean;
}

/** The offset of an element of a block; `undefined` if the block or the page was never written. */
function elementIn(elements: Elements, block: Block, index: number): number | undefined {
  const { source, width, what, pageLength, opened } = elements;
  const { at, signature, header, count } = block;
  if (at === undefinedAddress) return undefined;
  const isPaged = pagesOf(elements, count) > 0;
  openOnce(elements, at, signature, header + (isPaged ? 0 : width * count) + 4);
  if (!isPaged) return at + header + width * index;
  const page = Math.floor(index / pageLength);
  if (!block.isWritten(page)) return undefined;
  const from = at + header + 4 + page * (width * pageLength + 4);
  if (!opened.has(from)) {
    const length = width * Math.min(pageLength, count - page * pageLength) + 4;
    enter(source, from, what);
    claim(source, from, length, what);
    checkChecksum(source, from, length, what);
    opened.add(from);
  }
  return from + width * (index % pageLength);
}
