/**
 * A worker that runs the streams of some partitions. The order of its steps makes every event count exactly once:
 *
 * 1. Apply events to the states in memory, in the order of their positions.
 * 2. Append the results, on the condition that no other worker has appended results since.
 * 3. From time to time, store the states together with the position of the last event that they contain, after the
 *    results of that event are in the log.
 *
 * A worker that takes a partition over continues from the stored states. It applies the events after their position
 * again, which gives the same bits, but appends no results that are in the log already. If two workers believe that
 * they own a partition, the condition of step 2 stops one of them.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamPool } from 'bptt';
import { messageOf, type Report } from '../jobs/job-queue';
import { type EventLog, eventsOf, type Message, resultsOf } from './event-log';
import { decodeMessage, decodeResults, encodeResults, type LiveEvent } from './messages';
import { openPartition, type PartitionStreams, type PoolOf, runSteps, type Step } from './partition';
import type { SnapshotStore } from './snapshots';

/** A partition of this worker. */
interface Owned {
  readonly partition: number;
  readonly streams: PartitionStreams;
  /** The position of the last event in the states. */
  applied: number;
  /** The position of the last event whose results are in the log, and that of the results themselves. */
  published: number;
  results: number;
  /** The position in the stored states. */
  stored: number;
  /** Whether another worker has appended results. */
  lost: boolean;
  stop: () => Promise<void>;
}

/** A worker for live streams. */
export interface StreamWorker {
  /** Takes a partition over. */
  readonly take: (partition: number) => Promise<void>;
  /** Stores the states of a partition, and forgets it. */
  readonly release: (partition: number) => Promise<void>;
  /** The partitions that this worker has. */
  readonly partitions: () => readonly number[];
  /** Runs until the signal aborts, and then releases all partitions. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/** The parts of a worker. */
export interface StreamWorkerOptions {
  readonly log: EventLog;
  readonly snapshots: SnapshotStore;
  readonly poolOf: PoolOf;
  /** The time between two snapshots of a partition, in ms. */
  readonly snapshotEvery: number;
  readonly report: Report;
}

/** The largest number of messages that wait in memory, and that are applied together. */
const [mostWaiting, mostTogether] = [2000, 500];

export function createStreamWorker(options: StreamWorkerOptions): StreamWorker {
  const { log, snapshots, poolOf, snapshotEvery, report } = options;
  const owned = new Map<number, Owned>();
  let inbox: { readonly owner: Owned; readonly message: Message }[] = [];
  let wake = (): void => undefined;
  let room = (): void => undefined;
  /** Changes of the partitions wait until the loop is between two rounds. */
  const changes: (() => Promise<void>)[] = [];
  const between = (change: () => Promise<void>): Promise<void> =>
    new Promise((resolve, reject) => {
      changes.push(() => change().then(resolve, reject));
      wake();
    });

  const forget = async (owner: Owned): Promise<void> => {
    owned.delete(owner.partition);
    inbox = inbox.filter((waiting) => waiting.owner !== owner);
    room();
    owner.streams.close();
    // Not awaited: the reader may be waiting for room.
    void owner.stop().catch(() => undefined);
  };
  const store = async (owner: Owned): Promise<void> => {
    // Results that are not in the log would be lost: nobody would apply their events again.
    if (owner.lost || owner.stored === owner.applied) return;
    const snapshot = owner.streams.snapshot(owner.applied);
    try {
      await snapshots.write(owner.partition, snapshot);
      owner.stored = snapshot.position;
    } catch (error) {
      // The old snapshot is still there. Without the new one, more events are applied again after a crash.
      report(`partition ${owner.partition}: no snapshot: ${messageOf(error)}`);
    }
  };
  const take = async (partition: number): Promise<void> => {
    if (owned.has(partition)) return;
    // The last results first: a snapshot that is read later cannot be older than they allow.
    const last = await log.last(resultsOf(partition));
    const start = (await snapshots.read(partition)) ?? { position: 0, model: '', keys: new Uint32Array(0), states: {} };
    const owner: Owned = {
      partition,
      streams: await openPartition(start, poolOf),
      applied: start.position,
      published: last === undefined ? 0 : decodeResults(last.data).position,
      results: last?.position ?? 0,
      stored: start.position,
      lost: false,
      stop: async () => undefined,
    };
    owned.set(partition, owner);
    const receive = (message: Message): Promise<void> | undefined => {
      if (owned.get(partition) !== owner) return undefined;
      inbox.push({ owner, message });
      wake();
      if (inbox.length < mostWaiting) return undefined;
      return new Promise((resolve) => {
        const previous = room;
        room = () => {
          previous();
          resolve();
        };
      });
    };
    try {
      owner.stop = await log.read(eventsOf(partition), start.position, receive);
    } catch (error) {
      // Without this, the partition would count as taken, and nobody would read its events.
      await forget(owner);
      throw error;
    }
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    let appending: Promise<unknown> = Promise.resolve();
    let due = performance.now() + snapshotEvery;
    signal.addEventListener('abort', () => wake(), { once: true });
    while (!signal.aborted) {
      const isDue = performance.now() > due;
      if (changes.length > 0 || isDue) {
        await appending;
        for (const change of changes.splice(0)) await change();
        for (const owner of [...owned.values()]) {
          if (owner.lost) await forget(owner);
          else if (isDue) await store(owner);
        }
        if (isDue) due = performance.now() + snapshotEvery;
      }
      const batch = inbox.splice(0, mostTogether);
      room();
      room = () => undefined;
      if (batch.length === 0) {
        const timer = setTimeout(() => wake(), 50);
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (inbox.length > 0 || changes.length > 0 || signal.aborted) resolve();
        });
        clearTimeout(timer);
        continue;
      }
      const results = await apply(batch);
      await appending;
      appending = Promise.all(results.map(([owner, list]) => publish(log, owner, list, signal, report)));
    }
    await appending;
    for (const owner of [...owned.values()]) {
      await store(owner);
      await forget(owner);
    }
  };
  return {
    take: (partition) => between(() => take(partition)),
    release: (partition) =>
      between(async () => {
        const owner = owned.get(partition);
        if (owner === undefined) return;
        await store(owner);
        await forget(owner);
      }),
    partitions: () => [...owned.keys()],
    run,
  };
}

/** The events of some messages that have not been applied, and their results by partition. */
async function apply(
  batch: readonly { readonly owner: Owned; readonly message: Message }[],
): Promise<readonly (readonly [Owned, readonly Step[]])[]> {
  const byOwner = new Map<Owned, Step[]>();
  let byPool = new Map<StreamPool, Step[]>();
  const flush = (): void => {
    for (const [pool, steps] of byPool) runSteps(pool, steps);
    byPool = new Map();
  };
  for (const { owner, message } of batch) {
    if (message.position <= owner.applied) continue;
    const decoded = decodeMessage(message.data);
    if (decoded.kind === 'model') {
      // The events before it belong to the old model.
      flush();
      await owner.streams.switchTo(decoded.hash);
    } else {
      const pool = owner.streams.pool();
      const steps = decoded.events.map(
        (event): Step => ({ number: owner.streams.numberOf(event.key), event, output: noOutput }),
      );
      addAll(byPool, pool, steps);
      // Results that are in the log already are not appended again.
      if (message.position > owner.published) addAll(byOwner, owner, steps);
    }
    owner.applied = message.position;
  }
  flush();
  return [...byOwner];
}

function addAll<K>(lists: Map<K, Step[]>, key: K, steps: readonly Step[]): void {
  const list = lists.get(key) ?? [];
  for (const step of steps) list.push(step);
  lists.set(key, list);
}

const noOutput = new Float32Array(0);

/** Appends the results of a partition, up to the last event that is applied, and tries again until it is certain. */
async function publish(
  log: EventLog,
  owner: Owned,
  steps: readonly Step[],
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  if (owner.lost) return;
  const position = owner.applied;
  const results = steps.map(({ event, output }): LiveEvent => ({ ...event, values: output }));
  const data = encodeResults({ position, results });
  const subject = resultsOf(owner.partition);
  while (!owner.lost) {
    try {
      const appended = await log.append(subject, data, { after: owner.results });
      if (appended === undefined) owner.lost = true;
      else [owner.results, owner.published] = [appended, position];
      return;
    } catch (error) {
      report(`partition ${owner.partition}: ${messageOf(error)}; trying again`);
      if (signal.aborted) {
        owner.lost = true;
        return;
      }
      await sleep(200);
      // The message may have been appended, although there was no response.
      const last = await log.last(subject).catch(() => undefined);
      if (last !== undefined && last.position > owner.results && decodeResults(last.data).position === position) {
        [owner.results, owner.published] = [last.position, position];
        return;
      }
    }
  }
}
