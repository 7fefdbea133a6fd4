/**
 * Saving and loading of models. A file is safetensors with the parameters by name. Its metadata has the description of
 * the model (`bptt.model`), the user's extras (`bptt.extras`), the training state (`bptt.training`), and the versions
 * of the layout (`bptt.format`) and of the library (`bptt.version`).
 */

import {
  buildEncoderDecoder,
  type EncoderDecoder,
  type EncoderDecoderOptions,
} from '../encoder-decoder/encoder-decoder';
import type { Layer } from '../layers/layer';
import { buildSequential, type Fill, type Sequential } from '../models/sequential';
import { isArrayOf } from '../tensor/arrays';
import { withCaller } from '../tensor/error-context';
import type { Origin } from '../tensor/origin';
import { mapPlan, type ParameterPlan, type Planned } from '../tensor/parameter-spec';
import {
  checkArray,
  checkKind,
  checkNames,
  checkObject,
  counted,
  formatShape,
  mismatch,
  outOfRange,
  sameShape,
} from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { leavesOf, type TensorTree } from '../tensor/tree';
import { version } from '../tensor/version';
import type { Draw, TrainingState } from '../training/training-state';
import {
  buildFromFile,
  type CustomObjects,
  checkPlain,
  describeOrigin,
  type Json,
  undescribeOrigin,
} from './description';
import { differenceOf, unnamed } from './description-difference';
import type { Bytes } from './file-bytes';
import { checkJsonSize } from './json-size';
import { abbreviate, listed } from './listing';
import { readSafetensors, type Safetensors, writeSafetensors } from './safetensors';
import { readTraining, trainingTensors, writeTraining } from './saved-training';

/** The version of the layout that is written, and the newest that can be read. */
const layout = 1;

/** Anything with parameters: a {@link sequential} model, an {@link encoderDecoder} or a {@link customModel}. */
export interface Saveable {
  readonly parameters: TensorTree;
  /** The constructor function and its arguments. A model without an origin is saved without its architecture. */
  readonly origin?: Origin;
}

/** Options of {@link save}. */
export interface SaveOptions {
  /** Plain data that belongs to the model, by name, such as vocabularies and scalers. */
  readonly extras?: Readonly<Record<string, unknown>> | undefined;
  /** A training state from {@link fit}. The file then has the parameters of this state instead of the current ones. */
  readonly training?: TrainingState | undefined;
  /** Custom functions that the model uses, such as activations, cells and layers, by name. */
  readonly customObjects?: CustomObjects | undefined;
}

/** The content of a file in addition to the parameters. */
export interface SavedExtras {
  /** {@link SaveOptions.extras}. */
  readonly extras: Readonly<Record<string, unknown>>;
  /** The training state, for `resume` of {@link fit}; `undefined` if the file has none. */
  readonly training: TrainingState | undefined;
}

/** The result of {@link load}. */
export interface Loaded<M = Sequential> extends SavedExtras {
  readonly model: M;
}

/** Options of {@link load} and {@link loadInto}. */
export interface LoadOptions {
  /**
   * The custom functions that the model was saved with, by the same names: {@link SaveOptions.customObjects}. Names
   * that the file does not contain have no effect.
   */
  readonly customObjects?: CustomObjects | undefined;
}

/**
 * Saves a model to one file in safetensors format, which other programs can read as well. {@link load} restores the
 * model bit for bit, without the code that built it. Of a {@link customModel}, only the parameters are saved; restore
 * them with {@link loadInto}.
 *
 * @returns the bytes of the file
 * @throws TypeError if the model uses a custom function that is not in `customObjects`, or `extras` is not plain data
 * @throws RangeError if two parameters have the same path, a path starts with `training/`, `training` is of another
 * model, or {@link load} would reject the file: the model has more than 2,048 layers and cells, for example
 * @example
 * const vocabulary = characterVocabulary('to be');
 * const model = sequential([embedding({ vocabularySize: 5, size: 2 }), recurrent(gru(), { hiddenSize: 4 })]);
 * const { model: loaded, extras } = load(save(model, { extras: { vocabulary } }));
 * const expected = predict(model, intTensor([[1]])).data;
 * predict(loaded, intTensor([[1]])).data.every((value, i) => value === expected[i]); // true
 * decode(extras.vocabulary as Vocabulary, [1, 2]); // 'be'
 */
export function save(model: Saveable, options: SaveOptions = {}): Bytes {
  checkObject('save', 'model', model);
  checkNames('save', 'options', options, ['extras', 'training', 'customObjects']);
  const { parameters, origin } = model;
  const { extras = {}, training, customObjects = {} } = options;
  checkObject('save', 'customObjects', customObjects);
  checkObject('save', 'extras', extras);
  if (training !== undefined) checkTrainingForm(training);
  const tensors = new Map<string, Tensor>();
  let offset = 0;
  for (const { path, tensor } of leavesOf('save', parameters)) {
    if (tensors.has(path)) throw new RangeError(`save: two parameters are named ${path}.`);
    if (path.startsWith('training/'))
      throw new RangeError(`save: the path of a parameter must not start with training/, got ${path}.`);
    const data =
      training === undefined ? tensor.data : training.parameters.subarray(offset, offset + tensor.data.length);
    tensors.set(path, { shape: tensor.shape, data });
    offset += tensor.data.length;
  }
  if (training !== undefined) checkTraining(training, offset);
  const contents = {
    ...(origin && { 'bptt.model': describeOrigin('save', origin, customObjects) }),
    'bptt.extras': checkPlain('save', extras, 'extras'),
    ...(training && { 'bptt.training': writeTraining(training) }),
  };
  const metadata = {
    'bptt.format': String(layout),
    'bptt.version': version,
    ...Object.fromEntries(Object.entries(contents).map(([name, content]) => [name, textOf(name, content)])),
  };
  const saved = { ...Object.fromEntries(tensors), ...(training && trainingTensors(training)) };
  return withCaller('save', () => writeSafetensors(saved, metadata));
}

/** @throws TypeError if a part of a training state is missing or of another kind, as after JSON.parse */
function checkTrainingForm(training: TrainingState): void {
  checkKind('save', 'training', training, 'a training state', 'draws');
  const { parameters, optimizer, best } = training;
  for (const name of ['draws', 'losses', 'validationLosses'] as const)
    checkArray('save', `training.${name}`, training[name]);
  checkKind('save', 'training.optimizer', optimizer, 'an optimizer state', 'slots');
  checkArray('save', 'training.optimizer.slots', optimizer.slots);
  const checkFloats = (name: string, value: unknown): void => {
    if (!isArrayOf('Float32Array', value)) throw mismatch('save', `training.${name}`, 'a Float32Array', value);
  };
  const checkGenerator = (name: string, value: unknown): void => {
    if (!isArrayOf('Uint32Array', value))
      throw mismatch('save', `training.${name}`, 'the state of a generator, a Uint32Array', value);
  };
  checkFloats('parameters', parameters);
  optimizer.slots.forEach((slot, i) => checkFloats(`optimizer.slots[${i}]`, slot));
  if (best) checkFloats('best.parameters', best.parameters);
  checkGenerator('random', training.random);
  training.draws.forEach((draw: Partial<Draw> | null, i) => checkGenerator(`draws[${i}]`, draw?.random));
}

/** @throws RangeError if a training state is not of a model with `size` parameters */
function checkTraining({ parameters, optimizer, best }: TrainingState, size: number): void {
  const other = [parameters, ...optimizer.slots, best?.parameters ?? parameters].find(({ length }) => length !== size);
  if (other !== undefined)
    throw new RangeError(
      `save: training must be of a model with ${counted(size, 'parameter')}, got one with ${other.length}. Is it of ` +
        'another model?',
    );
}

/** JSON as text. @throws RangeError if {@link parse} would reject it */
function textOf(name: string, content: Json): string {
  const text = JSON.stringify(content);
  checkJsonSize('save', name, text);
  return text;
}

/**
 * Loads a {@link sequential} model from a file written by {@link save}, with its extras and training state.
 *
 * @throws TypeError if `file` is neither a Uint8Array nor an ArrayBuffer, an option has an unknown name, or
 * `customObjects` is not an object
 * @throws RangeError if the file is truncated or malformed, has a newer layout or another kind of model, or needs
 * `customObjects` that are missing
 * @example
 * const model = sequential([dense({ size: 2, activation: tanh })], { inputSize: 3, seed: 4 });
 * load(save(model)).model.data.length; // 8
 */
export function load(file: Uint8Array | ArrayBuffer, options: LoadOptions = {}): Loaded {
  const customObjects = customObjectsOf('load', options);
  return loadModel('load', 'sequential', file, customObjects, (args, fill) => {
    const [layers, { inputSize }] = args as [readonly Layer[], { inputSize?: number }];
    return buildSequential(layers, inputSize, fill);
  });
}

/**
 * Loads an {@link encoderDecoder} from a file written by {@link save}.
 *
 * @throws as {@link load}
 * @example
 * const model = encoderDecoder({
 *   encoder: [embedding({ vocabularySize: 6, size: 4 }), recurrent(gru(), { hiddenSize: 4 })],
 *   decoder: { vocabularySize: 6, embeddingSize: 4, cell: gru(), hiddenSize: 4, attention: dotScore() },
 *   start: 0,
 *   end: 1,
 * });
 * loadEncoderDecoder(save(model)).model.end; // 1
 */
export function loadEncoderDecoder(file: Uint8Array | ArrayBuffer, options: LoadOptions = {}): Loaded<EncoderDecoder> {
  const customObjects = customObjectsOf('loadEncoderDecoder', options);
  return loadModel('loadEncoderDecoder', 'encoderDecoder', file, customObjects, ([argument], fill, size) => {
    const modelOptions = argument as EncoderDecoderOptions;
    // Every input and every layer has at least one parameter: do not build a model far larger than the file.
    const minimum = Math.max(modelOptions.inputSize ?? 1, modelOptions.decoder.layers ?? 1);
    if (minimum > size)
      throw new RangeError(
        `encoderDecoder: it has ${minimum} inputs or layers, but the file has only ${counted(size, 'element')}.`,
      );
    return buildEncoderDecoder(modelOptions, fill);
  });
}

/**
 * Loads the parameters of a file into an existing model. This is how a {@link customModel} is restored, whose code is
 * not in the file. Any other model must be the one that the file describes, except for dropout rates and scheduled
 * sampling, which have no effect on predictions. Without `customObjects`, custom functions are not compared.
 *
 * @param model is updated in place; not changed if the function throws
 * @throws TypeError if `file` is neither a Uint8Array nor an ArrayBuffer, an option has an unknown name, or
 * `customObjects` is not an object
 * @throws RangeError if the file is malformed, describes another model, or its parameters do not match those of the
 * model in names and shapes
 * @example
 * const line = customModel({ slope: tensor(2) }, (p, batch: { inputs: Tensor; targets: Tensor }) =>
 *   meanSquaredError(multiply(batch.inputs, p.slope), batch.targets),
 * );
 * const file = save(line);
 * line.data.fill(0);
 * loadInto(line, file);
 * line.parameters.slope.data; // Float32Array [2]
 */
export function loadInto(
  model: Saveable & { readonly data: Float32Array },
  file: Uint8Array | ArrayBuffer,
  options: LoadOptions = {},
): SavedExtras {
  checkKind('loadInto', 'model', model, 'a model', 'data');
  const customObjects = customObjectsOf('loadInto', options);
  const read = openFile('loadInto', file);
  checkSameModel(model, read, customObjects);
  const leaves = leavesOf('loadInto', model.parameters);
  const found = leaves.map(({ path, tensor }) => takeTensor('loadInto', read.tensors, path, tensor.shape));
  checkAllTaken('loadInto', read.tensors, new Set(leaves.map(({ path }) => path)));
  const rest = restOf('loadInto', read, model.data.length);
  leaves.forEach(({ tensor }, i) => tensor.data.set(found[i]!.data));
  return { ...rest, training: rest.training && { ...rest.training, parameters: model.data.slice() } };
}

/** @throws TypeError if an option has an unknown name, or `customObjects` is not an object */
function customObjectsOf(where: string, options: LoadOptions): CustomObjects {
  checkNames(where, 'options', options, ['customObjects']);
  const { customObjects = {} } = options;
  checkObject(where, 'customObjects', customObjects);
  return customObjects;
}

/** @throws RangeError if the model and the file have descriptions that differ */
function checkSameModel({ origin }: Saveable, read: Safetensors, customObjects: CustomObjects): void {
  const where = 'loadInto';
  const description = parse(where, read, 'bptt.model');
  if (origin === undefined || description === undefined) return;
  const difference = differenceOf(describeOrigin(where, origin, customObjects, unnamed), description);
  if (difference !== undefined) throw new RangeError(`${where}: the file has another model: ${difference}.`);
}

function openFile(where: string, file: Uint8Array | ArrayBuffer): Safetensors {
  const read = withCaller(where, () => readSafetensors(file));
  const found = read.metadata['bptt.format'];
  if (found === undefined)
    throw new RangeError(
      `${where}: the safetensors file was not written by save. Read its tensors with readSafetensors.`,
    );
  if (!/^[1-9]\d*$/.test(found)) throw outOfRange(where, 'bptt.format', 'the number of a layout', abbreviate(found));
  if (Number(found) > layout) {
    throw new RangeError(
      `${where}: the file has layout ${abbreviate(found)}, this version supports layouts up to ${layout}. It was ` +
        `written by version ${abbreviate(read.metadata['bptt.version'] ?? 'unknown')}.`,
    );
  }
  if (read.others.length > 0) throw new RangeError(`${where}: ${listed(read.others)} in the file must be of type F32.`);
  return read;
}

function parse(where: string, { metadata }: Safetensors, name: string): Json | undefined {
  const text = metadata[name];
  if (text === undefined) return undefined;
  checkJsonSize(where, name, text);
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new RangeError(`${where}: ${name} in the file is not JSON.`);
  }
}

function restOf(where: string, read: Safetensors, size: number): SavedExtras {
  const extras = parse(where, read, 'bptt.extras') ?? {};
  if (typeof extras !== 'object' || Array.isArray(extras))
    throw new RangeError(`${where}: bptt.extras in the file must be an object.`);
  const training = parse(where, read, 'bptt.training');
  return {
    extras: extras as Readonly<Record<string, unknown>>,
    training: training === undefined ? undefined : readTraining(where, training, read.tensors, size),
  };
}

function loadModel<M extends { readonly data: Float32Array }>(
  where: string,
  kind: string,
  file: Uint8Array | ArrayBuffer,
  customObjects: CustomObjects,
  build: (args: readonly unknown[], fill: Fill, size: number) => M,
): Loaded<M> {
  const read = openFile(where, file);
  const description = parse(where, read, 'bptt.model');
  if (description === undefined)
    throw new RangeError(
      `${where}: the file has parameters without an architecture, such as those of a customModel. Create the model ` +
        'and use loadInto.',
    );
  const { constructorName, args } = undescribeOrigin(where, description, customObjects);
  if (constructorName !== kind) {
    const remedy = constructorName === 'encoderDecoder' ? '. Use loadEncoderDecoder.' : `, expected ${kind}.`;
    throw new RangeError(`${where}: the file has a model created by ${constructorName}${remedy}`);
  }
  const taken = new Set<string>();
  const fill = <P extends ParameterPlan>(plan: P, above: string): Planned<P> =>
    mapPlan(
      plan,
      ({ shape }, path) => {
        taken.add(path);
        return takeTensor(where, read.tensors, path, shape);
      },
      above,
    );
  const size = Object.values(read.tensors).reduce((total, { data }) => total + data.length, 0);
  const model = buildFromFile(where, () => build(args, fill, size));
  checkAllTaken(where, read.tensors, taken);
  const rest = restOf(where, read, model.data.length);
  return { model, ...rest, training: rest.training && { ...rest.training, parameters: model.data.slice() } };
}

function takeTensor(
  where: string,
  tensors: Readonly<Record<string, Tensor>>,
  path: string,
  shape: readonly number[],
): Tensor {
  const found = Object.hasOwn(tensors, path) ? tensors[path] : undefined;
  if (found === undefined)
    throw new RangeError(
      `${where}: the file has no ${path} ${formatShape(shape)}. It has ` +
        `${listed(Object.keys(tensors)) || 'no tensors'}.`,
    );
  if (!sameShape(found.shape, shape))
    throw new RangeError(`${where}: ${path} must be ${formatShape(shape)}, the file has ${formatShape(found.shape)}.`);
  return found;
}

function checkAllTaken(where: string, tensors: Readonly<Record<string, Tensor>>, taken: ReadonlySet<string>): void {
  const unused = Object.keys(tensors).filter((name) => !taken.has(name) && !name.startsWith('training/'));
  if (unused.length > 0)
    throw new RangeError(`${where}: the file has ${listed(unused)}, but the model has no such parameters.`);
}
