/** Trains random models on one thread and on several, and compares the bits, for as long as is wanted. */

import {
  adam,
  bidirectional,
  chain,
  clipByNorm,
  createRandom,
  crossEntropy,
  dense,
  dropout,
  fit,
  gru,
  type KernelName,
  type Layer,
  layerNorm,
  lstm,
  normal,
  predict,
  recurrent,
  sequential,
  simpleRnn,
  threadsReady,
  uniformNumber,
  useKernels,
  useThreads,
} from 'bptt';
import { grain } from '../../src/kernels/threads/divide';
import { sharing } from '../../src/kernels/threads/pool';
import { collectGarbage } from '../memory';

export interface Soak {
  readonly models: number;
  /** The number of models whose results differ. */
  readonly different: number;
  /** The number of times that fewer threads were ready than wanted. */
  readonly missing: number;
  /** The least memory of the process in the last third of the time, less the most in the first third, in MB. */
  readonly grown: number;
}

/** Runs for a number of seconds. Needs `--expose-gc`. */
export async function soak(seconds: number, seed: number, kernels: readonly KernelName[]): Promise<Soak> {
  const generator = createRandom(seed);
  const below = (count: number): number => Math.floor(uniformNumber(generator, 0, count));
  const choose = <E>(elements: readonly E[]): E => elements[below(elements.length)]!;
  const whole = { ...grain };
  const begin = performance.now();
  const passed = (): number => (performance.now() - begin) / 1000 / seconds;
  let [models, different, missing] = [0, 0, 0];
  const early: number[] = [];
  const late: number[] = [];
  while (passed() < 1) {
    useKernels(choose(kernels));
    const train = randomTraining(below, choose);
    useThreads(1);
    const expected = await train();
    const count = 2 + below(3);
    // All work is divided in half of the cases, and threads must compute their shares in a quarter.
    Object.assign(grain, below(2) ? whole : { elements: 0, products: 0, waking: 0, rows: 0 });
    sharing.takesOver = count > 2 || below(2) === 0;
    useThreads(count);
    // A quarter of the trainings begin before the threads are ready.
    if (below(4) > 0 && (await threadsReady()) !== count) missing++;
    for (let times = 1 + below(3); times > 0; times--) if ((await train()) !== expected) different++;
    models++;
    if (passed() < 1 / 3) early.push(residentMegabytes());
    if (passed() > 2 / 3) late.push(residentMegabytes());
  }
  Object.assign(grain, whole);
  sharing.takesOver = true;
  useThreads(1);
  return { models, different, missing, grown: Math.min(...late) - Math.max(...early) };
}

function residentMegabytes(): number {
  collectGarbage();
  return process.memoryUsage().rss / 1e6;
}

/**
 * Returns a function that trains a random model from its start, and returns the bits of its parameters and predictions.
 */
function randomTraining(
  below: (count: number) => number,
  choose: <E>(elements: readonly E[]) => E,
): () => Promise<string> {
  const [T, B, I, V] = [1 + below(6), choose([1, 2, 5, 16, 33]), 1 + below(40), 2 + below(9)];
  const hiddenSize = choose([1, 3, 16, 33, 64, 130]);
  const layers = Array.from({ length: 1 + below(2) }, (): Layer[] => {
    const cell = choose([simpleRnn, lstm, gru])();
    const options = { hiddenSize, recurrentDropout: choose([0, 0.2]), zoneout: choose([{}, { h: 0.1 }]) };
    return [choose([recurrent, bidirectional])(cell, options), ...choose([[], [dropout(0.3)], [layerNorm()]])];
  }).flat();
  const seed = below(1000);
  const random = createRandom(seed);
  const inputs = normal(0, 1)([T, B, I], random);
  const lengths = choose([undefined, Int32Array.from({ length: B }, (_, b) => 1 + ((b * 7) % T))]);
  const targets = { shape: [T, B], data: Int32Array.from({ length: T * B }, (_, i) => (i * 7) % V) };
  const batch = { inputs, targets, ...(lengths && { lengths }) };
  return async () => {
    const model = sequential([...layers, dense({ size: V })], { inputSize: I, seed });
    const optimizer = chain(clipByNorm(1), adam(0.01));
    await fit(model, batch, { loss: crossEntropy, optimizer, steps: 3, seed });
    const predicted = predict(model, inputs, lengths && { lengths }).data;
    return [...model.data, ...predicted].join();
  };
}
