/** The construction of cells, scores and layers, as saved in files. */

/**
 * The public function that created a cell, score or layer, followed by its arguments. A saved model stores it, so that
 * loading can construct the object again.
 *
 * @example
 * gru({ reset: 'before' }).origin?.[0]; // 'gru'
 */
export type Origin = readonly [constructor: string, ...args: readonly unknown[]];
