/** Packs the library and installs it in an empty project, as users do, before all tests. */

import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { type BuildOptions, build as bundle, type Plugin } from 'esbuild';
import { build, consumer, node, repository, run } from './run.ts';

const { dirname: here } = import.meta;

export default async function install(): Promise<void> {
  if (!existsSync(`${repository}/dist/index.js`)) throw new Error('Run `npm run build` first.');
  rmSync(consumer, { recursive: true, force: true });
  mkdirSync(consumer, { recursive: true });
  const tarball = (await run('npm', ['pack', '--silent', '--pack-destination', consumer], { cwd: repository })).trim();
  writeFileSync(`${consumer}/package.json`, '{ "name": "consumer", "private": true }');
  // Without it, bundlers use the one of the repository, in which bptt is the source.
  writeFileSync(`${consumer}/tsconfig.json`, '{}');
  await run('npm', ['install', '--silent', '--offline', '--no-audit', '--no-fund', `./${tarball}`]);
  cpSync(`${here}/apps`, consumer, { recursive: true });
  await bundlePrograms();
  const output = await run(node, ['engine.mjs']);
  writeFileSync(`${build}/reference.json`, output);
}

/** Resolves the library to the installed package, not to the repository around this folder. */
const installedPackage: Plugin = {
  name: 'installed package',
  setup: (bundler) =>
    bundler.onResolve({ filter: /^bptt(\/|$)/ }, ({ path, kind, pluginData }) =>
      pluginData ? undefined : bundler.resolve(path, { resolveDir: consumer, kind, pluginData: true }),
    ),
};

/** Bundles the programs. Those that run unbundled or that Metro bundles import the installed package by its name. */
async function bundlePrograms(): Promise<void> {
  const common: BuildOptions = {
    bundle: true,
    target: 'es2022',
    loader: { '.keras': 'binary', '.h5': 'binary', '.onnx': 'binary' },
    tsconfigRaw: {},
  };
  const packed: BuildOptions = { plugins: [installedPackage] };
  const external: BuildOptions = { external: ['bptt', 'bptt/*', 'node:*'] };
  const programs: readonly [string, string, BuildOptions][] = [
    ['engine', 'engine.mjs', { format: 'esm', ...external }],
    ['results', 'metro/results.js', { format: 'esm', ...external }],
    ['workerd', 'workerd.js', { format: 'esm', ...packed }],
    ['script', 'script.js', { format: 'iife', ...packed }],
    ['page', 'web/page.js', { format: 'esm', ...packed }],
    ['worker', 'web/worker.js', { format: 'esm', ...packed }],
    ['page', 'web/unbundled.js', { format: 'esm', ...external }],
  ];
  for (const [from, to, options] of programs) {
    await bundle({ ...common, ...options, entryPoints: [`${here}/programs/${from}.ts`], outfile: `${consumer}/${to}` });
  }
}
