/**
 * The chunks of newer files, in one of five indexes [IV.A.2.i, VII]: a single chunk, chunks in order without an index
 * ("implicit"), a fixed array, an extensible array, and a B-tree of version 2. Arrays have one element per chunk, in
 * row-major order of the largest shape of the dataset.
 */

import { type Shape, sizeOf } from '../../tensor/shape';
import { recordsOf } from './btree2';
import type { Chunk, Grid } from './chunk-tree';
import { extensibleArray, fixedArray } from './element-arrays';
import type { Message } from './header';
import { readUint, readUint64, reject, type Source, undefinedAddress } from './source';

/** The size of the parameters of each index in a layout message, by its number. The address of the index follows. */
const parameterSizes = [undefined, 0, 0, 1, 5, 6];

/**
 * Lists the chunks of a dataset.
 *
 * @param index the end of its layout message, from the number of the index
 * @throws RangeError if the index is truncated, malformed, damaged or of an unknown type, or a chunk was never written
 */
export function* indexedChunks(source: Source, index: Message, options: number, grid: Grid): Generator<Chunk> {
  const { chunkShape, counts, limits, size, path } = grid;
  const kind = source.bytes[index.at]!;
  const isFilteredSingle = kind === 1 && (options & 2) !== 0;
  const parameters = isFilteredSingle ? 12 : parameterSizes[kind];
  if (index.size < 1 || parameters === undefined)
    return reject(`the chunks of ${path} have index ${kind}, which is not supported.`);
  if (index.size < 9 + parameters) reject(`the layout of ${path} is truncated.`);
  const root = readUint64(source, index.at + 1 + parameters, path);
  if (root === undefinedAddress) reject(`${path} was never written.`);
  if (kind === 1) {
    const [length, skipped] = isFilteredSingle
      ? [readUint64(source, index.at + 1, path), readUint(source, index.at + 9, 4, path)]
      : [size, 0];
    yield { from: chunkShape.map(() => 0), at: root, length, skipped };
  } else if (kind === 5) yield* treeChunks2(source, root, grid);
  else {
    const placeOf =
      kind === 2
        ? (i: number) => ({ at: root + size * i, length: size, skipped: 0 })
        : arrayChunks(source, root, kind, grid);
    const most = limits.map((limit, axis) => Math.ceil(limit / chunkShape[axis]!));
    if (most.filter((n) => n === Infinity).length > (kind === 4 ? 1 : 0))
      reject(`the chunks of ${path} have an index for a dataset with fewer axes without limit.`);
    for (let i = 0; i < sizeOf(counts); i++) {
      const position = positionOf(i, counts);
      yield { from: position.map((n, axis) => n * chunkShape[axis]!), ...placeOf(indexOf(position, most)) };
    }
  }
}

/** The position of a chunk along each axis, by its index in row-major order. */
function positionOf(index: number, counts: Shape): readonly number[] {
  const position = [...counts];
  let rest = index;
  for (let axis = counts.length - 1; axis >= 0; axis--) {
    position[axis] = rest % counts[axis]!;
    rest = Math.floor(rest / counts[axis]!);
  }
  return position;
}

/** The index of a chunk in row-major order, in which an axis without limit comes first. */
function indexOf(position: readonly number[], most: Shape): number {
  const unlimited = most.indexOf(Infinity);
  const axes = [unlimited, ...position.keys()].filter((axis, i) => axis >= 0 && (i === 0 || axis !== unlimited));
  return axes.reduce((index, axis, i) => (i === 0 ? 0 : index * most[axis]!) + position[axis]!, 0);
}

/** Returns a function that finds a chunk by its index in an array. */
function arrayChunks(
  source: Source,
  root: number,
  kind: number,
  { size, path }: Grid,
): (index: number) => Omit<Chunk, 'from'> {
  const what = `the index of ${path}`;
  const array = (kind === 3 ? fixedArray : extensibleArray)(source, root, what);
  return (index) => {
    const element = array.elementAt(index);
    const at = element === undefined ? undefinedAddress : readUint64(source, element, what);
    if (element === undefined || at === undefinedAddress) return reject(`a chunk of ${path} was never written.`);
    return { at, ...storedSize(source, element + 8, array.width - 8, size, what) };
  };
}

/** The length and the filter mask of a chunk, which take no bytes if there are no filters. */
function storedSize(
  source: Source,
  at: number,
  width: number,
  size: number,
  what: string,
): Pick<Chunk, 'length' | 'skipped'> {
  if (width === 0) return { length: size, skipped: 0 };
  if (width < 5 || width > 12) reject(`${what} is malformed.`);
  return { length: readUint(source, at, width - 4, what), skipped: readUint(source, at + width - 4, 4, what) };
}

/** The chunks in a B-tree. Its records have another type if there are filters. */
function treeChunks2(source: Source, root: number, { chunkShape, size, path }: Grid): readonly Chunk[] {
  const rank = chunkShape.length;
  const type = readUint(source, root + 5, 1, path) === 10 ? 10 : 11;
  const records = recordsOf(source, root, type, 8 + 8 * rank, path);
  return records.at.map((record) => {
    const end = record + records.size - 8 * rank;
    return {
      from: chunkShape.map((n, axis) => n * readUint64(source, end + 8 * axis, path)),
      at: readUint64(source, record, path),
      ...storedSize(source, record + 8, end - record - 8, size, path),
    };
  });
}
