/** Transposing, reordering and slicing of weights. All changes of gate and axis order are in this file. */

import { lastOf } from '../tensor/arrays';
import type { Tensor } from '../tensor/tensor';

/** Transposes `[M, N]` to `[N, M]`. */
export function transposed({ shape, data }: Tensor): Tensor {
  const [rows, columns] = shape as [number, number];
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) result[column * rows + row] = data[row * columns + column]!;
  return { shape: [columns, rows], data: result };
}

/**
 * Reverses the axes of the weight of a convolution, `[k, I, O]` to `[O, I, k]` and back. With a dilation, zeros between
 * the taps replace it.
 */
export function reversedAxes({ shape, data }: Tensor, dilation = 1): Tensor {
  const [A, B, C] = shape as [number, number, number];
  const extent = (A - 1) * dilation + 1;
  const result = new Float32Array(C * B * extent);
  for (let a = 0, i = 0; a < A; a++)
    for (let b = 0; b < B; b++) for (let c = 0; c < C; c++, i++) result[(c * B + b) * extent + a * dilation] = data[i]!;
  return { shape: [C, B, extent], data: result };
}

/** Reorders the gate blocks along the last axis: block `k` of the result is block `order[k]` of the argument. */
export function reordered({ shape, data }: Tensor, order: readonly number[]): Tensor {
  const width = lastOf(shape)! / order.length;
  const result = new Float32Array(data.length);
  for (let row = 0; row < data.length; row += lastOf(shape)!) {
    order.forEach((from, to) =>
      result.set(data.subarray(row + from * width, row + (from + 1) * width), row + to * width),
    );
  }
  return { shape, data: result };
}

/** The elements of a vector from index `from` up to, not including, `to`. */
export const part = ({ data }: Tensor, from: number, to: number): Tensor => ({
  shape: [to - from],
  data: data.slice(from, to),
});

/** Concatenates vectors. */
export function joined(...vectors: readonly Tensor[]): Tensor {
  const result = new Float32Array(vectors.reduce((size, { data }) => size + data.length, 0));
  let offset = 0;
  for (const { data } of vectors) {
    result.set(data, offset);
    offset += data.length;
  }
  return { shape: [result.length], data: result };
}

/** The element-wise sum, rounded to single precision. */
export const sumOf = (a: Tensor, b: Tensor): Tensor => ({
  shape: a.shape,
  data: a.data.map((value, i) => value + b.data[i]!),
});
