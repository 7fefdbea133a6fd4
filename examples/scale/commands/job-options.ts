/** The options that all commands with jobs share, and what they open. */

import { mkdir } from 'node:fs/promises';
import { computeIn, openFolder, type RunFolder } from '../compute';
import type { JobQueue, QueueTimes } from '../jobs/job-queue';
import { openQueue } from '../jobs/open-queue';
import { workOn } from '../jobs/work';
import { startProcesses, stopSignal } from '../processes';
import { countOf } from './count';

/** For `parseArgs`. */
export const jobOptions = {
  queue: { type: 'string' },
  workers: { type: 'string', default: '1' },
  folder: { type: 'string', default: 'scale-run' },
  every: { type: 'string', default: '20' },
  lost: { type: 'string', default: '10' },
} as const;

/** The values of {@link jobOptions}. */
export interface JobOptions {
  readonly queue?: string | undefined;
  readonly workers: string;
  readonly folder: string;
  /** The number of updates between checkpoints. */
  readonly every: string;
  /** The time after which the job of a dead worker is delivered again, in seconds. */
  readonly lost: string;
}

/** Prints a line for the user to the standard error. */
export const report = (message: string): void => void process.stderr.write(`${message}\n`);
const timesOf = (options: JobOptions): QueueTimes => ({ lost: countOf(options, 'lost'), retry: 1 });

/** Opens the queue and the folder, starts the workers, runs a coordinator, and stops the workers. */
export async function withWorkers<T>(
  options: JobOptions,
  coordinate: (queue: JobQueue, folder: RunFolder) => Promise<T>,
): Promise<T> {
  const count = countOf(options, 'workers', 0);
  // Here, not only in each worker, which would be started again and again.
  countOf(options, 'every');
  await mkdir(options.folder, { recursive: true });
  const folder = await openFolder(options.folder);
  const queue = await openQueue(options.queue, timesOf(options), report);
  const stop = new AbortController();
  const workerOptions = ['folder', 'every', 'lost'].flatMap((name) => [
    `--${name}`,
    options[name as keyof JobOptions]!,
  ]);
  const processes =
    options.queue === undefined
      ? undefined
      : startProcesses(count, () => ['worker', '--queue', options.queue!, ...workerOptions]);
  // Without a server there are no other processes. This one takes the jobs in turn, so that N workers are no faster.
  const serving = processes
    ? []
    : Array.from({ length: Math.max(1, count) }, () => serve(queue, folder, options, stop.signal));
  try {
    return await coordinate(queue, folder);
  } finally {
    stop.abort();
    await processes?.stop();
    await Promise.all(serving);
    await queue.close();
  }
}

/** Works on jobs until the process is asked to stop, or has had no job for some seconds. */
export async function workUntilSignal(options: JobOptions, idle: number): Promise<void> {
  const folder = await openFolder(options.folder);
  const queue = await openQueue(options.queue, timesOf(options), report);
  await serve(queue, folder, options, stopSignal(), idle);
  await queue.close();
  // The channel to the process that started this one would keep it alive.
  if (process.connected) process.disconnect();
}

const serve = (
  queue: JobQueue,
  folder: RunFolder,
  options: JobOptions,
  signal: AbortSignal,
  idle?: number,
): Promise<void> => workOn(queue, folder.results, computeIn(folder, countOf(options, 'every'), report), signal, idle);
