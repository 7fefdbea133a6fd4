/** Operators that move elements and compute shapes, for values of either kind. */

import { resolveAxis, type Shape, sizeOf } from '../../tensor/shape';
import type { IntTensor } from '../../tensor/tensor';
import { listed } from '../listing';
import { clampedIntTensor, elementsOf } from './int-tensors';
import {
  checkAlike,
  checkInputs,
  consumeAttribute,
  consumeFlag,
  type NodeReader,
  type Operator,
  singleOutput,
  type Value,
  withFixedConstants,
} from './node-reader';
import { checkResultShape } from './run-limit';
import { concatValues, expandValue, gatherValue, reshapeValue, sliceValue, transposeValue } from './values';

/** The shape of the matrix that results if the axes before `axis` and those from `axis` on are flattened. */
export function matrixShape(shape: Shape, axis: number): Shape {
  const split = axis === shape.length ? axis : resolveAxis('Flatten', axis, shape.length);
  return [sizeOf(shape.slice(0, split)), sizeOf(shape.slice(split))];
}

export const flattenOperator: Operator = (reader) => {
  checkInputs(reader, ['any']);
  const axis = consumeAttribute(reader, 'axis', 'int') ?? 1;
  return singleOutput(reader, (x) => reshapeValue(x, matrixShape(x.shape, axis)));
};

export const gatherOperator: Operator = (reader) => {
  checkInputs(reader, ['any', 'int']);
  const axis = consumeAttribute(reader, 'axis', 'int') ?? 0;
  return singleOutput(reader, (x, indices) => gatherValue(x, indices as IntTensor, axis));
};

function checkDistinct(axes: readonly number[]): void {
  if (new Set(axes).size !== axes.length) throw new RangeError('axes must be distinct');
}

/** The bounds are attributes before opset 10, inputs since. */
export const sliceOperator: Operator = (reader) => {
  const hasInputs = reader.opset >= 10;
  checkInputs(reader, hasInputs ? ['any', 'int', 'int', 'int?', 'int?'] : ['any']);
  const attributes = hasInputs ? [] : ['starts', 'ends', 'axes'].map((name) => consumeAttribute(reader, name, 'ints'));
  if (!hasInputs && (attributes[0] === undefined || attributes[1] === undefined))
    throw new RangeError('the attributes starts and ends are required');
  return singleOutput(reader, (x, ...inputs) => {
    const [starts, ends, ...optional] = hasInputs ? inputs.map(elementsOf) : attributes;
    const [axes = starts!.map((_, i) => i), steps = starts!.map(() => 1)] = optional;
    if ([ends!, axes, steps].some(({ length }) => length !== starts!.length))
      throw new RangeError('starts, ends, axes and steps must have equal lengths');
    checkDistinct(axes.map((axis) => resolveAxis('Slice', axis, x.shape.length)));
    return starts!.reduce((result, start, i) => sliceValue(result, axes[i]!, start, ends![i]!, steps[i]!), x);
  });
};

/**
 * Splits x along an axis. The sizes of the parts are an attribute before opset 13, an input since; by default they are
 * equal, and from opset 18 on, the last part may be smaller.
 */
export const splitOperator: Operator = (reader) => {
  const { opset, node } = reader;
  checkInputs(reader, opset >= 13 ? ['any', 'int?'] : ['any']);
  const axis = consumeAttribute(reader, 'axis', 'int') ?? 0;
  const attribute = opset < 13 ? consumeAttribute(reader, 'split', 'ints') : undefined;
  const count = opset >= 18 ? consumeAttribute(reader, 'num_outputs', 'int') : undefined;
  const outputs = node.outputs.length;
  if (count !== undefined && count !== outputs)
    throw new RangeError(`num_outputs must be the number of outputs, ${outputs}, got ${count}`);
  return {
    kind: reader.kinds[0]!,
    outputs,
    run([value, input]) {
      const x = value!;
      const along = resolveAxis('Split', axis, x.shape.length);
      const length = x.shape[along]!;
      const sizes = elementsOf(input) ?? attribute ?? equalSizes(length, outputs, count !== undefined);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      if (sizes.length !== outputs || sizes.some((size) => size < 0) || total !== length)
        throw new RangeError(
          `split must be ${outputs} lengths with the sum ${length}, got [${listed(sizes.map(String))}]`,
        );
      let start = 0;
      return sizes.map((size) => {
        start += size;
        return sliceValue(x, along, start - size, start, 1);
      });
    },
  };
};

/** Sizes of equal parts; the last one is smaller if that is allowed and needed. */
function equalSizes(length: number, count: number, allowsSmaller: boolean): readonly number[] {
  const size = allowsSmaller ? Math.ceil(length / count) : length / count;
  if (!Number.isInteger(size)) throw new RangeError(`the axis of length ${length} does not split into ${count} parts`);
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(size, length - i * size)));
}

export const concatOperator: Operator = (reader) => {
  const kind = checkAlike(reader);
  const axis = consumeAttribute(reader, 'axis', 'int');
  if (axis === undefined) throw new RangeError('attribute axis is missing');
  return singleOutput(reader, (...parts) => concatValues(parts, axis), kind);
};

export const transposeOperator: Operator = (reader) => {
  checkInputs(reader, ['any']);
  const order = consumeAttribute(reader, 'perm', 'ints');
  return singleOutput(reader, (x) => transposeValue(x, order ?? x.shape.map((_, axis) => axis).reverse()));
};

export const expandOperator: Operator = (reader) => {
  checkInputs(reader, ['any', 'int']);
  return singleOutput(reader, (x, shape) => expandValue(x, elementsOf(shape)!));
};

/**
 * Padding by no elements, which exporters write in front of AveragePool: the identity. The pads are an attribute before
 * opset 11, an input since.
 */
export const padOperator: Operator = (reader) => {
  checkInputs(reader, reader.opset >= 11 ? ['any', 'int', 'any?', 'int?'] : ['any']);
  consumeAttribute(reader, 'mode', 'string');
  consumeAttribute(reader, 'value', 'float');
  const pads = consumeAttribute(reader, 'pads', 'ints') ?? reader.constant(1)?.data;
  if (!pads?.every((count) => count === 0))
    throw new RangeError('pads must be constants of 0; other pads are supported only by importOnnxStream');
  return withFixedConstants(
    reader,
    [2],
    singleOutput(reader, (x) => x),
  );
};

/** The shape that Reshape gives to x: a length of 0 is copied unless it is allowed; one length of −1 is inferred. */
export function inferredShape(shape: Shape, given: readonly number[], allowsZero: boolean): Shape {
  const lengths = given.map((length, i) => (length === 0 && !allowsZero ? (shape[i] ?? 0) : length));
  const inferred = sizeOf(shape) / sizeOf(lengths.filter((length) => length !== -1));
  return checkResultShape(lengths.map((length) => (length === -1 ? inferred : length)));
}

export const reshapeOperator: Operator = (reader) => {
  checkInputs(reader, ['any', 'int']);
  const allowsZero = consumeFlag(reader, 'allowzero');
  return singleOutput(reader, (x, shape) => reshapeValue(x, inferredShape(x.shape, elementsOf(shape)!, allowsZero)));
};

/**
 * Checks the inputs of Squeeze or Unsqueeze. The axes are an attribute before opset 13, an input since.
 *
 * @returns a function that computes the axes from the second input
 */
function axesReader(
  reader: NodeReader,
  isRequired: boolean,
): (input: Value | undefined) => readonly number[] | undefined {
  if (reader.opset >= 13) {
    checkInputs(reader, ['any', isRequired ? 'int' : 'int?']);
    return elementsOf;
  }
  checkInputs(reader, ['any']);
  const axes = consumeAttribute(reader, 'axes', 'ints');
  if (isRequired && axes === undefined) throw new RangeError('attribute axes is missing');
  return () => axes;
}

export const squeezeOperator: Operator = (reader) => {
  const readAxes = axesReader(reader, false);
  return singleOutput(reader, (x, axesInput) => {
    const axes = readAxes(axesInput)?.map((axis) => resolveAxis('Squeeze', axis, x.shape.length));
    const invalid = axes?.find((axis) => x.shape[axis] !== 1);
    if (invalid !== undefined)
      throw new RangeError(`axis ${invalid} must have length 1 to be squeezed, got ${x.shape[invalid]}`);
    return reshapeValue(
      x,
      x.shape.filter((length, axis) => (axes === undefined ? length !== 1 : !axes.includes(axis))),
    );
  });
};

export const unsqueezeOperator: Operator = (reader) => {
  const readAxes = axesReader(reader, true);
  return singleOutput(reader, (x, axesInput) => {
    const newAxes = readAxes(axesInput)!;
    const rank = x.shape.length + newAxes.length;
    const axes = newAxes.map((axis) => resolveAxis('Unsqueeze', axis, rank));
    checkDistinct(axes);
    const shape = [...x.shape];
    for (const axis of [...axes].sort((a, b) => a - b)) shape.splice(axis, 0, 1);
    return reshapeValue(x, shape);
  });
};

export const shapeOperator: Operator = (reader) => {
  checkInputs(reader, ['any']);
  const start = consumeAttribute(reader, 'start', 'int');
  const end = consumeAttribute(reader, 'end', 'int');
  return singleOutput(
    reader,
    ({ shape }) => {
      const lengths = shape.slice(start, end);
      return clampedIntTensor([lengths.length], lengths);
    },
    'int',
  );
};

export const sizeOperator: Operator = (reader) => {
  checkInputs(reader, ['any']);
  return singleOutput(reader, ({ shape }) => clampedIntTensor([], [sizeOf(shape)]), 'int');
};
