/** Pooling over windows. */

import { add, multiply } from '../autodiff/ops/arithmetic';
import { averagePool, maxPool } from '../autodiff/ops/pooling';
import { checkWindow, type Padding, paddingOf, stepsAfter, type Window, windowsOver } from '../autodiff/ops/windows';
import { constantOf, type Variable, viewOf } from '../autodiff/tape';
import { validRows } from '../recurrence/packing';
import { rowsAt } from '../recurrence/valid-steps';
import { paddedRows, type WindowRows } from '../recurrence/window-rows';
import { checkCount, checkNames, outOfRange } from '../tensor/shape';
import { checkNoResets, type Layer, type LayerContext, stepSize, vectors } from './layer';

/** The options of {@link maxPool1d} and {@link averagePool1d}. */
export interface Pool1dOptions {
  /** The number of steps of a window. */
  readonly windowSize: number;
  /** The number of steps from one window to the next; by default, the window size. */
  readonly stride?: number | undefined;
  /** `'valid'` by default. Padding does not count. */
  readonly padding?: Padding | undefined;
}

/**
 * Creates a layer that takes the maximum of each feature over windows of steps: `[T, B, I]` to `[T′, B, I]`, where T′
 * and the lengths of the output are as for {@link conv1d}. Padding does not count. In a model, the layer is named
 * `maxPool`.
 *
 * @throws RangeError if an option is out of range, or a window can be in the padding as a whole; in a model, if its
 * input is not one vector per step
 * @example
 * const model = sequential([maxPool1d({ windowSize: 2 })], { inputSize: 1 });
 * predict(model, tensor([1, 3, 4, 2, 9], [5, 1, 1])).data; // Float32Array [3, 4]
 */
export function maxPool1d(options: Pool1dOptions): Layer {
  return poolLayer('maxPool1d', 'maxPool', options, (x, window, { lengths }) => {
    const [T, B, I] = x.shape as [number, number, number];
    if (validRows('maxPool1d', T, B, lengths) === undefined) return maxPool('maxPool1d', x, window);
    stepsAfter('maxPool1d', window, T);
    const plan = paddedRows(window, T, lengths!);
    const { steps, sources } = plan;
    const padding = constantOf(
      x.storage.scope,
      [steps, B, 1],
      Array.from(sources, (source) => (source < 0 ? -Infinity : 0)),
    );
    const rows = add(rowsAt(viewOf(x, [T * B, I]), sources, [steps, B, I]), padding);
    return outputsOf(maxPool('maxPool1d', rows, { ...window, padding: 'valid' }), plan);
  });
}

/**
 * Creates a layer that averages each feature over windows of steps: `[T, B, I]` to `[T′, B, I]`, where T′ and the
 * lengths of the output are as for {@link conv1d}. Padding does not count, as in Keras and as with
 * `count_include_pad=False` in PyTorch. In a model, the layer is named `averagePool`.
 *
 * @throws as {@link maxPool1d}
 * @example
 * const model = sequential([averagePool1d({ windowSize: 2, stride: 1 })], { inputSize: 1 });
 * predict(model, tensor([1, 3, 5], [3, 1, 1])).data; // Float32Array [2, 4]
 */
export function averagePool1d(options: Pool1dOptions): Layer {
  return poolLayer('averagePool1d', 'averagePool', options, (x, window, { lengths }) => {
    const [T, B, I] = x.shape as [number, number, number];
    const isUnequal = validRows('averagePool1d', T, B, lengths) !== undefined;
    const count = stepsAfter('averagePool1d', window, T);
    if (!isUnequal && (T === 0 || paddingOf(window, T).every((size) => size === 0))) return averagePool(x, window);
    const plan = paddedRows(window, T, isUnequal ? lengths! : new Int32Array(B).fill(T));
    const { steps, sources } = plan;
    const rows = rowsAt(viewOf(x, [T * B, I]), sources, [steps, B, I]);
    const factors = constantOf(x.storage.scope, [count, B, 1], factorsOf(window, sources, count, B));
    return outputsOf(multiply(averagePool(rows, { ...window, padding: 'valid' }), factors), plan);
  });
}

/** `[T′, B]` the size of a window divided by the number of its steps that are not in the padding. */
function factorsOf({ k, stride }: Window, sources: Int32Array, count: number, B: number): Float32Array {
  return Float32Array.from({ length: count * B }, (_, i) => {
    const t = Math.floor(i / B);
    const b = i % B;
    let steps = 0;
    for (let j = 0; j < k; j++) steps += sources[(t * stride + j) * B + b]! < 0 ? 0 : 1;
    return k / Math.max(1, steps);
  });
}

/** The outputs of windows, with zeros in the padding of the sequences. */
function outputsOf(y: Variable, { outputs }: WindowRows): Variable {
  const [steps, B, I] = y.shape as [number, number, number];
  return rowsAt(viewOf(y, [steps * B, I]), outputs, [steps, B, I]);
}

function poolLayer(
  caller: string,
  name: string,
  options: Pool1dOptions,
  apply: (x: Variable, window: Window, context: LayerContext) => Variable,
): Layer {
  checkNames(caller, 'options', options, ['windowSize', 'stride', 'padding']);
  const { windowSize, stride = windowSize, padding = 'valid' } = options;
  checkCount(caller, 'windowSize', windowSize);
  checkWindow(caller, { stride, dilation: 1, padding });
  if (typeof padding !== 'string' && padding.some((count) => count >= windowSize))
    throw outOfRange(caller, 'padding', `less than the window size ${windowSize}`, padding.join());
  const window: Window = { k: windowSize, stride, dilation: 1, padding };
  return {
    name,
    origin: [caller, { windowSize, stride, padding }],
    causal: false,
    output: (input) => ({ kind: 'vectors', size: stepSize(caller, input), perStep: true }),
    ...(padding === 'same' && stride === 1 ? {} : { steps: (length) => windowsOver(window, length) }),
    run: (_, input, context) => {
      checkNoResets(caller, context);
      return { output: apply(vectors(caller, input), window, context) };
    },
  };
}
