/**
 * Two halves of a batch, computed at the same time by this thread and by a worker that share nothing: the speed that
 * the processors allow for two threads.
 */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { infer, train } from './ours.mjs';

const prepare = ({ kind, cell, shape }) => ({ train, infer })[kind](cell, shape);

/** Starts the worker. Returns the contestant of `runInterleaved`, and a function that ends the worker. */
export function startHalves(kind, cell, shape) {
  const half = { kind, cell, shape: { ...shape, B: shape.B / 2 } };
  const worker = new Worker(new URL(import.meta.url), { workerData: half });
  const own = prepare(half);
  const run = async (n) => {
    const other = new Promise((resolve) => worker.once('message', resolve));
    worker.postMessage(n);
    const start = performance.now();
    await own(n);
    await other;
    return performance.now() - start;
  };
  return { contestants: { bptt: run }, end: () => worker.terminate() };
}

if (!isMainThread) {
  const run = prepare(workerData);
  parentPort.on('message', async (n) => parentPort.postMessage(await run(n)));
}
