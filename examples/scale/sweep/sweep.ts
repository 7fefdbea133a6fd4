/** The coordinator of a sweep. */

import { createHash } from 'node:crypto';
import type { Job, JobQueue } from '../jobs/job-queue';
import type { ResultStore } from '../jobs/result-store';
import { collect } from '../jobs/work';
import type { Settings, Trial } from './space';
import type { TaskName } from './task';
import type { TrialJob, TrialResult } from './trial';

/** A rung of successive halving (Jamieson and Talwalkar, 2016, arXiv 1502.07943); other searches have one rung. */
export interface Rung {
  /** The number of epochs, counted from the start of the trial. */
  readonly epochs: number;
  /** The number of best trials of the previous rung that take part. */
  readonly trials: number;
}

/** A sweep. */
export interface Sweep {
  readonly task: TaskName;
  readonly trials: readonly Trial[];
  readonly folds: number;
  readonly rungs: readonly Rung[];
}

/** The outcome of a trial. */
export interface Row {
  readonly number: number;
  readonly settings: Settings;
  /** The number of epochs of its last rung. */
  readonly epochs: number;
  /** The mean of the losses of all folds; undefined if the trial failed. */
  readonly loss?: number;
  /** Why the trial failed. */
  readonly failed?: string;
  /** The result of every fold. */
  readonly folds: readonly TrialResult[];
}

/** Halves the number of trials, and doubles the epochs, `rungs` times in all. */
export const halvingRungs = (trials: number, epochs: number, rungs: number): readonly Rung[] =>
  Array.from({ length: rungs }, (_, i) => ({ epochs: epochs * 2 ** i, trials: Math.max(1, trials >> i) }));

/** The name of the checkpoint of a trial on a fold. Later rungs continue from the checkpoints of earlier ones. */
export const checkpointName = (id: string): string => id.replace(/-epochs\d+$/, '');

/** A job with the trial it belongs to. */
interface Item {
  readonly job: Job;
  readonly trial: Trial;
}

/** The jobs of some trials: one per trial and fold, in order. */
function itemsOf({ task, folds }: Sweep, run: string, trials: readonly Trial[], epochs: number): readonly Item[] {
  return trials.flatMap((trial) =>
    Array.from({ length: folds }, (_, fold): Item => {
      const { number: seed, settings } = trial;
      const data: TrialJob = { kind: 'trial', task, settings, seed, fold, folds, epochs };
      return { job: { id: `${run}-trial${seed}-fold${fold}-epochs${epochs}`, data }, trial };
    }),
  );
}

function rowOf({ number, settings }: Trial, epochs: number, folds: readonly TrialResult[]): Row {
  const failure = folds.find((result) => 'failed' in result);
  if (failure !== undefined) return { number, settings, epochs, failed: failure.failed, folds };
  const losses = folds.map((result) => ('loss' in result ? result.loss : NaN));
  return { number, settings, epochs, loss: losses.reduce((a, b) => a + b) / losses.length, folds };
}

/** The best trials first: those of later rungs, then by loss; failed trials last. Equal ones by number. */
export const compareRows = (a: Row, b: Row): number =>
  Number(a.failed !== undefined) - Number(b.failed !== undefined) ||
  b.epochs - a.epochs ||
  (a.loss ?? 0) - (b.loss ?? 0) ||
  a.number - b.number;

/** The state of the sweep after a trial has finished on all folds of a rung. */
export interface SweepProgress {
  readonly finished: number;
  readonly total: number;
  readonly row: Row;
  readonly best: Row;
}

/**
 * Runs a sweep. If it is called again after a crash with the same store, it continues.
 *
 * @returns the trials, the best first; the same to the last bit however many workers there are, and however often
 *   they die
 */
export async function runSweep(
  sweep: Sweep,
  queue: JobQueue,
  store: ResultStore,
  onProgress: (progress: SweepProgress) => void,
): Promise<readonly Row[]> {
  const run = createHash('sha256').update(JSON.stringify(sweep)).digest('hex').slice(0, 8);
  const rows = new Map<number, Row>();
  const total = sweep.rungs.reduce((sum, rung) => sum + rung.trials, 0);
  let finished = 0;
  let remaining = sweep.trials;
  for (const { epochs, trials } of sweep.rungs) {
    remaining = remaining.slice(0, trials);
    const items = itemsOf(sweep, run, remaining, epochs);
    let folds: TrialResult[] = [];
    for await (const { item, result } of collect(queue, store, items, { window: 64, again: 60 })) {
      folds.push(JSON.parse(new TextDecoder().decode(result)) as TrialResult);
      if (folds.length < sweep.folds) continue;
      const row = rowOf(item.trial, epochs, folds);
      folds = [];
      rows.set(row.number, row);
      onProgress({ finished: ++finished, total, row, best: [...rows.values()].sort(compareRows)[0]! });
    }
    const order = [...remaining].sort((a, b) => compareRows(rows.get(a.number)!, rows.get(b.number)!));
    remaining = order.filter(({ number }) => rows.get(number)!.failed === undefined);
  }
  return [...rows.values()].sort(compareRows);
}
