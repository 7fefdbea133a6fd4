/** The same as ../start.mjs for TensorFlow.js with its WebAssembly backend. */

const start = performance.now();
const tf = await import('@tensorflow/tfjs-core');
const wasm = await import('@tensorflow/tfjs-backend-wasm');
const tfl = await import('@tensorflow/tfjs-layers');
wasm.setThreadsCount(1);
await tf.setBackend('wasm');
const model = tfl.sequential({
  layers: [
    tfl.layers.lstm({
      units: 128,
      recurrentActivation: 'sigmoid',
      kernelInitializer: 'zeros',
      recurrentInitializer: 'zeros',
      batchInputShape: [1, 1, 64],
    }),
  ],
});
await model.predict(tf.fill([1, 1, 64], 0.1)).data();
console.log(performance.now() - start);
