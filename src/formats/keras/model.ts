/** Models of Keras as ours. */

import { namesOf } from '../../layers/chain';
import { joinNames } from '../../layers/nested-names';
import { cellOriginOf } from '../../layers/origins';
import { buildSequential, type Sequential } from '../../models/sequential';
import { mapPlan, type ParameterPlan, type Planned } from '../../tensor/parameter-spec';
import { formatShape, sameShape } from '../../tensor/shape';
import type { Tensor } from '../../tensor/tensor';
import { checkDepth, type Json } from '../description';
import { type Part, partsOf } from '../parts';
import { type KerasLayer, layerIn, type TranslateOptions, translate } from './layers';
import {
  cellParameters,
  cellsInKeras,
  denseParameters,
  embeddingParameters,
  type LayerWeights,
  layerNormParameters,
  type Taker,
  weightsOfLayer,
} from './weights';

/** A model that was made from a configuration. */
export interface ImportedModel {
  readonly model: Sequential;
  /** What is to be known about it, in words: masks that became lengths, states that were carried. */
  readonly notes: readonly string[];
}

type Fields = Readonly<Record<string, Json>>;

const isFields = (json: Json | undefined): json is Fields =>
  typeof json === 'object' && json !== null && !Array.isArray(json);

/**
 * Makes a model from the configuration of one, and its weights.
 *
 * @param nameOf under which name a layer's weights stand, by the layer and how many of its class come before it
 * @throws RangeError where a layer cannot be mapped exactly, the layers do not follow each other in one line, or weights are missing or left
 */
export function modelOf(
  where: string,
  config: Json,
  tensors: Readonly<Record<string, Tensor>>,
  options: TranslateOptions,
  nameOf: (layer: KerasLayer, before: number) => string,
): ImportedModel {
  checkDepth(where, 'the configuration', config);
  const chain = layersOf(where, config);
  const taker: Taker = { where, taken: new Set() };
  const made = chain.flatMap((layer, i) => {
    const translated = refusedBy(where, () => translate(where, layer, options));
    const before = chain.slice(0, i).filter(({ className }) => className === layer.className).length;
    return translated === undefined
      ? []
      : [{ ...translated, parameters: translated.read(taker, weightsOfLayer(tensors, nameOf(layer, before))) }];
  });
  const layers = made.map(({ layer }) => layer);
  if (layers.length === 0) throw new RangeError(`${where}: the model has no layer.`);
  const names = namesOf(layers);
  const given = Object.fromEntries(
    made.flatMap(({ parameters }, i) =>
      Object.entries(parameters).map(([name, tensor]) => [`${names[i]}.${name}`, tensor]),
    ),
  );
  const first = Object.values(given)[0];
  if (first === undefined) throw new RangeError(`${where}: no layer of the model has weights.`);
  const fill = <P extends ParameterPlan>(plan: P): Planned<P> =>
    mapPlan(plan, ({ shape }, path) => {
      const found = given[path];
      if (found !== undefined && sameShape(found.shape, shape)) return found;
      throw new RangeError(
        `${where}: ${path} must be ${formatShape(shape)}, the file has ${found === undefined ? 'none' : formatShape(found.shape)}.`,
      );
    });
  const model = refusedBy(where, () =>
    buildSequential(layers, layers[0]!.name === 'embedding' ? undefined : first.shape[0], fill),
  );
  checkLeft(where, tensors, taker);
  return { model, notes: made.flatMap(({ notes = [] }) => notes) };
}

/** What something makes of a file. @throws RangeError that begins with `where`, also where what was made objects */
function refusedBy<R>(where: string, make: () => R): R {
  try {
    return make();
  } catch (error) {
    const { message } = error as Error;
    throw message.startsWith(where)
      ? error
      : new RangeError(`${where}: the model of the file cannot be made: ${message}`);
  }
}

/** @throws RangeError where a weight was not taken, but for those of optimizers, metrics and generators */
function checkLeft(where: string, tensors: Readonly<Record<string, Tensor>>, { taken }: Taker): void {
  const left = Object.keys(tensors).filter(
    (path) => !taken.has(path) && !/^(optimizer|metrics|loss_tracker)|seed_generator/.test(path),
  );
  if (left.length > 0) throw new RangeError(`${where}: there is no layer for ${left.join(', ')}.`);
}

/** The layers of a sequential model, or of a functional one that is a single line. */
function layersOf(where: string, json: Json): readonly KerasLayer[] {
  const outer = isFields(json) ? json : {};
  const { class_name: className, config } = outer;
  if (className !== 'Sequential' && className !== 'Functional' && className !== 'Model') {
    throw new RangeError(
      `${where}: the configuration is of a ${JSON.stringify(className)}; Sequential and Functional models are what can be read.`,
    );
  }
  const entries = Array.isArray(config) ? config : isFields(config) ? config['layers'] : undefined;
  if (!Array.isArray(entries)) throw new RangeError(`${where}: the configuration has no layers.`);
  const layers = entries.map(
    (entry) => layerIn(entry) ?? fail(where, 'a layer of the configuration has no class_name and config'),
  );
  if (className !== 'Sequential')
    (entries as readonly Json[]).forEach((entry, i) => checkInbound(where, entry, layers, i));
  return layers;
}

const fail = (where: string, what: string): never => {
  throw new RangeError(`${where}: ${what}.`);
};

/** @throws RangeError unless a layer takes in what the one before it in the list gives, once */
function checkInbound(where: string, entry: Json, layers: readonly KerasLayer[], i: number): void {
  const text = JSON.stringify((entry as Fields)['inbound_nodes'] ?? []);
  // Keras 3 says where a tensor comes from by keras_history: [layer, node, tensor], Keras 2 by [[[layer, node, tensor, {}]]].
  const sources = [...text.matchAll(/\["([^"\\]*(?:\\.[^"\\]*)*)",\d+,\d+/g)].map(
    ({ 1: name }) => JSON.parse(`"${name}"`) as string,
  );
  const own = layers[i]!.name;
  const expected = i === 0 ? [] : [layers[i - 1]!.name];
  if (JSON.stringify(sources) === JSON.stringify(expected)) return;
  fail(
    where,
    `${own} takes in ${sources.join(', ') || 'nothing'}: the layers must follow each other in one line, ${layers.map(({ name }) => name).join(', ')}`,
  );
}

/** Which layer of Keras each layer is. */
export interface KerasNames {
  /**
   * The name by our layer's, `{ lstm2: 'decoder_lstm' }`. By default what Keras writes into `.weights.h5` files: the class in snake case, with a number from the second on,
   * `lstm`, `lstm_1`, `layer_normalization`.
   */
  readonly layers?: Readonly<Record<string, string>>;
}

/**
 * Puts weights of Keras 3 into a model that the program has made: SimpleRNN, LSTM, GRU (both resets), Bidirectional, Embedding, Dense and LayerNormalization.
 *
 * @param model changed in place, or not at all
 * @param tensors of a `.weights.h5` file by {@link readHdf5}, or of safetensors by variable path, `lstm/lstm_cell/kernel`
 * @throws RangeError where a weight is missing, has another shape or no place in the model, or a layer has no equal in Keras
 * @example
 * const model = sequential([recurrent(lstm(), { hiddenSize: 3 }), dense({ size: 1 })], { inputSize: 2 });
 * fromKeras(model, {
 *   'lstm/lstm_cell/kernel': full([2, 12], 0.1), 'lstm/lstm_cell/recurrent_kernel': full([3, 12], 0.2), 'lstm/lstm_cell/bias': full([12], 0.5),
 *   'head/kernel': full([3, 1], 1), 'head/bias': full([1], 0),
 * }, { layers: { dense: 'head' } });
 * model.parameters.lstm.bias.data[0]; // 0.5
 */
export function fromKeras(
  model: Sequential,
  tensors: Readonly<Record<string, Tensor>>,
  { layers = {} }: KerasNames = {},
): void {
  const where = 'fromKeras';
  const parts = partsOf(model);
  const stray = Object.keys(layers).find((name) => !parts.some(({ path }) => path === name));
  if (stray !== undefined)
    fail(where, `layers names ${stray}, which is no layer. There are ${parts.map(({ path }) => path).join(', ')}`);
  const taker: Taker = { where, taken: new Set() };
  const classes: string[] = [];
  const found = parts.flatMap((own) => {
    const className = classOf(where, own);
    if (className === undefined) return [];
    const before = classes.filter((each) => each === className).length;
    classes.push(className);
    return [
      {
        own,
        parameters: readPart(taker, own, weightsOfLayer(tensors, layers[own.path] ?? numbered(className, before))),
      },
    ];
  });
  checkLeft(where, tensors, taker);
  for (const { own, parameters } of found) {
    for (const [name, tensor] of Object.entries(parameters)) {
      const { shape } = own.parameters[name]!;
      if (!sameShape(shape, tensor.shape))
        fail(where, `${own.path}.${name} must be ${formatShape(shape)}, got ${formatShape(tensor.shape)}`);
    }
  }
  for (const { own, parameters } of found)
    for (const [name, { data }] of Object.entries(parameters)) own.parameters[name]!.data.set(data);
}

/** The name that Keras gives a layer in its files: its class in snake case, with a number from the second on. */
export function nameInFile({ className }: KerasLayer, before: number): string {
  const snake = className
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
  return numbered(snake, before);
}

/** `lstm`, `lstm_1`, … */
const numbered = (name: string, before: number): string => (before === 0 ? name : `${name}_${before}`);

/** The class in snake case of what a layer is in Keras; nothing of one without weights. */
function classOf(where: string, { origin, path, parameters }: Part): string | undefined {
  if (Object.keys(parameters).length === 0) return undefined;
  switch (origin?.[0]) {
    case 'bidirectional':
    case 'dense':
    case 'embedding':
      return origin[0];
    case 'layerNorm':
      return 'layer_normalization';
    case 'recurrent': {
      const cell = cellOriginOf(origin[1]);
      return (
        (cell && cellsInKeras[cell[0]]?.className) ??
        fail(where, `${path} is made of the cell ${origin[1].name}, which has no equal in Keras`)
      );
    }
    case 'attentionPooling':
    case 'dropout':
    case undefined:
      return fail(where, `${path} has no equal in Keras`);
    default:
      return origin satisfies never;
  }
}

function readPart(
  taker: Taker,
  { origin, path, parameters }: Part,
  weights: LayerWeights,
): Readonly<Record<string, Tensor>> {
  switch (origin?.[0]) {
    case 'embedding':
      return embeddingParameters(taker, weights, parameters['weight']!.shape);
    case 'dense':
      return denseParameters(taker, weights, origin[1].size);
    case 'layerNorm':
      return layerNormParameters(taker, weights, { scale: true, center: true });
    case 'recurrent':
    case 'bidirectional': {
      const [kind, cell, { hiddenSize, learnInitialState }] = origin;
      if (learnInitialState) fail(taker.where, `${path} learns its first state, which Keras’ layers do not have`);
      const cellOf = (direction: 'own' | 'forward' | 'backward'): Readonly<Record<string, Tensor>> =>
        cellParameters(taker, weights, direction, cell, hiddenSize);
      return kind === 'recurrent'
        ? cellOf('own')
        : joinNames({ forward: cellOf('forward'), reverse: cellOf('backward') });
    }
    case 'attentionPooling':
    case 'dropout':
    case undefined:
      return fail(taker.where, `${path} has no equal in Keras`);
    default:
      return origin satisfies never;
  }
}
