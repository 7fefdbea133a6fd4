/** Conversion of Keras models. */

import { namesOf, stepsThrough } from '../../layers/chain';
import type { Conv1dOptions } from '../../layers/conv1d';
import { directionsOf, type LayerDirection } from '../../layers/directions';
import type { Layer } from '../../layers/layer';
import { joinNames } from '../../layers/nested-names';
import { cellOriginOf } from '../../layers/origins';
import { buildSequential, checkModel, type Sequential } from '../../models/sequential';
import { mapPlan, type ParameterPlan, type Planned } from '../../tensor/parameter-spec';
import { checkNames, checkObject, formatShape, sameShape } from '../../tensor/shape';
import { checkTensor, full, type Tensor } from '../../tensor/tensor';
import { buildFromFile, checkDepth, type Json, maxParts } from '../description';
import { isJsonObject, type JsonObject } from '../json-object';
import { abbreviate, listed, shown } from '../listing';
import { type Part, partsOf } from '../parts';
import { type KerasLayer, layerIn } from './config';
import { kerasLayers } from './keras-layers';
import { type TranslateOptions, translate } from './layers';
import {
  batchNormalizationParameters,
  cellParameters,
  cellsInKeras,
  convolutionParameters,
  denseParameters,
  embeddingParameters,
  isTrainingState,
  type LayerWeights,
  layerNormParameters,
  type Taker,
  weightIndex,
  weightsOfLayer,
} from './weights';

/** The result of {@link importKeras} and {@link importTensorFlowJs}. */
export interface ImportedModel {
  readonly model: Sequential;
  /**
   * Human-readable notes: masks that sequence lengths replace, layers that were stateful, layers and parameters that
   * Keras does not train, and that have to be frozen here.
   */
  readonly notes: readonly string[];
}

/**
 * Creates a model from a Keras configuration and weights.
 *
 * @param nameOf the name of a layer in the paths of its weights, given the layer and the number of previous layers of
 * its class
 * @throws RangeError if a layer cannot be converted exactly, the layers are not a single chain, or weights are missing
 * or unused
 */
export function modelOf(
  where: string,
  config: Json,
  tensors: Readonly<Record<string, Tensor>>,
  options: TranslateOptions,
  nameOf: (layer: KerasLayer, previousCount: number) => string,
): ImportedModel {
  checkDepth(where, 'the configuration', config);
  const chain = layersOf(where, config);
  const counts = new Map<string, number>();
  const taker: Taker = { where, taken: new Set() };
  const groups = weightGroups(tensors);
  const index = weightIndex(tensors);
  const stepCounts = stepsOf(chain);
  let previous: Layer[] = [];
  const converted = chain.flatMap((layer, i) => {
    if (layer.className === 'RepeatVector') previous = [];
    const steps = stepCounts[i] === undefined ? undefined : stepsThrough(previous, stepCounts[i]);
    const translated = buildFromFile(where, () => translate(where, layer, { ...options, steps }));
    const previousCount = counts.get(layer.className) ?? 0;
    counts.set(layer.className, previousCount + 1);
    if (translated === undefined) return [];
    const name = nameOf(layer, previousCount);
    const group = groups.get(name.replace(/_\d+$/, ''))?.[previousCount];
    const weights = weightsOfLayer(where, index, group ?? name);
    const { layer: builder } = translated;
    const built = typeof builder === 'function' ? buildFromFile(where, () => builder(taker, weights)) : builder;
    previous.push(built);
    return [
      {
        layer: built,
        parameters: translated.read(taker, weights),
        notes: translated.notes ?? [],
        isFrozen: layer.config['trainable'] === false,
      },
    ];
  });
  const layers = converted.map(({ layer }) => layer);
  if (layers.length === 0) throw new RangeError(`${where}: the model has no layers.`);
  const names = namesOf(layers);
  const weights = new Map<string, Tensor>(
    converted.flatMap(({ parameters }, i) =>
      Object.entries(parameters).map(([name, tensor]) => [`${names[i]}.${name}`, tensor] as const),
    ),
  );
  const [first] = weights.values();
  if (first === undefined) throw new RangeError(`${where}: no layer of the model has weights.`);
  const constants: string[] = [];
  const fill = <P extends ParameterPlan>(plan: P): Planned<P> =>
    mapPlan(plan, ({ shape, role }, path) => {
      const constant = role === 'bias' ? 0 : role === 'gain' ? 1 : undefined;
      if (constant !== undefined && !weights.has(path)) constants.push(path);
      const found = weights.get(path) ?? (constant === undefined ? undefined : full(shape, constant));
      weights.delete(path);
      if (found !== undefined && sameShape(found.shape, shape)) return found;
      throw new RangeError(
        `${where}: ${path} must be ${formatShape(shape)}, the file has ` +
          `${found === undefined ? 'none' : formatShape(found.shape)}.`,
      );
    });
  const model = buildFromFile(where, () =>
    buildSequential(
      layers,
      layers[0]!.accepts === 'ids' ? undefined : (sizeIn(chain) ?? inputSizeOf(layers[0]!, first)),
      fill,
    ),
  );
  checkLeft(where, tensors, taker);
  const notes = [
    ...converted.flatMap((each) => each.notes),
    ...converted.flatMap(({ isFrozen, parameters }, i) =>
      isFrozen && Object.keys(parameters).length > 0
        ? [`${names[i]} has trainable=False in Keras: train with freeze(['${names[i]}'], …)`]
        : [],
    ),
    ...constants.map(
      (path) => `${path} is constant in Keras (use_bias, scale or center is false): train with freeze(['${path}'], …)`,
    ),
  ];
  const added = layers.filter(needsKerasLayers).map(({ name }) => name);
  if (added.length > 0)
    notes.push(`to load the model from a file of save, pass customObjects: kerasLayers() for ${listed(added)}`);
  return { model, notes };
}

/** Whether a layer is one of {@link kerasLayers}. */
const needsKerasLayers = ({ origin }: Layer): boolean => Object.hasOwn(kerasLayers(), origin?.[0] ?? '');

/** The shape of the input of a model, `[null, T, I]`, if its configuration has it. */
const inputShapeOf = (layers: readonly KerasLayer[]): readonly Json[] => {
  const config = layers[0]?.config ?? {};
  const shape = config['batch_shape'] ?? config['batch_input_shape'];
  return Array.isArray(shape) ? (shape as readonly Json[]) : [];
};

/** The size of the input vectors of a layer, from its first weight. */
function inputSizeOf({ origin }: Layer, { shape }: Tensor): number | undefined {
  const groups = (origin?.[1] as Conv1dOptions | undefined)?.groups ?? 1;
  return shape.length === 3 ? shape[1]! * groups : shape[0];
}

/** The size of the input vectors, if the configuration has it. */
function sizeIn(layers: readonly KerasLayer[]): number | undefined {
  const size = inputShapeOf(layers)[2];
  return typeof size === 'number' ? size : undefined;
}

/** The number of steps of the input of each layer of a chain, or after RepeatVector, if the configuration has it. */
function stepsOf(layers: readonly KerasLayer[]): readonly (number | undefined)[] {
  const shape = inputShapeOf(layers);
  let embedding: KerasLayer | undefined;
  let repeated: KerasLayer | undefined;
  return layers.map((layer) => {
    if (layer.className === 'RepeatVector') repeated = layer;
    if (layer.className === 'Embedding') embedding ??= layer;
    const steps = repeated
      ? repeated.config['n']
      : embedding || shape.length === 3
        ? (shape[1] ?? embedding?.config['input_length'])
        : undefined;
    return typeof steps === 'number' ? steps : undefined;
  });
}

/**
 * The names of the layers in a file of Keras 2, by class in snake case, in order. Keras 2 counts a layer with weights
 * twice, so that the second LSTM can be `lstm_2`.
 */
function weightGroups(tensors: Readonly<Record<string, Tensor>>): ReadonlyMap<string, readonly string[]> {
  const names = new Set(
    Object.keys(tensors).flatMap((path) => /^_layer_checkpoint_dependencies[/\\]([^/\\]+)/.exec(path)?.[1] ?? []),
  );
  const groups = new Map<string, string[]>();
  const indexOf = (name: string): number => Number(/_(\d+)$/.exec(name)?.[1] ?? 0);
  for (const name of [...names].sort((a, b) => indexOf(a) - indexOf(b))) {
    const stem = name.replace(/_\d+$/, '');
    const group = groups.get(stem);
    if (group === undefined) groups.set(stem, [name]);
    else group.push(name);
  }
  return groups;
}

/** @throws RangeError if a weight is unused, other than those of optimizers, metrics and random generators */
function checkLeft(where: string, tensors: Readonly<Record<string, Tensor>>, { taken }: Taker): void {
  const unused = Object.keys(tensors).filter((path) => !taken.has(path) && !isTrainingState(path));
  if (unused.length > 0) throw new RangeError(`${where}: no layer uses the weights ${listed(unused)}.`);
}

/** The layers of a Sequential model, or of a functional model that is a single chain. */
function layersOf(where: string, json: Json): readonly KerasLayer[] {
  const outer = isJsonObject(json) ? json : {};
  const { class_name: className, config } = outer;
  if (className !== 'Sequential' && className !== 'Functional' && className !== 'Model') {
    throw new RangeError(
      `${where}: the configuration is of class ${shown(className)}; only Sequential and Functional models ` +
        'are supported.',
    );
  }
  const entries = Array.isArray(config) ? config : isJsonObject(config) ? config['layers'] : undefined;
  if (!Array.isArray(entries)) throw new RangeError(`${where}: the configuration has no layers.`);
  if (entries.length > maxParts) fail(where, `the model has more than ${maxParts} layers`);
  const layers = entries.map(
    (entry) => layerIn(entry) ?? fail(where, 'a layer of the configuration has no class_name and config'),
  );
  // Names are in many messages.
  const long = layers.find(({ name, className: kind }) => Math.max(name.length, kind.length) > maxName);
  if (long !== undefined)
    fail(where, `the layer ${abbreviate(long.name)} has a name or class of over ${maxName} letters`);
  if (className === 'Sequential') return layers;
  // Keras 3 lists the operations that compute masks, out of the order of the chain.
  const isMask = ({ className: name }: KerasLayer): boolean => maskOperations.includes(name);
  const chain = layers.filter((layer) => !isMask(layer));
  const masks = layers.filter(isMask);
  const maskNames = new Set(masks.map(({ name }) => name));
  const inChain = (entries as readonly Json[]).filter((_, i) => !isMask(layers[i]!));
  inChain.forEach((entry, i) => {
    checkInbound(where, entry, chain, i, maskNames);
  });
  return [...chain, ...masks];
}

/** The longest name and class of a layer, in UTF-16 units; those of real models are far shorter. */
const maxName = 200;

/** The operations by which Embedding and Masking compute masks in a functional model. */
const maskOperations: readonly string[] = ['NotEqual', 'Any'];

const fail = (where: string, message: string): never => {
  throw new RangeError(`${where}: ${message}.`);
};

/**
 * @param masks the names of the operations that compute masks, whose results may only be the argument `mask`
 * @throws RangeError unless the only input of a layer is the output of the previous one in the list
 */
function checkInbound(
  where: string,
  entry: Json,
  layers: readonly KerasLayer[],
  i: number,
  masks: ReadonlySet<string>,
): void {
  const { name } = layers[i]!;
  const inbound = (entry as JsonObject)['inbound_nodes'] ?? [];
  const calls = Array.isArray(inbound) ? (inbound as readonly Json[]) : [inbound];
  const sources = calls.flatMap((call) => {
    const kwargs = isJsonObject(call) && isJsonObject(call['kwargs']) ? call['kwargs'] : undefined;
    if (kwargs?.['mask'] === undefined) return sourcesIn(call);
    const { mask, ...others } = kwargs;
    const unknown = sourcesIn(mask).find((source) => !masks.has(source));
    if (unknown !== undefined)
      fail(where, `${name} has a mask from ${abbreviate(unknown)}, which is not the mask of a layer`);
    return sourcesIn({ ...(call as JsonObject), kwargs: others });
  });
  const expected = i === 0 ? [] : [layers[i - 1]!.name];
  if (JSON.stringify(sources) === JSON.stringify(expected)) return;
  fail(
    where,
    `${abbreviate(name)} has inputs ${listed(sources) || 'from no layer'}: the layers must be a single chain, ` +
      listed(layers.map((layer) => layer.name)),
  );
}

/**
 * The layers whose outputs are in the arguments of a call. A tensor is keras_history, [layer, node, tensor], in Keras
 * 3, and [[[layer, node, tensor, {}]]] in Keras 2.
 */
const sourcesIn = (json: Json): readonly string[] =>
  [...JSON.stringify(json).matchAll(/\["([^"\\]*(?:\\.[^"\\]*)*)",\d+,\d+/g)].map(
    ({ 1: name }) => JSON.parse(`"${name}"`) as string,
  );

/** Options of {@link fromKeras}. */
export interface KerasNames {
  /**
   * The Keras name of each layer, by layer name: `{ lstm2: 'decoder_lstm' }`. By default the names in `.weights.h5`
   * files: the class in snake case, numbered from the second on, `lstm`, `lstm_1`, `layer_normalization`.
   */
  readonly layers?: Readonly<Record<string, string>>;
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
  checkNames(where, 'options', options, ['layers']);
  const { layers = {} } = options;
  checkObject(where, 'layers', layers);
  const parts = partsOf(model);
  const unknown = Object.keys(layers).find((name) => !parts.some(({ path }) => path === name));
  if (unknown !== undefined)
    fail(where, `layers has ${unknown}, which is not a layer. The layers are ${listed(parts.map(({ path }) => path))}`);
  const taker: Taker = { where, taken: new Set() };
  const counts = new Map<string, number>();
  const index = weightIndex(tensors);
  const found = parts.flatMap((part) => {
    const className = classOf(where, part);
    if (className === undefined) return [];
    const previousCount = counts.get(className) ?? 0;
    counts.set(className, previousCount + 1);
    return [
      {
        part,
        parameters: readPart(
          taker,
          part,
          weightsOfLayer(where, index, layers[part.path] ?? numbered(className, previousCount)),
        ),
      },
    ];
  });
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

/** The name of a layer in Keras files: its class in snake case, numbered from the second on. */
export function nameInFile({ className }: KerasLayer, previousCount: number): string {
  const snake = className
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
  return numbered(snake, previousCount);
}

/** `lstm`, `lstm_1`, … */
const numbered = (name: string, previousCount: number): string =>
  previousCount === 0 ? name : `${name}_${previousCount}`;

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
    case 'recurrent': {
      const cell = cellOriginOf(origin[1]);
      return (
        (cell && cellsInKeras[cell[0]]?.className) ??
        fail(where, `${path} has the cell ${origin[1].name}, which has no equivalent in Keras`)
      );
    }
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
const isDepthwise = ({ shape }: Tensor, { groups = 1 }: Conv1dOptions): boolean => groups > 1 && shape[1] === 1;

/** Reads the parameters of a layer. @throws RangeError if a weight is missing or the layer has no equivalent */
function readPart(
  taker: Taker,
  { origin, path, parameters }: Part,
  weights: LayerWeights,
): Readonly<Record<string, Tensor>> {
  switch (origin?.[0]) {
    case 'embedding':
      return embeddingParameters(taker, weights, parameters['weight']!.shape);
    case 'batchNorm': {
      const { bias, ...found } = batchNormalizationParameters(taker, weights, {
        scale: true,
        center: !!parameters['bias'],
      });
      return { ...found, gain: found.gain!, ...(bias && { bias }) };
    }
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
        if (options.learnInitialState)
          fail(taker.where, `${path} learns its initial state, which Keras layers do not support`);
        return cellParameters(taker, weights, direction, cell, options.hiddenSize);
      };
      if (origin[0] === 'recurrent') return cellOf('single', { cell: origin[1], options: origin[2] });
      const [forward, reverse] = directionsOf(origin[1], origin[2]);
      return joinNames({ forward: cellOf('forward', forward), reverse: cellOf('backward', reverse) });
    }
    case 'attentionPooling':
    case 'averagePool1d':
    case 'dropout':
    case 'globalAveragePool':
    case 'globalMaxPool':
    case 'maxPool1d':
    case undefined:
      return fail(taker.where, `${path} has no equivalent in Keras`);
    default:
      return origin satisfies never;
  }
}
