import { fileURLToPath } from 'node:url';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

const config: ViteUserConfig = defineConfig({
  root: path('../..'),
  resolve: {
    alias: [
      { find: /^bptt$/, replacement: path('../../src/index.ts') },
      { find: /^bptt\/(pytorch|keras|onnx)$/, replacement: `${path('../../src/')}$1.ts` },
      { find: /^onnxruntime-node$/, replacement: path('node_modules/onnxruntime-node/dist/index.js') },
    ],
  },
  test: { include: ['test/onnxruntime/**/*.runtime.ts'], testTimeout: 300_000 },
});

export default config;
