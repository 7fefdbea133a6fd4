/** Display of training progress on a terminal. */

import { checkFunction, checkNames, checkObject, checkString } from '../tensor/shape';
import { now } from '../training/event-loop';
import type { Progress } from '../training/fit';

/** The output of {@link terminalProgress}: a stream such as `process.stderr`. */
export interface ProgressOutput {
  write(text: string): unknown;
  /** Whether the output is a terminal. */
  readonly isTTY?: boolean | undefined;
  /** The width of the terminal; 80 if it is missing or 0. */
  readonly columns?: number | undefined;
}

/** Options of {@link terminalProgress}. */
export interface TerminalProgressOptions {
  /** The output stream; `process.stderr` by default. */
  readonly output?: ProgressOutput | undefined;
  /** The unit of the rate, such as `'characters'`; `'targets'` by default. */
  readonly unit?: string | undefined;
}

/**
 * Shows training progress, with the smoothed loss:
 * `step 1200/2000 · loss 1.873 · validation 1.921 · 52.1k characters/s · 18 s left`. On a terminal the line is updated
 * about ten times per second; otherwise a new line is written about every ten seconds.
 *
 * @returns a function for the `onProgress` option of {@link fit}
 * @example
 * const model = sequential([embedding({ vocabularySize: 3, size: 2 }), dense({ size: 3 })]);
 * const data = windows(Int32Array.of(0, 1, 2, 0, 1, 2, 0), { sequenceLength: 2, batchSize: 1 });
 * const output = { write: (text: string) => text.length };
 * const onProgress = terminalProgress({ unit: 'characters', output });
 * await fit(model, data, { loss: crossEntropy, optimizer: sgd(), epochs: 1, onProgress });
 */
export function terminalProgress(options: TerminalProgressOptions = {}): (progress: Progress) => void {
  checkNames('terminalProgress', 'options', options, ['output', 'unit']);
  const { output = process.stderr, unit = 'targets' } = options;
  checkObject('terminalProgress', 'output', output);
  checkFunction('terminalProgress', 'output.write', output.write);
  checkString('terminalProgress', 'unit', unit);
  const interval = output.isTTY ? 100 : 10_000;
  let lastTime = -Infinity;
  let validationLoss: number | undefined;
  return (progress) => {
    const isImportant =
      progress.done || (progress.validationLoss !== undefined && progress.validationLoss !== validationLoss);
    // Only the first step after a validation reports its loss; keep it on the line.
    validationLoss = progress.validationLoss ?? validationLoss;
    const time = now();
    if (!isImportant && time - lastTime < interval) return;
    lastTime = progress.done ? -Infinity : time;
    const line = describe(progress, validationLoss, unit);
    if (progress.done) validationLoss = undefined;
    // A wrapped line could not be overwritten. \x1b[K clears the rest of a longer previous line.
    const { isTTY, columns = 0 } = output;
    // Terminals without a width, such as those of containers, report 0.
    const width = Number.isInteger(columns) && columns > 0 ? columns - 1 : 79;
    output.write(isTTY ? `\r${line.slice(0, width)}\x1b[K${progress.done ? '\n' : ''}` : `${line}\n`);
  };
}

/** The line for one progress event. */
function describe(progress: Progress, validationLoss: number | undefined, unit: string): string {
  const { step, steps, smoothedLoss, targetsPerSecond: rate, secondsLeft, done } = progress;
  const parts = [`step ${step}${Number.isNaN(steps) ? '' : `/${steps}`}`, `loss ${smoothedLoss.toFixed(3)}`];
  if (validationLoss !== undefined) parts.push(`validation ${validationLoss.toFixed(3)}`);
  if (Number.isFinite(rate)) parts.push(`${formatCount(rate)} ${unit}/s`);
  if (!done && Number.isFinite(secondsLeft)) parts.push(`${formatSeconds(secondsLeft)} left`);
  return parts.join(' · ');
}

/** Formats a count as 950, 52.1k or 1.25M. */
function formatCount(count: number): string {
  if (count < 1000) return count.toFixed(0);
  return count < 1e6 ? `${(count / 1e3).toFixed(1)}k` : `${(count / 1e6).toFixed(2)}M`;
}

/** Formats a duration as 45 s, 3 min 05 s or 2 h 07 min. */
function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [large, small, units] = whole < 3600 ? [60, 1, ['min', 's']] : [3600, 60, ['h', 'min']];
  return (
    `${Math.floor(whole / large)} ${units[0]} ${String(Math.floor((whole % large) / small)).padStart(2, '0')} ` +
    `${units[1]}`
  );
}
