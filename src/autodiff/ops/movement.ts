/** Operations that rearrange elements without changing them. */

import { gatherRows, scatterAddRows } from '../../kernels/linear';
import { addStrided, copyStrided } from '../../kernels/movement';
import {
  checkArray,
  checkCount,
  checkShape,
  checkSome,
  formatShape,
  lengthAt,
  outOfRange,
  resolveAxis,
  resolveRange,
  type Shape,
  sizeOf,
  stridesOf,
  validSize,
} from '../../tensor/shape';
import type { IntTensor } from '../../tensor/tensor';
import {
  gradientOf,
  idOperand,
  type Operand,
  operand,
  record,
  result,
  type Variable,
  variableAt,
  viewOf,
} from '../tape';

/**
 * Reshapes a tensor without a copy. One length may be −1: it is inferred from the size.
 *
 * @throws RangeError if the sizes differ
 * @example
 * compute({ x: tensor([[1, 2, 3], [4, 5, 6]]) }, ({ x }) => reshape(x, [-1, 2])).shape; // [3, 2]
 */
export function reshape(x: Operand, shape: Shape): Variable {
  const input = operand('reshape', x);
  checkArray('reshape', 'shape', shape);
  for (const length of shape) checkCount('reshape', 'a length of shape', length, -1);
  const known = shape.reduce((size, length) => (length === -1 ? size : size * length), 1);
  const resolved = shape.map((length) => (length === -1 ? input.size / known : length));
  if (validSize(resolved) !== input.size) {
    const expected = `of size ${input.size}, like the shape ${formatShape(input.shape)} of x`;
    throw outOfRange('reshape', 'shape', expected, formatShape(shape));
  }
  return viewOf(input, resolved);
}

/**
 * Permutes the axes of a tensor.
 *
 * @param axes for each axis of the result, the axis of x. Default: all axes in reverse
 * @throws RangeError if `axes` is not a permutation
 * @example
 * compute({ x: tensor([[1, 2], [3, 4]]) }, ({ x }) => transpose(x)).data; // Float32Array [1, 3, 2, 4]
 */
export function transpose(x: Operand, axes?: readonly number[]): Variable {
  const input = operand('transpose', x);
  if (axes !== undefined) checkArray('transpose', 'axes', axes);
  const order =
    axes?.map((axis) => resolveAxis('transpose', axis, input.shape.length)) ??
    input.shape.map((_, axis) => axis).reverse();
  if (order.length !== input.shape.length || new Set(order).size !== order.length) {
    throw outOfRange('transpose', 'axes', 'a permutation of the axes of x', formatShape(order));
  }
  const strides = stridesOf(input.shape);
  return gatherStrided(
    input,
    order.map((axis) => input.shape[axis]!),
    order.map((axis) => strides[axis]!),
    0,
  );
}

/**
 * Slices a tensor along an axis. A slice along the first axis is a view, without a copy.
 *
 * @param start the first index; a negative one counts from the end
 * @param end the index after the last one; a negative one counts from the end. Default: the length of the axis
 * @param axis the axis to slice; 0 by default, and negative axes count from the end
 * @throws RangeError if the range is not inside the axis
 * @example
 * const x = tensor([[1, 2, 3], [4, 5, 6]]);
 * compute({ x }, (p) => slice(p.x, -2, undefined, 1)).data; // Float32Array [2, 3, 5, 6]
 */
export function slice(x: Operand, start: number, end?: number, axis = 0): Variable {
  const input = operand('slice', x);
  const along = resolveAxis('slice', axis, input.shape.length);
  const [from, to] = resolveRange('slice', start, end, along, input.shape);
  const shape = input.shape.map((n, i) => (i === along ? to - from : n));
  const strides = stridesOf(input.shape);
  const begin = from * strides[along]!;
  return along === 0 ? viewOf(input, shape, begin) : gatherStrided(input, shape, strides, begin);
}

/**
 * Concatenates tensors along an existing axis; their other axes must have equal lengths.
 *
 * @param axis the axis to concatenate along; 0 by default, and negative axes count from the end
 * @throws RangeError if `parts` is empty, or the lengths of another axis differ
 * @example
 * compute({ x: tensor([[1], [2]]) }, ({ x }) => concat([x, tensor([[3], [4]])], 1)).data; // Float32Array [1, 3, 2, 4]
 */
export function concat(parts: readonly Operand[], axis = 0): Variable {
  checkArray('concat', 'parts', parts);
  const inputs = parts.map((part, index) => operand('concat', part, `parts[${index}]`));
  const first = inputs[0]!;
  checkSome('concat', 'parts', inputs.length, 'tensor');
  const along = resolveAxis('concat', axis, first.shape.length);
  const lengths = first.shape.map((n, i) => (i === along ? undefined : n));
  inputs.forEach(({ shape }, index) => checkShape('concat', `parts[${index}]`, shape, 'like parts[0]', lengths));
  const length = inputs.reduce((total, { shape }) => total + shape[along]!, 0);
  const k = first.storage.scope.kernels;
  const output = result(
    first.shape.map((n, i) => (i === along ? length : n)),
    inputs,
  );
  const strides = stridesOf(output.shape);
  let start = 0;
  for (const input of inputs) {
    const inputStrides = stridesOf(input.shape);
    const part = viewOf(output, input.shape, start);
    start += input.shape[along]! * strides[along]!;
    k.of(copyStrided)(part.offset, strides, input.offset, inputStrides, input.shape);
    if (input.storage.tracked)
      record([output], () => k.of(addStrided)(gradientOf(input), inputStrides, gradientOf(part), strides, input.shape));
  }
  return output;
}

/**
 * Stacks tensors of equal shape along a new axis.
 *
 * @param axis the position of the new axis; 0 by default, and negative positions count from the end
 * @throws RangeError if `parts` is empty, or the shapes differ
 * @example
 * compute({ x: tensor([1, 2, 3]) }, ({ x }) => stack([x, x])).shape; // [2, 3]
 */
export function stack(parts: readonly Operand[], axis = 0): Variable {
  checkArray('stack', 'parts', parts);
  const inputs = parts.map((part, index) => operand('stack', part, `parts[${index}]`));
  const first = inputs[0]!;
  checkSome('stack', 'parts', inputs.length, 'tensor');
  const along = resolveAxis('stack', axis, first.shape.length + 1);
  const widened = inputs.map((input, index) => {
    checkShape('stack', `parts[${index}]`, input.shape, 'like parts[0]', first.shape);
    return viewOf(input, [...input.shape.slice(0, along), 1, ...input.shape.slice(along)]);
  });
  return concat(widened, along);
}

/**
 * Selects rows of a table by id: a table `[V, …]` and ids of any shape give `[...ids.shape, …]`. The gradients of
 * repeated ids add up.
 *
 * @throws RangeError if an id is outside [0, V)
 * @example
 * const table = tensor([[1, 2], [3, 4]]);
 * compute({ table }, (p) => gather(p.table, intTensor([1, 1, 0]))).data; // Float32Array [3, 4, 3, 4, 1, 2]
 */
export function gather(table: Operand, ids: IntTensor): Variable {
  const rows = operand('gather', table, 'table');
  const count = lengthAt('gather', 'table', rows.shape, 0);
  const chosen = idOperand('gather', ids, count, 'ids');
  return takeRows(rows, chosen, [...ids.shape, ...rows.shape.slice(1)]);
}

/** Selects rows by ids that are already in the workspace. The id −1 gives a row of zeros without a gradient. */
export function takeRows(table: Variable, ids: Variable, shape: Shape): Variable {
  const k = table.storage.scope.kernels;
  const width = sizeOf(table.shape.slice(1));
  const output = result(shape, [table]);
  k.of(gatherRows)(output.offset, table.offset, ids.offset, ids.size, width);
  record([output], () => k.of(scatterAddRows)(gradientOf(table), gradientOf(output), ids.offset, ids.size, width));
  return output;
}

/**
 * Returns the same values as a constant: no gradient flows through it.
 *
 * @example
 * const { gradient } = valueAndGradient({ x: tensor([3]) }, ({ x }) => sum(multiply(x, stopGradient(x))));
 * gradient.x.data; // Float32Array [3]
 */
export function stopGradient(x: Operand): Variable {
  const input = operand('stopGradient', x);
  return variableAt(input.storage.scope, input.offset, input.shape, false);
}

/** Copies the elements of a variable from `begin` on, by strides, into a new one; strides of 0 repeat elements. */
export function gatherStrided(input: Variable, shape: Shape, inputStrides: readonly number[], begin: number): Variable {
  const k = input.storage.scope.kernels;
  const output = result(shape, [input]);
  const strides = stridesOf(shape);
  k.of(copyStrided)(output.offset, strides, input.offset + begin, inputStrides, shape);
  record([output], () => k.of(addStrided)(gradientOf(input) + begin, inputStrides, gradientOf(output), strides, shape));
  return output;
}
