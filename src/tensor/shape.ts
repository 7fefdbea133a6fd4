/** Shapes: sizes, strides and broadcasting, and the checks of arguments with their error messages. */

import { lastOf } from './arrays';

/** The lengths of a tensor's axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/**
 * Returns the number of elements of a tensor of this shape; NaN if a length is not an integer of at least 0.
 *
 * @example
 * sizeOf([2, 3]); // 6
 */
export function sizeOf(shape: Shape): number {
  checkArray('sizeOf', 'shape', shape);
  return validSize(shape);
}

/**
 * Returns the number of elements of a shape.
 *
 * @throws TypeError if it is not an array
 * @throws RangeError if a length is not an integer of at least 0, or the product of all exceeds 2³²
 */
export function checkedSize(where: string, argument: string, shape: Shape): number {
  checkArray(where, argument, shape);
  const size = validSize(shape);
  if (!(size <= 2 ** 32))
    throw outOfRange(where, argument, 'integers of at least 0, for at most 2^32 elements', formatShape(shape));
  return size;
}

/** Returns the number of elements of a shape, or NaN if a length is not an integer of at least 0. */
export function validSize(shape: Shape): number {
  let size = 1;
  for (const length of shape) size *= Number.isSafeInteger(length) && length >= 0 ? length : NaN;
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
    const got = `${m} and ${n} in ${formatShape(a)} and ${formatShape(b)}`;
    throw outOfRange(where, `the lengths of axis ${axis - rank}`, 'equal, or one of them 1', got);
  });
}

/**
 * Checks that a shape is the expected one.
 *
 * @param letters the names of the axes, such as `[T, B, I]`
 * @param lengths their lengths, `undefined` for any
 * @param cause the likely cause or a remedy, appended to the message
 * @throws RangeError if it is not, of the form
 * `unroll: xs must be [T, B, I] = [*, *, 32], got [64, 16, 10]. Was the cell created with inputSize 10?`
 */
export function checkShape(
  where: string,
  argument: string,
  got: Shape,
  letters: string,
  lengths: readonly (number | undefined)[],
  cause = '',
): void {
  const fits = lengths.every((length, axis) => length === undefined || length === got[axis]);
  if (fits && got.length === lengths.length) return;
  const wildcards = `[${lengths.map((length) => length ?? '*').join(', ')}]`;
  throw outOfRange(where, argument, `${letters} = ${wildcards}`, formatShape(got), cause);
}

/**
 * Checks an integer argument.
 *
 * @throws RangeError if `value` is not an integer of at least `least`
 */
export function checkCount(where: string, argument: string, value: number, least: number = 1): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw outOfRange(where, argument, `an integer of at least ${least}`, quoted(value));
}

/**
 * Returns the length of the first axis (0) or of the last axis (−1).
 *
 * @throws RangeError if the shape is that of a scalar
 */
export function lengthAt(where: string, argument: string, shape: Shape, axis: 0 | -1): number {
  const length = axis ? lastOf(shape) : shape[0];
  if (length === undefined) throw outOfRange(where, argument, 'a tensor with at least one axis', 'a scalar');
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
 * @throws RangeError if one of them is not an integer in [0, count)
 */
export function checkIds(
  where: string,
  argument: string,
  ids: ArrayLike<number>,
  count: number,
  start: number = 0,
  end: number = ids.length,
): void {
  for (let i = start; i < end; i++) {
    const id = ids[i]!;
    if (!Number.isInteger(id) || id < 0 || id >= count) {
      const got = `${describe(quoted(id))} at index ${i - start}`;
      throw outOfRange(where, argument, `integers from 0 to ${count - 1}`, got);
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

/**
 * @throws RangeError if there are more than 2²⁴ rows: the ids that select them are floats, which are exact up to there
 */
export function checkRows(where: string, argument: string, rows: number): void {
  if (rows > 2 ** 24) throw outOfRange(where, argument, 'at most 2^24', rows);
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
  if (!Number.isFinite(value) || value < least || value > most) {
    const range = `a finite number${least > -Infinity ? ` of at least ${least}` : ''}`;
    throw outOfRange(where, argument, most < Infinity ? `a number from ${least} to ${most}` : range, quoted(value));
  }
}

/** @throws RangeError if `value` is not a number in [0, 1) */
export function checkBelowOne(where: string, argument: string, value: number): void {
  if (!Number.isFinite(value) || value < 0 || value >= 1)
    throw outOfRange(where, argument, 'at least 0 and less than 1', quoted(value));
}

/**
 * Resolves an axis that may be counted from the end (−1 is the last axis) to a nonnegative one.
 *
 * @throws RangeError if the axis does not exist
 */
export function resolveAxis(where: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    throw outOfRange(where, 'axis', `valid for rank ${rank}`, axis);
  return axis < 0 ? axis + rank : axis;
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
  // −0 + 0 is 0.
  const resolve = (bound: number): number => (Number.isInteger(bound) ? bound + (bound < 0 ? length : 0) : NaN);
  const from = resolve(start);
  const to = resolve(end ?? length);
  if (!(from >= 0 && from <= to && to <= length)) {
    const got = `${describe(start)} to ${describe(end ?? length)}`;
    throw outOfRange(where, 'the range', `inside axis ${axis} of shape ${formatShape(shape)}`, got);
  }
  return [from, to];
}

/** Whether a value has properties, and is not a function. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Describes an unexpected value for a message. */
export function describe(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'function') return `the function ${value.name}`;
  if (!isObject(value)) return String(value).slice(0, 999);
  const kind = {}.toString.call(value).slice('[object '.length, -1);
  if (kind !== 'Object') return `an instance of ${kind}`;
  // The wrong kind of tensor, or one from JSON.
  if ('shape' in value) return `{ shape, data: ${describe((value as Partial<{ data: unknown }>).data)} }`;
  return `an object with ${Object.keys(value).slice(0, 9).join(', ') || 'no names'}`;
}

/** Returns a count with its noun for a message: `1 value`, `2 values`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Puts a string in quotation marks, so that '3' is not taken for a number. Returns any other value. */
export const quoted = (value: unknown): unknown => (typeof value === 'string' ? `'${value}'` : value);

/** Returns the error of an argument of another type. */
export function mismatch(where: string, argument: string, expected: string, got: unknown): TypeError {
  return new TypeError(messageOf(where, argument, expected, got));
}

/**
 * Returns the error of an argument with another value.
 *
 * @param cause the likely cause or a remedy, appended to the message
 */
export function outOfRange(where: string, argument: string, expected: string, got: unknown, cause = ''): RangeError {
  return new RangeError(messageOf(where, argument, expected, got) + (cause && ` ${cause}`));
}

function messageOf(where: string, argument: string, expected: string, got: unknown): string {
  return `${where}: ${argument} must be ${expected}, got ${describe(got)}.`;
}

/** @throws TypeError if `value` is not an object, or an array */
export function checkObject(where: string, argument: string, value: unknown): void {
  if (!isObject(value) || Array.isArray(value)) throw mismatch(where, argument, 'an object', value);
}

/** @throws RangeError if `value` is not one of the choices */
export function checkChoice<T>(where: string, argument: string, value: T, choices: readonly T[]): void {
  if (!choices.includes(value)) throw outOfRange(where, argument, `one of ${choices.join(', ')}`, value);
}

/** @throws TypeError if `value` is not a string */
export function checkString(where: string, argument: string, value: unknown): void {
  if (typeof value !== 'string') throw mismatch(where, argument, 'a string', value);
}

/** @throws TypeError if `value` is not a function */
export function checkFunction(where: string, argument: string, value: unknown): void {
  if (typeof value !== 'function') throw mismatch(where, argument, 'a function', value);
}

/** @throws TypeError if `value` is not an array (a string and a typed array are not), or has gaps */
export function checkArray(where: string, argument: string, value: unknown): void {
  if (!Array.isArray(value) || value.includes(undefined))
    throw mismatch(where, argument, 'an array of defined elements', value);
}

/**
 * Checks the kind of an object by its functions.
 *
 * @param expected the kind, with its article, for the message
 * @param names the functions that all objects of this kind have
 * @throws TypeError if one of them is missing
 */
export function checkFunctions(
  where: string,
  argument: string,
  value: unknown,
  expected: string,
  names: readonly string[],
): void {
  if (
    !names.every(
      (name) => typeof (value as Readonly<Record<string, unknown>> | null | undefined)?.[name] === 'function',
    )
  )
    throw mismatch(where, argument, expected, value);
}

/**
 * Checks the kind of an object by a property that all objects of this kind have.
 *
 * @param expected the kind, with its article, for the message
 * @throws TypeError if `value` is not an object with this property
 */
export function checkKind(
  where: string,
  argument: string,
  value: unknown,
  expected: string,
  property: PropertyKey,
): void {
  if (!isObject(value) || !(property in value)) throw mismatch(where, argument, expected, value);
}
