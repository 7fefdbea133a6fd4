/** Errors for losses and gradients that are not finite. They name the update and the layer. */

import type { Variable } from '../autodiff/tape';
import { sumOf } from '../kernels/arithmetic';
import type { Heap } from '../kernels/kernel';
import { lastOf } from '../tensor/arrays';
import type { ParameterLeaf } from './optimizers';

/** The output of a layer, and the layer's name in the model. */
export interface LayerOutput {
  readonly name: string;
  readonly output: Variable;
}

/** The error for a loss that is not finite. It names the first layer whose output is not finite. */
export function nonFiniteLoss(
  caller: string,
  outputs: readonly LayerOutput[],
  value: number,
  step: number,
): RangeError {
  const layer = outputs.findIndex(
    ({ output: { storage, offset, size } }) => !Number.isFinite(storage.scope.kernels.of(sumOf)(offset, size)),
  );
  const origin =
    outputs.length === 0
      ? ''
      : layer < 0
        ? '; it appeared in the loss itself'
        : `; it appeared in the output of layer ${layer} (${outputs[layer]!.name})`;
  return diverged(caller, `the loss became ${value}`, step, origin);
}

/**
 * The error for a gradient that is not finite. It names the last parameter affected: backward runs from the output to
 * the input, so the last layer is hit first.
 *
 * @param gradient the gradient of all parameters
 */
export function nonFiniteGradient(
  caller: string,
  parameters: readonly ParameterLeaf[],
  gradient: Heap,
  step: number,
): RangeError {
  const affected = parameters.filter(
    ({ offset, size }) => !gradient.subarray(offset, offset + size).every(Number.isFinite),
  );
  const lastPath = lastOf(affected)?.path ?? '';
  const origin = `; it appeared in layer ${lastPath.split('.')[0] || '?'} (${lastPath || 'the norm overflows'})`;
  return diverged(caller, 'the gradient was not finite', step, origin);
}

/** The error for a step that is not made. */
export function diverged(caller: string, what: string, step: number, origin = ''): RangeError {
  return new RangeError(
    `${caller}: ${what} at step ${step}${origin}. The parameters are those of the previous step. ` +
      'Is the data finite? A smaller learning rate or clipByNorm() may help.',
  );
}
