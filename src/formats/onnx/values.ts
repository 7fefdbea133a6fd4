/** Data movement for values of either kind: ops on the tape for floats, plain copies for integers. */

import { broadcastTo } from '../../autodiff/ops/arithmetic';
import { concat, gather, reshape, slice, transpose } from '../../autodiff/ops/movement';
import { isVariable, type Variable } from '../../autodiff/tape';
import {
  broadcastShapes,
  formatShape,
  resolveAxis,
  type Shape,
  sameShape,
  sizeOf,
  stridesOf,
} from '../../tensor/shape';
import type { IntTensor, Tensor } from '../../tensor/tensor';
import { fromBfloat16, fromFloat16 } from '../half-precision';
import { clampedIntTensor, expanded, joinedAlong, strided } from './int-tensors';
import type { OnnxTensor } from './model';
import type { Kind, Value } from './node-reader';
import { checkResultShape } from './run-limit';

/** The kind of values of an ONNX data type; undefined if the type is not supported. */
export function kindOf(type: string): Kind | undefined {
  if (type === 'float' || type === 'double' || type === 'float16' || type === 'bfloat16') return 'float';
  return type === 'int32' || type === 'int64' || type === 'bool' ? 'int' : undefined;
}

/** Converts a tensor of a file: floats to single precision, integers clamped to 32 bits. */
export function importTensor(tensor: OnnxTensor): Tensor | IntTensor {
  const { shape, type, data } = tensor;
  if (type === 'float') return { shape, data };
  if (type === 'double') return { shape, data: Float32Array.from(data) };
  if (type === 'float16') return { shape, data: fromFloat16(data) };
  if (type === 'bfloat16') return { shape, data: fromBfloat16(data) };
  return clampedIntTensor(shape, data);
}

/** The number of elements of all values together. */
export const sizesOf = (values: readonly ({ readonly shape: Shape } | undefined)[]): number =>
  values.reduce((total, value) => total + (value === undefined ? 0 : sizeOf(value.shape)), 0);

/** The memory of a value, which views share. */
export const storageOf = (value: Value | undefined): unknown =>
  value !== undefined && (isVariable(value) ? value.storage : value.data);

/** Reshapes x. @throws RangeError if the sizes differ */
export function reshapeValue(x: Value, shape: Shape): Value {
  if (sizeOf(shape) !== sizeOf(x.shape))
    throw new RangeError(`cannot reshape ${formatShape(x.shape)} to ${formatShape(shape)}`);
  return isVariable(x) ? reshape(x, shape) : { shape, data: x.data };
}

/** Permutes the axes of x. */
export function transposeValue(x: Value, order: readonly number[]): Value {
  if (isVariable(x)) return transpose(x, order);
  const axes = order.map((axis) => resolveAxis('Transpose', axis, x.shape.length));
  if (axes.length !== x.shape.length || new Set(axes).size !== axes.length)
    throw new RangeError(
      `perm must be a permutation of ${formatShape([...x.shape.keys()])}, got ${formatShape(order)}`,
    );
  const strides = stridesOf(x.shape);
  return strided(
    x,
    axes.map((axis) => x.shape[axis]!),
    axes.map((axis) => strides[axis]!),
  );
}

/** Broadcasts x and `shape` to each other. */
export function expandValue(x: Value, shape: Shape): Value {
  const target = checkResultShape(broadcastShapes('Expand', x.shape, checkResultShape(shape)));
  return isVariable(x) ? broadcastTo(x, target) : expanded(x, target);
}

/**
 * Resolves the bounds of a slice with the rules of NumPy: negative bounds count from the end, and bounds are clamped.
 * With a negative step, ONNX clamps the start to the first element.
 *
 * @returns the first position, and the number of elements
 */
export function sliceBounds(length: number, start: number, end: number, step: number): [from: number, count: number] {
  if (step === 0) throw new RangeError('steps must not be 0');
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const clamped = (bound: number): number => Math.max(low, Math.min(high, bound < 0 ? bound + length : bound));
  const from = Math.max(0, clamped(start));
  return [from, Math.max(0, Math.min(length, Math.ceil((clamped(end) - from) / step)))];
}

/** Slices x along one axis, with {@link sliceBounds}. */
export function sliceValue(x: Value, axis: number, start: number, end: number, step: number): Value {
  const along = resolveAxis('Slice', axis, x.shape.length);
  const length = x.shape[along]!;
  const [from, count] = sliceBounds(length, start, end, step);
  if (step === 1 && count === length) return x;
  if (!isVariable(x)) {
    const strides = stridesOf(x.shape);
    const shape = x.shape.map((n, i) => (i === along ? count : n));
    return strided(
      x,
      shape,
      strides.map((stride, i) => (i === along ? stride * step : stride)),
      from * strides[along]!,
    );
  }
  if (step === 1 || count === 0) return slice(x, count === 0 ? 0 : from, count === 0 ? 0 : from + count, along);
  return gatherValue(x, { shape: [count], data: Int32Array.from({ length: count }, (_, i) => from + i * step) }, along);
}

/**
 * Gathers the slices of x at `indices` along an axis; negative indices count from the end. The axes of `indices`
 * replace that axis.
 */
export function gatherValue(x: Value, indices: IntTensor, axis: number): Value {
  const along = resolveAxis('Gather', axis, x.shape.length);
  const leading = x.shape.slice(0, along);
  const length = x.shape[along]!;
  const trailing = x.shape.slice(along + 1);
  const outer = sizeOf(leading);
  const inner = sizeOf(trailing);
  const ids = indices.data.map((id) => (id < 0 ? id + length : id));
  const invalid = ids.findIndex((id) => id < 0 || id >= length);
  if (invalid >= 0)
    throw new RangeError(`indices must be from ${-length} to ${length - 1}, got ${indices.data[invalid]}`);
  const shape = checkResultShape([...leading, ...indices.shape, ...trailing]);
  if (ids.length === 1) return reshapeValue(sliceValue(x, along, ids[0]!, ids[0]! + 1, 1), shape);
  const blocks = reshapeValue(x, [outer, length, inner]);
  const table =
    outer === 1
      ? reshapeValue(blocks, [length, inner])
      : reshapeValue(transposeValue(blocks, [1, 0, 2]), [length, outer * inner]);
  const rows = gatherRows(table, { shape: [ids.length], data: ids });
  const ordered = outer === 1 ? rows : transposeValue(reshapeValue(rows, [ids.length, outer, inner]), [1, 0, 2]);
  return reshapeValue(ordered, shape);
}

/** Gathers rows of a variable. The tape stores the ids as floats, which are exact up to 2²⁴. */
function gatherVariableRows(table: Variable, ids: IntTensor): Variable {
  if (table.shape[0]! > 2 ** 24)
    throw new RangeError(`a table of floats must have at most 2²⁴ rows to gather from, got ${table.shape[0]}`);
  return gather(table, ids);
}

function gatherRows(table: Value, ids: IntTensor): Value {
  if (isVariable(table)) return gatherVariableRows(table, ids);
  const width = table.shape[1]!;
  const data = new Int32Array(ids.data.length * width);
  ids.data.forEach((id, i) => {
    data.set(table.data.subarray(id * width, (id + 1) * width), i * width);
  });
  return { shape: [ids.data.length, width], data };
}

/** Concatenates values of one kind along an axis. */
export function concatValues(parts: readonly Value[], axis: number): Value {
  const [{ shape }] = parts as readonly [Value];
  const along = resolveAxis('Concat', axis, shape.length);
  const otherAxes = (lengths: Shape): Shape => lengths.map((n, i) => (i === along ? 0 : n));
  const mismatch = parts.find((part) => !sameShape(otherAxes(part.shape), otherAxes(shape)));
  if (mismatch !== undefined)
    throw new RangeError(
      `cannot concatenate ${formatShape(shape)} and ${formatShape(mismatch.shape)} along axis ${along}`,
    );
  const result = checkResultShape(
    shape.map((n, i) => (i === along ? parts.reduce((sum, part) => sum + part.shape[along]!, 0) : n)),
  );
  return isVariable(parts[0])
    ? concat(parts as readonly Variable[], along)
    : joinedAlong(parts as readonly IntTensor[], along, result);
}

/**
 * Selects x where the condition is not 0 and y where it is, broadcast to each other. Floats are gathered by row, so
 * that elements that are not selected get no gradient and may be NaN.
 */
export function selectValue(condition: IntTensor, x: Value, y: Value): Value {
  const shape = checkResultShape(broadcastShapes('Where', condition.shape, broadcastShapes('Where', x.shape, y.shape)));
  if (!isVariable(x)) {
    const selected = expanded(condition, shape).data;
    const a = expanded(x, shape).data;
    const b = expanded(y as IntTensor, shape).data;
    return { shape, data: selected.map((isSelected, i) => (isSelected !== 0 ? a : b)[i]!) };
  }
  // Trailing axes along which the condition is constant form one row.
  const varying = condition.shape.reduce((last, length, axis) => (length > 1 ? axis + 1 : last), 0);
  const leading = varying === 0 ? 0 : shape.length - condition.shape.length + varying;
  const selected = expanded(
    { shape: condition.shape.slice(0, varying), data: condition.data },
    shape.slice(0, leading),
  ).data;
  const rows = selected.length;
  const table = concat(
    [x, y as Variable].map((value) => reshape(broadcastTo(value, shape), [rows, sizeOf(shape.slice(leading))])),
  );
  const ids = selected.map((isSelected, i) => (isSelected !== 0 ? i : rows + i));
  return reshape(gatherVariableRows(table, { shape: [rows], data: ids }), shape);
}
