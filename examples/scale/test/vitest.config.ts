import { fileURLToPath } from 'node:url';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  root: fileURLToPath(new URL('../../..', import.meta.url)),
  resolve: {
    alias: [
      { find: /^bptt$/, replacement: fileURLToPath(new URL('../../../src/index.ts', import.meta.url)) },
      { find: /^bptt\/node$/, replacement: fileURLToPath(new URL('../../../src/node/index.ts', import.meta.url)) },
      { find: /^bptt\/pytorch$/, replacement: fileURLToPath(new URL('../../../src/pytorch.ts', import.meta.url)) },
    ],
  },
  test: {
    // The tests mostly wait: for locks that expire, and for connections that return.
    maxWorkers: 4,
    include: ['examples/scale/test/*.scale.ts'],
    // Only for tests that hang: on a busy machine, they take several times as long as alone.
    testTimeout: 900_000,
    hookTimeout: 900_000,
  },
});

export default config;
