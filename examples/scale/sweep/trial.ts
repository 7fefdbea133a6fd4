/** One training of a sweep: the job of a worker. */

import { createHash } from 'node:crypto';
import { adam, chain, clipByNorm, evaluate, fit, kernelsInUse } from 'bptt';
import { checkpointFile, resumeFrom } from 'bptt/node';
import type { Settings } from './space';
import { type FoldChoice, type TaskName, tasks } from './task';

/** The training of one trial on one fold. It determines the result to the last bit. */
export interface TrialJob extends FoldChoice {
  readonly kind: 'trial';
  readonly task: TaskName;
  readonly settings: Settings;
  readonly seed: number;
  /** The number of epochs, counted from the start of the trial. */
  readonly epochs: number;
}

/** The result on one fold. */
export type TrialResult =
  | {
      /** The loss on the test data of the fold. */
      readonly loss: number;
      /** A hash of the parameters. */
      readonly parameters: string;
      /** The kernels that computed it. Results have the same bits only on the same kernels. */
      readonly kernels: string;
    }
  | { readonly failed: string };

/**
 * Trains a model, from its checkpoint if there is one. A checkpoint of fewer epochs, of an earlier rung of successive
 * halving, is as good as one of a worker that died: the training resumes from it, and is bit-identical to one
 * without a stop. A checkpoint is only a shortcut; if it is lost, the training starts again.
 *
 * @param path of the checkpoint, in a folder that all workers share
 * @param every the number of updates between checkpoints
 * @param onResume is called with the number of updates of the checkpoint
 * @param signal ends the training when it aborts, with a checkpoint
 * @throws Error if the signal has ended the training
 */
export async function runTrial(
  job: TrialJob,
  path: string,
  every: number,
  onResume: (step: number) => void,
  signal: AbortSignal,
): Promise<TrialResult> {
  const { task, settings, seed, epochs } = job;
  const { model, train, test, loss } = tasks[task].problemOf(settings, job, seed);
  const resume = await resumeFrom(path, model);
  if (resume !== undefined) onResume(resume.step);
  // The learning rate does not depend on the number of epochs, which grows from rung to rung.
  const optimizer = chain(clipByNorm(1), adam(settings['learningRate']!));
  const checkpoint = checkpointFile(path, model, { every });
  try {
    const { stopped, steps } = await fit(model, train, { loss, optimizer, epochs, seed, resume, checkpoint, signal });
    if (stopped === 'aborted') throw new Error(`stopped at update ${steps}`);
    const result = evaluate(model, test, { loss });
    if (!Number.isFinite(result.loss)) return { failed: `the loss on the test data is ${result.loss}` };
    const parameters = createHash('sha256').update(new Uint8Array(model.data.buffer)).digest('hex').slice(0, 16);
    return { loss: result.loss, parameters, kernels: kernelsInUse() };
  } catch (error) {
    // Divergence is a property of the trial: it would diverge again. Any other error is one of the machine.
    if (error instanceof RangeError && /(was not|not be) finite/.test(error.message)) return { failed: error.message };
    throw error;
  }
}
