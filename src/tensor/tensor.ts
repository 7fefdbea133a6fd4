/** Tensors are plain data: a shape and an ordinary typed array, owned by the garbage collector. */

import { checkCount, formatShape, lengthAt, resolveRange, type Shape, sizeOf } from './shape';

/** Numbers of a shape, row-major: element `[i, j]` of a tensor of shape `[M, N]` is `data[i * N + j]`. */
export interface Tensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** Whole numbers of a shape (token ids, classes, lengths), row-major. */
export interface IntTensor {
  readonly shape: Shape;
  readonly data: Int32Array;
}

/** Numbers in nested arrays, as one writes them down. */
export type Nested = number | readonly Nested[];

/**
 * Whether a value is a {@link Tensor}.
 *
 * @example
 * isTensor(tensor([1])); // true
 */
export function isTensor(value: unknown): value is Tensor {
  return isShaped(value) && value.data instanceof Float32Array;
}

/**
 * Whether a value is an {@link IntTensor}.
 *
 * @example
 * isIntTensor(intTensor([1])); // true
 */
export function isIntTensor(value: unknown): value is IntTensor {
  return isShaped(value) && value.data instanceof Int32Array;
}

function isShaped(value: unknown): value is { shape: Shape; data: unknown } {
  return (
    typeof value === 'object' && value !== null && 'data' in value && 'shape' in value && Array.isArray(value.shape)
  );
}

/**
 * Makes a tensor from nested arrays, or from flat numbers and a shape.
 *
 * @param values nested arrays of numbers, or flat numbers in row-major order; a `Float32Array` is used as it is, not copied
 * @param shape the shape of flat numbers; by default that of the nesting
 * @throws RangeError where the nesting is ragged or the shape has another size than the numbers
 * @example
 * tensor([[1, 2, 3], [4, 5, 6]]).shape; // [2, 3]
 * tensor(new Float32Array(6), [2, 3]).shape; // [2, 3]
 */
export function tensor(values: Nested | Float32Array, shape?: Shape): Tensor {
  const { flat, shape: ownShape } =
    values instanceof Float32Array ? { flat: values, shape: [values.length] } : flatten('tensor', values);
  return {
    shape: checkSize('tensor', shape ?? ownShape, flat.length),
    data: flat instanceof Float32Array ? flat : Float32Array.from(flat),
  };
}

/**
 * Makes a tensor of whole numbers, for token ids, classes and lengths.
 *
 * @param values nested arrays, or flat numbers in row-major order; an `Int32Array` is used as it is, not copied
 * @param shape the shape of flat numbers; by default that of the nesting
 * @throws RangeError where a number is not a whole one, the nesting is ragged, or the shape has another size
 * @example
 * intTensor([[3, 1], [4, 1]]).shape; // [2, 2]
 */
export function intTensor(values: Nested | Int32Array, shape?: Shape): IntTensor {
  const { flat, shape: ownShape } =
    values instanceof Int32Array ? { flat: values, shape: [values.length] } : flatten('intTensor', values);
  if (!(flat instanceof Int32Array)) {
    const wrong = flat.findIndex((value) => (value | 0) !== value);
    if (wrong >= 0)
      throw new RangeError(`intTensor: ids must be whole numbers of 32 bits, got ${flat[wrong]} at position ${wrong}.`);
  }
  return {
    shape: checkSize('intTensor', shape ?? ownShape, flat.length),
    data: flat instanceof Int32Array ? flat : Int32Array.from(flat),
  };
}

/**
 * Makes a tensor that holds one value everywhere.
 *
 * @example
 * full([2, 2], 0.5).data; // Float32Array [0.5, 0.5, 0.5, 0.5]
 */
export function full(shape: Shape, value: number): Tensor {
  return { shape: checkShapeOf('full', shape), data: new Float32Array(sizeOf(shape)).fill(value) };
}

/**
 * A tensor over a part of existing numbers, without a copy: writing into one writes into the other.
 *
 * @param data the numbers
 * @param offset where the part begins
 * @param shape the shape of the part
 * @throws RangeError where the part does not lie inside the numbers
 * @example
 * view(new Float32Array([0, 1, 2, 3]), 2, [1, 2]).data; // Float32Array [2, 3]
 */
export function view(data: Float32Array, offset: number, shape: Shape): Tensor {
  checkCount('view', 'offset', offset, 0);
  const end = offset + sizeOf(checkShapeOf('view', shape));
  if (end > data.length) {
    throw new RangeError(
      `view: shape ${formatShape(shape)} at offset ${offset} needs ${end} numbers, got ${data.length}.`,
    );
  }
  return { shape, data: data.subarray(offset, end) };
}

/**
 * The part of a tensor from `start` to `end` (not included) along its first axis, without a copy: steps of `[T, B, …]`, rows of `[N, F]`. Negative bounds count from
 * the end.
 *
 * @throws RangeError where the part does not lie inside, or the tensor is a scalar
 * @example
 * sliceRows(tensor([[1, 2], [3, 4], [5, 6]]), 1).data; // Float32Array [3, 4, 5, 6]
 * sliceRows(intTensor([7, 8, 9]), 0, -1).data; // Int32Array [7, 8]
 */
export function sliceRows<X extends Tensor | IntTensor>({ shape, data }: X, start: number, end?: number): X {
  lengthAt('sliceRows', 'the tensor', shape, 0);
  const [from, to] = resolveRange('sliceRows', start, end, 0, shape);
  const inner = shape.slice(1);
  const size = sizeOf(inner);
  return { shape: [to - from, ...inner], data: data.subarray(from * size, to * size) } as Tensor | IntTensor as X;
}

/**
 * Swaps the first two axes: `[B, T, …]` → `[T, B, …]`. The library is time-major throughout; use it on data that comes batch-first.
 *
 * @example
 * toTimeMajor(tensor([[1, 2, 3], [4, 5, 6]])).data; // Float32Array [1, 4, 2, 5, 3, 6]
 */
export function toTimeMajor<X extends Tensor | IntTensor>(toBatchMajor: X): X {
  return swapLeading('toTimeMajor', toBatchMajor);
}

/**
 * Swaps the first two axes: `[T, B, …]` → `[B, T, …]`. The inverse of {@link toTimeMajor}.
 *
 * @example
 * toBatchMajor(tensor([[1, 4], [2, 5], [3, 6]])).shape; // [2, 3]
 */
export function toBatchMajor<X extends Tensor | IntTensor>(toTimeMajor: X): X {
  return swapLeading('toBatchMajor', toTimeMajor);
}

function swapLeading<X extends Tensor | IntTensor>(where: string, x: X): X {
  const [m, n, ...rest] = x.shape;
  if (m === undefined || n === undefined) {
    throw new RangeError(`${where}: the tensor must have at least two axes, got ${formatShape(x.shape)}.`);
  }
  const width = sizeOf(rest);
  const data = x.data.slice();
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      const from = (i * n + j) * width;
      data.set(x.data.subarray(from, from + width), (j * m + i) * width);
    }
  }
  return { shape: [n, m, ...rest], data } as Tensor | IntTensor as X;
}

function flatten(where: string, values: Nested): { flat: number[]; shape: number[] } {
  const shape: number[] = [];
  for (let inner: Nested | undefined = values; Array.isArray(inner); inner = (inner as readonly Nested[])[0])
    shape.push(inner.length);
  const flat: number[] = [];
  const visit = (part: Nested, depth: number): void => {
    if (typeof part === 'number' ? depth === shape.length : part.length === shape[depth]) {
      if (typeof part === 'number') flat.push(part);
      else for (const inner of part) visit(inner, depth + 1);
      return;
    }
    throw new RangeError(
      `${where}: nested arrays must all have the same lengths, expected ${formatShape(shape)}, got a ragged part at depth ${depth}.`,
    );
  };
  visit(values, 0);
  return { flat, shape };
}

function checkShapeOf(where: string, shape: Shape): Shape {
  shape.forEach((length, axis) => checkCount(where, `shape[${axis}]`, length, 0));
  return shape;
}

function checkSize(where: string, shape: Shape, size: number): Shape {
  if (sizeOf(checkShapeOf(where, shape)) !== size) {
    throw new RangeError(`${where}: shape ${formatShape(shape)} holds ${sizeOf(shape)} numbers, got ${size}.`);
  }
  return shape;
}
