/** The two directions of a bidirectional layer. */

import type { Cell } from '../recurrence/cell';
import type { BidirectionalOptions } from './bidirectional';
import type { DirectionOptions } from './recurrent';

/** One direction of a bidirectional layer. */
export interface LayerDirection {
  readonly name: 'forward' | 'reverse';
  readonly cell: Cell;
  readonly options: DirectionOptions;
}

/** Returns the cell and the options of each direction. */
export function directionsOf(
  cell: Cell,
  options: BidirectionalOptions,
): readonly [forward: LayerDirection, reverse: LayerDirection] {
  const { cell: reverseCell = cell, ...reverseOptions } = options.reverse ?? {};
  // `bidirectional` has removed those that are undefined.
  const own = reverseOptions as Partial<DirectionOptions>;
  return [
    { name: 'forward', cell, options },
    { name: 'reverse', cell: reverseCell, options: { ...options, ...own } },
  ];
}
