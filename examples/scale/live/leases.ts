/**
 * Distributes partitions over workers, with leases in a key-value bucket of NATS. A lease that is not renewed expires
 * after a few seconds, and another worker takes the partition. Leases only decide who works; a mistake costs time, but
 * no event: see stream-worker.ts.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { messageOf, type Report } from '../jobs/job-queue';
import { untilDone } from '../jobs/retry';
import type { StreamWorker } from './stream-worker';

/** The settings of leases, the same for all workers. */
export interface LeaseOptions {
  readonly partitions: number;
  /** The time after which a lease expires, in ms. */
  readonly duration: number;
}

const workerKey = (id: string): string => `worker.${id}`;
const partitionKey = (partition: number): string => `partition.${partition}`;

/**
 * Takes a fair share of the partitions, and keeps it until the signal aborts: the number of partitions, divided by the
 * number of workers that have renewed their own key, rounded up.
 */
export async function holdLeases(
  connection: NatsConnection,
  worker: StreamWorker,
  id: string,
  { partitions, duration }: LeaseOptions,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  const bucket = await untilDone(() => new Kvm(connection).create('owners', { ttl: duration }), report);
  /** The revision of each lease. */
  const leases = new Map<number, number>();
  while (!signal.aborted) {
    try {
      await bucket.put(workerKey(id), '');
      const keys = await listKeys(bucket);
      const workers = [...keys].filter((key) => key.startsWith('worker.')).length;
      const share = Math.ceil(partitions / Math.max(1, workers));
      await renew(bucket, worker, id, leases, report);
      for (const partition of [...leases.keys()].slice(share)) {
        await worker.release(partition);
        await bucket.delete(partitionKey(partition));
        leases.delete(partition);
      }
      for (let partition = 0; partition < partitions && leases.size < share; partition++) {
        if (leases.has(partition) || keys.has(partitionKey(partition))) continue;
        // Another worker may be faster; then there is no revision.
        const revision = await bucket.create(partitionKey(partition), id).catch(() => undefined);
        if (revision !== undefined) leases.set(partition, revision);
      }
      for (const partition of leases.keys()) if (!worker.partitions().includes(partition)) await worker.take(partition);
    } catch (error) {
      report(`leases: ${messageOf(error)}; trying again`);
    }
    await sleep(duration / 4, undefined, { signal }).catch(() => undefined);
  }
  for (const partition of leases.keys()) await bucket.delete(partitionKey(partition)).catch(() => undefined);
  await bucket.delete(workerKey(id)).catch(() => undefined);
}

/** Renews all leases. A lease that has expired and belongs to another worker now is gone, with its partition. */
async function renew(
  bucket: KV,
  worker: StreamWorker,
  id: string,
  leases: Map<number, number>,
  report: Report,
): Promise<void> {
  for (const [partition, revision] of leases) {
    try {
      leases.set(partition, await bucket.update(partitionKey(partition), id, revision));
    } catch (error) {
      const entry = await bucket.get(partitionKey(partition));
      if (entry?.string() === id) {
        leases.set(partition, entry.revision);
        continue;
      }
      report(`partition ${partition}: the lease is lost: ${messageOf(error)}`);
      leases.delete(partition);
      await worker.release(partition);
    }
  }
}

async function listKeys(bucket: KV): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  for await (const key of await bucket.keys()) keys.add(key);
  return keys;
}
