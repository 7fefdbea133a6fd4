import { defineConfig } from 'tsup';

export default defineConfig([
  {
    entry: { index: 'src/index.ts', node: 'src/node/index.ts' },
    format: ['esm', 'cjs'],
    target: 'es2022',
    dts: true,
    clean: true,
    treeshake: true,
    sourcemap: false,
    minify: false,
  },
  {
    entry: { 'moby-dick': 'examples/moby-dick/main.ts' },
    outDir: 'build',
    format: 'esm',
    target: 'es2022',
    platform: 'node',
    dts: false,
    clean: true,
    // Examples import the built package, by the name its users import it by; tsconfig's paths are for the editor.
    external: ['bptt', 'bptt/node'],
  },
]);
