/** Checkpoints as files: killed at any moment, the file is the old one or the new one, and training goes on from it to the same bits. */

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  adam,
  crossEntropy,
  dense,
  embedding,
  fit,
  load,
  lstm,
  recurrent,
  type Sequential,
  save,
  sequential,
  windows,
} from 'bptt';
import { checkpointFile, resumeFrom, writeAtomically } from 'bptt/node';
import { buildSync } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'bptt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const steps = 60;
// A quarter of a million parameters: a file of 3 MB with its moments, so that many a kill falls into a write.
const program = `
  import { adam, crossEntropy, dense, embedding, fit, lstm, recurrent, sequential, windows } from 'bptt';
  import { checkpointFile, resumeFrom } from 'bptt/node';
  const model = sequential([embedding({ vocabularySize: 4000, size: 64 }), recurrent(lstm(), { hiddenSize: 8, recurrentDropout: 0.2 }), dense({ size: 5 })]);
  const data = windows(Int32Array.from({ length: 60 }, (_, i) => (i * i) % 5), { sequenceLength: 4, batchSize: 2 });
  const path = process.argv[2];
  const resume = await resumeFrom(path, model);
  console.log('from ' + (resume?.step ?? 0));
  const checkpoint = checkpointFile(path, model, { every: 1 });
  await fit(model, data, { loss: crossEntropy, optimizer: adam(0.01), steps: ${steps}, seed: 3, checkpoint, resume });
  console.log('done');`;

function compiled(): string {
  const path = join(folder, 'train.mjs');
  const { outputFiles } = buildSync({
    stdin: { contents: program, resolveDir: process.cwd(), loader: 'ts' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    write: false,
    tsconfigRaw: { compilerOptions: { paths: { bptt: ['./src/index.ts'], 'bptt/node': ['./src/node/index.ts'] } } },
  });
  writeFileSync(path, outputFiles[0]!.contents);
  return path;
}

/** Runs the program, kills it after a while, and tells from where it went on and whether it came to its end. */
function run(
  script: string,
  path: string,
  killAfter: number | undefined,
): Promise<{ from: number | undefined; done: boolean }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, path]);
    let said = '';
    child.stdout.on('data', (data) => {
      const began = said === '';
      said += new TextDecoder().decode(data);
      if (began && killAfter !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfter);
    });
    child.on('exit', () =>
      resolve({
        from: /from (\d+)/.exec(said)?.[1] === undefined ? undefined : Number(/from (\d+)/.exec(said)![1]),
        done: said.includes('done'),
      }),
    );
  });
}

describe('checkpoints', () => {
  it('killed again and again while it writes, training ends with the bits of a run that was not', {
    timeout: 120_000,
  }, async () => {
    const script = compiled();
    const whole = join(folder, 'whole.safetensors');
    expect(await run(script, whole, undefined)).toEqual({ from: 0, done: true });

    const path = join(folder, 'killed.safetensors');
    const froms: number[] = [];
    let end = { from: 0 as number | undefined, done: false };
    for (let kill = 0; kill < 25 && !end.done; kill++) {
      end = await run(script, path, 40 + ((kill * 37) % 150));
      froms.push(end.from!);
      // What is there is whole: it loads, and knows where it stands.
      if (readdirSync(folder).includes('killed.safetensors'))
        expect(load(readFileSync(path)).training!.step).toBeGreaterThanOrEqual(end.from!);
    }
    if (!end.done) end = await run(script, path, undefined);
    expect(end.done).toBe(true);
    expect(froms.length).toBeGreaterThan(3);
    expect(froms.every((from, i) => i === 0 || from >= froms[i - 1]!)).toBe(true);
    expect(readFileSync(path)).toEqual(readFileSync(whole));
    expect(readdirSync(folder).sort()).toEqual(['killed.safetensors', 'train.mjs', 'whole.safetensors']);
  });

  const make = (): Sequential =>
    sequential([embedding({ vocabularySize: 4, size: 2 }), recurrent(lstm(), { hiddenSize: 3 }), dense({ size: 4 })]);
  const data = windows(
    Int32Array.from({ length: 60 }, (_, i) => i % 4),
    { sequenceLength: 4, batchSize: 2 },
  );

  it('a file goes on from where it stands, and is a model as well', async () => {
    const path = join(folder, 'run.safetensors');
    const options = { loss: crossEntropy, optimizer: adam(0.01), steps: 8 };
    expect(await resumeFrom(path, make())).toBeUndefined();
    const model = make();
    await fit(model, data, { ...options, checkpoint: checkpointFile(path, model, { every: 3, extras: { a: 1 } }) });
    const again = make();
    again.data.fill(0);
    const resume = await resumeFrom(path, again);
    expect(resume!.step).toBe(6);
    await fit(again, data, { ...options, resume });
    expect(again.data).toEqual(model.data);
    expect(load(readFileSync(path)).extras).toEqual({ a: 1 });
    const own = sequential([dense({ size: 1, activation: (x) => x })], { inputSize: 1 });
    expect(() => checkpointFile(path, own, { every: 1 })).toThrow(/that the library has no name for/);
    writeFileSync(path, save(model));
    await expect(resumeFrom(path, make())).rejects.toThrow(/has a model, but not where its training stands/);
    await expect(resumeFrom(folder, make())).rejects.toThrow(/EISDIR/);
  });
});

describe('writeAtomically', () => {
  it('replaces, leaves nothing behind, and clears away what others left', async () => {
    const path = join(folder, 'a.bin');
    writeFileSync(join(folder, '.a.bin.999999999-1.tmp'), 'half');
    writeFileSync(join(folder, `.a.bin.${process.pid}-7777.tmp`), 'being written');
    writeFileSync(join(folder, '.b.bin.999999999-1.tmp'), 'of another');
    await Promise.all([1, 2, 3, 4].map((n) => writeAtomically(path, new Uint8Array(100_000).fill(n))));
    const bytes = readFileSync(path);
    expect(bytes).toHaveLength(100_000);
    expect(new Set(bytes).size).toBe(1);
    expect(
      readdirSync(folder)
        .filter((name) => name.includes('.tmp'))
        .sort(),
    ).toEqual([`.a.bin.${process.pid}-7777.tmp`, '.b.bin.999999999-1.tmp'].sort());
  });

  it('where it cannot write, what was there stays', async () => {
    await expect(writeAtomically(join(folder, 'none', 'a.bin'), new Uint8Array(1))).rejects.toThrow(/ENOENT/);
    const path = join(folder, 'taken');
    writeFileSync(path, 'old');
    await expect(writeAtomically(path, { length: 3 } as never)).rejects.toThrow();
    expect(new TextDecoder().decode(readFileSync(path))).toBe('old');
    expect(readdirSync(folder).filter((name) => name.startsWith('.taken'))).toEqual([]);
  });
});
