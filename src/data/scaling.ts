/** Columns brought to a common size, and back. */

import { checkIds, checkNumber, checkSome, describe, formatShape } from '../tensor/shape';
import { isTensor, type Tensor } from '../tensor/tensor';

/** What each column is scaled by: (x − offset) / scale. Plain data: store it as JSON beside the weights. */
export interface Scaler {
  readonly offset: readonly number[];
  readonly scale: readonly number[];
}

function checkTensor(where: string, data: Tensor): void {
  if (!isTensor(data)) throw new TypeError(`${where}: data must be a tensor […, F], got ${describe(data)}.`);
}

function columnsOf(where: string, tensor: Tensor): { readonly size: number; readonly rows: number } {
  checkTensor(where, tensor);
  const { shape, data } = tensor;
  const size = shape.at(-1);
  if (size === undefined) throw new RangeError(`${where}: data must be […, F], got a scalar.`);
  checkSome(where, 'data', data.length, 'row');
  const wrong = data.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) checkNumber(where, `data[${wrong}]`, data[wrong]!);
  return { size, rows: data.length / size };
}

/** A column that does not change is not stretched. */
const orOne = (scale: number): number => (scale > 0 ? scale : 1);

/**
 * Scales every column of the last axis to mean 0 and deviation 1 (of all N numbers, not N − 1). Make it of the training part alone: what it
 * knows of the rest is knowledge of what is to be forecast.
 *
 * @param data `[…, F]`
 * @throws TypeError where the data is no tensor
 * @throws RangeError where there is no row, or a number is not finite
 * @example
 * const scaler = standardScaler(tensor([[1, 5], [3, 5]]));
 * scaleWith(scaler, tensor([[1, 5], [5, 6]])).data; // Float32Array [-1, 0, 3, 1]
 */
export function standardScaler(data: Tensor): Scaler {
  const { size, rows } = columnsOf('standardScaler', data);
  // Sums of differences from the first row: of a column that does not change they are 0 without rounding.
  const first = Array.from(data.data.subarray(0, size));
  const offset = [...first];
  data.data.forEach((value, i) => {
    offset[i % size]! += (value - first[i % size]!) / rows;
  });
  const variance = new Array<number>(size).fill(0);
  data.data.forEach((value, i) => {
    variance[i % size]! += (value - offset[i % size]!) ** 2 / rows;
  });
  return { offset, scale: variance.map((each) => orOne(Math.sqrt(each))) };
}

/**
 * Scales every column of the last axis so that its smallest number becomes 0 and its largest 1, or `from` and `to`. Make it of the training
 * part alone; other data may fall outside.
 *
 * @param data `[…, F]`
 * @throws TypeError where the data is no tensor
 * @throws RangeError where there is no row, a number is not finite, or `to` is not more than `from`
 * @example
 * scaleWith(minMaxScaler(tensor([[1], [5]]), { from: -1, to: 1 }), tensor([[1], [4]])).data; // Float32Array [-1, 0.5]
 */
export function minMaxScaler(
  data: Tensor,
  { from = 0, to = 1 }: { readonly from?: number; readonly to?: number } = {},
): Scaler {
  const { size } = columnsOf('minMaxScaler', data);
  checkNumber('minMaxScaler', 'from', from);
  checkNumber('minMaxScaler', 'to', to);
  if (to <= from) throw new RangeError(`minMaxScaler: to must be more than from, got ${from} to ${to}.`);
  const least = new Array<number>(size).fill(Infinity);
  const most = new Array<number>(size).fill(-Infinity);
  data.data.forEach((value, i) => {
    least[i % size] = Math.min(least[i % size]!, value);
    most[i % size] = Math.max(most[i % size]!, value);
  });
  const scale = least.map((low, column) => orOne((most[column]! - low) / (to - from)));
  return { offset: least.map((low, column) => low - from * scale[column]!), scale };
}

/**
 * (x − offset) / scale, column by column.
 *
 * @param data `[…, F]`
 * @param columns which columns of the scaler those of the data are; all, in order, by default
 * @throws TypeError where the data is no tensor
 * @throws RangeError where the data has not as many columns, or the scaler has not as many offsets as scales
 * @example
 * const scaler = standardScaler(tensor([[1, 50], [3, 70]]));
 * scaleWith(scaler, tensor([[80]]), [1]).data; // Float32Array [2]
 */
export function scaleWith(scaler: Scaler, data: Tensor, columns?: readonly number[]): Tensor {
  return mapColumns('scaleWith', scaler, data, columns, (value, offset, scale) => (value - offset) / scale);
}

/**
 * x · scale + offset, column by column: what {@link scaleWith} did, undone.
 *
 * @param data `[…, F]`
 * @param columns which columns of the scaler those of the data are; all, in order, by default. One that stands several times serves for a
 * forecast of several steps: `[2, 2, 2]`.
 * @throws TypeError where the data is no tensor
 * @throws RangeError where the data has not as many columns, or the scaler has not as many offsets as scales
 * @example
 * const scaler = standardScaler(tensor([[1, 50], [3, 70]]));
 * unscaleWith(scaler, tensor([[2, -1]]), [1, 1]).data; // Float32Array [80, 50]
 */
export function unscaleWith(scaler: Scaler, data: Tensor, columns?: readonly number[]): Tensor {
  return mapColumns('unscaleWith', scaler, data, columns, (value, offset, scale) => value * scale + offset);
}

function mapColumns(
  where: string,
  { offset, scale }: Scaler,
  tensor: Tensor,
  columns: readonly number[] | undefined,
  map: (value: number, offset: number, scale: number) => number,
): Tensor {
  checkTensor(where, tensor);
  if (offset.length !== scale.length) {
    throw new RangeError(
      `${where}: scaler must have one offset and one scale a column, got ${offset.length} and ${scale.length}.`,
    );
  }
  const { shape, data } = tensor;
  const chosen = columns ?? offset.map((_, column) => column);
  checkIds(where, 'columns', chosen, offset.length, `The scaler has ${offset.length} columns.`);
  if (shape.at(-1) !== chosen.length)
    throw new RangeError(`${where}: data must be […, F] = […, ${chosen.length}], got ${formatShape(shape)}.`);
  return {
    shape,
    data: data.map((value, i) => map(value, offset[chosen[i % chosen.length]!]!, scale[chosen[i % chosen.length]!]!)),
  };
}
