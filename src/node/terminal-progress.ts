/** The progress of a training run on a terminal. */

import type { Progress } from '../training/fit';

/** What is written to: a stream such as `process.stderr`. */
export interface ProgressOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Where {@link terminalProgress} writes, and what it counts. */
export interface TerminalProgressOptions {
  /** Where the line goes; `process.stderr` by default. */
  readonly output?: ProgressOutput;
  /** What one target is called, for the rate: `'characters'`; `'targets'` by default. */
  readonly unit?: string;
}

/**
 * Shows training on one line that is rewritten about ten times a second, or, where the output is no terminal, as a new line about every ten
 * seconds: `step 1200/2000 · loss 1.873 · validation 1.921 · 52.1k characters/s · 18 s left`. The loss is the smoothed one.
 *
 * @returns a function for `onProgress` of `fit`
 * @example
 * const model = sequential([embedding({ vocabularySize: 3, size: 2 }), dense({ size: 3 })]);
 * const data = windows(Int32Array.of(0, 1, 2, 0, 1, 2, 0), { sequenceLength: 2, batchSize: 1 });
 * const output = { write: (text: string) => text.length };
 * await fit(model, data, { loss: crossEntropy, optimizer: sgd(), onProgress: terminalProgress({ unit: 'characters', output }) });
 */
export function terminalProgress(options: TerminalProgressOptions = {}): (progress: Progress) => void {
  const { output = process.stderr, unit = 'targets' } = options;
  const interval = output.isTTY ? 100 : 10_000;
  let written = -Infinity;
  let validationLoss: number | undefined;
  return (progress) => {
    const news = progress.done || (progress.validationLoss !== undefined && progress.validationLoss !== validationLoss);
    // Only the step after a validation has its loss; the line keeps it.
    validationLoss = progress.validationLoss ?? validationLoss;
    const now = performance.now();
    if (!news && now - written < interval) return;
    written = progress.done ? -Infinity : now;
    const line = describe(progress, validationLoss, unit);
    if (progress.done) validationLoss = undefined;
    // A line that wraps could not be rewritten. \x1b[K clears what a longer line left behind.
    if (output.isTTY) output.write(`\r${line.slice(0, (output.columns ?? 80) - 1)}\x1b[K${progress.done ? '\n' : ''}`);
    else output.write(`${line}\n`);
  };
}

function describe(progress: Progress, validationLoss: number | undefined, unit: string): string {
  const { step, steps, smoothedLoss, targetsPerSecond: rate, secondsLeft, done } = progress;
  const parts = [`step ${step}/${steps}`, `loss ${smoothedLoss.toFixed(3)}`];
  if (validationLoss !== undefined) parts.push(`validation ${validationLoss.toFixed(3)}`);
  if (Number.isFinite(rate)) parts.push(`${formatCount(rate)} ${unit}/s`);
  if (!done && Number.isFinite(secondsLeft)) parts.push(`${formatSeconds(secondsLeft)} left`);
  return parts.join(' · ');
}

/** 950, 52.1k, 1.25M. */
function formatCount(count: number): string {
  if (count < 1000) return count.toFixed(0);
  return count < 1e6 ? `${(count / 1e3).toFixed(1)}k` : `${(count / 1e6).toFixed(2)}M`;
}

/** 45 s, 3 min 05 s, 2 h 07 min. */
function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [large, small, units] = whole < 3600 ? [60, 1, ['min', 's']] : [3600, 60, ['h', 'min']];
  return `${Math.floor(whole / large)} ${units[0]} ${String(Math.floor((whole % large) / small)).padStart(2, '0')} ${units[1]}`;
}
