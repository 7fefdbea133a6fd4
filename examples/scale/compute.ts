/** What the workers compute for each kind of job. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Compute, Report } from './jobs/job-queue';
import { folderStore, type ResultStore } from './jobs/result-store';
import { type ChunkJob, modelCache, scoreChunk } from './score/score-chunk';
import { checkpointName } from './sweep/sweep';
import { runTrial, type TrialJob } from './sweep/trial';

/** The shared folder of a run: results and checkpoints. */
export interface RunFolder {
  readonly results: ResultStore;
  readonly checkpoints: string;
}

/** Creates the parts of a shared folder that do not exist. */
export async function openFolder(folder: string): Promise<RunFolder> {
  const [results, checkpoints] = [join(folder, 'results'), join(folder, 'checkpoints')];
  await mkdir(results, { recursive: true });
  await mkdir(checkpoints, { recursive: true });
  return { results: folderStore(results), checkpoints };
}

/** Returns the function that computes the results of jobs. @param every the number of updates between checkpoints */
export function computeIn({ checkpoints }: RunFolder, every: number, report: Report): Compute {
  const modelOf = modelCache();
  return async ({ id, data }, signal) => {
    // Jobs come from the coordinators of this program.
    const job = data as TrialJob | ChunkJob;
    if (job.kind === 'chunk') return scoreChunk(job, modelOf);
    const checkpoint = join(checkpoints, `${checkpointName(id)}.safetensors`);
    const onResume = (step: number): void => report(`${id}: continues at update ${step}`);
    const result = await runTrial(job, checkpoint, every, onResume, signal);
    return new TextEncoder().encode(JSON.stringify(result));
  };
}
