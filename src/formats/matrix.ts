/** Matrices turned and cut: the only place where gates and axes change their order. */

import type { Tensor } from '../tensor/tensor';

/** `[M, N]` as `[N, M]`. */
export function transposed({ shape, data }: Tensor): Tensor {
  const [rows, columns] = shape as [number, number];
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) result[column * rows + row] = data[row * columns + column]!;
  return { shape: [columns, rows], data: result };
}

/** The gate blocks along the last axis in another order: block k becomes what block `order[k]` was. */
export function reordered({ shape, data }: Tensor, order: readonly number[]): Tensor {
  const width = shape.at(-1)! / order.length;
  const result = new Float32Array(data.length);
  for (let row = 0; row < data.length; row += shape.at(-1)!) {
    order.forEach((from, to) =>
      result.set(data.subarray(row + from * width, row + (from + 1) * width), row + to * width),
    );
  }
  return { shape, data: result };
}

/** The numbers of a vector from `from` to `to`. */
export const part = ({ data }: Tensor, from: number, to: number): Tensor => ({
  shape: [to - from],
  data: data.slice(from, to),
});

/** Vectors one behind the other. */
export function joined(...vectors: readonly Tensor[]): Tensor {
  const data = new Float32Array(vectors.reduce((size, each) => size + each.data.length, 0));
  let offset = 0;
  for (const each of vectors) {
    data.set(each.data, offset);
    offset += each.data.length;
  }
  return { shape: [data.length], data };
}

/** The sum, in single precision. */
export const sumOf = (a: Tensor, b: Tensor): Tensor => ({
  shape: a.shape,
  data: a.data.map((value, i) => value + b.data[i]!),
});

/** Zeros. */
export const zerosOf = (...shape: readonly number[]): Tensor => ({
  shape,
  data: new Float32Array(shape.reduce((size, length) => size * length, 1)),
});
