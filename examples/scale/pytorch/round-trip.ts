/** The round trip of a model: from bptt to PyTorch, training on two processes, and back. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import {
  adam,
  type Batch,
  createRandom,
  dense,
  fit,
  lstm,
  meanSquaredError,
  readSafetensors,
  recurrent,
  type Sequential,
  sequential,
  type Tensor,
  uniform,
  writeSafetensors,
} from 'bptt';
import { fromPyTorch, toPyTorch } from 'bptt/pytorch';

const [updates, steps, batchSize, inputSize] = [100, 20, 64, 4];
const modules = { lstm: 'rnn', dense: 'fc' };

const createModel = (): Sequential =>
  sequential([recurrent(lstm(), { hiddenSize: 32, returnSequences: false }), dense({ size: 1 })], {
    inputSize,
    seed: 1,
  });

/** Batches of random sequences. The target is the product of the means of two values over time, times 10. */
function createBatches(): readonly Batch<Tensor, Tensor>[] {
  const random = createRandom(2);
  return Array.from({ length: updates }, () => {
    const inputs = uniform(-1, 1)([steps, batchSize, inputSize], random);
    const targets = { shape: [batchSize, 1], data: new Float32Array(batchSize) };
    for (let row = 0; row < batchSize; row++) {
      const mean = (feature: number): number => {
        let sum = 0;
        for (let t = 0; t < steps; t++) sum += inputs.data[(t * batchSize + row) * inputSize + feature]!;
        return sum / steps;
      };
      targets.data[row] = 10 * mean(0) * mean(1) + mean(2);
    }
    return { inputs, targets };
  });
}

/** Stacks tensors of the same shape along a new first axis. */
function stackAll(tensors: readonly Tensor[]): Tensor {
  const { shape, data } = tensors[0]!;
  const all = new Float32Array(tensors.length * data.length);
  tensors.forEach((tensor, i) => all.set(tensor.data, i * data.length));
  return { shape: [tensors.length, ...shape], data: all };
}

/** The largest difference between two lists, element by element. */
const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);

/** The results of a round trip. */
export interface RoundTrip {
  /** The losses of every update. */
  readonly bptt: readonly number[];
  readonly oneProcess: readonly number[];
  readonly twoProcesses: readonly number[];
  /** The largest difference between the parameters after bptt and those that came back from two processes. */
  readonly parameters: number;
  readonly lossDifferences: { readonly fromOneProcess: number; readonly fromBptt: number };
}

/** Runs a Python program, which prints its own errors. */
function runPython(python: string, args: readonly string[]): void {
  const { status, signal, error } = spawnSync(python, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error !== undefined) throw new Error(`--python must be a Python with PyTorch, got ${python}: ${error.message}.`);
  if (status !== 0)
    throw new Error(`${python} ended with ${signal ?? `code ${status}`}, see above. Is PyTorch missing? See --python.`);
}

/** Trains the same model with bptt, and with PyTorch on one and on two processes. @param python with PyTorch */
export async function roundTrip(folder: string, python: string, script: string): Promise<RoundTrip> {
  const [model, batches] = [createModel(), createBatches()];
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/weights.safetensors`, writeSafetensors(toPyTorch(model, { modules })));
  const [inputs, targets] = [stackAll(batches.map((b) => b.inputs)), stackAll(batches.map((b) => b.targets))];
  writeFileSync(`${folder}/data.safetensors`, writeSafetensors({ inputs, targets }));
  const train = (processes: number): readonly number[] => {
    runPython(python, [script, folder, String(processes)]);
    return JSON.parse(readFileSync(`${folder}/losses-${processes}.json`, 'utf8')) as number[];
  };
  const [oneProcess, twoProcesses] = [train(1), train(2)];
  const returned = createModel();
  fromPyTorch(returned, readSafetensors(readFileSync(`${folder}/trained-2.safetensors`)).tensors, { modules });
  const data = { batchCount: updates, batches: () => batches };
  const { losses } = await fit(model, data, { loss: meanSquaredError, optimizer: adam(1e-3) });
  return {
    bptt: losses,
    oneProcess,
    twoProcesses,
    parameters: largestDifference(model.data, returned.data),
    lossDifferences: {
      fromOneProcess: largestDifference(twoProcesses, oneProcess),
      fromBptt: largestDifference(twoProcesses, losses),
    },
  };
}
