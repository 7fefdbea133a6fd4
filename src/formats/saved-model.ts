/**
 * The library's own files: safetensors with the parameters by name, and in its metadata what the model is (`bptt.model`), what travels along
 * (`bptt.extras`), where training stands (`bptt.training`), and the versions of the layout (`bptt.format`) and of the library (`bptt.version`).
 */

import {
  buildEncoderDecoder,
  type EncoderDecoder,
  type EncoderDecoderOptions,
} from '../encoder-decoder/encoder-decoder';
import type { Layer } from '../layers/layer';
import { buildSequential, type Fill, type Sequential } from '../models/sequential';
import type { Origin } from '../tensor/origin';
import { mapPlan, type ParameterPlan, type Planned } from '../tensor/parameter-spec';
import { formatShape, sameShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { leaves, type TensorTree } from '../tensor/tree';
import type { TrainingState } from '../training/training-state';
import { type CustomObjects, checkDepth, checkPlain, describeOrigin, type Json, undescribeOrigin } from './description';
import { readSafetensors, type Safetensors, writeSafetensors } from './safetensors';
import { readTraining, trainingTensors, writeTraining } from './saved-training';
import { version } from './version';

/** The layout that is written, and the newest that is read. */
const layout = 1;

/** A {@link sequential} model, an {@link encoderDecoder}, or anything else with parameters: a {@link customModel}. */
export interface Saveable {
  readonly parameters: TensorTree;
  /** How to make it again, if files may say so. */
  readonly origin?: Origin;
}

/** What {@link save} writes beside the model. */
export interface SaveOptions {
  /** Vocabularies, scalers and what else must not be lost: plain data, by name. */
  readonly extras?: Readonly<Record<string, unknown>>;
  /** Where training stands, as {@link fit} hands it out; the parameters that are written are then those of it. */
  readonly training?: TrainingState | undefined;
  /** Functions of your own that the model is made with, by name. */
  readonly customObjects?: CustomObjects;
}

/** What stands in a file beside the parameters. */
export interface SavedExtras {
  readonly extras: Readonly<Record<string, unknown>>;
  readonly training: TrainingState | undefined;
}

/** What {@link load} gives back. */
export interface Loaded<M = Sequential> extends SavedExtras {
  readonly model: M;
}

/** What {@link load} must be told. */
export interface LoadOptions {
  /** What {@link SaveOptions.customObjects} were. */
  readonly customObjects?: CustomObjects;
}

/**
 * A model as one file: safetensors, which other programs read as well. `load` gives it back bit for bit, without the code that built it. Of a
 * {@link customModel} there are the parameters alone, for {@link loadInto}.
 *
 * @throws TypeError where the model is made with a function that has no name, or something of `extras` is no plain data
 * @example
 * const vocabulary = characterVocabulary('to be');
 * const model = sequential([embedding({ vocabularySize: 5, size: 2 }), recurrent(gru(), { hiddenSize: 4 }), dense({ size: 5 })]);
 * const { model: again, extras } = load(save(model, { extras: { vocabulary } }));
 * predict(again, intTensor([[1]])).data.every((value, i) => value === predict(model, intTensor([[1]])).data[i]); // true
 * decode(extras.vocabulary, [1, 2]); // 'be'
 */
export function save(
  { parameters, origin }: Saveable,
  { extras = {}, training, customObjects }: SaveOptions = {},
): Uint8Array {
  const tensors = new Map<string, Tensor>();
  let offset = 0;
  for (const { path, tensor } of leaves(parameters)) {
    if (tensors.has(path) || path.startsWith('training/'))
      throw new RangeError(`save: two parameters are called ${path}.`);
    const data =
      training === undefined ? tensor.data : training.parameters.subarray(offset, offset + tensor.data.length);
    tensors.set(path, { shape: tensor.shape, data });
    offset += tensor.data.length;
  }
  return writeSafetensors(
    { ...Object.fromEntries(tensors), ...(training && trainingTensors(training)) },
    {
      'bptt.format': String(layout),
      'bptt.version': version,
      ...(origin && { 'bptt.model': JSON.stringify(describeOrigin('save', origin, customObjects)) }),
      'bptt.extras': JSON.stringify(checkPlain('save', extras, 'extras')),
      ...(training && { 'bptt.training': JSON.stringify(writeTraining(training)) }),
    },
  );
}

/**
 * The {@link sequential} model of a file that {@link save} wrote, with what travelled along.
 *
 * @throws RangeError where the file is cut short or not what it says, was written by a newer layout, is of another kind of model, or needs names
 * @example
 * const model = sequential([dense({ size: 2, activation: tanh })], { inputSize: 3, seed: 4 });
 * load(save(model)).model.data.length; // 8
 */
export function load(file: Uint8Array | ArrayBuffer, { customObjects }: LoadOptions = {}): Loaded {
  return loadMade('load', 'sequential', file, customObjects, (given, fill) => {
    const [layers, { inputSize }] = given as [readonly Layer[], { inputSize?: number }];
    return buildSequential(layers, inputSize, fill);
  });
}

/**
 * {@link load} for an {@link encoderDecoder}.
 *
 * @throws as {@link load}
 * @example
 * const model = encoderDecoder({
 *   encoder: [embedding({ vocabularySize: 6, size: 4 }), recurrent(gru(), { hiddenSize: 4 })],
 *   decoder: { vocabularySize: 6, embeddingSize: 4, cell: gru(), hiddenSize: 4, attention: dotScore() }, start: 0, end: 1,
 * });
 * loadEncoderDecoder(save(model)).model.end; // 1
 */
export function loadEncoderDecoder(
  file: Uint8Array | ArrayBuffer,
  { customObjects }: LoadOptions = {},
): Loaded<EncoderDecoder> {
  return loadMade('loadEncoderDecoder', 'encoderDecoder', file, customObjects, ([given], fill, size) => {
    const options = given as EncoderDecoderOptions;
    // Every input and every layer has a parameter of its own.
    const least = Math.max(options.inputSize ?? 1, options.decoder.layers ?? 1);
    if (least > size)
      throw new RangeError(`it is to have ${least} inputs or layers, but the file has ${size} numbers.`);
    return buildEncoderDecoder(options, fill);
  });
}

/**
 * Puts the parameters of a file into a model that the program has made: the way back for a {@link customModel}, whose code is in no file.
 *
 * @param model changed in place, or not at all
 * @throws RangeError where the file does not have the model's parameters, each of its shape, and no others
 * @example
 * const line = customModel({ slope: tensor(2) }, (p, batch) => meanSquaredError(multiply(batch.inputs, p.slope), batch.targets));
 * const file = save(line);
 * line.data.fill(0);
 * loadInto(line, file);
 * line.parameters.slope.data; // Float32Array [2]
 */
export function loadInto(
  model: { readonly parameters: TensorTree; readonly data: Float32Array },
  file: Uint8Array | ArrayBuffer,
): SavedExtras {
  const read = openFile('loadInto', file);
  const found = leaves(model.parameters).map(({ path, tensor }) => ({
    tensor,
    from: takeTensor('loadInto', read.tensors, path, tensor.shape),
  }));
  checkAllTaken('loadInto', read.tensors, new Set(leaves(model.parameters).map(({ path }) => path)));
  const rest = restOf('loadInto', read, model.data.length);
  for (const { tensor, from } of found) tensor.data.set(from.data);
  return { ...rest, training: rest.training && { ...rest.training, parameters: model.data.slice() } };
}

function openFile(where: string, file: Uint8Array | ArrayBuffer): Safetensors {
  const read = readSafetensors(file);
  const found = read.metadata['bptt.format'];
  if (found === undefined)
    throw new RangeError(
      `${where}: the file is safetensors, but not of save(). Its tensors are read by readSafetensors.`,
    );
  if (!(Number(found) <= layout)) {
    throw new RangeError(
      `${where}: the file has layout ${found}, this version reads up to ${layout}. It was written by version ${read.metadata['bptt.version']}.`,
    );
  }
  return read;
}

function parse(where: string, { metadata }: Safetensors, name: string): Json | undefined {
  const text = metadata[name];
  let json: Json | undefined;
  try {
    json = text === undefined ? undefined : (JSON.parse(text) as Json);
  } catch {
    throw new RangeError(`${where}: ${name} in the file is not JSON.`);
  }
  if (json !== undefined) checkDepth(where, name, json);
  return json;
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

function loadMade<M extends { readonly data: Float32Array }>(
  where: string,
  kind: string,
  file: Uint8Array | ArrayBuffer,
  customObjects: CustomObjects | undefined,
  build: (given: readonly unknown[], fill: Fill, size: number) => M,
): Loaded<M> {
  const read = openFile(where, file);
  const description = parse(where, read, 'bptt.model');
  if (description === undefined)
    throw new RangeError(
      `${where}: the file has the parameters of a function of ops, whose code is in no file. Make the model and use restore.`,
    );
  const { maker, given } = undescribeOrigin(where, description, customObjects);
  if (maker !== kind) {
    throw new RangeError(
      `${where}: the file has ${maker === 'encoderDecoder' ? 'an encoder-decoder, which loadEncoderDecoder loads' : `a model of ${maker}`}.`,
    );
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
  let model: M;
  try {
    model = build(
      given,
      fill,
      Object.values(read.tensors).reduce((total, { data }) => total + data.length, 0),
    );
  } catch (error) {
    const { message } = error as Error;
    throw message.startsWith(where)
      ? error
      : new RangeError(`${where}: the model of the file cannot be built: ${message}`);
  }
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
      `${where}: the file has no ${path} ${formatShape(shape)}. It has ${Object.keys(tensors).join(', ') || 'nothing'}.`,
    );
  if (!sameShape(found.shape, shape))
    throw new RangeError(`${where}: ${path} must be ${formatShape(shape)}, the file has ${formatShape(found.shape)}.`);
  return found;
}

function checkAllTaken(where: string, tensors: Readonly<Record<string, Tensor>>, taken: ReadonlySet<string>): void {
  const left = Object.keys(tensors).filter((name) => !taken.has(name) && !name.startsWith('training/'));
  if (left.length > 0)
    throw new RangeError(`${where}: the file also has ${left.join(', ')}, which the model has no place for.`);
}
