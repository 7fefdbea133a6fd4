/** `score`: scores the lines of files. */

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeAtomically } from 'bptt/node';
import { trainScorer, writeReviews } from '../score/reviews';
import { runScoring } from '../score/score';
import { countOf } from './count';
import { jobOptions, report, withWorkers } from './job-options';

const options = {
  ...jobOptions,
  input: { type: 'string', multiple: true },
  model: { type: 'string' },
  output: { type: 'string' },
  lines: { type: 'string', default: '100000' },
  chunk: { type: 'string', default: '4096' },
} as const;

export async function scoreCommand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options });
  const { folder } = values;
  const [lines, chunkLines] = [countOf(values, 'lines'), countOf(values, 'chunk')];
  await mkdir(folder, { recursive: true });
  const inputs = values.input ?? [join(folder, `reviews-${lines}.jsonl`)];
  const model = values.model ?? join(folder, 'model.safetensors');
  const output = values.output ?? join(folder, 'scores.jsonl');
  if (values.input === undefined && !existsSync(inputs[0]!)) await writeReviews(inputs[0]!, lines, 1);
  if (values.model === undefined && !existsSync(model)) await writeAtomically(model, await trainScorer());
  const scoring = { inputs, model, output, chunkLines };
  let shown = 0;
  const start = performance.now();
  const show = (chunks: number): void => {
    if (performance.now() - shown < 1000) return;
    shown = performance.now();
    process.stderr.write(`chunks: ${chunks}\n`);
  };
  const chunks = await withWorkers(values, (queue, { results }) => runScoring(scoring, queue, results, show, report));
  const seconds = (performance.now() - start) / 1000;
  // Of this process: without a queue the scoring itself, otherwise the coordinator.
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const used = `${((userCPUTime + systemCPUTime) / 1e6).toFixed(2)} s of processor time, ${(maxRSS / 1024).toFixed(0)} MB`;
  process.stdout.write(`${output}, chunks: ${chunks} in ${seconds.toFixed(1)} s, ${used}\n`);
}
