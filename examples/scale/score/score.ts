/** The coordinator of batch scoring. */

import { readFile, stat } from 'node:fs/promises';
import type { Job, JobQueue, Report } from '../jobs/job-queue';
import type { ResultStore } from '../jobs/result-store';
import { untilDone } from '../jobs/retry';
import { collect } from '../jobs/work';
import { type Chunk, chunksOf } from './chunks';
import { orderedOutput } from './ordered-output';
import { type ChunkJob, hashOf, scorerOf } from './score-chunk';

/** What to score. */
export interface Scoring {
  /** JSON-lines files, in order. */
  readonly inputs: readonly string[];
  readonly model: string;
  readonly output: string;
  /** The number of lines per job. */
  readonly chunkLines: number;
}

/**
 * Scores all lines and writes one line per line, in the same order. If it is called again after a crash, it continues.
 * The memory does not depend on the number of lines.
 *
 * @returns the number of chunks of this call
 */
export async function runScoring(
  { inputs, model, output, chunkLines }: Scoring,
  queue: JobQueue,
  store: ResultStore,
  onProgress: (chunks: number) => void,
  report: Report,
): Promise<number> {
  const file = await readFile(model);
  // An error of the model would be one of every job, which the queue would try again forever.
  scorerOf(model, file);
  const hash = hashOf(file);
  const files = await Promise.all(
    inputs.map(async (path) => {
      const { size, mtimeMs } = await stat(path);
      return { path, size, mtimeMs };
    }),
  );
  const run = hashOf(new TextEncoder().encode(JSON.stringify([hash, files, chunkLines]))).slice(0, 8);
  const out = await orderedOutput(output, run);
  const version = { path: model, hash };
  async function* items(): AsyncGenerator<{ readonly job: Job; readonly chunk: Chunk }> {
    for await (const chunk of chunksOf(inputs, chunkLines, out.position)) {
      const data: ChunkJob = { kind: 'chunk', path: chunk.path, from: chunk.from, to: chunk.to, model: version };
      yield { job: { id: `${run}-chunk${chunk.index}`, data }, chunk };
    }
  }
  let finished = 0;
  try {
    for await (const { item, result } of collect(queue, store, items(), { window: 32, again: 60 })) {
      await untilDone(() => out.append(result, item.chunk.next), report);
      await store.remove(item.job.id);
      onProgress(++finished);
    }
    await out.finish();
  } finally {
    await out.close();
  }
  return finished;
}
