/** Operators that reduce axes: sums, means, products, extrema and their indices. */

import { multiply } from '../../autodiff/ops/arithmetic';
import { slice } from '../../autodiff/ops/movement';
import { mean, sum } from '../../autodiff/ops/reductions';
import { isVariable, operand, toTensor, type Variable } from '../../autodiff/tape';
import { resolveAxis, type Shape, sizeOf } from '../../tensor/shape';
import { full, type IntTensor } from '../../tensor/tensor';
import { clampedIntTensor, elementsOf, intTensorOf } from './int-tensors';
import { checkInputs, consumeAttribute, consumeFlag, type Operator, singleOutput, type Value } from './node-reader';
import { checkResultShape } from './run-limit';
import { gatherValue, reshapeValue, transposeValue } from './values';

/** A reduction of the rows of a matrix `[rows, n]` to `[rows]`, for floats, and of one row of integers. */
export interface RowReduction {
  readonly float: (x: Variable) => Value;
  readonly int: (row: Int32Array) => number;
}

const sumOfRow = (row: Int32Array): number => row.reduce((total, value) => total + value, 0);

export const sumReduction: RowReduction = { float: (x) => sum(x, 1), int: sumOfRow };

export const meanReduction: RowReduction = {
  float: (x) => mean(x, 1),
  int: (row) => Math.trunc(sumOfRow(row) / row.length),
};

export const productReduction: RowReduction = {
  float: productOfRows,
  int: (row) => row.reduce((product, value) => product * value, 1),
};

/** The axes are an attribute before opset 18 (ReduceSum: before 13), an optional input since. Default: all axes. */
export const reduceOperator =
  (reduction: RowReduction): Operator =>
  (reader) => {
    const opType = reader.node.opType;
    const hasInput = reader.opset >= (opType === 'ReduceSum' ? 13 : 18);
    checkInputs(reader, hasInput ? ['any', 'int?'] : ['any']);
    const attribute = hasInput ? undefined : consumeAttribute(reader, 'axes', 'ints');
    const keepsEmpty = hasInput && consumeFlag(reader, 'noop_with_empty_axes');
    const keepsAxes = consumeFlag(reader, 'keepdims', true);
    return singleOutput(reader, (x, input) => {
      const axes = elementsOf(input) ?? attribute ?? [];
      if (axes.length === 0 && keepsEmpty) return x;
      return reduceAxes(opType, x, axes.length === 0 ? [...x.shape.keys()] : axes, keepsAxes, reduction);
    });
  };

/** The index of the largest or smallest element along an axis; of equal ones, the first or the last. */
export const argumentOperator =
  (isBetter: (a: number, b: number) => boolean): Operator =>
  (reader) => {
    checkInputs(reader, ['any']);
    const axis = consumeAttribute(reader, 'axis', 'int') ?? 0;
    const keepsAxes = consumeFlag(reader, 'keepdims', true);
    const selectsLast = consumeFlag(reader, 'select_last_index');
    const better = (a: number, b: number): boolean => isBetter(a, b) || (selectsLast && a === b);
    return singleOutput(
      reader,
      (x) =>
        reduceAxes('ArgMax', x, [axis], keepsAxes, {
          float: (matrix) => clampedIntTensor([matrix.shape[0]!], bestIndices(matrix, better)),
          int: (row) => bestIndex(row, better),
        }),
      'int',
    );
  };

/** Moves the reduced axes to the end, and reduces the rows of the resulting matrix. */
function reduceAxes(
  name: string,
  x: Value,
  axes: readonly number[],
  keepsAxes: boolean,
  { float, int }: RowReduction,
): Value {
  const reduced = new Set(axes.map((axis) => resolveAxis(name, axis, x.shape.length)));
  const kept = [...x.shape.keys()].filter((axis) => !reduced.has(axis));
  const order = [...kept, ...[...x.shape.keys()].filter((axis) => reduced.has(axis))];
  const isOrdered = order.every((axis, i) => axis === i);
  const n = sizeOf([...reduced].map((axis) => x.shape[axis]!));
  const rows = sizeOf(kept.map((axis) => x.shape[axis]!));
  const matrix = reshapeValue(isOrdered ? x : transposeValue(x, order), [rows, n]);
  const shape: Shape = keepsAxes
    ? x.shape.map((length, axis) => (reduced.has(axis) ? 1 : length))
    : kept.map((axis) => x.shape[axis]!);
  // It can be larger than x, which is empty if a reduced axis is.
  checkResultShape(shape);
  if (isVariable(matrix)) return reshapeValue(float(matrix), shape);
  return intTensorOf(shape, (row) => int(matrix.data.subarray(row * n, (row + 1) * n)));
}

/** Multiplies the halves of the rows until one column remains. */
function productOfRows(x: Variable): Value {
  const [rows, n] = x.shape as [number, number];
  if (n === 0) return operand('ReduceProd', full([rows], 1));
  if (n === 1) return reshapeValue(x, [rows]);
  const half = Math.floor(n / 2);
  const product = multiply(slice(x, 0, half, 1), slice(x, half, 2 * half, 1));
  return n === 2 * half
    ? productOfRows(product)
    : reshapeValue(
        multiply(productOfRows(product) as Variable, reshapeValue(slice(x, n - 1, n, 1), [rows]) as Variable),
        [rows],
      );
}

/** The best element of each row; the first of equal ones gets the gradient. */
export function extremumReduction(isBetter: (a: number, b: number) => boolean): RowReduction {
  return {
    float(x) {
      const [rows, n] = x.shape as [number, number];
      const indices: IntTensor = { shape: [rows], data: bestIndices(x, isBetter).map((index, row) => row * n + index) };
      return gatherValue(reshapeValue(x, [rows * n]), indices, 0);
    },
    int: (row) => row[bestIndex(row, isBetter)]!,
  };
}

function bestIndices(x: Variable, isBetter: (a: number, b: number) => boolean): Int32Array {
  const [rows, n] = x.shape as [number, number];
  const { data } = toTensor(x);
  return Int32Array.from({ length: rows }, (_, row) => bestIndex(data.subarray(row * n, (row + 1) * n), isBetter));
}

/** The index of the best element. NaN is better than every number, so that it is not lost. */
function bestIndex(row: Float32Array | Int32Array, isBetter: (a: number, b: number) => boolean): number {
  if (row.length === 0) throw new RangeError('an axis of length 0 has no largest or smallest element');
  let best = 0;
  for (let i = 1; i < row.length && !Number.isNaN(row[best]); i++)
    if (isBetter(row[i]!, row[best]!) || Number.isNaN(row[i])) best = i;
  return best;
}
