/** The libraries of the comparison. Each is imported when it is opened. */

import * as ours from '../ours.mjs';

const withKernels = (kernels) => ({
  train: (cell, shape) => ours.train(cell, shape, kernels),
  infer: (cell, shape) => ours.infer(cell, shape, kernels),
  stream: (cell, shape) => ours.stream(cell, shape, kernels),
});

async function openTfjs(backend) {
  const { tfjs, versions } = await import('./tfjs.mjs');
  return { ...tfjs(backend), versions };
}

async function openOnnxruntime(kind, threads) {
  const { onnxruntime } = await import('./onnx.mjs');
  const name = `onnxruntime-${kind}`;
  const ort = await import(name);
  if (kind === 'web') ort.env.wasm.numThreads = threads;
  return { ...onnxruntime(ort, threads), versions: { [name]: ort.env.versions[kind] } };
}

const openers = {
  bptt: () => ours,
  'bptt-wide': async (threads) => (await import('../wide.mjs')).startWide(threads),
  'bptt-portable': () => withKernels('portable'),
  'tfjs-wasm': () => openTfjs('wasm'),
  'tfjs-cpu': () => openTfjs('cpu'),
  'brain.js': async () => {
    const { brainJs, versions } = await import('./brain.mjs');
    return { ...brainJs, versions };
  },
  'onnxruntime-node': (threads) => openOnnxruntime('node', threads),
  'onnxruntime-web': (threads) => openOnnxruntime('web', threads),
  pytorch: async (threads, log) => (await import('./pytorch.mjs')).pytorch(log, threads),
};

/** The names of all libraries, and of those that can use several threads in Node.js. */
export const all = Object.keys(openers);
export const threaded = ['bptt', 'bptt-wide', 'onnxruntime-node', 'onnxruntime-web', 'pytorch'];

/**
 * Opens a library with a number of threads.
 *
 * @param log prints remarks, such as why it is not available
 * @returns its functions `train`, `infer` and `stream`, which prepare a case, as far as it has them, its `versions`,
 * and `close`, if it runs in another process; undefined if it is not available
 */
export const open = (who, threads, log) => openers[who](threads, log);
