/** Integer tensors (shapes, indices, lengths, masks), on which exporters do arithmetic. They are not on the tape. */

import { broadcastShapes, type Shape, sameShape, sizeOf, stridesOf } from '../../tensor/shape';
import type { IntTensor } from '../../tensor/tensor';
import type { Value } from './node-reader';
import { checkResultShape } from './run-limit';

/** Creates an integer tensor, with elements clamped to 32 bits: larger ones mean "to the end" in ONNX files. */
export const clampedIntTensor = (shape: Shape, values: ArrayLike<number | bigint>): IntTensor =>
  intTensorOf(shape, (i) => Number(values[i]));

/** Creates an integer tensor of elements by position, which are clamped like those of {@link clampedIntTensor}. */
export function intTensorOf(shape: Shape, elementAt: (i: number) => number): IntTensor {
  const data = new Int32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, elementAt(i)));
  return { shape, data };
}

/** The elements of an integer value, of which `checkInputs` has checked the kind. */
export const elementsOf = (value: Value | undefined): readonly number[] | undefined =>
  value === undefined ? undefined : Array.from((value as IntTensor).data);

/** Copies the elements at `offset` plus multiples of the strides: a transposition, a slice or a repetition. */
export function strided(x: IntTensor, shape: Shape, strides: readonly number[], offset: number = 0): IntTensor {
  const data = new Int32Array(sizeOf(checkResultShape(shape)));
  const targetStrides = stridesOf(shape);
  for (let i = 0; i < data.length; i++) {
    let index = offset;
    for (let axis = 0; axis < shape.length; axis++)
      index += (Math.floor(i / targetStrides[axis]!) % shape[axis]!) * strides[axis]!;
    data[i] = x.data[index]!;
  }
  return { shape, data };
}

/** Broadcasts x to a shape. */
export function expanded(x: IntTensor, shape: Shape): IntTensor {
  if (sameShape(x.shape, shape)) return x;
  const strides = stridesOf(x.shape);
  const newAxes = shape.length - x.shape.length;
  return strided(
    x,
    shape,
    shape.map((_, axis) => (axis < newAxes || x.shape[axis - newAxes] === 1 ? 0 : strides[axis - newAxes]!)),
  );
}

/** Applies f element-wise, after broadcasting a and b to each other. */
export function pairwise(a: IntTensor, b: IntTensor, f: (a: number, b: number) => number): IntTensor {
  const shape = broadcastShapes('pairwise', a.shape, b.shape);
  const x = expanded(a, shape);
  const y = expanded(b, shape);
  return intTensorOf(shape, (i) => f(x.data[i]!, y.data[i]!));
}

/** Concatenates the parts along an axis to a tensor of the given shape. */
export function joinedAlong(parts: readonly IntTensor[], axis: number, shape: Shape): IntTensor {
  const data = new Int32Array(sizeOf(checkResultShape(shape)));
  const outer = sizeOf(shape.slice(0, axis));
  let offset = 0;
  for (let i = 0; i < outer; i++) {
    for (const part of parts) {
      const size = part.data.length / outer;
      data.set(part.data.subarray(i * size, (i + 1) * size), offset);
      offset += size;
    }
  }
  return { shape, data };
}
