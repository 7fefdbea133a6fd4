/** The state of training, from which it can be resumed bit for bit. */

import { isIterable, type Source } from '../data/dataset';
import type { ModelState } from '../models/sequential';
import type { Random } from '../tensor/random';
import { mismatch, outOfRange } from '../tensor/shape';
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
  /** The batches of this epoch, and its end, for which the dataset drew random numbers. */
  readonly draws: readonly Draw[];
  readonly losses: readonly number[];
  readonly smoothedLoss: number;
  readonly validationLosses: readonly number[];
  /** The best epoch so far, if there is validation data. */
  readonly best: Best | undefined;
  /** The state carried from batch to batch, with `carryState`. */
  readonly carried: ModelState | undefined;
}

/** A batch, or the end of the data, for which the dataset drew random numbers. */
export interface Draw {
  /** The index of the batch in the epoch; at the end, the number of batches. */
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
   * Stores the state: `checkpointFile` of `bptt/node` writes it to a file. The state is a copy, whose arrays can be
   * transferred to a worker. If it returns a promise, training waits until the promise resolves.
   */
  readonly write: (state: TrainingState) => unknown;
}

/** An epoch: its batches, and a record of the random numbers that the dataset drew. */
export interface Epoch<B> {
  /** The number of batches used so far. */
  readonly position: number;
  readonly draws: readonly Draw[];
  /** The state of the random number generator before the next batch is read. */
  readonly random: Uint32Array;
  /** Reads the next batches: `count`, or fewer at the end of the epoch. */
  readonly take: (count: number) => Promise<readonly B[]>;
  /** Whether all batches have been used. If their number is not known, the next one is read. */
  readonly isAtEnd: () => Promise<boolean>;
  /** Ends the epoch before its end, so that the data can close its files. */
  readonly close: () => Promise<void>;
}

/**
 * Starts an epoch, or resumes one: the batches already used are read again from the recorded states of the random
 * number generator, and skipped.
 *
 * @throws RangeError in `take`, if the data has fewer batches than have been used
 */
export function openEpoch<B>(
  data: Source<B>,
  random: Random,
  resume?: Pick<TrainingState, 'position' | 'draws' | 'random'>,
): Epoch<B> {
  const used = resume?.position ?? 0;
  const recorded: readonly Draw[] = resume === undefined ? [] : [...resume.draws, resume];
  const draws: Draw[] = [];
  let position = 0;
  let iterator: Iterator<B> | AsyncIterator<B> | undefined;
  /** The next batch, if it has been read. */
  let next: IteratorResult<B> | undefined;
  /** The state of the generator before the last read. */
  let before = random.state;
  /** Sets the generator to the state that was recorded at this position, and returns the record. */
  const restore = (): Draw | undefined => {
    const draw = recorded.find((each) => each.position === position);
    if (draw !== undefined) random.state.set(draw.random);
    return draw;
  };
  /** Records the state of the generator before the last read, if it drew random numbers. */
  const note = (): void => {
    if (String(before) !== String(random.state)) draws.push({ position, random: before });
  };
  const read = async (): Promise<IteratorResult<B>> => {
    if (next === undefined) {
      const draw = restore();
      before = random.state.slice();
      iterator ??= iteratorOf('data', data.batches(random));
      next = await iterator.next();
      if (next.done) {
        note();
        // The end had been read before the state was stored, and the last update may have drawn after it.
        if (draw && draw !== resume) random.state.set(resume!.random);
      }
    }
    return next;
  };
  /** Marks the batch that has been read as used. */
  const use = (): void => {
    note();
    position++;
    next = undefined;
  };
  return {
    get position() {
      return position;
    },
    draws,
    get random() {
      return next === undefined || next.done ? random.state : before;
    },
    async take(count) {
      for (; position < used; use())
        if ((await read()).done)
          throw outOfRange('fit', 'resume.position', `at most ${position}, the number of batches`, used);
      if (position === data.batchCount) restore();
      const batches: B[] = [];
      while (batches.length < count && position !== data.batchCount) {
        const batch = await read();
        if (batch.done) {
          if (position > 0 && data.batchCount !== undefined)
            throw outOfRange('fit', 'data.batchCount', `${position}, the number of batches`, data.batchCount);
          break;
        }
        batches.push(batch.value);
        use();
      }
      return batches;
    },
    isAtEnd: async () => (data.batchCount === undefined ? (await read()).done === true : position === data.batchCount),
    async close() {
      if (!next?.done) await iterator?.return?.();
    },
  };
}

/** @throws TypeError as {@link checkIterable} */
export function iteratorOf<B>(name: string, batches: Iterable<B> | AsyncIterable<B>): Iterator<B> | AsyncIterator<B> {
  checkIterable(name, batches);
  return Symbol.asyncIterator in batches ? batches[Symbol.asyncIterator]() : batches[Symbol.iterator]();
}

/** @throws TypeError if the batches of a dataset are not iterable */
export function checkIterable(name: string, batches: object): void {
  if (!isIterable(batches)) throw mismatch('fit', `${name}.batches()`, 'an iterable of batches', batches);
}
