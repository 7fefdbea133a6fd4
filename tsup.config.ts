import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineConfig, type Options } from 'tsup';

const main = 'src/index.ts';
/** The other entry points, which programs use in addition to the main one. */
const others = {
  pytorch: 'src/pytorch.ts',
  keras: 'src/keras.ts',
  onnx: 'src/onnx.ts',
  worker: 'src/worker/index.ts',
  forecasting: 'src/forecasting/index.ts',
  node: 'src/node/index.ts',
};

/**
 * Appends an import of the main entry point to every other one, which puts the code of the main one into one chunk.
 * Otherwise there is a chunk per set of entry points that share code, and loading these ten files takes a sixth of the
 * time from the import to the first step of an LSTM.
 */
const oneChunk: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'one-chunk',
  setup({ onLoad }) {
    const paths = Object.values(others).map((path) => resolve(path));
    onLoad({ filter: /\.ts$/ }, ({ path }) =>
      paths.includes(path)
        ? { contents: `${readFileSync(path, 'utf8')}import ${JSON.stringify(resolve(main))};\n`, loader: 'ts' }
        : undefined,
    );
  },
};

const library = {
  entry: { index: main, ...others },
  esbuildPlugins: [oneChunk],
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
  entry: { 'moby-dick': 'examples/moby-dick/main.ts', problems: 'bench/problems/main.ts' },
  format: ['esm'] as const,
  target: 'es2022',
  platform: 'node' as const,
  outDir: 'build',
  external: [/^bptt/],
};

/** Programs with packages of their own, which are resolved from their folders. */
const packages = [
  { folder: 'examples', program: 'run' },
  { folder: 'examples/scale', program: 'main' },
  { folder: 'examples/voice', program: 'main' },
].map(({ folder, program }) => ({
  entry: { [program]: `${folder}/${program}.ts` },
  format: ['esm'] as const,
  target: 'es2022',
  platform: 'node' as const,
  outDir: `${folder}/build`,
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
