/** Conversion of layers that bptt does not have, and of layers without effect at prediction. */

import { softmax } from '../../autodiff/ops/reductions';
import { linear } from '../../cells/activations';
import { batchNorm } from '../../layers/batch-norm';
import { globalAveragePool, globalMaxPool } from '../../layers/global-pool';
import type { Layer } from '../../layers/layer';
import { averagePool1d, maxPool1d } from '../../layers/pool1d';
import { withoutBias } from '../../layers/without-bias';
import { outOfRange } from '../../tensor/shape';
import type { Json } from '../description';
import { shown } from '../listing';
import {
  activationOf,
  axisOf,
  checkChannelsLast,
  checkLastAxis,
  countOf,
  type KerasLayer,
  numberOf,
  stepsIn,
} from './config';
import { kerasActivation, kerasBatchNormalization, kerasRelu, kerasScaling } from './elementwise-layers';
import type { Translate, Translated } from './layers';
import { kerasFlatten, kerasRepeatVector } from './sequence-layers';
import { batchNormalizationParameters, normalizationWeights } from './weights';

/** A layer without weights. */
export const withoutWeights = (layer: Layer, ...notes: readonly string[]): Translated => ({
  layer,
  read: () => ({}),
  notes,
});

/** A layer that acts only in training. */
const withoutEffect: Translate = () => undefined;

const pooling =
  (kind: 'mean' | 'max'): Translate =>
  (where, layer, { lengths, isTensorFlowJs }) => {
    const { name, config } = layer;
    if (config['keepdims'] === true) throw new RangeError(`${where}: ${name} has keepdims, which is not supported.`);
    checkChannelsLast(where, layer);
    // Keras passes no mask to GlobalMaxPooling1D, and TensorFlow.js to neither layer.
    const [layerOf, what] = kind === 'max' ? [globalMaxPool, 'maximum'] : [globalAveragePool, 'mean'];
    const differs = lengths && (kind === 'max' || isTensorFlowJs);
    const other = isTensorFlowJs ? 'TensorFlow.js' : 'Keras';
    return withoutWeights(
      layerOf(),
      ...(differs ? [`${name} takes the ${what} of the valid steps, in ${other} of all steps`] : []),
    );
  };

const windowPooling =
  (create: typeof maxPool1d): Translate =>
  (where, layer, { lengths }) => {
    const { name, config } = layer;
    checkChannelsLast(where, layer);
    const padding = config['padding'] ?? 'valid';
    if (padding !== 'valid' && padding !== 'same')
      throw new RangeError(`${where}: ${name} has padding ${shown(padding)}; only valid and same are supported.`);
    const windowSize = stepsIn(where, layer, 'pool_size', 2);
    const stride = config['strides'] == null ? windowSize : stepsIn(where, layer, 'strides');
    const notes = lengths ? [`${name} reads no masked steps, as it does in Keras`] : [];
    return withoutWeights(create({ windowSize, stride, padding }), ...notes);
  };

/** The converters by the class of the Keras layer. */
export const simpleTranslators: Readonly<Record<string, Translate>> = {
  SpatialDropout1D: withoutEffect,
  GaussianNoise: withoutEffect,
  GaussianDropout: withoutEffect,
  AlphaDropout: withoutEffect,
  ActivityRegularization: withoutEffect,
  Activation(where, layer, { slope }) {
    const activation = activationOf(where, layer, 'activation', 'linear', slope);
    return activation === linear ? undefined : withoutWeights(kerasActivation({ activation }));
  },
  Softmax(where, layer) {
    checkLastAxis(where, layer);
    return withoutWeights(kerasActivation({ activation: softmax }));
  },
  ReLU(where, layer) {
    if (numberOf(where, layer, 'threshold', 0) !== 0)
      throw new RangeError(`${where}: ${layer.name} has threshold ${layer.config['threshold']}; only 0 is supported.`);
    const maxValue = layer.config['max_value'] == null ? Infinity : numberOf(where, layer, 'max_value', 0);
    const negativeSlope = numberOf(where, layer, 'negative_slope', 0);
    return withoutWeights(kerasRelu({ negativeSlope, maxValue }));
  },
  LeakyReLU(where, layer) {
    // Keras 2 and TensorFlow.js name the slope alpha.
    const key = layer.config['negative_slope'] === undefined ? 'alpha' : 'negative_slope';
    return withoutWeights(kerasRelu({ negativeSlope: numberOf(where, layer, key, 0.3) }));
  },
  RepeatVector: (where, { name, config }) =>
    withoutWeights(kerasRepeatVector({ count: countOf(where, name, config, 'n') })),
  GlobalAveragePooling1D: /* @__PURE__ */ pooling('mean'),
  GlobalMaxPooling1D: /* @__PURE__ */ pooling('max'),
  MaxPooling1D: /* @__PURE__ */ windowPooling(maxPool1d),
  AveragePooling1D: /* @__PURE__ */ windowPooling(averagePool1d),
  Flatten: (_where, { config }, { steps }) =>
    withoutWeights(
      kerasFlatten({
        ...(steps !== undefined && { sequenceLength: steps }),
        ...(config['data_format'] === 'channels_first' && { channelsFirst: true }),
      }),
    ),
  Rescaling(where, layer) {
    const factor = numbersOf(where, layer, 'scale', [1]);
    const offset = numbersOf(where, layer, 'offset', [0]);
    return withoutWeights(kerasScaling({ center: [0], factor, offset }));
  },
  Normalization: translateNormalization,
  BatchNormalization(where, layer) {
    const { name, config } = layer;
    if (axisOf(layer) !== 1) checkLastAxis(where, layer);
    const scale = config['scale'] !== false;
    const center = config['center'] !== false;
    const epsilon = numberOf(where, layer, 'epsilon', 1e-3);
    // Over axis 1 it normalizes the features of vectors per sequence, but the steps of sequences.
    if (axisOf(layer) !== 1) {
      const momentum = 1 - numberOf(where, layer, 'momentum', 0.99);
      const normalization = batchNorm({ epsilon, momentum });
      return {
        layer: center ? normalization : withoutBias(normalization),
        read: (taker, weights) => batchNormalizationParameters(taker, weights, { scale, center }),
      };
    }
    return {
      layer(taker, weights) {
        const { mean, variance } = batchNormalizationParameters(taker, weights, { scale, center });
        return kerasBatchNormalization({
          mean: finite(where, layer, 'the moving mean', mean.data),
          variance: finite(where, layer, 'the moving variance', variance.data),
          epsilon,
          axis: 1,
          ...(!scale && { scale }),
          ...(!center && { center }),
        });
      },
      read(taker, weights) {
        const { mean: _, variance: __, ...trained } = batchNormalizationParameters(taker, weights, { scale, center });
        return trained;
      },
      notes: [`${name} uses its moving mean and variance, also in training`],
    };
  },
};

/** Normalization: (x − mean) / max(√variance, 1e-7), or its inverse. */
function translateNormalization(where: string, layer: KerasLayer): Translated {
  if (layer.config['axis'] !== null) checkLastAxis(where, layer);
  const isGiven = layer.config['mean'] != null;
  return {
    layer(taker, weights) {
      const { mean, variance } = isGiven
        ? { mean: numbersOf(where, layer, 'mean', []), variance: numbersOf(where, layer, 'variance', []) }
        : normalizationWeights(taker, weights);
      const center = finite(where, layer, 'mean', mean);
      const deviations = variance.map((value) => Math.max(Math.sqrt(value), 1e-7));
      const deviation = finite(where, layer, 'the square root of variance', deviations);
      return layer.config['invert'] === true
        ? kerasScaling({ center: [0], factor: deviation, offset: center })
        : kerasScaling({ center, factor: deviation.map((value) => 1 / value), offset: [0] });
    },
    read: () => ({}),
  };
}

/** An option that is a number or a nested list of numbers. @throws RangeError if it is not */
function numbersOf(where: string, layer: KerasLayer, key: string, byDefault: readonly number[]): number[] {
  const { name, config } = layer;
  const value = config[key];
  if (value === undefined || value === null) return [...byDefault];
  const numbers = numbersIn(value);
  if (numbers.length === 0) throw outOfRange(where, `${key} of ${name}`, 'numbers', shown(value));
  return finite(where, layer, key, numbers);
}

/** The constants of a layer, which become part of its description. @throws RangeError if one is NaN or infinite */
function finite(where: string, { name }: KerasLayer, key: string, values: ArrayLike<number>): number[] {
  const numbers = Array.from(values);
  const i = numbers.findIndex((value) => !Number.isFinite(value));
  if (i < 0) return numbers;
  throw new RangeError(`${where}: ${key} of ${name} must be finite numbers, element ${i} is ${numbers[i]}.`);
}

/** The numbers in a nested list; none if it has other values. */
function numbersIn(json: Json): number[] {
  if (typeof json === 'number') return [json];
  const parts = Array.isArray(json) ? (json as readonly Json[]).map(numbersIn) : [];
  return parts.some((part) => part.length === 0) ? [] : parts.flat();
}
