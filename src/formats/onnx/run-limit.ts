/**
 * A limit on the work and memory of one run of a network. A few bytes of a file can describe results of any size, and
 * steps without number, so the results of all nodes together are limited relative to the inputs and the constants.
 */

import { formatShape, type Shape, sizeOf } from '../../tensor/shape';
import { maxAxes } from './model';

/** The elements that a run may compute whatever its inputs and constants are: 32 MB. */
const base = 0x800000;

/** The elements that a run may compute per element of its inputs and constants, many times those of real models. */
const perElement = 1024;

/** The elements that a node or a step counts as at least, for its time. */
const leastCost = 16;

/** The share of its inputs that counts as the work of a node in addition to its results. */
const readingCost = 0.03125;

interface RunLimit {
  readonly elements: number;
  left: number;
}

/** The limit of the run in progress. Runs are synchronous. */
let current: RunLimit = { elements: Infinity, left: Infinity };

/** Runs `body` with the limit for inputs and constants of `size` elements together. */
export function withRunLimit<R>(size: number, body: () => R): R {
  const outer = current;
  const elements = base + perElement * size;
  current = { elements, left: elements };
  try {
    return body();
  } finally {
    current = outer;
  }
}

/**
 * Returns a shape, before an operator allocates a result of this shape.
 *
 * @throws RangeError if the shape, which may be computed from a file, is invalid, or has more elements than the run may
 * still compute
 */
export function checkResultShape(shape: Shape): Shape {
  if (shape.length > maxAxes) throw new RangeError(`a tensor must have at most ${maxAxes} axes, got ${shape.length}`);
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0))
    throw new RangeError(`the lengths of a shape must be integers of at least 0, got ${formatShape(shape)}`);
  if (sizeOf(shape) > current.left) reject(`one of shape ${formatShape(shape)}`);
  return shape;
}

/**
 * Counts the work of nodes, or of the steps of a node, with the elements that they read and compute together.
 *
 * @throws RangeError if it is more than the run may still do
 */
export function spend(count: number, read: number, computed: number): void {
  current.left -= Math.max(leastCost * count, computed + readingCost * read);
  if (current.left < 0) reject('more');
}

function reject(got: string): never {
  throw new RangeError(
    `the results of all nodes must have at most ${current.elements} elements with these inputs and constants, got ` +
      `${got}. Run fewer steps or rows at once`,
  );
}
