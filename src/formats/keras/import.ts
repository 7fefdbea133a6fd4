/** Import of `.keras` files. */

import { withCaller } from '../../tensor/error-context';
import type { Json } from '../description';
import { readHdf5 } from '../hdf5';
import { checkJsonSize } from '../json-size';
import { listed } from '../listing';
import { readZip } from '../zip';
import type { KerasOptions } from './layers';
import { type ImportedModel, modelOf, nameInFile } from './model';

/**
 * Imports a model from a `.keras` file of Keras 3. Supported are Sequential models, and functional models that are a
 * single chain, with Embedding, SimpleRNN, LSTM, GRU (with both values of `reset_after`), Bidirectional, Dense,
 * TimeDistributed(Dense), LayerNormalization and Dropout. Inputs are time-major, `[T, B, I]`; `toTimeMajor` converts
 * `[B, T, I]`.
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
  const files = withCaller('importKeras', () => readZip(file));
  const fileNamed = (name: string): Uint8Array => {
    if (Object.hasOwn(files, name)) return files[name]!;
    throw new RangeError(
      `importKeras: the archive has no ${name}. It has ${listed(Object.keys(files)) || 'no files'}.`,
    );
  };
  const weights = fileNamed('model.weights.h5');
  const { tensors } = withCaller('importKeras: model.weights.h5', () => readHdf5(weights));
  return modelOf('importKeras', configOf(fileNamed('config.json')), tensors, { ...options, slope: 1 / 6 }, nameInFile);
}

function configOf(bytes: Uint8Array): Json {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new RangeError('importKeras: config.json is not valid UTF-8.');
  }
  checkJsonSize('importKeras', 'config.json', text);
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new RangeError('importKeras: config.json is not valid JSON.');
  }
}
