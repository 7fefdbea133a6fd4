import { fileURLToPath } from 'node:url';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

const config: ViteUserConfig = defineConfig({
  root: path('../..'),
  resolve: {
    alias: [
      { find: /^bptt$/, replacement: path('../../src/index.ts') },
      { find: /^bptt\/(pytorch|keras|onnx)$/, replacement: `${path('../../src/')}$1.ts` },
      { find: /^bptt\/node$/, replacement: path('../../src/node/index.ts') },
      { find: /^fast-check$/, replacement: path('node_modules/fast-check/lib/fast-check.js') },
    ],
  },
  test: { include: ['test/properties/**/*.property.ts'], testTimeout: 120_000 },
});

export default config;
