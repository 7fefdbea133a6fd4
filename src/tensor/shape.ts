/** Shapes: sizes, strides and broadcasting, and the checks of arguments with their error messages. */

import { lastOf } from './arrays';

/** The lengths of a tensor's axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/**
 * Returns the number of elements of a tensor of this shape.
 *
 * @example
 * sizeOf([2, 3]); // 6
 */
export function sizeOf(shape: Shape): number {
  checkArray('sizeOf', 'shape', shape);
  let size = 1;
  for (const length of shape) size *= typeof length === 'number' ? length : NaN;
  return size;
}

/**
 * Returns the number of elements of a shape.
 *
 * @param of a prefix of the argument in messages
 * @throws TypeError if it is not an array
 * @throws RangeError if a length is not an integer of at least 0, or the product of all exceeds 2³²
 */
export function checkedSize(where: string, argument: string, shape: Shape, of: string = ''): number {
  checkArray(where, argument, shape);
  let size = 1;
  for (const length of shape) size *= Number.isSafeInteger(length) && length >= 0 ? length : NaN;
  if (!(size <= 2 ** 32))
    throw new RangeError(
      `${where}: ${of}${argument} must hold integers of at least 0, for at most 2^32 elements, ` +
        `got ${formatShape(shape)}.`,
    );
  return size;
}

/**
 * Returns the row-major strides of a shape: the distance, in elements, between neighbors along each axis.
 *
 * @example
 * stridesOf([2, 3, 4]); // [12, 4, 1]
 */
export function stridesOf(shape: Shape): number[] {
  checkedSize('stridesOf', 'shape', shape);
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** Whether two shapes are equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/**
 * Formats a shape for messages.
 *
 * @example
 * formatShape([2, 3]); // '[2, 3]'
 */
export function formatShape(shape: Shape): string {
  checkArray('formatShape', 'shape', shape);
  return `[${shape.map(describe).join(', ')}]`;
}

/**
 * Broadcasts two shapes under NumPy's rules: aligned at the last axis, the lengths of each axis must be equal, or one
 * of them must be 1.
 *
 * @throws RangeError naming both shapes if they do not broadcast
 */
export function broadcastShapes(where: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const m = a[axis - rank + a.length] ?? 1;
    const n = b[axis - rank + b.length] ?? 1;
    if (m === n || n === 1) return m;
    if (m === 1) return n;
    throw new RangeError(
      `${where}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast: ` +
        `axis ${axis - rank} has the lengths ${m} and ${n}.`,
    );
  });
}

/**
 * An expected shape, in letters and in lengths (`undefined` for any length):
 * `{ letters: '[T, B, I]', lengths: [undefined, undefined, 32] }`.
 */
export interface ExpectedShape {
  readonly letters: string;
  readonly lengths: readonly (number | undefined)[];
}

/**
 * Checks that a shape is the expected one.
 *
 * @param cause the likely cause or a remedy, appended to the message
 * @throws RangeError if it is not, of the form
 * `unroll: xs must be [T, B, I] = [*, *, 32], got [64, 16, 10]. Was the cell created with inputSize 10?`
 */
export function checkShape(where: string, argument: string, got: Shape, expected: ExpectedShape, cause = ''): void {
  const { letters, lengths } = expected;
  const fits = lengths.every((length, axis) => length === undefined || length === got[axis]);
  if (fits && got.length === lengths.length) return;
  const wildcards = `[${lengths.map((length) => length ?? '*').join(', ')}]`;
  throw new RangeError(
    `${where}: ${argument} must be ${letters} = ${wildcards}, got ${formatShape(got)}.${cause && ` ${cause}`}`,
  );
}

/**
 * Checks an integer argument.
 *
 * @throws RangeError if `value` is not an integer of at least `least`
 */
export function checkCount(where: string, argument: string, value: number, least: number = 1): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`${where}: ${argument} must be an integer of at least ${least}, got ${describe(value)}.`);
  }
}

/**
 * Returns the length of the first axis (0) or of the last axis (−1).
 *
 * @throws RangeError if the shape is that of a scalar
 */
export function lengthAt(where: string, argument: string, shape: Shape, axis: 0 | -1): number {
  const length = axis ? lastOf(shape) : shape[0];
  if (length === undefined) throw new RangeError(`${where}: ${argument} must have at least one axis, got a scalar.`);
  return length;
}

/** Returns the length of an array, a typed array or a string. @throws TypeError if `value` has none */
export function lengthOf(where: string, argument: string, value: ArrayLike<unknown>): number {
  if (!Number.isInteger(value?.length) || typeof value === 'function')
    throw mismatch(where, argument, 'an array', value);
  return value.length;
}

/**
 * Checks that an argument is not empty.
 *
 * @param what the singular noun for one element, for the message
 * @throws RangeError if `count` is 0
 */
export function checkSome(where: string, argument: string, count: number, what: string): void {
  if (count === 0) throw new RangeError(`${where}: ${argument} must hold at least one ${what}, got none.`);
}

/**
 * Checks the ids from `start` up to, but not including, `end`.
 *
 * @param cause the likely cause or a remedy, appended to the message
 * @throws RangeError if one of them is not an integer in [0, count)
 */
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
    if (!(Number.isInteger(id) && id >= 0 && id < count)) {
      throw new RangeError(
        `${where}: ${argument} must be integers from 0 to ${count - 1}, got ${describe(id)} at position ${i - start}.` +
          `${cause && ` ${cause}`}`,
      );
    }
  }
}

/** @throws TypeError if `given` is not an object, or has a name that is not known */
export function checkNames(where: string, argument: string, given: object, known: readonly string[]): void {
  checkObject(where, argument, given);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new TypeError(
      `${where}: ${argument} must have ${known.length > 0 ? `only ${known.join(', ')}` : 'no names'}, got ${unknown}.`,
    );
}

/** @throws RangeError if there are more than 2²⁴ rows: the ids that select them are floats, which are exact up to there */
export function checkRows(where: string, rows: number): void {
  if (rows > 2 ** 24) throw new RangeError(`${where}: there must be at most 2^24 rows to select from, got ${rows}.`);
}

/**
 * Checks a number argument.
 *
 * @throws RangeError if `value` is not a finite number from `least` to `most`, both included
 */
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

/** @throws RangeError if `value` is not a number in [0, 1) */
export function checkBelowOne(where: string, argument: string, value: number): void {
  if (typeof value !== 'number' || !(value >= 0 && value < 1))
    throw new RangeError(`${where}: ${argument} must be at least 0 and less than 1, got ${describe(value)}.`);
}

/**
 * Resolves an axis that may be counted from the end (−1 is the last axis) to a nonnegative one.
 *
 * @throws RangeError if the axis does not exist
 */
export function resolveAxis(where: string, axis: number, rank: number): number {
  const resolved = Number.isInteger(axis) && axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank) {
    throw new RangeError(`${where}: axis ${describe(axis)} does not exist in a tensor with ${rank} axes.`);
  }
  return resolved;
}

/**
 * Resolves the range from `start` up to, but not including, `end` along an axis. Negative bounds count from the end of
 * the axis; `end` defaults to its length.
 *
 * @throws RangeError if a bound is not an integer, or the range is not inside the axis
 */
export function resolveRange(
  where: string,
  start: number,
  end: number | undefined,
  axis: number,
  shape: Shape,
): readonly [from: number, to: number] {
  const length = shape[axis]!;
  const bounds = [start, end ?? length].map((bound) => (Number.isInteger(bound) && bound < 0 ? bound + length : bound));
  const [from, to] = bounds as [number, number];
  if (!bounds.every(Number.isInteger) || from < 0 || to < from || to > length) {
    throw new RangeError(
      `${where}: the range ${describe(start)} to ${describe(end ?? length)} is not inside axis ${axis} of shape ` +
        `${formatShape(shape)}.`,
    );
  }
  // + 0 turns −0 into 0.
  return [from + 0, to + 0];
}

/** Describes an unexpected value for a message. */
export function describe(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'function') return `the function ${value.name}`;
  if (typeof value !== 'object' || value === null) return String(value);
  const kind = Object.prototype.toString.call(value).slice('[object '.length, -1);
  if (kind !== 'Object') return `an instance of ${kind}`;
  return `an object with ${Object.keys(value).slice(0, 9).join(', ') || 'no properties'}`;
}

/** Returns the error of an unexpected argument. */
export function mismatch(where: string, argument: string, expected: string, got: unknown): TypeError {
  return new TypeError(`${where}: ${argument} must be ${expected}, got ${describe(got)}.`);
}

/** @throws TypeError if `value` is not an object, or an array */
export function checkObject(where: string, argument: string, value: unknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw mismatch(where, argument, 'an object', value);
}

/** @throws TypeError if `value` is not a function */
export function checkFunction(where: string, argument: string, value: unknown): void {
  if (typeof value !== 'function') throw mismatch(where, argument, 'a function', value);
}

/** @throws TypeError if `value` is not an array (a string and a typed array are not), or has gaps */
export function checkArray(where: string, argument: string, value: unknown): void {
  if (!Array.isArray(value) || value.includes(undefined))
    throw mismatch(where, argument, 'an array without undefined elements', value);
}

/**
 * Checks the kind of an object by a property that all objects of this kind have.
 *
 * @param expected the kind, with its article, for the message
 * @throws TypeError if `value` is not an object with this property
 */
export function checkKind(where: string, argument: string, value: unknown, expected: string, property: string): void {
  if (typeof value !== 'object' || value === null || !(property in value))
    throw mismatch(where, argument, expected, value);
}
