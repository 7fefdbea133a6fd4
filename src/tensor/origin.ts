/** Where nouns come from. */

/**
 * The public function that made a cell, score or layer, and what it was given: what a file must know to make it again.
 *
 * @example
 * gru({ reset: 'before' }).origin[0]; // 'gru'
 */
export type Origin = readonly [maker: string, ...given: readonly unknown[]];
