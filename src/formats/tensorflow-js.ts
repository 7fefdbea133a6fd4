/**
 * Import of TensorFlow.js models: a `model.json` with the configuration and a manifest of weights, and binary files.
 */

import { checkNames, checkObject, formatShape, mismatch, outOfRange, type Shape, sizeOf } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { checkDepth, isPlain, type Json } from './description';
import { fileBytes, joinBytes } from './file-bytes';
import { fromFloat16 } from './half-precision';
import { isJsonObject, type JsonObject } from './json-object';
import type { KerasLayer } from './keras/config';
import { parseJson } from './keras/json';
import type { KerasOptions } from './keras/layers';
import { type ImportedModel, modelOf } from './keras/model';
import { hardSigmoidSlope } from './keras/version';
import { isTrainingState, nameInFile } from './keras/weights';
import { abbreviate, listed, shown } from './listing';
import { maxTensors } from './safetensors';

const where = 'importTensorFlowJs';

/**
 * Imports a layers model saved by TensorFlow.js or converted from Keras 2 or 3. Supported are Sequential models, and
 * functional models that are a single chain, with the layers that {@link importKeras} supports. Weights may be
 * quantized.
 *
 * The default `recurrentActivation` of TensorFlow.js, hardSigmoid, is converted to `lstmWith` and `gruWith`, which
 * are slower than `lstm()` and `gru()`; if possible, train with `recurrentActivation: 'sigmoid'`. Bidirectional layers
 * of TensorFlow.js repeat outputs at masked steps, which are zero in Keras: pass `zeroOutputForMask: false` to {@link
 * predictMasked} for these results. A model that cannot be converted exactly is rejected: graph models, other layers
 * and activations, networks of brain.js.
 *
 * @param json the text of `model.json`, or the parsed object
 * @param files the bytes of each file in the manifest, by path: `{ 'weights.bin': … }`
 * @throws TypeError if `json` is neither text nor a plain object, or a file neither a Uint8Array nor an ArrayBuffer
 * @throws RangeError if something is missing, malformed or truncated, or the model cannot be converted exactly
 * @example
 * const layers = [{ class_name: 'Dense', config: { name: 'head', units: 2, activation: 'tanh' } }];
 * const weights = [
 *   { name: 'head/kernel', shape: [1, 2], dtype: 'float32' },
 *   { name: 'head/bias', shape: [2], dtype: 'float32' },
 * ];
 * const json = {
 *   format: 'layers-model',
 *   modelTopology: { model_config: { class_name: 'Sequential', config: { layers } } },
 *   weightsManifest: [{ paths: ['weights.bin'], weights }],
 * };
 * const bytes = new Uint8Array(Float32Array.of(1, -1, 0, 0).buffer);
 * const { model } = importTensorFlowJs(json, { 'weights.bin': bytes });
 * predict(model, tensor([[[0]]])).data; // Float32Array [0, 0]
 */
export function importTensorFlowJs(
  json: string | object,
  files: Readonly<Record<string, Uint8Array | ArrayBuffer>>,
  options: KerasOptions = {},
): ImportedModel {
  checkObject(where, 'files', files);
  checkNames(where, 'options', options, ['lengths']);
  if (typeof json !== 'string' && !isPlain(json))
    throw mismatch(where, 'json', 'the text of model.json or the parsed object', json);
  const root = fields(typeof json === 'string' ? parseJson(where, 'model.json', json) : (json as Json), 'model.json');
  checkDepth(where, 'model.json', root);
  if (Array.isArray(root['hiddenLayers']) && 'outputConnector' in root) {
    throw new RangeError(
      `${where}: this is a network of brain.js. Its "LSTM" uses the previous output as the cell state, which no ` +
        'cell of this library does.',
    );
  }
  if (root['format'] === 'graph-model')
    throw new RangeError(`${where}: this is a graph model; only layers models are supported.`);
  const topology = fields(root['modelTopology'], 'modelTopology');
  const config = topology['model_config'] ?? topology;
  const tensors = weightsOf(root['weightsManifest'], files);
  // The converter names the weights of Keras 3 by their HDF5 paths, all others by the names of their layers.
  const nameOf = Object.keys(tensors).some((path) => path.startsWith('layers/'))
    ? nameInFile
    : ({ name }: KerasLayer): string => name;
  // TensorFlow.js itself uses the slope of Keras 2, also for a file without a version.
  const slope = hardSigmoidSlope(topology['keras_version']) ?? 1 / 5;
  return modelOf(
    where,
    typeof config === 'string' ? parseJson(where, 'the configuration', config) : config,
    tensors,
    { ...options, slope, isTensorFlowJs: true },
    nameOf,
  );
}

function fields(json: Json | undefined, name: string): JsonObject {
  if (isJsonObject(json)) return json;
  throw outOfRange(where, name, 'an object', json);
}

function list(json: Json | undefined, name: string): readonly Json[] {
  if (Array.isArray(json)) return json as readonly Json[];
  throw outOfRange(where, name, 'an array', json);
}

/** Reads the tensors of a manifest. The weights of a group are contiguous in the concatenation of its files. */
function weightsOf(
  manifest: Json | undefined,
  files: Readonly<Record<string, Uint8Array | ArrayBuffer>>,
): Readonly<Record<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  const names = new Set<string>();
  const used = new Set<string>();
  for (const group of list(manifest, 'weightsManifest')) {
    const { paths, weights } = fields(group, 'a group of weightsManifest');
    const bytes = joinBytes(
      list(paths, 'paths').map((path) => {
        if (typeof path !== 'string' || !Object.hasOwn(files, path))
          throw new RangeError(
            `${where}: files must have ${shown(path)}, which the manifest lists, got ` +
              `${listed(Object.keys(files)) || 'no files'}.`,
          );
        if (used.has(path)) throw new RangeError(`${where}: the manifest lists ${abbreviate(path)} twice.`);
        used.add(path);
        return fileBytes(where, files[path]!);
      }),
    );
    let offset = 0;
    const entries = list(weights, 'weights').map((entry) => fields(entry, 'a weight'));
    // Optimizer weights (includeOptimizer) follow those of the layers and are skipped.
    const end = entries.findIndex(({ group: kind }) => kind === 'optimizer');
    for (const entry of end < 0 ? entries : entries.slice(0, end)) {
      const { name, shape, data, size } = readWeight(entry, bytes, offset);
      if (names.has(name)) throw new RangeError(`${where}: the weight ${abbreviate(name)} is in the manifest twice.`);
      names.add(name);
      if (names.size > maxTensors) throw new RangeError(`${where}: the manifest has more than ${maxTensors} weights.`);
      if (data !== undefined) tensors.set(name, { shape, data });
      offset += size;
    }
    if (end < 0 && offset !== bytes.length)
      throw new RangeError(`${where}: ${shown(paths)} have ${bytes.length} bytes, but the manifest lists ${offset}.`);
  }
  return Object.fromEntries(tensors);
}

/** The size of an element in bytes, by type. */
const widths: Readonly<Record<string, number>> = {
  float32: 4,
  float16: 2,
  uint16: 2,
  uint8: 1,
  int32: 4,
  bool: 1,
  complex64: 8,
};

/** The types in which float32 values are stored. */
const floatTypes: readonly string[] = ['float32', 'float16', 'uint16', 'uint8'];

/** A weight of a manifest; without data if it is of a type that is not read. */
interface ManifestWeight {
  readonly name: string;
  readonly shape: Shape;
  readonly data: Float32Array | undefined;
  /** In bytes. */
  readonly size: number;
}

/**
 * Reads one weight of a manifest. Weights that prediction does not need, such as the step count of an optimizer, may be
 * of any type.
 *
 * @throws RangeError if it is malformed or truncated, or has an unsupported type
 */
function readWeight(entry: Readonly<Record<string, Json>>, bytes: Uint8Array, offset: number): ManifestWeight {
  const { name, dtype } = entry;
  const shape = list(entry['shape'], 'the shape of a weight') as readonly number[];
  if (typeof name !== 'string') throw new RangeError(`${where}: a weight has no name.`);
  const label = abbreviate(name);
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0))
    throw outOfRange(where, `the shape of ${label}`, 'non-negative integers', shown(shape));
  const quantization =
    entry['quantization'] === undefined ? undefined : fields(entry['quantization'], `the quantization of ${label}`);
  const stored = quantization === undefined ? dtype : quantization['dtype'];
  const isFloat = dtype === 'float32' && floatTypes.some((type) => type === stored);
  if (typeof stored !== 'string' || !Object.hasOwn(widths, stored) || !(isFloat || isTrainingState(name))) {
    throw new RangeError(
      `${where}: ${label} has type ${shown(stored)}; only float32, and float32 quantized to float16, uint16 ` +
        'or uint8, are supported.',
    );
  }
  const count = sizeOf(shape);
  const size = count * widths[stored]!;
  if (offset + size > bytes.length)
    throw new RangeError(
      `${where}: ${label} ${abbreviate(formatShape(shape))} ends at byte ${offset + size} of its files, which have ` +
        `${bytes.length}. Are they truncated?`,
    );
  if (!isFloat) return { name, shape, data: undefined, size };
  const raw = bytes.slice(offset, offset + size).buffer as ArrayBuffer;
  if (stored === 'float32') return { name, shape, data: new Float32Array(raw), size };
  if (stored === 'float16') return { name, shape, data: fromFloat16(new Uint16Array(raw)), size };
  const { scale, min } = quantization!;
  if (typeof scale !== 'number' || typeof min !== 'number')
    throw new RangeError(`${where}: the quantization of ${label} must have the numbers scale and min.`);
  const levels = stored === 'uint8' ? new Uint8Array(raw) : new Uint16Array(raw);
  return { name, shape, data: Float32Array.from(levels, (level) => level * scale + min), size };
}
