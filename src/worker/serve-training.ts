/** The part of training in a worker that runs in the worker. */

import type { AsyncDataset } from '../data/dataset';
import { buildEncoderDecoder, type EncoderDecoderOptions } from '../encoder-decoder/encoder-decoder';
import { type CustomObjects, known } from '../formats/description';
import type { Layer } from '../layers/layer';
import { buildSequential, type Fill } from '../models/sequential';
import { mapPlan } from '../tensor/parameter-spec';
import { checkFunctions, checkNames, checkObject, isObject } from '../tensor/shape';
import { full } from '../tensor/tensor';
import type { TensorTree } from '../tensor/tree';
import { version } from '../tensor/version';
import { averageWeights } from '../training/averaged-weights';
import { type FitResult, fit, type Progress } from '../training/fit';
import { freeze } from '../training/freeze';
import { amsgrad, centeredRmsprop, nadam } from '../training/optimizer-variants';
import { adagrad, adam, adamw, chain, rmsprop, sgd } from '../training/optimizers';
import { cosineDecay, exponentialDecay, reduceOnPlateau, stepDecay, warmup } from '../training/schedules';
import type { TrainingState } from '../training/training-state';
import { clipByNorm, clipByValue, l1, maxNorm, weightDecay } from '../training/transformations';
import { binaryCrossEntropyWith, crossEntropyWith } from '../training/weighted-losses';
import { createValue, plainFunctions } from './description';
import { listen, listenToMessages, post, type WorkerLike } from './post';
import type { Call, End, Next, PostedError, Reply, Request, SourceName, Start } from './protocol';

/** The options of {@link serveTraining}. */
export interface ServeOptions {
  /**
   * The custom functions, objects and models that training uses, by the names that {@link fitInWorker} has for them. A
   * module that both import can be passed as a whole: `import * as customObjects from './custom'`.
   */
  readonly customObjects?: CustomObjects | undefined;
  /** The port to listen to; by default, that of the worker. Node.js before 20.16 needs `parentPort`. */
  readonly port?: WorkerLike | undefined;
}

/**
 * Makes a worker train the models of {@link fitInWorker}. This is the whole program of a worker:
 *
 * ```js
 * import { serveTraining } from 'bptt/worker';
 * serveTraining();
 * ```
 *
 * It works in the workers of browsers, Deno and bun, and of `node:worker_threads`. It makes one training run at
 * a time, in the order of the calls. The worker can do other work as well: messages of other kinds are ignored.
 *
 * @throws Error if it is called outside of a worker without a port
 * @example
 * const { port1, port2 } = new MessageChannel();
 * serveTraining({ port: port2, customObjects: { slowly: (step: number) => 1 / step } });
 * port1.close();
 */
export function serveTraining(options: ServeOptions = {}): void {
  checkNames('serveTraining', 'options', options, ['customObjects', 'port']);
  const { customObjects = {}, port = workerScope() } = options;
  checkObject('serveTraining', 'customObjects', customObjects);
  checkFunctions('serveTraining', 'port', port, 'a port', ['postMessage']);
  const names = { ...known(), ...plainFunctions(), ...makers(), ...customObjects };
  const lock = holdLock();
  let queue = Promise.resolve();
  listenToMessages(port, (message) => {
    if (!isRequest(message)) return;
    const client = openClient(message.port);
    const arrived = lock.then((name) => client.call({ type: 'hello', lock: name }));
    // It may fail before the queue gets to it, when nothing handles the error yet.
    arrived.catch(() => undefined);
    queue = queue.then(async () => {
      let end: End;
      try {
        await arrived;
        if (message.version !== version)
          throw new Error(
            `serveTraining: the worker has bptt ${version}, the program that called it ${message.version}.`,
          );
        end = await train((await client.call({ type: 'start' })) as Start, client, names);
      } catch (error) {
        end = { error: posted(error) };
      }
      client.close(end);
    });
  });
}

/** The functions of the library that create models, optimizers, schedules and losses. */
const makers = (): CustomObjects => ({
  adagrad,
  adam,
  adamw,
  amsgrad,
  averageWeights,
  binaryCrossEntropyWith,
  centeredRmsprop,
  chain,
  clipByNorm,
  clipByValue,
  cosineDecay,
  crossEntropyWith,
  exponentialDecay,
  freeze,
  l1,
  maxNorm,
  nadam,
  reduceOnPlateau,
  rmsprop,
  sgd,
  stepDecay,
  warmup,
  weightDecay,
  // The parameters are replaced, so that it would be a waste to initialize them.
  encoderDecoder: (options: EncoderDecoderOptions) => buildEncoderDecoder(options, zeroParameters),
  sequential: (layers: readonly Layer[], { inputSize }: { readonly inputSize?: number }) =>
    buildSequential(layers, inputSize, zeroParameters),
});

const zeroParameters: Fill = (plan) => mapPlan(plan, ({ shape }) => full(shape, 0), '');

function isRequest(message: unknown): message is Request {
  return isObject(message) && 'type' in message && message.type === ('bptt.fit' satisfies Request['type']);
}

/** The port of this worker to the thread that created it. @throws Error if this is not a worker */
function workerScope(): WorkerLike {
  const scope = globalThis as Partial<WorkerLike> & {
    readonly document?: unknown;
    readonly process?: {
      getBuiltinModule?(name: string): { readonly parentPort: WorkerLike | null } | undefined;
    };
  };
  const parentPort = scope.process?.getBuiltinModule?.('node:worker_threads')?.parentPort;
  if (parentPort) return parentPort;
  if (scope.postMessage !== undefined && scope.document === undefined) return scope as WorkerLike;
  throw new Error(
    'serveTraining: it must be called in a worker. In Node.js before 20.16, pass { port: parentPort } of ' +
      'node:worker_threads.',
  );
}

/**
 * Holds a lock until the worker ends, so that the client can notice the end: browsers report it in no other way.
 *
 * @returns the name of the lock; undefined if the engine has no locks, or does not allow them here
 */
async function holdLock(): Promise<string | undefined> {
  const { navigator } = globalThis as Partial<Pick<typeof globalThis, 'navigator'>>;
  const name = `bptt ${Math.random()}`;
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      if (navigator?.locks === undefined) resolve(undefined);
      else
        navigator.locks
          .request(name, () => {
            resolve(name);
            return new Promise(() => undefined);
          })
          .catch(reject);
    });
  } catch {
    return undefined;
  }
}

/** Ends a training whose client has failed. */
const clientFailure = /* @__PURE__ */ new Error('serveTraining: the client has failed.');

/** The client of a training. */
interface Client {
  /** Whether training is aborted, as of the last reply. */
  readonly signal: { readonly aborted: boolean };
  /** Calls the client. Resolves to its reply. @throws {@link clientFailure} if the client has failed */
  readonly call: (call: Call) => Promise<unknown>;
  /** Posts the end of the training, and closes the port. */
  readonly close: (end: End) => void;
}

function openClient(port: WorkerLike): Client {
  const signal = { aborted: false };
  let failed = false;
  let pending: { resolve(value: unknown): void; reject(error: unknown): void } | undefined;
  const fail = (): void => {
    failed = true;
    pending?.reject(clientFailure);
  };
  // The thread of a client may end without a reply. Not all browsers report it.
  const stopWatching = listen(port, 'close', fail);
  const stop = listenToMessages(port, (message) => {
    const { value, ...state } = message as Reply;
    signal.aborted = state.aborted;
    if (state.failed) fail();
    else pending?.resolve(value);
    pending = undefined;
  });
  return {
    signal,
    call: (call) =>
      new Promise((resolve, reject) => {
        pending = { resolve, reject };
        if (failed) reject(clientFailure);
        else post(port, call);
      }),
    close(end) {
      post(port, { type: 'end', end } satisfies Call);
      stop();
      stopWatching();
      (port as { close?(): void }).close?.();
    },
  };
}

/** Undefined for a failure of the client, which has the reason itself. */
function posted(error: unknown): PostedError | undefined {
  if (error === clientFailure) return undefined;
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { name, message, stack: stack ?? '' };
}

/** Trains a model, as the client asks. */
async function train(start: Start, { call, signal }: Client, names: CustomObjects): Promise<End> {
  const create = (part: keyof Start['described']): unknown => createValue(start.described[part], names);
  const model = create('model') as { readonly parameters: TensorTree; readonly data: Float32Array };
  if (model.data.length !== start.parameters.length)
    throw new RangeError(
      `serveTraining: the model in the worker has ${model.data.length} parameters, that of fitInWorker ` +
        `${start.parameters.length}. Is it another one?`,
    );
  model.data.set(start.parameters);
  const { data, validation, every } = start;
  const options = {
    ...start.options,
    optimizer: create('optimizer'),
    loss: create('loss'),
    run: create('run'),
    validation: validation && remote('validation', validation.batchCount, call),
    checkpoint:
      every === undefined ? undefined : { every, write: (state: TrainingState) => call({ type: 'write', state }) },
    onProgress: start.reports ? (progress: Progress) => call({ type: 'progress', progress }) : undefined,
    signal,
  };
  // The types were checked when fitInWorker was called, and fit checks the values.
  const run = fit as (model: unknown, data: AsyncDataset<unknown>, options: unknown) => Promise<FitResult>;
  const end = { parameters: model.data, optimizerState: start.options.optimizerState };
  try {
    return { ...end, result: await run(model, remote('data', data.batchCount, call), options) };
  } catch (error) {
    return { ...end, error: posted(error) };
  }
}

/** The data of the client, read batch by batch. */
function remote(source: SourceName, batchCount: number | undefined, call: Client['call']): AsyncDataset<unknown> {
  return {
    batchCount,
    async *batches(random) {
      let isDone = false;
      try {
        for (let isFirst = true; ; isFirst = false) {
          const next = (await call({ type: 'next', source, isFirst, random: random.state })) as Next;
          random.state.set(next.random);
          isDone = next.done;
          if (isDone) return;
          yield next.batch;
        }
      } finally {
        if (!isDone) await call({ type: 'close', source });
      }
    },
  };
}
