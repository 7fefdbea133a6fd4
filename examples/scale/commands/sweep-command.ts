/** `sweep`: searches hyperparameters. */

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeAtomically } from 'bptt/node';
import { parallelCoordinates } from '../sweep/parallel-coordinates';
import { gridTrials, randomTrials, type Trial } from '../sweep/space';
import { halvingRungs, type Row, runSweep, type Sweep, type SweepProgress } from '../sweep/sweep';
import { sweepTable } from '../sweep/table';
import { type TaskName, tasks } from '../sweep/task';
import { countOf } from './count';
import { jobOptions, withWorkers } from './job-options';

const options = {
  ...jobOptions,
  task: { type: 'string', default: 'sentiment' },
  search: { type: 'string', default: 'random' },
  trials: { type: 'string', default: '12' },
  points: { type: 'string', default: '3' },
  folds: { type: 'string', default: '3' },
  epochs: { type: 'string', default: '4' },
  rungs: { type: 'string', default: '3' },
  seed: { type: 'string', default: '1' },
} as const;

export async function sweepCommand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options });
  const task = Object.keys(tasks).find((name): name is TaskName => name === values.task);
  if (task === undefined) throw new RangeError(`--task must be sentiment or weather, got ${values.task}.`);
  const sweep = planOf(task, values);
  const rows = await withWorkers(values, (queue, { results }) => runSweep(sweep, queue, results, print));
  await report(values.folder, task, rows);
}

type PlanOption = 'search' | 'trials' | 'points' | 'folds' | 'epochs' | 'rungs' | 'seed';

function planOf(task: TaskName, values: Readonly<Record<PlanOption, string>>): Sweep {
  const { space } = tasks[task];
  const [folds, epochs, count] = [countOf(values, 'folds', 2), countOf(values, 'epochs'), countOf(values, 'trials')];
  const [points, rungCount, seed] = [countOf(values, 'points'), countOf(values, 'rungs'), countOf(values, 'seed', 0)];
  const searches: Readonly<Record<string, () => readonly Trial[]>> = {
    grid: () => gridTrials(space, points),
    random: () => randomTrials(space, count, seed),
    halving: () => randomTrials(space, count, seed),
  };
  const trials = searches[values.search]?.();
  if (trials === undefined) throw new RangeError(`--search must be grid, random or halving, got ${values.search}.`);
  // An error, such as too many folds for the data, would be one of every job, which the queue would try again forever.
  tasks[task].problemOf(trials[0]!.settings, { fold: 0, folds }, 0);
  const rungs =
    values.search === 'halving' ? halvingRungs(trials.length, epochs, rungCount) : [{ epochs, trials: trials.length }];
  return { task, trials, folds, rungs };
}

function print({ finished, total, row, best }: SweepProgress): void {
  const outcome = row.failed === undefined ? `loss ${row.loss!.toFixed(4)}` : `failed: ${row.failed}`;
  const leader = best.loss === undefined ? '' : ` · best: trial ${best.number}, loss ${best.loss.toFixed(4)}`;
  process.stderr.write(`${finished}/${total} · trial ${row.number}, epochs: ${row.epochs}, ${outcome}${leader}\n`);
}

/** Writes the table, for readers and for programs, and the picture. */
async function report(folder: string, task: TaskName, rows: readonly Row[]): Promise<void> {
  const write = (name: string, text: string): Promise<void> =>
    writeAtomically(join(folder, name), new TextEncoder().encode(text));
  const table = sweepTable(rows);
  await write('table.txt', table);
  await write('table.json', `${JSON.stringify(rows, undefined, 1)}\n`);
  await write('parallel-coordinates.svg', parallelCoordinates(tasks[task].space, rows));
  process.stdout.write(table);
}
