/**
 * Writes TensorFlow.js models with distinct weights, as TensorFlow.js saves them, and their predictions: see
 * ../README.md.
 */

import { writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';

await tf.setBackend('cpu');

/** A seeded generator, so that the files are reproducible. */
let state = 12345;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const numbers = (count, low, high) => Float32Array.from({ length: count }, () => Math.round((low + (high - low) * random()) * 2 ** 16) / 2 ** 16);

const { layers } = tf;
const sigmoid = { recurrentActivation: 'sigmoid' };

/**
 * Models by name: the layers, sequence length `T` and input size `I` or number of ids; the lengths of padded sequences,
 * or the valid steps of each row (`valid`); `train`: train the model and save its optimizer; `carry`: continue with a
 * second window.
 */
const models = {
  'simple-rnn': { T: 5, I: 3, make: () => [layers.simpleRNN({ units: 4, returnSequences: true, inputShape: [5, 3] }), layers.simpleRNN({ units: 2, activation: 'relu' })] },
  lstm: { T: 6, I: 2, make: () => [layers.lstm({ units: 3, ...sigmoid, returnSequences: true, inputShape: [6, 2] }), layers.dropout({ rate: 0.4 }), layers.lstm({ units: 4, ...sigmoid, useBias: false }), layers.dense({ units: 2, activation: 'sigmoid' })] },
  gru: { T: 5, I: 4, make: () => [layers.gru({ units: 3, ...sigmoid, returnSequences: true, inputShape: [5, 4] }), layers.timeDistributed({ layer: layers.dense({ units: 2, activation: 'softmax' }) })] },
  embedding: { T: 7, ids: 9, make: () => [layers.embedding({ inputDim: 9, outputDim: 3, inputLength: 7 }), layers.bidirectional({ layer: layers.lstm({ units: 3, ...sigmoid, returnSequences: true }), mergeMode: 'concat' }), layers.layerNormalization({}), layers.dense({ units: 4, activation: 'tanh' })] },
  'bidirectional-last': { T: 5, I: 3, make: () => [layers.bidirectional({ layer: layers.gru({ units: 4, ...sigmoid }), mergeMode: 'concat', inputShape: [5, 3] }), layers.dense({ units: 3, activation: 'relu' })] },
  'merge-sum': { T: 4, I: 2, make: () => [layers.bidirectional({ layer: layers.simpleRNN({ units: 3, returnSequences: true }), mergeMode: 'sum', inputShape: [4, 2] })] },
  'merge-ave': { T: 4, I: 2, make: () => [layers.bidirectional({ layer: layers.simpleRNN({ units: 3, returnSequences: true }), mergeMode: 'ave', inputShape: [4, 2] })] },
  'merge-mul': { T: 4, I: 2, make: () => [layers.bidirectional({ layer: layers.simpleRNN({ units: 3, returnSequences: true }), mergeMode: 'mul', inputShape: [4, 2] })] },
  backwards: { T: 5, I: 3, make: () => [layers.lstm({ units: 3, ...sigmoid, goBackwards: true, inputShape: [5, 3] })] },
  functional: {
    T: 5, I: 3, make: () => {
      const input = tf.input({ shape: [5, 3] });
      const h = layers.lstm({ units: 3, ...sigmoid, returnSequences: true }).apply(input);
      return tf.model({ inputs: input, outputs: layers.dense({ units: 2, useBias: false }).apply(layers.layerNormalization({ epsilon: 0.01, scale: false }).apply(h)) });
    },
  },
  defaults: { T: 6, I: 3, make: () => [layers.lstm({ units: 4, returnSequences: true, inputShape: [6, 3] }), layers.bidirectional({ layer: layers.gru({ units: 3 }), mergeMode: 'concat' }), layers.dense({ units: 2 })] },
  mixed: {
    T: 6, I: 2, make: () => [
      layers.bidirectional({ layer: layers.lstm({ units: 3, ...sigmoid, returnSequences: true }), mergeMode: 'sum', inputShape: [6, 2] }), layers.simpleRNN({ units: 4, activation: 'relu', useBias: false, returnSequences: true }),
      layers.bidirectional({ layer: layers.gru({ units: 2, returnSequences: true }), mergeMode: 'ave' }), layers.bidirectional({ layer: layers.lstm({ units: 5 }), mergeMode: 'mul' }), layers.dense({ units: 3, activation: 'linear' }),
    ],
  },
  masked: { T: 4, ids: 5, lengths: [4, 2, 3], make: () => [layers.embedding({ inputDim: 5, outputDim: 2, maskZero: true, inputLength: 4 }), layers.gru({ units: 2, ...sigmoid })] },
  trained: { T: 4, I: 3, train: true, make: () => [layers.gru({ units: 2, ...sigmoid, returnSequences: true, inputShape: [4, 3] }), layers.simpleRNN({ units: 3 }), layers.dense({ units: 2, activation: 'softmax' })] },
  stateful: { T: 3, I: 2, carry: true, make: () => [layers.lstm({ units: 4, ...sigmoid, stateful: true, returnSequences: true, batchInputShape: [3, 3, 2] }), layers.gru({ units: 3, ...sigmoid, stateful: true })] },
  'masked-steps': { T: 5, ids: 7, valid: ['00111', '10101', '11000'], make: () => [layers.embedding({ inputDim: 7, outputDim: 3, maskZero: true, inputLength: 5 }), layers.lstm({ units: 3, ...sigmoid, returnSequences: true }), layers.dense({ units: 3, activation: 'tanh' }), layers.gru({ units: 4, ...sigmoid, returnSequences: true }), layers.dense({ units: 2 })] },
  'masked-bidirectional': { T: 5, ids: 7, valid: ['00111', '10101', '01000'], make: () => [layers.embedding({ inputDim: 7, outputDim: 3, maskZero: true, inputLength: 5 }), layers.bidirectional({ layer: layers.gru({ units: 3, ...sigmoid, returnSequences: true }), mergeMode: 'concat' })] },
  'masked-last': { T: 5, ids: 7, valid: ['00111', '10110', '00001'], make: () => [layers.embedding({ inputDim: 7, outputDim: 3, maskZero: true, inputLength: 5 }), layers.simpleRNN({ units: 3, returnSequences: true }), layers.lstm({ units: 4, ...sigmoid, goBackwards: true }), layers.dense({ units: 2 })] },
};

const base64 = (bytes) => Buffer.from(bytes).toString('base64');

async function saved(model, includeOptimizer) {
  let artifacts;
  await model.save(tf.io.withSaveHandler(async (given) => {
    artifacts = given;
    return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(given) };
  }), { includeOptimizer });
  return artifacts;
}

/** Quantizes a weight as the converter does: uint8 or uint16 between minimum and maximum, or float16. */
function quantize(values, type) {
  if (type === 'float16') return { bytes: toHalves(values), quantization: { dtype: 'float16', original_dtype: 'float32' } };
  const [min, max, steps] = [Math.min(...values), Math.max(...values), type === 'uint8' ? 255 : 65535];
  const scale = (max - min) / steps;
  const stored = (type === 'uint8' ? Uint8Array : Uint16Array).from(values, (value) => Math.round((value - min) / scale));
  return { bytes: new Uint8Array(stored.buffer), quantization: { min, scale, dtype: type, original_dtype: 'float32' } };
}

/** Converts values that are exact in float16. */
function toHalves(values) {
  return new Uint8Array(Uint16Array.from(values, (value) => {
    if (value === 0) return 0;
    const exponent = Math.floor(Math.log2(Math.abs(value)));
    const fraction = Math.abs(value) / 2 ** exponent - 1;
    return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | Math.round(fraction * 1024);
  }).buffer);
}

const source = `make_tfjs_golden.mjs, TensorFlow.js ${tf.version.tfjs}, cpu backend`;
for (const [name, { T, I, ids, lengths, valid, train = false, carry = false, make }] of Object.entries(models)) {
  const made = make();
  const model = Array.isArray(made) ? tf.sequential({ layers: made }) : made;
  model.setWeights(model.getWeights().map((weight) => tf.tensor(numbers(weight.size, ...(name === 'defaults' ? [-2.5, 2.5] : [-0.9, 0.9])), weight.shape)));
  const isValid = (row, t) => (valid === undefined ? t < lengths[row] : valid[row][t] === '1');
  const idAt = (i) => (lengths === undefined && valid === undefined ? Math.floor(random() * ids) : isValid(Math.floor(i / T), i % T) ? 1 + Math.floor(random() * (ids - 1)) : 0);
  const inputs = ids === undefined ? numbers(3 * T * I, -1, 1) : Float32Array.from({ length: 3 * T }, (_, i) => idAt(i));
  if (train) {
    model.compile({ optimizer: tf.train.adam(0.1), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    await model.fit(tf.tensor(inputs, [3, T, I]), tf.tensor([[1, 0], [0, 1], [1, 0]]), { epochs: 3, shuffle: false, verbose: 0 });
  }
  const outputs = model.predict(tf.tensor(inputs, ids === undefined ? [3, T, I] : [3, T]));
  const next = carry && numbers(3 * T * I, -1, 1);
  const further = carry && { next: { inputs: { shape: [3, T, I], data: [...next] }, outputs: [...model.predict(tf.tensor(next, [3, T, I])).dataSync()] } };
  const { modelTopology, weightSpecs, weightData, trainingConfig } = await saved(model, train);
  const bytes = new Uint8Array(weightData);
  // Split in the middle of a tensor, as the converter does after four megabytes.
  const cut = name === 'embedding' ? [0, 101, 250, bytes.length] : [0, bytes.length];
  const paths = cut.slice(1).map((_, i) => (cut.length === 2 ? 'weights.bin' : `group1-shard${i + 1}of${cut.length - 1}.bin`));
  const json = { format: 'layers-model', generatedBy: `TensorFlow.js tfjs-layers v${tf.version['tfjs-layers']}`, convertedBy: null, modelTopology, ...(train && { trainingConfig }), weightsManifest: [{ paths, weights: weightSpecs }] };
  const files = Object.fromEntries(paths.map((path, i) => [path, base64(bytes.subarray(cut[i], cut[i + 1]))]));
  const file = { source, json, files, inputs: { shape: ids === undefined ? [3, T, I] : [3, T], data: [...inputs] }, ...(lengths && { lengths }), outputs: { shape: outputs.shape, data: [...outputs.dataSync()] }, ...further };
  writeFileSync(new URL(`${name}.json`, import.meta.url), JSON.stringify(file));

  if (name === 'lstm') {
    // The same model with quantized weights; TensorFlow.js loads them and predicts.
    const weights = [];
    const parts = [];
    let offset = 0;
    for (const [i, spec] of weightSpecs.entries()) {
      const size = spec.shape.reduce((product, length) => product * length, 1);
      const values = new Float32Array(bytes.buffer.slice(offset, offset + 4 * size));
      const { bytes: stored, quantization } = quantize(i % 3 === 2 ? values.map((value) => Math.round(value * 512) / 512) : values, ['uint8', 'uint16', 'float16'][i % 3]);
      parts.push(stored);
      weights.push({ ...spec, quantization });
      offset += 4 * size;
    }
    const coarse = Buffer.concat(parts);
    const specs = { modelTopology, weightSpecs: weights, weightData: coarse.buffer.slice(coarse.byteOffset, coarse.byteOffset + coarse.length) };
    const again = await tf.loadLayersModel(tf.io.fromMemory(specs));
    const predictions = again.predict(tf.tensor(inputs, [3, T, I]));
    writeFileSync(new URL('quantized.json', import.meta.url), JSON.stringify({
      ...file, json: { ...json, weightsManifest: [{ paths: ['weights.bin'], weights }] }, files: { 'weights.bin': base64(coarse) }, outputs: { shape: predictions.shape, data: [...predictions.dataSync()] },
    }));
  }
}
