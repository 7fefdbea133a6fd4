/** The chunks of older files: a B-tree of version 1 [III.A.1]. */

import type { Shape } from '../../tensor/shape';
import { openNode } from './btree1';
import { claim, readUint64, reject, type Source, undefinedAddress } from './source';

/** A chunk in the file. */
export interface Chunk {
  /** The index of its first element along each axis. */
  readonly from: Shape;
  readonly at: number;
  /** The number of bytes in the file. */
  readonly length: number;
  /** Bit i is set if filter i was not applied. */
  readonly skipped: number;
}

/** The chunks of a dataset. */
export interface Grid {
  readonly chunkShape: Shape;
  /** The number of chunks along each axis. */
  readonly counts: Shape;
  /** The largest size of the dataset along each axis, possibly infinite. */
  readonly limits: Shape;
  /** The size of a chunk in bytes before it is filtered. */
  readonly size: number;
  /** The path of the dataset. */
  readonly path: string;
}

/** Lists the chunks of a dataset. @param layout the offset of its layout message, of version 3 */
export function treeChunks(source: Source, layout: number, { chunkShape, path }: Grid): readonly Chunk[] {
  const root = readUint64(source, layout + 3, path);
  if (root === undefinedAddress) reject(`${path} was never written.`);
  return chunksIn(source, root, chunkShape.length, path);
}

/** The chunks below a node. */
function chunksIn(source: Source, at: number, rank: number, path: string, parentLevel?: number): readonly Chunk[] {
  const { level, count } = openNode(source, at, 1, path, parentLevel);
  const keySize = 8 + 8 * (rank + 1);
  claim(source, at + 24, count * (keySize + 8) + keySize, `a node of ${path}`);
  return Array.from({ length: count }, (_, i) => at + 24 + i * (keySize + 8)).flatMap((key) => {
    const child = readUint64(source, key + keySize, path);
    if (level > 0) return chunksIn(source, child, rank, path, level);
    const from = Array.from({ length: rank }, (_, axis) => readUint64(source, key + 8 + 8 * axis, path));
    const [length, skipped] = [source.view.getUint32(key, true), source.view.getUint32(key + 4, true)];
    return [{ from, at: child, length, skipped }];
  });
}
