/** Pooling and batch normalization in ONNX. */

import { paddingOf } from '../../autodiff/ops/windows';
import type { BatchNormOptions } from '../../layers/batch-norm';
import type { Pool1dOptions } from '../../layers/pool1d';
import type { Tensor } from '../../tensor/tensor';
import { reject } from './activations';
import { add, addConstant, addIntegers, type Builder } from './builder';
import { changeLengths, toChannels, toSteps, windowAttributes } from './export-convolution';
import type { ExportContext } from './export-recurrent';
import { castLengths, filled } from './mask';

/** Adds pooling over windows. Returns the name of its output `[T′, B, I]`. */
export function addPooling(
  context: ExportContext,
  path: string,
  opType: 'MaxPool' | 'AveragePool',
  { windowSize, stride = windowSize, padding = 'valid' }: Pool1dOptions,
  x: string,
): string {
  const { builder: b, lengths } = context;
  const window = { k: windowSize, stride, dilation: 1, padding };
  if (opType === 'AveragePool' && lengths !== undefined && paddingOf(window, 1).some((count) => count > 0))
    reject(path, 'an average with padding', 'depends on the lengths, so it cannot be exported with them');
  // Before opset 19, AveragePool has no dilations.
  const { dilations: _, ...attributes } = windowAttributes(path, window);
  const input = toChannels(b, filled(context, x, opType === 'MaxPool' ? -Infinity : 0));
  const y = toSteps(b, add(b, opType, [input], { kernel_shape: [windowSize], ...attributes }));
  changeLengths(context, path, window, y);
  return filled(context, y, 0);
}

/** Adds pooling over all steps. Returns the name of its output `[B, I]`. */
export function addGlobalPooling(context: ExportContext, kind: 'max' | 'average', x: string): string {
  const { builder: b, lengths } = context;
  if (lengths === undefined) {
    const y = add(b, kind === 'max' ? 'GlobalMaxPool' : 'GlobalAveragePool', [toChannels(b, x)]);
    return add(b, 'Squeeze', [y, addIntegers(b, 2)]);
  }
  if (kind === 'max') {
    const largest = add(b, 'ReduceMax', [filled(context, x, -Infinity)], { axes: [0], keepdims: 0 });
    return add(b, 'Where', [castLengths(b, lengths, 9), largest, addConstant(b, 'zero', 0)]);
  }
  const total = add(b, 'ReduceSum', [filled(context, x, 0), addIntegers(b, 0)], { keepdims: 0 });
  return add(b, 'Div', [total, add(b, 'Max', [castLengths(b, lengths, 1), addConstant(b, 'one', 1)])]);
}

/** Adds batch normalization with the running statistics, of vectors per step or per sequence. */
export function addBatchNormalization(
  b: Builder,
  path: string,
  { epsilon = 1e-5 }: BatchNormOptions,
  parameters: Readonly<Record<string, Tensor>>,
  x: string,
): string {
  const [size] = parameters['gain']!.shape as [number];
  const weights = ['gain', 'bias', 'mean', 'variance'].map((name) =>
    addConstant(b, `${path}.${name}`, parameters[name]!),
  );
  const rows = add(b, 'Reshape', [x, addIntegers(b, -1, size)]);
  const y = add(b, 'BatchNormalization', [rows, ...weights], { epsilon: { float: epsilon } });
  return add(b, 'Reshape', [y, add(b, 'Shape', [x])]);
}
