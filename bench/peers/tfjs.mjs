/** The cases for TensorFlow.js, with its `cpu` or `wasm` backend and the layers API. */

import '@tensorflow/tfjs-backend-cpu';
import { setThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { targetsOf } from '../cases.mjs';
import { timed } from '../measure.mjs';

// TensorFlow.js has several threads in browsers only.
setThreadsCount(1);
export const versions = { tfjs: tf.version_core };

export function tfjs(backend) {
  const recurrent = (cell, options) => {
    const common = { ...options, recurrentInitializer: 'glorotUniform' };
    if (cell === 'rnn') return tfl.layers.simpleRNN(common);
    return tfl.layers[cell]({ ...common, recurrentActivation: 'sigmoid' });
  };
  const modelOf = (cell, { T, B, I, H, V }) =>
    tfl.sequential({
      layers: [
        recurrent(cell, { units: H, returnSequences: true, batchInputShape: [B, T, I] }),
        tfl.layers.dense({ units: V }),
      ],
    });

  return {
    async train(cell, shape) {
      await tf.setBackend(backend);
      const { T, B, I, V } = shape;
      const model = modelOf(cell, shape);
      const x = tf.randomNormal([B, T, I]);
      const y = tf.oneHot(tf.transpose(tf.tensor2d(targetsOf(shape), [T, B], 'int32')), V);
      const optimizer = tf.train.adam(1e-3);
      const loss = () => tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(model.apply(x, { training: true })), y), -1)));
      const step = () =>
        tf.tidy(() => {
          const { grads } = tf.variableGrads(loss);
          const norm = tf.sqrt(tf.addN(Object.values(grads).map((g) => tf.sum(tf.square(g)))));
          const factor = tf.minimum(1, tf.div(1, tf.add(norm, 1e-6)));
          optimizer.applyGradients(
            Object.fromEntries(Object.entries(grads).map(([name, g]) => [name, tf.mul(g, factor)])),
          );
          norm.dataSync();
        });
      const run = timed(step);
      return async (n) => {
        await tf.setBackend(backend);
        return run(n);
      };
    },

    async infer(cell, shape) {
      await tf.setBackend(backend);
      const model = modelOf(cell, shape);
      const x = tf.randomNormal([shape.B, shape.T, shape.I]);
      const run = timed(() => tf.tidy(() => void model.predict(x).dataSync()));
      return async (n) => {
        await tf.setBackend(backend);
        return run(n);
      };
    },

    async stream(cell, { I, H }) {
      await tf.setBackend(backend);
      const model = tfl.sequential({
        layers: [recurrent(cell, { units: H, stateful: true, batchInputShape: [1, 1, I] })],
      });
      const x = tf.fill([1, 1, I], 0.1);
      const run = timed(() => tf.tidy(() => void model.predict(x).dataSync()));
      return async (n) => {
        await tf.setBackend(backend);
        return run(n);
      };
    },
  };
}
