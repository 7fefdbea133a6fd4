/** One training step in bptt and in TensorFlow.js, from the same weights and on the same batch. */

import {
  adam,
  type Batch,
  chain,
  clipByNorm,
  createRandom,
  crossEntropy,
  dense,
  fit,
  type IntTensor,
  type KernelName,
  lstm,
  normal,
  recurrent,
  type Sequential,
  sequential,
  simpleRnn,
  useKernels,
} from 'bptt';
import type { Case } from './protocol';

/** A library that trains. */
export interface Contestant {
  readonly name: string;
  /** Makes n steps. Returns the time in milliseconds, and the loss of the last step. */
  readonly run: (n: number) => Promise<{ readonly milliseconds: number; readonly loss: number }>;
}

const learningRate = 1e-3;
const epsilon = 1e-8;

function modelOf({ cell, I, H, V }: Case): Sequential {
  const cells = { rnn: () => simpleRnn(), lstm: () => lstm() };
  return sequential([recurrent(cells[cell](), { hiddenSize: H }), dense({ size: V })], { inputSize: I, seed: 1 });
}

function batchOf({ T, B, I, V }: Case): Batch<IntTensor> {
  return {
    inputs: normal(0, 1)([T, B, I], createRandom(1)),
    targets: { shape: [T, B], data: Int32Array.from({ length: T * B }, (_, i) => (i * 7919) % V) },
  };
}

/** @throws RangeError if the engine does not support the kernels */
export function bpttContestant(size: Case, kernels: KernelName): Contestant {
  useKernels(kernels);
  const model = modelOf(size);
  const batch = batchOf(size);
  const data = { batchCount: 1, batches: () => [batch] };
  const optimizer = chain(clipByNorm(1), adam(learningRate, { epsilon }));
  let optimizerState: Awaited<ReturnType<typeof fit>>['optimizerState'] | undefined;
  return {
    name: `bptt, ${kernels} kernels`,
    async run(n) {
      useKernels(kernels);
      const begin = performance.now();
      const result = await fit(model, data, {
        loss: crossEntropy,
        optimizer,
        steps: n,
        ...(optimizerState && { optimizerState }),
      });
      ({ optimizerState } = result);
      return { milliseconds: performance.now() - begin, loss: result.losses[n - 1]! };
    },
  };
}

/** Loads TensorFlow.js. @throws Error if its WebAssembly backend does not start */
export async function tensorFlowContestant(size: Case): Promise<Contestant & { readonly version: string }> {
  const [tf, wasm, layers, { wasmPaths }] = await Promise.all([
    import('@tensorflow/tfjs-core'),
    import('@tensorflow/tfjs-backend-wasm'),
    import('@tensorflow/tfjs-layers'),
    import('./wasm-paths'),
  ]);
  wasm.setWasmPaths(wasmPaths);
  wasm.setThreadsCount(1);
  if (!(await tf.setBackend('wasm'))) throw new Error('The WebAssembly backend of TensorFlow.js did not start.');
  const { cell, T, B, I, H, V } = size;
  // The weights are replaced; the default orthogonal initializer needs seconds.
  const options = {
    units: H,
    returnSequences: true,
    batchInputShape: [B, T, I],
    recurrentInitializer: 'glorotUniform' as const,
  };
  const cellLayer = {
    rnn: () => layers.layers.simpleRNN(options),
    lstm: () => layers.layers.lstm({ ...options, recurrentActivation: 'sigmoid' }),
  };
  const model = layers.sequential({ layers: [cellLayer[cell](), layers.layers.dense({ units: V })] });
  const [recurrentParameters, denseParameters] = Object.values(modelOf(size).parameters);
  const { weightIh, weightHh, bias } = recurrentParameters!;
  const weights = [weightIh!, weightHh!, bias!, denseParameters!['weight']!, denseParameters!['bias']!];
  model.setWeights(weights.map(({ shape, data }) => tf.tensor(data, [...shape])));
  const { inputs, targets } = batchOf(size);
  const x = tf.transpose(tf.tensor(inputs.data as Float32Array, [T, B, I]), [1, 0, 2]);
  const y = tf.oneHot(tf.transpose(tf.tensor2d(targets.data, [T, B], 'int32')), V);
  const optimizer = tf.train.adam(learningRate, 0.9, 0.999, epsilon);
  const step = (): number =>
    tf.tidy(() => {
      const { value, grads } = tf.variableGrads(
        () =>
          tf.neg(
            tf.mean(tf.sum(tf.mul(tf.logSoftmax(model.apply(x, { training: true }) as typeof y), y), -1)),
          ) as ReturnType<typeof tf.scalar>,
      );
      const norm = tf.sqrt(tf.addN(Object.values(grads).map((gradient) => tf.sum(tf.square(gradient)))));
      const factor = tf.minimum(1, tf.div(1, tf.add(norm, 1e-6)));
      optimizer.applyGradients(
        Object.fromEntries(Object.entries(grads).map(([name, gradient]) => [name, tf.mul(gradient, factor)])),
      );
      return value.dataSync()[0]!;
    });
  return {
    name: 'TensorFlow.js, wasm backend',
    version: tf.version_core,
    async run(n) {
      const begin = performance.now();
      let loss = NaN;
      for (let i = 0; i < n; i++) loss = step();
      return { milliseconds: performance.now() - begin, loss };
    },
  };
}
