/** Chunked datasets, whose elements are in row-major order. */

import { formatShape, type Shape, sizeOf } from '../../tensor/shape';
import { indexedChunks } from './chunk-index';
import { type Chunk, type Grid, treeChunks } from './chunk-tree';
import { type Filters, unfilter } from './filters';
import type { Message } from './header';
import { claim, readUint, reject, type Source } from './source';

/** A dataset. */
export interface Chunked {
  readonly shape: Shape;
  /** The largest size along each axis to which the dataset can grow, possibly infinite. */
  readonly limits: Shape;
  /** The size of an element in bytes. */
  readonly width: number;
  readonly filters: Filters;
  readonly path: string;
}

/**
 * Reads the bytes of a chunked dataset.
 *
 * @param layout a layout message of version 3 to 5 and class 2
 * @throws RangeError if it is malformed, has chunks that were never written, or would take too much memory
 */
export function readChunks(source: Source, layout: Message, dataset: Chunked): ArrayBuffer {
  const { shape, width, filters, path } = dataset;
  const { grid, options, chunks } = gridOf(source, layout, dataset);
  const { chunkShape, counts, size } = grid;
  const elements = sizeOf(shape);
  if (elements === 0) return new ArrayBuffer(0);
  // Also bounds the work, since every chunk takes at least one byte of the file.
  const total = size * sizeOf(counts) + width * elements + (width === 4 ? 0 : 4 * elements);
  if (!(total <= source.expandable))
    reject(`reading ${path} ${formatShape(shape)} takes ${total} bytes, which is too much for this file.`);
  source.expandable -= total;
  const raw = new Uint8Array(width * elements);
  const place = placerOf(raw, dataset, grid);
  const isFound = new Uint8Array(sizeOf(counts));
  let found = 0;
  const what = `a chunk of ${path}`;
  for (const chunk of chunks()) {
    const { from } = chunk;
    const index = from.reduce((before, start, axis) => before * counts[axis]! + start / chunkShape[axis]!, 0);
    if (from.some((start, axis) => start >= shape[axis]! || start % chunkShape[axis]! !== 0) || isFound[index] === 1)
      reject(`a chunk of ${path} is at ${formatShape(from)}, where it does not belong.`);
    isFound[index] = 1;
    found++;
    claim(source, chunk.at, chunk.length, what);
    const stored = source.bytes.subarray(chunk.at, chunk.at + chunk.length);
    // Chunks at the end of an axis can be excepted from the filters.
    const isPartial = from.some((start, axis) => start + chunkShape[axis]! > shape[axis]!);
    const skipped = isPartial && (options & 1) !== 0 ? -1 : chunk.skipped;
    place(unfilter(stored, filters, skipped, { size, width }, path), from);
  }
  if (found !== isFound.length)
    reject(`${path} has ${found} of its ${isFound.length} chunks: some of them were never written.`);
  return raw.buffer;
}

/** The chunks of a layout message: the grid of chunks, options and the list of those in the file. */
function gridOf(
  source: Source,
  { at, size: length }: Message,
  { shape, limits, width, path }: Chunked,
): { readonly grid: Grid; readonly options: number; readonly chunks: () => Iterable<Chunk> } {
  const { bytes } = source;
  const isNew = bytes[at]! > 3;
  const rank = bytes[at + (isNew ? 3 : 2)]! - 1;
  const [from, integer] = isNew ? [at + 5, bytes[at + 4]!] : [at + 11, 4];
  const end = from + integer * (rank + 1);
  const sizeAt = (axis: number): number => readUint(source, from + integer * axis, integer, path);
  if (rank !== shape.length || integer > 8 || end > at + length || sizeAt(rank) !== width)
    reject(`the chunks of ${path} do not match its shape or type.`);
  const chunkShape = shape.map((_, axis) => sizeAt(axis));
  const counts = shape.map((n, axis) => Math.ceil(n / chunkShape[axis]!));
  const grid = { chunkShape, counts, limits, size: width * sizeOf(chunkShape), path };
  const options = isNew ? bytes[at + 2]! : 0;
  const index = { at: end, size: at + length - end };
  return {
    grid,
    options,
    chunks: () => (isNew ? indexedChunks(source, index, options, grid) : treeChunks(source, at, grid)),
  };
}

/** Returns a function that copies the part of a chunk within the dataset, in rows that are contiguous in both. */
function placerOf(
  raw: Uint8Array,
  { shape, width }: Chunked,
  { chunkShape }: Grid,
): (chunk: Uint8Array, from: Shape) => void {
  // A row has all of the axes along which one chunk is as long as the dataset, and a part of the axis before them.
  let last = Math.max(0, shape.length - 1);
  while (last > 0 && chunkShape[last] === shape[last]) last--;
  const unit = width * sizeOf(shape.slice(last + 1));
  const copy = (chunk: Uint8Array, from: Shape, axis: number, to: number, at: number): void => {
    const begin = to * (shape[axis] ?? 1) + (from[axis] ?? 0);
    const count = Math.min(chunkShape[axis] ?? 1, (shape[axis] ?? 1) - (from[axis] ?? 0));
    const start = at * (chunkShape[axis] ?? 1);
    if (axis === last) {
      const [source, target, length] = [unit * start, unit * begin, unit * count];
      // A view takes longer than to copy a short row.
      if (length < 64) for (let i = 0; i < length; i++) raw[target + i] = chunk[source + i]!;
      else raw.set(chunk.subarray(source, source + length), target);
      return;
    }
    for (let i = 0; i < count; i++) copy(chunk, from, axis + 1, begin + i, start + i);
  };
  return (chunk, from) => copy(chunk, from, 0, 0, 0);
}
