/** Training, told in the terminal. */

import type { Progress } from '../training/fit';

export interface TerminalProgressOptions {
  /** What the rate counts, for instance `characters`. */
  readonly unit?: string;
  /** Where to write; standard error by default. */
  readonly output?: { readonly isTTY?: boolean; write(text: string): unknown };
}

/**
 * A listener for `fit` that keeps one line up to date: update, loss, rate and time left. Where the output is no terminal it writes a
 * line about every ten seconds.
 *
 * @example
 * const lines: string[] = [];
 * terminalProgress({ output: { write: (text) => lines.push(text) } });
 */
export function terminalProgress({ unit = 'targets', output = process.stderr }: TerminalProgressOptions = {}): (progress: Progress) => void {
  let written = 0;
  return (progress) => {
    const now = performance.now();
    const pause = output.isTTY ? 100 : 10_000;
    if (!progress.done && progress.validationLoss === undefined && now - written < pause) return;
    written = now;
    const text = describeProgress(progress, unit);
    if (!output.isTTY) output.write(`${text}\n`);
    else output.write(`\r${text}\u001b[K${progress.done ? '\n' : ''}`);
  };
}

function describeProgress({ step, steps, smoothedLoss, rate, secondsLeft, validationLoss, done }: Progress, unit: string): string {
  const validation = validationLoss === undefined ? '' : `, validation ${validationLoss.toFixed(3)}`;
  const time = done ? 'done' : `${formatTime(secondsLeft)} left`;
  return `step ${step}/${steps}, loss ${smoothedLoss.toFixed(3)}${validation}, ${Math.round(rate)} ${unit}/s, ${time}`;
}

function formatTime(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
