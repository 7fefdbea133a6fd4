/** Chunked datasets: a B-tree of version 1 of chunks [III.A.1], whose elements are in row-major order. */

import { formatShape, type Shape, sizeOf } from '../../tensor/shape';
import { type Filters, unfilter } from './filters';
import type { Message } from './header';
import { checkSignature, claim, enter, readUint64, reject, type Source, undefinedAddress } from './source';

/** A chunk in the file. */
interface Chunk {
  /** The index of its first element along each axis. */
  readonly from: Shape;
  readonly at: number;
  /** The number of bytes in the file. */
  readonly length: number;
  /** Bit i is set if filter i was not applied. */
  readonly skipped: number;
}

/** A dataset. */
export interface Chunked {
  readonly shape: Shape;
  /** The size of an element in bytes. */
  readonly width: number;
  readonly filters: Filters;
  readonly path: string;
}

/**
 * Reads the bytes of a chunked dataset.
 *
 * @param layout a layout message of version 3 and class 2
 * @throws RangeError if it is malformed, has chunks that were never written, or would take too much memory
 */
export function readChunks(source: Source, { at, size: length }: Message, dataset: Chunked): ArrayBuffer {
  const { shape, width, filters, path } = dataset;
  const { bytes, view } = source;
  const rank = bytes[at + 2]! - 1;
  if (rank !== shape.length || length < 11 + 4 * (rank + 1) || view.getUint32(at + 11 + 4 * rank, true) !== width)
    reject(`the chunks of ${path} do not match its shape or type.`);
  const chunkShape = Array.from({ length: rank }, (_, axis) => view.getUint32(at + 11 + 4 * axis, true));
  const counts = shape.map((n, axis) => Math.ceil(n / chunkShape[axis]!));
  const size = width * sizeOf(chunkShape);
  const root = readUint64(source, at + 3, path);
  if (sizeOf(shape) === 0) return new ArrayBuffer(0);
  if (root === undefinedAddress) reject(`${path} was never written.`);
  // Also bounds the work, since every chunk takes at least one byte of the file.
  const elements = sizeOf(shape);
  const total = size * sizeOf(counts) + width * elements + (width === 4 ? 0 : 4 * elements);
  if (!(total <= source.expandable))
    reject(`reading ${path} ${formatShape(shape)} takes ${total} bytes, which is too much for this file.`);
  source.expandable -= total;
  const raw = new Uint8Array(width * sizeOf(shape));
  const seen = new Set<string>();
  const what = `a chunk of ${path}`;
  for (const chunk of chunksIn(source, root, rank, path)) {
    const { from } = chunk;
    const key = from.join();
    if (from.some((start, axis) => start >= shape[axis]! || start % chunkShape[axis]! !== 0) || seen.has(key))
      reject(`a chunk of ${path} is at ${formatShape(from)}, where it does not belong.`);
    seen.add(key);
    claim(source, chunk.at, chunk.length, what);
    const stored = bytes.subarray(chunk.at, chunk.at + chunk.length);
    place(raw, unfilter(stored, filters, chunk.skipped, { size, width }, path), { shape, width, from, chunkShape });
  }
  if (seen.size !== sizeOf(counts))
    reject(`${path} has ${seen.size} of its ${sizeOf(counts)} chunks: some of them were never written.`);
  return raw.buffer;
}

/** The chunks below a node. The level of a node must be one below that of its parent. */
function chunksIn(source: Source, at: number, rank: number, path: string, parentLevel?: number): readonly Chunk[] {
  const what = `a node of ${path}`;
  enter(source, at, what);
  checkSignature(source, at, 'TREE', what);
  claim(source, at, 24, what);
  const [kind, level, count] = [source.bytes[at + 4]!, source.bytes[at + 5]!, source.view.getUint16(at + 6, true)];
  if (kind !== 1 || (parentLevel !== undefined && level !== parentLevel - 1))
    reject(`the node at byte ${at} does not belong to ${path}.`);
  const keySize = 8 + 8 * (rank + 1);
  claim(source, at + 24, count * (keySize + 8) + keySize, what);
  return Array.from({ length: count }, (_, i) => at + 24 + i * (keySize + 8)).flatMap((key) => {
    const child = readUint64(source, key + keySize, path);
    if (level > 0) return chunksIn(source, child, rank, path, level);
    const from = Array.from({ length: rank }, (_, axis) => readUint64(source, key + 8 + 8 * axis, path));
    const [length, skipped] = [source.view.getUint32(key, true), source.view.getUint32(key + 4, true)];
    return [{ from, at: child, length, skipped }];
  });
}

/** Copies the part of a chunk that is within the dataset, in rows that are contiguous in both. */
function place(
  raw: Uint8Array,
  chunk: Uint8Array,
  { shape, width, from, chunkShape }: { shape: Shape; width: number; from: Shape; chunkShape: Shape },
): void {
  // A row has all of the axes along which one chunk is as long as the dataset, and a part of the axis before them.
  let last = Math.max(0, shape.length - 1);
  while (last > 0 && chunkShape[last] === shape[last]) last--;
  const unit = width * sizeOf(shape.slice(last + 1));
  const copy = (axis: number, to: number, at: number): void => {
    const begin = to * (shape[axis] ?? 1) + (from[axis] ?? 0);
    const count = Math.min(chunkShape[axis] ?? 1, (shape[axis] ?? 1) - (from[axis] ?? 0));
    const start = at * (chunkShape[axis] ?? 1);
    if (axis === last) {
      raw.set(chunk.subarray(unit * start, unit * (start + count)), unit * begin);
      return;
    }
    for (let i = 0; i < count; i++) copy(axis + 1, begin + i, start + i);
  };
  copy(0, 0, 0);
}
