/** The construction of objects: of cells, scores and layers as saved in files, of optimizers and losses in workers. */

/**
 * The public function that created a cell, score or layer, followed by its arguments. A saved model stores it, so that
 * loading can construct the object again.
 *
 * @example
 * gru({ reset: 'before' }).origin?.[0]; // 'gru'
 */
export type Origin = readonly [constructor: string, ...args: readonly unknown[]];

/**
 * Records the function that created an optimizer, a schedule or a loss, and its arguments, from which a worker creates
 * it again. Options are passed as copies, since the caller may change them. A copy by spreading does not have the
 * record: its functions may be others.
 */
export function withOrigin<T extends object>(created: T, ...origin: Origin): T & { readonly origin?: Origin } {
  return Object.defineProperty(created, 'origin', { value: origin });
}
