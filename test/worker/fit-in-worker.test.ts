/** Training in real workers gives the results of `fit`. */

import type { Worker } from 'node:worker_threads';
import {
  type AsyncDataset,
  adagrad,
  adam,
  adamw,
  amsgrad,
  averageWeights,
  type Batch,
  batchesOf,
  binaryCrossEntropy,
  binaryCrossEntropyWith,
  bucketBatches,
  centeredRmsprop,
  chain,
  clipByNorm,
  clipByValue,
  cosineDecay,
  createRandom,
  crossEntropy,
  crossEntropyWith,
  customModel,
  type Dataset,
  dense,
  dropout,
  embedding,
  encoderDecoder,
  exponentialDecay,
  type FitResult,
  fit,
  freeze,
  full,
  generalScore,
  gru,
  huber,
  type IntTensor,
  identity,
  initializeOptimizer,
  integerNumber,
  l1,
  lstm,
  lstmWith,
  maxNorm,
  meanAbsoluteError,
  meanSquaredError,
  mixtureNegativeLogLikelihood,
  mixtureSize,
  nadam,
  type Optimizer,
  type OptimizerState,
  type Progress,
  pairBatches,
  recurrent,
  reduceOnPlateau,
  relu,
  residual,
  rmsprop,
  runInSegments,
  type Sequential,
  scale,
  sequential,
  sgd,
  simpleRnn,
  stepDecay,
  type Tensor,
  type TrainingState,
  tanh,
  tensor,
  warmup,
  weightDecay,
  windows,
} from 'bptt';
import { fitInWorker, type WorkerLike } from 'bptt/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyData } from '../../src/worker/post';
import * as customObjects from './custom-objects';
import { bundleWorker, startWorker } from './start-worker';

let bundle: string;
let worker: Worker;
beforeAll(async () => {
  bundle = await bundleWorker(`
    import { serveTraining } from 'bptt/worker';
    import * as customObjects from './custom-objects';
    serveTraining({ customObjects });`);
  worker = startWorker(bundle);
});
afterAll(async () => {
  await worker.terminate();
});

const ids = Int32Array.from({ length: 130 }, (_, i) => (i * i) % 4);
const shuffled = windows(ids, { sequenceLength: 6, batchSize: 4 });
const ordered = windows(ids, { sequenceLength: 6, batchSize: 4, shuffle: false });
const series = { inputs: full([6, 4, 2], 0.5), targets: full([6, 4, 1], 0.25) };
const batches = batchesOf(
  { shape: [6, 10, 2], data: Float32Array.from({ length: 120 }, (_, i) => Math.sin(i)) },
  { shape: [6, 10, 1], data: Float32Array.from({ length: 60 }, (_, i) => Math.cos(i)) },
  { batchSize: 4 },
);
const unequal = bucketBatches(
  Array.from({ length: 9 }, (_, i) => ({ input: ids.slice(i, 2 * i + 3), target: i % 4 })),
  { batchSize: 3 },
);
/** Draws from the generator for every batch; dropout draws from it in between. */
const drawnPerBatch: Dataset<Batch<IntTensor>> = {
  batchCount: 4,
  *batches(random) {
    for (let i = 0; i < 4; i++) {
      const start = integerNumber(random, 100);
      yield {
        inputs: { shape: [6, 1], data: ids.slice(start, start + 6) },
        targets: { shape: [6, 1], data: ids.slice(start + 1, start + 7) },
      };
    }
  },
};
const asynchronous: AsyncDataset<Batch<IntTensor>> = {
  async *batches(random) {
    for (const batch of drawnPerBatch.batches(random)) yield await Promise.resolve(batch);
  },
};
const pairs = pairBatches(
  [
    [2, 3, 4],
    [5, 2],
    [4, 4, 5, 3],
  ].map((input) => ({
    input: Int32Array.from(input),
    target: Int32Array.of(...[...input].reverse(), 1),
  })),
  { batchSize: 2 },
);

const tagger = (): Sequential =>
  sequential(
    [
      embedding({ vocabularySize: 4, size: 3 }),
      recurrent(lstm(), { hiddenSize: 5, recurrentDropout: 0.2, recurrentInitializer: identity() }),
      dropout(0.3),
      dense({ size: 4 }),
    ],
    { seed: 2 },
  );
const classifier = (): Sequential =>
  sequential([
    embedding({ vocabularySize: 4, size: 3 }),
    recurrent(gru(), { hiddenSize: 4, returnSequences: false }),
    dense({ size: 4 }),
  ]);
const regressor = (size = 1): Sequential =>
  sequential(
    [
      residual([recurrent(lstmWith({ activation: relu }), { hiddenSize: 2 })]),
      recurrent(simpleRnn(), { hiddenSize: 3 }),
      dense({ size, activation: tanh }),
    ],
    { inputSize: 2, seed: 3 },
  );
const translator = () =>
  encoderDecoder({
    encoder: [embedding({ vocabularySize: 6, size: 4 }), recurrent(gru(), { hiddenSize: 4 })],
    decoder: { vocabularySize: 6, embeddingSize: 4, cell: gru(), hiddenSize: 5, attention: generalScore() },
    start: 0,
    end: 1,
    seed: 3,
  });

/** The functions that train, with the options that only one of them has. */
type Train = (model: never, data: never, options: object) => Promise<FitResult>;
const trainers: Readonly<Record<'here' | 'there', Train>> = {
  here: fit as Train,
  there: ((model: never, data: never, options: never) =>
    fitInWorker(worker, model, data, Object.assign({ customObjects }, options))) as Train,
};

/** Trains with all callbacks, and returns everything that the training has changed and reported. */
async function everything(train: Train, model: { readonly data: Float32Array }, data: unknown, options: object) {
  const states: TrainingState[] = [];
  const progress: object[] = [];
  const result = await train(model as never, data as never, {
    ...options,
    checkpoint: { every: 2, write: (state: TrainingState) => void states.push(state) },
    onProgress: ({ secondsLeft: _, targetsPerSecond: __, ...rest }: Progress) => void progress.push(rest),
  });
  return { result, states, progress, parameters: model.data };
}

const loss = crossEntropy;
const optimizer = adam(0.02);
const custom = { parameters: customObjects.line.parameters, data: customObjects.line.data };

it('fitInWorker ends reading after the last update', async () => {
  const ends: number[] = [];
  const data = {
    async *[Symbol.asyncIterator]() {
      let read = 0;
      try {
        for (; ; read++) yield await Promise.resolve(series);
      } finally {
        ends.push(read);
      }
    },
  };
  await fitInWorker(worker, regressor(), data, { loss: meanSquaredError, optimizer, steps: 2 });
  expect(ends).toEqual([1]);
});

it('fitInWorker ends reading in every epoch, but not data that is at its end', async () => {
  const counts = { opened: 0, closed: 0 };
  /** Data whose iterator has only the methods and fields that an iterator must have. */
  const dataOf = (batchCount: number | undefined, length: number) => ({
    batchCount,
    batches: () => ({
      [Symbol.iterator]() {
        counts.opened++;
        let read = 0;
        return {
          next: () => (read++ < length ? { value: series } : { done: true as const, value: undefined }),
          return() {
            counts.closed++;
            return { done: true as const, value: undefined };
          },
        };
      },
    }),
  });
  const options = { loss: meanSquaredError, optimizer, epochs: 3 };
  for (const train of [trainers.here, trainers.there]) {
    for (const [batchCount, length, closed] of [
      [2, 4, 3],
      [undefined, 2, 0],
    ] as const) {
      Object.assign(counts, { opened: 0, closed: 0 });
      const { steps } = await train(regressor() as never, dataOf(batchCount, length) as never, options);
      expect({ steps, ...counts }).toEqual({ steps: 6, opened: 3, closed });
    }
  }
});

it('fitInWorker reads no more of an infinite iterable than it needs', async () => {
  let read = 0;
  function* endless() {
    for (; read < 1000; read++) yield series;
  }
  for (const train of [trainers.here, trainers.there]) {
    const { steps } = await train(regressor() as never, endless() as never, {
      loss: meanSquaredError,
      optimizer,
      steps: 0,
    });
    expect([steps, read]).toEqual([0, 0]);
  }
  await fitInWorker(worker, regressor(), endless(), { loss: meanSquaredError, optimizer, steps: 2 });
  expect(read).toBeLessThan(3);
  await fitInWorker(worker, regressor(), endless(), { loss: meanSquaredError, optimizer, steps: 2, accumulate: 3 });
  expect(read).toBeLessThan(10);
});

describe('fitInWorker is bit-identical to fit', () => {
  it.each<[string, () => { readonly data: Float32Array }, unknown, object]>([
    ['with dropout and shuffled windows', tagger, shuffled, { loss, optimizer, epochs: 3, seed: 4 }],
    ['without a seed', tagger, shuffled, { loss, optimizer }],
    ['with the state carried', tagger, ordered, { loss, optimizer, epochs: 2, carryState: true }],
    ['with data that draws for every batch', tagger, drawnPerBatch, { loss, optimizer, epochs: 2 }],
    ['with asynchronous data of unknown length', tagger, asynchronous, { loss, optimizer, epochs: 2 }],
    ['with accumulated batches', tagger, shuffled, { loss, optimizer, epochs: 2, accumulate: 2 }],
    ['with unequal lengths', classifier, unequal, { loss, optimizer, epochs: 2 }],
    [
      'with steps and an array of batches',
      classifier,
      [...unequal.batches(createRandom(1))],
      { loss, optimizer, steps: 5 },
    ],
    [
      'with steps and an array of batches, accumulated',
      classifier,
      [...unequal.batches(createRandom(1))],
      { loss, optimizer, steps: 2, accumulate: 2 },
    ],
    ['with one batch', regressor, series, { loss: meanSquaredError, optimizer, steps: 3 }],
    [
      'with validation, early stopping and a rate that follows it',
      tagger,
      shuffled,
      { loss, optimizer: sgd(reduceOnPlateau(3, { patience: 1 })), epochs: 6, validation: ordered, patience: 2 },
    ],
    ['in segments', regressor, batches, { loss: meanSquaredError, optimizer, run: runInSegments }],
    ['in custom segments', regressor, batches, { loss: meanSquaredError, optimizer, run: customObjects.inSegmentsOf3 }],
    ['of an encoder-decoder', translator, pairs, { optimizer, epochs: 3 }],
    [
      'with a custom layer',
      () => sequential([customObjects.scaled({ initializer: 0.5 }), dense({ size: 1 })], { inputSize: 2 }),
      batches,
      { loss: meanSquaredError, optimizer },
    ],
    ['with a custom loss', regressor, batches, { loss: customObjects.wideHuber, optimizer }],
    ['with a custom optimizer', regressor, batches, { loss: huber, optimizer: customObjects.halvedSgd }],
    [
      'with a custom schedule',
      regressor,
      batches,
      { loss: huber, optimizer: chain(clipByNorm(1), adam(customObjects.inverse)) },
    ],
  ])('%s', async (_, model, data, options) => {
    const expected = await everything(trainers.here, model(), data, options);
    expect(expected.result.steps).toBeGreaterThan(0);
    const got = await everything(trainers.there, model(), data, options);
    expect(got).toEqual(expected);
    expect(got.result.losses.every(Number.isFinite)).toBe(true);
  });

  it('of a custom model', async () => {
    const data = [{ inputs: tensor([0, 1, 2]), targets: tensor([1, 3, 5]) }];
    const options = { optimizer: adam(0.1), epochs: 20 };
    custom.data.fill(0);
    const expected = await fit(customObjects.line, data, options);
    const parameters = custom.data.slice();
    custom.data.fill(0);
    expect(await fitInWorker(worker, customObjects.line, data, { ...options, customObjects })).toEqual(expected);
    expect(custom.data).toEqual(parameters);
    expect(custom.data[0]).not.toBe(0);
  });

  it.each<[string, Optimizer]>([
    ['sgd', sgd(0.1, { momentum: 0.9, nesterov: true })],
    ['rmsprop', rmsprop(0.01, { rho: 0.8, momentum: 0.5 })],
    ['centeredRmsprop', centeredRmsprop(0.01)],
    ['adagrad', adagrad(stepDecay(0.1, { every: 2, factor: 0.5 }), { initialAccumulator: 0.1 })],
    ['adamw', adamw(exponentialDecay(0.1, { every: 2, factor: 0.5 }), { weightDecay: 0.2 })],
    ['amsgrad', amsgrad(0.01, { beta2: 0.9 })],
    ['nadam', nadam(warmup(cosineDecay(0.1, { steps: 4 }), { steps: 2 }))],
    ['transformations', chain(clipByValue(0.1), weightDecay(0.1), l1(0.01), chain(sgd(0.1)), maxNorm(0.5))],
    [
      'frozen layers and averages',
      chain(freeze(['lstm', 'dense.bias'], chain(clipByNorm(1), adam())), averageWeights({ decay: 0.5 })),
    ],
  ])('with the optimizer %s', async (_, optimizer) => {
    const options = { loss, optimizer, epochs: 1 };
    const expected = await everything(trainers.here, tagger(), shuffled, options);
    expect(await everything(trainers.there, tagger(), shuffled, options)).toEqual(expected);
  });

  const classWeights = Float32Array.of(1, 2, 0.3, 4);
  it.each<[string, number, object, IntTensor | Tensor]>([
    [
      'crossEntropyWith',
      4,
      crossEntropyWith({ classWeights, labelSmoothing: 0.1 }),
      { shape: [6, 4], data: ids.slice(0, 24) },
    ],
    ['binaryCrossEntropyWith', 1, binaryCrossEntropyWith({ positiveWeight: [3] }), full([6, 4, 1], 1)],
    ['binaryCrossEntropy', 1, binaryCrossEntropy, full([6, 4, 1], 1)],
    ['meanAbsoluteError', 1, meanAbsoluteError, full([6, 4, 1], 1)],
    [
      'mixtureNegativeLogLikelihood',
      mixtureSize({ components: 2, size: 1 }),
      mixtureNegativeLogLikelihood,
      full([6, 4, 1], 1),
    ],
  ])('with the loss %s', async (_, size, loss, targets) => {
    const options = { loss, optimizer, steps: 4 };
    const data = { inputs: series.inputs, targets };
    const expected = await everything(trainers.here, regressor(size), data, options);
    expect(await everything(trainers.there, regressor(size), data, options)).toEqual(expected);
  });

  it('when it resumes', async () => {
    const options = { loss, optimizer: adam(0.02), epochs: 3, carryState: true, validation: shuffled };
    const whole = tagger();
    const { states } = await everything(trainers.here, whole, ordered, options);
    for (const resume of states) {
      const rest = tagger();
      const again = await everything(trainers.there, rest, ordered, { ...options, resume, seed: 9 });
      expect(rest.data).toEqual(whole.data);
      expect(again.states).toEqual(states.slice(states.indexOf(resume) + 1));
    }
  });

  it('when it continues with an optimizer state, which is updated in place', async () => {
    const [here, there] = [tagger(), tagger()].map((model) => ({
      model,
      state: initializeOptimizer(optimizer, model.data.length),
    })) as [{ model: Sequential; state: OptimizerState }, { model: Sequential; state: OptimizerState }];
    for (let round = 0; round < 2; round++) {
      await fit(here.model, shuffled, { loss, optimizer, optimizerState: here.state });
      const options = { loss, optimizer, optimizerState: there.state };
      expect((await fitInWorker(worker, there.model, shuffled, options)).optimizerState).toBe(there.state);
      expect(there.state).toEqual(here.state);
      expect(there.model.data).toEqual(here.model.data);
    }
  });
});

it('options that are changed after the optimizer and the loss are created have no effect', async () => {
  const classWeights = [1, 2, 3, 4];
  const [decay, warming, penalty] = [{ every: 2, factor: 0.5 }, { steps: 2 }, {}];
  const [adamOptions, average] = [{ beta1: 0.5 }, { decay: 0.5 }];
  const options = {
    loss: crossEntropyWith({ classWeights }),
    optimizer: chain(
      weightDecay(0.1, penalty),
      adam(warmup(stepDecay(0.1, decay), warming), adamOptions),
      averageWeights(average),
    ),
    epochs: 2,
  };
  classWeights.fill(1);
  Object.assign(decay, { factor: 1 });
  Object.assign(warming, { steps: 9 });
  Object.assign(penalty, { only: () => false });
  Object.assign(adamOptions, { beta1: 0 });
  Object.assign(average, { decay: 0 });
  const [here, there] = [tagger(), tagger()];
  const { optimizerState } = await fit(here, shuffled, options);
  expect((await fitInWorker(worker, there, shuffled, options)).optimizerState).toEqual(optimizerState);
  expect(there.data).toEqual(here.data);
});

describe('fitInWorker', () => {
  it('stops when the signal is aborted, also without onProgress', async () => {
    const signal = { aborted: false };
    const onProgress = ({ step }: Progress) => {
      signal.aborted = step === 3;
    };
    const options = { loss, optimizer, steps: 1000, signal };
    const { stopped, steps } = await fitInWorker(worker, tagger(), shuffled, { ...options, onProgress });
    expect([stopped, steps]).toEqual(['aborted', 3]);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    const result = await fitInWorker(worker, tagger(), shuffled, { ...options, steps: 1e6, signal: controller.signal });
    expect(result.stopped).toBe('aborted');
    expect(result.steps).toBeLessThan(1e6);
  });

  it('waits for onProgress and checkpoints', async () => {
    let running = 0;
    const slowly = async () => {
      expect(++running).toBe(1);
      await new Promise((resolve) => setTimeout(() => resolve(undefined), 5));
      running--;
    };
    const options = { loss, optimizer, steps: 4, onProgress: slowly, checkpoint: { every: 1, write: slowly } };
    await fitInWorker(worker, tagger(), shuffled, options);
    expect(running).toBe(0);
  });

  it('runs the trainings of a worker in order, each from the parameters of the one before', async () => {
    const [here, there] = [tagger(), tagger()];
    const options = { loss, optimizer, steps: 3 };
    for (let round = 0; round < 3; round++) await fit(here, shuffled, options);
    const results = await Promise.all([1, 2, 3].map(() => fitInWorker(worker, there, shuffled, options)));
    expect(results.map(({ steps }) => steps)).toEqual([3, 3, 3]);
    expect(there.data).toEqual(here.data);
  });

  it('trains different models in different workers at the same time', async () => {
    const second = startWorker(bundle);
    try {
      const models = [tagger(), tagger()];
      const options = { loss, optimizer, steps: 20 };
      await Promise.all(models.map((model, i) => fitInWorker([worker, second][i]!, model, shuffled, options)));
      expect(models[0]!.data).toEqual(models[1]!.data);
    } finally {
      await second.terminate();
    }
  });

  it('copies the parts of buffers that batches use, and detaches nothing', async () => {
    const buffer = new Float32Array(1e6);
    const inputs = { shape: [6, 4, 2], data: buffer.subarray(100, 148) };
    const transfer: ArrayBuffer[] = [];
    const list = [buffer.subarray(7, 9)];
    expect(copyData({ inputs, note: 'x', list }, transfer)).toEqual({ inputs, note: 'x', list });
    expect(transfer.map(({ byteLength }) => byteLength)).toEqual([4 * 48, 8]);
    const options = { loss: meanSquaredError, optimizer, steps: 1 };
    await fitInWorker(worker, regressor(), { inputs, targets: series.targets }, options);
    expect(buffer.length).toBe(1e6);
    expect(series.targets.data.length).toBe(24);
  });

  it('leaves the thread free', async () => {
    // Updates of about a quarter of a second.
    const model = sequential([recurrent(lstm(), { hiddenSize: 256 }), dense({ size: 1 })], { inputSize: 8 });
    const data = { inputs: full([128, 32, 8], 0.1), targets: full([128, 32, 1], 0.1) };
    // In this thread, training would let the timer run between its updates only.
    let ticks = 0;
    const timer = setInterval(() => {
      ticks++;
    }, 1);
    await fitInWorker(worker, model, data, { loss: meanSquaredError, optimizer, steps: 4 });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(20);
  });
});

describe('errors of fitInWorker', () => {
  const usable = async () => {
    const { steps } = await fitInWorker(worker, tagger(), shuffled, { loss, optimizer, steps: 2 });
    expect(steps).toBe(2);
  };

  it.each<[string, unknown, object]>([
    ['a loss that is not finite', [series, { ...series, targets: full([6, 4, 1], NaN) }], { optimizer: sgd() }],
    [
      'a loss that is not finite, of data that cannot be closed',
      {
        batchCount: 2,
        *batches() {
          try {
            yield { ...series, targets: full([6, 4, 1], NaN) };
          } finally {
            // biome-ignore lint/correctness/noUnsafeFinally: as an iterator that fails to close its file
            throw new Error('the file is closed');
          }
        },
      },
      { optimizer: sgd() },
    ],
    ['a batch of the wrong shape', { ...series, targets: full([6, 4, 2], 1) }, { optimizer: sgd() }],
    ['an option out of range', series, { optimizer: sgd(), epochs: -1 }],
    ['patience without validation', series, { optimizer: sgd(), patience: 2 }],
    [
      'a state of another optimizer',
      series,
      { optimizer: adam(), optimizerState: { name: 'sgd', step: 0, slots: [] } },
    ],
    ['empty data', [], { optimizer: sgd() }],
    ['an async generator with two epochs', (async function* () {})(), { optimizer: sgd(), epochs: 2 }],
  ])('are those of fit, with the same parameters: %s', async (_, data, options) => {
    const outcome = async (train: Train) => {
      const model = regressor();
      const error: unknown = await train(model as never, data as never, { loss: meanSquaredError, ...options }).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      const { name, message } = error as Error;
      return {
        isTypeError: error instanceof TypeError,
        isRangeError: error instanceof RangeError,
        name,
        message,
        data: model.data,
      };
    };
    const expected = await outcome(trainers.here);
    expect(expected.message).toMatch(/^fit: /);
    expect(await outcome(trainers.there)).toEqual(expected);
    await usable();
  });

  it.each(['data', 'onProgress', 'checkpoint', 'validation'])(
    'are those of the caller, with the parameters of the last update: %s',
    async (name) => {
      const problem = new TypeError('the disk is full');
      const fail = () => {
        throw problem;
      };
      const outcome = async (train: Train) => {
        const model = tagger();
        const options = {
          loss,
          optimizer,
          ...(name === 'onProgress' && { onProgress: ({ step }: Progress) => step === 2 && fail() }),
          ...(name === 'checkpoint' && { checkpoint: { every: 2, write: fail } }),
          ...(name === 'validation' && { validation: { batchCount: 1, batches: fail } }),
        };
        const failing = {
          batchCount: 9,
          *batches() {
            yield* [...shuffled.batches(createRandom(1))].slice(0, 2);
            fail();
          },
        };
        const data = name === 'data' ? failing : shuffled;
        const error: unknown = await train(model as never, data as never, options).catch((reason: unknown) => reason);
        expect(error).toBe(problem);
        return model.data;
      };
      const parameters = await outcome(trainers.here);
      expect(await outcome(trainers.there)).toEqual(parameters);
      expect(parameters).not.toEqual(tagger().data);
      await usable();
    },
  );

  it('name the custom function that the worker cannot have', async () => {
    const remedy =
      'which cannot be posted. Export it from a module that the worker imports as well, and pass it to ' +
      'fitInWorker and serveTraining as customObjects: { name: … }.';
    const rejects = async (model: Sequential, options: object, message: string) => {
      const training = fitInWorker(worker, model, shuffled, { loss, optimizer, ...options });
      await expect(training).rejects.toThrow(new TypeError(`fitInWorker: ${message}, ${remedy}`));
    };
    await rejects(
      tagger(),
      { loss: (...args: Parameters<typeof crossEntropy>) => crossEntropy(...args) },
      'loss is the function loss',
    );
    await rejects(
      tagger(),
      {
        optimizer: chain(
          clipByNorm(1),
          adam(() => 0.1),
        ),
      },
      'optimizer: argument 2 of chain: argument 1 of adam is a function',
    );
    await rejects(
      tagger(),
      { optimizer: weightDecay(0.1, { only: () => true }) },
      'optimizer: argument 2 of weightDecay.only is the function only',
    );
    // A copy by spreading may have other functions.
    await rejects(
      tagger(),
      { optimizer: { ...adam() } },
      'optimizer is an object with postInstead, name, slots, rate, update',
    );
    await rejects(tagger(), { run: () => 1 }, 'run is the function run');
    const layer = {
      name: 'own',
      output: tagger().layers[0]!.layer.output,
      run: tagger().layers[0]!.layer.run,
      accepts: 'ids',
    } as const;
    await rejects(
      sequential([layer]),
      {},
      'model: argument 1 of sequential[0] is an object with name, output, run, accepts',
    );
    const square = customModel({ w: tensor(1) }, ({ w }, batch: number) => scale(w, batch));
    await expect(fitInWorker(worker, square, [1], { optimizer })).rejects.toThrow(
      new TypeError(`fitInWorker: model is an object with postInstead, parameters, data, loss, ${remedy}`),
    );
    await expect(
      fitInWorker(worker, tagger(), shuffled, { loss, optimizer, signal: new AbortController() as never }),
    ).rejects.toThrow(
      new TypeError('fitInWorker: signal must be an abort signal, got an instance of AbortController.'),
    );
  });

  it('name the custom object that serveTraining lacks, and a model of another size', async () => {
    const missing = { another: (step: number) => step };
    await expect(
      fitInWorker(worker, tagger(), shuffled, { loss, optimizer: sgd(missing.another), customObjects: missing }),
    ).rejects.toThrow(
      new RangeError('serveTraining: there is no another. Pass it to serveTraining as customObjects: { another }.'),
    );
    const larger = customModel({ w: full([3], 1) }, ({ w }, batch: number) => scale(w, batch));
    await expect(fitInWorker(worker, larger, [1], { optimizer, customObjects: { line: larger } })).rejects.toThrow(
      new RangeError(
        'serveTraining: the model in the worker has 2 parameters, that of fitInWorker 3. Is it another one?',
      ),
    );
    await usable();
  });

  it('name a batch that cannot be posted', async () => {
    const batch: Batch<Tensor> = { ...series, lengths: (() => 1) as object as Int32Array };
    await expect(fitInWorker(worker, regressor(), batch, { loss: meanSquaredError, optimizer })).rejects.toThrow(
      /^fitInWorker: a batch of data cannot be posted to a worker: .+ could not be cloned\.$/,
    );
    await usable();
  });

  it('name wrong arguments', async () => {
    await expect(fitInWorker({} as WorkerLike, tagger(), shuffled, { loss, optimizer })).rejects.toThrow(
      new TypeError('fitInWorker: worker must be a worker, got an object with no names.'),
    );
    for (const model of [undefined, { data: new Float32Array(1) }, { parameters: {}, data: [1] }])
      await expect(fitInWorker(worker, model as never, shuffled, { loss, optimizer })).rejects.toThrow(
        /^fitInWorker: model must be a model, got /,
      );
    const generator = (async function* () {})();
    for (const [extra, message] of [
      [{ epoch: 3 }, /^fitInWorker: options must have only optimizer, epochs, .*, timeout, got epoch\.$/],
      [{ timeout: -1 }, 'fitInWorker: timeout must be a finite number of at least 0, got -1.'],
      [{ timeout: '5' }, "fitInWorker: timeout must be a finite number of at least 0, got '5'."],
      [{ customObjects: 3 }, 'fitInWorker: customObjects must be an object, got 3.'],
      [{ onProgress: 'log' }, 'fitInWorker: onProgress must be a function, got log.'],
      [{ checkpoint: { every: 1 } }, 'fitInWorker: checkpoint.write must be a function, got undefined.'],
      [{ steps: -1 }, 'fitInWorker: steps must be an integer of at least 0, got -1.'],
      [{ steps: 2, accumulate: 0 }, 'fitInWorker: accumulate must be an integer of at least 1, got 0.'],
      [
        { checkpoint: { write: () => 1 } },
        'fitInWorker: checkpoint.every must be an integer of at least 1, got undefined.',
      ],
      [{ epochs: 2, validation: generator }, /^fit: validation must be readable once per epoch/],
      [{ run: new Date(0) }, /^fitInWorker: run is an instance of Date, which cannot be posted\./],
    ] as const) {
      const options = { loss, optimizer, ...(extra as object) };
      await expect(fitInWorker(worker, tagger(), shuffled, options)).rejects.toThrow(message);
    }
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    await expect(fitInWorker(worker, tagger(), shuffled, { loss, optimizer, run: circular as never })).rejects.toThrow(
      /^fitInWorker: run\.self\.self\..* is an object with self, which cannot be posted\./,
    );
  });
});
