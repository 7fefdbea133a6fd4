/**
 * Convolutions as matrix products. Inputs and outputs are channels-last in memory, `[B, S…, C]`, whatever the order of
 * the axes of their views, so the columns of one output position are a few contiguous rows of the input.
 */

import { paddingOf } from '../../../autodiff/ops/windows';
import { addProduct } from '../../../kernels/arithmetic';
import { copy } from '../../../kernels/movement';
import { affinePacked } from '../../../kernels/product';
import { lastOf } from '../../../tensor/arrays';
import { formatShape, type Shape, stridesOf } from '../../../tensor/shape';
import { consumeAttribute } from '../node-reader';
import { checkResultShape, spend } from '../run-limit';
import { addCopy, newFilled, newView, offsetOf, type Plan, place, placePanels } from './plan';
import { constantInput, floats, optionalConstant, type PlannedNode, type PlanOperator } from './planner';
import { elementsOf, permuted, positionsOf, type View } from './view';

/** The sizes of a convolution or pooling. All lists have one entry per spatial axis. */
export interface SpatialWindow {
  readonly kernel: Shape;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** The padding before and after each axis. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** The lengths of the padded input and of the output. */
  readonly padded: Shape;
  readonly output: Shape;
}

/** Reads the attributes of a window over inputs of the spatial lengths `input`. */
export function readWindow(node: PlannedNode, input: Shape, kernel: Shape): SpatialWindow {
  const list = (name: string, count: number, fallback: number): readonly number[] => {
    const values = consumeAttribute(node, name, 'ints') ?? new Array<number>(count).fill(fallback);
    if (values.length !== count || !values.every((value) => Number.isSafeInteger(value) && value >= fallback))
      throw new RangeError(`${name} must be ${count} integers of at least ${fallback}, got ${formatShape(values)}`);
    return values;
  };
  const rank = input.length;
  const declared = consumeAttribute(node, 'kernel_shape', 'ints') ?? kernel;
  if (declared.join() !== kernel.join())
    throw new RangeError(
      `kernel_shape must be that of the weight, ${formatShape(kernel)}, got ${formatShape(declared)}`,
    );
  const strides = list('strides', rank, 1);
  const dilations = list('dilations', rank, 1);
  const extents = kernel.map((length, i) => (length - 1) * dilations[i]! + 1);
  const pads = [...list('pads', 2 * rank, 0)];
  const mode = consumeAttribute(node, 'auto_pad', 'string') ?? 'NOTSET';
  if (!['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'].includes(mode))
    throw new RangeError(`auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER, got ${mode}`);
  if (mode.startsWith('SAME'))
    input.forEach((length, i) => {
      const window = { k: kernel[i]!, stride: strides[i]!, dilation: dilations[i]!, padding: 'same' } as const;
      const [less, more] = paddingOf(window, length);
      [pads[i], pads[rank + i]] = mode === 'SAME_UPPER' ? [less, more] : [more, less];
    });
  const padded = input.map((length, i) => length + pads[i]! + pads[rank + i]!);
  const output = padded.map((length, i) => Math.floor((length - extents[i]!) / strides[i]!) + 1);
  if (output.some((length) => !(length >= 1)))
    throw new RangeError(`the input of length ${input.join(' × ')} is shorter than the window ${extents.join(' × ')}`);
  return { kernel, strides, dilations, before: pads.slice(0, rank), after: pads.slice(rank), padded, output };
}

/** A view `[B, C, S…]` of a buffer `[B, S…, C]`. */
export const channelsSecond = (x: View): View =>
  permuted(x, [0, x.shape.length - 1, ...x.shape.slice(1, -1).map((_, i) => i + 1)]);

/** The axes of a view `[B, C, S…]` in the order `[B, S…, C]`. */
export const channelsLast = (x: View): View => permuted(x, [0, ...x.shape.slice(2).map((_, i) => i + 2), 1]);

/** Returns the offset of x `[B, S…, C]` without gaps, padded with `value` around the axes S. */
export function paddedOffset(plan: Plan, x: View, { before, after, padded }: SpatialWindow, value: number): number {
  if ([...before, ...after].every((count) => count === 0)) return offsetOf(plan, x);
  const B = x.shape[0]!;
  const C = lastOf(x.shape)!;
  const shape = checkResultShape([B, ...padded, C]);
  // The padding is written once; steps overwrite only the inside.
  const buffer = newFilled(plan, shape, value);
  const inside = before.reduce((offset, count, i) => offset + count * buffer.strides[i + 1]!, buffer.offset);
  addCopy(plan, { ...buffer, shape: x.shape, offset: inside }, x);
  return buffer.offset;
}

/** The positions in a padded input `[B, S…, C]` at which the windows of the outputs `[B, S…]` start. */
export function windowStarts(window: SpatialWindow, offset: number, B: number, C: number): Int32Array {
  const strides = stridesOf([B, ...window.padded, C]);
  return positionsOf({
    shape: [B, ...window.output],
    strides: strides.slice(0, -1).map((stride, i) => (i === 0 ? stride : stride * window.strides[i - 1]!)),
    offset,
  });
}

/** The distances from the start of a window to its taps, in elements. */
export function tapOffsets({ padded, kernel, dilations }: SpatialWindow, C: number): Int32Array {
  const strides = stridesOf([...padded, C]).slice(0, -1);
  return positionsOf({ shape: kernel, strides: strides.map((stride, i) => stride * dilations[i]!), offset: 0 });
}

/** A convolution in any number of dimensions: input `[B, C, S…]`, weight `[N, C / group, K…]`, bias `[N]`. */
export const convolution: PlanOperator = (node) => {
  const plan = node.plan;
  const x = floats(node, 0);
  const weight = constantInput(node, 1);
  const biases = optionalConstant(node, 2);
  const group = consumeAttribute(node, 'group', 'int') ?? 1;
  const [B, C, ...input] = x.shape as [number, number, ...number[]];
  const [N, perGroup, ...kernel] = weight.shape as [number, number, ...number[]];
  if (weight.shape.length !== x.shape.length || input.length === 0 || C !== perGroup * group || N % group !== 0)
    throw new RangeError(
      `the weight ${formatShape(weight.shape)} in ${group} groups does not fit the input ${formatShape(x.shape)}`,
    );
  const window = readWindow(node, input, kernel);
  const source = paddedOffset(plan, channelsLast(x), window, 0);
  const y = newView(plan, [B, ...window.output, N]);
  const starts = windowStarts(window, source, B, C);
  const taps = tapOffsets(window, C);
  // [N, C / group, K…] → [K…, C / group, N]
  const matrix = elementsOf(permuted(weight, [...kernel.map((_, i) => i + 2), 1, 0]));
  const bias = biases === undefined ? new Float32Array(N) : elementsOf(biases);
  if (bias.length !== N) throw new RangeError(`the bias must have ${N} elements, got ${bias.length}`);
  spend(1, 0, starts.length * taps.length * perGroup);
  const columns: Columns = { starts, taps, matrix: matrix as Float32Array, bias, C };
  if (perGroup === 1 && N === C) addDepthwise(plan, y.offset, columns);
  else addProducts(plan, y.offset, columns, N, group);
  return [channelsSecond(y)];
};

/** The parts of the input that a convolution multiplies, and its weights. */
interface Columns {
  /** The positions at which the windows start, one per row of the output. */
  readonly starts: Int32Array;
  /** The distances of the taps from there. */
  readonly taps: Int32Array;
  /** The weights, `[taps, C / group, N]`. */
  readonly matrix: Float32Array;
  readonly bias: ArrayLike<number>;
  readonly C: number;
}

/** Adds one product per group: `[rows, taps · C / group]` with `[taps · C / group, N / group]`. */
function addProducts(
  plan: Plan,
  y: number,
  { starts, taps, matrix, bias, C }: Columns,
  N: number,
  group: number,
): void {
  const perGroup = C / group;
  const rows = starts.length;
  const columns = N / group;
  const K = taps.length * perGroup;
  const multiply = plan.kernels.of(affinePacked);
  for (let g = 0; g < group; g++) {
    const first = g * columns;
    const end = (g + 1) * columns;
    const own = group === 1 ? matrix : matrix.filter((_, i) => i % N >= first && i % N < end);
    const panels = placePanels(plan, own, K);
    const start = place(plan, Array.from(bias).slice(first, end));
    const a = columnsOf(
      plan,
      starts.map((position) => position + g * perGroup),
      taps,
      perGroup,
      C,
    );
    const target = group === 1 ? y : newView(plan, [rows, columns]).offset;
    plan.steps.push(() => multiply(target, a, panels, start, rows, columns, K));
    if (group > 1) {
      const part = { kind: 'float', shape: [rows, columns], strides: [columns, 1], offset: target } as const;
      addCopy(plan, { ...part, strides: [N, 1], offset: y + first }, part);
    }
  }
}

/** Returns the offset of the rows `[starts, taps · width]`, which are copied unless the input has them in order. */
function columnsOf(plan: Plan, starts: Int32Array, taps: Int32Array, width: number, C: number): number {
  const isDense = width === C && taps.every((tap, i) => tap === i * C);
  const K = taps.length * width;
  if (isDense && starts.every((position, i) => position === starts[0]! + i * K)) return starts[0]!;
  const { offset } = newView(plan, [starts.length, K]);
  const copyRow = plan.kernels.of(copy);
  const [pieces, length] = isDense ? [Int32Array.of(0), K] : [taps, width];
  plan.steps.push(() => {
    for (let r = 0, to = offset; r < starts.length; r++)
      for (let t = 0; t < pieces.length; t++, to += length) copyRow(to, starts[r]! + pieces[t]!, length);
  });
  return offset;
}

/** Adds a convolution with one filter per channel: y = bias + Σ over taps of x · weight, row by row. */
function addDepthwise(plan: Plan, y: number, { starts, taps, matrix, bias, C }: Columns): void {
  const weights = place(plan, matrix);
  const start = place(plan, bias);
  const copyRow = plan.kernels.of(copy);
  const multiplyAdd = plan.kernels.of(addProduct);
  plan.steps.push(() => {
    for (let r = 0, to = y; r < starts.length; r++, to += C) {
      copyRow(to, start, C);
      for (let t = 0; t < taps.length; t++) multiplyAdd(to, starts[r]! + taps[t]!, weights + t * C, C);
    }
  });
}
