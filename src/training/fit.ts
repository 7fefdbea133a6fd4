/** Training of models on datasets. */

import { type AsyncBatches, type Batch, type Batches, sourceOf } from '../data/dataset';
import type { runModel, Sequential } from '../models/sequential';
import type { NoInfer } from '../tensor/no-infer';
import { seeded } from '../tensor/random';
import { checkArray, checkCount, checkFunction, checkNames, checkSome, isObject, outOfRange } from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';
import type { TensorTree } from '../tensor/tree';
import type { CustomModel } from './custom-model';
import { startMeanLoss } from './evaluate';
import { checkSignal, createPause, now } from './event-loop';
import type { Loss } from './losses';
import { checkOptimizerState, copyOptimizerState, type Optimizer, type OptimizerState } from './optimizers';
import { openSession, type Session } from './session';
import { customTask, isSequentialCall, sequentialTask, type Task } from './task';
import {
  type Best,
  checkIterable,
  type Epoch,
  type FitCheckpoint,
  openEpoch,
  type TrainingState,
} from './training-state';

/** The progress of training after an update. */
export interface Progress {
  /** The number of updates made. */
  readonly step: number;
  /**
   * The total number of updates. If the data does not state its number of batches, it is NaN in the first epoch; after
   * that, it is an estimate from the length of the last epoch.
   */
  readonly steps: number;
  /** The epoch, from 1. */
  readonly epoch: number;
  /** The loss of the batch or the accumulated batches, before the update; 0 if all targets are ignored. */
  readonly loss: number;
  /** The moving average of the loss. */
  readonly smoothedLoss: number;
  /** The norm of the gradient of the loss, before penalties and clipping. */
  readonly gradientNorm: number;
  /** The learning rate of the update; `undefined` if all targets are ignored, or the optimizer has no rate. */
  readonly learningRate: number | undefined;
  /** Targets per second; NaN if the batches have no `targets`. */
  readonly targetsPerSecond: number;
  /** The estimated time left, in seconds; NaN if `steps` is. */
  readonly secondsLeft: number;
  /** The loss on the validation data, after the last update of an epoch or of the training. */
  readonly validationLoss?: number | undefined;
  /** Whether this was the last update. False if training is aborted in `onProgress` or in `checkpoint.write`. */
  readonly done: boolean;
}

/** The options of {@link fit} for models of every kind. S is the type of a single batch, if it is accepted as data. */
export interface FitOptions<B = Batch, S = never> {
  readonly optimizer: Optimizer;
  /** The number of passes over the data. 1 by default. */
  readonly epochs?: number | undefined;
  /** The number of updates; overrides `epochs`. */
  readonly steps?: number | undefined;
  /**
   * The number of consecutive batches per update, 1 by default; the last update of an epoch can have fewer. The
   * gradient is that of the mean loss over all their targets, as for one large batch; a {@link customModel} weights the
   * batches equally.
   */
  readonly accumulate?: number | undefined;
  /** The seed for the order of batches and for dropout. 0 by default. */
  readonly seed?: number | undefined;
  /** Data to evaluate on after every epoch and after the last update. Asynchronous data is read again each time. */
  readonly validation?: Batches<B> | AsyncBatches<B> | S | undefined;
  /**
   * Early stopping: training stops after this number of consecutive epochs without a new best validation loss. When
   * training ends, also by an abort, the model has the parameters of the best epoch; if `fit` throws, those of the last
   * update. Requires `validation`.
   */
  readonly patience?: number | undefined;
  /** The optimizer state to continue from, updated in place. */
  readonly optimizerState?: OptimizerState | undefined;
  /** Called after every update. If it returns a promise, training waits until the promise resolves. */
  readonly onProgress?: ((progress: Progress) => unknown) | undefined;
  /** When and how to store the training state. */
  readonly checkpoint?: FitCheckpoint | undefined;
  /**
   * The training state to resume from. With the same data and options the result is bit-identical to that of an
   * uninterrupted training: `steps` and `epochs` count from the start of the training, and the parameters are set to
   * the stored ones.
   */
  readonly resume?: TrainingState | undefined;
  /** A signal, such as an `AbortSignal`, that stops training after the current update. */
  readonly signal?: { readonly aborted: boolean } | undefined;
}

/** The options of {@link fit} for a {@link sequential} model and targets of type Y. */
export interface SequentialFitOptions<Y extends Tensor | IntTensor = Tensor | IntTensor>
  extends FitOptions<Batch<Y>, Batch<Y>> {
  readonly loss: Loss<Y>;
  /**
   * Whether each batch starts from the final state of the previous batch, as for `windows(…, { shuffle: false })`. Row
   * i continues row i. A batch can have fewer rows than the previous one, whose last rows end then; it cannot have
   * more. False by default.
   */
  readonly carryState?: boolean | undefined;
  /**
   * Runs the model: {@link runModel} by default; {@link runInSegments} for sequences whose activations do not fit in
   * memory.
   */
  readonly run?: typeof runModel | undefined;
}

/** The result of {@link fit}. */
export interface FitResult {
  /** The number of updates made. */
  readonly steps: number;
  /** Why training ended. */
  readonly stopped: 'finished' | 'aborted' | 'early';
  /** The loss of every update. */
  readonly losses: readonly number[];
  /** The loss on the validation data after every epoch and after the last update. */
  readonly validationLosses: readonly number[];
  /** The optimizer state, to continue from. */
  readonly optimizerState: OptimizerState;
}

/** The arguments of {@link fit} for a sequential model. */
type SequentialArguments<Y extends Tensor | IntTensor> = [
  model: Sequential,
  data: Batches<Batch<Y>> | AsyncBatches<Batch<Y>> | Batch<Y>,
  options: SequentialFitOptions<Y>,
];

/** The arguments of {@link fit} for a custom model. */
type CustomArguments<P extends TensorTree, B> = [
  model: CustomModel<P, B>,
  data: Batches<B> | AsyncBatches<B>,
  options: FitOptions<B>,
];

/**
 * Trains a model in place. Yields to the event loop about every 20 ms; `fitInWorker` of `bptt/worker` leaves the thread
 * free.
 *
 * @param model a {@link sequential} model or a {@link customModel}; changed in place
 * @param data the batches to train on. A synchronous iterable that is not a dataset is first read to its end, or until
 * there are batches for `steps` updates, and kept in memory; its order is the same in every epoch. An {@link
 * AsyncDataset} or another asynchronous iterable is read while training uses its batches, which are not kept, and again
 * from the start in every epoch. Resuming reads the batches of the epoch that have been used, and skips them.
 * @throws TypeError if `data` is of another kind; if a sequential model lacks a loss, or a custom model is given one
 * @throws RangeError if a loss or gradient is not finite, before the parameters are changed (the message names the
 * update and the layer); if a batch has the wrong shape for the model, or an option is out of range; if there are
 * several epochs, but `data` can be read only once
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
  data: Batches<Batch<Y>> | AsyncBatches<Batch<Y>> | Batch<Y>,
  options: SequentialFitOptions<NoInfer<Y>>,
): Promise<FitResult>;
export function fit<P extends TensorTree, B>(
  model: CustomModel<P, B>,
  data: Batches<B> | AsyncBatches<B>,
  options: FitOptions<B>,
): Promise<FitResult>;
export async function fit<Y extends Tensor | IntTensor, P extends TensorTree, B>(
  ...call: SequentialArguments<Y> | CustomArguments<P, B>
): Promise<FitResult> {
  checkNames('fit', 'options', call[2], [
    'optimizer',
    'epochs',
    'steps',
    'accumulate',
    'seed',
    'validation',
    'patience',
    'optimizerState',
    'onProgress',
    'checkpoint',
    'resume',
    'signal',
    'loss',
    'carryState',
    'run',
  ]);
  if (isSequentialCall<SequentialArguments<Y>>(call)) {
    const [model, data, options] = call;
    return train(sequentialTask('fit', model, options), data, options);
  }
  const [model, data, options] = call;
  return train(customTask('fit', model, options), data, options);
}

async function train<P extends TensorTree, B>(
  task: Task<P, B>,
  batches: Batches<B> | AsyncBatches<B> | B,
  options: FitOptions<B, B>,
): Promise<FitResult> {
  const { accumulate = 1, epochs = 1, onProgress, signal, checkpoint, resume } = options;
  checkCount('fit', 'accumulate', accumulate);
  checkOptions(options);
  const data = sourceOf('fit', 'data', batches, options.steps && options.steps * accumulate);
  if (data.batchCount !== undefined) checkCount('fit', 'the number of batches', data.batchCount);
  checkRepeatable('data', batches, options);
  checkRepeatable('validation', options.validation, options);
  // NaN if the number of batches is not known. All comparisons with it are false.
  const steps = options.steps ?? epochs * Math.ceil((data.batchCount ?? NaN) / accumulate);
  const random = seeded('fit', options.seed ?? 0);
  const session = startSession(task, options);
  const losses = [...(resume?.losses ?? [])];
  const pause = createPause();
  const validation = createValidation(task, options, pause);
  const measure = createMeter(losses.length, resume?.smoothedLoss);
  let estimatedSteps = steps;

  /** A copy of the state, which its receiver may change or transfer. */
  const snapshot = (epoch: number, { position, draws, random }: Epoch<B>, smoothedLoss: number): TrainingState => ({
    step: losses.length,
    epoch,
    position,
    parameters: task.data.slice(),
    optimizer: copyOptimizerState(session.state()),
    random: random.slice(),
    draws: draws.map((draw) => ({ ...draw, random: draw.random.slice() })),
    losses: [...losses],
    smoothedLoss,
    validationLosses: [...validation.losses],
    best: validation.best(),
    carried: task.carried?.(),
  });
  const finish = (stopped: FitResult['stopped']): FitResult => {
    validation.restoreBest();
    return {
      steps: losses.length,
      stopped,
      losses,
      validationLosses: validation.losses,
      optimizerState: session.state(),
    };
  };

  /** Makes the updates of an epoch. Returns why training ended, or undefined if it continues. */
  const runEpoch = async (epoch: number, reader: Epoch<B>): Promise<FitResult['stopped'] | undefined> => {
    for (let group = await reader.take(accumulate); group.length > 0; group = await reader.take(accumulate)) {
      const validationLosses = options.validation && validation.losses;
      const update = session.update(group, random, losses.length + 1, validationLosses);
      losses.push(update.loss);
      const epochEnded = losses.length === steps || (await reader.isAtEnd());
      if (epochEnded) checkSome('fit', 'data', session.steps(), 'target');
      const validationLoss = epochEnded ? await validation.run(epoch) : undefined;
      if (epochEnded && Number.isNaN(steps))
        estimatedSteps = losses.length + (epochs - epoch) * Math.ceil(reader.position / accumulate);
      const measured = measure(losses.length, estimatedSteps, group, update.loss);
      let stopped: FitResult['stopped'] | undefined;
      if (losses.length >= steps || (epochEnded && isLast(epoch))) stopped = 'finished';
      if (epochEnded && validation.isExhausted(epoch)) stopped = 'early';
      await pause();
      if (signal?.aborted) stopped = 'aborted';
      const due = losses.length % (checkpoint?.every ?? Infinity) === 0;
      if (due) await checkpoint!.write(snapshot(epoch, reader, measured.smoothedLoss));
      await onProgress?.({ ...measured, ...update, epoch, validationLoss, done: stopped !== undefined });
      // Training may have been aborted in the meantime.
      if (signal?.aborted) stopped ??= 'aborted';
      if (stopped === 'aborted' && !due) await checkpoint?.write(snapshot(epoch, reader, measured.smoothedLoss));
      if (stopped !== undefined) return stopped;
    }
    if (reader.position === 0)
      throw outOfRange('fit', `data in epoch ${epoch}`, 'at least one batch', 'none', readOnce);
    return undefined;
  };
  /** Whether an epoch is the last one, if the number of updates is not known. */
  const isLast = (epoch: number): boolean => Number.isNaN(steps) && epoch >= epochs;

  // After all checks: a call that is rejected changes nothing.
  if (resume) task.data.set(resume.parameters);
  let epoch = resume?.epoch ?? 1;
  try {
    // The state is that after the last epoch of a training that stopped early.
    if (resume && validation.losses.length >= epoch && validation.isExhausted(epoch)) return finish('early');
    for (; !(losses.length >= steps) && !isLast(epoch - 1); epoch++) {
      const resumed = epoch === resume?.epoch ? resume : undefined;
      const reader = openEpoch(data, random, resumed);
      task.begin?.(resumed?.carried);
      let stopped: FitResult['stopped'] | undefined;
      try {
        stopped = await runEpoch(epoch, reader);
      } catch (error) {
        // As in a loop over the data, an error of closing it does not replace this one.
        await reader.close().catch(() => undefined);
        throw error;
      }
      await reader.close();
      if (stopped !== undefined) return finish(stopped);
    }
    return finish('finished');
  } finally {
    session.close();
  }
}

const readOnce = 'Can it be read once only? Pass an object whose [Symbol.asyncIterator] starts again.';

/** @throws RangeError if there are several epochs, but data is an async generator */
export function checkRepeatable(
  argument: string,
  data: unknown,
  { epochs = 1, steps, resume }: Pick<FitOptions, 'epochs' | 'steps' | 'resume'>,
): void {
  const isGenerator = isObject(data) && Symbol.asyncIterator in data && 'next' in data;
  if (isGenerator && steps === undefined && epochs > (resume?.epoch ?? 1))
    throw outOfRange('fit', argument, 'readable once per epoch', data, readOnce);
}

function checkOptions<B>({
  steps = 0,
  epochs = 0,
  patience,
  validation,
  checkpoint,
  onProgress,
  signal,
}: FitOptions<B, B>): void {
  checkCount('fit', 'steps', steps, 0);
  checkCount('fit', 'epochs', epochs, 0);
  if (patience !== undefined) {
    checkCount('fit', 'patience', patience);
    if (!validation) throw outOfRange('fit', 'patience', 'undefined without validation', patience);
  }
  if (checkpoint) {
    checkCount('fit', 'checkpoint.every', checkpoint.every);
    checkFunction('fit', 'checkpoint.write', checkpoint.write);
  }
  if (onProgress !== undefined) checkFunction('fit', 'onProgress', onProgress);
  checkSignal('fit', signal);
}

/**
 * Opens the session of the updates, with the optimizer state to continue from if there is one.
 *
 * @throws RangeError if a state is from another model or optimizer, or there are both `optimizerState` and `resume`
 */
function startSession<P extends TensorTree, B>(
  task: Task<P, B>,
  { optimizer, optimizerState, resume }: FitOptions<B, B>,
): Session<B> {
  if (resume === undefined) return openSession('fit', task, optimizer, optimizerState, optimizerState !== undefined);
  if (optimizerState) throw outOfRange('fit', 'optimizerState', 'undefined with resume', optimizerState);
  const size = task.data.length;
  for (const part of [resume, resume?.best ?? resume] as (Partial<TrainingState> | null)[])
    if (part?.parameters?.length !== size)
      throw outOfRange('fit', 'resume', `of a model with ${size} parameters`, part?.parameters?.length ?? resume);
  checkOptimizerState('fit', 'resume.optimizer', optimizer, resume.optimizer, size);
  for (const name of ['draws', 'losses', 'validationLosses'] as const)
    checkArray('fit', `resume.${name}`, resume[name]);
  return openSession('fit', task, optimizer, copyOptimizerState(resume.optimizer), false);
}

/** Evaluation after every epoch, and early stopping. */
interface Validation {
  /** The validation loss of every epoch. */
  readonly losses: readonly number[];
  /** Returns a copy of the best epoch. */
  readonly best: () => Best | undefined;
  /** Evaluates after an epoch. Returns the validation loss, if there is validation data. */
  readonly run: (epoch: number) => Promise<number | undefined>;
  /** Whether the best epoch is at least `patience` epochs before this one, which has been evaluated. */
  readonly isExhausted: (epoch: number) => boolean;
  /** With early stopping, sets the parameters to those of the best epoch. */
  readonly restoreBest: () => void;
}

function createValidation<P extends TensorTree, B>(
  task: Task<P, B>,
  { patience = Infinity, resume, validation }: FitOptions<B, B>,
  pause: () => Promise<void>,
): Validation {
  const data = validation ? sourceOf('fit', 'validation', validation) : undefined;
  const losses = [...(resume?.validationLosses ?? [])];
  let best = resume?.best;
  return {
    losses,
    best: () => best && { ...best, parameters: best.parameters.slice() },
    async run(epoch) {
      if (data === undefined) return undefined;
      const carried = task.carried?.();
      const mean = startMeanLoss('fit', 'validation', task);
      const batches = data.batches(mean.random);
      checkIterable('validation', batches);
      for await (const batch of batches) {
        mean.add(batch);
        await pause();
      }
      const loss = mean.result();
      task.begin?.(carried);
      losses.push(loss);
      if (loss < (best?.loss ?? Infinity)) best = { loss, epoch, parameters: task.data.slice() };
      return loss;
    },
    isExhausted: (epoch) => epoch - (best?.epoch ?? 0) >= patience,
    restoreBest() {
      if (best && patience < Infinity) task.data.set(best.parameters);
    },
  };
}

/** The moving average of the loss, and the speed of training. */
type Measurements = Pick<Progress, 'step' | 'steps' | 'smoothedLoss' | 'targetsPerSecond' | 'secondsLeft'>;

/** Returns a function to call after every update that follows the first `firstStep` ones. */
function createMeter(
  firstStep: number,
  smoothedLoss = 0,
): (step: number, steps: number, batches: readonly unknown[], loss: number) => Measurements {
  const start = now();
  let targets = 0;
  return (step, estimatedSteps, batches, loss) => {
    const steps = Math.max(step, estimatedSteps);
    for (const batch of batches) targets += (batch as Partial<Batch> | undefined)?.targets?.data?.length ?? NaN;
    // A window of about 50 updates; the first losses have equal weight.
    smoothedLoss += (loss - smoothedLoss) * Math.max(0.02, 1 / step);
    // A clock of whole milliseconds may show no difference.
    const seconds = Math.max(1e-6, (now() - start) / 1000);
    return {
      step,
      steps,
      smoothedLoss,
      targetsPerSecond: targets / seconds,
      secondsLeft: (seconds / (step - firstStep)) * (steps - step),
    };
  };
}
