/**
 * Layers of Keras that act on every element, for prediction: Activation, ReLU, LeakyReLU, Normalization, Rescaling and
 * BatchNormalization.
 */

import { add, multiply, subtract } from '../../autodiff/ops/arithmetic';
import { leakyRelu, relu } from '../../autodiff/ops/elementwise';
import { constantOf, currentScope, type Variable } from '../../autodiff/tape';
import { type Layer, vectorFeatures, vectorSize, vectors } from '../../layers/layer';
import { onValidSteps } from '../../recurrence/valid-steps';
import { ones } from '../../tensor/initializers';
import { checkNumber, outOfRange } from '../../tensor/shape';
import type { Tensor } from '../../tensor/tensor';

/** A layer that applies `f` to the vectors of every valid step. */
function elementwise(name: string, origin: Layer['origin'] & object, f: (x: Variable) => Variable): Layer {
  return {
    name,
    origin,
    output: (input) => vectorFeatures(name, input),
    run: (_, input, { lengths }) => ({ output: onValidSteps(name, vectors(name, input), lengths, f) }),
  };
}

/** Creates a layer that applies an activation function, such as `relu`. */
export function kerasActivation(options: { readonly activation: (x: Variable) => Variable }): Layer {
  return elementwise('activation', ['kerasActivation', options], options.activation);
}

/** The options of {@link kerasRelu}. */
export interface KerasReluOptions {
  /** The slope for x < 0; 0 by default. */
  readonly negativeSlope?: number;
  /** The upper bound of the output; none by default. */
  readonly maxValue?: number;
}

/** Creates a rectified linear layer, min(x, maxValue) for x ≥ 0 and negativeSlope · x for x < 0. */
export function kerasRelu(options: KerasReluOptions = {}): Layer {
  const { negativeSlope = 0, maxValue = Infinity } = options;
  if (maxValue !== Infinity) checkNumber('kerasRelu', 'maxValue', maxValue, 0);
  // Without the defaults: a file cannot have an infinite number.
  const origin = { ...(negativeSlope !== 0 && { negativeSlope }), ...(maxValue !== Infinity && { maxValue }) };
  return elementwise('relu', ['kerasRelu', origin], (x) => {
    const y = negativeSlope === 0 ? relu(x) : leakyRelu(x, negativeSlope);
    return maxValue === Infinity ? y : atMost(y, maxValue);
  });
}

/** The minimum of x and a number: exact for finite x, unlike differences of rectified values. */
function atMost(x: Variable, limit: number): Variable {
  const scope = currentScope('kerasRelu');
  const view = scope.workspace.memory.view;
  const isBelow = Array.from({ length: x.size }, (_, i) => (view[x.offset + i]! > limit ? 0 : 1));
  const below = constantOf(scope, x.shape, isBelow);
  const above = constantOf(
    scope,
    x.shape,
    isBelow.map((flag) => limit * (1 - flag)),
  );
  return add(multiply(x, below), above);
}

/** The options of {@link kerasScaling}: one number per feature, or one for all. */
export interface KerasScalingOptions {
  readonly center: readonly number[];
  readonly factor: readonly number[];
  readonly offset: readonly number[];
}

/** Creates a layer that computes (x − center) · factor + offset, whose numbers are not trained. */
export function kerasScaling(options: KerasScalingOptions): Layer {
  const [center, factor, offset] = [options.center, options.factor, options.offset].map(vectorOf) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const layer = elementwise('scaling', ['kerasScaling', options], (x) =>
    add(multiply(subtract(x, center), factor), offset),
  );
  return {
    ...layer,
    output(input) {
      const features = vectorFeatures('kerasScaling', input);
      for (const { data } of [center, factor, offset])
        if (data.length !== 1 && data.length !== features.size)
          throw outOfRange('kerasScaling', 'the input', `vectors of size ${data.length}`, features.size);
      return features;
    },
  };
}

const vectorOf = (values: readonly number[]): Tensor => ({ shape: [values.length], data: Float32Array.from(values) });

/** The options of {@link kerasBatchNormalization}. */
export interface KerasBatchNormalizationOptions {
  /** The moving mean of each feature. */
  readonly mean: readonly number[];
  /** The moving variance of each feature. */
  readonly variance: readonly number[];
  readonly epsilon: number;
  /** The axis in Keras, if it is 1: only vectors per sequence have their features there. */
  readonly axis?: 1;
  /** Whether the gain is a parameter; it is 1 otherwise. True by default. */
  readonly scale?: boolean;
  /** Whether the bias is a parameter; it is 0 otherwise. True by default. */
  readonly center?: boolean;
}

/**
 * Creates a batch normalization layer for prediction, gain · (x − mean) / √(variance + ε) + bias. The mean and the
 * variance are constants, also in training. Its parameters are `gain [I]` and `bias [I]`, unless `scale` or `center` is
 * false.
 */
export function kerasBatchNormalization(options: KerasBatchNormalizationOptions): Layer {
  const { mean, variance, epsilon, axis, scale = true, center: hasBias = true } = options;
  const center = vectorOf(mean);
  const factor = vectorOf(variance.map((value) => 1 / Math.sqrt(value + epsilon)));
  const name = 'batchNormalization';
  return {
    name,
    origin: ['kerasBatchNormalization', options],
    output(input) {
      const features = vectorFeatures(name, input);
      if (features.size !== mean.length || features.size !== variance.length)
        throw outOfRange(name, 'the input', `vectors of size ${mean.length}`, features.size);
      if (axis === 1 && features.perStep)
        throw new RangeError(`${name}: axis 1 is the time axis; only the last axis is supported.`);
      return features;
    },
    parameters(input) {
      const shape = [vectorSize(name, input)];
      return {
        ...(scale && { gain: { role: 'gain', shape, blocks: 1, initializer: ones() } }),
        ...(hasBias && { bias: { role: 'bias', shape, blocks: 1 } }),
      };
    },
    run: ({ gain, bias }, input, { lengths }) => ({
      output: onValidSteps(name, vectors(name, input), lengths, (x) =>
        add(multiply(multiply(subtract(x, center), factor), gain ?? 1), bias ?? 0),
      ),
    }),
  };
}
