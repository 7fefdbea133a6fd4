/** Dropout between layers. */

import { dropElements } from '../autodiff/ops/random-mask';
import { checkBelowOne } from '../tensor/shape';
import { type Layer, stateless, vectorFeatures, vectorSize, vectors } from './layer';

/**
 * Creates a layer that, in training, sets each element to zero with probability `rate` and scales the others by
 * 1 / (1 − rate). In prediction it returns its input (Srivastava et al., 2014).
 *
 * @throws RangeError if `rate` is not in [0, 1)
 * @example
 * const model = sequential([dropout(0.5)], { inputSize: 2, seed: 1 });
 * predict(model, full([1, 1, 2], 3)).data; // Float32Array [3, 3]
 */
export function dropout(rate: number): Layer {
  checkBelowOne('dropout', 'rate', rate);
  return {
    name: 'dropout',
    origin: ['dropout', rate],
    causal: true,
    output: (input) => vectorFeatures('dropout', input),
    run: (_parameters, input, { training, random }) => {
      const x = vectors('dropout', input);
      return { output: training && rate > 0 ? dropElements(x, rate, random) : x };
    },
    stepRunner: ({ input, features }) => stateless(input, vectorSize('dropout', features), () => undefined),
  };
}
