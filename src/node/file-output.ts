/** Output of loggers to files. */

import { appendFile } from 'node:fs/promises';
import { checkString } from '../tensor/shape';
import type { LogOutput } from '../training/loggers';

/**
 * Creates the output of a logger that appends to a file, which is created if it does not exist. Every line is in the
 * file before training continues, so that a crash loses nothing; log fewer updates (`every`) if updates take less than
 * a millisecond.
 *
 * @param path must be in an existing folder
 * @throws Error from the file system, in training
 * @example
 * const path = `${process.env.TMPDIR ?? '/tmp'}/bptt-example-log.csv`;
 * const onProgress = csvLogger(fileOutput(path), { every: 10 });
 * const model = sequential([dense({ size: 1 })], { inputSize: 1 });
 * const batch = { inputs: full([1, 1, 1], 1), targets: full([1, 1, 1], 2) };
 * await fit(model, batch, { loss: meanSquaredError, optimizer: sgd(0.1), steps: 20, onProgress });
 */
export function fileOutput(path: string): LogOutput {
  checkString('fileOutput', 'path', path);
  return { write: (text) => appendFile(path, text) };
}
