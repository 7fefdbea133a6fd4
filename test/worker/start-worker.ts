/** Workers for tests, in threads of Node.js. */

import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { entryPoints, root } from '../docs/examples';

/** Bundles a program for a worker, with the library from source. Its imports are relative to this folder. */
export async function bundleWorker(program: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: fileURLToPath(new URL('test/worker/', root)), loader: 'ts' },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    write: false,
    alias: Object.fromEntries([...entryPoints].map(([name, file]) => [name, fileURLToPath(file)])),
  });
  return outputFiles[0]!.text;
}

/** Starts a worker with a bundled program. */
export const startWorker = (bundle: string): Worker => new Worker(bundle, { eval: true });
