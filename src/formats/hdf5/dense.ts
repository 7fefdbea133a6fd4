/** Objects stored densely: many links or attributes in a fractal heap, with a B-tree that lists them by name. */

import { recordsOf } from './btree2';
import { heapOf } from './fractal-heap';
import type { Message } from './header';
import { readUint64, type Source, undefinedAddress } from './source';

/** The records of an index: their type, their size, and where they have the ID of an object. */
interface Index {
  readonly type: number;
  readonly size: number;
  readonly id: number;
}

/**
 * Finds the messages in the heap of an info message.
 *
 * @param orderSize the size of the largest creation index, which the message has before its addresses if it is tracked
 * @throws RangeError if the heap or its index is truncated, malformed or damaged
 */
export function denseObjects(
  source: Source,
  info: Message | undefined,
  orderSize: number,
  { type, size, id }: Index,
  what: string,
): readonly Message[] {
  if (info === undefined) return [];
  const from = info.at + 2 + (source.bytes[info.at + 1]! & 1 ? orderSize : 0);
  const [heap, index] = [readUint64(source, from, what), readUint64(source, from + 8, what)];
  if (heap === undefinedAddress) return [];
  const objectAt = heapOf(source, heap, what);
  return recordsOf(source, index, type, size, what).at.map((record) => objectAt(record + id));
}
