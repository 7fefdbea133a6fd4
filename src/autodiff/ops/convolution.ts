/** Convolution over time. */

import { checkNames, checkObject, checkShape } from '../../tensor/shape';
import { gradientOf, type Operand, operand, record, result, type Variable, withScratch } from '../tape';
import { convolve, convolveBackward } from './convolution-products';
import { checkGroups, checkWindow, type Padding, paddingOf, stepsAfter, type WindowOptions } from './windows';

/** The parameters of {@link conv1d}. */
export interface Conv1dParameters {
  /** `[k, I / groups, O]`: k taps, each a matrix from inputs to outputs. */
  readonly weight: Operand;
  /** The bias, `[O]`. Default: none. */
  readonly bias?: Operand;
}

/** The options of {@link conv1d}. */
export interface Conv1dOptions extends WindowOptions {
  /** The number of steps between the taps of a window. Default 1. */
  readonly dilation?: number;
  /**
   * The number of groups into which inputs and outputs are divided; the outputs of a group depend on its inputs only. With
   * as many groups as inputs and outputs, the convolution is depthwise. Default 1.
   */
  readonly groups?: number;
  /** Default `'valid'`. */
  readonly padding?: Padding;
}

/**
 * Convolves sequences over time, or rather correlates them, as all deep learning libraries do:
 * y[t] = bias + Σⱼ x[t·stride + j·dilation − before] · weight[j], where `before` is the padding before the first step.
 *
 * @param x `[T, B, I]`
 * @param parameters `weight [k, I / groups, O]` and, optionally, `bias [O]`
 * @returns `[T′, B, O]`; T′ = T with stride 1 and padding `'same'` or `'causal'`
 * @throws RangeError if the shapes do not match, I or O is not a multiple of `groups`, or a window is longer than the padded
 * sequence
 * @example
 * const x = tensor([1, 2, 3, 4], [4, 1, 1]);
 * const weight = tensor([-1, 1], [2, 1, 1]);
 * compute({ weight }, (p) => conv1d(x, p)).data; // Float32Array [1, 1, 1]
 * compute({ weight }, (p) => conv1d(x, p, { padding: 'causal' })).data; // Float32Array [1, 1, 1, 1]
 */
export function conv1d(x: Operand, parameters: Conv1dParameters, options: Conv1dOptions = {}): Variable {
  checkObject('conv1d', 'parameters', parameters);
  checkNames('conv1d', 'options', options, ['stride', 'dilation', 'groups', 'padding']);
  const { stride = 1, dilation = 1, groups = 1, padding = 'valid' } = options;
  const input = operand('conv1d', x);
  const weight = operand('conv1d', parameters.weight, 'weight');
  const bias = parameters.bias === undefined ? undefined : operand('conv1d', parameters.bias, 'bias');
  checkShape('conv1d', 'x', input.shape, '[T, B, I]', [undefined, undefined, undefined]);
  const [T, B, I] = input.shape as [number, number, number];
  checkWindow('conv1d', { stride, dilation, padding });
  checkGroups('conv1d', 'I', I, groups);
  checkShape('conv1d', 'weight', weight.shape, '[k, I / groups, O]', [undefined, I / groups, undefined]);
  const [k, , O] = weight.shape as [number, number, number];
  checkGroups('conv1d', 'O', O, groups);
  if (bias !== undefined) checkShape('conv1d', 'bias', bias.shape, '[O]', [O]);
  const window = { k, stride, dilation, padding };
  const steps = stepsAfter('conv1d', window, T);
  const sizes = { T, B, I, O, k, stride, dilation, groups, steps, before: paddingOf(window, T)[0] };
  const sources = bias === undefined ? [input, weight] : [input, weight, bias];
  const { scope } = input.storage;
  const y = result(scope, [steps, B, O], sources);
  if (y.size === 0) return y;
  withScratch(scope, () => convolve(scope, sizes, y.offset, input.offset, weight.offset, bias?.offset));
  record([y], () => {
    const [dx, dweight, dbias] = [input, weight, bias].map((source) =>
      source?.storage.tracked ? gradientOf(source) : undefined,
    );
    const offsets = { x: input.offset, weight: weight.offset, dy: gradientOf(y), dx, dweight, dbias };
    withScratch(scope, () => convolveBackward(scope, sizes, offsets));
  });
  return y;
}
