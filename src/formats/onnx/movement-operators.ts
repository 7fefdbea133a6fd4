/** Operators that move numbers and ask for shapes, of either kind. */

import { resolveAxis, type Shape, sizeOf } from '../../tensor/shape';
import type { IntTensor } from '../../tensor/tensor';
import { attribute, type NodeReader, type Operator, prepared, takes, type Value } from './node-reader';
import { concatValues, expandValue, gatherValue, reshapeValue, sliceValue, transposeValue } from './values';
import { checkSize, numbersOf, wholes } from './whole-numbers';

/** A shape cut in two at an axis. */
export function twoParts(shape: Shape, axis: number): Shape {
  const at = axis === shape.length ? axis : resolveAxis('Flatten', axis, shape.length);
  return [sizeOf(shape.slice(0, at)), sizeOf(shape.slice(at))];
}

export const flattening: Operator = (reader) => {
  takes(reader, ['any']);
  const axis = attribute(reader, 'axis', 'int') ?? 1;
  return prepared(reader, (x) => reshapeValue(x, twoParts(x.shape, axis)));
};

export const gathering: Operator = (reader) => {
  takes(reader, ['any', 'whole']);
  const axis = attribute(reader, 'axis', 'int') ?? 0;
  return prepared(reader, (x, indices) => gatherValue(x, indices as IntTensor, axis));
};

export const slicing: Operator = (reader) => {
  const byInputs = reader.opset >= 10;
  takes(reader, byInputs ? ['any', 'whole', 'whole', 'whole?', 'whole?'] : ['any']);
  const [starts, ends, axes] = byInputs
    ? []
    : ['starts', 'ends', 'axes'].map((name) => attribute(reader, name, 'ints'));
  return prepared(reader, (x, ...given) => {
    const bounds = byInputs ? given.map(numbersOf) : [starts, ends, axes];
    const [from, to, along = from!.map((_, i) => i), steps = from!.map(() => 1)] = bounds;
    if ([to!, along, steps].some(({ length }) => length !== from!.length))
      throw new RangeError('starts, ends, axes and steps must be as many');
    return from!.reduce((part, start, i) => sliceValue(part, along[i]!, start, to![i]!, steps[i]!), x);
  });
};

export const concatenation: Operator = (reader) => {
  const kind = reader.kinds.find((each) => each !== undefined) ?? 'any';
  takes(reader, reader.node.inputs.length === 0 ? ['any'] : reader.node.inputs.map(() => kind));
  const axis = attribute(reader, 'axis', 'int');
  if (axis === undefined) throw new RangeError('lacks its axis');
  return prepared(reader, (...parts) => concatValues(parts, axis), kind === 'any' ? undefined : kind);
};

export const transposition: Operator = (reader) => {
  takes(reader, ['any']);
  const order = attribute(reader, 'perm', 'ints');
  return prepared(reader, (x) => transposeValue(x, order ?? x.shape.map((_, axis) => axis).reverse()));
};

export const expansion: Operator = (reader) => {
  takes(reader, ['any', 'whole']);
  return prepared(reader, (x, shape) => expandValue(x, numbersOf(shape)!));
};

/** Lengths of 0 are those of x, unless `allowzero`; one of −1 is worked out. */
export const reshaping: Operator = (reader) => {
  takes(reader, ['any', 'whole']);
  const zeros = (attribute(reader, 'allowzero', 'int') ?? 0) !== 0;
  return prepared(reader, (x, wanted) => {
    const lengths = numbersOf(wanted)!.map((length, i) => (length === 0 && !zeros ? (x.shape[i] ?? 0) : length));
    const rest = sizeOf(x.shape) / sizeOf(lengths.filter((length) => length !== -1));
    return reshapeValue(x, checkSize(lengths.map((length) => (length === -1 ? rest : length))));
  });
};

/** The axes of Squeeze and Unsqueeze: an attribute before version 13, an input since. */
function axesOf(reader: NodeReader, needed: boolean): (given: Value | undefined) => readonly number[] | undefined {
  takes(reader, reader.opset < 13 ? ['any'] : ['any', needed ? 'whole' : 'whole?']);
  const axes = reader.opset < 13 ? attribute(reader, 'axes', 'ints') : undefined;
  if (reader.opset < 13 && needed && axes === undefined) throw new RangeError('lacks its axes');
  return (given) => axes ?? numbersOf(given);
}

export const squeezing: Operator = (reader) => {
  const given = axesOf(reader, false);
  return prepared(reader, (x, input) => {
    const axes = given(input)?.map((axis) => resolveAxis('Squeeze', axis, x.shape.length));
    const dropped = axes?.find((axis) => x.shape[axis] !== 1);
    if (dropped !== undefined) throw new RangeError(`axis ${dropped} has the length ${x.shape[dropped]}, not 1`);
    return reshapeValue(
      x,
      x.shape.filter((length, axis) => (axes === undefined ? length !== 1 : !axes.includes(axis))),
    );
  });
};

export const unsqueezing: Operator = (reader) => {
  const given = axesOf(reader, true);
  return prepared(reader, (x, input) => {
    const rank = x.shape.length + given(input)!.length;
    const axes = given(input)!.map((axis) => resolveAxis('Unsqueeze', axis, rank));
    if (new Set(axes).size !== axes.length) throw new RangeError('axes must be different');
    const lengths = [...x.shape];
    return reshapeValue(
      x,
      Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : lengths.shift()!)),
    );
  });
};

export const shapeOf: Operator = (reader) => {
  takes(reader, ['any']);
  const [start, end] = [attribute(reader, 'start', 'int'), attribute(reader, 'end', 'int')];
  return prepared(
    reader,
    ({ shape }) => {
      const part = shape.slice(start, end);
      return wholes([part.length], part);
    },
    'whole',
  );
};
