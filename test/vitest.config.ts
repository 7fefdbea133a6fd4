import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const root = new URL('../', import.meta.url);
const { compilerOptions } = JSON.parse(readFileSync(new URL('tsconfig.json', root), 'utf8')) as {
  compilerOptions: { paths: Record<string, [string]> };
};

const config: ViteUserConfig = defineConfig({
  root: fileURLToPath(root),
  resolve: {
    // The entry points (`bptt`, `bptt/node`, …) are the sources that tsconfig.json names.
    alias: Object.entries(compilerOptions.paths).map(([name, [file]]) => ({
      find: new RegExp(`^${name}$`),
      replacement: fileURLToPath(new URL(file, root)),
    })),
  },
  test: { include: ['test/**/*.test.ts'], testTimeout: 60_000 },
});

export default config;
