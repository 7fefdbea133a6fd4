import {
  adam,
  chain,
  clipByNorm,
  crossEntropy,
  dense,
  embedding,
  type FitResult,
  fit,
  initializeCell,
  intTensor,
  lstm,
  multiply,
  type Progress,
  predict,
  recurrent,
  save,
  sequential,
  sum,
  type Tensor,
  tensor,
  unroll,
  type ValueAndGradient,
  valueAndGradient,
  windows,
} from 'bptt';
import { type ImportedModel, importKeras } from 'bptt/keras';
import { terminalProgress } from 'bptt/node';
import { exportOnnx, importOnnx, type OnnxNetwork, runOnnx } from 'bptt/onnx';
import { fromPyTorch, toPyTorch } from 'bptt/pytorch';
import { fitInWorker } from 'bptt/worker';

const model = sequential(
  [embedding({ vocabularySize: 5, size: 4 }), recurrent(lstm(), { hiddenSize: 8 }), dense({ size: 5 })],
  { seed: 1 },
);
const data = windows(Int32Array.from([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]), { sequenceLength: 3, batchSize: 2 });
const report: (progress: Progress) => void = terminalProgress();
export const training: Promise<readonly number[]> = fit(model, data, {
  loss: crossEntropy,
  optimizer: chain(clipByNorm(1), adam(2e-3)),
  epochs: 1,
  onProgress: report,
}).then(({ losses }) => losses);
// `Blob`, `fetch` and so on take bytes only if their buffer cannot be shared.
export const { buffer }: { readonly buffer: ArrayBuffer } = save(model);
export const logits: Tensor = predict(model, intTensor([[1]]));
export const pair: ValueAndGradient<{ w: Tensor }> = valueAndGradient({ w: tensor([1]) }, (p) =>
  sum(multiply(p.w, p.w)),
);
const p = initializeCell(lstm(), { inputSize: 2, hiddenSize: 3, random: 1 });
export const { results } = valueAndGradient(p, (v) => {
  const { outputs, state } = unroll(lstm(), v, tensor([[[1, 2]]]));
  return { value: sum(outputs), results: { c: state.c } };
});
export const cell: Tensor = results.c;

// The types of all entry points are the same types, not copies that only look alike.
fromPyTorch(model, toPyTorch(model));
export const network: OnnxNetwork = importOnnx(exportOnnx(model));
export const { gradient } = valueAndGradient(network.parameters, (v) =>
  sum(runOnnx(network, v, { inputs: intTensor([[1]]) })['outputs']!),
);
export const imported: (file: Uint8Array) => ImportedModel = importKeras;

// The types of the workers of browsers and of Node.js, without their declarations here.
interface BrowserWorker {
  postMessage(message: unknown, transfer: object[]): void;
  postMessage(message: unknown, options?: { transfer?: object[] }): void;
}
interface NodeWorker {
  postMessage(message: unknown, transferList?: readonly object[]): void;
}
export const inWorker = (worker: BrowserWorker | NodeWorker): Promise<FitResult> =>
  fitInWorker(worker, model, data, { loss: crossEntropy, optimizer: adam(), timeout: 5 });
