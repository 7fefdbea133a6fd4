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
  const layer = outputs.find(
    ({ output: { storage, offset, size } }) => !Number.isFinite(storage.scope.kernels.of(sumOf)(offset, size)),
  );
  const origin = layer ? `the output of layer ${layer.name}` : outputs.length > 0 ? 'the loss itself' : '';
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
  const last = lastOf(
    parameters.filter(({ offset, size }) => !gradient.subarray(offset, offset + size).every(Number.isFinite)),
  );
  const origin = last ? `parameter ${last.path}` : 'its norm, which overflows';
  return diverged(caller, 'the gradient was not finite', step, origin);
}

/** The error for a step that is not made. `origin` is where the value appeared. */
export function diverged(caller: string, what: string, step: number, origin = ''): RangeError {
  const place = origin && `; it appeared in ${origin}`;
  return new RangeError(
    `${caller}: ${what} at step ${step}${place}. The parameters are those of the previous step. ` +
      'Is the data finite? A smaller learning rate or clipByNorm() may help.',
  );
}
