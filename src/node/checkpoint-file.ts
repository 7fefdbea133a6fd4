/** Checkpoint files: training that survives a crash. */

import { readFile } from 'node:fs/promises';
import { type LoadOptions, loadInto, type Saveable, type SaveOptions, save } from '../formats/saved-model';
import { withCaller } from '../tensor/error-context';
import { checkCount, checkKind, checkNames, checkString } from '../tensor/shape';
import type { FitCheckpoint, TrainingState } from '../training/training-state';
import { writeAtomically } from './atomic-file';

/** Options of {@link checkpointFile}. */
export interface CheckpointFileOptions extends Omit<SaveOptions, 'training'> {
  /** The number of updates between writes. */
  readonly every: number;
}

/**
 * Creates the `checkpoint` option of {@link fit} that regularly writes the model and the training state to a file. The
 * file is replaced atomically, and {@link load} can read it as well: the parameters are those of the last checkpoint,
 * not of the best epoch, which {@link fit} with `patience` returns to at the end.
 *
 * @param path must be in an existing folder
 * @throws TypeError immediately if the model or `extras` cannot be saved, as {@link save} does; RangeError in `fit` if
 * it trains another model
 * @example
 * const model = sequential([embedding({ vocabularySize: 3, size: 2 }), dense({ size: 3 })]);
 * const data = windows(Int32Array.of(0, 1, 2, 0, 1, 2, 0), { sequenceLength: 2, batchSize: 1 });
 * const path = `${process.env.TMPDIR ?? '/tmp'}/bptt-example-run.safetensors`;
 * const resume = await resumeFrom(path, model);
 * const checkpoint = checkpointFile(path, model, { every: 5 });
 * await fit(model, data, { loss: crossEntropy, optimizer: adam(), steps: 10, checkpoint, resume });
 * (await resumeFrom(path, model))?.step; // 10
 */
export function checkpointFile(path: string, model: Saveable, allOptions: CheckpointFileOptions): FitCheckpoint {
  checkString('checkpointFile', 'path', path);
  checkNames('checkpointFile', 'options', allOptions, ['every', 'extras', 'customObjects']);
  const { every, ...options } = allOptions;
  checkCount('checkpointFile', 'every', every);
  const saved = (saveOptions: SaveOptions): Uint8Array => withCaller('checkpointFile', () => save(model, saveOptions));
  // Fail now, not at the first checkpoint, if the model cannot be saved.
  saved(options);
  return { every, write: (training) => writeAtomically(path, saved({ ...options, training })) };
}

/**
 * Reads the file of {@link checkpointFile} and loads its parameters into the model.
 *
 * @param path of the file, which may be missing
 * @param model is updated in place
 * @returns the training state for `resume` of {@link fit}; `undefined` if the file does not exist
 * @throws RangeError if the file is malformed, is of another model (see {@link loadInto}), or has no training state
 * @example
 * await resumeFrom('not/there.safetensors', sequential([dense({ size: 1 })], { inputSize: 1 })); // undefined
 */
export async function resumeFrom(
  path: string,
  model: Saveable & { readonly data: Float32Array },
  options: LoadOptions = {},
): Promise<TrainingState | undefined> {
  checkString('resumeFrom', 'path', path);
  checkKind('resumeFrom', 'model', model, 'a model', 'data');
  let file: Uint8Array;
  try {
    file = await readFile(path);
  } catch (error) {
    if ((error as { readonly code?: string }).code === 'ENOENT') return undefined;
    throw error;
  }
  const { training } = withCaller(`resumeFrom: ${path}`, () => loadInto(model, file, options));
  if (training === undefined)
    throw new RangeError(
      `resumeFrom: ${path}: the file has a model but no training state. Was it written by checkpointFile?`,
    );
  return training;
}
