/** Checkpoint files: they survive kills at any moment, and training resumes from them bit for bit. */

import { spawn } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  adam,
  crossEntropy,
  dense,
  embedding,
  fit,
  full,
  load,
  lstm,
  meanSquaredError,
  recurrent,
  type Sequential,
  save,
  scale,
  sequential,
  type Variable,
  windows,
} from 'bptt';
import { checkpointFile, resumeFrom, writeAtomically } from 'bptt/node';
import { buildSync } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'bptt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const steps = 40;
// With a quarter of a million parameters and their moments, the file has 3 MB, so that many kills happen during a
// write.
const program = `
  import { adam, crossEntropy, dense, embedding, fit, lstm, recurrent, sequential, windows } from 'bptt';
  import { checkpointFile, resumeFrom } from 'bptt/node';
  const model = sequential([
    embedding({ vocabularySize: 4000, size: 64 }),
    recurrent(lstm(), { hiddenSize: 8, recurrentDropout: 0.2 }),
    dense({ size: 5 }),
  ]);
  const data = windows(Int32Array.from({ length: 60 }, (_, i) => (i * i) % 5), { sequenceLength: 4, batchSize: 2 });
  const path = process.argv[2];
  const resume = await resumeFrom(path, model);
  console.log('from ' + (resume?.step ?? 0));
  const checkpoint = checkpointFile(path, model, { every: 1 });
  await fit(model, data, { loss: crossEntropy, optimizer: adam(0.01), steps: ${steps}, seed: 3, checkpoint, resume });
  console.log('done');`;

/** Writes the program into a folder. */
function compiled(inner: string): string {
  const path = join(inner, 'train.mjs');
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

/** Runs the program, kills it after `killAfter` ms, and returns the step it resumed from and whether it finished. */
function run(
  script: string,
  path: string,
  killAfter: number | undefined,
): Promise<{ from: number | undefined; done: boolean }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, path]);
    let output = '';
    child.stdout.on('data', (data) => {
      const isFirst = output === '';
      output += new TextDecoder().decode(data);
      if (isFirst && killAfter !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfter);
    });
    child.on('exit', () =>
      resolve({
        from: /from (\d+)/.exec(output)?.[1] === undefined ? undefined : Number(/from (\d+)/.exec(output)![1]),
        done: output.includes('done'),
      }),
    );
  });
}

describe('checkpoints', () => {
  it('training that is killed repeatedly during writes ends with the same bits as an uninterrupted run', {
    timeout: 240_000,
  }, async () => {
    const inner = mkdtempSync(join(folder, 'killed-'));
    const script = compiled(inner);
    const whole = join(inner, 'whole.safetensors');
    expect(await run(script, whole, undefined)).toEqual({ from: 0, done: true });

    const path = join(inner, 'killed.safetensors');
    const resumedFrom: number[] = [];
    let end = { from: 0 as number | undefined, done: false };
    for (let kill = 0; kill < 6 && !end.done; kill++) {
      end = await run(script, path, 30 + ((kill * 37) % 100));
      resumedFrom.push(end.from!);
      // The file is complete at any time: it loads and has a training state.
      if (readdirSync(inner).includes('killed.safetensors'))
        expect(load(readFileSync(path)).training!.step).toBeGreaterThanOrEqual(end.from!);
    }
    if (!end.done) end = await run(script, path, undefined);
    expect(end.done).toBe(true);
    expect(resumedFrom.length).toBeGreaterThan(3);
    expect(resumedFrom.every((from, i) => i === 0 || from >= resumedFrom[i - 1]!)).toBe(true);
    // toEqual takes seconds for 3 MB.
    const [interrupted, uninterrupted] = [readFileSync(path), readFileSync(whole)];
    expect(interrupted.length).toBe(uninterrupted.length);
    expect(interrupted.findIndex((byte, i) => byte !== uninterrupted[i])).toBe(-1);
    expect(readdirSync(inner).sort()).toEqual(['killed.safetensors', 'train.mjs', 'whole.safetensors']);
  });

  const make = (): Sequential =>
    sequential([embedding({ vocabularySize: 4, size: 2 }), recurrent(lstm(), { hiddenSize: 3 }), dense({ size: 4 })]);
  const data = windows(
    Int32Array.from({ length: 60 }, (_, i) => i % 4),
    { sequenceLength: 4, batchSize: 2 },
  );

  it('resumeFrom continues from the file, and load reads it as a model', async () => {
    const path = join(folder, 'run.safetensors');
    const options = { loss: crossEntropy, optimizer: adam(0.01), steps: 8 };
    expect(await resumeFrom(path, make())).toBeUndefined();
    const model = make();
    await fit(model, data, { ...options, checkpoint: checkpointFile(path, model, { every: 3, extras: { a: 1 } }) });
    const resumed = make();
    resumed.data.fill(0);
    const resume = await resumeFrom(path, resumed);
    expect(resume!.step).toBe(6);
    await fit(resumed, data, { ...options, resume });
    expect(resumed.data).toEqual(model.data);
    expect(load(readFileSync(path)).extras).toEqual({ a: 1 });
    const reversed = sequential([
      embedding({ vocabularySize: 4, size: 2 }),
      recurrent(lstm(), { hiddenSize: 3, reverse: true }),
      dense({ size: 4 }),
    ]);
    await expect(resumeFrom(path, reversed)).rejects.toThrow(
      `resumeFrom: ${path}: the file has another model: layer 1 (recurrent), reverse must be true, the file has false.`,
    );
    const other = checkpointFile(path, sequential([dense({ size: 1 })], { inputSize: 1 }), { every: 3 });
    await expect(fit(make(), data, { ...options, checkpoint: other })).rejects.toThrow(
      /^checkpointFile: training must be of a model with 2 parameters, got one with \d+\. Is it of another model\?$/,
    );
    const unsavable = sequential([dense({ size: 1, activation: (x) => x })], { inputSize: 1 });
    expect(() => checkpointFile(path, unsavable, { every: 1 })).toThrow(/^checkpointFile: /);
    writeFileSync(path, save(model));
    await expect(resumeFrom(path, make())).rejects.toThrow(
      `resumeFrom: ${path}: the file has a model but no training state. Was it written by checkpointFile?`,
    );
    writeFileSync(path, 'no safetensors');
    await expect(resumeFrom(path, make())).rejects.toThrow(`resumeFrom: ${path}: the header length is`);
    await expect(resumeFrom(folder, make())).rejects.toThrow(/EISDIR/);
  });

  it('checkpointFile and resumeFrom support custom objects', async () => {
    const path = join(folder, 'custom.safetensors');
    const customObjects = { double: (x: Variable) => scale(x, 2), triple: (x: Variable) => scale(x, 3) };
    const line = (activation = customObjects.double) => sequential([dense({ size: 1, activation })], { inputSize: 1 });
    const batch = { inputs: full([1, 1, 1], 1), targets: full([1, 1, 1], 2) };
    const options = { loss: meanSquaredError, optimizer: adam(0.01), steps: 4 };
    const model = line();
    await fit(model, batch, { ...options, checkpoint: checkpointFile(path, model, { every: 3, customObjects }) });
    const resumed = line();
    const resume = await resumeFrom(path, resumed, { customObjects });
    await fit(resumed, batch, { ...options, resume });
    expect(resumed.data).toEqual(model.data);
    await expect(resumeFrom(path, line(customObjects.triple), { customObjects })).rejects.toThrow(
      'the file has another model: layer 0 (dense), activation must be triple, the file has double.',
    );
  });

  it('checkpointFile, resumeFrom and writeAtomically reject wrong arguments', async () => {
    const model = make();
    const path = join(folder, 'wrong.safetensors');
    const create = (...args: readonly unknown[]) =>
      (checkpointFile as (...args: readonly unknown[]) => unknown)(...args);
    expect(() => create(undefined, model, { every: 1 })).toThrow(
      'checkpointFile: path must be a string, got undefined',
    );
    expect(() => create(path, model, { every: 1, extra: {} })).toThrow(
      'checkpointFile: options must have only every, extras, customObjects, got extra.',
    );
    expect(() => create(path, model, {})).toThrow(
      'checkpointFile: every must be an integer of at least 1, got undefined',
    );
    await expect(resumeFrom(3 as never, model)).rejects.toThrow('resumeFrom: path must be a string, got 3.');
    await expect(resumeFrom(path, {} as never)).rejects.toThrow('resumeFrom: model must be a model');
    await expect(writeAtomically(undefined as never, new Uint8Array(1))).rejects.toThrow(
      'writeAtomically: path must be a string, got undefined.',
    );
    await expect(writeAtomically(path, new Float32Array(1) as never)).rejects.toThrow(
      'writeAtomically: content must be a Uint8Array, got ',
    );
    expect(readdirSync(folder)).not.toContain('wrong.safetensors');
  });
});

describe('writeAtomically', () => {
  it('replaces the file, and removes temporary files of processes that no longer run', async () => {
    const path = join(folder, 'a.bin');
    writeFileSync(join(folder, '.a.bin.999999999-1.tmp'), 'half');
    writeFileSync(join(folder, `.a.bin.${process.pid}-7777.tmp`), 'being written');
    writeFileSync(join(folder, '.b.bin.999999999-1.tmp'), 'of another file');
    writeFileSync(join(folder, '.a.bin.swp'), 'of an editor');
    await Promise.all([1, 2, 3, 4].map((n) => writeAtomically(path, new Uint8Array(100_000).fill(n))));
    const bytes = readFileSync(path);
    expect(bytes).toHaveLength(100_000);
    expect(new Set(bytes).size).toBe(1);
    expect(
      readdirSync(folder)
        .filter((name) => name.includes('.tmp'))
        .sort(),
    ).toEqual([`.a.bin.${process.pid}-7777.tmp`, '.b.bin.999999999-1.tmp'].sort());
    expect(readdirSync(folder)).toContain('.a.bin.swp');
  });

  const textOf = (path: string): string => new TextDecoder().decode(readFileSync(path));
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  it('succeeds if a process with the same id was killed while it wrote, as in a container', async () => {
    const inner = join(folder, 'pid');
    mkdirSync(inner);
    // A process that is always pid 1 finds its own id in the names of files that it left before.
    for (let i = 0; i < 50; i++) writeFileSync(join(inner, `.a.bin.${process.pid}-${i}.tmp`), 'half');
    await writeAtomically(join(inner, 'a.bin'), bytes('new'));
    await writeAtomically(join(inner, 'a.bin'), bytes('newer'));
    expect(textOf(join(inner, 'a.bin'))).toBe('newer');
  });

  it('keeps recent temporary files of other machines and containers, and removes those of an hour ago', async () => {
    const inner = join(folder, 'machines');
    mkdirSync(inner);
    const [recent, old] = ['0123456789abcdef', 'fedcba9876543210'].map(
      (machine) => `.a.bin.999999999-${machine}-0123456789ab.tmp`,
    ) as [string, string];
    const own = `.a.bin.${process.pid}-0123456789ab.tmp`;
    const anHourAgo = Date.now() / 1000 - 3700;
    for (const name of [recent, old, own]) writeFileSync(join(inner, name), 'half');
    for (const name of [old, own]) utimesSync(join(inner, name), anHourAgo, anHourAgo);
    await writeAtomically(join(inner, 'a.bin'), bytes('new'));
    expect(readdirSync(inner).sort()).toEqual([recent, 'a.bin'].sort());
  });

  it('removes what its own killed writes left, and leaves no file open', async () => {
    const inner = mkdtempSync(join(folder, 'own-'));
    const path = join(inner, 'a.bin');
    const writing = writeAtomically(path, new Uint8Array(2 ** 24));
    let temporary: string | undefined;
    while (temporary === undefined) {
      temporary = readdirSync(inner).find((name) => name.endsWith('.tmp'));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await writing;
    expect(readdirSync(inner)).toEqual(['a.bin']);
    const running = temporary.replace(/\w+\.tmp$/, '0123456789ab.tmp');
    writeFileSync(join(inner, running), 'being written');
    writeFileSync(join(inner, running.replace(`.${process.pid}-`, '.999999999-')), 'half');
    await writeAtomically(path, bytes('new'));
    expect(readdirSync(inner).sort()).toEqual([running, 'a.bin'].sort());
    // Linux lists the open files of the process.
    if (process.platform !== 'linux') return;
    const open = await Promise.all(
      readdirSync('/proc/self/fd').map((descriptor) => readlink(`/proc/self/fd/${descriptor}`).catch(() => '')),
    );
    expect(open.filter((name) => name.startsWith(inner))).toEqual([]);
  });

  it('follows symbolic links, also to files that do not exist yet', async () => {
    const inner = join(folder, 'links');
    mkdirSync(join(inner, 'data'), { recursive: true });
    symlinkSync('data', join(inner, 'link to folder'));
    symlinkSync('../second', join(inner, 'data', 'first'));
    symlinkSync('data/file', join(inner, 'second'));
    for (const content of ['one', 'two']) {
      await writeAtomically(join(inner, 'link to folder', 'first'), bytes(content));
      expect(textOf(join(inner, 'data', 'file'))).toBe(content);
    }
    expect(lstatSync(join(inner, 'data', 'first')).isSymbolicLink()).toBe(true);
    expect(lstatSync(join(inner, 'second')).isSymbolicLink()).toBe(true);
    expect(readdirSync(join(inner, 'data')).sort()).toEqual(['file', 'first']);
    symlinkSync('circle', join(inner, 'circle'));
    await expect(writeAtomically(join(inner, 'circle'), bytes('x'))).rejects.toThrow(/ELOOP/);
  });

  it('keeps the mode of an existing file', async () => {
    const path = join(folder, 'mode');
    writeFileSync(path, 'old');
    for (const mode of [0o600, 0o664, 0o444]) {
      chmodSync(path, mode);
      await writeAtomically(path, bytes(String(mode)));
      expect(statSync(path).mode & 0o777).toBe(mode);
      expect(textOf(path)).toBe(String(mode));
    }
    // A new file has that of any new file.
    await writeAtomically(join(folder, 'new'), bytes('new'));
    writeFileSync(join(folder, 'other'), 'new');
    expect(statSync(join(folder, 'new')).mode).toBe(statSync(join(folder, 'other')).mode);
  });

  it('gives the temporary file the mode of an existing file before its content', async () => {
    const inner = mkdtempSync(join(folder, 'private-'));
    const path = join(inner, 'private');
    writeFileSync(path, 'old');
    chmodSync(path, 0o600);
    const modes = new Set<number>();
    let ended = false;
    const writing = writeAtomically(path, new Uint8Array(2 ** 25)).finally(() => {
      ended = true;
    });
    while (!ended) {
      for (const name of readdirSync(inner).filter((each) => each.endsWith('.tmp'))) {
        try {
          const { size, mode } = statSync(join(inner, name));
          if (size > 0) modes.add(mode & 0o777);
        } catch {
          // The file has got its final name.
        }
      }
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await writing;
    expect([...modes]).toEqual([0o600]);
  });

  it.each(['n'.repeat(245), 'n'.repeat(255), 'ü'.repeat(127)])('writes a file with a long name', async (name) => {
    const inner = mkdtempSync(join(folder, 'long-'));
    const path = join(inner, name);
    for (const content of ['one', 'two']) await writeAtomically(path, bytes(content));
    expect(textOf(path)).toBe('two');
    expect(readdirSync(inner)).toEqual([name]);
  });

  it('keeps the old content if writing fails', async () => {
    await expect(writeAtomically(join(folder, 'none', 'a.bin'), new Uint8Array(1))).rejects.toThrow(/ENOENT/);
    const path = join(folder, 'existing');
    writeFileSync(path, 'old');
    await expect(writeAtomically(path, { length: 3 } as never)).rejects.toThrow();
    expect(new TextDecoder().decode(readFileSync(path))).toBe('old');
    expect(readdirSync(folder).filter((name) => name.startsWith('.existing'))).toEqual([]);
  });

  it('throws the error of writing, even if the temporary file cannot be removed', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    await expect(writeAtomically(join(file, 'inside'), new Uint8Array(1))).rejects.toThrow(/^ENOTDIR: .*, open /);
  });
});
