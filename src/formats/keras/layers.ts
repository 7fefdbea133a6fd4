/** Conversion of Keras layers. */

import { exp, relu, sigmoid, softplus, tanh } from '../../autodiff/ops/elementwise';
import { softmax } from '../../autodiff/ops/reductions';
import type { Variable } from '../../autodiff/tape';
import { gru } from '../../cells/gru';
import { hardSigmoidGru, hardSigmoidLstm } from '../../cells/hard-sigmoid-cells';
import { lstm } from '../../cells/lstm';
import { simpleRnn } from '../../cells/simple-rnn';
import { bidirectional, type Merge } from '../../layers/bidirectional';
import { dense } from '../../layers/dense';
import { dropout } from '../../layers/dropout';
import { embedding } from '../../layers/embedding';
import type { Layer } from '../../layers/layer';
import { layerNorm } from '../../layers/layer-norm';
import { joinNames } from '../../layers/nested-names';
import { type DirectionOptions, recurrent } from '../../layers/recurrent';
import type { Cell } from '../../recurrence/cell';
import type { Tensor } from '../../tensor/tensor';
import type { Json } from '../description';
import {
  cellParameters,
  denseParameters,
  embeddingParameters,
  type LayerWeights,
  layerNormParameters,
  type Taker,
} from './weights';

/** A layer of a Keras configuration. */
export interface KerasLayer {
  readonly className: string;
  readonly name: string;
  readonly config: Readonly<Record<string, Json>>;
}

/** Options of {@link importKeras} and {@link importTensorFlowJs}. */
export interface KerasOptions {
  /**
   * Set to `true` to import a model with masks (`mask_zero` of an Embedding, or a Masking layer). Pass the sequence
   * lengths to `predict` instead, or use {@link predictMasked} for padding in front and gaps.
   */
  readonly lengths?: boolean;
}

/** A converted layer, a function that reads its parameters from Keras weights, and notes for the user. */
export interface Translated {
  readonly layer: Layer;
  readonly read: (taker: Taker, weights: LayerWeights) => Readonly<Record<string, Tensor>>;
  readonly notes?: readonly string[];
}

/** {@link KerasOptions}, and the slope of hard_sigmoid, which depends on the version of Keras. */
export interface TranslateOptions extends KerasOptions {
  readonly slope: number;
}

type Translate = (where: string, layer: KerasLayer, options: TranslateOptions) => Translated | undefined;

const none = (): Readonly<Record<string, Tensor>> => ({});

/**
 * Converts a layer.
 *
 * @returns `undefined` for a layer that has no effect at prediction and no equivalent
 * @throws RangeError if the layer cannot be converted exactly
 */
export function translate(where: string, layer: KerasLayer, options: TranslateOptions): Translated | undefined {
  const found = Object.hasOwn(translators, layer.className) ? translators[layer.className] : undefined;
  if (found === undefined) {
    throw new RangeError(
      `${where}: the layer ${layer.name} has class ${layer.className}, which is not supported. Supported classes ` +
        `are ${Object.keys(translators).join(', ')}.`,
    );
  }
  return found(where, layer, options);
}

/** Constructors of cells by the class of the Keras layer. */
const recurrentClasses: Readonly<
  Record<string, (where: string, layer: KerasLayer, options: TranslateOptions) => Cell>
> = {
  SimpleRNN: (where, layer) =>
    simpleRnn({ activation: activationOf(where, layer, 'activation', 'tanh') ?? ((x) => x) }),
  LSTM: (where, layer, { slope }) => (hasHardGates(where, layer) ? hardSigmoidLstm({ slope }) : lstm()),
  GRU: (where, layer, { slope }) => {
    const reset = layer.config['reset_after'] === true ? 'after' : 'before';
    return hasHardGates(where, layer) ? hardSigmoidGru({ slope, reset }) : gru({ reset });
  },
};

const translators: Readonly<Record<string, Translate>> = {
  InputLayer: () => undefined,
  Embedding(where, { name, config }, { lengths }) {
    const [vocabularySize, size] = [
      countOf(where, name, config, 'input_dim'),
      countOf(where, name, config, 'output_dim'),
    ];
    if (config['mask_zero'] === true && !lengths) rejectMask(where, name, 'masks the id 0 (mask_zero)');
    return {
      layer: embedding({ vocabularySize, size }),
      read: (taker, weights) => embeddingParameters(taker, weights, [vocabularySize, size]),
      ...(config['mask_zero'] === true
        ? { notes: [`${name} masked the id 0: pass the sequence lengths to predict instead, or use predictMasked`] }
        : {}),
    };
  },
  Masking(where, { name }, { lengths }) {
    if (!lengths) rejectMask(where, name, 'masks steps');
    return undefined;
  },
  Dense(where, layer) {
    const size = countOf(where, layer.name, layer.config, 'units');
    const activation = activationOf(where, layer, 'activation', 'linear');
    return {
      layer: dense({ size, ...(activation && { activation }) }),
      read: (taker, weights) => denseParameters(taker, weights, size),
    };
  },
  TimeDistributed(where, layer, options) {
    const inner = layerIn(layer.config['layer']);
    if (inner?.className !== 'Dense')
      throw new RangeError(
        `${where}: ${layer.name} is TimeDistributed over a ${inner?.className ?? 'layer without configuration'}; only ` +
          'Dense is supported.',
      );
    return translate(where, { ...inner, name: layer.name }, options);
  },
  Dropout(_, { config }) {
    return { layer: dropout(typeof config['rate'] === 'number' ? config['rate'] : 0), read: none };
  },
  Activation(where, layer) {
    if (activationOf(where, layer, 'activation', 'linear') === undefined) return undefined;
    throw new RangeError(
      `${where}: ${layer.name} is a separate Activation layer, which is not supported. Make it the activation of ` +
        'the preceding Dense layer.',
    );
  },
  LayerNormalization(where, { name, config }) {
    const axis = Array.isArray(config['axis']) && config['axis'].length === 1 ? config['axis'][0] : config['axis'];
    if (axis !== undefined && axis !== -1 && axis !== 2)
      throw new RangeError(
        `${where}: ${name} normalizes over axis ${JSON.stringify(axis)}; only the last axis is supported.`,
      );
    if (config['rms_scaling'] === true)
      throw new RangeError(`${where}: ${name} scales by the root mean square (rms_scaling), which is not supported.`);
    const [scale, center] = [config['scale'] !== false, config['center'] !== false];
    return {
      layer: layerNorm({ epsilon: typeof config['epsilon'] === 'number' ? config['epsilon'] : 1e-3 }),
      read: (taker, weights) => layerNormParameters(taker, weights, { scale, center }),
    };
  },
  Bidirectional(where, layer, translateOptions) {
    const inner = layerIn(layer.config['layer']);
    const makeCell =
      inner && Object.hasOwn(recurrentClasses, inner.className) ? recurrentClasses[inner.className]! : undefined;
    if (inner === undefined || makeCell === undefined)
      throw new RangeError(
        `${where}: ${layer.name} is Bidirectional over a ${inner?.className ?? 'layer without configuration'}; only ` +
          'SimpleRNN, LSTM and GRU are supported.',
      );
    const backward = layerIn(layer.config['backward_layer']);
    const differs =
      backward &&
      ['units', 'activation', 'recurrent_activation', 'use_bias', 'reset_after', 'dropout', 'recurrent_dropout'].find(
        (key) => JSON.stringify(backward.config[key]) !== JSON.stringify(inner.config[key]),
      );
    if (differs !== undefined || (backward && backward.className !== inner.className))
      throw new RangeError(
        `${where}: the two directions of ${layer.name} differ in ${differs ?? 'their layers'}, ` +
          'which is not supported.',
      );
    if (inner.config['go_backwards'] === true)
      throw new RangeError(`${where}: the forward layer of ${layer.name} has go_backwards, which is not supported.`);
    const mode = layer.config['merge_mode'];
    const merge = typeof mode === 'string' && Object.hasOwn(mergesOf, mode) ? mergesOf[mode] : undefined;
    if (merge === undefined)
      throw new RangeError(
        `${where}: ${layer.name} has merge_mode ${JSON.stringify(mode)}; only concat, sum, ave and mul are supported.`,
      );
    const cell = makeCell(where, { ...inner, name: layer.name }, translateOptions);
    const options = directionOf(where, { ...inner, name: layer.name });
    return {
      layer: bidirectional(cell, { ...options, merge, returnSequences: inner.config['return_sequences'] === true }),
      read: (taker, weights) => {
        const read = (direction: 'forward' | 'backward'): Readonly<Record<string, Tensor>> =>
          cellParameters(taker, weights, direction, cell, options.hiddenSize);
        return joinNames({ forward: read('forward'), reverse: read('backward') });
      },
      ...stateful(layer.name, inner),
    };
  },
  SimpleRNN: translateRecurrent,
  LSTM: translateRecurrent,
  GRU: translateRecurrent,
};

function translateRecurrent(where: string, layer: KerasLayer, translateOptions: TranslateOptions): Translated {
  const { name, config } = layer;
  const [returnSequences, reverse] = [config['return_sequences'] === true, config['go_backwards'] === true];
  if (reverse && returnSequences) {
    throw new RangeError(
      `${where}: ${name} has go_backwards and return_sequences: Keras returns the outputs in reverse order, which ` +
        'is not supported.',
    );
  }
  if (config['return_state'] === true)
    throw new RangeError(
      `${where}: ${name} has return_state, which is not supported. Use predictWithState to get the state.`,
    );
  const cell = recurrentClasses[layer.className]!(where, layer, translateOptions);
  const options = directionOf(where, layer);
  return {
    layer: recurrent(cell, { ...options, returnSequences, ...(reverse ? { reverse } : {}) }),
    read: (taker, weights) => cellParameters(taker, weights, 'single', cell, options.hiddenSize),
    ...stateful(name, layer),
  };
}

const mergesOf: Readonly<Record<string, Merge>> = { concat: 'concat', sum: 'sum', ave: 'mean', mul: 'product' };

const stateful = (name: string, { config }: KerasLayer): Pick<Translated, 'notes'> =>
  config['stateful'] === true
    ? { notes: [`${name} was stateful: pass the state of the previous batch to predictWithState`] }
    : {};

/** The layer in a JSON value; `undefined` if it is not a layer. */
export function layerIn(json: Json | undefined): KerasLayer | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const { class_name: className, config } = json as Readonly<Record<string, Json>>;
  if (typeof className !== 'string' || typeof config !== 'object' || config === null || Array.isArray(config))
    return undefined;
  const fields = config as KerasLayer['config'];
  return { className, name: typeof fields['name'] === 'string' ? fields['name'] : className, config: fields };
}

/** The options of a recurrent layer that both directions of a Bidirectional share. */
function directionOf(where: string, { name, config }: KerasLayer): DirectionOptions {
  const rate = (key: string): number => (typeof config[key] === 'number' ? config[key] : 0);
  return {
    hiddenSize: countOf(where, name, config, 'units'),
    ...(rate('dropout') > 0 ? { inputDropout: rate('dropout') } : {}),
    ...(rate('recurrent_dropout') > 0 ? { recurrentDropout: rate('recurrent_dropout') } : {}),
  };
}

/**
 * Whether the gates use hard_sigmoid.
 *
 * @throws RangeError if they use neither it nor sigmoid, or the other activation is not tanh
 */
function hasHardGates(where: string, layer: KerasLayer): boolean {
  const gates = nameOf(layer.config['recurrent_activation'] ?? 'sigmoid');
  if (gates !== 'sigmoid' && gates !== 'hard_sigmoid')
    throw new RangeError(
      `${where}: ${layer.name} has recurrent_activation ${gates}; only sigmoid and hard_sigmoid are supported.`,
    );
  if (activationOf(where, layer, 'activation', 'tanh') !== tanh)
    throw new RangeError(
      `${where}: ${layer.name} has activation ${JSON.stringify(layer.config['activation'])}; only tanh is supported.`,
    );
  return gates === 'hard_sigmoid';
}

/** The name of a serialized function; for an object, the name of its class in lower case. */
function nameOf(value: Json): string {
  return typeof value === 'string' ? value : (layerIn(value)?.className.toLowerCase() ?? JSON.stringify(value));
}

/** The activation function of a layer; `undefined` for linear. @throws RangeError if it is not supported */
function activationOf(
  where: string,
  { name, config }: KerasLayer,
  key: string,
  byDefault: string,
): ((x: Variable) => Variable) | undefined {
  const named = nameOf(config[key] ?? byDefault);
  if (named === 'linear') return undefined;
  const supported: Readonly<Record<string, (x: Variable) => Variable>> = {
    tanh,
    relu,
    sigmoid,
    softmax,
    softplus,
    exponential: exp,
  };
  if (Object.hasOwn(supported, named)) return supported[named]!;
  throw new RangeError(
    `${where}: ${name} has activation ${named}; only linear, ${Object.keys(supported).join(', ')} are supported.`,
  );
}

function countOf(where: string, layer: string, config: KerasLayer['config'], key: string): number {
  const value = config[key];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`${where}: ${key} of ${layer} must be an integer of at least 1, got ${JSON.stringify(value)}.`);
}

function rejectMask(where: string, name: string, reason: string): never {
  throw new RangeError(
    `${where}: ${name} ${reason}. Sequence lengths replace masks: import with { lengths: true }, and pass lengths ` +
      'to predict, or use predictMasked.',
  );
}
