/** Tensors: plain data, a shape and a typed array that the garbage collector owns. */

import { isAnyArray, isArrayOf } from './arrays';
import {
  checkCount,
  checkedSize,
  formatShape,
  lengthAt,
  mismatch,
  outOfRange,
  quoted,
  resolveRange,
  type Shape,
  sizeOf,
  validSize,
} from './shape';

/** A tensor of floats, row-major: element `[i, j]` of a tensor of shape `[M, N]` is `data[i * N + j]`. */
export interface Tensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** A tensor of integers (token ids, classes, lengths), row-major. */
export interface IntTensor {
  readonly shape: Shape;
  readonly data: Int32Array;
}

/** A number, or arrays of numbers nested to any depth. The innermost arrays can be typed arrays. */
export type Nested =
  | number
  | readonly Nested[]
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array;

/**
 * Whether a value is a {@link Tensor}.
 *
 * @example
 * isTensor(tensor([1])); // true
 */
export function isTensor(value: unknown): value is Tensor {
  return isShaped(value) && isArrayOf('Float32Array', value.data);
}

/**
 * Whether a value is an {@link IntTensor}.
 *
 * @example
 * isIntTensor(intTensor([1])); // true
 */
export function isIntTensor(value: unknown): value is IntTensor {
  return isShaped(value) && isArrayOf('Int32Array', value.data);
}

function isShaped(value: unknown): value is { shape: Shape; data?: unknown } {
  return Array.isArray((value as { readonly shape?: unknown } | null | undefined)?.shape);
}

/**
 * Creates a tensor from nested arrays, or from a flat array and a shape.
 *
 * @param values nested arrays of numbers, or a flat array in row-major order; they can be typed arrays, of which a
 * `Float32Array` without rows is not copied
 * @param shape the shape of a flat array; by default, the shape of the nested arrays
 * @throws TypeError if a value is not a number
 * @throws RangeError if the nested arrays are ragged, or the size of the shape is not the number of values
 * @example
 * tensor([[1, 2, 3], [4, 5, 6]]).shape; // [2, 3]
 * tensor(new Float32Array(6), [2, 3]).shape; // [2, 3]
 * tensor([Float64Array.of(1, 2), Float64Array.of(3, 4)]).shape; // [2, 2]
 */
export function tensor(values: Nested, shape?: Shape): Tensor {
  const isFlat = isArrayOf('Float32Array', values);
  const { flat, nested } = isFlat ? { flat: values, nested: [values.length] } : flatten('tensor', values);
  checkSize('tensor', 'a tensor', shape ?? nested, flat.length);
  return { shape: shape ?? nested, data: isFlat ? values : Float32Array.from(flat) };
}

/**
 * Creates a tensor of integers, for token ids, classes and lengths.
 *
 * @param values nested arrays, or a flat array in row-major order; they can be typed arrays, of which an `Int32Array`
 * without rows is not copied
 * @param shape the shape of a flat array; by default, the shape of the nested arrays
 * @throws TypeError if a value is not a number
 * @throws RangeError if a value is not a 32-bit integer, the nested arrays are ragged, or the size of the shape is not
 * the number of values
 * @example
 * intTensor([[3, 1], [4, 1]]).shape; // [2, 2]
 */
export function intTensor(values: Nested, shape?: Shape): IntTensor {
  const isFlat = isArrayOf('Int32Array', values);
  const { flat, nested } = isFlat ? { flat: values, nested: [values.length] } : flatten('intTensor', values);
  const invalid = flat.findIndex((value) => (value | 0) !== value);
  if (invalid >= 0) {
    throw outOfRange('intTensor', 'values', '32-bit integers', `${flat[invalid]} at index ${invalid}`);
  }
  checkSize('intTensor', 'a tensor', shape ?? nested, flat.length);
  return { shape: shape ?? nested, data: isFlat ? values : Int32Array.from(flat) };
}

/**
 * Creates a tensor filled with one value.
 *
 * @example
 * full([2, 2], 0.5).data; // Float32Array [0.5, 0.5, 0.5, 0.5]
 */
export function full(shape: Shape, value: number): Tensor {
  const size = checkedSize('full', 'shape', shape);
  if (typeof value !== 'number') throw mismatch('full', 'value', 'a number', value);
  return { shape, data: new Float32Array(size).fill(value) };
}

/**
 * Creates a tensor over part of an existing buffer, without a copy: both share their elements.
 *
 * @param data the buffer
 * @param offset the index of the first element of the tensor in the buffer
 * @param shape the shape of the tensor
 * @throws RangeError if the tensor extends beyond the buffer
 * @example
 * view(new Float32Array([0, 1, 2, 3]), 2, [1, 2]).data; // Float32Array [2, 3]
 */
export function view(data: Float32Array, offset: number, shape: Shape): Tensor {
  if (!isArrayOf('Float32Array', data)) throw mismatch('view', 'data', 'a Float32Array', data);
  checkCount('view', 'offset', offset, 0);
  const end = offset + checkedSize('view', 'shape', shape);
  if (end > data.length) {
    const expected = `of size ${end} or more, for shape ${formatShape(shape)} at offset ${offset}`;
    throw outOfRange('view', 'data', expected, data.length);
  }
  return { shape, data: data.subarray(offset, end) };
}

/**
 * Slices a tensor along its first axis, without a copy: time steps of `[T, B, …]`, rows of `[N, F]`.
 *
 * @param start the first index; a negative one counts from the end
 * @param end the index after the last one; a negative one counts from the end. Default: the length of the axis
 * @throws RangeError if the range is not inside the axis, or the tensor is a scalar
 * @example
 * sliceRows(tensor([[1, 2], [3, 4], [5, 6]]), 1).data; // Float32Array [3, 4, 5, 6]
 * sliceRows(intTensor([7, 8, 9]), 0, -1).data; // Int32Array [7, 8]
 */
export function sliceRows<X extends Tensor | IntTensor>(x: X, start: number, end?: number): X {
  checkEither('sliceRows', 'the tensor', x);
  lengthAt('sliceRows', 'the tensor', x.shape, 0);
  return sliceSteps(x, ...resolveRange('sliceRows', start, end, 0, x.shape));
}

/** Returns the steps from `from` up to, but not including, `to` of a sequence `[T, …]`, without a copy. */
export function sliceSteps<X extends Tensor | IntTensor>(x: X, from: number, to: number): X {
  const {
    shape: [, ...rest],
    data,
  } = x;
  const size = sizeOf(rest);
  return likeTensor(x, [to - from, ...rest], data.subarray(from * size, to * size));
}

/** Creates a tensor of the same kind as the first argument, whose data must be of that kind as well. */
export function likeTensor<X extends Tensor | IntTensor>(_kind: X, shape: Shape, data: Float32Array | Int32Array): X {
  // TypeScript cannot relate X to the type of data. All callers derive `data` from a tensor of type X.
  return { shape, data } as Tensor | IntTensor as X;
}

/** Copies a tensor, with a buffer of its size. */
export function copyTensor<X extends Tensor | IntTensor>(x: X): X {
  return likeTensor(x, x.shape, x.data.slice());
}

/**
 * Swaps the first two axes: `[B, T, …]` → `[T, B, …]`. The library is time-major throughout; use this function on data
 * that is batch-major.
 *
 * @example
 * toTimeMajor(tensor([[1, 2, 3], [4, 5, 6]])).data; // Float32Array [1, 4, 2, 5, 3, 6]
 */
export function toTimeMajor<X extends Tensor | IntTensor>(x: X): X {
  return swapLeading('toTimeMajor', x);
}

/**
 * Swaps the first two axes: `[T, B, …]` → `[B, T, …]`. The inverse of {@link toTimeMajor}.
 *
 * @example
 * toBatchMajor(tensor([[1, 4], [2, 5], [3, 6]])).shape; // [2, 3]
 */
export function toBatchMajor<X extends Tensor | IntTensor>(x: X): X {
  return swapLeading('toBatchMajor', x);
}

function swapLeading<X extends Tensor | IntTensor>(where: string, x: X): X {
  checkEither(where, 'the tensor', x);
  const [m, n, ...rest] = x.shape;
  if (m === undefined || n === undefined) {
    throw outOfRange(where, 'the tensor', 'of at least two axes', `shape ${formatShape(x.shape)}`);
  }
  const width = sizeOf(rest);
  const data = x.data.slice();
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      const from = (i * n + j) * width;
      data.set(x.data.subarray(from, from + width), (j * m + i) * width);
    }
  }
  return likeTensor(x, [n, m, ...rest], data);
}

function flatten(where: string, values: Nested): { flat: number[]; nested: number[] } {
  const nested: number[] = [];
  // At most 99 axes: an array may contain itself.
  for (let inner: unknown = values; isAnyArray(inner) && nested.length < 99; inner = inner[0])
    nested.push(inner.length);
  const flat: number[] = [];
  const visit = (part: unknown, depth: number): void => {
    const isNumber = typeof part === 'number';
    if (!isNumber && !isAnyArray(part)) throw mismatch(where, 'values', 'numbers, or arrays of numbers', quoted(part));
    // Numbers have no length, and no axis.
    if ((part as { length?: number }).length !== nested[depth])
      throw outOfRange(where, 'values', `of shape ${formatShape(nested)}`, `another length at depth ${depth}`);
    if (isNumber) flat.push(part);
    else for (const inner of part) visit(inner, depth + 1);
  };
  visit(values, 0);
  return { flat, nested };
}

/** @throws RangeError if the shape is not valid, or its size is not the number of values */
export function checkSize(where: string, argument: string, shape: Shape, values: number): void {
  // Formats nothing unless the check fails.
  if (Array.isArray(shape) && validSize(shape) === values) return;
  const size = checkedSize(where, `the shape of ${argument}`, shape);
  throw outOfRange(where, argument, `of size ${size}, as its shape is ${formatShape(shape)}`, values);
}

/** @throws TypeError if x is not a {@link Tensor}; RangeError if its shape does not match its data */
export function checkTensor(where: string, argument: string, x: unknown): asserts x is Tensor {
  if (!isTensor(x)) throw mismatch(where, argument, 'a tensor { shape, data: Float32Array }', x);
  checkSize(where, argument, x.shape, x.data.length);
}

/** @throws TypeError if x is not an {@link IntTensor}; RangeError if its shape does not match its data */
export function checkIntTensor(where: string, argument: string, x: unknown): asserts x is IntTensor {
  if (!isIntTensor(x)) throw mismatch(where, argument, 'an integer tensor { shape, data: Int32Array }', x);
  checkSize(where, argument, x.shape, x.data.length);
}

/** @throws TypeError if x is neither a {@link Tensor} nor an {@link IntTensor}; RangeError as {@link checkTensor} */
export function checkEither(where: string, argument: string, x: unknown): asserts x is Tensor | IntTensor {
  if (isIntTensor(x)) checkSize(where, argument, x.shape, x.data.length);
  else checkTensor(where, argument, x);
}
