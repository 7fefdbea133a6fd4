/** Training: batches in, better parameters out. */

import type { Batch, Dataset } from '../data/dataset';
import type { runModel, Sequential } from '../models/sequential';
import { createRandom } from '../tensor/random';
import { checkCount, checkSome } from '../tensor/shape';
import type { TensorTree } from '../tensor/tree';
import { meansOver } from './evaluate';
import { nextTurn } from './event-loop';
import type { Loss } from './losses';
import { copyOptimizerState, type Optimizer, type OptimizerState } from './optimizers';
import { openSession } from './session';
import { type CustomModel, type Task, taskOf } from './trainable';
import { checkCheckpoint, type FitCheckpoint, openEpoch, type TrainingState } from './training-state';

/** How training stands after an update. */
export interface Progress {
  /** Updates done, and to be done. */
  readonly step: number;
  readonly steps: number;
  /** The epoch, from 1. */
  readonly epoch: number;
  /** The loss of the batch, before its update. */
  readonly loss: number;
  /** Its moving average. */
  readonly smoothedLoss: number;
  /** The norm of the gradient before clipping, if the optimizer clips by norm. */
  readonly gradientNorm: number | undefined;
  /** Targets a second; NaN where batches have no `targets`. */
  readonly targetsPerSecond: number;
  readonly secondsLeft: number;
  /** The loss on the validation data, where an epoch has just ended. */
  readonly validationLoss?: number;
  readonly done: boolean;
}

/** How {@link fit} trains. */
export interface FitOptions<B = Batch> {
  readonly optimizer: Optimizer;
  /** How often to go through the data. 1 by default, or as often as `steps` needs. */
  readonly epochs?: number;
  /** How many updates to make, whatever the epochs. */
  readonly steps?: number;
  /** Of the order of batches and of dropout. */
  readonly seed?: number;
  /** Evaluated after every epoch. */
  readonly validation?: Dataset<B>;
  /** Stop after so many epochs without a better validation loss, and go back to the best parameters. */
  readonly patience?: number;
  /** Where the optimizer goes on from; moved on in place. */
  readonly optimizerState?: OptimizerState;
  /** Called after every update; may be asynchronous. */
  readonly onProgress?: (progress: Progress) => unknown;
  /** Where training stands is handed out, to be kept. */
  readonly checkpoint?: FitCheckpoint;
  /**
   * Where training goes on, to the same bits as if it had not stopped, with the same data and options; `steps` and `epochs` count from its very
   * beginning. The model's parameters are set to those of then.
   */
  readonly resume?: TrainingState | undefined;
  /** Training stops after the update during which it is aborted. An AbortSignal will do. */
  readonly signal?: { readonly aborted: boolean };
}

/** How {@link fit} trains a {@link sequential} model. */
export interface SequentialFitOptions extends FitOptions {
  readonly loss: Loss<never>;
  /** Whether each batch goes on from the state in which the batch before ended, as with `windows(…, { shuffle: false })`. */
  readonly carryState?: boolean;
  /** How the model is run: {@link runModel} by default, or {@link runInSegments}, for sequences too long to be stored. */
  readonly run?: typeof runModel;
}

/** How {@link fit} ended. */
export interface FitResult {
  readonly steps: number;
  /** Why it ended. */
  readonly stopped: 'finished' | 'aborted' | 'early';
  /** The loss of every update. */
  readonly losses: readonly number[];
  /** The loss on the validation data after every epoch. */
  readonly validationLosses: readonly number[];
  /** To go on with. */
  readonly optimizerState: OptimizerState;
}

/**
 * Trains a model in place. The event loop gets a turn about every 20 ms.
 *
 * @param model a {@link sequential} model, or a function made a {@link customModel}; changed in place
 * @param data its batches
 * @throws TypeError where a sequential model lacks a loss, or a trainable is given one
 * @throws RangeError where a loss or gradient is not finite, naming step and layer, before the parameters are touched; where an option is out of range
 * @example
 * const model = sequential([embedding({ vocabularySize: 5, size: 4 }), recurrent(lstm(), { hiddenSize: 8 }), dense({ size: 5 })]);
 * const data = windows(Int32Array.from({ length: 200 }, (_, i) => i % 5), { sequenceLength: 10, batchSize: 4 });
 * const { losses } = await fit(model, data, { loss: crossEntropy, optimizer: chain(clipByNorm(1), adam(0.02)), epochs: 10 });
 * losses.at(-1) < losses[0]; // true
 */
export function fit(model: Sequential, data: Dataset, options: SequentialFitOptions): Promise<FitResult>;
export function fit<P extends TensorTree, B>(
  model: CustomModel<P, B>,
  data: Dataset<B>,
  options: FitOptions<B>,
): Promise<FitResult>;
export async function fit(model: object, data: Dataset<unknown>, options: object): Promise<FitResult> {
  return fitTask(taskOf('fit', model, options), data, options as FitOptions<unknown>);
}

async function fitTask<B>(model: Task<B>, data: Dataset<B>, options: FitOptions<B>): Promise<FitResult> {
  const { onProgress, signal, validation, patience, checkpoint, resume } = options;
  if (options.steps !== undefined) checkCount('fit', 'steps', options.steps, 0);
  if (options.epochs !== undefined) checkCount('fit', 'epochs', options.epochs, 0);
  if (patience !== undefined) checkCount('fit', 'patience', patience);
  if (patience !== undefined && validation === undefined) throw new RangeError('fit: patience needs validation data.');
  if (checkpoint !== undefined) checkCheckpoint(checkpoint);
  checkSome('fit', 'data', data.batchCount, 'batch');
  const steps = options.steps ?? (options.epochs ?? 1) * data.batchCount;
  const random = createRandom(options.seed ?? 0);
  if (resume !== undefined) takeUp(model, resume, options.optimizerState);
  const session = openSession(
    'fit',
    model,
    resume === undefined ? options : { ...options, optimizerState: copyOptimizerState(resume.optimizer) },
  );
  const losses: number[] = [...(resume?.losses ?? [])];
  const validationLosses: number[] = [...(resume?.validationLosses ?? [])];
  let best = resume?.best;
  let smoothedLoss = resume?.smoothedLoss ?? NaN;
  let targets = 0;
  const before = losses.length;
  const began = performance.now();
  let turn = began;

  const ended = (stopped: FitResult['stopped']): FitResult => {
    if (best !== undefined && patience !== undefined) model.data.set(best.parameters);
    return { steps: losses.length, stopped, losses, validationLosses, optimizerState: session.state };
  };
  for (let number = resume?.epoch ?? 1; losses.length < steps; number++) {
    const takenUp = number === resume?.epoch ? resume : undefined;
    const epoch = openEpoch(data, random, takenUp);
    if (takenUp === undefined) model.begin?.();
    for (const batch of epoch.batches) {
      const { loss, norm } = session.update(batch, random, losses.length + 1);
      losses.push(loss);
      const last = epoch.position === data.batchCount || losses.length === steps;
      if (last && validation !== undefined) {
        const validationLoss = meansOver(model, validation, {})['loss']!;
        validationLosses.push(validationLoss);
        if (best === undefined || validationLoss < best.loss)
          best = { loss: validationLoss, epoch: number, parameters: model.data.slice() };
      }
      targets += (batch as Partial<Batch>).targets?.data?.length ?? NaN;
      // A window of about 50 updates; the first losses count fully.
      smoothedLoss =
        losses.length === 1 ? loss : smoothedLoss + (loss - smoothedLoss) * Math.max(0.02, 1 / losses.length);
      const seconds = (performance.now() - began) / 1000;
      const early = patience !== undefined && best !== undefined && number - best.epoch >= patience;
      const stopped = signal?.aborted ? 'aborted' : early ? 'early' : losses.length >= steps ? 'finished' : undefined;
      const stands = (): TrainingState => ({
        step: losses.length,
        epoch: number,
        position: epoch.position,
        parameters: model.data.slice(),
        optimizer: copyOptimizerState(session.state),
        random: random.state.slice(),
        draws: [...epoch.draws],
        losses: [...losses],
        smoothedLoss,
        validationLosses: [...validationLosses],
        best,
        carried: model.carried?.(),
      });
      const due = losses.length % (checkpoint?.every ?? Infinity) === 0;
      if (due) await checkpoint!.write(stands());
      const answer: unknown = onProgress?.({
        step: losses.length,
        steps,
        epoch: number,
        loss,
        smoothedLoss,
        gradientNorm: norm,
        done: stopped !== undefined,
        targetsPerSecond: targets / seconds,
        secondsLeft: (seconds / (losses.length - before)) * (steps - losses.length),
        ...(last && validation !== undefined ? { validationLoss: validationLosses.at(-1)! } : {}),
      });
      if (answer instanceof Promise) await answer;
      if (performance.now() - turn > 20) {
        await nextTurn();
        turn = performance.now();
      }
      const aborted = stopped === undefined ? signal?.aborted : stopped === 'aborted';
      if (aborted && !due) await checkpoint?.write(stands());
      if (aborted || stopped !== undefined) return ended(aborted ? 'aborted' : stopped!);
    }
    if (epoch.position === 0) throw new RangeError('fit: data gave no batch in an epoch.');
  }
  return ended('finished');
}

/** Puts a model where training stood. @throws RangeError where it is not the model it was made of */
function takeUp<B>(
  model: Task<B>,
  { parameters, carried }: TrainingState,
  optimizerState: OptimizerState | undefined,
): void {
  if (optimizerState !== undefined)
    throw new RangeError('fit: optimizerState and resume do not go together: resume has its own.');
  if (parameters.length !== model.data.length) {
    throw new RangeError(
      `fit: resume is of a model of ${parameters.length} parameters, this one has ${model.data.length}.`,
    );
  }
  model.data.set(parameters);
  model.begin?.(carried);
}
