/** Makes several threads compute even the smallest work of every test file, for `BPTT_THREADS=2`. */

import { kernelsInUse, threadsInUse, threadsReady, useThreads } from 'bptt';
import { grain } from '../../src/kernels/threads/divide';

const threads = Number(process.env['BPTT_THREADS']);
Object.assign(grain, { elements: 0, products: 0, waking: 0, rows: 0 });
if (threadsInUse() !== threads) {
  useThreads(threads);
  const count = await threadsReady();
  if (count !== threads && kernelsInUse() !== 'portable') throw new Error(`${count} threads started, not ${threads}.`);
}
