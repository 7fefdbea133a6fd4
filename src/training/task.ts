/** The common interface through which training and evaluation run sequential and custom models. */

import { operand, type Variable } from '../autodiff/tape';
import { checkScalar, copyOut } from '../autodiff/value-and-gradient';
import { type Batch, checkBatch } from '../data/dataset';
import { checkCausal } from '../layers/chain';
import { lengthsOf } from '../models/output-lengths';
import {
  type ModelRun,
  type ModelState,
  mapStates,
  outputsPerStep,
  type PredictOptions,
  type RunOptions,
  runModel,
  type Sequential,
} from '../models/sequential';
import { lastOf } from '../tensor/arrays';
import { prefixed, withCaller } from '../tensor/error-context';
import { checkFunction, checkKind, checkNumber, isObject, mismatch, sizeOf } from '../tensor/shape';
import { copyTensor, type IntTensor, type Tensor } from '../tensor/tensor';
import { type Mapped, mapTree, type TensorTree } from '../tensor/tree';
import type { CustomModel, TrainingContext } from './custom-model';
import type { LayerOutput } from './finite-check';
import type { Loss } from './losses';
import { type Metric, type MetricOptions, targetWeights } from './metrics';

/** A model with the loss of its batches. */
export interface Task<P extends TensorTree, B> {
  readonly parameters: P;
  readonly data: Float32Array;
  /** The loss of a batch of a given weight; 0 if the weight is 0. */
  readonly loss: (p: Mapped<P, Variable>, batch: B, context: TrainingContext, weight: number) => Variable;
  /** Resets the carried state, or sets it to the given one. */
  readonly begin?: (carried?: ModelState) => void;
  /** Returns a copy of the state carried from batch to batch. */
  readonly carried?: () => ModelState | undefined;
  /** The weight of a batch in a mean over batches; 1 by default. */
  readonly weightOf?: (batch: B) => number;
  /** The number of rows of a batch: time steps, multiplied by sequences. */
  readonly rowsOf?: (batch: B) => number;
  /** The layer outputs of the last run, to locate values that are not finite. */
  readonly layerOutputs?: () => readonly LayerOutput[];
}

/** A {@link Sequential} model with its loss, for batches with targets of type Y. */
export interface SequentialTask<Y extends Tensor | IntTensor> extends Task<Sequential['parameters'], Batch<Y>> {
  /** The model output of the last run. */
  readonly output: () => Variable;
  /** The mask and lengths of the targets of a batch, as losses and metrics take them. */
  readonly maskOf: (batch: Batch<Y>) => MetricOptions;
}

/** Runs a model on the inputs of a batch, as {@link runModel} does. */
export type BatchRun = (
  model: Sequential,
  parameters: Parameters<typeof runModel>[1],
  inputs: Tensor | IntTensor,
  options: RunOptions & PredictOptions,
) => ModelRun;

/** The options of {@link sequentialTask}. */
export interface SequentialTaskOptions<Y extends Tensor | IntTensor> {
  readonly loss: Loss<Y>;
  readonly carryState?: boolean | undefined;
  readonly run?: BatchRun | undefined;
}

/**
 * Creates the task of a sequential model.
 *
 * @throws TypeError if the loss is missing
 * @throws RangeError if the state cannot be carried
 */
export function sequentialTask<Y extends Tensor | IntTensor>(
  caller: string,
  model: Sequential,
  { loss, carryState = false, run = runModel }: SequentialTaskOptions<Y>,
): SequentialTask<Y> {
  checkFunction(caller, 'loss', loss);
  checkFunction(caller, 'run', run);
  if (carryState) checkCausal(caller, model.layers, 'with carryState');
  const perStep = outputsPerStep(model);
  let state: ModelState | undefined;
  let outputs: readonly Variable[] = [];
  // The lengths are those of the inputs: a model with one output per sequence has no padding in its targets.
  const maskOf = ({ mask, lengths }: Batch<Y>): MetricOptions => ({
    mask,
    lengths: perStep ? lengthsOf(model.layers, lengths) : undefined,
  });
  const weightOfBatch = (batch: Batch<Y>): number => {
    checkBatch(caller, batch);
    const { inputs, targets, mask } = batch;
    // If the targets are not one per step, the loss throws an error about them; here it would be about the lengths.
    return weightOf(caller, loss, targets, targets.shape[1] === inputs.shape[1] ? maskOf(batch) : { mask });
  };
  return {
    parameters: model.parameters,
    data: model.data,
    begin(carried) {
      state = carried;
    },
    carried: () => state && mapStates(state, copyTensor),
    weightOf: weightOfBatch,
    rowsOf: ({ inputs }) => inputs.shape[0]! * inputs.shape[1]!,
    output: () => lastOf(outputs)!,
    // runInSegments keeps the model output only.
    layerOutputs: () =>
      outputs.length < model.layers.length ? [] : outputs.map((output, i) => ({ name: model.layers[i]!.name, output })),
    maskOf,
    loss(p, batch, context, weight) {
      const { inputs, targets, lengths, resets } = batch;
      if (state !== undefined) state = firstRows(caller, state, inputs.shape[1]!);
      const forward = withCaller(caller, () => run(model, p, inputs, { ...context, lengths, resets, state }));
      // A `run` that users write may return nothing.
      operand(caller, forward?.output, 'the output');
      ({ outputs } = forward);
      if (carryState) state = copyOut(forward.state, caller) as ModelState;
      if (weight === 0) return operand(caller, 0);
      return scalarOf(caller, 'loss', () => loss(forward.output, targets, maskOf(batch)));
    },
  };
}

/** The weight of a batch in the mean of a loss or metric over batches: that of its targets. */
export function weightOf<Y extends Tensor | IntTensor>(
  where: string,
  { weightOf }: Metric<Y>,
  targets: Y,
  options: MetricOptions,
): number {
  return weightOf?.(targets, options) ?? targetWeights(where, targets.shape, options).total;
}

/**
 * The carried state for a batch: its rows continue the rows of the same index; the state of the others is dropped.
 *
 * @throws RangeError if the batch has more rows
 */
function firstRows(caller: string, state: ModelState, rows: number): ModelState {
  return mapTree(state, ({ shape: [carried, ...rest], data }) => {
    checkNumber(caller, 'the rows of a batch with carryState', rows, 0, carried);
    return { shape: [rows, ...rest], data: data.subarray(0, rows * sizeOf(rest)) };
  });
}

/** Creates the task of a custom model. @throws TypeError if there are options that only a sequential model has */
export function customTask<P extends TensorTree, B>(
  caller: string,
  model: CustomModel<P, B>,
  options: object,
): Task<P, B> {
  checkKind(caller, 'model', model, 'a model, as sequential or customModel returns', 'data');
  checkFunction(caller, 'model.loss', model.loss);
  const names = ['loss', 'carryState', 'run', 'metrics'] as const;
  const given: Partial<Record<(typeof names)[number], unknown>> = options;
  for (const name of names) if (given[name]) throw mismatch(caller, name, 'undefined for a customModel', given[name]);
  return {
    parameters: model.parameters,
    data: model.data,
    loss: (p, batch, context) => scalarOf(caller, 'loss', () => model.loss(p, batch, context)),
  };
}

/** Whether the model of a call is a {@link Sequential}, rather than a {@link CustomModel}. */
export function isSequentialCall<S extends readonly [model: Sequential, ...rest: unknown[]]>(
  call: S | readonly [model: object, ...rest: unknown[]],
): call is S {
  return isObject(call[0]) && 'layers' in call[0];
}

/**
 * The scalar that a loss or metric computes. Errors of the function keep their whole message after the caller's name:
 * `fit: crossEntropy: targets must be …`.
 *
 * @throws TypeError if it is a variable that is not a scalar, or a loss that is a number
 */
export function scalarOf<V extends Variable | number>(caller: string, name: string, compute: () => V): V {
  let value: V;
  try {
    value = compute();
  } catch (error) {
    throw prefixed(error, caller);
  }
  // A loss that is a number has no gradient.
  if (name === 'loss' || typeof value !== 'number') checkScalar(caller, name, value);
  return value;
}
