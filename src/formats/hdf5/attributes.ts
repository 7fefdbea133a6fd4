/** Attributes with one string [IV.A.2.m], of fixed length or in a global heap [III.E]. */

import { denseObjects } from './dense';
import type { Header, Message } from './header';
import { checkSignature, claim, enter, readUint64, reject, type Source, textOf } from './source';

/**
 * Reads the attributes that have one string, by name. Other attributes are left out, and those that
 * are not in UTF-8.
 *
 * @throws RangeError if an attribute is truncated or malformed
 */
export function stringAttributes(
  source: Source,
  { attributes, attributeInfo }: Header,
  what: string,
): Record<string, string> {
  const heaps = new Map<number, Heap>();
  const dense = denseObjects(source, attributeInfo, 2, { type: 8, size: 17, id: 0 }, `the attributes of ${what}`);
  return Object.fromEntries(
    [...attributes, ...dense].flatMap((message) => {
      const attribute = attributeAt(source, message, what);
      const bytes = attribute && stringOf(source, attribute, heaps, what);
      const [name, text] = [attribute?.name, bytes].map((part) => part && textOf(part));
      return name === undefined || text === undefined ? [] : [[name, text]];
    }),
  );
}

interface Attribute {
  readonly name: Uint8Array;
  /** The offsets of its type, its shape and its data in the file. */
  readonly type: number;
  readonly space: number;
  readonly data: number;
  readonly end: number;
}

/** The parts of an attribute message; `undefined` if its type is in another message. */
function attributeAt({ bytes, view }: Source, { at, size }: Message, what: string): Attribute | undefined {
  const version = bytes[at]!;
  const end = at + size;
  if (size < 8) reject(`an attribute of ${what} is truncated.`);
  if (version < 1 || version > 3) return undefined;
  if (version > 1 && bytes[at + 1] !== 0) return undefined;
  const padded = (length: number): number => (version === 1 ? Math.ceil(length / 8) * 8 : length);
  const [nameSize, typeSize, spaceSize] = [2, 4, 6].map((offset) => view.getUint16(at + offset, true)) as [
    number,
    number,
    number,
  ];
  const name = at + (version === 3 ? 9 : 8);
  const type = name + padded(nameSize);
  const space = type + padded(typeSize);
  const data = space + padded(spaceSize);
  if (data > end || nameSize < 1 || typeSize < 8 || spaceSize < 4) reject(`an attribute of ${what} is truncated.`);
  return { name: bytes.subarray(name, name + nameSize - 1), type, space, data, end };
}

/** The bytes of an attribute; `undefined` if it is not one string. */
function stringOf(
  source: Source,
  { type, space, data, end }: Attribute,
  heaps: Map<number, Heap>,
  what: string,
): Uint8Array | undefined {
  const { bytes, view } = source;
  // A scalar has no dimensions; in version 2, a space of type 2 has no elements.
  if (bytes[space + 1] !== 0 || (bytes[space] === 2 && bytes[space + 3] === 2)) return undefined;
  const [typeClass, flags, size] = [bytes[type]! & 15, bytes[type + 1]!, view.getUint32(type + 4, true)];
  const isFixed = typeClass === 3;
  if (!isFixed && !(typeClass === 9 && (flags & 15) === 1 && size === 16)) return undefined;
  if (data + size > end) reject(`an attribute of ${what} is truncated.`);
  if (isFixed) {
    const text = bytes.subarray(data, data + size);
    const zero = text.indexOf(0);
    return zero < 0 ? text : text.subarray(0, zero);
  }
  const [length, heapAt, index] = [view.getUint32(data, true), readUint64(source, data + 4, what), data + 12];
  if (length === 0) return new Uint8Array(0);
  const heap = heaps.get(heapAt) ?? heapOf(source, heapAt, what);
  heaps.set(heapAt, heap);
  const object = heap.get(view.getUint32(index, true));
  if (object === undefined || length > object.length) return reject(`an attribute of ${what} is not in its heap.`);
  return object.subarray(0, length);
}

/** The objects of a global heap collection by index. */
type Heap = ReadonlyMap<number, Uint8Array>;

function heapOf(source: Source, at: number, owner: string): Heap {
  const what = `the heap of the attributes of ${owner}`;
  enter(source, at, what);
  checkSignature(source, at, 'GCOL', what);
  const size = readUint64(source, at + 8, what);
  claim(source, at, Math.max(16, size), what);
  const heap = new Map<number, Uint8Array>();
  for (let object = at + 16; object + 16 <= at + size; ) {
    const index = source.view.getUint16(object, true);
    // Index 0 is the free space at the end.
    if (index === 0) break;
    const length = readUint64(source, object + 8, what);
    if (!(object + 16 + length <= at + size)) reject(`${what} is malformed.`);
    heap.set(index, source.bytes.subarray(object + 16, object + 16 + length));
    object += 16 + Math.ceil(length / 8) * 8;
  }
  return heap;
}
