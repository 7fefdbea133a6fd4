/**
 * Fractal heaps [III.G], in which newer files store many links or attributes of an object. The blocks of a heap form
 * rows of a table: the blocks of the first two rows have the starting size, those of each further row twice the size of
 * the row before. Rows of blocks above a maximum size have tables in turn ("indirect blocks").
 */

import { recordsOf } from './btree2';
import { lookup3 } from './checksum';
import type { Message } from './header';
import {
  claim,
  expectChecksum,
  openBlock,
  openPart,
  readUint,
  readUint64,
  reject,
  type Source,
  undefinedAddress,
} from './source';

/** A block of objects: its place in the file, and its offset in the space of the heap. */
interface Block {
  readonly at: number;
  readonly offset: number;
  readonly size: number;
}

/** The type of the records that index objects which are not in a block, by size ("huge" objects). */
const hugeType = 1;

/**
 * Reads the header and the blocks of a heap.
 *
 * @returns a function that returns the place of an object by the offset of its ID in the file. All objects together may
 * not be longer than the heap
 * @throws RangeError if the heap is truncated, malformed, damaged or compressed
 */
export function heapOf(source: Source, at: number, owner: string): (id: number) => Message {
  const { view, bytes } = source;
  const what = `the heap of ${owner}`;
  openBlock(source, at, 'FRHP', 146, what);
  if (view.getUint16(at + 7, true) !== 0) reject(`${what} is compressed, which is not supported.`);
  const idSize = view.getUint16(at + 5, true);
  const offsetSize = Math.ceil(view.getUint16(at + 128, true) / 8);
  // The length of an object has as many bytes as the smaller of the longest object and the largest block.
  const largest = Math.min(view.getUint32(at + 10, true), readUint64(source, at + 120, what));
  const lengthSize = Math.floor(Math.log2(Math.max(1, largest)) / 8) + 1;
  const blocks = blocksOf(source, at, offsetSize, what);
  const huge = hugeObjects(source, readUint64(source, at + 22, what), what);
  let left = [...blocks, ...huge.values()].reduce((sum, { size }) => sum + size, 0);
  return (id) => {
    const kind = bytes[id]! >> 4;
    if (kind > 1) return reject(`${what} has an object of kind ${kind}, which is not supported.`);
    const object =
      kind === 1
        ? huge.get(readUint(source, id + 1, Math.min(8, idSize - 1), what))
        : objectIn(
            blocks,
            readUint(source, id + 1, offsetSize, what),
            readUint(source, id + 1 + offsetSize, lengthSize, what),
          );
    if (object === undefined) return reject(`an object of ${what} is not in its blocks.`);
    left -= object.size;
    if (left < 0) reject(`some objects of ${what} overlap.`);
    return object;
  };
}

/** The place of an object in the block that contains it. The blocks are in ascending order. */
function objectIn(blocks: readonly Block[], offset: number, size: number): Message | undefined {
  let [low, high] = [0, blocks.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (blocks[middle]!.offset <= offset) low = middle;
    else high = middle - 1;
  }
  const block = blocks[low];
  const from = offset - (block?.offset ?? 0);
  return block && from >= 0 && from + size <= block.size ? { at: block.at + from, size } : undefined;
}

/** The blocks of a heap, in ascending order of their offsets. */
function blocksOf(source: Source, heap: number, offsetSize: number, what: string): readonly Block[] {
  const { view, bytes } = source;
  const width = view.getUint16(heap + 110, true);
  const [start, largest] = [112, 120].map((offset) => readUint64(source, heap + offset, what)) as [number, number];
  if (![width, start, largest].every((size) => Number.isInteger(Math.log2(size))) || offsetSize > 8)
    reject(`${what} is malformed.`);
  const header = 13 + offsetSize;
  const blocks: Block[] = [];
  const readBlock = (at: number, offset: number, size: number): void => {
    openDirectBlock(source, at, size, (bytes[heap + 9]! & 2) !== 0 ? header : undefined, what);
    blocks.push({ at, offset, size });
  };
  const readTable = (at: number, from: number, rows: number): void => {
    if (rows < 1) reject(`${what} is malformed.`);
    openBlock(source, at, 'FHIB', header + 8 * rows * width + 4, what);
    let offset = from;
    for (let i = 0; i < rows * width; i++) {
      const row = Math.floor(i / width);
      const size = start * 2 ** Math.max(0, row - 1);
      const child = readUint64(source, at + header + 8 * i, what);
      if (child !== undefinedAddress) {
        if (size <= largest) readBlock(child, offset, size);
        else readTable(child, offset, Math.log2(size / start / width) + 1);
      }
      offset += size;
    }
  };
  const [root, rows] = [readUint64(source, heap + 132, what), view.getUint16(heap + 140, true)];
  if (root === undefinedAddress) return blocks;
  if (rows === 0) readBlock(root, 0, start);
  else readTable(root, 0, rows);
  return blocks;
}

/**
 * Starts a block of objects. Its checksum, if it has one, is not at its end, and was computed while its bytes were 0.
 */
function openDirectBlock(source: Source, at: number, size: number, checksumAt: number | undefined, what: string): void {
  openPart(source, at, 'FHDB', size, what);
  if (checksumAt === undefined) return;
  const block = source.bytes.slice(at, at + size).fill(0, checksumAt, checksumAt + 4);
  expectChecksum(source, at + checksumAt, lookup3(block, 0, size), what);
}

/** The objects that are not in blocks, by the number in their IDs. */
function hugeObjects(source: Source, index: number, what: string): ReadonlyMap<number, Message> {
  if (index === undefinedAddress) return new Map();
  const records = recordsOf(source, index, hugeType, 24, what).at.map((record) =>
    [0, 8, 16].map((offset) => readUint64(source, record + offset, what)),
  ) as [number, number, number][];
  return new Map(
    records.map(([at, size, id]) => {
      claim(source, at, size, what);
      return [id, { at, size }];
    }),
  );
}
