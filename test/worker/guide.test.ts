/** The programs of docs/guides/worker.md run, and what the guide states about posting is true. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  adam,
  characterVocabulary,
  createRandom,
  crossEntropy,
  dense,
  embedding,
  type FitCheckpoint,
  fit,
  load,
  lstm,
  predict,
  predictWithState,
  recurrent,
  save,
  sequential,
  standardScaler,
  stream,
  tensor,
  windows,
} from 'bptt';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { entryPoints, root } from '../docs/examples';

const guide = readFileSync(new URL('docs/guides/worker.md', root), 'utf8');
const files = [...guide.matchAll(/```js\n\/\/ (\w+\.js)\n([\s\S]*?)```/g)].map(([, name, code]) => ({
  name: name!,
  code: code!,
}));

/**
 * Runs main.js with the other files, in Node.js, whose workers get the name that they have elsewhere. Returns its
 * output.
 */
async function run(programs: readonly { readonly name: string; readonly code: string }[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bptt-'));
  try {
    for (const { name, code } of programs) writeFileSync(join(folder, name), code);
    await build({
      entryPoints: ['main.js', 'worker.js'].map((name) => join(folder, name)),
      bundle: true,
      format: 'esm',
      outdir: join(folder, 'out'),
      outExtension: { '.js': '.mjs' },
      alias: Object.fromEntries([...entryPoints].map(([name, file]) => [name, fileURLToPath(file)])),
    });
    const main = join(folder, 'out/main.mjs');
    // As bundlers do, refer to the file of the bundled worker.
    const code = readFileSync(main, 'utf8').replace('./worker.js', './worker.mjs');
    writeFileSync(main, `import { Worker } from 'node:worker_threads';\n${code}`);
    return execFileSync(process.execPath, [main], { encoding: 'utf8', timeout: 240_000 }).trim().split('\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the programs of the guide', () => {
  it('train in a worker', async () => {
    expect(files.map(({ name }) => name)).toEqual(['worker.js', 'main.js', 'custom.js', 'worker.js', 'main.js']);
    const lines = await run(files.slice(0, 2));
    expect(lines).toHaveLength(41);
    expect(lines[0]).toMatch(/^1\/40: \d\.\d{4}$/);
    expect(lines.at(-1)).toBe('finished');
  });

  it('train with custom objects', async () => {
    expect(await run(files.slice(2))).toEqual(['true']);
  });
});

const ids = Int32Array.of(0, 1, 2, 0, 1, 2, 0);
const data = windows(ids, { sequenceLength: 2, batchSize: 1 });
const model = sequential([
  embedding({ vocabularySize: 3, size: 2 }),
  recurrent(lstm(), { hiddenSize: 2 }),
  dense({ size: 3 }),
]);

describe('posting', () => {
  it.each<[string, unknown]>([
    ['a model', model],
    ['a stream', stream(model)],
    ['an optimizer', adam()],
    ['a dataset', data],
  ])('%s cannot be cloned', (_, value) => {
    expect(() => structuredClone(value)).toThrow(/could not be cloned/);
  });

  it('plain data can be cloned', async () => {
    const written: unknown[] = [];
    const checkpoint: FitCheckpoint = { every: 1, write: (state) => void written.push(state) };
    const options = { loss: crossEntropy, optimizer: adam(), steps: 2, carryState: true, validation: data, checkpoint };
    const result = await fit(model, data, { ...options, onProgress: (progress) => void written.push(progress) });
    const running = stream(model);
    const plain = [
      ...written,
      result,
      running.state,
      predictWithState(model, { shape: [2, 1], data: Int32Array.of(0, 1) }),
      [...data.batches(createRandom(1))],
      characterVocabulary('to be'),
      standardScaler(tensor([[1], [2]])),
      createRandom(1),
    ];
    expect(written).toHaveLength(4);
    expect(structuredClone(plain)).toEqual(plain);
  });

  it('a saved model can be cloned and loaded', () => {
    const input = { shape: [2, 1], data: Int32Array.of(0, 1) };
    expect(predict(load(structuredClone(save(model))).model, input)).toEqual(predict(model, input));
  });
});
