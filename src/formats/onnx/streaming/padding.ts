/** Pad: constant, reflect and edge. */

import { sizeOf, stridesOf } from '../../../tensor/shape';
import { consumeAttribute } from '../node-reader';
import { checkResultShape } from '../run-limit';
import { addCopy, contiguous, newFilled, place } from './plan';
import { floats, numbersOf, optionalConstant, type PlanOperator } from './planner';
import { elementsOf, isConstant } from './view';

/** Maps a position of the padded axis to the input; −1 for a constant. */
type Source = (position: number, length: number) => number;

const sources: Readonly<Record<string, Source>> = {
  constant: (position, length) => (position >= 0 && position < length ? position : -1),
  edge: (position, length) => Math.max(0, Math.min(length - 1, position)),
  reflect: (position, length) =>
    position < 0 ? -position : position < length ? position : 2 * (length - 1) - position,
};

/**
 * The pads are an attribute before opset 11, an input since; opset 18 added the axes. Padding by no elements is the
 * identity in every mode.
 */
export const pad: PlanOperator = (node) => {
  const { plan } = node;
  const input = floats(node, 0);
  const rank = input.shape.length;
  const mode = consumeAttribute(node, 'mode', 'string') ?? 'constant';
  const pads = consumeAttribute(node, 'pads', 'ints') ?? numbersOf(node, 1) ?? [];
  const axes = numbersOf(node, 3)?.map((axis) => (axis < 0 ? axis + rank : axis)) ?? [...input.shape.keys()];
  if (pads.length !== 2 * axes.length)
    throw new RangeError(`pads must have length ${2 * axes.length}, got ${pads.length}`);
  const constants = optionalConstant(node, 2);
  const value = constants === undefined ? (consumeAttribute(node, 'value', 'float') ?? 0) : elementsOf(constants)[0]!;
  if (pads.every((count) => count === 0)) return [input];
  const source = Object.hasOwn(sources, mode) ? sources[mode]! : undefined;
  if (source === undefined) throw new RangeError(`mode must be ${Object.keys(sources).join(', ')}, got ${mode}`);
  const x = contiguous(plan, input);
  const [before, after] = [new Array<number>(rank).fill(0), new Array<number>(rank).fill(0)];
  axes.forEach((axis, i) => {
    [before[axis], after[axis]] = [pads[i]!, pads[axes.length + i]!];
  });
  const shape = checkResultShape(x.shape.map((length, axis) => length + before[axis]! + after[axis]!));
  x.shape.forEach((length, axis) => {
    const most = Math.max(before[axis]!, after[axis]!);
    if (mode === 'reflect' && most > 0 && most >= length)
      throw new RangeError(`the axis ${axis} of length ${length} is too short to reflect ${most} elements`);
  });
  const y = newFilled(plan, shape, value);
  const from = isConstant(x) ? place(plan, elementsOf(x)) : x.offset;
  // The inside, which negative pads crop, and then the elements around it.
  const lows = before.map((count) => Math.max(0, count));
  const lengths = x.shape.map((length, axis) => length + Math.min(0, before[axis]!) + Math.min(0, after[axis]!));
  const inputStrides = stridesOf(x.shape);
  const at = (strides: readonly number[], counts: readonly number[]): number =>
    counts.reduce((offset, count, axis) => offset + count * strides[axis]!, 0);
  addCopy(
    plan,
    { ...y, shape: lengths, offset: y.offset + at(y.strides, lows) },
    {
      ...y,
      shape: lengths,
      strides: inputStrides,
      offset:
        from +
        at(
          inputStrides,
          before.map((count) => Math.max(0, -count)),
        ),
    },
  );
  const pairs = mode === 'constant' ? [] : borderPairs(shape, x.shape, before, source);
  const { memory } = plan;
  const target = y.offset;
  if (pairs.length > 0)
    plan.steps.push(() => {
      const m = memory.view;
      for (let i = 0; i < pairs.length; i += 2) m[target + pairs[i]!] = m[from + pairs[i + 1]!]!;
    });
  return [y];
};

/** The positions of the elements around the inside, each with the position in the input that it copies. */
function borderPairs(
  shape: readonly number[],
  input: readonly number[],
  before: readonly number[],
  source: Source,
): Int32Array {
  const [strides, inputStrides] = [stridesOf(shape), stridesOf(input)];
  const pairs: number[] = [];
  for (let i = 0; i < sizeOf(shape); i++) {
    let [isInside, from] = [true, 0];
    shape.forEach((length, axis) => {
      const position = (Math.floor(i / strides[axis]!) % length) - before[axis]!;
      isInside &&= position >= 0 && position < input[axis]!;
      from += source(position, input[axis]!) * inputStrides[axis]!;
    });
    if (!isInside) pairs.push(i, from);
  }
  return Int32Array.from(pairs);
}
