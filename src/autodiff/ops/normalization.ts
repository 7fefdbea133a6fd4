/** Layer normalization. */

import { normalizeRows, normalizeRowsBackward } from '../../kernels/normalization';
import { allocate } from '../../kernels/workspace';
import { checkNames, checkNumber, checkShape, checkSome, lengthAt } from '../../tensor/shape';
import {
  filled,
  gradientIfTracked,
  gradientOf,
  type Operand,
  operand,
  record,
  result,
  type Scope,
  type Variable,
  withScratch,
} from '../tape';

/** Options of {@link layerNormalize}. */
export interface NormalizationOptions {
  /** The gain, `[n]`. Default: ones. */
  readonly gain?: Operand | undefined;
  /** The bias, `[n]`. Default: zeros. */
  readonly bias?: Operand | undefined;
  /** The number added to the variance. Default 1e-5. */
  readonly epsilon?: number | undefined;
}

/**
 * Computes y = gain · (x − mean) / √(variance + epsilon) + bias along the last axis (layer normalization: Ba, Kiros and
 * Hinton, 2016, arXiv 1607.06450). The variance is the biased one, with the divisor n.
 *
 * Rows of equal values of any size give the bias. In single precision, so do rows whose squared deviations from the
 * mean overflow: their values differ by about 1e19 or more.
 *
 * @param x `[…, n]`
 * @returns `[…, n]`
 * @throws RangeError if n is 0, gain or bias is not `[n]`, or epsilon is negative
 * @example
 * const x = tensor([[1, 3], [10, 30]]);
 * compute({ x }, (p) => layerNormalize(p.x, { epsilon: 0 })).data; // Float32Array [-1, 1, -1, 1]
 */
export function layerNormalize(x: Operand, options: NormalizationOptions = {}): Variable {
  checkNames('layerNormalize', 'options', options, ['gain', 'bias', 'epsilon']);
  const { gain, bias, epsilon = 1e-5 } = options;
  checkNumber('layerNormalize', 'epsilon', epsilon, 0);
  const input = operand('layerNormalize', x);
  const scope = input.storage.scope;
  const { kernels: k, workspace } = scope;
  const n = lengthAt('layerNormalize', 'x', input.shape, -1);
  checkSome('layerNormalize', 'x', n, 'element along the last axis');
  const scaleBy = vectorOf(scope, 'gain', gain, 1, n);
  const shift = vectorOf(scope, 'bias', bias, 0, n);
  const rows = input.size / n;
  const output = result(input.shape, [input, scaleBy, shift]);
  const normal = allocate(workspace, input.size);
  const slope = allocate(workspace, rows);
  k.of(normalizeRows)(output.offset, normal, slope, input.offset, scaleBy.offset, shift.offset, epsilon, rows, n);
  record([output], () => {
    const gradients = [input, scaleBy, shift].map(gradientIfTracked);
    const dy = gradientOf(output);
    // The kernel computes all three gradients; those of untracked operands go to scratch memory.
    withScratch(scope, () => {
      const scratch = allocate(workspace, input.size);
      const [dx, dgain, dbias] = gradients.map((offset) => offset ?? scratch) as [number, number, number];
      k.of(normalizeRowsBackward)(dx, dgain, dbias, dy, normal, slope, scaleBy.offset, rows, n);
    });
  });
  return output;
}

/** Returns the operand `[n]`, or a constant filled with `value` if it is missing. */
function vectorOf(scope: Scope, name: string, x: Operand | undefined, value: number, n: number): Variable {
  if (x === undefined) return filled(scope, [n], value);
  const vector = operand('layerNormalize', x, name);
  checkShape('layerNormalize', name, vector.shape, '[n]', [n]);
  return vector;
}
