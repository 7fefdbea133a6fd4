/** Operators that move elements and compute shapes. Most of them only make another view. */

import {
  broadcastShapes,
  formatShape,
  resolveAxis,
  type Shape,
  sameShape,
  sizeOf,
  stridesOf,
} from '../../../tensor/shape';
import { typeName } from '../model';
import { inferredShape, matrixShape } from '../movement-operators';
import { consumeAttribute, consumeFlag, labelOf } from '../node-reader';
import { checkResultShape } from '../run-limit';
import { importTensor, kindOf, sliceBounds } from '../values';
import { addCopy, contiguous, newView, type Plan } from './plan';
import { constantInput, numbersOf, optionalConstant, type PlannedNode, type PlanOperator, required } from './planner';
import {
  type Constant,
  constant,
  elementsOf,
  expanded,
  integers,
  isConstant,
  permuted,
  sliced,
  undecided,
  type View,
  withAxis,
  withoutAxis,
} from './view';

/** Reshapes x. @throws RangeError if the sizes differ */
function reshaped(plan: Plan, x: View, shape: Shape): View {
  if (sizeOf(x.shape) !== sizeOf(checkResultShape(shape)))
    throw new RangeError(`cannot reshape ${formatShape(x.shape)} to ${formatShape(shape)}`);
  return sameShape(x.shape, shape) ? x : { ...contiguous(plan, x), shape, strides: stridesOf(shape) };
}

/** The axes of Squeeze, Unsqueeze and reductions: an input of constants, or an attribute in older operator sets. */
export const axesOf = (node: PlannedNode): readonly number[] | undefined =>
  consumeAttribute(node, 'axes', 'ints') ?? numbersOf(node, 1);

const identity: PlanOperator = (node) => [required(node, 0)];

const reshape: PlanOperator = (node) => {
  const x = required(node, 0);
  const allowsZero = consumeFlag(node, 'allowzero');
  const shape = inferredShape(x.shape, [...elementsOf(constantInput(node, 1))], allowsZero);
  return [reshaped(node.plan, x, shape)];
};

const flatten: PlanOperator = (node) => {
  const x = required(node, 0);
  return [reshaped(node.plan, x, matrixShape(x.shape, consumeAttribute(node, 'axis', 'int') ?? 1))];
};

const squeeze: PlanOperator = (node) => {
  const x = required(node, 0);
  const axes =
    axesOf(node)?.map((axis) => resolveAxis('Squeeze', axis, x.shape.length)) ??
    [...x.shape.keys()].filter((axis) => x.shape[axis] === 1);
  const invalid = axes.find((axis) => x.shape[axis] !== 1);
  if (invalid !== undefined)
    throw new RangeError(`axis ${invalid} must have length 1 to be squeezed, got ${x.shape[invalid]}`);
  return [[...axes].sort((a, b) => b - a).reduce(withoutAxis, x)];
};

const unsqueeze: PlanOperator = (node) => {
  const x = required(node, 0);
  const axes = axesOf(node);
  if (axes === undefined) throw new RangeError('axes are missing');
  const rank = x.shape.length + axes.length;
  return [
    axes
      .map((axis) => resolveAxis('Unsqueeze', axis, rank))
      .sort((a, b) => a - b)
      .reduce(withAxis, x),
  ];
};

const transpose: PlanOperator = (node) => {
  const x = required(node, 0);
  const rank = x.shape.length;
  const order = (consumeAttribute(node, 'perm', 'ints') ?? [...x.shape.keys()].reverse()).map((axis) =>
    resolveAxis('Transpose', axis, rank),
  );
  if (order.length !== rank || new Set(order).size !== rank)
    throw new RangeError(
      `perm must be a permutation of ${formatShape([...x.shape.keys()])}, got ${formatShape(order)}`,
    );
  return [permuted(x, order)];
};

const expand: PlanOperator = (node) => {
  const x = required(node, 0);
  const shape = [...elementsOf(constantInput(node, 1))];
  return [expanded(x, broadcastShapes('Expand', x.shape, checkResultShape(shape)))];
};

/** The bounds are attributes before opset 10, inputs since. They follow the rules of NumPy. */
const slice: PlanOperator = (node) => {
  const starts = consumeAttribute(node, 'starts', 'ints') ?? numbersOf(node, 1);
  const ends = consumeAttribute(node, 'ends', 'ints') ?? numbersOf(node, 2);
  if (starts === undefined || ends === undefined) throw new RangeError('starts and ends are required');
  const axes = consumeAttribute(node, 'axes', 'ints') ?? numbersOf(node, 3) ?? [...starts.keys()];
  const steps = numbersOf(node, 4) ?? starts.map(() => 1);
  if ([ends, axes, steps].some(({ length }) => length !== starts.length))
    throw new RangeError('starts, ends, axes and steps must have equal lengths');
  return [starts.reduce((x, start, i) => sliceAlong(x, axes[i]!, start, ends[i]!, steps[i]!), required(node, 0))];
};

function sliceAlong(x: View, axis: number, start: number, end: number, step: number): View {
  const along = resolveAxis('Slice', axis, x.shape.length);
  const [from, count] = sliceBounds(x.shape[along]!, start, end, step);
  return sliced(x, along, from, count, step);
}

const split: PlanOperator = (node) => {
  const x = required(node, 0);
  const axis = resolveAxis('Split', consumeAttribute(node, 'axis', 'int') ?? 0, x.shape.length);
  const count = consumeAttribute(node, 'num_outputs', 'int') ?? node.node.outputs.length;
  const length = x.shape[axis]!;
  const equal = Math.ceil(length / count);
  const sizes =
    consumeAttribute(node, 'split', 'ints') ??
    numbersOf(node, 1) ??
    Array.from({ length: count }, (_, i) => Math.max(0, Math.min(equal, length - i * equal)));
  if (sizes.some((size) => size < 0) || sizes.reduce((sum, size) => sum + size, 0) !== length)
    throw new RangeError(`the sizes of the parts must have the sum ${length}, got ${formatShape(sizes)}`);
  let start = 0;
  return sizes.map((size) => {
    start += size;
    return sliced(x, axis, start - size, size);
  });
};

/** Concatenates values along an axis. */
function joined(plan: Plan, parts: readonly View[], axis: number): View {
  const { shape, kind } = parts[0]!;
  const others = (lengths: Shape): Shape => lengths.map((length, i) => (i === axis ? 0 : length));
  const total = parts.reduce((sum, part) => sum + (part.shape[axis] ?? NaN), 0);
  for (const part of parts) {
    if (part.kind !== kind) throw new RangeError('the inputs must be of one type, got floats and integers');
    if (!sameShape(others(part.shape), others(shape)))
      throw new RangeError(
        `cannot concatenate ${formatShape(shape)} and ${formatShape(part.shape)} along axis ${axis}`,
      );
  }
  const result = shape.map((length, i) => (i === axis ? total : length));
  if (parts.every(isConstant)) return joinedConstants(parts, axis, result);
  const y = newView(plan, result);
  let start = 0;
  for (const part of parts) {
    const length = part.shape[axis]!;
    addCopy(plan, sliced(y, axis, start, length), part);
    start += length;
  }
  return y;
}

function joinedConstants(parts: readonly Constant[], axis: number, shape: Shape): View {
  const size = sizeOf(checkResultShape(shape));
  const data = parts[0]!.kind === 'int' ? new Int32Array(size) : new Float32Array(size);
  const outer = sizeOf(shape.slice(0, axis));
  const elements = parts.map(elementsOf);
  let offset = 0;
  for (let i = 0; i < outer; i++)
    for (const part of elements) {
      const length = part.length / outer;
      data.set(part.subarray(i * length, (i + 1) * length), offset);
      offset += length;
    }
  return constant(shape, data);
}

const concat: PlanOperator = (node) => {
  const axis = consumeAttribute(node, 'axis', 'int');
  if (axis === undefined) throw new RangeError('attribute axis is missing');
  const parts = node.inputs.map((_, i) => required(node, i));
  return [joined(node.plan, parts, resolveAxis('Concat', axis, required(node, 0).shape.length))];
};

/** Gathers slices along an axis; the axes of the indices replace it. */
const gather: PlanOperator = (node) => {
  const x = required(node, 0);
  const indices = constantInput(node, 1);
  const axis = resolveAxis('Gather', consumeAttribute(node, 'axis', 'int') ?? 0, x.shape.length);
  const length = x.shape[axis]!;
  const ids = [...elementsOf(indices)].map((id) => (id < 0 ? id + length : id));
  const invalid = ids.findIndex((id) => !(id >= 0 && id < length));
  if (invalid >= 0)
    throw new RangeError(`indices must be from ${-length} to ${length - 1}, got ${elementsOf(indices)[invalid]}`);
  const slices = ids.map((id) => sliced(x, axis, id, 1));
  if (slices.length === 1 && indices.shape.length === 0) return [withoutAxis(slices[0]!, axis)];
  const shape = checkResultShape([...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]);
  return [reshaped(node.plan, slices.length === 0 ? sliced(x, axis, 0, 0) : joined(node.plan, slices, axis), shape)];
};

const shapeOf: PlanOperator = (node) => {
  const { shape } = required(node, 0);
  const start = consumeAttribute(node, 'start', 'int');
  const end = consumeAttribute(node, 'end', 'int');
  const lengths = shape.slice(start, end);
  return [integers([lengths.length], lengths)];
};

const size: PlanOperator = (node) => [integers([], [sizeOf(required(node, 0).shape)])];

const constantNode: PlanOperator = (node) => {
  const value = consumeAttribute(node, 'value', 'tensor');
  if (value !== undefined) {
    const { shape, data } = importTensor(value);
    return [constant(shape, data)];
  }
  const number = consumeAttribute(node, 'value_float', 'float');
  if (number !== undefined) return [constant([], Float32Array.of(number))];
  const numbers = consumeAttribute(node, 'value_floats', 'floats');
  if (numbers !== undefined) return [constant([numbers.length], Float32Array.from(numbers))];
  const integer = consumeAttribute(node, 'value_int', 'int');
  const list = consumeAttribute(node, 'value_ints', 'ints');
  if (integer === undefined && list === undefined) throw new RangeError('a value of this type is not supported');
  return [integer === undefined ? integers([list!.length], list!) : integers([], [integer])];
};

const constantOfShape: PlanOperator = (node) => {
  const shape = checkResultShape([...elementsOf(constantInput(node, 0))]);
  const value = consumeAttribute(node, 'value', 'tensor');
  const { data } = value === undefined ? { data: new Float32Array(1) } : importTensor(value);
  return [{ ...constant([], data), shape, strides: shape.map(() => 0) }];
};

/** Casts constants. Floats that a step computes stay floats in single precision. */
const cast: PlanOperator = (node) => {
  const x = required(node, 0);
  const type = typeName(consumeAttribute(node, 'to', 'int') ?? 0);
  consumeAttribute(node, 'saturate', 'int');
  const kind = kindOf(type);
  if (kind === undefined) throw new RangeError(`the type ${type} is not supported`);
  if (x.kind === kind && type !== 'bool') return [x];
  if (!isConstant(x)) {
    if (kind === 'int') return [undecided(x.shape, x.dependsOn ?? labelOf(node.node))];
    throw new RangeError(`integers that depend on the inputs of a step cannot be cast to ${type}`);
  }
  const elements = elementsOf(x);
  if (kind === 'float') return [constant(x.shape, Float32Array.from(elements))];
  return [
    integers(
      x.shape,
      [...elements].map((value) => (type === 'bool' ? Number(value !== 0) : Math.trunc(value))),
    ),
  ];
};

const dropout: PlanOperator = (node) => {
  consumeAttribute(node, 'ratio', 'float');
  consumeAttribute(node, 'seed', 'int');
  const training = optionalConstant(node, 2);
  if (training !== undefined && elementsOf(training)[0] !== 0)
    throw new RangeError('training_mode must be false. Export the model for inference');
  return [required(node, 0)];
};

/** The operators that move elements, by name. */
export const movementOperators = (): Readonly<Record<string, PlanOperator>> => ({
  Identity: identity,
  Dropout: dropout,
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Expand: expand,
  Slice: slice,
  Split: split,
  Concat: concat,
  Gather: gather,
  Shape: shapeOf,
  Size: size,
  Constant: constantNode,
  ConstantOfShape: constantOfShape,
  Cast: cast,
});
