/** B-trees of version 2 [III.A.2], which index links, attributes and chunks. */

import { openBlock, readUint, readUint64, reject, type Source } from './source';

/** The records of a tree: their offsets in the file, in order, and the size of each in bytes. */
export interface Records {
  readonly at: readonly number[];
  readonly size: number;
}

/** The deepest tree. Nodes have at least two children, so that a deeper tree has more records than any file. */
const deepest = 32;

/**
 * Reads the records of a tree.
 *
 * @param type the type of the records
 * @param smallest the minimum size of a record in bytes
 * @throws RangeError if the tree is truncated, malformed, damaged or of another type
 */
export function recordsOf(source: Source, at: number, type: number, smallest: number, owner: string): Records {
  const { view, bytes } = source;
  const what = `the index of ${owner}`;
  openBlock(source, at, 'BTHD', 38, what);
  const [nodeSize, size, depth] = [
    view.getUint32(at + 6, true),
    view.getUint16(at + 10, true),
    view.getUint16(at + 12, true),
  ];
  if (bytes[at + 5] !== type || size < smallest || depth > deepest) reject(`${what} is malformed.`);
  const records: number[] = [];
  if (view.getUint16(at + 24, true) > 0) {
    const pointers = pointerSizes(nodeSize, size, depth);
    const read = (node: number, count: number, level: number): void => {
      const pointer = pointers[level]!;
      const children = level > 0 ? pointer.size * (count + 1) : 0;
      openBlock(source, node, level > 0 ? 'BTIN' : 'BTLF', 10 + size * count + children, what);
      if (bytes[node + 5] !== type) reject(`the node at byte ${node} does not belong to ${owner}.`);
      for (let i = 0; i <= count; i++) {
        const child = node + 6 + size * count + pointer.size * i;
        if (level > 0)
          read(readUint64(source, child, what), readUint(source, child + 8, pointer.countSize, what), level - 1);
        if (i < count) records.push(node + 6 + size * i);
      }
    };
    read(readUint64(source, at + 16, what), view.getUint16(at + 24, true), depth);
  }
  return { at: records, size };
}

/**
 * The sizes of the pointers in the nodes of each level: an address, the number of records of the child, and above level
 * 1 the number of all records below. The numbers take as many bytes as their maximum.
 */
function pointerSizes(
  nodeSize: number,
  recordSize: number,
  depth: number,
): readonly { readonly size: number; readonly countSize: number }[] {
  const bytesFor = (most: number): number => Math.floor(Math.log2(Math.max(1, most)) / 8) + 1;
  // Without its header and its checksum, a node has 10 bytes less.
  let total = Math.floor((nodeSize - 10) / recordSize);
  const countSize = bytesFor(total);
  const sizes = [{ size: 0, countSize }];
  for (let level = 1; level <= depth; level++) {
    const size = 8 + countSize + (level > 1 ? bytesFor(total) : 0);
    const records = Math.floor((nodeSize - 10 - size) / (recordSize + size));
    total = (records + 1) * total + records;
    sizes.push({ size, countSize });
  }
  return sizes;
}
