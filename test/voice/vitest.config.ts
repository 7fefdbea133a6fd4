import { fileURLToPath } from 'node:url';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

const config: ViteUserConfig = defineConfig({
  root: path('../..'),
  resolve: {
    alias: [
      { find: /^bptt$/, replacement: path('../../src/index.ts') },
      { find: /^bptt\/onnx$/, replacement: path('../../src/onnx.ts') },
      { find: /^bptt\/node$/, replacement: path('../../src/node/index.ts') },
      { find: /^onnxruntime-node$/, replacement: path('node_modules/onnxruntime-node/dist/index.js') },
    ],
  },
  test: { include: ['test/voice/**/*.runtime.ts'], testTimeout: 600_000, hookTimeout: 600_000 },
});

export default config;
