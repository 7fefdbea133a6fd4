/** Normalization of vectors. */

import { fill } from '../../kernels/movement';
import { normalizeRows, normalizeRowsBackward } from '../../kernels/normalization';
import { allocate } from '../../kernels/workspace';
import { checkNumber, checkShape, checkSome, lengthAt } from '../../tensor/shape';
import {
  currentScope,
  gradientOf,
  type Operand,
  operand,
  record,
  result,
  type Scope,
  type Variable,
  withScratch,
} from '../tape';

/** Gain, bias and epsilon of {@link layerNormalize}. */
export interface NormalizationOptions {
  /** `[n]`; ones by default. */
  readonly gain?: Operand;
  /** `[n]`; zeros by default. */
  readonly bias?: Operand;
  /** What is added to the variance; 1e-5 by default. */
  readonly epsilon?: number;
}

/**
 * y = gain · (x − mean) / √(variance + epsilon) + bias along the last axis, with the variance of all n numbers, not n − 1 (Ba, Kiros and
 * Hinton, 2016, arXiv 1607.06450). Rows of equal numbers, however large, give the bias; so do, in single precision, rows whose numbers are 1e19
 * and more apart, since their squares overflow.
 *
 * @param x `[…, n]`
 * @throws RangeError where n is 0, gain or bias are not `[n]`, or epsilon is negative
 * @example
 * compute({ x: tensor([[1, 3], [10, 30]]) }, ({ x }) => layerNormalize(x, { epsilon: 0 })).data; // Float32Array [-1, 1, -1, 1]
 */
export function layerNormalize(x: Operand, { gain, bias, epsilon = 1e-5 }: NormalizationOptions = {}): Variable {
  checkNumber('layerNormalize', 'epsilon', epsilon, 0);
  const scope = currentScope('layerNormalize');
  const { kernels: k, workspace } = scope;
  const input = operand('layerNormalize', x);
  const n = lengthAt('layerNormalize', 'x', input.shape, -1);
  checkSome('layerNormalize', 'x', n, 'number along the last axis');
  const [by, to] = [vectorOf(scope, 'gain', gain, 1, n), vectorOf(scope, 'bias', bias, 0, n)];
  const rows = input.size / n;
  const output = result(scope, input.shape, [input, by, to]);
  const normal = allocate(workspace, input.size);
  const slope = allocate(workspace, rows);
  k.of(normalizeRows)(output.offset, normal, slope, input.offset, by.offset, to.offset, epsilon, rows, n);
  record([output], () => {
    const tracked = [input, by, to].map((each) => (each.storage.tracked ? gradientOf(each) : -1)) as [
      number,
      number,
      number,
    ];
    const dy = gradientOf(output);
    // What nobody asks for is written where it does no harm.
    withScratch(scope, input.size, (unasked) => {
      const [dx, dgain, dbias] = tracked.map((offset) => (offset < 0 ? unasked : offset)) as [number, number, number];
      k.of(normalizeRowsBackward)(dx, dgain, dbias, dy, normal, slope, by.offset, rows, n);
    });
  });
  return output;
}

function vectorOf(scope: Scope, name: string, given: Operand | undefined, value: number, n: number): Variable {
  const vector = given === undefined ? result(scope, [n], []) : operand('layerNormalize', given, name);
  checkShape('layerNormalize', name, vector.shape, { letters: '[n]', lengths: [n] });
  if (given === undefined) scope.kernels.of(fill)(vector.offset, value, n);
  return vector;
}
