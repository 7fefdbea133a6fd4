/** Convolution over time. */

import { checkNames, checkObject, checkShape } from '../../tensor/shape';
import {
  gradientIfTracked,
  gradientOf,
  type Operand,
  operand,
  record,
  result,
  type Variable,
  withScratch,
} from '../tape';
import { convolveRows, convolveRowsBackward } from './convolution-products';
import { checkGroups, checkWindow, type Padding, paddingOf, stepsAfter, type WindowOptions } from './windows';

/** The parameters of {@link convolve}. */
export interface ConvolutionParameters {
  /** `[k, I / groups, O]`: k taps, each a matrix from inputs to outputs. */
  readonly weight: Operand;
  /** The bias, `[O]`. Default: none. */
  readonly bias?: Operand | undefined;
}

/** The options of {@link convolve}. */
export interface ConvolutionOptions extends WindowOptions {
  /** The number of steps between the taps of a window. Default 1. */
  readonly dilation?: number | undefined;
  /**
   * The number of groups into which inputs and outputs are divided; the outputs of a group depend on its inputs only.
   * With as many groups as inputs and outputs, the convolution is depthwise. Default 1.
   */
  readonly groups?: number | undefined;
  /** Default `'valid'`. */
  readonly padding?: Padding | undefined;
}

/**
 * Convolves sequences over time (a cross-correlation, as in other deep learning libraries):
 * y[t] = bias + Σⱼ x[t·stride + j·dilation − before] · weight[j], where `before` is the padding before the first step.
 *
 * @param x `[T, B, I]`
 * @param parameters `weight [k, I / groups, O]` and, optionally, `bias [O]`
 * @returns `[T′, B, O]`; T′ = T with stride 1 and padding `'same'` or `'causal'`
 * @throws RangeError if the shapes do not match, I or O is not a multiple of `groups`, or a window is longer than the
 * padded sequence
 * @example
 * const x = tensor([1, 2, 3, 4], [4, 1, 1]);
 * const weight = tensor([-1, 1], [2, 1, 1]);
 * compute({ weight }, (p) => convolve(x, p)).data; // Float32Array [1, 1, 1]
 * compute({ weight }, (p) => convolve(x, p, { padding: 'causal' })).data; // Float32Array [1, 1, 1, 1]
 */
export function convolve(x: Operand, parameters: ConvolutionParameters, options: ConvolutionOptions = {}): Variable {
  checkObject('convolve', 'parameters', parameters);
  checkNames('convolve', 'options', options, ['stride', 'dilation', 'groups', 'padding']);
  const { stride = 1, dilation = 1, groups = 1, padding = 'valid' } = options;
  const input = operand('convolve', x);
  const weight = operand('convolve', parameters.weight, 'weight');
  const bias = parameters.bias === undefined ? undefined : operand('convolve', parameters.bias, 'bias');
  checkShape('convolve', 'x', input.shape, '[T, B, I]', [undefined, undefined, undefined]);
  const [T, B, I] = input.shape as [number, number, number];
  checkWindow('convolve', { stride, dilation, padding });
  checkGroups('convolve', 'I', I, groups);
  checkShape('convolve', 'weight', weight.shape, '[k, I / groups, O]', [undefined, I / groups, undefined]);
  const [k, , O] = weight.shape as [number, number, number];
  checkGroups('convolve', 'O', O, groups);
  if (bias !== undefined) checkShape('convolve', 'bias', bias.shape, '[O]', [O]);
  const window = { k, stride, dilation, padding };
  const steps = stepsAfter('convolve', window, T);
  const sizes = { ...window, T, B, I, O, groups, steps, before: paddingOf(window, T)[0] };
  const sources = bias === undefined ? [input, weight] : [input, weight, bias];
  const scope = input.storage.scope;
  const y = result([steps, B, O], sources);
  if (y.size === 0) return y;
  withScratch(scope, () => convolveRows(scope, sizes, y.offset, input.offset, weight.offset, bias?.offset));
  record([y], () => {
    const [dx, dweight, dbias] = [input, weight, bias].map(gradientIfTracked);
    const offsets = { x: input.offset, weight: weight.offset, dy: gradientOf(y), dx, dweight, dbias };
    withScratch(scope, () => convolveRowsBackward(scope, sizes, offsets));
  });
  return y;
}
