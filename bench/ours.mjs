/**
 * The cases for bptt. Each function prepares a case and returns a function that runs n steps and returns the time in
 * milliseconds.
 */

import {
  adam,
  advance,
  chain,
  clipByNorm,
  conv1d,
  createPredictor,
  createRandom,
  crossEntropy,
  dense,
  fit,
  full,
  gru,
  initializeCell,
  lstm,
  normal,
  recurrent,
  relu,
  sequential,
  simpleRnn,
  streamCell,
  useKernels,
} from '../dist/index.js';
import { outputSteps, targetsOf } from './cases.mjs';
import { timed } from './measure.mjs';

const cellOf = { rnn: simpleRnn, lstm, gru };

/** The layers of the cases with convolutions. */
const convolutional = {
  conv: ({ k, V }) => [
    conv1d({ size: V, kernelSize: k, padding: 'same', activation: relu }),
    conv1d({ size: V, kernelSize: k, padding: 'same' }),
  ],
  separable: ({ I, k, V }) => [conv1d({ size: I, kernelSize: k, padding: 'same', groups: I }), dense({ size: V })],
  'conv-gru': ({ k, V }) => [
    conv1d({ size: V, kernelSize: k, padding: 'same', stride: 2, activation: relu }),
    recurrent(gru(), { hiddenSize: V }),
    dense({ size: V }),
  ],
};

function modelOf(cell, shape) {
  const { I, H, V } = shape;
  if (cell in convolutional) return sequential(convolutional[cell](shape), { inputSize: I, seed: 1 });

  return sequential([recurrent(cellOf[cell](), { hiddenSize: H }), dense({ size: V })], { inputSize: I, seed: 1 });
}

const inputsOf = ({ T, B, I }) => normal(0, 1)([T, B, I], createRandom(1));

export function train(cell, shape, kernels, lengths) {
  const model = modelOf(cell, shape);
  const batch = {
    inputs: inputsOf(shape),
    targets: { shape: [outputSteps(cell, shape), shape.B], data: targetsOf({ ...shape, T: outputSteps(cell, shape) }) },
    ...(lengths && { lengths }),
  };
  const data = { batchCount: 1, batches: () => [batch] };
  const optimizer = chain(clipByNorm(1), adam(1e-3));
  let optimizerState;
  return async (n) => {
    useKernels(kernels);
    // From the end of the first step to the end of the last, to exclude the setup of `fit`.
    let start;
    ({ optimizerState } = await fit(model, data, {
      loss: crossEntropy,
      optimizer,
      steps: n + 1,
      optimizerState,
      onProgress: () => {
        start ??= performance.now();
      },
    }));
    return performance.now() - start;
  };
}

/** Measures the bytes allocated per training step: the median over steps without a garbage collection. */
export async function allocation(cell, shape) {
  const model = modelOf(cell, shape);
  const batch = { inputs: inputsOf(shape), targets: { shape: [shape.T, shape.B], data: targetsOf(shape) } };
  const data = { batchCount: 1, batches: () => [batch] };
  const deltas = [];
  let previous = Infinity;
  const onProgress = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    deltas.push(heapUsed + arrayBuffers - previous);
    previous = heapUsed + arrayBuffers;
  };
  await fit(model, data, { loss: crossEntropy, optimizer: chain(clipByNorm(1), adam(1e-3)), steps: 300, onProgress });
  const allocations = deltas
    .slice(100)
    .filter((bytes) => bytes >= 0)
    .sort((a, b) => a - b);
  return allocations[allocations.length >> 1];
}

export function infer(cell, shape, kernels) {
  const model = modelOf(cell, shape);
  const inputs = inputsOf(shape);
  useKernels(kernels);
  const predictor = createPredictor(model);
  return timed(() => predictor.predict(inputs));
}

export function stream(cell, { I, H }, kernels) {
  useKernels(kernels);
  const running = streamCell(
    cellOf[cell](),
    initializeCell(cellOf[cell](), { inputSize: I, hiddenSize: H, random: 1 }),
  );
  const x = full([1, I], 0.1);
  const into = advance(running, x);
  return timed(() => void advance(running, x, into));
}
