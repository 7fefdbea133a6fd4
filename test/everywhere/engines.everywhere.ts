/** The same bits in every engine, for each implementation of the kernels. */

import { expect, it } from 'vitest';
import type { Results } from './programs/results.ts';
import type { Threads } from './programs/threads.ts';
import { expectReference, hasAvx2, type Kernels, kernelsOf, reference } from './reference.ts';
import { record } from './rows.ts';
import { build, installed, node, run } from './run.ts';
import { versionOf } from './version.ts';

const deno = installed('@deno/linux-x64-glibc/deno');
const bun = installed('@oven/bun-linux-x64/bin/bun');
const workerd = installed('@cloudflare/workerd-linux-64/bin/workerd');

interface Engine {
  readonly name: string;
  readonly version: string;
  readonly command: readonly [string, ...string[]];
  /** The kernels that it supports; the library selects the last of them, but `wide` only on request. */
  readonly kernels: readonly Kernels[];
}

const withoutWide: Kernels[] = ['portable', 'simd', 'relaxed'];
const withWide: Kernels[] = hasAvx2 ? [...withoutWide, 'wide'] : withoutWide;
const nodeEngine = (version: string, kernels: readonly Kernels[]): Engine => ({
  name: 'Node.js',
  version: versionOf(`node${version}`),
  command: [installed(`node${version}/bin/node`), 'engine.mjs'],
  kernels,
});

const engines: readonly Engine[] = [
  nodeEngine('20', ['portable', 'simd']),
  nodeEngine('22', withoutWide),
  nodeEngine('24', withWide),
  nodeEngine('26', withWide),
  {
    name: 'Deno',
    version: versionOf('@deno/linux-x64-glibc'),
    command: [deno, 'run', '--allow-all', 'engine.mjs'],
    kernels: withoutWide,
  },
  {
    name: 'bun',
    version: versionOf('@oven/bun-linux-x64'),
    command: [bun, 'engine.mjs'],
    kernels: ['portable', 'simd'],
  },
  {
    name: 'workerd',
    version: versionOf('@cloudflare/workerd-linux-64'),
    // It does not compile WebAssembly at run time.
    command: [workerd, 'test', 'workerd.capnp'],
    kernels: ['portable'],
  },
  {
    name: 'edge-runtime',
    version: versionOf('edge-runtime'),
    command: [node, 'edge-runtime.mjs'],
    kernels: withoutWide,
  },
];

it('the reference has no errors, and every implementation of the kernels computes its own results', () => {
  const digests = Object.values(reference.digests);
  expect(Object.keys(reference.digests)).toEqual(withWide);
  for (const [name, parts] of Object.entries(reference.digests)) {
    expect(Object.keys(parts)).toHaveLength(25);
    expect(parts['kernels']).toBe(name);
    expect(Object.values(parts).filter((digest) => digest.startsWith('error'))).toEqual([]);
  }
  expect(new Set(digests.map((parts) => parts['fit and predict'])).size).toBe(3);
});

it.each(engines)('$name $version trains, streams, saves and loads with the same bits', async (engine) => {
  const [program, ...args] = engine.command;
  const env = { DENO_DIR: `${build}/deno`, DENO_NO_UPDATE_CHECK: '1' };
  const output = await run(program, args, { env, timeout: 300_000 });
  const results: Results & { files?: boolean; threads?: Threads } = JSON.parse(
    output.split('\n').find((line) => line.startsWith('{'))!,
  );
  const selected = engine.kernels.filter((name) => name !== 'wide').pop()!;
  expectReference(results, selected, engine.kernels);
  const hasFiles = args.includes('engine.mjs');
  if (hasFiles) {
    expect(results.files).toBe(true);
    expect(results.threads).toMatchObject({ kernels: selected, count: 2, equal: true });
    expect(results.threads!.shares).toBeGreaterThan(10);
  }
  record('engines', {
    Engine: engine.name,
    Version: engine.version,
    'Kernels selected': selected,
    'Same bits with': kernelsOf(results),
    'Model and checkpoint files': hasFiles ? 'yes' : '',
    'Two threads': hasFiles ? 'yes' : '',
  });
});
