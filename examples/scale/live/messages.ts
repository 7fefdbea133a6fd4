/**
 * The bytes of messages. A message of events has records of one key, a time and I values; a message of results has, for
 * every event, a record of the key, the time of the event and O values, after the position of the last event. A model
 * message switches the model of the partition for all later events.
 */

/** An event: the next values of a stream. */
export interface LiveEvent {
  /** From 0 to 2³² − 1. */
  readonly key: number;
  /** When it happened, in ms since 1970. */
  readonly time: number;
  readonly values: ArrayLike<number>;
}

/** A message to a partition. */
export type PartitionMessage =
  | { readonly kind: 'events'; readonly events: readonly LiveEvent[] }
  | { readonly kind: 'model'; readonly hash: string };

const [eventsKind, modelKind] = [0, 1];
const recordHead = 12;

/** The partition of a key. The multiplier spreads neighboring keys (Knuth, 1998, The Art of Computer Programming 3). */
export const partitionOf = (key: number, partitions: number): number => (Math.imul(key, 2654435761) >>> 0) % partitions;

function writeRecords(view: DataView, offset: number, events: readonly LiveEvent[]): void {
  for (const { key, time, values } of events) {
    view.setUint32(offset, key, true);
    view.setFloat64(offset + 4, time, true);
    for (let i = 0; i < values.length; i++) view.setFloat32(offset + recordHead + 4 * i, values[i]!, true);
    offset += recordHead + 4 * values.length;
  }
}

function readRecords(view: DataView, offset: number, width: number): readonly LiveEvent[] {
  const events: LiveEvent[] = [];
  for (; offset < view.byteLength; offset += recordHead + 4 * width) {
    const values = new Float32Array(width);
    for (let i = 0; i < width; i++) values[i] = view.getFloat32(offset + recordHead + 4 * i, true);
    events.push({ key: view.getUint32(offset, true), time: view.getFloat64(offset + 4, true), values });
  }
  return events;
}

const viewOf = (data: Uint8Array): DataView => new DataView(data.buffer, data.byteOffset, data.byteLength);

/** @param events all with the same number of values */
export function encodeEvents(events: readonly LiveEvent[]): Uint8Array {
  const width = events[0]?.values.length ?? 0;
  const data = new Uint8Array(4 + events.length * (recordHead + 4 * width));
  const view = viewOf(data);
  view.setUint16(0, eventsKind, true);
  view.setUint16(2, width, true);
  writeRecords(view, 4, events);
  return data;
}

export function encodeModel(hash: string): Uint8Array {
  return Uint8Array.from([modelKind, 0, 0, 0, ...new TextEncoder().encode(hash)]);
}

export function decodeMessage(data: Uint8Array): PartitionMessage {
  const view = viewOf(data);
  if (view.getUint16(0, true) === modelKind) return { kind: 'model', hash: new TextDecoder().decode(data.subarray(4)) };
  return { kind: 'events', events: readRecords(view, 4, view.getUint16(2, true)) };
}

/** The results of all events of a partition after those of the previous message, up to a position. */
export interface Results {
  /** The position of the last message whose events have results. */
  readonly position: number;
  readonly results: readonly LiveEvent[];
}

export function encodeResults({ position, results }: Results): Uint8Array {
  const width = results[0]?.values.length ?? 0;
  const data = new Uint8Array(12 + results.length * (recordHead + 4 * width));
  const view = viewOf(data);
  view.setFloat64(0, position, true);
  view.setUint32(8, width, true);
  writeRecords(view, 12, results);
  return data;
}

export function decodeResults(data: Uint8Array): Results {
  const view = viewOf(data);
  return { position: view.getFloat64(0, true), results: readRecords(view, 12, view.getUint32(8, true)) };
}
