/** Loading of Keras weights into an existing model. */

import type { Conv1dOptions } from '../../layers/conv1d';
import { directionsOf, type LayerDirection } from '../../layers/directions';
import { joinNames } from '../../layers/nested-names';
import { checkModel, type Sequential } from '../../models/sequential';
import { checkNames, checkObject, checkString, formatShape, sameShape } from '../../tensor/shape';
import { checkTensor, type Tensor } from '../../tensor/tensor';
import { listed } from '../listing';
import { type Part, partsOf } from '../parts';
import {
  batchNormalizationParameters,
  cellInKeras,
  cellParameters,
  checkCellOptions,
  checkLeft,
  convolutionParameters,
  denseParameters,
  embeddingParameters,
  fail,
  type LayerWeights,
  layerNormParameters,
  numbered,
  type Taker,
  weightIndex,
  weightsOfLayer,
} from './weights';

/** The names of layers in Keras. */
export interface KerasNames {
  /**
   * The Keras name of each layer, by layer name: `{ lstm2: 'decoder_lstm' }`. By default the names in `.weights.h5`
   * files: the class in snake case, numbered from the second on, `lstm`, `lstm_1`, `layer_normalization`.
   */
  readonly layers?: Readonly<Record<string, string>> | undefined;
}

/**
 * Loads weights of Keras 3 into an existing model: SimpleRNN, LSTM, GRU (with both values of `reset_after`),
 * Bidirectional, Embedding, Dense, Conv1D, DepthwiseConv1D, BatchNormalization and LayerNormalization.
 *
 * @param model is updated in place; not changed if the function throws
 * @param tensors the datasets of a `.weights.h5` file, read by {@link readHdf5}, or tensors by variable path, such as
 * `lstm/lstm_cell/kernel`
 * @returns the paths of tensors that were ignored: the state of optimizers, metrics and random generators
 * @throws RangeError if a weight is missing, unused or has a wrong shape, or a layer has no equivalent in Keras
 * @example
 * const model = sequential([recurrent(lstm(), { hiddenSize: 3 }), dense({ size: 1 })], { inputSize: 2 });
 * fromKeras(model, {
 *   'lstm/lstm_cell/kernel': full([2, 12], 0.1),
 *   'lstm/lstm_cell/recurrent_kernel': full([3, 12], 0.2),
 *   'lstm/lstm_cell/bias': full([12], 0.5),
 *   'head/kernel': full([3, 1], 1),
 *   'head/bias': full([1], 0),
 * }, { layers: { dense: 'head' } });
 * model.parameters.lstm!.bias!.data[0]; // 0.5
 */
export function fromKeras(
  model: Sequential,
  tensors: Readonly<Record<string, Tensor>>,
  options: KerasNames = {},
): { readonly ignored: readonly string[] } {
  const where = 'fromKeras';
  checkModel(where, model);
  checkObject(where, 'tensors', tensors);
  for (const [name, tensor] of Object.entries(tensors)) checkTensor(where, name, tensor);
  const taker: Taker = { where, taken: new Set() };
  const index = weightIndex(tensors);
  const found = namedParts(where, model, options).map(({ part, name }) => ({
    part,
    parameters: readPart(taker, part, weightsOfLayer(where, index, name)),
  }));
  checkLeft(where, tensors, taker);
  for (const { part, parameters } of found) {
    for (const [name, tensor] of Object.entries(parameters)) {
      const own = part.parameters[name];
      if (own === undefined) return fail(where, `${part.path} has no ${name}, but the file has`);
      if (!sameShape(own.shape, tensor.shape))
        fail(where, `${part.path}.${name} must be ${formatShape(own.shape)}, got ${formatShape(tensor.shape)}`);
    }
  }
  // Only biases can be missing (use_bias=False); they are zero.
  for (const { part, parameters } of found)
    for (const [name, { data }] of Object.entries(part.parameters)) data.set(parameters[name]?.data ?? data.fill(0));
  return { ignored: Object.keys(tensors).filter((path) => !taker.taken.has(path)) };
}

/**
 * The layers with weights, and their names in Keras.
 *
 * @throws TypeError or RangeError if an option is wrong, or a layer has no equivalent in Keras
 */
export function namedParts(
  where: string,
  model: Sequential,
  options: KerasNames,
): readonly { readonly part: Part; readonly name: string }[] {
  checkNames(where, 'options', options, ['layers']);
  const { layers = {} } = options;
  checkObject(where, 'layers', layers);
  const parts = partsOf(model);
  for (const [name, layer] of Object.entries(layers)) {
    checkString(where, `layers.${name}`, layer);
    if (!parts.some(({ path }) => path === name))
      fail(where, `layers has ${name}, which is not a layer. The layers are ${listed(parts.map(({ path }) => path))}`);
  }
  const counts = new Map<string, number>();
  return parts.flatMap((part) => {
    const className = classOf(where, part);
    if (className === undefined) return [];
    const previousCount = counts.get(className) ?? 0;
    counts.set(className, previousCount + 1);
    return [{ part, name: layers[part.path] ?? numbered(className, previousCount) }];
  });
}

/** The class of the equivalent Keras layer in snake case; `undefined` for a layer without weights. */
function classOf(where: string, { origin, path, parameters }: Part): string | undefined {
  if (Object.keys(parameters).length === 0) return undefined;
  switch (origin?.[0]) {
    case 'bidirectional':
    case 'dense':
    case 'embedding':
      return origin[0];
    case 'conv1d':
      return isDepthwise(parameters['weight']!, origin[1]) ? 'depthwise_conv1d' : 'conv1d';
    case 'batchNorm':
      return 'batch_normalization';
    case 'layerNorm':
      return 'layer_normalization';
    case 'recurrent':
      return cellInKeras(where, path, origin[1]).className;
    case 'attentionPooling':
    case 'averagePool1d':
    case 'dropout':
    case 'globalAveragePool':
    case 'globalMaxPool':
    case 'maxPool1d':
    case undefined:
      return fail(where, `${path} has no equivalent in Keras`);
    default:
      return origin satisfies never;
  }
}

/** Whether every output of a convolution has one input, as in a DepthwiseConv1D. */
export const isDepthwise = ({ shape }: Tensor, { groups = 1 }: Conv1dOptions): boolean => groups > 1 && shape[1] === 1;

/** Reads the parameters of a layer. @throws RangeError if a weight is missing */
function readPart(
  taker: Taker,
  { origin, path, parameters }: Part,
  weights: LayerWeights,
): Readonly<Record<string, Tensor>> {
  switch (origin?.[0]) {
    case 'embedding':
      return embeddingParameters(taker, weights, parameters['weight']!.shape);
    case 'batchNorm':
      return batchNormalizationParameters(taker, weights, { scale: true, center: !!parameters['bias'] });
    case 'conv1d':
      return convolutionParameters(taker, weights, isDepthwise(parameters['weight']!, origin[1]));
    case 'dense':
      return denseParameters(taker, weights, origin[1].size);
    case 'layerNorm':
      return layerNormParameters(taker, weights, { scale: true, center: !!parameters['bias'] });
    case 'recurrent':
    case 'bidirectional': {
      const cellOf = (
        direction: 'single' | 'forward' | 'backward',
        { cell, options }: Pick<LayerDirection, 'cell' | 'options'>,
      ): Readonly<Record<string, Tensor>> => {
        checkCellOptions(taker.where, path, options);
        return cellParameters(taker, weights, direction, cell, options.hiddenSize);
      };
      if (origin[0] === 'recurrent') return cellOf('single', { cell: origin[1], options: origin[2] });
      const [forward, reverse] = directionsOf(origin[1], origin[2]);
      return joinNames({ forward: cellOf('forward', forward), reverse: cellOf('backward', reverse) });
    }
    default:
      // namedParts has rejected all other layers.
      return {};
  }
}
