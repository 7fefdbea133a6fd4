/** Where training stands, so that it can go on another time to the same bits. */

import type { Dataset } from '../data/dataset';
import type { ModelState } from '../models/sequential';
import type { Random } from '../tensor/random';
import { checkCount } from '../tensor/shape';
import type { OptimizerState } from './optimizers';

/** Everything {@link fit} needs to go on after an update as if it had never stopped: plain data, in memory of its own. */
export interface TrainingState {
  /** Updates that were made. */
  readonly step: number;
  /** The epoch, from 1, and how many of its batches have gone by. */
  readonly epoch: number;
  readonly position: number;
  /** All parameters, one behind the other. */
  readonly parameters: Float32Array;
  readonly optimizer: OptimizerState;
  /** The four words of the generator. */
  readonly random: Uint32Array;
  /** Before which batches of the epoch the data drew from the generator, and its words then. */
  readonly draws: readonly Draw[];
  readonly losses: readonly number[];
  readonly smoothedLoss: number;
  readonly validationLosses: readonly number[];
  /** The best epoch so far, where there is validation data. */
  readonly best: Best | undefined;
  /** The state that is carried from batch to batch, if it is. */
  readonly carried: ModelState | undefined;
}

/** Before which batch the data drew from the generator. */
export interface Draw {
  readonly position: number;
  readonly random: Uint32Array;
}

/** The best epoch so far. */
export interface Best {
  readonly loss: number;
  readonly epoch: number;
  readonly parameters: Float32Array;
}

/** When {@link fit} hands out where it stands, and to whom. */
export interface FitCheckpoint {
  /** After how many updates each time; also when training is aborted. */
  readonly every: number;
  /** Takes it, and keeps it: `checkpointFile` of `bptt/node` writes it to a file. Training waits for what it promises. */
  readonly write: (state: TrainingState) => unknown;
}

/** @throws RangeError where `every` is not a whole number of at least 1, TypeError where `write` is no function */
export function checkCheckpoint({ every, write }: FitCheckpoint): void {
  checkCount('fit', 'checkpoint.every', every);
  if (typeof write !== 'function') throw new TypeError('fit: checkpoint.write must be a function.');
}

/** The batches of an epoch, with what the data draws from the generator put down. */
export interface Epoch<B> {
  readonly batches: Iterable<B>;
  /** Batches gone by, and what was drawn for them. */
  position: number;
  readonly draws: Draw[];
}

/**
 * Begins an epoch, or takes one up in the middle: batches gone by are asked for again with the generator as it was then, and dropped.
 *
 * @throws RangeError where the data has fewer batches than have gone by
 */
export function openEpoch<B>(
  data: Dataset<B>,
  random: Random,
  from?: Pick<TrainingState, 'position' | 'draws' | 'random'>,
): Epoch<B> {
  const epoch = { position: 0, draws: [] as Draw[] };
  function* batches(): Iterable<B> {
    const iterator = data.batches(random)[Symbol.iterator]();
    const next = (): IteratorResult<B> => {
      const before = random.state.slice();
      const result = iterator.next();
      if (before.some((word, i) => word !== random.state[i]))
        epoch.draws.push({ position: epoch.position, random: before });
      if (!result.done) epoch.position++;
      return result;
    };
    if (from !== undefined) {
      while (epoch.position < from.position) {
        const drawn = from.draws.find(({ position }) => position === epoch.position);
        if (drawn !== undefined) random.state.set(drawn.random);
        if (next().done)
          throw new RangeError(
            `fit: resume stands after batch ${from.position} of an epoch, but data has ${epoch.position}. Is it other data?`,
          );
      }
      random.state.set(from.random);
    }
    try {
      for (let result = next(); !result.done; result = next()) yield result.value;
    } finally {
      iterator.return?.();
    }
  }
  return Object.assign(epoch, { batches: batches() });
}
