/** Import of `.keras` files and of `.h5` files of whole models. */

import { decodeUtf8 } from '../../data/utf8';
import { withCaller } from '../../tensor/error-context';
import { checkNames } from '../../tensor/shape';
import type { Json } from '../description';
import { fileBytes } from '../file-bytes';
import { decodeHdf5, readHdf5 } from '../hdf5';
import { isJsonObject } from '../json-object';
import { abbreviate, listed } from '../listing';
import { readZip } from '../zip';
import { parseJson } from './json';
import type { KerasOptions } from './layers';
import { type ImportedModel, modelOf } from './model';
import { hardSigmoidSlope } from './version';
import { nameInFile } from './weights';

/**
 * Imports a model from a `.keras` file, or an `.h5` file of a whole model, of Keras 2 or 3. Supported are Sequential
 * models, and functional models that are a single chain, with Embedding, SimpleRNN, LSTM, GRU (with both values of
 * `reset_after`), Bidirectional, Dense, TimeDistributed(Dense), Conv1D, DepthwiseConv1D, MaxPooling1D,
 * AveragePooling1D, GlobalMaxPooling1D, GlobalAveragePooling1D, BatchNormalization, LayerNormalization and Dropout; and
 * for prediction, with Activation, ReLU, LeakyReLU, Softmax, BatchNormalization over axis 1, Normalization, Rescaling,
 * RepeatVector and Flatten (see {@link kerasLayers}). Other layers that act only in training, such as GaussianNoise,
 * are left out. Inputs are time-major, `[T, B, I]`; `toTimeMajor` converts `[B, T, I]`.
 *
 * A model that cannot be converted exactly is rejected with the reason: other layers and activations, masks without
 * `{ lengths: true }`, sequences returned in reverse order.
 *
 * @param file the bytes of the file
 * @throws TypeError if `file` is neither a Uint8Array nor an ArrayBuffer
 * @throws RangeError if the file is malformed or truncated, or the model cannot be converted exactly
 * @example
 * try {
 *   importKeras(new Uint8Array(40));
 * } catch (error) {
 *   (error as Error).message.split('.')[0]; // 'importKeras: the file has no end-of-directory record'
 * }
 */
export function importKeras(file: Uint8Array | ArrayBuffer, options: KerasOptions = {}): ImportedModel {
  const bytes = fileBytes('importKeras', file);
  checkNames('importKeras', 'options', options, ['lengths']);
  return bytes[0] === 0x89 ? importHdf5(bytes, options) : importArchive(bytes, options);
}

/** Imports a `.keras` file. */
function importArchive(file: Uint8Array, options: KerasOptions): ImportedModel {
  const files = withCaller('importKeras', () => readZip(file));
  const weights = fileNamed(files, 'model.weights.h5');
  const { tensors } = withCaller('importKeras: model.weights.h5', () => decodeHdf5(weights, file.length));
  const config = jsonOf(files, 'config.json');
  const metadata = Object.hasOwn(files, 'metadata.json') ? jsonOf(files, 'metadata.json') : undefined;
  const slope = hardSigmoidSlope(isJsonObject(metadata) ? metadata['keras_version'] : undefined);
  return modelOf('importKeras', config, tensors, { ...options, slope }, nameInFile);
}

/** Imports an `.h5` file of a whole model, in which weights have the names of their layers. */
function importHdf5(file: Uint8Array, options: KerasOptions): ImportedModel {
  const { tensors, attributes } = withCaller('importKeras', () => readHdf5(file));
  const { model_config: text, keras_version: version } = attributes;
  if (text === undefined)
    throw new RangeError(
      'importKeras: the HDF5 file has weights, but no model_config. Create the model and load them with fromKeras.',
    );
  if (version?.startsWith('1.'))
    throw new RangeError(
      `importKeras: the file was written by Keras ${abbreviate(version)}; only files of Keras 2 and 3 are supported. ` +
        'Load it with Keras 2, and save it again.',
    );
  const config = parseJson('importKeras', 'model_config', text);
  const slope = hardSigmoidSlope(version);
  return modelOf('importKeras', config, tensors, { ...options, slope }, ({ name }) => name);
}

type Files = Readonly<Record<string, Uint8Array>>;

function fileNamed(files: Files, name: string): Uint8Array {
  if (Object.hasOwn(files, name)) return files[name]!;
  throw new RangeError(`importKeras: the archive has no ${name}. It has ${listed(Object.keys(files)) || 'no files'}.`);
}

function jsonOf(files: Files, name: string): Json {
  const bytes = fileNamed(files, name);
  let text: string;
  try {
    text = decodeUtf8(bytes).replace(/^\ufeff/, '');
  } catch {
    throw new RangeError(`importKeras: ${name} is not valid UTF-8.`);
  }
  return parseJson('importKeras', name, text);
}
