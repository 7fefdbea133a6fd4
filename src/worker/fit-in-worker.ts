/** The part of training in a worker that runs in the thread of the model. */

import { type AsyncBatches, type Batch, type Batches, sourceOf } from '../data/dataset';
import type { CustomObjects } from '../formats/description';
import type { Sequential } from '../models/sequential';
import { isArrayOf } from '../tensor/arrays';
import { byName } from '../tensor/named-values';
import type { NoInfer } from '../tensor/no-infer';
import {
  checkCount,
  checkFunction,
  checkFunctions,
  checkNames,
  checkNumber,
  checkObject,
  isObject,
  mismatch,
} from '../tensor/shape';
import type { IntTensor, Tensor } from '../tensor/tensor';
import type { TensorTree } from '../tensor/tree';
import { version } from '../tensor/version';
import type { CustomModel } from '../training/custom-model';
import { checkSignal } from '../training/event-loop';
import { checkRepeatable, type FitOptions, type FitResult, type SequentialFitOptions } from '../training/fit';
import { iteratorOf } from '../training/training-state';
import { describeValue } from './description';
import { listen, listenToMessages, post, type WorkerLike } from './post';
import {
  type Call,
  type End,
  type Next,
  type PostedError,
  plainOptions,
  type Reply,
  type Request,
  type Start,
} from './protocol';

/** The options of {@link fitInWorker} in addition to those of {@link fit}. */
export interface WorkerOptions {
  /**
   * The custom functions, objects and models that the model, optimizer or loss contains, by the names that they have in
   * {@link serveTraining}.
   */
  readonly customObjects?: CustomObjects | undefined;
  /** The number of seconds in which the worker must load and call {@link serveTraining}; 60 by default. */
  readonly timeout?: number | undefined;
}

/**
 * Trains a model in a worker, as {@link fit} does in the thread of the caller, with the same options and the same
 * result: even the parameters have the same bits, if both threads use the same kernels. The caller's thread stays free.
 * It only reads the data, one batch at a time, and calls `onProgress` and `checkpoint.write`.
 *
 * The model, the optimizer and the loss are posted as descriptions, the parameters and batches as copies. The
 * parameters of the model change when the training ends; during training, they are in the state that `checkpoint.write`
 * gets. One worker makes one training run at a time, in the order of the calls.
 *
 * @param worker runs {@link serveTraining}: a `Worker` of browsers, Deno or bun, or of `node:worker_threads`. It can be
 * used again; its `terminate()` ends it.
 * @param model a {@link sequential} model, an {@link encoderDecoder}, or a {@link customModel} in `customObjects`
 * @param data as for {@link fit}
 * @throws TypeError if the model, the optimizer or the loss contains a custom function or object that is not in
 * `customObjects`, or a batch cannot be posted
 * @throws Error if the worker cannot be loaded, does not call serveTraining, or ends; the parameters are then unchanged
 * @throws as {@link fit}, in the worker
 * @example
 * // In a page: const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
 * const { port1: worker, port2 } = new MessageChannel();
 * serveTraining({ port: port2 });
 * const model = sequential([recurrent(gru(), { hiddenSize: 8 }), dense({ size: 1 })], { inputSize: 1 });
 * const data = batchesOf(full([10, 32, 1], 0.5), full([10, 32, 1], 0.25), { batchSize: 8 });
 * const optimizer = chain(clipByNorm(1), adam(cosineDecay(0.01, { steps: 8 })));
 * const { steps } = await fitInWorker(worker, model, data, { loss: meanSquaredError, optimizer, epochs: 2 });
 * steps; // 8
 * worker.close();
 */
export function fitInWorker<Y extends Tensor | IntTensor>(
  worker: WorkerLike,
  model: Sequential,
  data: Batches<Batch<Y>> | AsyncBatches<Batch<Y>> | Batch<Y>,
  options: SequentialFitOptions<NoInfer<Y>> & WorkerOptions,
): Promise<FitResult>;
export function fitInWorker<P extends TensorTree, B>(
  worker: WorkerLike,
  model: CustomModel<P, B>,
  data: Batches<B> | AsyncBatches<B>,
  options: FitOptions<B> & WorkerOptions,
): Promise<FitResult>;
export async function fitInWorker(
  worker: WorkerLike,
  model: AnyModel,
  data: AnyData,
  options: AnyOptions,
): Promise<FitResult> {
  const where = 'fitInWorker';
  checkFunctions(where, 'worker', worker, 'a worker', ['postMessage']);
  if (!model?.parameters || !isArrayOf('Float32Array', model.data)) throw mismatch(where, 'model', 'a model', model);
  checkNames(where, 'options', options, [
    'optimizer',
    ...plainOptions,
    'validation',
    'onProgress',
    'checkpoint',
    'signal',
    'loss',
    'run',
    'customObjects',
    'timeout',
  ]);
  const { timeout = 60, optimizerState } = options;
  if (timeout !== Infinity) checkNumber(where, 'timeout', timeout, 0);
  const host = createHost(where, model, data, options);
  let outcome: Outcome;
  try {
    outcome = await converse(worker, timeout, host);
  } finally {
    host.close();
  }
  if (outcome.parameters) model.data.set(outcome.parameters);
  // The worker has rejected a malformed state, which does not change.
  if (isObject(optimizerState) && outcome.optimizerState) {
    optimizerState.step = outcome.optimizerState.step;
    optimizerState.slots?.forEach?.((slot, i) => slot?.set?.(outcome.optimizerState!.slots[i]!));
  }
  const { result, error, failure } = outcome;
  if (result) return { ...result, optimizerState: optimizerState ?? result.optimizerState };
  throw error ? errorOf(error) : failure!.reason;
}

type AnyModel = Pick<CustomModel, 'parameters' | 'data'>;
type AnyData = Batches<unknown> | AsyncBatches<unknown> | Batch;
type AnyOptions = FitOptions<unknown, Batch> &
  Partial<Record<'loss' | 'run', unknown>> & { readonly carryState?: boolean | undefined } & WorkerOptions;

/** The part of a training that stays in this thread: the model, the data and the callbacks. */
interface Host {
  /** Computes the reply to a call of the worker. */
  readonly reply: (call: Call) => Promise<unknown>;
  readonly isAborted: () => boolean;
  /** Ends reading, if the worker was lost. */
  readonly close: () => void;
}

/** @throws TypeError if the model or an option cannot be described */
function createHost(where: string, model: AnyModel, data: AnyData, options: AnyOptions): Host {
  const { customObjects = {}, validation, onProgress, signal, checkpoint, steps, accumulate = 1 } = options;
  checkObject(where, 'customObjects', customObjects);
  if (onProgress !== undefined) checkFunction(where, 'onProgress', onProgress);
  checkSignal(where, signal);
  if (checkpoint) {
    checkCount(where, 'checkpoint.every', checkpoint.every);
    checkFunction(where, 'checkpoint.write', checkpoint.write);
  }
  checkCount(where, 'steps', steps ?? 0, 0);
  checkCount(where, 'accumulate', accumulate);
  checkRepeatable('data', data, options);
  checkRepeatable('validation', validation, options);
  const describe = (name: string, value: unknown): unknown => describeValue(where, name, value, customObjects);
  const described = {
    model: describe('model', model),
    optimizer: describe('optimizer', options.optimizer),
    loss: describe('loss', options.loss),
    run: describe('run', options.run),
  };
  const readers = {
    data: createReader(where, 'data', data, steps && steps * accumulate),
    validation: validation ? createReader(where, 'validation', validation) : undefined,
  };
  return {
    async reply(call) {
      if (call.type === 'start')
        return {
          described,
          parameters: model.data,
          // Every name has the value of its option.
          options: byName(plainOptions, (name) => options[name]) as Start['options'],
          every: checkpoint?.every,
          reports: onProgress !== undefined || signal !== undefined,
          data: { batchCount: readers.data.batchCount },
          validation: readers.validation && { batchCount: readers.validation.batchCount },
        } satisfies Start;
      if (call.type === 'next') return readers[call.source]!.next(call.isFirst, call.random);
      if (call.type === 'close') return readers[call.source]!.close();
      if (call.type === 'progress') await onProgress?.(call.progress);
      if (call.type === 'write') await checkpoint!.write(call.state);
      return undefined;
    },
    isAborted: () => signal?.aborted === true,
    close() {
      // Not awaited: the data may never end the batch that is being read.
      for (const reader of Object.values(readers)) reader?.close().catch(() => undefined);
    },
  };
}

/** Data that is read for the worker. */
interface Reader {
  readonly batchCount: number | undefined;
  /** Reads the first batch of an epoch, or the next one, with the generator in the given state. */
  readonly next: (isFirst: boolean, random: Uint32Array) => Promise<Next>;
  /** Ends an epoch that is not at its end. */
  readonly close: () => Promise<void>;
}

/** @throws TypeError as {@link sourceOf} */
function createReader(where: string, name: string, data: AnyData, most?: number): Reader {
  const source = sourceOf(where, name, data, most);
  const random = { state: new Uint32Array(4) };
  let iterator: Iterator<unknown> | AsyncIterator<unknown> | undefined;
  return {
    batchCount: source.batchCount,
    async next(isFirst, state) {
      random.state.set(state);
      if (isFirst) iterator = iteratorOf(name, source.batches(random));
      const { done = false, value: batch } = await iterator!.next();
      if (done) iterator = undefined;
      return { done, batch: done ? undefined : batch, random: random.state };
    },
    async close() {
      const open = iterator;
      iterator = undefined;
      await open?.return?.();
    },
  };
}

/** The error of the worker, with its class if it is one that the library throws. */
function errorOf({ name, message, stack }: PostedError): Error {
  const classes: Readonly<Record<string, ErrorConstructor>> = { TypeError, RangeError };
  const error = new (classes[name] ?? Error)(message);
  if (error.name !== name) error.name = name;
  error.stack = stack;
  return error;
}

/** The end of a training, or the reason why a reply failed. */
interface Outcome extends End {
  readonly failure?: { readonly reason: unknown } | undefined;
}

/**
 * Opens a training in a worker, and replies to its calls until the training ends.
 *
 * @returns the end; if a reply failed, with the reason
 * @throws Error if the worker ends, or does not call within `timeout` seconds
 */
async function converse(worker: WorkerLike, timeout: number, host: Host): Promise<Outcome> {
  const { port1: port, port2 } = new MessageChannel();
  const stops: (() => void)[] = [];
  const send = (reply: Pick<Reply, 'value' | 'failed'>): void => post(port, { ...reply, aborted: host.isAborted() });
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      const lose = (event: string, cause?: unknown): void => {
        send({ failed: true });
        reject(new Error(`fitInWorker: the worker ${event}`, { cause }));
      };
      const stopTimer = startTimer(timeout, () =>
        lose(`has not called serveTraining within ${timeout} s. Is it the right file, and is it running?`),
      );
      let failure: Outcome['failure'];
      const receive = async (call: Call): Promise<void> => {
        if (call.type === 'hello') {
          stopTimer();
          stops.push(watchLock(call.lock, () => lose('was terminated.')));
        }
        // A failed reply ends the training, with the parameters of its last update.
        if (call.type === 'end') resolve({ ...call.end, failure });
        else {
          try {
            reply(call, await host.reply(call));
          } catch (error) {
            failure ??= { reason: error };
            send({ failed: true });
          }
        }
      };
      const reply = (call: Call, value: unknown): void => {
        try {
          send({ value, failed: false });
        } catch (error) {
          const what = call.type === 'next' ? `a batch of ${call.source}` : 'the options';
          throw new TypeError(`fitInWorker: ${what} cannot be posted to a worker: ${(error as Error).message}`, {
            cause: error,
          });
        }
      };
      stops.push(
        stopTimer,
        listenToMessages(port, (call) => void receive(call as Call)),
        ...watchWorker(worker, lose),
      );
      worker.postMessage({ type: 'bptt.fit', version, port: port2 } satisfies Request, [port2]);
    });
  } finally {
    for (const stop of stops) stop();
    port.close();
  }
}

function startTimer(seconds: number, callback: () => void): () => void {
  // Timers overflow after 24 days.
  if (1000 * seconds >= 2 ** 31) return () => undefined;
  const timer = setTimeout(callback, 1000 * seconds);
  return () => clearTimeout(timer);
}

/** Calls `lose` if a worker reports that it could not be loaded, has failed or has ended. */
function watchWorker(worker: WorkerLike, lose: (event: string, cause?: unknown) => void): readonly (() => void)[] {
  if ((worker as { readonly threadId?: number }).threadId === -1) lose('has ended.');
  return [
    listen(worker, 'error', (event) => {
      // In browsers, an event without a message if the file could not be loaded; in Node.js, the error.
      const { message, error = event, preventDefault } = event as Partial<ErrorEvent>;
      preventDefault?.call(event);
      lose(message ? `failed: ${message}` : 'could not be loaded. Import maps do not apply to it.', error);
    }),
    listen(worker, 'exit', (code) => lose(`exited with code ${code as number}.`)),
    listen(worker, 'close', () => lose('was closed.')),
  ];
}

/** Calls `lose` when the worker releases its lock, which happens when it ends. */
function watchLock(name: string | undefined, lose: () => void): () => void {
  const { navigator } = globalThis as Partial<Pick<typeof globalThis, 'navigator'>>;
  if (name === undefined || navigator?.locks === undefined) return () => undefined;
  const controller = new AbortController();
  navigator.locks.request(name, { signal: controller.signal }, lose).catch(() => undefined);
  return () => controller.abort();
}
