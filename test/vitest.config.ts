import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig({
  root: path('..'),
  test: { include: ['test/**/*.test.ts'] },
  resolve: {
    alias: [
      { find: /^bptt$/, replacement: path('../src/index.ts') },
      { find: /^bptt\/node$/, replacement: path('../src/node/index.ts') },
    ],
  },
});
