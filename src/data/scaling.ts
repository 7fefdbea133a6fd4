/** Scaling of columns to a common range, and its inverse. */

import { lastOf } from '../tensor/arrays';
import {
  checkArray,
  checkIds,
  checkNames,
  checkNumber,
  checkShape,
  checkSome,
  formatShape,
  outOfRange,
} from '../tensor/shape';
import { checkTensor, type Tensor } from '../tensor/tensor';

/** The offset and scale of every column: (x − offset) / scale. Plain data: store it as JSON with the weights. */
export interface Scaler {
  readonly offset: readonly number[];
  readonly scale: readonly number[];
}

/** The numbers of columns and rows. @throws RangeError if there is one axis, no row, or a value that is not finite */
function columnsOf(where: string, tensor: Tensor): { readonly size: number; readonly rows: number } {
  checkTensor(where, 'data', tensor);
  const { shape, data } = tensor;
  // With one axis, every value would be a constant column, which scaling makes 0.
  checkShape(where, 'data', shape.slice(-2), '[N, F]', [undefined, undefined]);
  const size = lastOf(shape)!;
  checkSome(where, 'data', data.length, 'row');
  const invalid = data.findIndex((value) => !Number.isFinite(value));
  if (invalid >= 0) checkNumber(where, `data[${invalid}]`, data[invalid]!);
  return { size, rows: data.length / size };
}

/**
 * Creates a scaler that scales every column of the last axis to mean 0 and standard deviation 1 (of the population:
 * divided by N, not N − 1). Constant columns are only shifted. Fit it to the training data only, so that nothing of the
 * test data leaks into it.
 *
 * @param data `[…, N, F]`; a series of one variable is `[N, 1]`
 * @throws TypeError if the data is not a tensor
 * @throws RangeError if the data has one axis or no rows, or a value is not finite
 * @example
 * const scaler = standardScaler(tensor([[1, 5], [3, 5]]));
 * scaleWith(scaler, tensor([[1, 5], [5, 6]])).data; // Float32Array [-1, 0, 3, 1]
 */
export function standardScaler(data: Tensor): Scaler {
  const { size, rows } = columnsOf('standardScaler', data);
  // Sums of differences from the first row: for a constant column they are exactly 0.
  const first = Array.from(data.data.subarray(0, size));
  const offset = [...first];
  data.data.forEach((value, i) => {
    offset[i % size]! += (value - first[i % size]!) / rows;
  });
  const variance = new Array<number>(size).fill(0);
  data.data.forEach((value, i) => {
    variance[i % size]! += (value - offset[i % size]!) ** 2 / rows;
  });
  // 1 if the column is constant.
  return { offset, scale: variance.map((value) => Math.sqrt(value) || 1) };
}

/**
 * Creates a scaler that scales every column of the last axis to the range from 0 to 1, or from `from` to `to`. Constant
 * columns are only shifted. Fit it to the training data only; other data may fall outside the range.
 *
 * @param data `[…, N, F]`; a series of one variable is `[N, 1]`
 * @throws TypeError if the data is not a tensor
 * @throws RangeError if the data has one axis or no rows, a value is not finite, or `to` is not greater than `from`
 * @example
 * scaleWith(minMaxScaler(tensor([[1], [5]]), { from: -1, to: 1 }), tensor([[1], [4]])).data; // Float32Array [-1, 0.5]
 */
export function minMaxScaler(
  data: Tensor,
  options: { readonly from?: number | undefined; readonly to?: number | undefined } = {},
): Scaler {
  checkNames('minMaxScaler', 'options', options, ['from', 'to']);
  const { from = 0, to = 1 } = options;
  const { size } = columnsOf('minMaxScaler', data);
  checkNumber('minMaxScaler', 'from', from);
  checkNumber('minMaxScaler', 'to', to);
  if (to <= from) throw outOfRange('minMaxScaler', 'to', 'greater than from', `${from} to ${to}`);
  const min = new Array<number>(size).fill(Infinity);
  const max = new Array<number>(size).fill(-Infinity);
  data.data.forEach((value, i) => {
    min[i % size] = Math.min(min[i % size]!, value);
    max[i % size] = Math.max(max[i % size]!, value);
  });
  // 1 if the column is constant.
  const scale = min.map((low, column) => (max[column]! - low) / (to - from) || 1);
  return { offset: min.map((low, column) => low - from * scale[column]!), scale };
}

/**
 * Scales every column: (x − offset) / scale.
 *
 * @param data `[…, F]`
 * @param columns for every column of the data the column of the scaler; all, in order, by default
 * @throws TypeError if the data is not a tensor
 * @throws RangeError if the data has another number of columns, or the scaler has different numbers of offsets and
 * scales
 * @example
 * const scaler = standardScaler(tensor([[1, 50], [3, 70]]));
 * scaleWith(scaler, tensor([[80]]), [1]).data; // Float32Array [2]
 */
export function scaleWith(scaler: Scaler, data: Tensor, columns?: readonly number[]): Tensor {
  return mapColumns('scaleWith', scaler, data, columns, (value, offset, scale) => (value - offset) / scale);
}

/**
 * Reverses {@link scaleWith}: x · scale + offset for every column.
 *
 * @param data `[…, F]`
 * @param columns for every column of the data the column of the scaler; all, in order, by default. Repeat a column for
 * a forecast of several steps: `[2, 2, 2]`.
 * @throws TypeError if the data is not a tensor
 * @throws RangeError if the data has another number of columns, or the scaler has different numbers of offsets and
 * scales
 * @example
 * const scaler = standardScaler(tensor([[1, 50], [3, 70]]));
 * unscaleWith(scaler, tensor([[2, -1]]), [1, 1]).data; // Float32Array [80, 50]
 */
export function unscaleWith(scaler: Scaler, data: Tensor, columns?: readonly number[]): Tensor {
  return mapColumns('unscaleWith', scaler, data, columns, (value, offset, scale) => value * scale + offset);
}

function mapColumns(
  where: string,
  scaler: Scaler,
  tensor: Tensor,
  columns: readonly number[] | undefined,
  map: (value: number, offset: number, scale: number) => number,
): Tensor {
  checkTensor(where, 'data', tensor);
  checkNames(where, 'scaler', scaler, ['offset', 'scale']);
  const { offset, scale } = scaler;
  checkArray(where, 'scaler.offset', offset);
  checkArray(where, 'scaler.scale', scale);
  [...offset, ...scale].forEach((value) => checkNumber(where, 'scaler', value));
  if (scale.includes(0)) throw outOfRange(where, 'scaler.scale', 'other than 0', '0');
  if (columns !== undefined) checkArray(where, 'columns', columns);
  if (offset.length !== scale.length)
    throw outOfRange(where, 'scaler.scale', `of length ${offset.length}, like scaler.offset`, scale.length);
  const { shape, data } = tensor;
  const indices = columns ?? offset.map((_, column) => column);
  checkIds(where, 'columns', indices, offset.length);
  if (lastOf(shape) !== indices.length)
    throw outOfRange(where, 'data', `[…, F] = […, ${indices.length}]`, formatShape(shape));
  return {
    shape,
    data: data.map((value, i) => {
      const column = indices[i % indices.length]!;
      return map(value, offset[column]!, scale[column]!);
    }),
  };
}
