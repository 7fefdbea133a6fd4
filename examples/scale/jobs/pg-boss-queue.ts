/** A job queue in PostgreSQL, with pg-boss. */

import { createHash } from 'node:crypto';
import { PgBoss } from 'pg-boss';
import { aborted, failureOf, type Job, type JobQueue, messageOf, type QueueTimes, type Report } from './job-queue';
import { untilDone } from './retry';

/** pg-boss accepts no shorter heartbeat, in seconds. */
const shortestHeartbeat = 10;

/**
 * Opens a queue. The worker of a running job sends a heartbeat; without it, the job is delivered again.
 *
 * @param url such as `postgres://user@127.0.0.1:5432/database`
 */
export async function pgBossQueue(
  url: string,
  name: string,
  { lost, retry }: QueueTimes,
  report: Report,
): Promise<JobQueue> {
  const boss = new PgBoss({ connectionString: url, max: 3, superviseIntervalSeconds: 1, monitorIntervalSeconds: 1 });
  // pg-boss polls, and repeats a query that failed at the next poll.
  boss.on('error', (error) => report(`PostgreSQL: ${messageOf(error)}`));
  await boss.start();
  await boss.createQueue(name, {
    heartbeatSeconds: Math.max(shortestHeartbeat, lost),
    // The longest duration of a job, with its heartbeats.
    expireInSeconds: 12 * 3600,
    retryLimit: 1_000_000,
    retryDelay: retry,
  });
  return {
    async add(jobs) {
      const rows = jobs.map((job) => ({ id: uuidOf(job.id), data: { ...job } }));
      // Without a connection, a query is an error.
      await untilDone(() => boss.insert(name, rows), report);
    },
    async serve(run, signal) {
      let worker = '';
      worker = await boss.work<Job>(name, { pollingIntervalSeconds: 0.5 }, async ([job]) => {
        try {
          await run(job!.data);
          // While it exists, a job of the same id, whose result another folder needs, would not be inserted.
          await boss.deleteJob(name, job!.id);
        } catch (error) {
          report(failureOf(job!.data.id, error, signal));
          throw error;
        } finally {
          // Fetch the next job at once, not at the next poll.
          if (worker !== '') boss.notifyWorker(worker);
        }
      });
      await aborted(signal);
      // The current job needs the database until it has ended.
      await boss.offWork(name, { id: worker, wait: true });
    },
    close: () => boss.stop({ graceful: true, timeout: 5000 }),
  };
}

/** pg-boss does not insert a second job with the id of an existing one. Ids are UUIDs. */
function uuidOf(id: string): string {
  const hex = createHash('sha256').update(id).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
