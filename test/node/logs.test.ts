/** Progress on a terminal, and logs in files. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { csvLogger, dense, fit, full, meanSquaredError, type Progress, sequential, sgd } from 'bptt';
import { fileOutput, terminalProgress } from 'bptt/node';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'bptt-'));
afterAll(() => rmSync(folder, { recursive: true }));

const progress: Progress = {
  step: 1200,
  steps: 2000,
  epoch: 3,
  loss: 2,
  smoothedLoss: 1.8734,
  gradientNorm: 1,
  learningRate: 0.1,
  targetsPerSecond: 52_100,
  secondsLeft: 125,
  done: false,
};
/** The output for a sequence of reports. */
function written(
  reports: readonly Partial<Progress>[],
  output: { isTTY?: boolean; columns?: number | undefined } = {},
): string {
  let text = '';
  const report = terminalProgress({ unit: 'characters', output: { ...output, write: (part) => (text += part) } });
  for (const each of reports) report({ ...progress, ...each });
  return text;
}

describe('terminalProgress', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('shows the update, the losses, the rate and the time left', () => {
    expect(written([{}])).toBe('step 1200/2000 · loss 1.873 · 52.1k characters/s · 2 min 05 s left\n');
    expect(written([{ validationLoss: 1.921, done: true }])).toBe(
      'step 1200/2000 · loss 1.873 · validation 1.921 · 52.1k characters/s\n',
    );
  });

  it('shows no number of updates and no time left if they are not known', () => {
    expect(written([{ steps: NaN, secondsLeft: NaN }])).toBe('step 1200 · loss 1.873 · 52.1k characters/s\n');
  });

  it('updates the line of a terminal, within its width, and ends it', () => {
    const text = written([{}, { step: 1201 }, { step: 1202, done: true }], { isTTY: true, columns: 20 });
    expect(text).toBe('\rstep 1200/2000 · lo\x1b[K\rstep 1202/2000 · lo\x1b[K\n');
  });

  it('takes 80 columns for the width of a terminal that reports none, or 0', () => {
    const report = { targetsPerSecond: 1e5, secondsLeft: 8000, validationLoss: 1.921 };
    const line = 'step 1200/2000 · loss 1.873 · validation 1.921 · 100.0k characters/s · 2 h 13 min left';
    for (const columns of [undefined, 0])
      expect(written([report], { isTTY: true, columns })).toBe(`\r${line.slice(0, 79)}\x1b[K`);
    expect(written([report], { isTTY: true, columns: 1 })).toBe('\r\x1b[K');
  });

  it.each([
    [999.4, 59.4, '999 characters/s · 59 s left'],
    [1000, 60, '1.0k characters/s · 1 min 00 s left'],
    [999_900, 3599, '999.9k characters/s · 59 min 59 s left'],
    [1e6, 3600, '1.00M characters/s · 1 h 00 min left'],
    [1e6, 7199, '1.00M characters/s · 1 h 59 min left'],
    [NaN, 7, '7 s left'],
  ])('shows %d targets per second and %d seconds as %s', (targetsPerSecond, secondsLeft, expected) => {
    expect(written([{ targetsPerSecond, secondsLeft }])).toBe(`step 1200/2000 · loss 1.873 · ${expected}\n`);
  });

  it('counts targets by default', () => {
    let text = '';
    terminalProgress({ output: { write: (part) => (text += part) } })(progress);
    expect(text).toContain(' targets/s');
  });

  it.each([
    [true, 100],
    [false, 10_000],
  ])(
    'on a terminal (%s) reports are at least %d ms apart, except after a validation and at the end',
    (isTTY, least) => {
      vi.useFakeTimers({ toFake: ['performance', 'Date'] });
      let texts: string[] = [];
      const report = terminalProgress({ output: { isTTY, columns: 200, write: (part) => texts.push(part) } });
      const shown = (milliseconds: number, changes: Partial<Progress> = {}): string | undefined => {
        texts = [];
        vi.advanceTimersByTime(milliseconds);
        report({ ...progress, ...changes });
        return texts[0] && (/validation \S+/.exec(texts[0])?.[0] ?? 'none');
      };
      expect(shown(0)).toBe('none');
      expect(shown(least - 1)).toBeUndefined();
      expect(shown(1)).toBe('none');
      expect(shown(1, { validationLoss: 2 })).toBe('validation 2.000');
      expect(shown(1, { validationLoss: 2 })).toBeUndefined();
      expect(shown(1, { validationLoss: 1.5 })).toBe('validation 1.500');
      // Later lines keep the last validation loss, until the training ends.
      expect(shown(least)).toBe('validation 1.500');
      expect(shown(1, { done: true })).toBe('validation 1.500');
      expect(shown(1)).toBe('none');
    },
  );

  it.each<[object, string]>([
    [{ outputs: process.stderr }, 'options must have only output, unit, got outputs.'],
    [{ output: 'stderr' }, 'output must be an object, got stderr.'],
    [{ output: {} }, 'output.write must be a function, got undefined.'],
    [{ unit: 3 }, 'unit must be a string, got 3.'],
  ])('rejects wrong options: %o', (options, message) => {
    expect(() => terminalProgress(options)).toThrow(new TypeError(`terminalProgress: ${message}`));
  });

  it('writes few lines to a file', () => {
    expect(written(Array.from({ length: 100 }, () => ({}))).split('\n')).toHaveLength(2);
  });
});

describe('fileOutput', () => {
  it('appends the log of a training, and of a second one', async () => {
    const path = join(folder, 'log.csv');
    const model = sequential([dense({ size: 1 })], { inputSize: 1 });
    const batch = { inputs: full([1, 1, 1], 1), targets: full([1, 1, 1], 2) };
    const options = { loss: meanSquaredError, optimizer: sgd(0.1), steps: 3 };
    for (let round = 0; round < 2; round++)
      await fit(model, batch, { ...options, onProgress: csvLogger(fileOutput(path)) });
    const steps = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(',')[0]);
    expect(steps).toEqual(['step', '1', '2', '3', 'step', '1', '2', '3']);
  });

  it('makes training fail if the file cannot be written', async () => {
    const onProgress = csvLogger(fileOutput(join(folder, 'none', 'log.csv')));
    const model = sequential([dense({ size: 1 })], { inputSize: 1 });
    const batch = { inputs: full([1, 1, 1], 1), targets: full([1, 1, 1], 2) };
    await expect(fit(model, batch, { loss: meanSquaredError, optimizer: sgd(), onProgress })).rejects.toThrow('ENOENT');
    expect(() => fileOutput(3 as never)).toThrow(new TypeError('fileOutput: path must be a string, got 3.'));
  });
});
