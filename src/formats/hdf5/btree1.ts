/** B-trees of version 1 [III.A.1], which index the members of groups and the chunks of older files. */

import { openPart, reject, type Source } from './source';

/**
 * Starts a node of a tree. Its level must be one below that of its parent.
 *
 * @param kind 0 for groups, 1 for chunks
 * @throws RangeError if it is truncated, or belongs to another tree
 */
export function openNode(
  source: Source,
  at: number,
  kind: 0 | 1,
  owner: string,
  parentLevel: number | undefined,
): { readonly level: number; readonly count: number } {
  openPart(source, at, 'TREE', 24, `a node of ${owner}`);
  const [found, level, count] = [source.bytes[at + 4]!, source.bytes[at + 5]!, source.view.getUint16(at + 6, true)];
  if (found !== kind || (parentLevel !== undefined && level !== parentLevel - 1))
    reject(`the node at byte ${at} does not belong to ${owner}.`);
  return { level, count };
}
