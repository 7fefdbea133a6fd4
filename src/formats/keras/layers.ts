/** Conversion of Keras layers. */

import { linear } from '../../cells/activations';
import { gruWith } from '../../cells/gru-with';
import { type LstmWithOptions, lstmWith } from '../../cells/lstm-with';
import { simpleRnn } from '../../cells/simple-rnn';
import { bidirectional, type Merge } from '../../layers/bidirectional';
import { conv1d } from '../../layers/conv1d';
import { dense } from '../../layers/dense';
import { dropout } from '../../layers/dropout';
import { embedding } from '../../layers/embedding';
import type { Layer } from '../../layers/layer';
import { layerNorm } from '../../layers/layer-norm';
import { joinNames } from '../../layers/nested-names';
import { type DirectionOptions, recurrent } from '../../layers/recurrent';
import { withoutBias } from '../../layers/without-bias';
import type { Cell } from '../../recurrence/cell';
import type { Complete } from '../../tensor/complete';
import type { Tensor } from '../../tensor/tensor';
import type { Json } from '../description';
import { abbreviate, shown } from '../listing';
import {
  activationOf,
  axisOf,
  checkChannelsLast,
  checkLastAxis,
  countOf,
  type KerasLayer,
  layerIn,
  numberOf,
  stepsIn,
} from './config';
import { simpleTranslators, withoutWeights } from './simple-layers';
import {
  cellParameters,
  convolutionParameters,
  denseParameters,
  depthwiseKernel,
  embeddingParameters,
  type LayerWeights,
  layerNormParameters,
  type Taker,
} from './weights';

/** Options of {@link importKeras} and {@link importTensorFlowJs}. */
export interface KerasOptions {
  /**
   * Whether to import a model with masks (`mask_zero` of an Embedding, or a Masking layer), which is an error by
   * default. Pass the sequence lengths to `predict` instead of a mask, or use {@link predictMasked} for padding in
   * front and gaps.
   */
  readonly lengths?: boolean | undefined;
}

/** A converted layer, a function that reads its parameters from Keras weights, and notes for the user. */
export interface Translated {
  /** The layer; a function of its weights if the layer has some of them as constants. */
  readonly layer: Layer | ((taker: Taker, weights: LayerWeights) => Layer);
  readonly read: (taker: Taker, weights: LayerWeights) => Readonly<Record<string, Tensor>>;
  readonly notes?: readonly string[];
}

/** {@link KerasOptions}, and what depends on the version of Keras. */
export interface TranslateOptions extends KerasOptions {
  /** The slope of hard_sigmoid; `undefined` if the version is not known. */
  readonly slope: number | undefined;
  /** Whether the model runs in TensorFlow.js, whose Bidirectional repeats outputs at masked steps. */
  readonly isTensorFlowJs?: boolean;
  /** The number of steps of the input, if it is known. */
  readonly steps?: number | undefined;
}

/** The conversion of a layer; a note, or `undefined`, for a layer that has no effect on valid steps at prediction. */
type Translation = Translated | string | undefined;

/** Converts a layer of one class. */
export type Translate = (where: string, layer: KerasLayer, options: TranslateOptions) => Translation;

/**
 * Converts a layer.
 *
 * @throws RangeError if the layer cannot be converted exactly
 */
export function translate(where: string, layer: KerasLayer, options: TranslateOptions): Translation {
  // Merged here, because a spread at the top level would keep the table in every bundle.
  const all = { ...translators, ...simpleTranslators };
  const found = Object.hasOwn(all, layer.className) ? all[layer.className] : undefined;
  if (found === undefined) {
    throw new RangeError(
      `${where}: the layer ${abbreviate(layer.name)} has class ${abbreviate(layer.className)}, which is not ` +
        `supported. Supported classes are ${Object.keys(all).join(', ')}.`,
    );
  }
  return found(where, layer, options);
}

/** Constructors of cells by the class of the Keras layer. */
const recurrentClasses: Readonly<
  Record<string, (where: string, layer: KerasLayer, options: TranslateOptions) => Cell>
> = {
  SimpleRNN: (where, layer, { slope }) =>
    simpleRnn({ activation: activationOf(where, layer, 'activation', 'tanh', slope) }),
  LSTM: (where, layer, { slope }) => lstmWith(functionsOf(where, layer, slope)),
  GRU: (where, layer, { slope }) =>
    gruWith({
      ...functionsOf(where, layer, slope),
      reset: layer.config['reset_after'] === true ? 'after' : 'before',
    }),
};

/** The constructor of the cell of a recurrent layer; `undefined` for layers of other classes. */
const cellMakerOf = (layer: KerasLayer | undefined): (typeof recurrentClasses)[string] | undefined =>
  layer && Object.hasOwn(recurrentClasses, layer.className) ? recurrentClasses[layer.className] : undefined;

/** The class of a layer, for messages. */
const classOf = (layer: KerasLayer | undefined): string =>
  abbreviate(layer?.className ?? 'layer without configuration');

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
  Masking(where, layer, options) {
    translateMask(where, layer, options);
    const value = shown(layer.config['mask_value'] ?? 0);
    const how = value === '0' ? 'predictMasked' : `predictMasked with mask: stepMask(inputs, ${value})`;
    return `${layer.name} masked vectors of ${value}: pass the sequence lengths to predict instead, or use ${how}`;
  },
  NotEqual: translateMask,
  Any: translateMask,
  Dense(where, layer, { slope }) {
    const size = countOf(where, layer.name, layer.config, 'units');
    const activation = activationOf(where, layer, 'activation', 'linear', slope);
    return {
      layer: biased(dense({ size, ...(activation !== linear && { activation }) }), layer),
      read(taker, weights) {
        const parameters = denseParameters(taker, weights, size);
        checkBias(where, layer, parameters);
        return parameters;
      },
    };
  },
  Conv1D: translateConvolution,
  DepthwiseConv1D: translateConvolution,
  TimeDistributed(where, layer, options) {
    const inner = layerIn(layer.config['layer']);
    if (inner?.className !== 'Dense')
      throw new RangeError(
        `${where}: ${layer.name} is TimeDistributed over a ${classOf(inner)}; only Dense is supported.`,
      );
    return translate(where, { ...inner, name: layer.name }, options);
  },
  Dropout(where, layer) {
    return withoutWeights(dropout(numberOf(where, layer, 'rate', 0)));
  },
  LayerNormalization(where, layer) {
    const { name, config } = layer;
    // Keras 2 and TensorFlow.js count the last axis from the first one: it is 1 for vectors per sequence.
    const isFirst = axisOf(layer) === 1;
    if (!isFirst) checkLastAxis(where, layer);
    if (config['rms_scaling'] === true)
      throw new RangeError(`${where}: ${name} scales by the root mean square (rms_scaling), which is not supported.`);
    const scale = config['scale'] !== false;
    const center = config['center'] !== false;
    const anyAxis = layerNorm({ epsilon: numberOf(where, layer, 'epsilon', 1e-3) });
    const normalization = isFirst ? perSequence(anyAxis) : anyAxis;
    return {
      layer: center ? normalization : withoutBias(normalization),
      read: (taker, weights) => layerNormParameters(taker, weights, { scale, center }),
    };
  },
  Bidirectional(where, layer, translateOptions) {
    const name = layer.name;
    const inner = layerIn(layer.config['layer']);
    const makeCell = cellMakerOf(inner);
    if (inner === undefined || makeCell === undefined)
      throw new RangeError(
        `${where}: ${name} is Bidirectional over a ${classOf(inner)}; only SimpleRNN, LSTM and GRU are supported.`,
      );
    const forward = { ...inner, name };
    const backward = { ...(layerIn(layer.config['backward_layer']) ?? inner), name };
    const makeBackward = cellMakerOf(backward);
    if (makeBackward === undefined)
      throw new RangeError(
        `${where}: the backward layer of ${name} is ${classOf(backward)}; only SimpleRNN, LSTM and GRU are supported.`,
      );
    if (forward.config['go_backwards'] === true)
      throw new RangeError(`${where}: the forward layer of ${name} has go_backwards, which is not supported.`);
    const mode = layer.config['merge_mode'];
    const merge = typeof mode === 'string' && Object.hasOwn(mergesOf, mode) ? mergesOf[mode] : undefined;
    if (merge === undefined)
      throw new RangeError(
        `${where}: ${name} has merge_mode ${shown(mode)}; only concat, sum, ave and mul are supported.`,
      );
    const cell = makeCell(where, forward, translateOptions);
    const options = directionOf(where, forward);
    const reverse = {
      inputDropout: 0,
      recurrentDropout: 0,
      ...directionOf(where, backward),
      cell: makeBackward(where, backward, translateOptions),
    };
    return {
      layer: biased(
        bidirectional(cell, {
          ...options,
          merge,
          returnSequences: forward.config['return_sequences'] === true,
          ...(directionsDiffer(forward, backward) && { reverse }),
        }),
        forward,
        backward,
      ),
      read(taker, weights) {
        const parameters = joinNames({
          forward: cellParameters(taker, weights, 'forward', cell, options.hiddenSize),
          reverse: cellParameters(taker, weights, 'backward', reverse.cell, reverse.hiddenSize),
        });
        checkBias(where, forward, parameters, 'forward.bias');
        checkBias(where, backward, parameters, 'reverse.bias');
        return parameters;
      },
      notes: [
        ...stateful(forward),
        ...(translateOptions.isTensorFlowJs && translateOptions.lengths && forward.config['return_sequences'] === true
          ? [masksDiffer(name, 'repeats outputs at masked steps in TensorFlow.js', false)]
          : []),
      ],
    };
  },
  SimpleRNN: translateRecurrent,
  LSTM: translateRecurrent,
  GRU: translateRecurrent,
};

/** A layer over axis 1 that rejects vectors per step, whose axis 1 is the time. */
const perSequence = (layer: Layer): Layer => ({
  ...layer,
  output(input) {
    const output = layer.output(input);
    if (output.kind === 'vectors' && output.perStep)
      throw new RangeError(`${layer.name}: axis 1 is the time axis; only the last axis is supported.`);
    return output;
  },
});

/** @throws RangeError if the file has a bias of a layer with use_bias=False, or none of another layer */
function checkBias(
  where: string,
  { name, config }: KerasLayer,
  parameters: Readonly<Record<string, unknown>>,
  path: 'bias' | 'forward.bias' | 'reverse.bias' = 'bias',
): void {
  const isExpected = config['use_bias'] !== false;
  const isFound = parameters[path] !== undefined;
  if (isExpected !== isFound)
    throw new RangeError(
      `${where}: the file has ${isFound ? '' : 'no '}${path} of ${name}, although the layer has ` +
        `use_bias=${isExpected ? 'True' : 'False'}.`,
    );
}

/** A layer without its biases if no Keras layer has them. If only one direction has none, its biases are zeros. */
const biased = (layer: Layer, ...kerasLayers: readonly KerasLayer[]): Layer =>
  kerasLayers.every(({ config }) => config['use_bias'] === false) ? withoutBias(layer) : layer;

/** Whether the layers of a Bidirectional differ in more than their direction. */
const directionsDiffer = (forward: KerasLayer, backward: KerasLayer): boolean =>
  forward.className !== backward.className ||
  ['units', 'activation', 'recurrent_activation', 'use_bias', 'reset_after', 'dropout', 'recurrent_dropout'].some(
    (key) => JSON.stringify(forward.config[key]) !== JSON.stringify(backward.config[key]),
  );

const isPadding = (padding: Json): padding is 'valid' | 'same' | 'causal' =>
  ['valid', 'same', 'causal'].includes(padding as string);

/** Conv1D, and DepthwiseConv1D, whose outputs have one input each. */
function translateConvolution(where: string, layer: KerasLayer, { slope, lengths }: TranslateOptions): Translated {
  const { name, config, className } = layer;
  checkChannelsLast(where, layer);
  const padding = config['padding'] ?? 'valid';
  if (!isPadding(padding))
    throw new RangeError(`${where}: ${name} has padding ${shown(padding)}; only valid, same and causal are supported.`);
  const isDepthwise = className === 'DepthwiseConv1D';
  const activation = activationOf(where, layer, 'activation', 'linear', slope);
  const options = {
    kernelSize: stepsIn(where, layer, 'kernel_size'),
    stride: stepsIn(where, layer, 'strides', 1),
    dilation: stepsIn(where, layer, 'dilation_rate', 1),
    padding,
    ...(activation !== linear && { activation }),
  };
  const build = (size: number, groups: number): Layer =>
    biased(conv1d({ size, ...options, ...(groups > 1 && { groups }) }), layer);
  return {
    // The kernel has the number of inputs, which the configuration of a DepthwiseConv1D lacks.
    layer: isDepthwise
      ? (taker, weights) => {
          const [, inputs] = depthwiseKernel(taker, weights).shape as [number, number];
          return build(inputs * stepsIn(where, layer, 'depth_multiplier', 1), inputs);
        }
      : build(countOf(where, name, config, 'filters'), stepsIn(where, layer, 'groups', 1)),
    read(taker, weights) {
      const parameters = convolutionParameters(taker, weights, isDepthwise);
      checkBias(where, layer, parameters);
      return parameters;
    },
    ...(lengths && { notes: [`${name} reads no masked steps, as it does in Keras`] }),
  };
}

/** Masking, and the operations of Keras 3 that compute masks. */
function translateMask(where: string, { name }: KerasLayer, { lengths }: TranslateOptions): undefined {
  if (!lengths) rejectMask(where, name, 'masks steps');
}

function translateRecurrent(where: string, layer: KerasLayer, translateOptions: TranslateOptions): Translated {
  const { name, config } = layer;
  const returnSequences = config['return_sequences'] === true;
  const reverse = config['go_backwards'] === true;
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
  const { lengths, isTensorFlowJs } = translateOptions;
  // TensorFlow.js does not have this option.
  const isZero = lengths && !isTensorFlowJs && config['zero_output_for_mask'] === true;
  if (isZero && !returnSequences)
    throw new RangeError(
      `${where}: ${name} has zero_output_for_mask without return_sequences: Keras returns zeros if the last step is ` +
        'masked, which is not supported.',
    );
  const cell = recurrentClasses[layer.className]!(where, layer, translateOptions);
  const options = directionOf(where, layer);
  return {
    layer: biased(recurrent(cell, { ...options, returnSequences, ...(reverse ? { reverse } : {}) }), layer),
    read(taker, weights) {
      const parameters = cellParameters(taker, weights, 'single', cell, options.hiddenSize);
      checkBias(where, layer, parameters);
      return parameters;
    },
    notes: [
      ...stateful(layer),
      ...(isZero ? [masksDiffer(name, 'has zero outputs at masked steps (zero_output_for_mask)', true)] : []),
    ],
  };
}

const mergesOf: Readonly<Record<string, Merge>> = { concat: 'concat', sum: 'sum', ave: 'mean', mul: 'product' };

const stateful = ({ name, config }: KerasLayer): readonly string[] =>
  config['stateful'] === true ? [`${name} was stateful: pass the state of the previous batch to predictWithState`] : [];

/** A note that the outputs at masked steps are not those of predictMasked by default. */
const masksDiffer = (name: string, how: string, isZero: boolean): string =>
  `${name} ${how}: if it is the last recurrent layer, pass zeroOutputForMask: ${isZero} to predictMasked`;

/** The options of a recurrent layer that both directions of a Bidirectional share. */
function directionOf(where: string, layer: KerasLayer): DirectionOptions {
  const rate = (key: string): number => numberOf(where, layer, key, 0);
  return {
    hiddenSize: countOf(where, layer.name, layer.config, 'units'),
    ...(rate('dropout') > 0 ? { inputDropout: rate('dropout') } : {}),
    ...(rate('recurrent_dropout') > 0 ? { recurrentDropout: rate('recurrent_dropout') } : {}),
  };
}

/** The activation functions of an LSTM or a GRU. @throws RangeError if they are not supported */
const functionsOf = (where: string, layer: KerasLayer, slope: number | undefined): Complete<LstmWithOptions> => ({
  activation: activationOf(where, layer, 'activation', 'tanh', slope),
  gateActivation: activationOf(where, layer, 'recurrent_activation', 'sigmoid', slope),
});

function rejectMask(where: string, name: string, reason: string): never {
  throw new RangeError(
    `${where}: ${name} ${reason}. Sequence lengths replace masks: import with { lengths: true }, and pass lengths ` +
      'to predict, or use predictMasked.',
  );
}
