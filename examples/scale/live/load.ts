/** Produces events at a given rate, and measures the time until their results are in the log. */

import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom, integerNumber, uniformNumber } from 'bptt';
import { messageOf, type Report } from '../jobs/job-queue';
import { untilDone } from '../jobs/retry';
import { type EventLog, eventsOf, resultsOf } from './event-log';
import { decodeResults, encodeEvents, encodeModel, type LiveEvent, partitionOf } from './messages';

/** The events to produce. The same options give the same keys and values. */
export interface LoadOptions {
  readonly partitions: number;
  /** Keys are from 0 to `keys` − 1. The first events have every key once, the others random ones. */
  readonly keys: number;
  readonly events: number;
  /** Events per second; as many as possible if it is infinite. */
  readonly rate: number;
  /** I, the number of values of an event. */
  readonly width: number;
  readonly seed: number;
  /** The index of the first event. Different calls for parts of the same events must not overlap. */
  readonly first: number;
}

/** The largest number of events of one message. */
const messageEvents = 256;

/** Switches all partitions to a model. */
export async function switchModel(log: EventLog, partitions: number, hash: string, report: Report): Promise<void> {
  for (let partition = 0; partition < partitions; partition++)
    await appendUntilCertain(log, eventsOf(partition), encodeModel(hash), `model-${hash}-${partition}`, report);
}

/** Appends a message; after an error, again with the same id, so that the log has it once. */
async function appendUntilCertain(
  log: EventLog,
  subject: string,
  data: Uint8Array,
  id: string,
  report: Report,
): Promise<void> {
  for (;;) {
    try {
      await log.append(subject, data, { id });
      return;
    } catch (error) {
      report(`${subject}: ${messageOf(error)}; trying again`);
      await sleep(200);
    }
  }
}

/**
 * Appends all events. Every partition has one message on its way, so that the order of its events is certain; events
 * that arrive meanwhile are in the next message.
 */
export async function produce(log: EventLog, options: LoadOptions, report: Report): Promise<void> {
  const { partitions, keys, events, rate, width, seed, first } = options;
  const random = createRandom(seed);
  const waiting = Array.from({ length: partitions }, (): LiveEvent[] => []);
  const sending = Array.from({ length: partitions }, () => Promise.resolve());
  const busy = new Array<boolean>(partitions).fill(false);
  const sent = new Array<number>(partitions).fill(0);
  const send = async (partition: number): Promise<void> => {
    busy[partition] = true;
    for (let list = waiting[partition]!; list.length > 0; ) {
      const id = `${seed}-${first}-${partition}-${sent[partition]!++}`;
      await appendUntilCertain(log, eventsOf(partition), encodeEvents(list.splice(0, messageEvents)), id, report);
    }
    busy[partition] = false;
  };
  const start = Date.now();
  for (let i = 0; i < events; ) {
    const due = Math.min(events, Math.floor(((Date.now() - start) / 1000) * rate), i + 4096);
    for (; i < due; i++) {
      const index = first + i;
      const key = index < keys ? index : integerNumber(random, keys);
      const values = Float32Array.from({ length: width }, () => uniformNumber(random, -1, 1));
      // The time at which the event should happen, so that a producer that is late counts as latency.
      const time = Number.isFinite(rate) ? start + (i / rate) * 1000 : Date.now();
      waiting[partitionOf(key, partitions)]!.push({ key, time, values });
    }
    for (let partition = 0; partition < partitions; partition++)
      if (!busy[partition] && waiting[partition]!.length > 0) sending[partition] = send(partition);
    // Without a rate, the log sets the pace.
    if (rate === Infinity) await Promise.all(sending);
    else await sleep(1);
  }
  await Promise.all(sending);
  for (let partition = 0; partition < partitions; partition++) await send(partition);
}

/** The results as they arrive. */
export interface Arrivals {
  readonly count: () => number;
  /** The times from each event to its result, in ms, in the order of arrival. */
  readonly latencies: () => readonly number[];
  readonly stop: () => Promise<void>;
}

/** Reads the results of all partitions, from the start of the log. */
export async function watchResults(
  log: EventLog,
  partitions: number,
  onResult: (partition: number, result: LiveEvent) => void,
  report: Report,
): Promise<Arrivals> {
  const latencies: number[] = [];
  const stops = await Promise.all(
    Array.from({ length: partitions }, (_, partition) =>
      untilDone(
        () =>
          log.read(resultsOf(partition), 0, (message) => {
            const now = Date.now();
            for (const result of decodeResults(message.data).results) {
              latencies.push(now - result.time);
              onResult(partition, result);
            }
            return undefined;
          }),
        report,
      ),
    ),
  );
  return {
    count: () => latencies.length,
    latencies: () => latencies,
    stop: async () => void (await Promise.all(stops.map((stop) => stop()))),
  };
}
