/** Layers of Keras as ours. */

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

/** A layer as a configuration says it. */
export interface KerasLayer {
  readonly className: string;
  readonly name: string;
  readonly config: Readonly<Record<string, Json>>;
}

/** What the caller promises. */
export interface KerasOptions {
  /** That `predict` will be given the lengths of rows where the model masks: by `mask_zero` of an Embedding, or by a Masking layer. */
  readonly lengths?: boolean;
}

/** One of our layers, where its parameters are among Keras' weights, and what is to be known about it. */
export interface Translated {
  readonly layer: Layer;
  readonly read: (taker: Taker, weights: LayerWeights) => Readonly<Record<string, Tensor>>;
  readonly notes?: readonly string[];
}

/** {@link KerasOptions}, and the slope of hard_sigmoid, which depends on the version. */
export interface TranslateOptions extends KerasOptions {
  readonly slope: number;
}

type Translate = (where: string, layer: KerasLayer, options: TranslateOptions) => Translated | undefined;

const none = (): Readonly<Record<string, Tensor>> => ({});

/** Translates a layer; nothing comes of one that does nothing at prediction and has no equal. @throws RangeError where it cannot be mapped exactly */
export function translate(where: string, layer: KerasLayer, options: TranslateOptions): Translated | undefined {
  const found = Object.hasOwn(translators, layer.className) ? translators[layer.className] : undefined;
  if (found === undefined) {
    throw new RangeError(
      `${where}: the layer ${layer.name} is a ${layer.className}, which has no equal here. There are ${Object.keys(translators).join(', ')}.`,
    );
  }
  return found(where, layer, options);
}

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
    if (config['mask_zero'] === true && !lengths) refuseMask(where, name, 'masks the id 0 (mask_zero)');
    return {
      layer: embedding({ vocabularySize, size }),
      read: (taker, weights) => embeddingParameters(taker, weights, [vocabularySize, size]),
      ...(config['mask_zero'] === true
        ? { notes: [`${name} masked the id 0: rows are as long as the lengths that predict is given`] }
        : {}),
    };
  },
  Masking(where, { name }, { lengths }) {
    if (!lengths) refuseMask(where, name, 'masks steps');
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
        `${where}: ${layer.name} spreads a ${inner?.className ?? 'layer without configuration'} over time; Dense is what can be.`,
      );
    return translate(where, { ...inner, name: layer.name }, options);
  },
  Dropout(_, { config }) {
    return { layer: dropout(typeof config['rate'] === 'number' ? config['rate'] : 0), read: none };
  },
  Activation(where, layer) {
    if (activationOf(where, layer, 'activation', 'linear') === undefined) return undefined;
    throw new RangeError(
      `${where}: ${layer.name} is an Activation by itself. Give it to the Dense before it: dense({ size, activation }).`,
    );
  },
  LayerNormalization(where, { name, config }) {
    const axis = Array.isArray(config['axis']) && config['axis'].length === 1 ? config['axis'][0] : config['axis'];
    if (axis !== undefined && axis !== -1 && axis !== 2)
      throw new RangeError(
        `${where}: ${name} normalizes over axis ${JSON.stringify(axis)}; the last one is what can be.`,
      );
    if (config['rms_scaling'] === true)
      throw new RangeError(`${where}: ${name} scales by the root mean square (rms_scaling), which has no equal here.`);
    const [scale, center] = [config['scale'] !== false, config['center'] !== false];
    return {
      layer: layerNorm({ epsilon: typeof config['epsilon'] === 'number' ? config['epsilon'] : 1e-3 }),
      read: (taker, weights) => layerNormParameters(taker, weights, { scale, center }),
    };
  },
  Bidirectional(where, layer, given) {
    const inner = layerIn(layer.config['layer']);
    const made =
      inner && Object.hasOwn(recurrentClasses, inner.className) ? recurrentClasses[inner.className]! : undefined;
    if (inner === undefined || made === undefined)
      throw new RangeError(
        `${where}: ${layer.name} runs a ${inner?.className ?? 'layer without configuration'} in both directions; SimpleRNN, LSTM and GRU are what can be.`,
      );
    const backward = layerIn(layer.config['backward_layer']);
    const differs =
      backward &&
      ['units', 'activation', 'recurrent_activation', 'use_bias', 'reset_after', 'dropout', 'recurrent_dropout'].find(
        (key) => JSON.stringify(backward.config[key]) !== JSON.stringify(inner.config[key]),
      );
    if (differs !== undefined || (backward && backward.className !== inner.className))
      throw new RangeError(`${where}: the two directions of ${layer.name} differ in ${differs ?? 'their layers'}.`);
    if (inner.config['go_backwards'] === true)
      throw new RangeError(`${where}: the first direction of ${layer.name} goes backwards.`);
    const mode = layer.config['merge_mode'];
    const merge = typeof mode === 'string' && Object.hasOwn(mergesOf, mode) ? mergesOf[mode] : undefined;
    if (merge === undefined)
      throw new RangeError(
        `${where}: ${layer.name} merges by ${JSON.stringify(mode)}; concat, sum, ave and mul are what can be.`,
      );
    const cell = made(where, { ...inner, name: layer.name }, given);
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

function translateRecurrent(where: string, layer: KerasLayer, given: TranslateOptions): Translated {
  const { name, config } = layer;
  const [returnSequences, reverse] = [config['return_sequences'] === true, config['go_backwards'] === true];
  if (reverse && returnSequences) {
    throw new RangeError(
      `${where}: ${name} goes backwards and returns its sequence from the last step to the first; here outputs stay in the order of the input.`,
    );
  }
  if (config['return_state'] === true)
    throw new RangeError(`${where}: ${name} returns its state as an output of its own; predictWithState does so here.`);
  const cell = recurrentClasses[layer.className]!(where, layer, given);
  const options = directionOf(where, layer);
  return {
    layer: recurrent(cell, { ...options, returnSequences, ...(reverse ? { reverse } : {}) }),
    read: (taker, weights) => cellParameters(taker, weights, 'own', cell, options.hiddenSize),
    ...stateful(name, layer),
  };
}

const mergesOf: Readonly<Record<string, Merge>> = { concat: 'concat', sum: 'sum', ave: 'mean', mul: 'product' };

const stateful = (name: string, { config }: KerasLayer): Pick<Translated, 'notes'> =>
  config['stateful'] === true
    ? { notes: [`${name} was stateful: give predictWithState the state of the batch before`] }
    : {};

/** A layer inside of another's configuration. */
export function layerIn(json: Json | undefined): KerasLayer | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const { class_name: className, config } = json as Readonly<Record<string, Json>>;
  if (typeof className !== 'string' || typeof config !== 'object' || config === null || Array.isArray(config))
    return undefined;
  const own = config as KerasLayer['config'];
  return { className, name: typeof own['name'] === 'string' ? own['name'] : className, config: own };
}

function directionOf(where: string, { name, config }: KerasLayer): DirectionOptions {
  const rate = (key: string): number => (typeof config[key] === 'number' ? config[key] : 0);
  return {
    hiddenSize: countOf(where, name, config, 'units'),
    ...(rate('dropout') > 0 ? { inputDropout: rate('dropout') } : {}),
    ...(rate('recurrent_dropout') > 0 ? { recurrentDropout: rate('recurrent_dropout') } : {}),
  };
}

/** Whether gates are straight lines rather than logistic. @throws RangeError where they are neither, or the rest does not go through tanh */
function hasHardGates(where: string, layer: KerasLayer): boolean {
  const gates = nameOf(layer.config['recurrent_activation'] ?? 'sigmoid');
  if (gates !== 'sigmoid' && gates !== 'hard_sigmoid')
    throw new RangeError(
      `${where}: ${layer.name} opens its gates by ${gates}; sigmoid and hard_sigmoid are what can be.`,
    );
  if (activationOf(where, layer, 'activation', 'tanh') !== tanh)
    throw new RangeError(
      `${where}: ${layer.name} has the activation ${JSON.stringify(layer.config['activation'])}, ours has tanh.`,
    );
  return gates === 'hard_sigmoid';
}

/** Names as Keras has them in its files; of an object, that of its class. */
function nameOf(value: Json): string {
  return typeof value === 'string' ? value : (layerIn(value)?.className.toLowerCase() ?? JSON.stringify(value));
}

function activationOf(
  where: string,
  { name, config }: KerasLayer,
  key: string,
  byDefault: string,
): ((x: Variable) => Variable) | undefined {
  const given = config[key] ?? byDefault;
  const named = nameOf(given);
  if (named === 'linear') return undefined;
  const known: Readonly<Record<string, (x: Variable) => Variable>> = {
    tanh,
    relu,
    sigmoid,
    softmax,
    softplus,
    exponential: exp,
  };
  if (Object.hasOwn(known, named)) return known[named]!;
  throw new RangeError(
    `${where}: ${name} has the activation ${named}, which has no equal here. There are linear, ${Object.keys(known).join(', ')}.`,
  );
}

function countOf(where: string, layer: string, config: KerasLayer['config'], key: string): number {
  const value = config[key];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(
    `${where}: ${layer} must have ${key}, a whole number of at least 1, got ${JSON.stringify(value)}.`,
  );
}

function refuseMask(where: string, name: string, what: string): never {
  throw new RangeError(
    `${where}: ${name} ${what}. Here rows have lengths, which predict is given: say that it will be, by { lengths: true }.`,
  );
}
