/** Layer and batch normalization. */

import { add, divide, multiply, subtract } from '../../autodiff/ops/arithmetic';
import { sqrt } from '../../autodiff/ops/elementwise';
import { layerNormalize } from '../../autodiff/ops/normalization';
import type { Variable } from '../../autodiff/tape';
import { checkShape } from '../../tensor/shape';
import { matrixShape } from './movement-operators';
import {
  checkInputs,
  consumeAttribute,
  consumeFlag,
  type Operator,
  singleOutput,
  withFixedConstants,
} from './node-reader';
import { reshapeValue } from './values';

/** Layer normalization over all axes from `axis` on. */
export const layerNormalization: Operator = (reader) => {
  checkInputs(reader, ['float', 'float', 'float?']);
  const axis = consumeAttribute(reader, 'axis', 'int') ?? -1;
  const epsilon = consumeAttribute(reader, 'epsilon', 'float') ?? 1e-5;
  // The precision in which the mean and the variance are computed: here always single.
  consumeAttribute(reader, 'stash_type', 'int');
  return singleOutput(reader, (x, scale, bias) => {
    const [rows, n] = matrixShape(x.shape, axis) as [number, number];
    const gain = reshapeValue(scale!, [n]) as Variable;
    const shift = bias && (reshapeValue(bias, [n]) as Variable);
    const matrix = reshapeValue(x, [rows, n]) as Variable;
    return reshapeValue(layerNormalize(matrix, { gain, ...(shift && { bias: shift }), epsilon }), x.shape);
  });
};

/** Normalization of the channels, axis 1 of x, by a stored mean and variance, which are not trained. */
export const batchNormalization: Operator = (reader) => {
  checkInputs(reader, ['float', 'float', 'float', 'float', 'float']);
  const epsilon = consumeAttribute(reader, 'epsilon', 'float') ?? 1e-5;
  // Only training uses the momentum.
  consumeAttribute(reader, 'momentum', 'float');
  if (consumeFlag(reader, 'training_mode'))
    throw new RangeError('training_mode must be 0. Export the model for inference');
  // Before opset 14, a node with the outputs of training normalizes by the statistics of the batch.
  if (reader.opset < 14 && reader.node.outputs.some((name, i) => i > 0 && name !== ''))
    throw new RangeError(
      `the node must have 1 output, got ${reader.node.outputs.length}. Export the model for inference`,
    );
  if (reader.opset < 9 && consumeAttribute(reader, 'spatial', 'int') === 0)
    throw new RangeError('the attribute spatial must be 1, got 0');
  const prepared = singleOutput(reader, (x, ...values) => {
    const channels = x.shape[1] ?? 1;
    const [scale, bias, mean, variance] = values.map((value, i) => {
      const name = ['scale', 'B', 'mean', 'var'][i]!;
      checkShape('BatchNormalization', name, value.shape, '[C]', [channels]);
      return reshapeValue(value, [channels, ...x.shape.slice(2).map(() => 1)]) as Variable;
    }) as [Variable, Variable, Variable, Variable];
    const centered = subtract(x as Variable, mean);
    return add(multiply(centered, divide(scale, sqrt(add(variance, epsilon)))), bias);
  });
  return withFixedConstants(reader, [3, 4], prepared);
};
