/** How good a model is on data it does not learn from. */

import { compute } from '../autodiff/value-and-gradient';
import type { Batch, Dataset } from '../data/dataset';
import type { Sequential } from '../models/sequential';
import { createRandom } from '../tensor/random';
import { checkSome } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import type { TensorTree } from '../tensor/tree';
import type { Loss } from './losses';
import type { MetricOptions } from './metrics';
import { type CustomModel, type Task, taskOf } from './trainable';

/** A number to read off outputs and targets, to be averaged over batches by what counts of their targets. */
export type Metric = (outputs: Tensor, targets: never, options?: MetricOptions) => number;

/** The loss, metrics and state of {@link evaluate}. */
export interface EvaluateOptions<M extends Readonly<Record<string, Metric>>> {
  readonly loss: Loss<never>;
  readonly metrics?: M;
  /** Whether each batch goes on from the state in which the batch before ended, as with `windows(…, { shuffle: false })`. */
  readonly carryState?: boolean;
}

/**
 * The mean loss and metrics over one epoch of data, with dropout and the like off. Each batch is weighted by what counts of its targets;
 * of a {@link customModel}, all batches alike.
 *
 * @throws RangeError where the data has no batch
 * @throws TypeError where a sequential model lacks a loss, or a trainable is given one
 * @example
 * const model = sequential([embedding({ vocabularySize: 5, size: 4 }), dense({ size: 5 })]);
 * const data = windows(Int32Array.of(0, 1, 2, 3, 4, 0), { sequenceLength: 5, batchSize: 1, shuffle: false });
 * evaluate(model, data, { loss: crossEntropy, metrics: { accuracy } }).loss > 0; // true
 */
export function evaluate<M extends Readonly<Record<string, Metric>> = Readonly<Record<never, Metric>>>(
  model: Sequential,
  data: Dataset,
  options: EvaluateOptions<M>,
): { readonly loss: number } & { readonly [K in keyof M]: number };
export function evaluate<P extends TensorTree, B>(
  model: CustomModel<P, B>,
  data: Dataset<B>,
): { readonly loss: number };
export function evaluate(
  model: object,
  data: Dataset<unknown>,
  options: Partial<EvaluateOptions<Readonly<Record<string, Metric>>>> = {},
): never {
  return meansOver(taskOf('evaluate', model, options), data, options.metrics ?? {}) as never;
}

/** The means of a task's loss and of metrics over one epoch. */
export function meansOver<B>(
  task: Task<B>,
  data: Dataset<B>,
  metrics: Readonly<Record<string, Metric>>,
): Readonly<Record<string, number>> {
  const totals: Record<string, number> = { loss: 0 };
  let weight = 0;
  task.begin?.();
  const random = createRandom(0);
  for (const batch of data.batches(random)) {
    const run = compute(task.parameters as Record<string, Tensor>, (p) => {
      const loss = task.loss(p as never, batch, { training: false, random, step: 0 });
      return { loss, output: task.output?.() };
    });
    const counted = task.countOf?.(batch) ?? 1;
    totals['loss']! += counted * run.loss.data[0]!;
    for (const [name, metric] of Object.entries(metrics)) {
      const { targets, mask, lengths } = batch as unknown as Batch;
      totals[name] = (totals[name] ?? 0) + counted * metric(run.output!, targets as never, { mask, lengths });
    }
    weight += counted;
  }
  checkSome('evaluate', 'data', weight, 'target');
  return Object.fromEntries(Object.entries(totals).map(([name, total]) => [name, total / weight]));
}
