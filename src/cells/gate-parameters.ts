/** The weights and the bias that all gated cells share. */

import { affine } from '../autodiff/ops/linear';
import type { OpsCell } from '../recurrence/cell';
import type { Initializer } from '../tensor/initializers';
import type { ParameterSpec } from '../tensor/parameter-spec';
import { checkCount } from '../tensor/shape';

/**
 * Returns the parameter specs of a cell with G gate blocks: `weightIh [I, G·H]` (Glorot uniform), `weightHh [H, G·H]`
 * (orthogonal) and `bias [G·H]` (zeros). Matrices are initialized block by block.
 *
 * @param gates G, the number of gate blocks
 * @param inputSize I
 * @param hiddenSize H
 * @param bias the initializer of the bias, zeros by default
 * @throws RangeError if a size is not a positive integer; `inputSize` may be 0
 * @example
 * gateParameters(4, 2, 3).weightHh.shape; // [3, 12]
 */
export function gateParameters(
  gates: number,
  inputSize: number,
  hiddenSize: number,
  bias?: Initializer,
): Readonly<Record<'weightIh' | 'weightHh' | 'bias', ParameterSpec>> {
  checkCount('gateParameters', 'gates', gates);
  checkCount('gateParameters', 'inputSize', inputSize, 0);
  checkCount('gateParameters', 'hiddenSize', hiddenSize);
  return {
    weightIh: { role: 'input', shape: [inputSize, gates * hiddenSize], blocks: gates },
    weightHh: { role: 'recurrent', shape: [hiddenSize, gates * hiddenSize], blocks: gates },
    bias: { role: 'bias', shape: [gates * hiddenSize], blocks: gates, initializer: bias },
  };
}

/** The term x_t W + b of the pre-activations, for the inputs `[N, I]` of all steps. */
export const inputTerm: NonNullable<OpsCell['inputs']> = ({ weightIh, bias }, x) =>
  affine(x, { weight: weightIh!, bias: bias! });
