/** Training that survives a crash: where it stands, in a file. */

import { readFile } from 'node:fs/promises';
import { type FitCheckpoint, loadInto, type Saveable, type SaveOptions, save, type TrainingState } from '../index';
import { writeAtomically } from './atomic-file';

/** How often {@link checkpointFile} writes, and what goes along. */
export interface CheckpointFileOptions extends Omit<SaveOptions, 'training'> {
  /** After how many updates. */
  readonly every: number;
}

/**
 * The `recompute` of {@link fit} that writes a file which {@link load} reads as well: the model as it is, and where training stands. Killed at any
 * moment, the file is the old one or the new one.
 *
 * @param path in a folder that is there
 * @throws as {@link save}, at once
 * @example
 * const model = sequential([embedding({ vocabularySize: 3, size: 2 }), dense({ size: 3 })]);
 * const data = windows(Int32Array.of(0, 1, 2, 0, 1, 2, 0), { sequenceLength: 2, batchSize: 1 });
 * const path = `${process.env.TMPDIR ?? '/tmp'}/bptt-example-run.safetensors`;
 * const resume = await resumeFrom(path, model);
 * await fit(model, data, { loss: crossEntropy, optimizer: adam(), steps: 10, checkpoint: checkpointFile(path, model, { every: 5 }), resume });
 * (await resumeFrom(path, model)).step; // 10
 */
export function checkpointFile(
  path: string,
  model: Saveable,
  { every, ...options }: CheckpointFileOptions,
): FitCheckpoint {
  // What cannot be saved is to be known now, rather than after hours.
  save(model, options);
  return { every, write: (training) => writeAtomically(path, save(model, { ...options, training })) };
}

/**
 * Where training stood when {@link checkpointFile} last wrote, for `resume` of {@link fit}; `undefined` where there is no such file yet. The model's
 * parameters become those of the file.
 *
 * @throws RangeError where the file is of another model, or no checkpoint
 * @example
 * await resumeFrom('not/there.safetensors', sequential([dense({ size: 1 })], { inputSize: 1 })); // undefined
 */
export async function resumeFrom(
  path: string,
  model: Saveable & { readonly data: Float32Array },
): Promise<TrainingState | undefined> {
  let file: Uint8Array;
  try {
    file = await readFile(path);
  } catch (error) {
    if ((error as { readonly code?: string }).code === 'ENOENT') return undefined;
    throw error;
  }
  const { training } = loadInto(model, file);
  if (training === undefined)
    throw new RangeError(`resumeFrom: ${path} has a model, but not where its training stands.`);
  return training;
}
