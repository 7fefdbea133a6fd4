/** The convolution layer. */

import { convolve } from '../autodiff/ops/convolution';
import { concat } from '../autodiff/ops/movement';
import {
  checkGroups,
  checkWindow,
  extentOf,
  isCausal,
  type Padding,
  paddingOf,
  stepsAfter,
  type Window,
  windowsOver,
} from '../autodiff/ops/windows';
import { operand, type Variable, viewOf } from '../autodiff/tape';
import { checkResets, validRows } from '../recurrence/packing';
import { rowsAt } from '../recurrence/valid-steps';
import { causalRows, lastRows, paddedRows } from '../recurrence/window-rows';
import type { Initializer } from '../tensor/initializers';
import { checkCount, checkFunction, checkNames, checkShape } from '../tensor/shape';
import { createConvolutionRunner } from './conv1d-stream';
import {
  activate,
  checkNoResets,
  type Features,
  type Layer,
  type LayerContext,
  type LayerResult,
  stepSize,
  vectors,
} from './layer';

/** The options of {@link conv1d}. */
export interface Conv1dOptions {
  /** O, the size of the output: the number of filters. */
  readonly size: number;
  /** k, the number of taps of a window. */
  readonly kernelSize: number;
  /** The number of steps from one window to the next; 1 by default. */
  readonly stride?: number | undefined;
  /** The number of steps from one tap of a window to the next; 1 by default. */
  readonly dilation?: number | undefined;
  /**
   * The number of groups into which inputs and outputs are divided, each with a separate convolution; 1 by default.
   * With as many groups as inputs and outputs, the convolution is depthwise.
   */
  readonly groups?: number | undefined;
  /** `'valid'` by default. With stride 1 and padding `'causal'`, the layer can be streamed. */
  readonly padding?: Padding | undefined;
  /** A function of variables that preserves the shape, such as `relu`; none by default. */
  readonly activation?: ((x: Variable) => Variable) | undefined;
  /** Glorot uniform by default. */
  readonly weightInitializer?: Initializer | undefined;
  /** Zeros by default. */
  readonly biasInitializer?: Initializer | undefined;
}

/**
 * Creates a layer that convolves sequences over time, `[T, B, I]` to `[T′, B, O]`:
 * y[t] = f(bias + Σⱼ x[t·stride + j·dilation − before] · weight[j]). With `before` steps of padding in front of a
 * sequence and `after` at its end, T′ = ⌊(T + before + after − (k − 1)·dilation − 1) / stride⌋ + 1: ⌈T / stride⌉ with
 * padding `'same'` or `'causal'`.
 *
 * With sequences of unequal length, the padding of a sequence follows its last valid step, and each length becomes its
 * T′: {@link outputLengths} returns them. In a model, the layer is named `conv`. Its parameters are
 * `weight [k, I / groups, O]`, as in Keras, and `bias [O]`; PyTorch has `[O, I / groups, k]`.
 *
 * With stride 1 and padding `'causal'`, the output of a step depends only on that step and earlier ones. The state of
 * the layer is then `inputs [B, (k − 1)·dilation·I]`: the last inputs, the oldest first.
 *
 * @throws RangeError if an option is out of range; in a model, if its input is not one vector per step, or the sizes
 * are not multiples of `groups`
 * @example
 * const layers = [conv1d({ size: 8, kernelSize: 5, stride: 2, padding: 'same', activation: relu })];
 * const model = sequential([...layers, recurrent(gru(), { hiddenSize: 16 })], { inputSize: 3, seed: 1 });
 * predict(model, full([20, 2, 3], 1)).shape; // [10, 2, 16]
 */
export function conv1d(options: Conv1dOptions): Layer {
  const window = checkOptions(options);
  const { stride, dilation, padding } = window;
  const { size, groups = 1, activation, weightInitializer, biasInitializer } = options;
  const causal = isCausal(window);
  const isSameLength = stride === 1 && totalPadding(window) === extentOf(window) - 1;
  const inputSizeOf = (input: Features): number => {
    const inputSize = stepSize('conv1d', input);
    checkGroups('conv1d', 'the size of the input', inputSize, groups);
    return inputSize;
  };
  return {
    name: 'conv',
    origin: ['conv1d', { ...options, stride, dilation, groups, padding }],
    causal,
    output: (input) => {
      inputSizeOf(input);
      return { kind: 'vectors', size, perStep: true };
    },
    ...(isSameLength ? {} : { steps: (length) => windowsOver(window, length) }),
    parameters: (input) => {
      const shape = [window.k, inputSizeOf(input) / groups, size];
      return {
        weight: { role: 'input', shape, blocks: 1, initializer: weightInitializer },
        bias: { role: 'bias', shape: [size], blocks: 1, initializer: biasInitializer },
      };
    },
    run: ({ weight, bias }, input, context) => {
      const apply: Convolution = (x, padding) =>
        activate(
          'conv1d',
          activation,
          convolve(x, { weight: weight!, bias: bias! }, { stride, dilation, groups, padding }),
        );
      const x = vectors('conv1d', input);
      return causal ? runCausal(apply, window, x, context) : { output: runWindows(apply, window, x, context) };
    },
    ...(causal && { stepRunner: createConvolutionRunner(window, groups, activation) }),
  };
}

type Convolution = (x: Variable, padding: Padding) => Variable;

/**
 * Returns the windows of a layer.
 *
 * @throws RangeError if an option is out of range; TypeError if one is of another type
 */
function checkOptions(options: Conv1dOptions): Window {
  checkNames('conv1d', 'options', options, [
    'size',
    'kernelSize',
    'stride',
    'dilation',
    'groups',
    'padding',
    'activation',
    'weightInitializer',
    'biasInitializer',
  ]);
  const { size, kernelSize: k, stride = 1, dilation = 1, groups = 1, padding = 'valid', activation } = options;
  checkCount('conv1d', 'size', size);
  checkCount('conv1d', 'kernelSize', k);
  checkWindow('conv1d', { stride, dilation, padding });
  checkGroups('conv1d', 'size', size, groups);
  if (activation !== undefined) checkFunction('conv1d', 'activation', activation);
  return { k, stride, dilation, padding };
}

/** The padding of a window with stride 1, which does not depend on the length of a sequence. */
function totalPadding(window: Window): number {
  const [before, after] = paddingOf(window, 1);
  return before + after;
}

/** Runs a convolution whose outputs may depend on later steps. */
function runWindows(
  apply: Convolution,
  window: Window,
  x: Variable,
  context: Pick<LayerContext, 'lengths' | 'resets'>,
): Variable {
  const lengths = context.lengths;
  const [T, B, I] = x.shape as [number, number, number];
  checkNoResets('conv1d', context, "undefined, unless the stride is 1 and the padding is 'causal'");
  const count = stepsAfter('conv1d', window, T);
  if (validRows('conv1d', T, B, lengths) === undefined) return apply(x, window.padding);
  const { steps, sources, outputs } = paddedRows(window, T, lengths!);
  const y = apply(rowsAt(viewOf(x, [T * B, I]), sources, [steps, B, I]), 'valid');
  const O = y.shape[2]!;
  return rowsAt(viewOf(y, [count * B, O]), outputs, [count, B, O]);
}

/** Runs a causal convolution from the inputs before the sequences, its state. */
function runCausal(
  apply: Convolution,
  window: Window,
  x: Variable,
  { lengths, resets, state = {} }: Pick<LayerContext, 'lengths' | 'resets' | 'state'>,
): LayerResult {
  const [T, B, I] = x.shape as [number, number, number];
  const past = extentOf(window) - 1;
  checkResets('conv1d', resets, T, B);
  checkNames('conv1d', 'state', state, past === 0 ? [] : ['inputs']);
  // Every row is one sequence of T steps.
  const isEven = validRows('conv1d', T, B, lengths) === undefined && !resets?.data.some((flag) => flag !== 0);
  const before = state['inputs'] === undefined ? undefined : operand('conv1d', state['inputs'], 'state.inputs');
  if (before !== undefined)
    checkShape('conv1d', 'state.inputs', before.shape, '[B, (k − 1)·dilation·I]', [B, past * I]);
  const inputs = viewOf(x, [T * B, I]);
  const rows = before === undefined ? inputs : concat([viewOf(before, [B * past, I]), inputs]);
  const stateOf = (final: Int32Array): Pick<LayerResult, 'state'> =>
    past === 0 ? {} : { state: { inputs: rowsAt(rows, final, [B, past * I]) } };
  if (isEven && before === undefined) return { output: apply(x, window.padding), ...stateOf(lastRows(past, T, B)) };
  // Without steps, the state does not change.
  if (before !== undefined && T === 0) return { output: apply(x, window.padding), state: { inputs: before } };
  const allLengths = lengths ?? new Int32Array(B).fill(T);
  const plan = causalRows(past, T, allLengths, resets?.data, before !== undefined);
  const next = stateOf(plan.final);
  const y = apply(rowsAt(rows, plan.sources, [plan.steps, B, I]), 'valid');
  const [steps = 0, , O = 0] = y.shape;
  if (isEven) return { output: y, ...next };
  return { output: rowsAt(viewOf(y, [steps * B, O]), plan.outputs, [T, B, O]), ...next };
}
