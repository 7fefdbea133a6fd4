/** Live streams: no event is lost, none counts twice, and the bits are those of one worker. */

import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom, integerNumber, type Random, uniformNumber } from 'bptt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EventLog, resultsOf } from '../live/event-log';
import { inProcessLog } from '../live/in-process-log';
import { connectTo, jetstreamLog } from '../live/jetstream-log';
import { produce, switchModel, watchResults } from '../live/load';
import { encodeResults } from '../live/messages';
import { createModelFile, eventWidth } from '../live/model';
import { poolCache } from '../live/partition';
import { snapshotFolder } from '../live/snapshots';
import { createStreamWorker } from '../live/stream-worker';
import { isLong } from './mode';
import { childrenOf, hasFiles, killProcess, runProgram, startProgram, until } from './program';
import { startNats, startProxy, type TestServer, temporaryFolder, withServer } from './servers';

let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  [folder, remove] = await temporaryFolder();
});
afterAll(() => remove());

const [partitions, keys, events] = [3, 50, 3000];
const silent = (): void => undefined;
const digestOf = (output: string): string => /digest: (\w+)/.exec(output)![1]!;

/** Appends the messages of a load with a change of the model in the middle. */
async function fill(log: EventLog): Promise<void> {
  const load = { partitions, keys, rate: Infinity, width: eventWidth, events: events / 2 };
  await switchModel(log, partitions, '1', silent);
  await produce(log, { ...load, seed: 1, first: 0 }, silent);
  await switchModel(log, partitions, '2', silent);
  await produce(log, { ...load, seed: 2, first: events / 2 }, silent);
}

/** Waits for all results, and returns the key and the bits of each, in order, as one hash per partition. */
async function resultHashes(log: EventLog): Promise<readonly string[]> {
  const hashes = Array.from({ length: partitions }, () => createHash('sha256'));
  const arrivals = await watchResults(
    log,
    partitions,
    (partition, { key, values }) => {
      hashes[partition]!.update(Uint32Array.of(key)).update(Float32Array.from(values));
    },
    silent,
  );
  while (arrivals.count() < events) await sleep(5);
  // Anything twice would come now.
  await sleep(100);
  expect(arrivals.count()).toBe(events);
  await arrivals.stop();
  return hashes.map((hash) => hash.digest('hex'));
}

/** Opens a worker on all partitions. */
async function startWorker(log: EventLog, states: string): Promise<AbortController> {
  const snapshots = snapshotFolder(states, log.id);
  const poolOf = poolCache(async (seed) => createModelFile(Number(seed)));
  const worker = createStreamWorker({ log, snapshots, poolOf, snapshotEvery: 20, report: silent });
  const stop = new AbortController();
  void worker.run(stop.signal);
  for (let partition = 0; partition < partitions; partition++) await worker.take(partition);
  return stop;
}

/** A log whose appends fail at random, before or after the message is in the log, and take a while. */
const unreliable = (log: EventLog, random: Random): EventLog => ({
  ...log,
  async append(subject, data, options) {
    const draw = uniformNumber(random);
    await sleep(integerNumber(random, 3));
    if (draw < 0.1) throw new Error('The connection was lost before the message arrived.');
    const position = await log.append(subject, data, options);
    if (draw < 0.2) throw new Error('The connection was lost before the response arrived.');
    return position;
  },
});

it('workers that take over from others, which continue all the same, give every result once', async () => {
  const reference = inProcessLog();
  mkdirSync(`${folder}/one`);
  await fill(reference);
  const one = await startWorker(reference, `${folder}/one`);
  const expected = await resultHashes(reference);
  one.abort();
  for (const seed of [1, 2, 3]) {
    const random = createRandom(seed);
    const shared = inProcessLog();
    const log = unreliable(shared, random);
    mkdirSync(`${folder}/several-${seed}`);
    await fill(log);
    const workers: AbortController[] = [];
    const hashes = resultHashes(shared);
    for (let i = 0; i < 4; i++) {
      workers.push(await startWorker(log, `${folder}/several-${seed}`));
      await sleep(30);
    }
    // The last worker may have lost partitions to an earlier one, which no longer exists after this.
    for (const worker of workers) worker.abort();
    await sleep(300);
    const last = await startWorker(shared, `${folder}/several-${seed}`);
    expect(await hashes).toEqual(expected);
    last.abort();
  }
});

it('a partition whose events cannot be read is not taken, and can be taken later', async () => {
  const log = inProcessLog();
  let fails = true;
  const failing: EventLog = {
    ...log,
    async read(...options) {
      if (fails) throw new Error('The server is away.');
      return log.read(...options);
    },
  };
  mkdirSync(`${folder}/away`);
  const snapshots = snapshotFolder(`${folder}/away`, log.id);
  const poolOf = poolCache(async (seed) => createModelFile(Number(seed)));
  const worker = createStreamWorker({ log: failing, snapshots, poolOf, snapshotEvery: 20, report: silent });
  const stop = new AbortController();
  const running = worker.run(stop.signal);
  await expect(worker.take(0)).rejects.toThrow('The server is away.');
  expect(worker.partitions()).toEqual([]);
  fails = false;
  await worker.take(0);
  expect(worker.partitions()).toEqual([0]);
  stop.abort();
  await running;
});

it('a worker that has lost a partition to another one stores no states of it', async () => {
  const log = inProcessLog();
  let reject = (): void => undefined;
  const rejected = new Promise<void>((resolve) => {
    reject = resolve;
  });
  const watched: EventLog = {
    ...log,
    async append(...options) {
      const position = await log.append(...options);
      if (position === undefined) reject();
      return position;
    },
  };
  const states = `${folder}/lost`;
  mkdirSync(states);
  const poolOf = poolCache(async (seed) => createModelFile(Number(seed)));
  const snapshots = snapshotFolder(states, log.id);
  const worker = createStreamWorker({ log: watched, snapshots, poolOf, snapshotEvery: 600_000, report: silent });
  const stop = new AbortController();
  const running = worker.run(stop.signal);
  await switchModel(log, 1, '1', silent);
  await worker.take(0);
  const other = encodeResults({ position: 1, results: [] });
  await log.append(resultsOf(0), other);
  const load = { partitions: 1, keys: 5, rate: Infinity, width: eventWidth, events: 5 };
  await produce(log, { ...load, seed: 1, first: 0 }, silent);
  await rejected;
  await worker.release(0);
  expect(hasFiles(states)).toBe(false);
  expect((await log.last(resultsOf(0)))?.data).toEqual(other);
  stop.abort();
  await running;
});

it('a second run in the same folder does not continue the states of the first one', async () => {
  const run = (): Promise<string> => runProgram('live', '--events', '2000', '--folder', `${folder}/again`);
  const first = digestOf(await run());
  expect(digestOf(await run())).toBe(first);
}, 60_000);

it('a log with events of an earlier run is not used again, and workers elsewhere need not have stored states', () =>
  withServer(startNats, async (server) => {
    const shared = ['--nats', server.url, '--folder', `${folder}/elsewhere`];
    const worker = startProgram('live-worker', ...shared);
    expect(await runProgram('live', ...shared, '--events', '2000', '--workers', '0')).toContain(
      'results: 2000 of 2000',
    );
    const second = startProgram('live', ...shared, '--events', '2000', '--workers', '0');
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain('live: the log must be empty, got events.');
    worker.child.kill('SIGTERM');
    expect(await worker.ended, worker.output()).toBe(0);
  }));

describe.concurrent('with JetStream', () => {
  const rate = isLong ? 2000 : 3000;
  const count = isLong ? 60_000 : 18_000;
  const options = ['live', '--keys', '500', '--events', String(count), '--partitions', '6', '--switch'];
  let expected: string;
  beforeAll(async () => {
    expected = digestOf(await runProgram(...options, '--folder', `${folder}/alone`));
  });

  /**
   * Runs the load with two workers while a function disturbs it, and checks that the results are those of one worker.
   */
  const withDisturbance = (
    name: string,
    disturb: (program: ReturnType<typeof startProgram>, server: TestServer) => Promise<void>,
  ): Promise<void> =>
    withServer(startNats, async (server) => {
      const own = ['--folder', `${folder}/${name}`, '--nats', server.url, '--workers', '2', '--rate', String(rate)];
      const program = startProgram(...options, ...own, '--lease', '1000', '--snapshot', '500');
      await until(program, 'states are stored', () => hasFiles(`${folder}/${name}/states`));
      await disturb(program, server);
      expect(await program.ended, program.output()).toBe(0);
      expect(digestOf(program.output())).toBe(expected);
      const log = await jetstreamLog(await connectTo(server.url));
      const arrivals = await watchResults(log, 6, silent, silent);
      await sleep(1500);
      expect(arrivals.count()).toBe(count);
      await arrivals.stop();
      await log.close();
    });

  it('killed workers lose no event and apply none twice', () =>
    withDisturbance('killed', async (program) => {
      for (let i = 0; i < (isLong ? 15 : 3); i++) {
        const workers = childrenOf(program);
        killProcess(workers[i % workers.length]!);
        await sleep(1200);
      }
    }));

  it('a server that is killed and started again loses nothing', () =>
    withDisturbance('restarted', async (_, server) => {
      await server.kill();
      await sleep(1000);
      await server.start();
    }));

  it('a connection that is lost for ten seconds loses nothing', () =>
    withServer(startNats, async (server) => {
      const proxy = await startProxy(server.port);
      try {
        const own = ['--folder', `${folder}/cut`, '--nats', `nats://127.0.0.1:${proxy.port}`, '--workers', '2'];
        const speeds = ['--rate', String(rate), '--lease', '1000', '--snapshot', '500'];
        const program = startProgram(...options, ...own, ...speeds);
        await until(program, 'states are stored', () => hasFiles(`${folder}/cut/states`));
        await proxy.cut(10_000);
        expect(await program.ended, program.output()).toBe(0);
        expect(digestOf(program.output())).toBe(expected);
      } finally {
        proxy.close();
      }
    }));
});
