/** Workers that are asked to end: the queue closes last, and another worker continues their job. */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openQueue } from '../jobs/open-queue';
import { hasFiles, runProgram, startProgram, until } from './program';
import { queueServers, temporaryFolder, withServer } from './servers';

const plan = ['sweep', '--task', 'weather', '--trials', '1', '--folds', '2', '--epochs', '60'];
let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  [folder, remove] = await temporaryFolder();
  await runProgram(...plan, '--folder', `${folder}/alone`);
});
afterAll(() => remove());

it.concurrent.each(queueServers)('with %s, a worker that is asked to end waits for its job', (_, start) =>
  withServer(start, async (server) => {
    const reports: string[] = [];
    const queue = await openQueue(server.url, { lost: 10, retry: 1 }, (message) => reports.push(message));
    await queue.add([{ id: 'job', data: {} }]);
    const stop = new AbortController();
    let ended = false;
    await queue.serve(async () => {
      stop.abort();
      await sleep(300);
      ended = true;
    }, stop.signal);
    expect(ended).toBe(true);
    await queue.close();
    expect(reports).toEqual([]);
  }),
);

it.concurrent.each(queueServers)(
  'with %s, a worker that is asked to end leaves its training to another',
  (name, start) =>
    withServer(start, async (server) => {
      const run = `${folder}/${name}`;
      const shared = ['--folder', run, '--queue', server.url, '--every', '5'];
      const coordinator = startProgram(...plan, ...shared, '--workers', '0');
      const first = startProgram('worker', ...shared);
      await until(first, 'a training has a checkpoint', () => hasFiles(`${run}/checkpoints`, '.safetensors'));
      first.child.kill('SIGTERM');
      expect(await first.ended, first.output()).toBe(0);
      expect(first.output()).toMatch(/^\S+-epochs60: stopped at update \d+; left to another worker\n$/);
      expect(hasFiles(`${run}/results`)).toBe(false);
      const second = startProgram('worker', ...shared);
      expect(await coordinator.ended, coordinator.output()).toBe(0);
      second.child.kill('SIGTERM');
      expect(await second.ended, second.output()).toBe(0);
      expect(second.output()).toMatch(/^\S+-epochs60: continues at update \d+\n$/);
      expect(readFileSync(`${run}/table.json`, 'utf8')).toBe(readFileSync(`${folder}/alone/table.json`, 'utf8'));
    }),
);
