/** Sweeps: the result does not depend on the engine, on the number of workers, or on how often they die. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom, integerNumber, uniformNumber } from 'bptt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { computeIn, openFolder } from '../compute';
import { inProcessQueue } from '../jobs/in-process-queue';
import { folderStore } from '../jobs/result-store';
import { workOn } from '../jobs/work';
import { gridTrials, randomTrials } from '../sweep/space';
import { runSweep } from '../sweep/sweep';
import { tasks } from '../sweep/task';
import { isLong } from './mode';
import { childrenOf, hasFiles, killProcess, type Program, runProgram, startProgram, until } from './program';
import { queueServers, startRedis, temporaryFolder, withServer } from './servers';

const plan = isLong
  ? ['sweep', '--task', 'sentiment', '--search', 'halving', '--trials', '16', '--epochs', '2', '--rungs', '3']
  : ['sweep', '--task', 'weather', '--search', 'halving', '--trials', '4', '--epochs', '4', '--rungs', '2'];
const firstRung = isLong ? /-epochs2: continues at update \d+/ : /-epochs4: continues at update \d+/;
let folder: string;
let remove: () => Promise<void>;
let undisturbed: string;

const tableOf = (run: string): string => readFileSync(`${folder}/${run}/table.json`, 'utf8');

beforeAll(async () => {
  [folder, remove] = await temporaryFolder();
  await runProgram(...plan, '--folder', `${folder}/alone`);
  undisturbed = tableOf('alone');
});
afterAll(() => remove());

/**
 * Runs the sweep with three workers. Kills all of them when a training has a checkpoint, which interrupts that
 * training, and random ones at random times. Then kills the coordinator, whose workers stop with it, and random workers
 * again until the sweep has ended.
 */
async function runDisturbed(run: string, url: string, seed: number): Promise<string> {
  const random = createRandom(seed);
  const shared = ['--folder', `${folder}/${run}`, '--queue', url, '--workers', '3'];
  const options = [...plan, ...shared, '--lost', '2', '--every', '5'];
  const killWorkers = async (program: Program, times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      await sleep(uniformNumber(random, 0, 2000));
      const workers = childrenOf(program);
      if (workers.length > 0) killProcess(workers[integerNumber(random, workers.length)]!);
    }
  };
  const first = startProgram(...options);
  await until(first, 'a training has a checkpoint', () => hasFiles(`${folder}/${run}/checkpoints`, '.safetensors'));
  childrenOf(first).forEach(killProcess);
  await killWorkers(first, 2);
  killProcess(first.child.pid!);
  await first.ended;
  const second = startProgram(...options);
  await Promise.race([second.ended, killWorkers(second, isLong ? 20 : 2)]);
  expect(await second.ended, second.output()).toBe(0);
  return first.output() + second.output();
}

it.concurrent.each(queueServers)(
  'with %s, killed workers and a killed coordinator do not change a bit of the table',
  (name, start) =>
    withServer(start, async (server) => {
      const output = await runDisturbed(name, server.url, 1);
      expect(tableOf(name)).toBe(undisturbed);
      // Trainings were interrupted: some of the first rung, whose first delivery has no checkpoint, continued.
      expect(output).toMatch(firstRung);
    }),
);

it('a worker ends if the process that started it has ended before it was ready', () =>
  withServer(startRedis, async (server) => {
    const options = ['worker', '--queue', server.url, '--folder', `${folder}/orphan`];
    const { child, output } = startProgram(...options);
    // Not `ended`: a child whose channel was closed from here emits no `close`.
    const exit = once(child, 'exit');
    child.disconnect();
    expect((await exit)[0], output()).toBe(0);
  }));

it('a trial that diverges fails alone, with its reason', async () => {
  const run = await openFolder(`${folder}/diverging`);
  const queue = inProcessQueue({ lost: 1, retry: 0.1 }, () => undefined);
  const stop = new AbortController();
  const serving = workOn(
    queue,
    run.results,
    computeIn(run, 10, () => undefined),
    stop.signal,
  );
  const settings = { hiddenSize: 8, dropout: 0 };
  const trials = [1e-2, 1e38, 2e-2].map((learningRate, number) => ({
    number,
    settings: { ...settings, learningRate },
  }));
  const sweep = { task: 'weather', trials, folds: 2, rungs: [{ epochs: 1, trials: 3 }] } as const;
  const rows = await runSweep(sweep, queue, folderStore(`${folder}/diverging/results`), () => undefined);
  stop.abort();
  await serving;
  expect(rows.map(({ number }) => number)).toEqual([...rows.slice(0, 2).map(({ number }) => number), 1]);
  expect(rows[2]!.failed).toMatch(/^fit: .*not be finite at step 1|^fit: .*was not finite at step \d/);
  expect(rows.slice(0, 2).every(({ loss }) => Number.isFinite(loss))).toBe(true);
});

it('a grid has all combinations, and a random search starts with the same trials', () => {
  const { space } = tasks.weather;
  const grid = gridTrials(space, 3);
  expect(new Set(grid.map(({ settings }) => JSON.stringify(settings))).size).toBe(3 * 4 * 3);
  expect(randomTrials(space, 3, 7)).toEqual(randomTrials(space, 9, 7).slice(0, 3));
});
