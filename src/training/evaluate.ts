/** Evaluation of models on data they are not trained on. */

import { isVariable, toTensor } from '../autodiff/tape';
import { compute } from '../autodiff/value-and-gradient';
import { type Batch, type Batches, datasetOrBatches } from '../data/dataset';
import type { Sequential } from '../models/sequential';
import { createRandom } from '../tensor/random';
import { checkNames, checkSome } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';
import type { TensorTree } from '../tensor/tree';
import type { CustomModel } from './custom-model';
import type { Loss } from './losses';
import type { Metric } from './metrics';
import { customTask, isSequentialCall, scalarOf, sequentialTask, type Task } from './task';

/** The loss and metrics of {@link evaluate}, for targets of type Y; K are the names of the metrics. */
export interface EvaluateOptions<Y extends Tensor | IntTensor = Tensor | IntTensor, K extends string = never> {
  readonly loss: Loss<Y>;
  /** Metrics by name; losses are metrics, too. */
  readonly metrics?: Readonly<Record<K, Metric<Y>>>;
  /**
   * Whether each batch starts from the final state of the previous batch, as for `windows(…, { shuffle: false })`. Row i
   * continues row i. A batch can have fewer rows than the previous one, whose last rows end then; it cannot have more.
   */
  readonly carryState?: boolean;
}

/** The arguments of {@link evaluate} for a sequential model. */
type SequentialArguments<Y extends Tensor | IntTensor> = [
  model: Sequential,
  data: Batches<Batch<Y>> | Batch<Y>,
  options: EvaluateOptions<Y, string>,
];

/** The arguments of {@link evaluate} for a custom model. */
type CustomArguments<P extends TensorTree, B> = [model: CustomModel<P, B>, data: Batches<B>, options?: object];

/**
 * Computes the mean loss and metrics over one epoch of data, with dropout off. Each batch is weighted by the number of
 * its targets that count (the sum of their weights), so that a batch in which none counts only carries the state; the
 * batches of a {@link customModel} are weighted equally.
 *
 * @throws RangeError if the data has no batches, or a batch does not fit the model
 * @throws TypeError if a sequential model lacks a loss, or a custom model is given one
 * @example
 * const model = sequential([embedding({ vocabularySize: 5, size: 4 }), dense({ size: 5 })]);
 * const data = windows(Int32Array.of(0, 1, 2, 3, 4, 0), { sequenceLength: 5, batchSize: 1, shuffle: false });
 * evaluate(model, data, { loss: crossEntropy, metrics: { accuracy } }).loss > 0; // true
 */
export function evaluate<Y extends Tensor | IntTensor, K extends string = never>(
  model: Sequential,
  data: Batches<Batch<Y>> | Batch<Y>,
  options: EvaluateOptions<NoInfer<Y>, K>,
): { readonly loss: number } & Readonly<Record<K, number>>;
export function evaluate<P extends TensorTree, B>(
  model: CustomModel<P, B>,
  data: Batches<B>,
): { readonly loss: number };
export function evaluate<Y extends Tensor | IntTensor, P extends TensorTree, B>(
  ...call: SequentialArguments<Y> | CustomArguments<P, B>
): Readonly<Record<string, number>> {
  if (!isSequentialCall<SequentialArguments<Y>>(call)) {
    const [model, data, options = {}] = call;
    return meansOver('evaluate', customTask('evaluate', model, options), data);
  }
  const [model, data, options] = call;
  checkNames('evaluate', 'options', options, ['loss', 'metrics', 'carryState']);
  const metrics = Object.entries(options.metrics ?? {});
  const task = sequentialTask('evaluate', model, options);
  return meansOver('evaluate', task, data, (batch) => {
    if (metrics.length === 0) return {};
    const outputs = toTensor(task.output());
    return Object.fromEntries(
      metrics.map(([name, metric]) => {
        const value = scalarOf('evaluate', name, () => metric(outputs, batch.targets, task.maskOf(batch)));
        return [name, isVariable(value) ? toTensor(value).data[0]! : value];
      }),
    );
  });
}

/**
 * The means of a task's loss, and of other values per batch, over one epoch.
 *
 * @param valuesOf computes the other values after the loss; variables may be used
 * @throws RangeError if there are no targets
 */
export function meansOver<P extends TensorTree, B>(
  caller: string,
  task: Task<P, B>,
  data: Batches<B> | B,
  valuesOf: (batch: B) => Readonly<Record<string, number>> = () => ({}),
): { readonly loss: number } & Readonly<Record<string, number>> {
  const totals: { loss: number } & Record<string, number> = { loss: 0 };
  let totalWeight = 0;
  task.begin?.();
  const random = createRandom(0);
  const source = datasetOrBatches(caller, data);
  const batches = 'batches' in source ? source.batches(random) : source;
  if (!(Symbol.iterator in batches))
    throw new TypeError(`${caller}: data must not be asynchronous. Collect its batches in an array.`);
  for (const batch of batches) {
    const weight = task.weightOf?.(batch) ?? 1;
    const values: Readonly<Record<string, number>> = compute(task.parameters, (p) => ({
      loss: toTensor(task.loss(p, batch, { training: false, random, step: 0 }, weight)).data[0]!,
      ...(weight > 0 ? valuesOf(batch) : {}),
    }));
    for (const [name, value] of Object.entries(values)) totals[name] = (totals[name] ?? 0) + weight * value;
    totalWeight += weight;
  }
  checkSome(caller, 'data', totalWeight, 'target');
  for (const name of Object.keys(totals)) totals[name]! /= totalWeight;
  return totals;
}
