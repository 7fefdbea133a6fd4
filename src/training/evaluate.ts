/** How good a model is on data it does not learn from. */

import { checkSome } from '../tensor/shape';
import { compute } from '../bptt/value-and-gradient';
import type { Variable } from '../bptt/tape';
import type { Batch, Dataset } from '../data/dataset';
import { prediction, runModel, type ModelState, type Sequential } from '../models/sequential';
import { createRandom } from '../tensor/random';
import type { IdTensor, Tensor } from '../tensor/tensor';
import type { Loss } from './losses';

/** A number to read off outputs and targets, to be averaged over batches by their targets. */
export type Metric = (outputs: Tensor, targets: never) => number;

/** The loss, metrics and state of {@link evaluate}. */
export interface EvaluateOptions<M extends Readonly<Record<string, Metric>>> {
  readonly loss: Loss<never>;
  readonly metrics?: M;
  /** Whether each batch goes on from the state in which the batch before ended, as with `windows(…, { shuffle: false })`. */
  readonly carryState?: boolean;
}

/**
 * The mean loss and metrics over one epoch of data, each batch weighted by what counts of its targets, with dropout and the like off.
 *
 * @throws RangeError where the data has no batch
 * @example
 * const model = sequential([embedding({ vocabularySize: 5, size: 4 }), dense({ size: 5 })]);
 * const data = windows(Int32Array.of(0, 1, 2, 3, 4, 0), { steps: 5, batchSize: 1, shuffle: false });
 * evaluate(model, data, { loss: crossEntropy, metrics: { accuracy } }).loss > 0; // true
 */
export function evaluate<M extends Readonly<Record<string, Metric>> = Readonly<Record<never, Metric>>>(
  model: Sequential,
  data: Dataset,
  { loss, metrics, carryState = false }: EvaluateOptions<M>,
): { readonly loss: number } & { readonly [K in keyof M]: number } {
  const totals: Record<string, number> = { loss: 0 };
  let weight = 0;
  let state: ModelState | undefined;
  for (const batch of data.batches(createRandom(0))) {
    const carried = carryState ? state : undefined;
    const run = compute(model.parameters, (p) => {
      const forward = runModel(model, p, batch.inputs, { ...prediction(), lengths: batch.lengths, state: carried });
      return { loss: lossOf(loss, forward.output, batch), output: forward.output, state: forward.state };
    });
    state = run.state as ModelState;
    const counted = batch.mask?.data.reduce((sum, value) => sum + value, 0) ?? batch.targets.data.length;
    totals['loss']! += counted * run.loss.data[0]!;
    for (const [name, metric] of Object.entries<Metric>(metrics ?? {})) {
      totals[name] = (totals[name] ?? 0) + counted * metric(run.output, batch.targets as never);
    }
    weight += counted;
  }
  checkSome('evaluate', 'data', weight, 'target');
  return Object.fromEntries(Object.entries(totals).map(([name, total]) => [name, total / weight])) as never;
}

/** The loss of a batch, its mask applied. */
export function lossOf(loss: Loss<never>, output: Variable, { targets, mask }: Batch): Variable {
  return (loss as Loss<Tensor | IdTensor>)(output, targets, { mask });
}
