/** `.keras` files. */

import type { Json } from '../description';
import { readHdf5 } from '../hdf5';
import { readZip } from '../zip';
import type { KerasOptions } from './layers';
import { type ImportedModel, modelOf, nameInFile } from './model';

/**
 * The model of a `.keras` file of Keras 3: Sequential, or functional in one line; Embedding, SimpleRNN, LSTM, GRU (both resets), Bidirectional, Dense, TimeDistributed(Dense),
 * LayerNormalization and Dropout. The inputs are time-major here, `[T, B, I]`; `toTimeMajor` turns Keras' `[B, T, I]`.
 *
 * What cannot be mapped exactly is refused with the reason: other layers and activations, a mask without `{ lengths: true }`, a sequence that comes out backwards.
 *
 * @throws RangeError where something is missing, cut short or cannot be mapped exactly
 * @example
 * try {
 *   importKeras(new Uint8Array(40));
 * } catch (error) {
 *   error.message; // 'readZip: the file has no end of a directory. Is this a zip archive, and whole?'
 * }
 */
export function importKeras(file: Uint8Array | ArrayBuffer, options: KerasOptions = {}): ImportedModel {
  const files = readZip(file);
  const part = (name: string): Uint8Array => {
    if (Object.hasOwn(files, name)) return files[name]!;
    throw new RangeError(
      `importKeras: the archive has no ${name}. There are ${Object.keys(files).join(', ') || 'no files'}.`,
    );
  };
  const { tensors } = readHdf5(part('model.weights.h5'));
  return modelOf('importKeras', configOf(part('config.json')), tensors, { ...options, slope: 1 / 6 }, nameInFile);
}

function configOf(bytes: Uint8Array): Json {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json;
  } catch {
    throw new RangeError('importKeras: config.json is not JSON.');
  }
}
