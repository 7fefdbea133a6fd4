/** The states of a model after every step. */

import { compute } from '../autodiff/value-and-gradient';
import { statesPerStep } from '../layers/chain';
import { withCaller } from '../tensor/error-context';
import { checkNames } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';
import { checkModel, type ModelState, type PredictOptions, runModel, type Sequential } from './sequential';

/**
 * Computes the states of the recurrent layers after every step, such as all cell states of an LSTM. In a computation
 * with gradients, use `results` of {@link runModel}.
 *
 * @param inputs ids `[T, B]`, or vectors `[T, B, I]`
 * @returns the states by layer and state name, `[T, B, H]` each; zeros in the padding. Those of a reversed layer keep
 *   the order of the input.
 * @throws as {@link predict}
 * @example
 * const model = sequential([recurrent(lstm(), { hiddenSize: 4, returnSequences: false })], { inputSize: 2 });
 * predictStates(model, full([5, 3, 2], 1))['lstm']!['c']!.shape; // [5, 3, 4]
 */
export function predictStates(model: Sequential, inputs: IntTensor | Tensor, options: PredictOptions = {}): ModelState {
  checkNames('predictStates', 'options', options, ['lengths', 'resets', 'state']);
  checkModel('predictStates', model);
  return withCaller('predictStates', () =>
    compute(model.parameters, (p) => statesPerStep(runModel(model, p, inputs, options).results)),
  );
}
