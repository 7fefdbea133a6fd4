/** For Node.js, Deno and bun: all kernels, threads, and files. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adam, crossEntropy, dense, embedding, fit, gru, load, recurrent, save, sequential, windows } from 'bptt';
import { checkpointFile, enableWideKernels, resumeFrom } from 'bptt/node';
import { results } from './results';
import { threads } from './threads';

const ids = Int32Array.from({ length: 200 }, (_, i) => (i * i) % 7);
const data = windows(ids, { sequenceLength: 8, batchSize: 4 });
const newModel = () =>
  sequential([embedding({ vocabularySize: 7, size: 4 }), recurrent(gru(), { hiddenSize: 8 }), dense({ size: 7 })], {
    seed: 1,
  });
const options = { loss: crossEntropy, optimizer: adam(0.01), steps: 8 };

/**
 * Interrupts and resumes a training, and saves and loads its model, through files. Returns whether all bits are equal.
 */
async function files(): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'bptt-'));
  try {
    const expected = newModel();
    await fit(expected, data, options);
    const path = join(folder, 'checkpoint.safetensors');
    const stopped = newModel();
    await fit(stopped, data, { ...options, steps: 4, checkpoint: checkpointFile(path, stopped, { every: 4 }) });
    const resumed = newModel();
    await fit(resumed, data, { ...options, resume: await resumeFrom(path, resumed) });
    const file = join(folder, 'model.safetensors');
    await writeFile(file, save(resumed));
    const loaded = load(await readFile(file)).model;
    return expected.data.length > 0 && expected.data.every((value, i) => value === loaded.data[i]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const { selected, digests } = await results();
const twoThreads = await threads(2);
const { reason } = enableWideKernels();
const wide = reason === undefined ? (await results(['wide'])).digests : {};
console.log(
  JSON.stringify({ selected, digests: { ...digests, ...wide }, reason, threads: twoThreads, files: await files() }),
);
