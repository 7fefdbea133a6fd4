/** Conversion of Keras models from their configuration and weights. */

import { namesOf, stepsThrough } from '../../layers/chain';
import type { Conv1dOptions } from '../../layers/conv1d';
import type { Layer } from '../../layers/layer';
import { buildSequential, type Sequential } from '../../models/sequential';
import { mapPlan, type ParameterPlan, type Planned } from '../../tensor/parameter-spec';
import { formatShape, sameShape } from '../../tensor/shape';
import { full, type Tensor } from '../../tensor/tensor';
import { buildFromFile, checkDepth, type Json, maxParts } from '../description';
import { isJsonObject, type JsonObject } from '../json-object';
import { abbreviate, listed, shown } from '../listing';
import { type KerasLayer, layerIn } from './config';
import { kerasLayers } from './keras-layers';
import { type TranslateOptions, translate } from './layers';
import { checkLeft, fail, type Taker, weightIndex, weightsOfLayer } from './weights';

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
  const chain = layersOf(where, config, options);
  const taker: Taker = { where, taken: new Set() };
  const { converted, omitted } = convertLayers(taker, chain, tensors, options, nameOf);
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
  return { model, notes: [...omitted, ...notesOf(converted, names, constants)] };
}

/** A converted layer, its parameters, and notes for the user. */
interface Converted {
  readonly layer: Layer;
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly notes: readonly string[];
  /** Whether Keras does not train it. */
  readonly isFrozen: boolean;
}

/** Converts the layers of a chain that have an effect at prediction. Also returns the notes of those that have none. */
function convertLayers(
  taker: Taker,
  chain: readonly KerasLayer[],
  tensors: Readonly<Record<string, Tensor>>,
  options: TranslateOptions,
  nameOf: (layer: KerasLayer, previousCount: number) => string,
): { readonly converted: readonly Converted[]; readonly omitted: readonly string[] } {
  const where = taker.where;
  const counts = new Map<string, number>();
  const groups = weightGroups(tensors);
  const index = weightIndex(tensors);
  const stepCounts = stepsOf(chain);
  let previous: Layer[] = [];
  const omitted: string[] = [];
  const converted = chain.flatMap((layer, i): Converted[] => {
    if (layer.className === 'RepeatVector') previous = [];
    const steps = stepCounts[i] === undefined ? undefined : stepsThrough(previous, stepCounts[i]);
    const translated = buildFromFile(where, () => translate(where, layer, { ...options, steps }));
    const previousCount = counts.get(layer.className) ?? 0;
    counts.set(layer.className, previousCount + 1);
    if (typeof translated !== 'object') {
      if (translated !== undefined) omitted.push(translated);
      return [];
    }
    const name = nameOf(layer, previousCount);
    const group = groups.get(name.replace(/_\d+$/, ''))?.[previousCount];
    const weights = weightsOfLayer(where, index, group ?? name);
    const builder = translated.layer;
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
  return { converted, omitted };
}

/** The notes of layers, and on what Keras does not train. @param constants the paths of parameters that it lacks */
function notesOf(
  converted: readonly Converted[],
  names: readonly string[],
  constants: readonly string[],
): readonly string[] {
  const added = converted.flatMap(({ layer }) => (needsKerasLayers(layer) ? [layer.name] : []));
  return [
    ...converted.flatMap(({ notes }) => notes),
    ...converted.flatMap(({ isFrozen, parameters }, i) =>
      isFrozen && Object.keys(parameters).length > 0
        ? [`${names[i]} has trainable=False in Keras: train with freeze(['${names[i]}'], …)`]
        : [],
    ),
    ...constants.map(
      (path) => `${path} is constant in Keras (use_bias, scale or center is false): train with freeze(['${path}'], …)`,
    ),
    ...(added.length > 0
      ? [`to load the model from a file of save, pass customObjects: kerasLayers() for ${listed(added)}`]
      : []),
  ];
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

/** The layers of a Sequential model, or of a functional model that is a single chain. */
function layersOf(where: string, json: Json, options: TranslateOptions): readonly KerasLayer[] {
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
    checkInbound(where, entry, chain, i, maskNames, options);
  });
  const outputs = isJsonObject(config) ? config['output_layers'] : undefined;
  const sources = outputs === undefined ? [] : sourcesIn([outputs]);
  const last = chain.at(-1)?.name;
  if (outputs !== undefined && (sources.length !== 1 || sources[0] !== last))
    fail(where, `the outputs of the model are ${listed(sources)}; only that of its last layer, ${last}, is supported`);
  return [...chain, ...masks];
}

/** The longest name and class of a layer, in UTF-16 units; those of real models are far shorter. */
const maxName = 200;

/** The operations by which Embedding and Masking compute masks in a functional model. */
const maskOperations: readonly string[] = ['NotEqual', 'Any'];

/**
 * @param masks the names of the operations that compute masks, whose results may only be the argument `mask`
 * @throws RangeError unless the only input of a layer is the output of the previous one in the list, or if the layer
 * runs as in training
 */
function checkInbound(
  where: string,
  entry: Json,
  layers: readonly KerasLayer[],
  i: number,
  masks: ReadonlySet<string>,
  { isTensorFlowJs }: TranslateOptions,
): void {
  const name = layers[i]!.name;
  const inbound = (entry as JsonObject)['inbound_nodes'] ?? [];
  const calls = Array.isArray(inbound) ? (inbound as readonly Json[]) : [inbound];
  // In Keras 2, whose calls are lists, the argument applies to predictions, too; Keras 3 and TensorFlow.js override it.
  const isInTraining = (call: Json): boolean => !isJsonObject(call) && JSON.stringify(call).includes('"training":true');
  if (!isTensorFlowJs && calls.some(isInTraining))
    fail(where, `${name} is called with training=True, so that it also runs as in training to predict`);
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
 * The layers whose outputs are in the arguments of a call, with an index for outputs other than the first. A tensor is
 * keras_history, [layer, node, tensor], in Keras 3, and [[[layer, node, tensor, {}]]] in Keras 2.
 */
const sourcesIn = (json: Json): readonly string[] =>
  [...JSON.stringify(json).matchAll(/\["([^"\\]*(?:\\.[^"\\]*)*)",\d+,(\d+)/g)].map(
    ({ 1: name, 2: index }) => (JSON.parse(`"${name}"`) as string) + (index === '0' ? '' : `[${index}]`),
  );
