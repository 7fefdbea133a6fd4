/** What pages and workers run. Tests call these functions by name. */

import {
  adam,
  advance,
  crossEntropy,
  dense,
  embedding,
  fit,
  type KernelName,
  kernelsInUse,
  lstm,
  predict,
  recurrent,
  type Sequential,
  sequential,
  stream,
  tensor,
  windows,
} from 'bptt';
import { results } from './results';
import { threads } from './threads';

/** All memories of the library: it creates them at first use, after this module has been evaluated. */
const memories: WebAssembly.Memory[] = [];
if (typeof WebAssembly === 'object') {
  WebAssembly.Memory = class extends WebAssembly.Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      memories.push(this);
    }
  };
}

const ids = Int32Array.from({ length: 4_000 }, (_, i) => (i * i + (i >> 3)) % 11);
const data = windows(ids, { sequenceLength: 16, batchSize: 8 });
let learner: Sequential | undefined;

export interface Training {
  readonly first: number;
  readonly last: number;
  readonly milliseconds: number;
  readonly kernels: KernelName;
  /** The number of memories, and the sum of their sizes. */
  readonly memories: number;
  readonly bytes: number;
}

/** Trains a model further. */
async function train(steps: number): Promise<Training> {
  learner ??= sequential(
    [embedding({ vocabularySize: 11, size: 8 }), recurrent(lstm(), { hiddenSize: 16 }), dense({ size: 11 })],
    { seed: 1 },
  );
  const start = performance.now();
  const { losses } = await fit(learner, data, { loss: crossEntropy, optimizer: adam(1e-3), steps });
  return {
    first: losses[0]!,
    last: losses[losses.length - 1]!,
    milliseconds: performance.now() - start,
    kernels: kernelsInUse(),
    memories: memories.length,
    bytes: memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0),
  };
}

export interface Streaming {
  /** Microseconds per stream and step. */
  readonly opening: number;
  readonly firstStep: number;
  readonly lastStep: number;
  /** The number of streams whose last output has the same bits as that of one batch. */
  readonly equal: number;
  readonly memories: number;
}

/** Opens many streams of one LSTM, each with its input, and runs them in turn. */
function streams(count: number, hiddenSize: number, steps: number): Streaming {
  const inputSize = 4;
  const model = sequential([recurrent(lstm(), { hiddenSize }), dense({ size: 2 })], { inputSize, seed: 1 });
  const inputs = tensor(
    Float32Array.from({ length: steps * count * inputSize }, (_, i) => ((i * 37) % 101) / 50 - 1),
    [steps, count, inputSize],
  );
  const input = (t: number, i: number) => {
    const start = (t * count + i) * inputSize;
    return tensor(inputs.data.subarray(start, start + inputSize), [1, inputSize]);
  };
  const microseconds = (body: () => void): number => {
    const start = performance.now();
    body();
    return ((performance.now() - start) * 1000) / count;
  };
  const open: ReturnType<typeof stream>[] = [];
  const opening = microseconds(() => {
    for (let i = 0; i < count; i++) open.push(stream(model));
  });
  const outputs = open.map(() => tensor([[0, 0]]));
  const times = Array.from({ length: steps }, (_, t) =>
    microseconds(() => open.forEach((one, i) => advance(one, input(t, i), outputs[i]!))),
  );
  const expected = predict(model, inputs).data.slice(-2 * count);
  const equal = outputs.filter(({ data }, i) => data.every((value, k) => value === expected[2 * i + k])).length;
  return { opening, firstStep: times[0]!, lastStep: times[steps - 1]!, equal, memories: memories.length };
}

export const tasks = { results, train, streams, threads };
export type Tasks = typeof tasks;
