/** Training of models on datasets. */

import type { Batch, Dataset } from '../data/dataset';
import type { runModel, Sequential } from '../models/sequential';
import { createRandom } from '../tensor/random';
import { checkCount, checkSome } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';
import type { TensorTree } from '../tensor/tree';
import type { CustomModel } from './custom-model';
import { meansOver } from './evaluate';
import { createPause } from './event-loop';
import type { Loss } from './losses';
import { copyOptimizerState, type Optimizer, type OptimizerState } from './optimizers';
import { openSession, type Session } from './session';
import { customTask, isSequentialCall, sequentialTask, type Task } from './task';
import { type Best, type Epoch, type FitCheckpoint, openEpoch, type TrainingState } from './training-state';

/** The progress of training after an update. */
export interface Progress {
  /** The number of updates made. */
  readonly step: number;
  /** The total number of updates. */
  readonly steps: number;
  /** The epoch, from 1. */
  readonly epoch: number;
  /** The loss of the batch, before its update. */
  readonly loss: number;
  /** The moving average of the loss. */
  readonly smoothedLoss: number;
  /** The norm of the gradient before clipping, if the optimizer clips by norm. */
  readonly gradientNorm: number | undefined;
  /** Targets per second; NaN if the batches have no `targets`. */
  readonly targetsPerSecond: number;
  /** The estimated time left, in seconds. */
  readonly secondsLeft: number;
  /** The loss on the validation data, after the last update of an epoch. */
  readonly validationLoss?: number;
  /** Whether this was the last update. */
  readonly done: boolean;
}

/** The options of {@link fit} for models of every kind. */
export interface FitOptions<B = Batch> {
  readonly optimizer: Optimizer;
  /** The number of passes over the data. 1 by default. */
  readonly epochs?: number;
  /** The number of updates; overrides `epochs`. */
  readonly steps?: number;
  /** The seed for the order of batches and for dropout. 0 by default. */
  readonly seed?: number;
  /** Data to evaluate on after every epoch. */
  readonly validation?: Dataset<B>;
  /**
   * Early stopping: the number of epochs without a better validation loss after which training stops. The parameters of
   * the best epoch are restored.
   */
  readonly patience?: number;
  /** The optimizer state to continue from, updated in place. */
  readonly optimizerState?: OptimizerState;
  /** Called after every update. Training waits for a promise. */
  readonly onProgress?: (progress: Progress) => unknown;
  /** When and how to store the training state. */
  readonly checkpoint?: FitCheckpoint;
  /**
   * The training state to resume from. With the same data and options the result is the same to the bit as without the
   * interruption: `steps` and `epochs` count from the start of the training, and the parameters are set to the stored
   * ones.
   */
  readonly resume?: TrainingState | undefined;
  /** Stops training after the update during which it is aborted: an AbortSignal, for example. */
  readonly signal?: { readonly aborted: boolean };
}

/** The options of {@link fit} for a {@link sequential} model and targets of type Y. */
export interface SequentialFitOptions<Y extends Tensor | IntTensor = Tensor | IntTensor> extends FitOptions<Batch<Y>> {
  readonly loss: Loss<Y>;
  /** Whether each batch starts from the final state of the previous batch, as for `windows(…, { shuffle: false })`. */
  readonly carryState?: boolean;
  /** Runs the model: {@link runModel} by default; {@link runInSegments} for sequences too long to be stored. */
  readonly run?: typeof runModel;
}

/** The result of {@link fit}. */
export interface FitResult {
  /** The number of updates made. */
  readonly steps: number;
  /** Why training ended. */
  readonly stopped: 'finished' | 'aborted' | 'early';
  /** The loss of every update. */
  readonly losses: readonly number[];
  /** The loss on the validation data after every epoch. */
  readonly validationLosses: readonly number[];
  /** The optimizer state, to continue from. */
  readonly optimizerState: OptimizerState;
}

/** The arguments of {@link fit} for a sequential model. */
type SequentialArguments<Y extends Tensor | IntTensor> = [
  model: Sequential,
  data: Dataset<Batch<Y>>,
  options: SequentialFitOptions<Y>,
];

/** The arguments of {@link fit} for a custom model. */
type CustomArguments<P extends TensorTree, B> = [model: CustomModel<P, B>, data: Dataset<B>, options: FitOptions<B>];

/**
 * Trains a model in place. Yields to the event loop about every 20 ms.
 *
 * @param model a {@link sequential} model or a {@link customModel}; changed in place
 * @param data the batches to train on
 * @throws TypeError if a sequential model lacks a loss, or a custom model is given one
 * @throws RangeError if a loss or gradient is not finite, before the parameters are changed (the message names the
 * update and the layer); if a batch does not fit the model, or an option is out of range
 * @example
 * const model = sequential([
 *   embedding({ vocabularySize: 5, size: 4 }), recurrent(lstm(), { hiddenSize: 8 }), dense({ size: 5 }),
 * ]);
 * const data = windows(Int32Array.from({ length: 200 }, (_, i) => i % 5), { sequenceLength: 10, batchSize: 4 });
 * const optimizer = chain(clipByNorm(1), adam(0.02));
 * const { losses } = await fit(model, data, { loss: crossEntropy, optimizer, epochs: 10 });
 * losses.at(-1)! < losses[0]!; // true
 */
export function fit<Y extends Tensor | IntTensor>(
  model: Sequential,
  data: Dataset<Batch<Y>>,
  options: SequentialFitOptions<NoInfer<Y>>,
): Promise<FitResult>;
export function fit<P extends TensorTree, B>(
  model: CustomModel<P, B>,
  data: Dataset<B>,
  options: FitOptions<B>,
): Promise<FitResult>;
export async function fit<Y extends Tensor | IntTensor, P extends TensorTree, B>(
  ...call: SequentialArguments<Y> | CustomArguments<P, B>
): Promise<FitResult> {
  if (isSequentialCall<SequentialArguments<Y>>(call)) {
    const [model, data, options] = call;
    return train(sequentialTask('fit', model, options), data, options);
  }
  const [model, data, options] = call;
  return train(customTask('fit', model, options), data, options);
}

async function train<P extends TensorTree, B>(
  task: Task<P, B>,
  data: Dataset<B>,
  options: FitOptions<B>,
): Promise<FitResult> {
  checkOptions(data, options);
  const { onProgress, signal, checkpoint, resume } = options;
  const steps = options.steps ?? (options.epochs ?? 1) * data.batchCount;
  const random = createRandom(options.seed ?? 0);
  const session = startSession(task, options);
  const losses = [...(resume?.losses ?? [])];
  const validation = createValidation(task, options);
  const measure = createMeter(steps, resume);
  const pause = createPause(20);

  const snapshot = (epoch: number, { position, draws }: Epoch<B>, smoothedLoss: number): TrainingState => ({
    step: losses.length,
    epoch,
    position,
    parameters: task.data.slice(),
    optimizer: copyOptimizerState(session.state),
    random: random.state.slice(),
    draws: [...draws],
    losses: [...losses],
    smoothedLoss,
    validationLosses: [...validation.losses],
    best: validation.best,
    carried: task.carried?.(),
  });
  const finish = (stopped: FitResult['stopped']): FitResult => {
    validation.restoreBest();
    const { losses: validationLosses } = validation;
    return { steps: losses.length, stopped, losses, validationLosses, optimizerState: session.state };
  };

  for (let epoch = resume?.epoch ?? 1; losses.length < steps; epoch++) {
    const resumed = epoch === resume?.epoch ? resume : undefined;
    const reader = openEpoch(data, random, resumed);
    task.begin?.(resumed?.carried);
    for (const batch of reader.batches) {
      const { loss, norm } = session.update(batch, random, losses.length + 1);
      losses.push(loss);
      const epochEnded = reader.position === data.batchCount || losses.length === steps;
      const validationLoss = epochEnded ? validation.run(epoch) : undefined;
      const measured = measure(losses.length, batch, loss);
      let stopped = stopReason(signal?.aborted, validation.isExhausted(epoch), losses.length >= steps);
      const due = losses.length % (checkpoint?.every ?? Infinity) === 0;
      if (due) await checkpoint!.write(snapshot(epoch, reader, measured.smoothedLoss));
      const progress = { ...measured, epoch, loss, gradientNorm: norm, done: stopped !== undefined };
      await onProgress?.(validationLoss === undefined ? progress : { ...progress, validationLoss });
      await pause();
      // Training may have been aborted in the meantime.
      if (signal?.aborted) stopped ??= 'aborted';
      if (stopped === 'aborted' && !due) await checkpoint?.write(snapshot(epoch, reader, measured.smoothedLoss));
      if (stopped !== undefined) return finish(stopped);
    }
    if (reader.position === 0) throw new RangeError('fit: data yielded no batch in an epoch.');
  }
  return finish('finished');
}

function checkOptions<B>(
  data: Dataset<B>,
  { steps = 0, epochs = 0, patience, validation, checkpoint }: FitOptions<B>,
): void {
  checkCount('fit', 'steps', steps, 0);
  checkCount('fit', 'epochs', epochs, 0);
  if (patience !== undefined) {
    checkCount('fit', 'patience', patience);
    if (validation === undefined) throw new RangeError('fit: patience needs validation data.');
  }
  if (checkpoint !== undefined) {
    checkCount('fit', 'checkpoint.every', checkpoint.every);
    if (typeof checkpoint.write !== 'function') throw new TypeError('fit: checkpoint.write must be a function.');
  }
  checkSome('fit', 'data', data.batchCount, 'batch');
}

function stopReason(
  aborted: boolean | undefined,
  exhausted: boolean,
  finished: boolean,
): FitResult['stopped'] | undefined {
  if (aborted) return 'aborted';
  if (exhausted) return 'early';
  return finished ? 'finished' : undefined;
}

/**
 * Starts the updates, from the training state if there is one.
 *
 * @throws RangeError if the training state or the optimizer state does not fit
 */
function startSession<P extends TensorTree, B>(
  task: Task<P, B>,
  { optimizer, optimizerState, resume }: FitOptions<B>,
): Session<B> {
  if (resume === undefined) return openSession('fit', task, optimizer, optimizerState);
  if (optimizerState !== undefined) throw new RangeError('fit: optimizerState and resume exclude each other.');
  const { parameters } = resume;
  if (parameters.length !== task.data.length) {
    throw new RangeError(
      `fit: resume must hold the ${task.data.length} parameters of this model, got ${parameters.length}. ` +
        'Is it from another model?',
    );
  }
  task.data.set(parameters);
  return openSession('fit', task, optimizer, copyOptimizerState(resume.optimizer));
}

/** Evaluation after every epoch, and early stopping. */
interface Validation {
  /** The validation loss of every epoch. */
  readonly losses: readonly number[];
  readonly best: Best | undefined;
  /** Evaluates after an epoch. Returns the validation loss, if there is validation data. */
  readonly run: (epoch: number) => number | undefined;
  /** Whether the best epoch is `patience` epochs before this one. */
  readonly isExhausted: (epoch: number) => boolean;
  /** With early stopping, sets the parameters to those of the best epoch. */
  readonly restoreBest: () => void;
}

function createValidation<P extends TensorTree, B>(
  task: Task<P, B>,
  { validation, patience = Infinity, resume }: FitOptions<B>,
): Validation {
  const losses = [...(resume?.validationLosses ?? [])];
  let best = resume?.best;
  return {
    losses,
    get best() {
      return best;
    },
    run(epoch) {
      if (validation === undefined) return undefined;
      const { loss } = meansOver('fit', task, validation);
      losses.push(loss);
      if (best === undefined || loss < best.loss) best = { loss, epoch, parameters: task.data.slice() };
      return loss;
    },
    isExhausted: (epoch) => best !== undefined && epoch - best.epoch >= patience,
    restoreBest() {
      if (best !== undefined && patience < Infinity) task.data.set(best.parameters);
    },
  };
}

/** The moving average of the loss, and the speed of training. */
type Measurements = Pick<Progress, 'step' | 'steps' | 'smoothedLoss' | 'targetsPerSecond' | 'secondsLeft'>;

/** Returns a function to call after every update. */
function createMeter(
  steps: number,
  resume: TrainingState | undefined,
): (step: number, batch: unknown, loss: number) => Measurements {
  const firstStep = resume?.losses.length ?? 0;
  const start = performance.now();
  let smoothedLoss = resume?.smoothedLoss ?? NaN;
  let targets = 0;
  return (step, batch, loss) => {
    targets += (batch as Partial<Batch>).targets?.data?.length ?? NaN;
    // A window of about 50 updates; the first losses have equal weight.
    smoothedLoss = step === 1 ? loss : smoothedLoss + (loss - smoothedLoss) * Math.max(0.02, 1 / step);
    const seconds = (performance.now() - start) / 1000;
    const secondsLeft = (seconds / (step - firstStep)) * (steps - step);
    return { step, steps, smoothedLoss, targetsPerSecond: targets / seconds, secondsLeft };
  };
}
