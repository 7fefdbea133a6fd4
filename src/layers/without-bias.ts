/** Layers without bias. */

import { operand } from '../autodiff/tape';
import { mapValues } from '../tensor/named-values';
import type { ParameterSpec } from '../tensor/parameter-spec';
import { checkFunctions } from '../tensor/shape';
import { full, type Tensor } from '../tensor/tensor';
import { type Features, featuresOf, type Layer } from './layer';

/**
 * Creates the same layer without its biases, as `bias=False` in PyTorch and `use_bias=False` in Keras: the biases are
 * zero and not among the parameters, so training does not change them. It applies to every parameter whose role is
 * `'bias'`, such as `bias` and `biasHn` of a GRU, in both directions of a bidirectional layer, and in all layers inside
 * a residual layer. An LSTM has no forget bias, either. The name of the layer is the same.
 *
 * @throws TypeError if `layer` is not a layer; in a model, RangeError if the layer has no bias
 * @example
 * const layers = [withoutBias(recurrent(lstm(), { hiddenSize: 8 })), withoutBias(dense({ size: 3 }))];
 * const model = sequential(layers, { inputSize: 2, seed: 1 });
 * Object.keys(model.parameters.lstm!); // ['weightIh', 'weightHh']
 * predict(model, full([5, 1, 2], 0)).data.every((value) => value === 0); // true
 */
export function withoutBias(layer: Layer): Layer {
  checkFunctions('withoutBias', 'layer', layer, 'a layer such as dense({ size: 3 })', ['output', 'run']);
  const stepRunner = layer.stepRunner;
  return {
    ...layer,
    origin: ['withoutBias', layer],
    parameters(input) {
      const entries = Object.entries(layer.parameters?.(input) ?? {});
      const kept = entries.filter(([, { role }]) => role !== 'bias');
      if (kept.length === entries.length) throw new RangeError(`withoutBias: ${layer.name} has no bias.`);
      return Object.fromEntries(kept);
    },
    run(parameters, input, context) {
      const biases = mapValues(zeroBiases(layer, featuresOf(input)), (bias) => operand('withoutBias', bias));
      return layer.run({ ...parameters, ...biases }, input, context);
    },
    ...(stepRunner && {
      stepRunner: (context) =>
        stepRunner({ ...context, parameters: { ...context.parameters, ...zeroBiases(layer, context.features) } }),
    }),
  };
}

/** Returns the biases of a layer, as zeros. */
function zeroBiases({ parameters }: Layer, input: Features): Readonly<Record<string, Tensor>> {
  const entries = Object.entries<ParameterSpec>(parameters?.(input) ?? {});
  return Object.fromEntries(
    entries.flatMap(([name, { role, shape }]) => (role === 'bias' ? [[name, full(shape, 0)]] : [])),
  );
}
