/** Layer normalization between layers. */

import { layerNormalize } from '../autodiff/ops/normalization';
import { normalizeRows } from '../kernels/normalization';
import { onValidSteps } from '../recurrence/valid-steps';
import { ones } from '../tensor/initializers';
import { checkNames, checkNumber } from '../tensor/shape';
import { type Layer, stateless, vectorFeatures, vectorSize, vectors } from './layer';

/**
 * Creates a layer that normalizes every vector, y = gain · (x − mean) / √(variance + ε) + bias: `[…, I]` to `[…, I]`
 * (Ba, Kiros and Hinton, 2016, arXiv 1607.06450). Its output is zero in the padding of sequences of unequal length. Its
 * parameters are `gain [I]` (initially one) and `bias [I]` (initially zero).
 *
 * @param options.epsilon ε, 1e-5 by default
 * @throws RangeError if `epsilon` is negative
 * @example
 * const model = sequential([layerNorm()], { inputSize: 2 });
 * predict(model, tensor([[[1, 3]]])).data.map(Math.round); // Float32Array [-1, 1]
 */
export function layerNorm(options: { readonly epsilon?: number | undefined } = {}): Layer {
  checkNames('layerNorm', 'options', options, ['epsilon']);
  const { epsilon = 1e-5 } = options;
  checkNumber('layerNorm', 'epsilon', epsilon, 0);
  return {
    name: 'layerNorm',
    origin: ['layerNorm', { epsilon }],
    causal: true,
    output: (input) => vectorFeatures('layerNorm', input),
    parameters: (input) => {
      const shape = [vectorSize('layerNorm', input)];
      return {
        gain: { role: 'gain', shape, blocks: 1, initializer: ones() },
        bias: { role: 'bias', shape, blocks: 1 },
      };
    },
    run: ({ gain, bias }, input, { lengths }) => ({
      output: onValidSteps('layerNorm', vectors('layerNorm', input), lengths, (x) =>
        layerNormalize(x, { gain: gain!, bias: bias!, epsilon }),
      ),
    }),
    stepRunner: ({ workspace, resident, reserve, parameters, input, batchSize, features }) => {
      const size = vectorSize('layerNorm', features);
      const gain = resident.place(parameters['gain']!);
      const bias = resident.place(parameters['bias']!);
      const output = reserve(batchSize * size); // [B, I]
      const normalized = reserve(batchSize * size); // [B, I]
      const inverseDeviation = reserve(batchSize); // [B]
      const normalize = workspace.kernels.of(normalizeRows);
      return stateless(output, size, () =>
        normalize(output, normalized, inverseDeviation, input, gain, bias, epsilon, batchSize, size),
      );
    },
  };
}
