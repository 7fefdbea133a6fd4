/**
 * The messages between `fitInWorker` and `serveTraining`. A request with a port opens a training; all further messages
 * use this port. The worker calls the client, and waits for the reply before the next call.
 */

import type { FitResult, Progress, SequentialFitOptions } from '../training/fit';
import type { OptimizerState } from '../training/optimizers';
import type { TrainingState } from '../training/training-state';
import type { WorkerLike } from './post';

/** The message to the worker that opens a training. */
export interface Request {
  readonly type: 'bptt.fit';
  /** The version of the library. */
  readonly version: string;
  readonly port: WorkerLike;
}

/** The data that the worker reads. */
export type SourceName = 'data' | 'validation';

/** A call of the worker. */
export type Call =
  /** The request has arrived. The worker holds the lock of this name until it ends. */
  | { readonly type: 'hello'; readonly lock: string | undefined }
  /** The training starts; the reply is {@link Start}. */
  | { readonly type: 'start' }
  /** Reads a batch, the first one of an epoch or the next; the reply is {@link Next}. */
  | { readonly type: 'next'; readonly source: SourceName; readonly isFirst: boolean; readonly random: Uint32Array }
  /** Ends reading before the end. */
  | { readonly type: 'close'; readonly source: SourceName }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'write'; readonly state: TrainingState }
  /** The training has ended; there is no reply. */
  | { readonly type: 'end'; readonly end: End };

/**
 * The end of a training: its result or its error, or neither if the client has failed. The parameters and the state of
 * the optimizer are set in all cases.
 */
export interface End {
  readonly result?: FitResult | undefined;
  readonly error?: PostedError | undefined;
  readonly parameters?: Float32Array | undefined;
  readonly optimizerState?: OptimizerState | undefined;
}

/** An error. Engines differ in how they copy errors. */
export type PostedError = Readonly<Record<'name' | 'message' | 'stack', string>>;

/** The options that are posted as they are. */
export const plainOptions = [
  'epochs',
  'steps',
  'accumulate',
  'seed',
  'patience',
  'carryState',
  'optimizerState',
  'resume',
] as const;

/** The model, the options and the data of a training. */
export interface Start {
  /** Descriptions of the model and of the options with functions. */
  readonly described: Readonly<Record<'model' | 'optimizer' | 'loss' | 'run', unknown>>;
  readonly parameters: Float32Array;
  /** The options without functions; undefined if they are not given. */
  readonly options: { readonly [N in (typeof plainOptions)[number]]: SequentialFitOptions[N] | undefined };
  /** The number of updates between checkpoints. */
  readonly every: number | undefined;
  /** Whether the client must get every progress: to report it, or because it can abort. */
  readonly reports: boolean;
  /** The numbers of batches, if they are known. */
  readonly data: { readonly batchCount: number | undefined };
  readonly validation: { readonly batchCount: number | undefined } | undefined;
}

/** A batch and the state of the random number generator after reading it. */
export interface Next {
  readonly done: boolean;
  readonly batch: unknown;
  readonly random: Uint32Array;
}

/** A reply of the client. */
export interface Reply {
  readonly value?: unknown;
  /** Whether the signal is aborted. */
  readonly aborted: boolean;
  /** Whether the client has failed, so that the training must end. */
  readonly failed: boolean;
}
