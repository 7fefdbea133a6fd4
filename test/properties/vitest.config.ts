import { fileURLToPath } from 'node:url';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

const config: ViteUserConfig = defineConfig({
  root: path('../..'),
  resolve: {
    alias: [
      { find: /^bptt$/, replacement: path('../../src/index.ts') },
      { find: /^bptt\/(pytorch|keras|onnx)$/, replacement: `${path('../../src/')}$1.ts` },
      { find: /^bptt\/(node|worker|forecasting)$/, replacement: `${path('../../src/')}$1/index.ts` },
      { find: /^fast-check$/, replacement: path('node_modules/fast-check/lib/fast-check.js') },
    ],
  },
  test: {
    // By default Vitest leaves one core idle, which doubles the time on two cores.
    maxWorkers: '100%',
    include: ['test/properties/**/*.property.ts'],
    testTimeout: 600_000 * Number(process.env['BPTT_FUZZ'] ?? 1),
  },
});

export default config;
