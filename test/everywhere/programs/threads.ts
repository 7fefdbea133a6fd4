/** Trains on one thread and on several, and compares the bits. */

import {
  adam,
  createRandom,
  crossEntropy,
  dense,
  fit,
  type KernelName,
  kernelsInUse,
  lstm,
  normal,
  predict,
  recurrent,
  sequential,
  threadsReady,
  useThreads,
} from 'bptt';

export interface Threads {
  readonly kernels: KernelName;
  /** The number of threads in use. */
  readonly count: number;
  /** The number of shares of kernels that the other threads computed. */
  readonly shares: number;
  /** Whether the predictions and the parameters are bit-identical to those of one thread. */
  readonly equal: boolean;
}

/** Trains a model whose products are large enough for several threads. Returns its predictions and parameters. */
async function train(): Promise<number[]> {
  const [T, B, I, V] = [16, 32, 64, 8];
  const model = sequential([recurrent(lstm(), { hiddenSize: 128 }), dense({ size: V })], { inputSize: I, seed: 1 });
  const inputs = normal(0, 1)([T, B, I], createRandom(1));
  const targets = { shape: [T, B], data: Int32Array.from({ length: T * B }, (_, i) => (i * i) % V) };
  await fit(model, { inputs, targets }, { loss: crossEntropy, optimizer: adam(0.01), steps: 20 });
  return [...predict(model, inputs).data, ...model.data];
}

/** Runs a function. Returns its result, and how often another thread had claimed a share of a kernel. */
async function countShares<R>(body: () => Promise<R>): Promise<{ result: R; shares: number }> {
  let shares = 0;
  const { compareExchange } = Atomics as {
    compareExchange(array: Int32Array, index: number, expected: number, replacement: number): number;
  };
  const counting: typeof compareExchange = (array, index, expected, replacement) => {
    const value = compareExchange(array, index, expected, replacement);
    if (value !== expected) shares++;
    return value;
  };
  Object.assign(Atomics, { compareExchange: counting });
  try {
    const result = await body();
    return { result, shares };
  } finally {
    Object.assign(Atomics, { compareExchange });
  }
}

/**
 * Trains on one thread, then on `count`.
 *
 * @throws Error of `useThreads` on the main thread of a page
 */
export async function threads(count: number): Promise<Threads> {
  const expected = await train();
  useThreads(count);
  try {
    const ready = await threadsReady();
    let [total, equal] = [0, true];
    // Again if other work had the processors of the other threads in the meantime.
    for (let times = 0; times === 0 || (ready > 1 && total <= 10 && times < 20); times++) {
      const { result, shares } = await countShares(train);
      total += shares;
      equal &&= result.every((value, i) => value === expected[i]);
    }
    return { kernels: kernelsInUse(), count: ready, shares: total, equal };
  } finally {
    useThreads(1);
  }
}
