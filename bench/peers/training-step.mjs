/**
 * One training step (forward, softmax cross-entropy over all steps, backward, norm clipping, Adam) of an LSTM with a dense head, ours (the
 * fastest kernels, and the portable ones) and TensorFlow.js' cpu backend in turn: `npm run bench:peers`.
 */

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { cpus } from 'node:os';
import {
  adam, chain, clipByNorm, createRandom, crossEntropy, dense, fit, kernelsInUse, lstm, normal, recurrent, sequential, useKernels,
} from '../../dist/index.js';

const [T, B, I, H, V] = [32, 32, 64, 128, 64];
const rounds = 5;

const random = createRandom(1);
const inputs = normal(0, 1)([T, B, I], random);
const targets = { shape: [T, B], data: Int32Array.from({ length: T * B }, (_, i) => (i * 7919) % V) };

async function ours(kernels) {
  useKernels(kernels);
  const model = sequential([recurrent(lstm(), { hiddenSize: H }), dense({ size: V })], { inputSize: I, seed: 1 });
  const data = { batchCount: 1, batches: () => [{ inputs, targets }] };
  const optimizer = chain(clipByNorm(1), adam(1e-3));
  let { optimizerState } = await fit(model, data, { loss: crossEntropy, optimizer, steps: 3 });
  return async () => {
    useKernels(kernels);
    // Three steps at a time, so that opening and closing a run weighs little.
    await fit(model, data, { loss: crossEntropy, optimizer, steps: 3, optimizerState });
    return 3;
  };
}

async function tfjsCpu() {
  await tf.setBackend('cpu');
  const model = tfl.sequential({
    layers: [
      tfl.layers.lstm({ units: H, returnSequences: true, recurrentActivation: 'sigmoid', inputShape: [T, I], recurrentInitializer: 'glorotUniform' }),
      tfl.layers.dense({ units: V }),
    ],
  });
  const x = tf.transpose(tf.tensor(inputs.data, inputs.shape), [1, 0, 2]);
  const y = tf.oneHot(tf.transpose(tf.tensor(targets.data, targets.shape, 'int32')), V);
  const optimizer = tf.train.adam(1e-3);
  const step = () =>
    tf.tidy(() => {
      const loss = () => tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(model.apply(x, { training: true })), y), -1)));
      const { grads } = tf.variableGrads(loss);
      const norm = tf.sqrt(tf.addN(Object.values(grads).map((g) => tf.sum(tf.square(g)))));
      const factor = tf.minimum(1, tf.div(1, tf.add(norm, 1e-6)));
      optimizer.applyGradients(Object.fromEntries(Object.entries(grads).map(([name, g]) => [name, tf.mul(g, factor)])));
      norm.dataSync();
    });
  step();
  return async () => {
    step();
    return 1;
  };
}

const peers = { bptt: await ours(), 'bptt-portable': await ours('portable'), 'tfjs-cpu': await tfjsCpu() };
const times = Object.fromEntries(Object.keys(peers).map((who) => [who, []]));
for (let round = 0; round < rounds; round++) {
  for (const [who, run] of Object.entries(peers)) {
    const began = performance.now();
    const steps = await run();
    times[who].push((performance.now() - began) / steps);
  }
}
const median = (values) => values.slice().sort((a, b) => a - b)[Math.floor(values.length / 2)];
useKernels(undefined);
console.log(`Node ${process.version}, ${cpus()[0].model}; kernels ${kernelsInUse()}; LSTM T${T} B${B} I${I} H${H} V${V}, ms a training step, ${rounds} rounds in turn`);
for (const [who, values] of Object.entries(times)) {
  console.log(`${who}: median ${median(values).toFixed(1)}, from ${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)}`);
}
for (const who of ['bptt', 'bptt-portable']) {
  console.log(`${who} is ${(median(times['tfjs-cpu']) / median(times[who])).toFixed(1)} times as fast as tfjs-cpu`);
}
