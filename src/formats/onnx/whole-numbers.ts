/** Whole numbers beside the tape: shapes, indices and lengths, on which exporters do arithmetic. */

import { broadcastShapes, type Shape, sameShape, sizeOf, stridesOf } from '../../tensor/shape';
import type { IntTensor } from '../../tensor/tensor';
import { mostAxes } from './model';
import type { Value } from './node-reader';

/** More elements than any model means, and less than would harm. */
const most = 0x4000000; // 2²⁶, written so that nothing runs at import

/** @throws RangeError where a shape that a file asks for has lengths that cannot be, or more elements than is sensible */
export function checkSize(shape: Shape): Shape {
  if (shape.length > mostAxes) throw new RangeError(`a tensor cannot have ${shape.length} axes`);
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0))
    throw new RangeError(`a tensor cannot have the shape [${shape.join(', ')}]`);
  if (sizeOf(shape) > most)
    throw new RangeError(
      `a tensor of shape [${shape.join(', ')}] is larger than the ${most} numbers that are made here`,
    );
  return shape;
}

/** Numbers cut to 32 bits; what is larger becomes the largest, since it means "to the end" in these files. */
export function wholes(shape: Shape, values: ArrayLike<number | bigint>): IntTensor {
  const data = new Int32Array(values.length);
  for (let i = 0; i < data.length; i++) data[i] = Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Number(values[i])));
  return { shape, data };
}

/** The numbers of a value that is known to be of whole ones. */
export const numbersOf = (value: Value | undefined): readonly number[] | undefined =>
  value === undefined ? undefined : Array.from((value as IntTensor).data);

/** The elements at `begin` and at steps of these strides from it: a transposition, a slice, a repetition. */
export function strided(x: IntTensor, shape: Shape, strides: readonly number[], begin: number = 0): IntTensor {
  const data = new Int32Array(sizeOf(checkSize(shape)));
  const own = stridesOf(shape);
  for (let i = 0; i < data.length; i++) {
    let from = begin;
    for (let axis = 0; axis < shape.length; axis++)
      from += (Math.floor(i / own[axis]!) % shape[axis]!) * strides[axis]!;
    data[i] = x.data[from]!;
  }
  return { shape, data };
}

/** x repeated along axes of length 1 and new leading ones. */
export function expanded(x: IntTensor, shape: Shape): IntTensor {
  if (sameShape(x.shape, shape)) return x;
  const strides = stridesOf(x.shape);
  const skipped = shape.length - x.shape.length;
  return strided(
    x,
    shape,
    shape.map((_, axis) => (axis < skipped || x.shape[axis - skipped] === 1 ? 0 : strides[axis - skipped]!)),
  );
}

/** f of every pair, broadcast. */
export function pairwise(a: IntTensor, b: IntTensor, f: (a: number, b: number) => number): IntTensor {
  const shape = broadcastShapes('whole numbers', a.shape, b.shape);
  const [x, y] = [expanded(a, shape), expanded(b, shape)];
  return wholes(
    shape,
    Array.from(x.data, (value, i) => f(value, y.data[i]!)),
  );
}

/** Parts along an axis in which they may differ. */
export function joinedAlong(parts: readonly IntTensor[], axis: number, shape: Shape): IntTensor {
  const data = new Int32Array(sizeOf(checkSize(shape)));
  const outer = sizeOf(shape.slice(0, axis));
  let at = 0;
  for (let i = 0; i < outer; i++) {
    for (const part of parts) {
      const size = part.data.length / outer;
      data.set(part.data.subarray(i * size, (i + 1) * size), at);
      at += size;
    }
  }
  return { shape, data };
}
