/** Moving values of either kind: by ops of the tape, or as whole numbers beside it. */

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
import type { OnnxTensor } from './model';
import type { Kind, Value } from './node-reader';
import { checkSize, expanded, joinedAlong, strided, wholes } from './whole-numbers';

/** What numbers of a type are here; nothing where they are not known. */
export function kindOf(type: string): Kind | undefined {
  return type === 'float' || type === 'double'
    ? 'float'
    : ['int32', 'int64', 'bool'].includes(type)
      ? 'whole'
      : undefined;
}

/** The tensor of a file: double precision becomes single, whole numbers are cut to 32 bits. */
export function constantOf(tensor: OnnxTensor): Tensor | IntTensor {
  const { shape, type, data } = tensor;
  if (type === 'float') return { shape, data };
  return type === 'double' ? { shape, data: Float32Array.from(data) } : wholes(shape, data);
}

/** The same numbers under another shape. */
export function reshapeValue(x: Value, shape: Shape): Value {
  if (sizeOf(shape) !== sizeOf(x.shape))
    throw new RangeError(`${formatShape(x.shape)} cannot become ${formatShape(shape)}`);
  return isVariable(x) ? reshape(x, shape) : { shape, data: x.data };
}

/** The axes in another order. */
export function transposeValue(x: Value, order: readonly number[]): Value {
  if (isVariable(x)) return transpose(x, order);
  const axes = order.map((axis) => resolveAxis('Transpose', axis, x.shape.length));
  if (axes.length !== x.shape.length || new Set(axes).size !== axes.length)
    throw new RangeError(`perm must name each of ${x.shape.length} axes once, got ${formatShape(order)}`);
  const strides = stridesOf(x.shape);
  return strided(
    x,
    axes.map((axis) => x.shape[axis]!),
    axes.map((axis) => strides[axis]!),
  );
}

/** x and the shape broadcast to each other. */
export function expandValue(x: Value, shape: Shape): Value {
  const target = checkSize(broadcastShapes('Expand', x.shape, checkSize(shape)));
  return isVariable(x) ? broadcastTo(x, target) : expanded(x, target);
}

/** What slices in NumPy's way mean along one axis: bounds are counted from the end where they are negative, and cut to the axis. */
export function sliceValue(x: Value, axis: number, start: number, end: number, step: number): Value {
  const along = resolveAxis('Slice', axis, x.shape.length);
  const length = x.shape[along]!;
  if (step === 0) throw new RangeError('steps must not be 0');
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const bound = (at: number): number => Math.max(low, Math.min(high, at < 0 ? at + length : at));
  const from = Math.max(0, bound(start));
  const count = Math.max(0, Math.min(length, Math.ceil((bound(end) - from) / step)));
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

/** The parts of x along an axis that indices name, negative ones from the end; the axes of the indices stand in its place. */
export function gatherValue(x: Value, indices: IntTensor, axis: number): Value {
  const along = resolveAxis('Gather', axis, x.shape.length);
  const [before, length, after] = [x.shape.slice(0, along), x.shape[along]!, x.shape.slice(along + 1)];
  const [outer, inner] = [sizeOf(before), sizeOf(after)];
  const ids = indices.data.map((id) => (id < 0 ? id + length : id));
  const wrong = ids.findIndex((id) => id < 0 || id >= length);
  if (wrong >= 0) throw new RangeError(`indices must be from ${-length} to ${length - 1}, got ${indices.data[wrong]}`);
  const shape = [...before, ...indices.shape, ...after];
  if (ids.length === 1) return reshapeValue(sliceValue(x, along, ids[0]!, ids[0]! + 1, 1), shape);
  const blocks = reshapeValue(x, [outer, length, inner]);
  const rows =
    outer === 1
      ? reshapeValue(blocks, [length, inner])
      : reshapeValue(transposeValue(blocks, [1, 0, 2]), [length, outer * inner]);
  const taken = takeRows(rows, { shape: [ids.length], data: ids });
  const placed = outer === 1 ? taken : transposeValue(reshapeValue(taken, [ids.length, outer, inner]), [1, 0, 2]);
  return reshapeValue(placed, shape);
}

/** The rows of a variable. Ids are floats where it lies, which are exact up to 2²⁴. */
function rowsOf(table: Variable, ids: IntTensor): Variable {
  if (table.shape[0]! > 2 ** 24)
    throw new RangeError(`a table of ${table.shape[0]} rows has more than can be told apart here, 2²⁴`);
  return gather(table, ids);
}

function takeRows(table: Value, ids: IntTensor): Value {
  if (isVariable(table)) return rowsOf(table, ids);
  const width = table.shape[1]!;
  return joinedAlong(
    Array.from(ids.data, (id) => ({ shape: [width], data: table.data.subarray(id * width, (id + 1) * width) })),
    0,
    [ids.data.length, width],
  );
}

/** Values of one kind, joined along an axis. */
export function concatValues(parts: readonly Value[], axis: number): Value {
  const [{ shape }] = parts as readonly [Value];
  const along = resolveAxis('Concat', axis, shape.length);
  const rest = (each: Shape): Shape => each.map((n, i) => (i === along ? 0 : n));
  const other = parts.find((part) => !sameShape(rest(part.shape), rest(shape)));
  if (other !== undefined)
    throw new RangeError(
      `shapes ${formatShape(shape)} and ${formatShape(other.shape)} do not go together along axis ${along}`,
    );
  const whole = checkSize(
    shape.map((n, i) => (i === along ? parts.reduce((sum, part) => sum + part.shape[along]!, 0) : n)),
  );
  return isVariable(parts[0])
    ? concat(parts as readonly Variable[], along)
    : joinedAlong(parts as readonly IntTensor[], along, whole);
}

/** x where the condition is not 0 and y where it is, broadcast to each other. Floats are taken row by row, so that what is not chosen has no gradient and does no harm. */
export function chosen(condition: IntTensor, x: Value, y: Value): Value {
  const shape = checkSize(broadcastShapes('Where', condition.shape, broadcastShapes('Where', x.shape, y.shape)));
  if (!isVariable(x)) {
    const [which, one, other] = [condition, x, y as IntTensor].map((each) => expanded(each, shape).data) as [
      Int32Array,
      Int32Array,
      Int32Array,
    ];
    return { shape, data: which.map((each, i) => (each !== 0 ? one : other)[i]!) };
  }
  // Axes at the end in which the condition does not vary lie in one row.
  const varying = condition.shape.reduce((last, length, axis) => (length > 1 ? axis + 1 : last), 0);
  const leading = varying === 0 ? 0 : shape.length - condition.shape.length + varying;
  const which = expanded(
    { shape: condition.shape.slice(0, varying), data: condition.data },
    shape.slice(0, leading),
  ).data;
  const rows = which.length;
  const table = concat(
    [x, y as Variable].map((each) => reshape(broadcastTo(each, shape), [rows, sizeOf(shape.slice(leading))])),
  );
  return reshape(rowsOf(table, { shape: [rows], data: which.map((each, i) => (each !== 0 ? i : rows + i)) }), shape);
}
