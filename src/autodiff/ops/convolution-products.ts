/**
 * The products of convolutions. The rows of each tap are contiguous, so a convolution is a sum of k matrix products of
 * shifted views of one input.
 */

import { foldWindows, multiplyTaps, sumProducts, unfoldWindows } from '../../kernels/columns';
import { sumRows } from '../../kernels/linear';
import { addStrided, copyStrided } from '../../kernels/movement';
import { affinePacked, affineRows, gemm, gemmPacked, packPanels, panelsSize } from '../../kernels/product';
import { allocate, allocateZeros } from '../../kernels/workspace';
import { type Scope, withScratch } from '../tape';
import { addToPhases, phasesOf, type Tap, tapsOf, type WindowSizes } from './phases';

/** The sizes of a convolution. */
export interface ConvolutionSizes extends WindowSizes {
  readonly O: number;
  readonly groups: number;
}

/** The offsets of a convolution in backward; gradients that are not needed are undefined. */
export interface ConvolutionOffsets {
  readonly x: number;
  readonly weight: number;
  readonly dy: number;
  readonly dx: number | undefined;
  readonly dweight: number | undefined;
  readonly dbias: number | undefined;
}

const isDepthwise = ({ groups, I, O }: ConvolutionSizes): boolean => groups > 1 && groups === I && groups === O;

/** y [T′, B, O] = the convolution of x [T, B, I]. Allocates scratch memory. */
export function convolveRows(
  scope: Scope,
  sizes: ConvolutionSizes,
  y: number,
  x: number,
  weight: number,
  bias: number | undefined,
): void {
  const { steps, B, O } = sizes;
  const shift = bias ?? allocateZeros(scope.workspace, O);
  if (isDepthwise(sizes)) {
    fillRows(scope, y, shift, steps * B, O);
    multiplyDepthwise(scope, sizes, y, x, weight);
  } else if (sizes.groups === 1) {
    multiplyOf(sizes)(scope, sizes, y, x, sizes.I, weight, shift);
  } else {
    const part = partOf(sizes);
    for (let group = 0; group < sizes.groups; group++)
      withScratch(scope, () => {
        const result = allocate(scope.workspace, steps * B * part.O);
        const own = columnsOf(scope, weight + group * part.O, part.k * part.I, O, part.O);
        multiplyOf(part)(scope, part, result, x + group * part.I, sizes.I, own, shift + group * part.O);
        scope.kernels.of(copyStrided)(y + group * part.O, [O, 1], result, [part.O, 1], [steps * B, part.O]);
      });
  }
}

/** Adds to the gradients of a convolution. Allocates scratch memory. */
export function convolveRowsBackward(scope: Scope, sizes: ConvolutionSizes, offsets: ConvolutionOffsets): void {
  const k = scope.kernels;
  const { steps, B, O } = sizes;
  const { dbias, dy } = offsets;
  if (dbias !== undefined) k.of(sumRows)(dbias, dy, steps * B, O);
  if (isDepthwise(sizes)) depthwiseBackward(scope, sizes, offsets);
  else if (sizes.groups === 1) {
    backwardOf(sizes)(scope, sizes, sizes.I, offsets);
  } else {
    const part = partOf(sizes);
    const weightRows = part.k * part.I;
    for (let group = 0; group < sizes.groups; group++)
      withScratch(scope, () => {
        const input = group * part.I;
        const output = group * part.O;
        const dweight = offsets.dweight === undefined ? undefined : allocateZeros(scope.workspace, weightRows * part.O);
        const own = {
          x: offsets.x + input,
          weight: columnsOf(scope, offsets.weight + output, weightRows, O, part.O),
          dy: columnsOf(scope, dy + output, steps * B, O, part.O),
          dx: offsets.dx === undefined ? undefined : offsets.dx + input,
          dweight,
        };
        backwardOf(part)(scope, part, sizes.I, own);
        if (offsets.dweight !== undefined)
          k.of(addStrided)(offsets.dweight + output, [O, 1], dweight!, [part.O, 1], [weightRows, part.O]);
      });
  }
}

/** The sizes of one group. */
const partOf = (sizes: ConvolutionSizes): ConvolutionSizes => ({
  ...sizes,
  I: sizes.I / sizes.groups,
  O: sizes.O / sizes.groups,
  groups: 1,
});

/** Returns a copy of the first columns of a matrix. */
function columnsOf({ workspace, kernels }: Scope, from: number, rows: number, stride: number, columns: number): number {
  const offset = allocate(workspace, rows * columns);
  kernels.of(copyStrided)(offset, [columns, 1], from, [stride, 1], [rows, columns]);
  return offset;
}

/** Copies a row to each of the rows of y, as windows that all begin at it. */
const fillRows = ({ kernels }: Scope, y: number, row: number, rows: number, n: number): void =>
  kernels.of(unfoldWindows)(y, row, rows, 1, 0, 0, n);

/** y [T′·B, O] = bias + the convolution of x, the first I columns of [T·B, width]. */
type Multiply = (
  scope: Scope,
  sizes: ConvolutionSizes,
  y: number,
  x: number,
  width: number,
  weight: number,
  bias: number,
) => void;

/** The number of inputs and outputs in a block of steps: they stay in the second-level cache for all taps. */
const blockElements = 65_536;

/** One product per tap and block of steps. */
const multiplyTapwise: Multiply = (scope, sizes, y, x, width, weight, bias) => {
  const { kernels: k, workspace } = scope;
  const { B, I, O, steps } = sizes;
  const input = phasesOf(scope, sizes, x, width);
  const taps = tapsOf(sizes).map((tap, j) => {
    const panels = allocate(workspace, panelsSize(I, O));
    k.of(packPanels)(panels, weight + j * I * O, I, O, false);
    return { ...tap, panels };
  });
  const stepsAtOnce = Math.max(1, Math.floor(blockElements / (B * (I + O))));
  for (let start = 0; start < steps; start += stepsAtOnce) {
    const end = Math.min(steps, start + stepsAtOnce);
    const used = taps
      .map((tap) => ({ ...tap, from: Math.max(start, tap.from), to: Math.min(end, tap.to) }))
      .filter(({ from, to }) => from < to);
    // The first tap writes the windows from `first` to `last`; all others begin with the bias.
    const { from: first, to: last } = used[0] ?? { from: end, to: end };
    fillRows(scope, y + start * B * O, bias, (first - start) * B, O);
    fillRows(scope, y + last * B * O, bias, (end - last) * B, O);
    used.forEach(({ from, to, source, panels }, i) => {
      const result = y + from * B * O;
      const tap = input + source + from * B * I;
      const rows = (to - from) * B;
      if (i === 0) k.of(affinePacked)(result, tap, panels, bias, rows, O, I);
      else k.of(gemmPacked)(result, tap, panels, rows, O, I, true);
    });
  }
};

type GroupOffsets = Omit<ConvolutionOffsets, 'dbias'>;

function tapwiseBackward(scope: Scope, sizes: ConvolutionSizes, width: number, offsets: GroupOffsets): void {
  const k = scope.kernels;
  const { B, I, O } = sizes;
  const { x, weight, dy, dx, dweight } = offsets;
  const taps = tapsOf(sizes);
  if (dweight !== undefined) {
    const input = phasesOf(scope, sizes, x, width);
    taps.forEach(({ from, to, source }, j) => {
      const tap = input + source + from * B * I;
      k.of(gemm)(dweight + j * I * O, tap, dy + from * B * O, I, O, (to - from) * B, true, false, true);
    });
  }
  if (dx === undefined) return;
  addToPhases(scope, sizes, dx, width, (dphases) => {
    taps.forEach(({ from, to, source }, j) => {
      const rows = (to - from) * B;
      const dtap = dphases + source + from * B * I;
      k.of(gemm)(dtap, dy + from * B * O, weight + j * I * O, rows, I, O, false, true, true);
    });
  });
}

/**
 * With fewer inputs than this, and several taps, the windows are copied into the rows of one matrix [T′·B, k·I],
 * because products over few columns are slow.
 */
const leastInputs = 32;

const isUnfolded = ({ k, I }: ConvolutionSizes): boolean => k > 1 && I < leastInputs;

const multiplyOf = (sizes: ConvolutionSizes): Multiply => (isUnfolded(sizes) ? multiplyUnfolded : multiplyTapwise);

const backwardOf = (sizes: ConvolutionSizes): typeof tapwiseBackward =>
  isUnfolded(sizes) ? unfoldedBackward : tapwiseBackward;

/**
 * Calls `visit` for the windows as few matrices: with the first window, the offset of its first tap, the numbers of
 * rows and of taps, the distances between rows and between taps, and the number n of contiguous elements per tap.
 */
function eachWindows(
  { B, I, k, stride, dilation, steps }: ConvolutionSizes,
  width: number,
  visit: (
    window: number,
    from: number,
    rows: number,
    taps: number,
    rowStride: number,
    tapStride: number,
    n: number,
  ) => void,
): void {
  // The taps of a window are contiguous if there is one sequence.
  const [taps, n] = B === 1 && dilation === 1 && width === I ? [1, k * I] : [k, I];
  const tapStride = dilation * B * width;
  if (stride === 1) visit(0, 0, steps * B, taps, width, tapStride, n);
  else if (B === 1) visit(0, 0, steps, taps, stride * width, tapStride, n);
  else for (let t = 0; t < steps; t++) visit(t, t * stride * B * width, B, taps, width, tapStride, n);
}

/** The number of steps that the windows read, with the padding. */
const stepsRead = ({ k, stride, dilation, steps }: ConvolutionSizes): number =>
  (steps - 1) * stride + (k - 1) * dilation + 1;

const isPadded = (sizes: ConvolutionSizes): boolean => sizes.before > 0 || stepsRead(sizes) > sizes.T;

/** The sequence inside of the padded sequence: its shape, its strides, and the offset of the copy. */
function insideOf(sizes: ConvolutionSizes, width: number) {
  const { T, B, I, before } = sizes;
  return {
    shape: [Math.max(0, Math.min(T, stepsRead(sizes) - before)), B, I],
    strides: [B * width, width, 1],
    padded: [B * I, I, 1],
    start: before * B * I,
  };
}

/** Returns the windows of x as a matrix [T′·B, k·I]. */
function unfold(scope: Scope, sizes: ConvolutionSizes, x: number, width: number): number {
  const { workspace, kernels: k } = scope;
  const { B, I, steps } = sizes;
  const windows = allocate(workspace, steps * B * sizes.k * I);
  let [input, inputWidth] = [x, width];
  if (isPadded(sizes)) {
    const { shape, strides, padded, start } = insideOf(sizes, width);
    [input, inputWidth] = [allocateZeros(scope.workspace, stepsRead(sizes) * B * I), I];
    k.of(copyStrided)(input + start, padded, x, strides, shape);
  }
  eachWindows(sizes, inputWidth, (window, from, rows, taps, rowStride, tapStride, n) => {
    k.of(unfoldWindows)(windows + window * B * sizes.k * I, input + from, rows, taps, rowStride, tapStride, n);
  });
  return windows;
}

/** One product of all taps. */
const multiplyUnfolded: Multiply = (scope, sizes, y, x, width, weight, bias) => {
  const { B, I, O, k, steps } = sizes;
  scope.kernels.of(affineRows)(y, unfold(scope, sizes, x, width), weight, bias, steps * B, O, k * I);
};

function unfoldedBackward(scope: Scope, sizes: ConvolutionSizes, width: number, offsets: GroupOffsets): void {
  const { workspace, kernels } = scope;
  const { B, I, O, k, steps } = sizes;
  const { x, weight, dy, dx, dweight } = offsets;
  if (dweight !== undefined) {
    const windows = unfold(scope, sizes, x, width);
    kernels.of(gemm)(dweight, windows, dy, k * I, O, steps * B, true, false, true);
  }
  if (dx === undefined) return;
  const dwindows = allocate(workspace, steps * B * k * I);
  kernels.of(gemm)(dwindows, dy, weight, steps * B, k * I, O, false, true, false);
  const padded = isPadded(sizes);
  const [dinput, inputWidth] = padded ? [allocateZeros(scope.workspace, stepsRead(sizes) * B * I), I] : [dx, width];
  eachWindows(sizes, inputWidth, (window, from, rows, taps, rowStride, tapStride, n) => {
    kernels.of(foldWindows)(dinput + from, dwindows + window * B * k * I, rows, taps, rowStride, tapStride, n);
  });
  if (!padded) return;
  const inside = insideOf(sizes, width);
  kernels.of(addStrided)(dx, inside.strides, dinput + inside.start, inside.padded, inside.shape);
}

/**
 * Calls `visit` for ranges of windows that read the same taps inside of the sequence: (from, to, the first tap, their
 * number). With a stride, taps are in different phases, and each is visited alone.
 */
function eachRun(
  taps: readonly Tap[],
  stride: number,
  visit: (from: number, to: number, tap: number, count: number) => void,
): void {
  if (stride > 1) {
    taps.forEach(({ from, to }, j) => visit(from, to, j, 1));
    return;
  }
  const bounds = [...new Set(taps.flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b);
  for (const [i, from] of bounds.slice(0, -1).entries()) {
    const to = bounds[i + 1]!;
    const isRead = (tap: Tap): boolean => tap.from <= from && tap.to >= to;
    const count = taps.filter(isRead).length;
    if (count > 0) visit(from, to, taps.findIndex(isRead), count);
  }
}

/** y [T′·B, I] += the depthwise convolution of x. */
function multiplyDepthwise(scope: Scope, sizes: ConvolutionSizes, y: number, x: number, weight: number): void {
  const { B, I, stride, dilation } = sizes;
  const input = phasesOf(scope, sizes, x, I);
  const taps = tapsOf(sizes);
  const multiply = scope.kernels.of(multiplyTaps);
  eachRun(taps, stride, (from, to, j, count) => {
    const tap = input + taps[j]!.source + from * B * I;
    multiply(y + from * B * I, tap, weight + j * I, (to - from) * B, count, dilation * B * I, I);
  });
}

function depthwiseBackward(scope: Scope, sizes: ConvolutionSizes, offsets: ConvolutionOffsets): void {
  const k = scope.kernels;
  const { B, I, stride, dilation } = sizes;
  const { x, weight, dy, dx, dweight } = offsets;
  const taps = tapsOf(sizes);
  if (dweight !== undefined) {
    const input = phasesOf(scope, sizes, x, I);
    taps.forEach(({ from, to, source }, j) => {
      const tap = input + source + from * B * I;
      k.of(sumProducts)(dweight + j * I, tap, dy + from * B * I, (to - from) * B, I);
    });
  }
  if (dx === undefined) return;
  if (stride === 1) {
    // The gradient of a step is a sum over the windows that read it: a convolution in the opposite direction.
    const mirrored = taps.map(({ from, to, first, source }) => {
      return { from: from + first, to: to + first, first: -first, source: -source };
    });
    eachRun(mirrored, 1, (from, to, j, count) => {
      const tap = dy + mirrored[j]!.source + from * B * I;
      k.of(multiplyTaps)(dx + from * B * I, tap, weight + j * I, (to - from) * B, count, -dilation * B * I, I);
    });
    return;
  }
  addToPhases(scope, sizes, dx, I, (dphases) => {
    taps.forEach(({ from, to, source }, j) => {
      const dtap = dphases + source + from * B * I;
      k.of(multiplyTaps)(dtap, dy + from * B * I, weight + j * I, (to - from) * B, 1, 0, I);
    });
  });
}
