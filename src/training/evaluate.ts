/** Evaluation of models on data they are not trained on. */

import { isVariable, operand, toTensor } from '../autodiff/tape';
import { compute } from '../autodiff/value-and-gradient';
import { type Batch, type Batches, datasetOrBatches } from '../data/dataset';
import { mapStates, predictInChunks, runModel, type Sequential } from '../models/sequential';
import { mapValues } from '../tensor/named-values';
import type { NoInfer } from '../tensor/no-infer';
import { createRandom, type Random } from '../tensor/random';
import { checkFunction, checkKind, checkNames, checkSome, mismatch } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';
import type { TensorTree } from '../tensor/tree';
import type { CustomModel } from './custom-model';
import type { Loss } from './losses';
import type { DatasetMetric, Measurement, Metric } from './metrics';
import { type BatchRun, customTask, isSequentialCall, scalarOf, sequentialTask, type Task, weightOf } from './task';

/** Metrics by name, for targets of type Y. */
export type Metrics<Y extends Tensor | IntTensor = Tensor | IntTensor> = Readonly<
  Record<string, Metric<Y> | DatasetMetric<Y, unknown>>
>;

/** The loss and metrics of {@link evaluate}, for targets of type Y; M are the metrics. */
export interface EvaluateOptions<
  Y extends Tensor | IntTensor = Tensor | IntTensor,
  M extends Metrics<Y> = Record<never, never>,
> {
  readonly loss: Loss<Y>;
  /** Metrics by name, except `loss`; losses are metrics, too. */
  readonly metrics?: (M & Metrics<Y> & { readonly loss?: never }) | undefined;
  /**
   * Whether each batch starts from the final state of the previous batch, as for `windows(…, { shuffle: false })`. Row
   * i continues row i. A batch can have fewer rows than the previous one, whose last rows end then; it cannot have
   * more. False by default.
   */
  readonly carryState?: boolean | undefined;
}

/** The loss, and the result of every metric. */
export type Evaluation<M> = { readonly loss: number } & {
  readonly [N in keyof M]: M[N] extends DatasetMetric<never, infer R> ? R : number;
};

/** The arguments of {@link evaluate} for a sequential model. */
type SequentialArguments<Y extends Tensor | IntTensor> = [
  model: Sequential,
  data: Batches<Batch<Y>> | Batch<Y>,
  options: EvaluateOptions<Y, Metrics<Y>>,
];

/** The arguments of {@link evaluate} for a custom model. */
type CustomArguments<P extends TensorTree, B> = [model: CustomModel<P, B>, data: Batches<B>, options?: object];

/**
 * Computes the mean loss and metrics over one epoch of data, with dropout off. Each batch is weighted by the sum of the
 * weights of its targets, so that a batch whose targets are all ignored only carries the state; the batches of a {@link
 * customModel} are weighted equally. A {@link DatasetMetric} is computed over all targets together.
 *
 * @throws RangeError if the data has no batches, or a batch does not fit the model
 * @throws TypeError if a sequential model lacks a loss, a custom model is given a loss or metrics, or a metric has the
 * name `loss`
 * @example
 * const model = sequential([embedding({ vocabularySize: 5, size: 4 }), dense({ size: 5 })]);
 * const data = windows(Int32Array.of(0, 1, 2, 3, 4, 0), { sequenceLength: 5, batchSize: 1, shuffle: false });
 * const metrics = { accuracy, f1: f1Score({ average: 'macro' }) };
 * const { loss, f1 } = evaluate(model, data, { loss: crossEntropy, metrics });
 * loss > 0 && f1 >= 0; // true
 */
export function evaluate<Y extends Tensor | IntTensor, M extends Metrics<NoInfer<Y>> = Record<never, never>>(
  model: Sequential,
  data: Batches<Batch<Y>> | Batch<Y>,
  options: EvaluateOptions<NoInfer<Y>, M>,
): Evaluation<M>;
export function evaluate<P extends TensorTree, B>(
  model: CustomModel<P, B>,
  data: Batches<B>,
): { readonly loss: number };
export function evaluate<Y extends Tensor | IntTensor, P extends TensorTree, B>(
  ...call: SequentialArguments<Y> | CustomArguments<P, B>
): { readonly loss: number } & Readonly<Record<string, unknown>> {
  const given: Partial<EvaluateOptions<Y, Metrics<Y>>> = call[2] ?? {};
  checkNames('evaluate', 'options', given, ['loss', 'metrics', 'carryState']);
  if (!isSequentialCall<SequentialArguments<Y>>(call)) {
    const [model, data] = call;
    return { loss: meanLoss(customTask('evaluate', model, given), data) };
  }
  const [model, data, options] = call;
  const metrics = given.metrics ?? {};
  if (metrics['loss']) throw mismatch('evaluate', 'metrics.loss', 'undefined', metrics['loss']);
  const task = sequentialTask('evaluate', model, { ...options, run: runForOutputs });
  const running = mapValues(metrics, (metric, name) => {
    const { start } = (metric ?? {}) as Partial<DatasetMetric<Y>>;
    return typeof start === 'function' ? start() : meanOf(`metrics.${name}`, metric as Metric<Y>);
  });
  const measurements = Object.values(running);
  const loss = meanLoss(task, data, (batch) => {
    // Without metrics, the outputs need not be copied.
    if (measurements.length === 0) return;
    const outputs = toTensor(task.output());
    for (const measurement of measurements) measurement.add(outputs, batch.targets, task.maskOf(batch));
  });
  return { ...mapValues(running, (measurement) => measurement.result()), loss };
}

/** {@link runModel}, with a long input in chunks, as {@link predict} runs it. */
const runForOutputs: BatchRun = (model, parameters, input, options) => {
  const run = predictInChunks(model, input, options);
  if (run === undefined) return runModel(model, parameters, input, options);
  const output = operand('evaluate', run.output);
  return { output, state: mapStates(run.state, (value) => operand('evaluate', value)), outputs: [output], results: {} };
};

/** The mean of a metric over batches, weighted by the weights of their targets. */
function meanOf<Y extends Tensor | IntTensor>(name: string, metric: Metric<Y>): Measurement<Y, number> {
  checkFunction('evaluate', name, metric);
  let total = 0;
  let totalWeight = 0;
  return {
    add(outputs, targets, options = {}) {
      const weight = weightOf('evaluate', metric, targets, options);
      // A mean over no targets does not exist.
      if (weight === 0) return;
      const value = scalarOf('evaluate', name, () => metric(outputs, targets, options));
      total += weight * (isVariable(value) ? toTensor(value).data[0]! : value);
      totalWeight += weight;
    },
    result: () => total / totalWeight,
  };
}

/** The mean loss over one epoch of data. */
function meanLoss<P extends TensorTree, B>(task: Task<P, B>, data: Batches<B> | B, visit?: (batch: B) => void): number {
  const mean = startMeanLoss('evaluate', 'data', task, visit);
  const source = datasetOrBatches('evaluate', 'data', data);
  const batches = 'batches' in source ? source.batches(mean.random) : source;
  checkKind('evaluate', 'the batches of data', batches, 'a synchronous iterable', Symbol.iterator);
  for (const batch of batches as Iterable<B>) mean.add(batch);
  return mean.result();
}

/** The mean of a task's loss over the batches of an epoch, each weighted by its targets. */
interface MeanLoss<B> {
  /** The random number generator for the order of the batches. */
  readonly random: Random;
  readonly add: (batch: B) => void;
  /** @throws RangeError if there are no targets */
  readonly result: () => number;
}

/**
 * Starts the mean of a task's loss.
 *
 * @param visit called after the loss of every batch; variables may be used
 */
export function startMeanLoss<P extends TensorTree, B>(
  caller: string,
  argument: string,
  task: Task<P, B>,
  visit?: (batch: B) => void,
): MeanLoss<B> {
  let total = 0;
  let totalWeight = 0;
  task.begin?.();
  const random = createRandom(0);
  return {
    random,
    add(batch) {
      const weight = task.weightOf?.(batch) ?? 1;
      total += compute(task.parameters, (p) => {
        const loss = weight * toTensor(task.loss(p, batch, { training: false, random, step: 0 }, weight)).data[0]!;
        visit?.(batch);
        return loss;
      });
      totalWeight += weight;
    },
    result() {
      checkSome(caller, argument, totalWeight, 'target');
      return total / totalWeight;
    },
  };
}
