/** Pad: constant, reflect and edge. */

import { sizeOf, stridesOf } from '../../../tensor/shape';
import { consumeAttribute } from '../node-reader';
import { checkResultShape } from '../run-limit';
import { addCopy, contiguous, newFilled, type Plan, place } from './plan';
import { floats, numbersOf, optionalConstant, type PlannedNode, type PlanOperator } from './planner';
import { elementsOf, isConstant, type View } from './view';

/** Maps a position of the padded axis to the input; −1 for a constant. */
type Source = (position: number, length: number) => number;

const sources: Readonly<Record<string, Source>> = {
  constant: (position, length) => (position >= 0 && position < length ? position : -1),
  edge: (position, length) => Math.max(0, Math.min(length - 1, position)),
  reflect: (position, length) =>
    position < 0 ? -position : position < length ? position : 2 * (length - 1) - position,
};

/** The numbers of elements to add before and after each axis; negative ones crop it. */
interface Pads {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Reads the pads: an attribute before opset 11, an input since; opset 18 added the axes. */
function readPads(node: PlannedNode, rank: number): Pads {
  const pads = consumeAttribute(node, 'pads', 'ints') ?? numbersOf(node, 1) ?? [];
  const axes = numbersOf(node, 3)?.map((axis) => (axis < 0 ? axis + rank : axis)) ?? [...new Array(rank).keys()];
  if (pads.length !== 2 * axes.length)
    throw new RangeError(`pads must have length ${2 * axes.length}, got ${pads.length}`);
  const before = new Array<number>(rank).fill(0);
  const after = new Array<number>(rank).fill(0);
  axes.forEach((axis, i) => {
    [before[axis], after[axis]] = [pads[i]!, pads[axes.length + i]!];
  });
  return { before, after };
}

/** Padding by no elements is the identity in every mode. */
export const pad: PlanOperator = (node) => {
  const plan = node.plan;
  const input = floats(node, 0);
  const mode = consumeAttribute(node, 'mode', 'string') ?? 'constant';
  const { before, after } = readPads(node, input.shape.length);
  const constants = optionalConstant(node, 2);
  const value = constants === undefined ? (consumeAttribute(node, 'value', 'float') ?? 0) : elementsOf(constants)[0]!;
  if ([...before, ...after].every((count) => count === 0)) return [input];
  const source = Object.hasOwn(sources, mode) ? sources[mode]! : undefined;
  if (source === undefined) throw new RangeError(`mode must be ${Object.keys(sources).join(', ')}, got ${mode}`);
  const x = contiguous(plan, input);
  const shape = checkResultShape(x.shape.map((length, axis) => length + before[axis]! + after[axis]!));
  x.shape.forEach((length, axis) => {
    const most = Math.max(before[axis]!, after[axis]!);
    if (mode === 'reflect' && most > 0 && most >= length)
      throw new RangeError(`the axis ${axis} of length ${length} is too short to reflect ${most} elements`);
  });
  const y = newFilled(plan, shape, value);
  const from = isConstant(x) ? place(plan, elementsOf(x)) : x.offset;
  copyInside(plan, y, { ...y, shape: x.shape, strides: stridesOf(x.shape), offset: from }, { before, after });
  if (mode !== 'constant') copyBorder(plan, y.offset, from, borderPairs(shape, x.shape, before, source));
  return [y];
};

/** Adds the step that copies x to the inside of y. */
function copyInside(plan: Plan, y: View, x: View, { before, after }: Pads): void {
  const shape = x.shape.map((length, axis) => length + Math.min(0, before[axis]!) + Math.min(0, after[axis]!));
  const offsetIn = ({ strides, offset }: View, counts: readonly number[]): number =>
    counts.reduce((sum, count, axis) => sum + Math.max(0, count) * strides[axis]!, offset);
  addCopy(
    plan,
    { ...y, shape, offset: offsetIn(y, before) },
    {
      ...x,
      shape,
      offset: offsetIn(
        x,
        before.map((count) => -count),
      ),
    },
  );
}

/** Adds the step that copies the elements around the inside. */
function copyBorder({ steps, memory }: Plan, to: number, from: number, pairs: Int32Array): void {
  if (pairs.length > 0)
    steps.push(() => {
      const m = memory.view;
      for (let i = 0; i < pairs.length; i += 2) m[to + pairs[i]!] = m[from + pairs[i + 1]!]!;
    });
}

/** The positions of the elements around the inside, each with the position in the input that it copies. */
function borderPairs(
  shape: readonly number[],
  input: readonly number[],
  before: readonly number[],
  source: Source,
): Int32Array {
  const strides = stridesOf(shape);
  const inputStrides = stridesOf(input);
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
