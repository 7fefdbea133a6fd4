/** Running jobs from both sides: the workers, and the coordinator that waits for the results. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Compute, Job, JobQueue } from './job-queue';
import type { ResultStore } from './result-store';

/**
 * Serves a queue until the signal aborts, of which the current job is informed. A job that is delivered again after it
 * is done is skipped.
 *
 * @param idle the time without a job after which the service ends, in seconds
 */
export async function workOn(
  queue: JobQueue,
  store: ResultStore,
  compute: Compute,
  signal: AbortSignal,
  idle = Infinity,
): Promise<void> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    if (idle < Infinity) timer = setTimeout(end, idle * 1000);
  };
  wait();
  await queue.serve(async (job) => {
    clearTimeout(timer);
    try {
      if ((await store.read(job.id)) === undefined) await store.write(job.id, await compute(job, stop.signal));
    } finally {
      wait();
    }
  }, stop.signal);
  clearTimeout(timer);
}

/** Options of {@link collect}. */
export interface CollectOptions {
  /** The largest number of jobs in the queue, so that neither the queue nor the results grow without a limit. */
  readonly window: number;
  /** The time after which jobs without a result are added again, in seconds, in case the queue lost them. */
  readonly again: number;
}

/**
 * Adds jobs to a queue and yields their results, in the order of the jobs. After a crash, call it again with the same
 * jobs: those that have a result are not run again.
 *
 * @param items the jobs, with anything that belongs to them
 */
export async function* collect<T extends { readonly job: Job }>(
  queue: JobQueue,
  store: ResultStore,
  items: Iterable<T> | AsyncIterable<T>,
  { window, again }: CollectOptions,
): AsyncGenerator<{ readonly item: T; readonly result: Uint8Array }> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const pending: T[] = [];
  let exhausted = false;
  let due = 0;
  const add = async (added: readonly T[]): Promise<void> => {
    const done = await store.list();
    const missing = added.flatMap(({ job }) => (done.has(job.id) ? [] : [job]));
    if (missing.length > 0) await queue.add(missing);
  };
  while (true) {
    const fresh: T[] = [];
    while (!exhausted && pending.length + fresh.length < window) {
      const next = await source.next();
      if (next.done) exhausted = true;
      else fresh.push(next.value);
    }
    pending.push(...fresh);
    const isDue = performance.now() > due;
    if (isDue) due = performance.now() + again * 1000;
    if (isDue || fresh.length > 0) await add(isDue ? pending : fresh);
    const first = pending[0];
    if (first === undefined) return;
    const result = await store.read(first.job.id);
    if (result === undefined) {
      await sleep(20);
      continue;
    }
    pending.shift();
    yield { item: first, result };
  }
}
