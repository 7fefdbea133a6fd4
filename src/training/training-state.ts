/** The state of training, from which it can be resumed bit for bit. */

import type { Dataset } from '../data/dataset';
import type { ModelState } from '../models/sequential';
import type { Random } from '../tensor/random';
import { outOfRange } from '../tensor/shape';
import type { OptimizerState } from './optimizers';

/**
 * Everything {@link fit} needs to resume after an update as if it had never stopped. It is plain data, which later
 * updates do not change.
 */
export interface TrainingState {
  /** The number of updates made. */
  readonly step: number;
  /** The epoch, from 1. */
  readonly epoch: number;
  /** The number of batches of the epoch that have been used. */
  readonly position: number;
  /** All parameters in one contiguous buffer. */
  readonly parameters: Float32Array;
  readonly optimizer: OptimizerState;
  /** The state of the random number generator: four 32-bit words. */
  readonly random: Uint32Array;
  /** The batches of this epoch for which the dataset drew random numbers. */
  readonly draws: readonly Draw[];
  readonly losses: readonly number[];
  readonly smoothedLoss: number;
  readonly validationLosses: readonly number[];
  /** The best epoch so far, if there is validation data. */
  readonly best: Best | undefined;
  /** The state carried from batch to batch, with `carryState`. */
  readonly carried: ModelState | undefined;
}

/** A batch for which the dataset drew random numbers. */
export interface Draw {
  /** The index of the batch in the epoch. */
  readonly position: number;
  /** The state of the random number generator before. */
  readonly random: Uint32Array;
}

/** The best epoch so far. */
export interface Best {
  readonly loss: number;
  readonly epoch: number;
  readonly parameters: Float32Array;
}

/** When and how {@link fit} stores its state. */
export interface FitCheckpoint {
  /** The number of updates between checkpoints. There is also one when training is aborted. */
  readonly every: number;
  /**
   * Stores the state: `checkpointFile` of `bptt/node` writes it to a file. If it returns a promise, training waits
   * until the promise resolves.
   */
  readonly write: (state: TrainingState) => unknown;
}

/** The batches of an epoch, and a record of those for which the dataset drew random numbers. */
export interface Epoch<B> {
  readonly batches: Iterable<B>;
  /** The number of batches used so far. */
  position: number;
  readonly draws: Draw[];
}

/**
 * Starts an epoch, or resumes one: the batches already used are read again from the recorded states of the random
 * number generator, and skipped.
 *
 * @throws RangeError if the data has fewer batches than have been used
 */
export function openEpoch<B>(
  data: Dataset<B>,
  random: Random,
  resume?: Pick<TrainingState, 'position' | 'draws' | 'random'>,
): Epoch<B> {
  const epoch = { position: 0, draws: [] as Draw[] };
  const used = resume?.position ?? 0;
  const recorded: readonly Draw[] = resume === undefined ? [] : [...resume.draws, resume];
  /** Sets the random number generator to the state recorded before the next batch, if any. Returns its state. */
  const restore = (): Uint32Array => {
    const draw = recorded.find(({ position }) => position === epoch.position);
    if (draw !== undefined) random.state.set(draw.random);
    return random.state.slice();
  };
  function* batches(): Iterable<B> {
    let previous = restore();
    for (const batch of data.batches(random)) {
      if (previous.some((word, i) => word !== random.state[i]))
        epoch.draws.push({ position: epoch.position, random: previous });
      if (epoch.position++ >= used) yield batch;
      previous = restore();
    }
    if (epoch.position < used)
      throw outOfRange('fit', 'resume.position', `at most ${epoch.position}, the number of batches in data`, used);
  }
  return Object.assign(epoch, { batches: batches() });
}
