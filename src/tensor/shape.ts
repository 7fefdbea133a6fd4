/** Shapes: sizes, strides, broadcasting, and the words in which a wrong argument is refused. */

/** The lengths of a tensor's axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/**
 * The number of elements of a tensor of this shape.
 *
 * @example
 * sizeOf([2, 3]); // 6
 */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

/**
 * How far apart neighbours along each axis lie in a row-major buffer.
 *
 * @example
 * stridesOf([2, 3, 4]); // [12, 4, 1]
 */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/**
 * A shape as it stands in messages.
 *
 * @example
 * formatShape([2, 3]); // '[2, 3]'
 */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/**
 * The shape that two shapes have in common under NumPy's rules: aligned at the last axis, each pair of lengths equal or one of them 1.
 *
 * @throws RangeError naming both shapes where they do not broadcast
 */
export function broadcastShapes(where: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let axis = 0; axis < rank; axis++) {
    const m = a[axis - rank + a.length] ?? 1;
    const n = b[axis - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new RangeError(
        `${where}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast: ` +
          `counted from the last, axis ${rank - axis} is ${m} in one and ${n} in the other; they must be equal, or one of them 1.`,
      );
    }
    shape[axis] = m === 1 ? n : m;
  }
  return shape;
}

/** An expected shape, in letters and in numbers (`undefined` for any length): `{ letters: '[T, B, I]', lengths: [undefined, undefined, 32] }`. */
export interface ExpectedShape {
  readonly letters: string;
  readonly lengths: readonly (number | undefined)[];
}

/**
 * Refuses a shape that is not the expected one.
 *
 * @throws RangeError of the form `unroll: xs must be [T, B, I] = [*, *, 32], got [64, 16, 10]. Was the cell made with inputSize 10?`
 */
export function checkShape(where: string, argument: string, got: Shape, expected: ExpectedShape, cause = ''): void {
  const { letters, lengths } = expected;
  if (got.length === lengths.length && lengths.every((length, axis) => length === undefined || length === got[axis]))
    return;
  const numbers = `[${lengths.map((length) => length ?? '*').join(', ')}]`;
  throw new RangeError(
    `${where}: ${argument} must be ${letters} = ${numbers}, got ${formatShape(got)}.${cause && ` ${cause}`}`,
  );
}

/** @throws RangeError unless `value` is a whole number of at least `least` */
export function checkCount(where: string, argument: string, value: number, least: number = 1): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`${where}: ${argument} must be a whole number of at least ${least}, got ${describe(value)}.`);
  }
}

/** The length of the first axis (0) or the last one (−1). @throws RangeError for a scalar */
export function lengthAt(where: string, argument: string, shape: Shape, axis: 0 | -1): number {
  const length = shape.at(axis);
  if (length === undefined) throw new RangeError(`${where}: ${argument} must have at least one axis, got a scalar.`);
  return length;
}

/** @throws RangeError unless there is at least one of what an argument holds */
export function checkSome(where: string, argument: string, count: number, what: string): void {
  if (count === 0) throw new RangeError(`${where}: ${argument} must hold at least one ${what}, got none.`);
}

/** @throws RangeError unless all ids from `start` to `end` are whole numbers in [0, count) */
export function checkIds(
  where: string,
  argument: string,
  ids: ArrayLike<number>,
  count: number,
  cause: string = '',
  start: number = 0,
  end: number = ids.length,
): void {
  for (let i = start; i < end; i++) {
    const id = ids[i]!;
    if (!(id >= 0 && id < count && Number.isInteger(id))) {
      throw new RangeError(
        `${where}: ${argument} must be whole numbers from 0 to ${count - 1}, got ${id} at position ${i - start}.${cause && ` ${cause}`}`,
      );
    }
  }
}

/** @throws RangeError unless `value` is a finite number between `least` and `most` */
export function checkNumber(
  where: string,
  argument: string,
  value: number,
  least: number = -Infinity,
  most: number = Infinity,
): void {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < least || value > most) {
    const range =
      most < Infinity
        ? `a number from ${least} to ${most}`
        : least === -Infinity
          ? 'a finite number'
          : `a finite number of at least ${least}`;
    throw new RangeError(`${where}: ${argument} must be ${range}, got ${describe(value)}.`);
  }
}

/** Turns an axis counted from the end (−1 is the last) into one counted from the front. @throws RangeError where there is no such axis */
export function resolveAxis(where: string, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank) {
    throw new RangeError(`${where}: axis ${axis} does not exist in a tensor of ${rank} axes.`);
  }
  return resolved;
}

/**
 * The whole range from `start` to `end` (not included) of an axis; negative bounds count from its end, which is the default end.
 *
 * @throws RangeError where it does not lie inside
 */
export function resolveRange(
  where: string,
  start: number,
  end: number | undefined,
  axis: number,
  shape: Shape,
): readonly [from: number, to: number] {
  const length = shape[axis]!;
  const from = start < 0 ? start + length : start;
  const to = end === undefined ? length : end < 0 ? end + length : end;
  if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || to < from || to > length) {
    throw new RangeError(
      `${where}: ${start} to ${end ?? length} does not lie inside axis ${axis} of ${formatShape(shape)}.`,
    );
  }
  // −0 counts from the front.
  return [from + 0, to + 0];
}

/** What came instead of what was expected, for a message. */
export function describe(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null)
    return `an object with ${Object.keys(value).join(', ') || 'no properties'}`;
  return String(value);
}
