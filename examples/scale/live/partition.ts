/** The streams of one partition, in the pool of their model. */

import { createStreamPool, load, type StreamPool, type Tensor } from 'bptt';
import type { LiveEvent } from './messages';
import type { Snapshot } from './snapshots';

/** Returns the pool of a model. All partitions of a worker share it, so that their streams run in one batch. */
export type PoolOf = (hash: string) => Promise<StreamPool>;

/** Loads each model once. @param readModel reads the file that `save` has written */
export function poolCache(readModel: (hash: string) => Promise<Uint8Array>): PoolOf {
  const pools = new Map<string, Promise<StreamPool>>();
  return (hash) => {
    const existing = pools.get(hash);
    if (existing !== undefined) return existing;
    const pool = readModel(hash).then((file) => createStreamPool(load(file).model));
    pool.catch(() => pools.delete(hash));
    pools.set(hash, pool);
    return pool;
  };
}

/** The streams of a partition by key. */
export interface PartitionStreams {
  readonly pool: () => StreamPool;
  /** The number of the stream of a key, which begins with its first event. */
  readonly numberOf: (key: number) => number;
  /** Moves all streams to another model, whose states must have the same shapes. */
  readonly switchTo: (model: string) => Promise<void>;
  /** Copies all states. */
  readonly snapshot: (position: number) => Snapshot;
  /** Closes all streams. */
  readonly close: () => void;
}

/** Continues the streams of a snapshot. */
export async function openPartition(start: Snapshot, poolOf: PoolOf): Promise<PartitionStreams> {
  let { model } = start;
  let pool: StreamPool | undefined;
  const numbers = new Map<number, number>();
  const restore = async (snapshot: Snapshot): Promise<void> => {
    model = snapshot.model;
    if (model === '') return;
    const next = await poolOf(model);
    pool = next;
    for (const key of snapshot.keys) numbers.set(key, next.open());
    if (numbers.size > 0) next.write([...numbers.values()], snapshot.states);
  };
  const current = (): StreamPool => {
    if (pool === undefined) throw new RangeError('a partition must have a model before its first event.');
    return pool;
  };
  const snapshot = (position: number): Snapshot => {
    const states = numbers.size > 0 ? current().read([...numbers.values()]) : {};
    return { position, model, keys: Uint32Array.from(numbers.keys()), states };
  };
  const close = (): void => {
    for (const number of numbers.values()) pool?.close(number);
    numbers.clear();
  };
  await restore(start);
  return {
    pool: current,
    numberOf(key) {
      const number = numbers.get(key) ?? current().open();
      numbers.set(key, number);
      return number;
    },
    async switchTo(next) {
      const moved = { ...snapshot(0), model: next };
      close();
      await restore(moved);
    },
    snapshot,
    close,
  };
}

/** An event with its stream, and a place for its result. */
export interface Step {
  readonly number: number;
  readonly event: LiveEvent;
  output: Float32Array;
}

/**
 * Runs the steps of one pool. All first events of the streams run as one batch, then all second events, and so on: a
 * stream gets its events in their order, and the order between streams does not matter.
 */
export function runSteps(pool: StreamPool, steps: readonly Step[]): void {
  const rounds: Step[][] = [];
  const counts = new Map<number, number>();
  for (const step of steps) {
    const round = counts.get(step.number) ?? 0;
    counts.set(step.number, round + 1);
    rounds[round] ??= [];
    rounds[round].push(step);
  }
  const width = pool.inputSize as number;
  for (const round of rounds) {
    const x: Tensor = { shape: [round.length, width], data: new Float32Array(round.length * width) };
    round.forEach(({ event }, row) => x.data.set(event.values, row * width));
    const numbers = round.map(({ number }) => number);
    const { data } = pool.advance(numbers, x);
    round.forEach((step, row) => {
      step.output = data.subarray(row * pool.outputSize, (row + 1) * pool.outputSize);
    });
  }
}
