import { fileURLToPath } from 'node:url';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    globalSetup: 'test/everywhere/consumer.ts',
    include: ['test/everywhere/*.everywhere.ts'],
    maxWorkers: '100%',
    testTimeout: 900_000,
    hookTimeout: 600_000,
  },
});

export default config;
