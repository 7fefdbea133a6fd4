import { defineConfig } from 'tsup';

const library = {
  entry: {
    index: 'src/index.ts',
    pytorch: 'src/pytorch.ts',
    keras: 'src/keras.ts',
    onnx: 'src/onnx.ts',
    worker: 'src/worker/index.ts',
    forecasting: 'src/forecasting/index.ts',
    node: 'src/node/index.ts',
  },
  format: ['esm', 'cjs'] as const,
  target: 'es2022',
  dts: true,
  removeNodeProtocol: false,
  // Entry points share their common code in chunks, in CommonJS as well: there is only one tape, and `tanh` is the same
  // function everywhere.
  splitting: true,
  clean: true,
  treeshake: true,
};

const programs = {
  entry: { 'moby-dick': 'examples/moby-dick/main.ts', example: 'examples/run.ts', problems: 'bench/problems/main.ts' },
  format: ['esm'] as const,
  target: 'es2022',
  platform: 'node' as const,
  outDir: 'build',
  external: [/^bptt/],
};

/** Programs with packages of their own, which are resolved from their folders. */
const packages = ['scale', 'voice'].map((name) => ({
  entry: { main: `examples/${name}/main.ts` },
  format: ['esm'] as const,
  target: 'es2022',
  platform: 'node' as const,
  outDir: `examples/${name}/build`,
  external: [/^bptt/],
  skipNodeModulesBundle: true,
}));

const benches = {
  entry: { kernels: 'bench/kernels.ts' },
  format: ['esm'] as const,
  target: 'es2022',
  outDir: 'build',
};

const config: ReturnType<typeof defineConfig> = defineConfig([
  { ...library, format: [...library.format] },
  { ...programs, format: [...programs.format] },
  ...packages.map((program) => ({ ...program, format: [...program.format] })),
  { ...benches, format: [...benches.format] },
]);

export default config;
