/**
 * The interface of a job queue. A queue only decides who works on what; the results are in a {@link ResultStore}. It
 * may deliver a job twice, or after the job is done: {@link workOn} makes that harmless.
 */

/** A job: plain data. Jobs of the same id are the same job and have the same result. */
export interface Job {
  /** Letters, digits, dots, underscores and hyphens: it is also the name of a file. */
  readonly id: string;
  readonly data: unknown;
}

/** Runs a job. If it throws, or its process dies, the queue delivers the job again later. */
export type RunJob = (job: Job) => Promise<void>;

/**
 * Computes the result of a job, which must depend on nothing but the job. The signal aborts when the worker is asked to
 * end: a long computation then stores a checkpoint and rejects, so that the queue delivers the job to another worker.
 */
export type Compute = (job: Job, signal: AbortSignal) => Promise<Uint8Array>;

/** A queue that delivers every job at least once. */
export interface JobQueue {
  /**
   * Adds jobs. A job whose id is already waiting or running is not added again. Waits for the connection as long as it
   * takes.
   */
  readonly add: (jobs: readonly Job[]) => Promise<void>;
  /** Takes jobs and runs them, one at a time, until the signal aborts. Waits until the current job has ended. */
  readonly serve: (run: RunJob, signal: AbortSignal) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** The time after which the job of a dead process is delivered again, and that between attempts, in seconds. */
export interface QueueTimes {
  readonly lost: number;
  readonly retry: number;
}

/** Reports what happens to the connection or to a job, such as an error before it is tried again. */
export type Report = (message: string) => void;

/** Describes an error of a job, and what happens to the job. The signal is that of `serve`. */
export const failureOf = (id: string, error: unknown, signal: AbortSignal): string =>
  `${id}: ${messageOf(error)}; ${signal.aborted ? 'left to another worker' : 'trying again'}`;

/** Resolves when the signal aborts. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** The message of an error, in one line. Errors of several connection attempts only have a code. */
export function messageOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return (message || code || String(error)).split('\n')[0]!;
}
