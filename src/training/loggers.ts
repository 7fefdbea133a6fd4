/** Logs of training progress: CSV and JSON lines. */

import { checkCount, checkFunction, checkNames, checkObject } from '../tensor/shape';
import type { Progress } from './fit';

/**
 * The output of a logger: a stream such as `process.stdout`, a writer of a `WritableStream`, or any object with
 * `write`.
 */
export interface LogOutput {
  /** Writes whole lines. If it returns a promise, training waits until the promise resolves. */
  write(text: string): unknown;
}

/** The options of {@link csvLogger} and {@link jsonLinesLogger}. */
export interface LoggerOptions {
  /**
   * The number of updates from one that is logged to the next, 1 by default. Validations and the last update always
   * are.
   */
  readonly every?: number | undefined;
}

/** The quantities that are logged, in order. */
const quantities = [
  'step',
  'epoch',
  'loss',
  'smoothedLoss',
  'validationLoss',
  'learningRate',
  'gradientNorm',
  'targetsPerSecond',
] as const;

/**
 * Logs training progress as CSV, one line per update: step, epoch, loss, smoothed loss, validation loss, learning rate,
 * gradient norm and targets per second. Quantities without a value, such as the validation loss inside an epoch, are
 * empty. The header is written before update 1 only, so that resumed training can append to its log; {@link fileOutput}
 * of `bptt/node` does.
 *
 * @returns a function for the `onProgress` option of {@link fit}
 * @throws TypeError if `output` has no `write`
 * @throws RangeError if `every` is not an integer of at least 1
 * @example
 * const model = sequential([dense({ size: 1 })], { inputSize: 1 });
 * const batch = { inputs: full([1, 1, 1], 1), targets: full([1, 1, 1], 2) };
 * const lines: string[] = [];
 * const onProgress = csvLogger({ write: (text) => lines.push(text) });
 * await fit(model, batch, { loss: meanSquaredError, optimizer: sgd(0.1), steps: 2, onProgress });
 * lines[0]!.split(',').slice(0, 3).join(); // 'step,epoch,loss'
 * lines.length; // 3
 */
export function csvLogger(output: LogOutput, options: LoggerOptions = {}): (progress: Progress) => Promise<void> {
  const isLogged = loggedBy('csvLogger', output, options);
  return async (progress) => {
    if (progress.step === 1) await output.write(`${quantities.join()}\n`);
    if (isLogged(progress))
      await output.write(`${quantities.map((name) => quantityOf(progress, name) ?? '').join()}\n`);
  };
}

/**
 * Logs training progress as JSON lines, one object per update, with the quantities of {@link csvLogger}. Those without
 * a value are absent.
 *
 * @returns a function for the `onProgress` option of {@link fit}
 * @throws as {@link csvLogger}
 * @example
 * const model = sequential([dense({ size: 1 })], { inputSize: 1 });
 * const batch = { inputs: full([1, 1, 1], 1), targets: full([1, 1, 1], 2) };
 * const lines: string[] = [];
 * const onProgress = jsonLinesLogger({ write: (text) => lines.push(text) }, { every: 10 });
 * await fit(model, batch, { loss: meanSquaredError, optimizer: sgd(0.1), steps: 25, onProgress });
 * lines.map((line) => (JSON.parse(line) as Progress).step); // [10, 20, 25]
 */
export function jsonLinesLogger(output: LogOutput, options: LoggerOptions = {}): (progress: Progress) => Promise<void> {
  const isLogged = loggedBy('jsonLinesLogger', output, options);
  return async (progress) => {
    if (!isLogged(progress)) return;
    await output.write(
      `${JSON.stringify(Object.fromEntries(quantities.map((name) => [name, quantityOf(progress, name)])))}\n`,
    );
  };
}

/** The value of a quantity, if it is a number. */
function quantityOf(progress: Progress, name: (typeof quantities)[number]): number | undefined {
  const value = progress[name];
  return Number.isFinite(value) ? value : undefined;
}

/** Returns whether an update is logged. @throws TypeError or RangeError if an argument is wrong */
function loggedBy(where: string, output: LogOutput, options: LoggerOptions): (progress: Progress) => boolean {
  checkNames(where, 'options', options, ['every']);
  const { every = 1 } = options;
  checkObject(where, 'output', output);
  checkFunction(where, 'output.write', output.write);
  checkCount(where, 'every', every);
  return ({ step, validationLoss, done }) => step % every === 0 || validationLoss !== undefined || done;
}
