/** The process of wide.mjs: prepares cases and runs them, one message at a time. */

import { threadsReady, useKernels, useThreads } from '../dist/index.js';
import { infer, stream, train } from './ours.mjs';

const runs = [];
process.on('message', async ({ kind, args, id, steps }) => {
  if (kind === undefined) return process.send(await runs[id](steps));
  const prepare = { train, infer, stream }[kind];
  runs.push(await prepare(...args, 'wide'));
  process.send(true);
});
try {
  useKernels('wide');
  useThreads(Number(process.argv[2]));
  await threadsReady();
  process.send(true);
} catch {
  process.send(false);
}
