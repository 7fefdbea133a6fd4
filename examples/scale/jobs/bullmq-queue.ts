/** A job queue in Redis, with BullMQ. */

import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { aborted, failureOf, type JobQueue, messageOf, type QueueTimes, type Report } from './job-queue';

/**
 * Opens a queue. BullMQ gives a running job a lock with a time limit, which the worker renews; a job whose lock has
 * expired is delivered again. Redis must write every change to disk (`appendonly yes`, `appendfsync always`), or a
 * restart forgets the last jobs, which `add` then adds again.
 *
 * @param url such as `redis://127.0.0.1:6379`
 */
export function bullmqQueue(url: string, name: string, { lost, retry }: QueueTimes, report: Report): JobQueue {
  // Commands wait for the connection as long as it takes.
  const connect = (): Redis => {
    const connection = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 500 });
    connection.on('error', (error: unknown) => report(`Redis: ${messageOf(error)}`));
    return connection;
  };
  const connection = connect();
  const queue = new Queue(name, { connection });
  queue.on('error', (error) => report(`BullMQ: ${messageOf(error)}`));
  // A job that is done is forgotten, so that its id can be added again if its result is lost.
  const jobOptions = {
    attempts: 1_000_000,
    backoff: { type: 'fixed', delay: retry * 1000 },
    removeOnComplete: true,
    removeOnFail: true,
  };
  return {
    async add(jobs) {
      await queue.addBulk(jobs.map(({ id, data }) => ({ name, data, opts: { ...jobOptions, jobId: id } })));
    },
    async serve(run, signal) {
      const own = connect();
      const worker = new Worker(name, (job) => run({ id: job.id!, data: job.data }), {
        connection: own,
        lockDuration: lost * 1000,
        stalledInterval: (lost * 1000) / 2,
        maxStalledCount: 1_000_000,
      });
      worker.on('failed', (job, error) => report(failureOf(job?.id ?? 'a job', error, signal)));
      worker.on('error', (error) => report(`BullMQ: ${messageOf(error)}`));
      await aborted(signal);
      await worker.close();
      own.disconnect();
    },
    async close() {
      await queue.close();
      connection.disconnect();
    },
  };
}
