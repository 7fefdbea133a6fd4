/** Models of TensorFlow.js: a `model.json` with the configuration and a manifest of weights, and files of their bytes. */

import { describe, formatShape, sizeOf } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { checkDepth, type Json } from './description';
import { fileBytes, joinBytes } from './file-bytes';
import { fromFloat16 } from './half-precision';
import type { KerasLayer, KerasOptions } from './keras/layers';
import { type ImportedModel, modelOf, nameInFile } from './keras/model';

const where = 'importTensorFlowJs';

/**
 * A layers model that TensorFlow.js or its converter saved, of Keras 2 or 3: Sequential, or functional in one line; Embedding, SimpleRNN, LSTM, GRU,
 * Bidirectional, Dense, TimeDistributed(Dense), LayerNormalization and Dropout. Weights may be quantized.
 *
 * Gates opened by hardSigmoid, as TensorFlow.js has them by default, become a cell that is slower than `lstm()` and `gru()`: `recurrentActivation: 'sigmoid'` is better
 * where one can choose. What cannot be mapped exactly is refused: graph models, other activations, layers that have no equal, and networks of brain.js.
 *
 * @param json the text of `model.json`, or what it parses to
 * @param files the bytes of each file of the manifest, by its path in there: `{ 'weights.bin': … }`
 * @throws RangeError where something is missing, cut short or cannot be mapped exactly
 * @example
 * const config = { class_name: 'Sequential', config: { layers: [{ class_name: 'Dense', config: { name: 'head', units: 2, activation: 'tanh' } }] } };
 * const weights = [{ name: 'head/kernel', shape: [1, 2], dtype: 'float32' }, { name: 'head/bias', shape: [2], dtype: 'float32' }];
 * const json = { format: 'layers-model', modelTopology: { model_config: config }, weightsManifest: [{ paths: ['weights.bin'], weights }] };
 * const { model } = importTensorFlowJs(json, { 'weights.bin': new Uint8Array(Float32Array.of(1, -1, 0, 0).buffer) });
 * predict(model, tensor([[[0]]])).data; // Float32Array [0, 0]
 */
export function importTensorFlowJs(
  json: string | object,
  files: Readonly<Record<string, Uint8Array | ArrayBuffer>>,
  options: KerasOptions = {},
): ImportedModel {
  const told = fields(typeof json === 'string' ? parse(json) : (json as Json), 'model.json');
  checkDepth(where, 'model.json', told);
  if (Array.isArray(told['hiddenLayers']) && 'outputConnector' in told) {
    throw new RangeError(
      `${where}: this is a network of brain.js. Its "LSTM" puts the output of the step before where an LSTM has its cell state: it is none, and no cell here is like it.`,
    );
  }
  if (told['format'] === 'graph-model')
    throw new RangeError(`${where}: this is a graph model, of operations; a layers model is what can be read.`);
  const topology = fields(told['modelTopology'], 'modelTopology');
  const config = topology['model_config'] ?? topology;
  const tensors = weightsOf(told['weightsManifest'], files);
  // The converter names the weights of Keras 3 by their paths in HDF5, all others stand under the names of their layers.
  const nameOf = Object.keys(tensors).some((path) => path.startsWith('layers/'))
    ? nameInFile
    : ({ name }: KerasLayer): string => name;
  const isKeras3 = /^"3/.test(JSON.stringify(topology['keras_version'] ?? null));
  return modelOf(
    where,
    typeof config === 'string' ? parse(config) : config,
    tensors,
    { ...options, slope: isKeras3 ? 1 / 6 : 1 / 5 },
    nameOf,
  );
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new RangeError(`${where}: model.json is not JSON.`);
  }
}

function fields(json: Json | undefined, what: string): Readonly<Record<string, Json>> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Readonly<Record<string, Json>>;
  throw new RangeError(`${where}: ${what} must be an object, got ${describe(json)}.`);
}

function list(json: Json | undefined, what: string): readonly Json[] {
  if (Array.isArray(json)) return json as readonly Json[];
  throw new RangeError(`${where}: ${what} must be a list, got ${describe(json)}.`);
}

/** The tensors of a manifest: in each group, weights one behind the other across its files. */
function weightsOf(
  manifest: Json | undefined,
  files: Readonly<Record<string, Uint8Array | ArrayBuffer>>,
): Readonly<Record<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  for (const group of list(manifest, 'weightsManifest')) {
    const { paths, weights } = fields(group, 'a group of weightsManifest');
    const bytes = joinBytes(
      list(paths, 'paths').map((path) => {
        if (typeof path !== 'string' || !Object.hasOwn(files, path))
          throw new RangeError(
            `${where}: the manifest names ${JSON.stringify(path)}. There are ${Object.keys(files).join(', ') || 'no files'}.`,
          );
        return fileBytes(where, files[path]!);
      }),
    );
    let offset = 0;
    const entries = list(weights, 'weights').map((entry) => fields(entry, 'a weight'));
    // What an optimizer keeps (includeOptimizer) stands behind the weights of the layers, and is of no use without it.
    const end = entries.findIndex(({ group: kind }) => kind === 'optimizer');
    for (const entry of end < 0 ? entries : entries.slice(0, end)) {
      const { name, shape, data, size } = readWeight(entry, bytes, offset);
      if (tensors.has(name)) throw new RangeError(`${where}: the weight ${name} stands twice in the manifest.`);
      tensors.set(name, { shape, data });
      offset += size;
    }
    if (end < 0 && offset !== bytes.length)
      throw new RangeError(
        `${where}: ${JSON.stringify(paths)} hold ${bytes.length} bytes, the manifest tells of ${offset}.`,
      );
  }
  return Object.fromEntries(tensors);
}

const widths: Readonly<Record<string, number>> = { float32: 4, float16: 2, uint16: 2, uint8: 1 };

function readWeight(
  entry: Readonly<Record<string, Json>>,
  bytes: Uint8Array,
  offset: number,
): Tensor & { readonly name: string; readonly size: number } {
  const { name, dtype } = entry;
  const shape = list(entry['shape'], 'the shape of a weight') as readonly number[];
  if (typeof name !== 'string') throw new RangeError(`${where}: a weight has no name.`);
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0))
    throw new RangeError(`${where}: ${name} must have a shape of whole numbers, got ${JSON.stringify(shape)}.`);
  const quantization =
    entry['quantization'] === undefined ? undefined : fields(entry['quantization'], `the quantization of ${name}`);
  const stored = quantization === undefined ? dtype : quantization['dtype'];
  if (
    dtype !== 'float32' ||
    typeof stored !== 'string' ||
    !Object.hasOwn(widths, stored) ||
    (quantization === undefined && stored !== 'float32')
  ) {
    throw new RangeError(
      `${where}: ${name} is of type ${JSON.stringify(stored)}; float32, and float32 stored as float16, uint16 or uint8, are what can be read.`,
    );
  }
  const count = sizeOf(shape);
  const size = count * widths[stored]!;
  if (offset + size > bytes.length)
    throw new RangeError(
      `${where}: ${name} ${formatShape(shape)} reaches to byte ${offset + size} of its files, which hold ${bytes.length}. Are they cut short?`,
    );
  const own = bytes.slice(offset, offset + size).buffer as ArrayBuffer;
  if (stored === 'float32') return { name, shape, data: new Float32Array(own), size };
  if (stored === 'float16') return { name, shape, data: fromFloat16(new Uint16Array(own)), size };
  const { scale, min } = quantization!;
  if (typeof scale !== 'number' || typeof min !== 'number')
    throw new RangeError(`${where}: the quantization of ${name} must have scale and min.`);
  const steps = stored === 'uint8' ? new Uint8Array(own) : new Uint16Array(own);
  return { name, shape, data: Float32Array.from(steps, (step) => step * scale + min), size };
}
