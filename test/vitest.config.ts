import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig, type ViteUserConfigFnObject } from 'vitest/config';

const root = new URL('../', import.meta.url);
const { compilerOptions } = JSON.parse(readFileSync(new URL('tsconfig.json', root), 'utf8')) as {
  compilerOptions: { paths: Record<string, [string]> };
};

/** Tests that train for long: only `npm run test:applications` (`--mode applications`) runs them. */
const applications = ['test/applications/*.test.ts'];

const config: ViteUserConfigFnObject = defineConfig(({ mode }) => ({
  root: fileURLToPath(root),
  resolve: {
    // The entry points (`bptt`, `bptt/node`, …) are the sources that tsconfig.json names.
    alias: Object.entries(compilerOptions.paths).map(([name, [file]]) => ({
      find: new RegExp(`^${name}$`),
      replacement: fileURLToPath(new URL(file, root)),
    })),
  },
  test:
    mode === 'applications'
      ? { include: applications, testTimeout: 900_000, maxWorkers: '100%' }
      : {
          // By default Vitest leaves one core idle, which doubles the time on two cores.
          maxWorkers: '100%',
          // The files of a worker share its modules: importing and compiling them per file took a third of the time.
          isolate: false,
          // For tests that measure memory.
          execArgv: ['--expose-gc'],
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...applications],
          testTimeout: 300_000,
          // BPTT_KERNELS=wide runs the tests with these kernels, on an engine that has the flag.
          ...(process.env['BPTT_KERNELS'] === 'wide' && {
            execArgv: ['--expose-gc', '--experimental-wasm-revectorize'],
            setupFiles: ['test/kernels/use-wide.ts'],
          }),
          // BPTT_THREADS=2 runs the tests with as many threads, and divides the smallest work.
          ...(process.env['BPTT_THREADS'] !== undefined && { setupFiles: ['test/kernels/use-threads.ts'] }),
        },
}));

export default config;
