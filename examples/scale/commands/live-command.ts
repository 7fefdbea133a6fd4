/** `live` and `live-worker`: streams of events by key. */

import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { writeAtomically } from 'bptt/node';
import { untilDone } from '../jobs/retry';
import { type EventLog, eventsOf } from '../live/event-log';
import { inProcessLog } from '../live/in-process-log';
import { produce, switchModel, watchResults } from '../live/load';
import type { LiveEvent } from '../live/messages';
import { createModelFile, eventWidth } from '../live/model';
import { poolCache } from '../live/partition';
import { snapshotFolder } from '../live/snapshots';
import { createStreamWorker, type StreamWorker } from '../live/stream-worker';
import { startProcesses, stopSignal } from '../processes';
import { countOf, positiveOf } from './count';
import { report } from './job-options';

const workerOptions = {
  nats: { type: 'string' },
  folder: { type: 'string', default: 'scale-run' },
  partitions: { type: 'string', default: '8' },
  lease: { type: 'string', default: '3000' },
  snapshot: { type: 'string', default: '5000' },
} as const;

const options = {
  ...workerOptions,
  workers: { type: 'string', default: '1' },
  keys: { type: 'string', default: '1000' },
  events: { type: 'string', default: '20000' },
  rate: { type: 'string', default: 'Infinity' },
  switch: { type: 'boolean', default: false },
} as const;

type WorkerValues = Readonly<Record<'folder' | 'partitions' | 'lease' | 'snapshot', string>> & {
  readonly nats?: string | undefined;
};

const workerNumbers = (values: WorkerValues) => ({
  partitions: countOf(values, 'partitions'),
  duration: countOf(values, 'lease'),
  snapshotEvery: countOf(values, 'snapshot'),
});

async function openWorker(log: EventLog, folder: string, snapshotEvery: number): Promise<StreamWorker> {
  await mkdir(join(folder, 'states'), { recursive: true });
  const poolOf = poolCache((hash) => readFile(join(folder, 'models', `${hash}.safetensors`)));
  const snapshots = snapshotFolder(join(folder, 'states'), log.id);
  return createStreamWorker({ log, snapshots, poolOf, snapshotEvery, report });
}

export async function liveWorkerCommand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: workerOptions });
  if (values.nats === undefined) throw new RangeError('--nats must be a URL, got none.');
  const { partitions, duration, snapshotEvery } = workerNumbers(values);
  const { connectTo, jetstreamLog } = await import('../live/jetstream-log');
  const { holdLeases } = await import('../live/leases');
  const connection = await connectTo(values.nats);
  const worker = await openWorker(await jetstreamLog(connection), values.folder, snapshotEvery);
  const signal = stopSignal();
  const stopRun = new AbortController();
  const running = worker.run(stopRun.signal);
  await Promise.race([running, holdLeases(connection, worker, randomUUID(), { partitions, duration }, signal, report)]);
  stopRun.abort();
  await running;
  await connection.close();
  if (process.connected) process.disconnect();
}

/** Stores a model under its hash, and returns the hash. */
async function storeModel(folder: string, file: Uint8Array): Promise<string> {
  const hash = createHash('sha256').update(file).digest('hex');
  await mkdir(join(folder, 'models'), { recursive: true });
  await writeAtomically(join(folder, 'models', `${hash}.safetensors`), file);
  return hash;
}

export async function liveCommand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options });
  const { folder, nats } = values;
  const { partitions } = workerNumbers(values);
  const [keys, events, workers] = [countOf(values, 'keys'), countOf(values, 'events'), countOf(values, 'workers', 0)];
  const rate = positiveOf(values, 'rate');
  const [first, second] = [await storeModel(folder, createModelFile(1)), await storeModel(folder, createModelFile(2))];
  const log =
    nats === undefined
      ? inProcessLog()
      : await import('../live/jetstream-log').then(async ({ connectTo, jetstreamLog }) => {
          const connection = await connectTo(nats);
          return untilDone(() => jetstreamLog(connection), report);
        });
  // Its results would count as results of this run.
  if ((await untilDone(() => log.last(eventsOf(0)), report)) !== undefined)
    throw new RangeError('the log must be empty, got events. Delete the streams EVENTS and RESULTS of an earlier run.');
  const stopWorkers = await startWorkers(log, values, workers);
  const digests = Array.from({ length: partitions }, () => createHash('sha256'));
  const count = (partition: number, result: LiveEvent): void => digest(digests[partition]!, result);
  const arrivals = await watchResults(log, partitions, count, report);
  const start = performance.now();
  await switchModel(log, partitions, first, report);
  const load = { partitions, keys, rate, width: eventWidth };
  // The second half can be for new weights, without losing the states.
  const half = Math.floor(events / 2);
  await produce(log, { ...load, events: half, seed: 1, first: 0 }, report);
  if (values.switch) await switchModel(log, partitions, second, report);
  await produce(log, { ...load, events: events - half, seed: 2, first: half }, report);
  while (arrivals.count() < events) await sleep(20);
  const seconds = (performance.now() - start) / 1000;
  await arrivals.stop();
  await stopWorkers();
  await log.close();
  const latencies = Float64Array.from(arrivals.latencies()).sort();
  const at = (fraction: number): string => latencies[Math.floor(fraction * (latencies.length - 1))]!.toFixed(1);
  const bytes = await snapshotBytes(folder, partitions);
  process.stdout.write(
    `results: ${arrivals.count()} of ${events} in ${seconds.toFixed(1)} s, ${(events / seconds).toFixed(0)} per second\n` +
      `latency: median ${at(0.5)} ms, 99th percentile ${at(0.99)} ms\n` +
      `stored: ${bytes === undefined ? 'not yet' : `${(bytes / keys).toFixed(0)} bytes per key`}\n` +
      `digest: ${combine(digests.map((hash) => hash.digest('hex')))}\n`,
  );
}

async function startWorkers(log: EventLog, values: WorkerValues, workers: number): Promise<() => Promise<void>> {
  if (values.nats !== undefined) {
    const shared = (['nats', 'folder', 'partitions', 'lease', 'snapshot'] as const).flatMap((name) => [
      `--${name}`,
      values[name]!,
    ]);
    const processes = startProcesses(workers, () => ['live-worker', ...shared]);
    return processes.stop;
  }
  const { partitions, snapshotEvery } = workerNumbers(values);
  const worker = await openWorker(log, values.folder, snapshotEvery);
  const stop = new AbortController();
  const running = worker.run(stop.signal);
  for (let partition = 0; partition < partitions; partition++) await worker.take(partition);
  return async () => {
    stop.abort();
    await running;
  };
}

/** Adds the key and the bits of a result to a hash. */
function digest(hash: ReturnType<typeof createHash>, { key, values }: LiveEvent): void {
  hash.update(Uint32Array.of(key)).update(Float32Array.from(values));
}

const combine = (hashes: readonly string[]): string =>
  createHash('sha256').update(hashes.join()).digest('hex').slice(0, 16);

/** The bytes of all states; undefined if workers that run elsewhere have not stored all of them yet. */
async function snapshotBytes(folder: string, partitions: number): Promise<number | undefined> {
  let bytes = 0;
  for (let partition = 0; partition < partitions; partition++) {
    const file = await stat(join(folder, 'states', `partition-${partition}.safetensors`)).catch(() => undefined);
    if (file === undefined) return undefined;
    bytes += file.size;
  }
  return bytes;
}
