/** Opens the job queue of a URL. */

import { inProcessQueue } from './in-process-queue';
import type { JobQueue, QueueTimes, Report } from './job-queue';

/**
 * Opens the queue of a URL: `redis://…` with BullMQ, `postgres://…` with pg-boss; without one, in this process. The
 * package of an engine is loaded only if it is used.
 *
 * @throws RangeError if the scheme of the URL is another one
 */
export async function openQueue(url: string | undefined, times: QueueTimes, report: Report): Promise<JobQueue> {
  const name = 'bptt';
  if (url === undefined) return inProcessQueue(times, report);
  if (/^rediss?:/.test(url)) return (await import('./bullmq-queue')).bullmqQueue(url, name, times, report);
  if (/^postgres(ql)?:/.test(url)) return (await import('./pg-boss-queue')).pgBossQueue(url, name, times, report);
  throw new RangeError(`--queue must start with redis: or postgres:, got ${url}.`);
}
