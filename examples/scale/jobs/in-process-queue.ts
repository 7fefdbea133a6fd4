/** A job queue in the memory of this process. */

import { setTimeout as sleep } from 'node:timers/promises';
import { aborted, failureOf, type Job, type JobQueue, type QueueTimes, type Report } from './job-queue';

/** Creates a queue without a server. Several calls of `serve` share the jobs, but also the thread. */
export function inProcessQueue({ retry }: QueueTimes, report: Report): JobQueue {
  const waiting: Job[] = [];
  const known = new Set<string>();
  const idle: (() => void)[] = [];
  const put = (job: Job): void => {
    waiting.push(job);
    idle.shift()?.();
  };
  return {
    async add(jobs) {
      for (const job of jobs) {
        if (known.has(job.id)) continue;
        known.add(job.id);
        put(job);
      }
    },
    async serve(run, signal) {
      const stopped = aborted(signal);
      while (!signal.aborted) {
        const job = waiting.shift();
        if (job === undefined) {
          await Promise.race([stopped, new Promise<void>((resolve) => idle.push(resolve))]);
          continue;
        }
        try {
          await run(job);
          known.delete(job.id);
        } catch (error) {
          report(failureOf(job.id, error, signal));
          void sleep(retry * 1000, undefined, { ref: false }).then(() => put(job));
        }
      }
    },
    close: async () => undefined,
  };
}
