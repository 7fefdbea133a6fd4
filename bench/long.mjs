/**
 * Trains an LSTM on a sequence of 20,000 steps, H 128, B 8: `node bench/long.mjs stored|segments FILE`. Prints the
 * seconds per update and the peak memory of the process in MB as JSON, and writes the gradient of the first update to
 * the file.
 */

import { writeFileSync } from 'node:fs';
import {
  adam,
  chain,
  clipByNorm,
  crossEntropy,
  dense,
  embedding,
  fit,
  lstm,
  recurrent,
  runInSegments,
  sequential,
} from '../dist/index.js';

const [T, B, H, V] = [20_000, 8, 128, 8];
const [mode, file] = process.argv.slice(2);

const model = sequential(
  [embedding({ vocabularySize: V, size: 32 }), recurrent(lstm(), { hiddenSize: H }), dense({ size: V })],
  { seed: 1 },
);
const tokens = Int32Array.from({ length: T * B }, (_, i) => (Math.floor(i / B) ** 2 + (i % B) * 3) % V);
const targets = tokens.map((token, i) => (token * 3 + i) % V);
const batch = { inputs: { shape: [T, B], data: tokens }, targets: { shape: [T, B], data: targets } };

/** A transformation that copies the gradient to its slot. */
const recordGradient = {
  name: 'recordGradient',
  slots: 1,
  update: ({ kernels: { memory }, gradient, slots: [slot], size }) =>
    void memory.view.copyWithin(slot, gradient, gradient + size),
};
const seconds = [];
let optimizerState;
for (let step = 0; step < 3; step++) {
  const start = performance.now();
  ({ optimizerState } = await fit(
    model,
    { batchCount: 1, batches: () => [batch] },
    {
      loss: crossEntropy,
      optimizer: chain(recordGradient, clipByNorm(1), adam(1e-3)),
      steps: 1,
      optimizerState,
      ...(mode === 'segments' ? { run: runInSegments } : {}),
    },
  ));
  seconds.push((performance.now() - start) / 1000);
  if (step === 0) writeFileSync(file, optimizerState.slots[0]);
}
console.log(JSON.stringify({ seconds, megabytes: process.resourceUsage().maxRSS / 1024 }));
