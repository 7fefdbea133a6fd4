/**
 * A process that times one case with one library, while no other library has threads. Those of OpenMP and ONNX Runtime
 * look for work for a while after each step, and take the time of others. The argument describes the case as JSON.
 */

import { threadsReady, useThreads } from '../../dist/index.js';
import { runInterleaved } from '../measure.mjs';
import { open } from './contestants.mjs';

const { who, threads, kind, cell, shape } = JSON.parse(process.argv[2]);
if (who === 'bptt') {
  useThreads(threads);
  if ((await threadsReady()) !== threads) throw new Error(`${threads} threads did not start.`);
}
const contestant = await open(who, threads, () => undefined);
const run = await contestant?.[kind]?.(cell, shape);
const times = run === undefined ? [] : (await runInterleaved({ [who]: run }, { rounds: 5 }))[who];
console.log(JSON.stringify(times));
contestant?.close?.();
process.exit();
