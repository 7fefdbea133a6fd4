/** The worker of the benchmark: times the libraries in turn. */

import { kernelsInUse, useKernels } from 'bptt';
import { bpttContestant, type Contestant, tensorFlowContestant } from './contestants';
import type { BenchReport, Case, Row } from './protocol';

const rounds = 9;
/** The duration of a turn and of the warm-up, in milliseconds. */
const turn = 80;
const warmUp = 400;

const post = (report: BenchReport): void => self.postMessage(report);

self.addEventListener('message', ({ data }: MessageEvent<Case>) => {
  measure(data).catch((error: unknown) => post({ type: 'failed', message: String(error) }));
});

async function measure(size: Case): Promise<void> {
  post({ type: 'progress', text: 'Loading TensorFlow.js …' });
  useKernels(undefined);
  const fastest = kernelsInUse();
  const contestants: Contestant[] = [];
  for (const kernels of ['relaxed', 'simd', 'portable'] as const) {
    // Not every engine has all of them.
    if (kernels === 'relaxed' && fastest !== 'relaxed') continue;
    if (kernels === 'simd' && fastest === 'portable') continue;
    contestants.push(bpttContestant(size, kernels));
  }
  const tensorFlow = await tensorFlowContestant(size);
  contestants.push(tensorFlow);
  const versions = `TensorFlow.js ${tensorFlow.version}`;

  const entries: { contestant: Contestant; steps: number; loss: number; times: number[] }[] = [];
  for (const contestant of contestants) {
    post({ type: 'progress', text: `Warming up ${contestant.name} …` });
    const first = await contestant.run(10);
    let spent = first.milliseconds;
    let last = spent / 10;
    for (let steps = 2; spent < warmUp; steps = Math.min(2 * steps, 256)) {
      const { milliseconds } = await contestant.run(steps);
      last = milliseconds / steps;
      spent += milliseconds;
    }
    entries.push({
      contestant,
      steps: Math.max(1, Math.min(2000, Math.round(turn / last))),
      loss: first.loss,
      times: [],
    });
  }
  for (let round = 1; round <= rounds; round++) {
    for (const entry of entries) {
      const { milliseconds } = await entry.contestant.run(entry.steps);
      entry.times.push(milliseconds / entry.steps);
    }
    post({ type: 'progress', text: `Round ${round} of ${rounds}` });
    const rows = entries.map(({ contestant: { name }, loss, times }): Row => ({ name, loss, times }));
    post({ type: 'rows', rows, versions, done: round === rounds });
  }
}
