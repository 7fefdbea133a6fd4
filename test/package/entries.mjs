import { Worker } from 'node:worker_threads';

/**
 * Checks that all entry points, imported or required, share one tape, one set of functions and one choice of kernels.
 */

/** @param {Record<string, any>} entries the module of each entry point */
export async function checkEntries({ bptt, pytorch, keras, onnx, forecasting, worker, node }) {
  const check = (holds, what) => {
    if (!holds) throw new Error(`entry points: ${what}`);
  };
  const { compute, dense, fit, load, loadInto, lstm, mean, multiply, predict, recurrent, relu, save } = bptt;
  const { sequential, tanh, tensor, valueAndGradient, windows } = bptt;

  // y = x · w: the operators of bptt/onnx record on the tape of bptt.
  const bytes =
    'CAgSABoAQgQKABANOkcKEwoBeAoBdxIBeRoAIgZNYXRNdWwSAWcqFwoCAwEQAUIBd0oMAACAPwAAAEAA' +
    'AEBAWgkKAXgSBAoCCAFiCQoBeRIECgIIAQ==';
  const network = onnx.importOnnx(Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0)));
  const x = tensor([[1, 0, 4]]);
  const run = (p) => mean(multiply(onnx.runOnnx(network, p, { x }).y, 2));
  check(compute(network.parameters, run).data[0] === 26, 'a model of bptt/onnx runs with compute of bptt');
  check(
    [...valueAndGradient(network.parameters, run).gradient.w.data].join() === '2,0,8',
    'gradients of a model of bptt/onnx',
  );

  // bptt/onnx recognizes layers, cells and activations of bptt.
  const model = sequential([recurrent(lstm(), { hiddenSize: 4 }), dense({ size: 3, activation: relu })], {
    inputSize: 2,
  });
  const inputs = tensor([[[1, -2]], [[3, 0.5]]]);
  const { outputs } = onnx.predictOnnx(onnx.importOnnx(onnx.exportOnnx(model)), { inputs });
  const expected = predict(model, inputs).data;
  check(
    outputs.data.every((value, i) => Math.abs(value - expected[i]) < 1e-6),
    'a model of bptt through bptt/onnx',
  );

  // The layers of an imported model are those of bptt, so that save recognizes its activations.
  const kerasConfig = {
    class_name: 'Sequential',
    config: { layers: [{ class_name: 'Dense', config: { name: 'head', units: 2, activation: 'tanh' } }] },
  };
  const weights = [
    { name: 'head/kernel', shape: [1, 2], dtype: 'float32' },
    { name: 'head/bias', shape: [2], dtype: 'float32' },
  ];
  const { model: imported } = keras.importTensorFlowJs(
    {
      format: 'layers-model',
      modelTopology: { model_config: kerasConfig },
      weightsManifest: [{ paths: ['weights.bin'], weights }],
    },
    { 'weights.bin': new Uint8Array(Float32Array.of(1, -1, 0, 0).buffer) },
  );
  check(imported.layers[0].layer.origin[1].activation === tanh, 'bptt/keras uses the activations of bptt');
  const restored = load(save(imported)).model;
  const [value] = predict(restored, tensor([[[0.5]]])).data;
  check(Math.abs(value - Math.tanh(0.5)) < 1e-6, 'save of a model of bptt/keras');

  // bptt/pytorch recognizes layers and cells of bptt.
  const { layers } = pytorch.inferModel(pytorch.toPyTorch(model));
  const copy = sequential(layers.slice(0, 1), { inputSize: 2 });
  pytorch.fromPyTorch(
    copy,
    Object.fromEntries(Object.entries(pytorch.toPyTorch(model)).filter(([name]) => name.startsWith('lstm.'))),
  );
  check(
    copy.data.every((value, i) => value === model.data[i]),
    'weights of a model of bptt through bptt/pytorch',
  );

  // Checkpoints of bptt/node recognize functions of bptt.
  const learner = sequential([bptt.embedding({ vocabularySize: 5, size: 4 }), dense({ size: 5, activation: tanh })]);
  const data = windows(
    Int32Array.from({ length: 200 }, (_, i) => i % 5),
    { sequenceLength: 10, batchSize: 4 },
  );
  const { losses } = await fit(learner, data, {
    loss: bptt.crossEntropy,
    optimizer: bptt.adam(0.05),
    steps: 10,
    checkpoint: node.checkpointFile('run.safetensors', learner, { every: 5 }),
    onProgress: node.terminalProgress({ output: { write: () => true } }),
  });
  check(losses[9] < losses[0], 'training lowers the loss');
  check((await node.resumeFrom('run.safetensors', learner)).step === 10, 'bptt/node reads its checkpoint');
  loadInto(learner, save(learner));

  const values = Float64Array.from({ length: 40 }, (_, t) => 5 + (t % 4));
  const fitted = await forecasting.fitForecaster(forecasting.forecaster({ horizon: 2 }), [{ name: 'a', values }], {
    steps: 5,
  });
  const [forecast] = forecasting.forecast(forecasting.loadForecaster(forecasting.saveForecaster(fitted)), [
    { name: 'a', values },
  ]);
  check(forecast.median.every(Number.isFinite), 'bptt/forecasting trains on the tape of bptt');

  // A worker thread, which loads the package by import, trains a model of bptt to the same bits.
  const thread = new Worker(new URL('worker.mjs', import.meta.url));
  const options = { loss: bptt.crossEntropy, optimizer: bptt.chain(bptt.clipByNorm(1), bptt.adam(0.05)), steps: 5 };
  const start = save(learner);
  await fit(learner, data, options);
  const inWorker = load(start).model;
  await worker.fitInWorker(thread, inWorker, data, options);
  await thread.terminate();
  check(
    inWorker.data.every((value, i) => value === learner.data[i]),
    'training in a worker',
  );

  // The choice of kernels is shared.
  bptt.useKernels('portable');
  onnx.predictOnnx(network, { x });
  check(bptt.kernelsInUse() === 'portable', 'one choice of kernels');
}
