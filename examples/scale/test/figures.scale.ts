/**
 * Measures the figures of docs/guides/many-machines.md: `SCALE_TESTS=figures`. Nothing else should run meanwhile.
 */

import { cpus } from 'node:os';
import { describe, expect, it } from 'vitest';
import { mode } from './mode';
import { runProgram } from './program';
import { startNats, startPostgres, startRedis, temporaryFolder } from './servers';

const lines = Number(process.env['SCALE_LINES'] ?? 1_000_000);
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const numberIn = (output: string, pattern: RegExp): number => Number(pattern.exec(output)![1]);
const secondsOf = (output: string): number => numberIn(output, /in ([\d.]+) s/);

describe.runIf(mode === 'figures')('figures', () => {
  it('batch scoring', async () => {
    print(`Node ${process.version}, ${cpus()[0]!.model}, ${cpus().length} cores`);
    const [folder, remove] = await temporaryFolder();
    const [redisData, removeRedis] = await temporaryFolder();
    const [postgresData, removePostgres] = await temporaryFolder();
    const [redis, postgres] = [await startRedis(redisData), await startPostgres(postgresData)];
    const scoring = ['score', '--lines', String(lines)];
    await runProgram(...scoring, '--lines', '1', '--folder', `${folder}/tiny`);
    const first = await runProgram(...scoring, '--folder', `${folder}/alone`);
    const files = ['--input', `${folder}/alone/reviews-${lines}.jsonl`, '--model', `${folder}/alone/model.safetensors`];
    // Again, now that the file exists.
    const runs: Readonly<Record<string, readonly string[]>> = {
      'in process': [],
      'BullMQ, 1 worker': ['--queue', redis.url, '--workers', '1'],
      'BullMQ, 2 workers': ['--queue', redis.url, '--workers', '2'],
      'pg-boss, 1 worker': ['--queue', postgres.url, '--workers', '1'],
      'pg-boss, 2 workers': ['--queue', postgres.url, '--workers', '2'],
    };
    expect(secondsOf(first)).toBeGreaterThan(0);
    for (const [i, [name, options]] of Object.entries(runs).entries()) {
      const output = await runProgram(...scoring, ...files, '--folder', `${folder}/${i}`, ...options);
      print(
        `${name}: ${(lines / secondsOf(output)).toFixed(0)} sequences per second; ${output.trim().split('\n').at(-1)}`,
      );
    }
    await Promise.all([redis.kill(), postgres.kill()]);
    await Promise.all([remove(), removeRedis(), removePostgres()]);
  });

  it('live streams', async () => {
    const [folder, remove] = await temporaryFolder();
    const keys = ['--keys', '100000', '--partitions', '16'];
    print(`in process: ${await runProgram('live', ...keys, '--events', '400000', '--folder', `${folder}/alone`)}`);
    for (const workers of ['1', '2'])
      for (const [events, rate] of [
        ['400000', 'Infinity'],
        ['150000', '10000'],
      ] as const) {
        const [data, removeData] = await temporaryFolder();
        const server = await startNats(data);
        const own = ['--folder', `${folder}/${workers}-${rate}`, '--nats', server.url, '--workers', workers];
        const output = await runProgram('live', ...keys, '--events', events, '--rate', rate, ...own);
        print(`workers: ${workers}, ${rate} events per second offered:\n${output}`);
        await server.kill();
        await removeData();
      }
    await remove();
  });
});
