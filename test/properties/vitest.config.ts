import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  resolve: {
    alias: [
      { find: /^bptt$/, replacement: new URL('../../src/index.ts', import.meta.url).pathname },
      { find: /^bptt\/(pytorch|keras|onnx)$/, replacement: new URL('../../src/', import.meta.url).pathname + '$1.ts' },
      {
        find: /^fast-check$/,
        replacement: new URL('node_modules/fast-check/lib/fast-check.js', import.meta.url).pathname,
      },
    ],
  },
  test: { include: ['test/properties/**/*.property.ts'], testTimeout: 120_000 },
});

export default config;
