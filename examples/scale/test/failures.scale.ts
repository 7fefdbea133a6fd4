/** Job queues and folders that fail for a while: nothing is lost. */

import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isLong } from './mode';
import { hasFiles, type Program, runProgram, startProgram, until } from './program';
import { startNats, startPostgres, startProxy, startRedis, temporaryFolder, withServer } from './servers';

let folder: string;
let remove: () => Promise<void>;
const lines = isLong ? '400000' : '60000';
const scoring = ['score', '--chunk', '500', '--lines', lines];
let expected: Uint8Array;
beforeAll(async () => {
  [folder, remove] = await temporaryFolder();
  await runProgram(...scoring, '--folder', `${folder}/alone`);
  expected = readFileSync(`${folder}/alone/scores.jsonl`);
});
afterAll(() => remove());

const start = (name: string, queue: string): Program =>
  startProgram(
    ...[
      ...scoring,
      '--input',
      `${folder}/alone/reviews-${lines}.jsonl`,
      '--model',
      `${folder}/alone/model.safetensors`,
    ],
    ...['--folder', `${folder}/${name}`, '--queue', queue, '--workers', '1', '--lost', '2'],
  );

/** Waits until the program has printed a text. */
const printed = (program: Program, text: string): Promise<void> =>
  until(program, `it prints ${text}`, () => program.output().includes(text));

async function expectScores(program: Program, name: string): Promise<void> {
  expect(await program.ended, program.output()).toBe(0);
  expect(readFileSync(`${folder}/${name}/scores.jsonl`).equals(expected)).toBe(true);
}

describe.concurrent('a queue that fails', () => {
  const servers = { Redis: startRedis, PostgreSQL: startPostgres };

  it.each(Object.entries(servers))('%s is killed and started again', (name, startServer) =>
    withServer(startServer, async (server) => {
      const program = start(`killed-${name}`, server.url);
      await printed(program, 'chunks');
      await server.kill();
      await sleep(1000);
      expect(program.child.exitCode).toBe(null);
      await server.start();
      await expectScores(program, `killed-${name}`);
    }),
  );

  it.each(Object.entries(servers))('the connection to %s is lost for ten seconds', (name, startServer) =>
    withServer(startServer, async (server) => {
      const proxy = await startProxy(server.port);
      const program = start(`cut-${name}`, server.url.replace(`:${server.port}`, `:${proxy.port}`));
      await printed(program, 'chunks');
      await proxy.cut(10_000);
      expect(program.child.exitCode).toBe(null);
      await expectScores(program, `cut-${name}`);
      proxy.close();
    }),
  );
});

// A small file system in memory, which only root can mount.
describe.runIf(process.getuid!() === 0).concurrent('a full disk', () => {
  /** Runs `body` with a file system of some kilobytes, mounted at a new folder. */
  async function withSmallDisk(name: string, kilobytes: number, body: (path: string) => Promise<void>): Promise<void> {
    const path = `${folder}/${name}`;
    await mkdir(path);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', path]);
    try {
      await body(path);
    } finally {
      execFileSync('umount', ['-l', path]);
    }
  }

  /** Fills the disk to the last byte. */
  function fillUp(path: string): void {
    expect(() => writeFileSync(`${path}/ballast`, new Uint8Array(1 << 26))).toThrow('ENOSPC');
  }

  it('for the results and the output of a scoring', () =>
    withSmallDisk('full-score', 16_000, (disk) =>
      withServer(startRedis, async (server) => {
        const program = start('full-score', server.url);
        await printed(program, 'chunks');
        fillUp(disk);
        await printed(program, 'ENOSPC');
        await sleep(1000);
        rmSync(`${disk}/ballast`);
        await expectScores(program, 'full-score');
      }),
    ));

  it('for the log and the states of live streams', () =>
    withSmallDisk('full-live', 40_000, async (disk) => {
      const [log, states] = [`${disk}/log`, `${disk}/run`];
      await mkdir(log);
      const options = ['live', '--keys', '500', '--events', '12000', '--partitions', '4'];
      const digestOf = (output: string): string => /digest: (\w+)/.exec(output)![1]!;
      const undisturbed = digestOf(await runProgram(...options, '--folder', `${folder}/live-alone`));
      const server = await startNats(log);
      try {
        const times = ['--rate', '2000', '--lease', '1000', '--snapshot', '500'];
        const program = startProgram(...options, '--folder', states, '--nats', server.url, ...times);
        await until(program, 'states are stored', () => hasFiles(`${states}/states`));
        fillUp(disk);
        // The server or a snapshot fails first.
        await printed(program, 'trying again');
        await sleep(1000);
        rmSync(`${disk}/ballast`);
        // A NATS server that could not write stops JetStream until it is started again.
        await server.kill();
        await server.start();
        expect(await program.ended, program.output()).toBe(0);
        expect(digestOf(program.output())).toBe(undisturbed);
      } finally {
        await server.kill();
      }
    }));
});
