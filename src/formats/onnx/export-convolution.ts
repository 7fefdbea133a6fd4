/** Convolutions in ONNX, whose operators have the time axis last: `[B, I, T]`. */

import { extentOf, isCausal, paddingOf, type Window } from '../../autodiff/ops/windows';
import type { Conv1dOptions } from '../../layers/conv1d';
import type { Tensor } from '../../tensor/tensor';
import { reversedAxes } from '../matrix';
import { reject } from './activations';
import { type Attribute, add, addConstant, addIntegers, type Builder } from './builder';
import type { ExportContext } from './export-recurrent';
import { addMask, filled } from './mask';

/** Adds a convolution, without its activation. Returns the name of its output `[T′, B, O]`. */
export function addConvolution(
  context: ExportContext,
  path: string,
  { kernelSize: k, stride = 1, dilation = 1, groups = 1, padding = 'valid' }: Conv1dOptions,
  { weight, bias }: Readonly<Record<string, Tensor>>,
  x: string,
): string {
  const b = context.builder;
  const window = { k, stride, dilation, padding };
  const past = extentOf(window) - 1;
  const isStateful = context.carriesState && past > 0 && isCausal(window);
  const input = filled(context, x, 0);
  const rows = isStateful ? addPast(context, path, input, past, weight!.shape[1]! * groups) : input;
  // ONNX Runtime does not support auto_pad with dilations.
  const spread = isAutoPadded(window) ? dilation : 1;
  const kernel = reversedAxes(weight!, spread);
  const taps = kernel.shape[2]!;
  const y = add(
    b,
    'Conv',
    [toChannels(b, rows), addConstant(b, `${path}.weight`, kernel), addConstant(b, `${path}.bias`, bias!)],
    {
      kernel_shape: [taps],
      group: groups,
      ...windowAttributes(path, {
        k: taps,
        stride,
        dilation: dilation / spread,
        padding: isStateful ? 'valid' : padding,
      }),
    },
  );
  const output = toSteps(b, y);
  changeLengths(context, path, window, output);
  return output;
}

/** Puts the inputs before the sequence in front of it, and adds the last inputs as an output. */
function addPast(context: ExportContext, path: string, x: string, past: number, I: number): string {
  const { builder: b, lengths, states } = context;
  if (lengths !== undefined)
    reject(path, 'the state of a causal convolution', 'cannot be exported together with lengths');
  const name = `${path}.inputs`;
  const state = add(b, 'Reshape', [name, addIntegers(b, 0, past, I)]);
  const rows = add(b, 'Concat', [swapBatch(b, state), x], { axis: 0 });
  const last = add(b, 'Slice', [rows, addIntegers(b, -past), addIntegers(b, 2 ** 31 - 1), addIntegers(b, 0)]);
  const output = add(b, 'Reshape', [swapBatch(b, last), addIntegers(b, 0, past * I)]);
  states.push({ name, size: past * I, output });
  return rows;
}

/** Exchanges the axis of the batch with that of time. */
export const swapBatch = (b: Builder, x: string): string => add(b, 'Transpose', [x], { perm: [1, 0, 2] });

/** `[T, B, I]` as `[B, I, T]`. */
export const toChannels = (b: Builder, x: string): string => add(b, 'Transpose', [x], { perm: [1, 2, 0] });

/** `[B, O, T]` as `[T, B, O]`. */
export const toSteps = (b: Builder, y: string): string => add(b, 'Transpose', [y], { perm: [2, 0, 1] });

/**
 * Whether the padding depends on the length of the sequence: with a stride, unless there is at most one step of
 * padding. That step is after the sequence, and adds no window to a sequence that does not need it.
 */
const isAutoPadded = ({ k, stride, dilation, padding }: Window): boolean =>
  padding === 'same' && stride > 1 && extentOf({ k, dilation }) > 2;

/** The attributes of windows. @throws RangeError if they have no form that all runtimes compute alike */
export function windowAttributes(path: string, window: Window): Readonly<Record<string, Attribute>> {
  // The formula of auto_pad then gives negative padding.
  if (isAutoPadded(window) && window.stride > extentOf(window))
    reject(path, "padding 'same' with a stride above the size");
  return {
    strides: [window.stride],
    dilations: [window.dilation],
    ...(isAutoPadded(window) ? { auto_pad: 'SAME_UPPER' } : { pads: paddingOf(window, 1) }),
  };
}

/** Replaces the lengths and the mask of the context by those of the output of windows. */
export function changeLengths(context: ExportContext, path: string, window: Window, output: string): void {
  const { builder: b, lengths } = context;
  if (lengths === undefined) return;
  const stride = window.stride;
  if (isAutoPadded(window))
    reject(path, "padding 'same' with a stride", 'depends on the lengths, so it cannot be exported with them');
  const [before, after] = paddingOf(window, 1);
  const change = before + after - extentOf(window) + stride;
  if (stride === 1 && change === 0) return;
  const wide = add(b, 'Cast', [lengths], { to: 7 });
  const shifted = add(b, 'Add', [wide, addIntegers(b, change)]);
  const zero = addIntegers(b, 0);
  const positive = (value: string, count: string): string =>
    add(b, 'Where', [add(b, 'Less', [zero, value]), count, zero]);
  const counts = positive(wide, positive(shifted, add(b, 'Div', [shifted, addIntegers(b, stride)])));
  context.lengths = add(b, 'Cast', [counts], { to: 6 });
  context.valid = addMask(b, output, context.lengths);
}
