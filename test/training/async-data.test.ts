/** Training on batches that are read while training uses them. */

import {
  type AsyncDataset,
  adam,
  type Batch,
  type Batches,
  crossEntropy,
  customModel,
  type Dataset,
  dense,
  dropout,
  embedding,
  fit,
  full,
  type IntTensor,
  integerNumber,
  lstm,
  mean,
  meanSquaredError,
  multiply,
  type Progress,
  recurrent,
  type Sequential,
  type SequentialFitOptions,
  sequential,
  sgd,
  type Tensor,
  type TrainingState,
  tensor,
  windows,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const ids = Int32Array.from({ length: 130 }, (_, i) => (i * i) % 4);
const shuffled = windows(ids, { sequenceLength: 6, batchSize: 4 });
const ordered = windows(ids, { sequenceLength: 6, batchSize: 4, shuffle: false });
const idsAt = (start: number): IntTensor => ({ shape: [6, 1], data: ids.slice(start, start + 6) });
/** Draws from the generator for every batch; dropout draws from it in between. */
const drawnPerBatch: Dataset<Batch<IntTensor>> = {
  batchCount: 5,
  *batches(random) {
    for (let i = 0; i < 5; i++) {
      const start = integerNumber(random, 100);
      yield { inputs: idsAt(start), targets: idsAt(start + 1) };
    }
  },
};
/** The same batches, read asynchronously, without their number. */
const asynchronous = <B>(data: Dataset<B>): AsyncDataset<B> => ({
  async *batches(random) {
    for (const batch of data.batches(random)) {
      await new Promise((resolve) => setImmediate(() => resolve(undefined)));
      yield batch;
    }
  },
});
const model = (): Sequential =>
  sequential(
    [
      embedding({ vocabularySize: 4, size: 3 }),
      recurrent(lstm(), { hiddenSize: 5, recurrentDropout: 0.2 }),
      dropout(0.3),
      dense({ size: 4 }),
    ],
    { seed: 2 },
  );
const options = { loss: crossEntropy, optimizer: adam(0.05), seed: 5 };

/** Trains with a checkpoint after every update. */
async function train(
  net: Sequential,
  data: Batches<Batch<IntTensor>> | AsyncDataset<Batch<IntTensor>>,
  extra: Partial<SequentialFitOptions<IntTensor>>,
) {
  const states: TrainingState[] = [];
  const progress: Progress[] = [];
  const result = await fit(net, data, {
    ...options,
    ...extra,
    checkpoint: { every: 1, write: (state) => void states.push(state) },
    onProgress: (each) => void progress.push(each),
  });
  return { states, progress, result, parameters: net.data };
}

describe.each<[string, Dataset<Batch<IntTensor>>, Partial<SequentialFitOptions<IntTensor>>]>([
  ['epochs of shuffled windows', shuffled, { epochs: 3 }],
  ['data that draws for every batch', drawnPerBatch, { epochs: 3 }],
  ['steps that end inside an epoch', drawnPerBatch, { steps: 7 }],
  ['accumulated batches', drawnPerBatch, { accumulate: 2, epochs: 2 }],
  ['the state carried', ordered, { carryState: true, epochs: 2 }],
  ['validation and patience', shuffled, { validation: ordered, patience: 2, epochs: 4, optimizer: sgd(3) }],
  ['asynchronous validation', shuffled, { validation: asynchronous(ordered), epochs: 2 }],
])('asynchronous data of unknown length, with %s', (_, data, extra) => {
  it('gives bit-identical results to a dataset', async () => {
    const expected = await train(model(), data, extra);
    const { states, progress, result, parameters } = await train(model(), asynchronous(data), extra);
    expect(result).toEqual(expected.result);
    expect(parameters).toEqual(expected.parameters);
    expect(states).toEqual(expected.states);
    const timeless = (list: readonly Progress[]) =>
      list.map(({ steps: _, secondsLeft: __, targetsPerSecond: ___, ...rest }) => rest);
    expect(timeless(progress)).toEqual(timeless(expected.progress));
  });

  it('resumes with the same bits after any update', async () => {
    const whole = await train(model(), asynchronous(data), extra);
    for (const state of whole.states) {
      const rest = model();
      rest.data.fill(9);
      const again = await train(rest, asynchronous(data), { ...extra, seed: 77, resume: structuredClone(state) });
      expect(again.result).toEqual(whole.result);
      expect(again.parameters).toEqual(whole.parameters);
      expect(again.states).toEqual(whole.states.slice(state.step));
    }
  });
});

it.each([1, 2])(
  'data that draws its end resumes with the same bits after any update, accumulate %i',
  async (accumulate) => {
    const ends: number[] = [];
    const data: AsyncDataset<Batch<IntTensor>> = {
      async *batches(random) {
        let count = 0;
        do {
          const start = integerNumber(random, 100);
          yield await Promise.resolve({ inputs: idsAt(start), targets: idsAt(start + 1) });
          count++;
        } while (integerNumber(random, 4) > 0);
        ends.push(count);
      },
    };
    const extra = { epochs: 4, accumulate };
    const whole = await train(model(), data, extra);
    expect(new Set(ends).size).toBeGreaterThan(1);
    for (const state of whole.states) {
      const again = await train(model(), data, { ...extra, seed: 77, resume: structuredClone(state) });
      expect(again.result).toEqual(whole.result);
      expect(again.parameters).toEqual(whole.parameters);
      expect(again.states).toEqual(whole.states.slice(state.step));
    }
  },
);

const batch = (value: number): Batch<Tensor, Tensor> => ({
  inputs: full([1, 2, 1], value),
  targets: full([1, 2, 1], 3 * value),
});
const line = () => sequential([dense({ size: 1 })], { inputSize: 1, seed: 1 });
const lineOptions = { loss: meanSquaredError, optimizer: sgd(0.01) };

/** Batches that are counted when they are read and when reading ends. */
function counted(length: number) {
  const counts = { read: 0, opened: 0, closed: 0 };
  const data = {
    async *[Symbol.asyncIterator]() {
      counts.opened++;
      try {
        for (let i = 0; i < length; i++) {
          counts.read++;
          yield await Promise.resolve(batch(1 + (i % 3)));
        }
      } finally {
        counts.closed++;
      }
    },
  };
  return { counts, data };
}

describe('reading asynchronous data', () => {
  it('reads at most one batch ahead', async () => {
    const { counts, data } = counted(5);
    const ahead: number[] = [];
    const onProgress = ({ step }: Progress) => void ahead.push(counts.read - step);
    await fit(line(), data, { ...lineOptions, epochs: 2, onProgress });
    expect(ahead).toEqual([1, 1, 1, 1, 0, 1, 1, 1, 1, 0]);
    expect(counts).toEqual({ read: 10, opened: 2, closed: 2 });
  });

  it('does not read past the last update of endless data', async () => {
    const { counts, data } = counted(Infinity);
    const { steps, stopped } = await fit(line(), data, { ...lineOptions, steps: 4, accumulate: 2 });
    expect([steps, stopped]).toEqual([4, 'finished']);
    expect(counts).toEqual({ read: 8, opened: 1, closed: 1 });
  });

  it('ends reading when training is aborted or fails', async () => {
    const aborted = counted(Infinity);
    const signal = { aborted: false };
    const onProgress = ({ step }: Progress) => {
      signal.aborted = step === 3;
    };
    const { stopped } = await fit(line(), aborted.data, { ...lineOptions, steps: 100, signal, onProgress });
    expect([stopped, aborted.counts.closed]).toEqual(['aborted', 1]);
    const failed = counted(Infinity);
    const fail = () => Promise.reject(new Error('no'));
    await expect(fit(line(), failed.data, { ...lineOptions, steps: 100, onProgress: fail })).rejects.toThrow('no');
    expect(failed.counts.closed).toBe(1);
  });

  it('rejects with the first error if closing the data fails as well', async () => {
    const data: AsyncDataset<Batch<Tensor, Tensor>> = {
      async *batches() {
        try {
          for (;;) yield await Promise.resolve(batch(1));
        } finally {
          // biome-ignore lint/correctness/noUnsafeFinally: the error of the data is the subject of the test.
          throw new Error('the file is gone');
        }
      },
    };
    const onProgress = (): void => {
      throw new Error('no');
    };
    await expect(fit(line(), data, { ...lineOptions, steps: 2, onProgress })).rejects.toThrow(/^no$/);
    await expect(fit(line(), data, { ...lineOptions, steps: 2 })).rejects.toThrow(/^the file is gone$/);
  });

  it('rejects with the error of the data', async () => {
    const data = {
      async *[Symbol.asyncIterator]() {
        yield await Promise.resolve(batch(1));
        throw new TypeError('the disk is gone');
      },
    };
    const net = line();
    await expect(fit(net, data, lineOptions)).rejects.toThrow(new TypeError('the disk is gone'));
  });

  it('trains on an async generator for one epoch, and rejects more', async () => {
    const generator = () => counted(3).data[Symbol.asyncIterator]();
    expect((await fit(line(), generator(), lineOptions)).steps).toBe(3);
    expect((await fit(line(), generator(), { ...lineOptions, steps: 2 })).steps).toBe(2);
    const reason = 'Can it be read once only? Pass an object whose [Symbol.asyncIterator] starts again.';
    const readable = new RangeError(
      `fit: data must be readable once per epoch, got an instance of AsyncGenerator. ${reason}`,
    );
    await expect(fit(line(), generator(), { ...lineOptions, epochs: 2 })).rejects.toThrow(readable);
    const validation = generator();
    await expect(fit(line(), [batch(1)], { ...lineOptions, epochs: 2, validation })).rejects.toThrow(
      readable.message.replace('data', 'validation'),
    );
    await expect(fit(line(), generator(), { ...lineOptions, steps: 4 })).rejects.toThrow(
      new RangeError(`fit: data in epoch 2 must be at least one batch, got none. ${reason}`),
    );
  });

  it('resumes in the last epoch on an async generator', async () => {
    const whole = line();
    const states: TrainingState[] = [];
    const checkpoint = { every: 4, write: (state: TrainingState) => void states.push(state) };
    await fit(whole, counted(3).data, { ...lineOptions, epochs: 2, checkpoint });
    const rest = line();
    const generator = counted(3).data[Symbol.asyncIterator]();
    await fit(rest, generator, { ...lineOptions, epochs: 2, resume: states[0] });
    expect(rest.data).toEqual(whole.data);
  });

  it('rejects data without batches, and batches that are not iterable', async () => {
    await expect(fit(line(), counted(0).data, lineOptions)).rejects.toThrow(
      /^fit: data in epoch 1 must be at least one batch, got none\. Can it be read once only\?/,
    );
    const promised: object = { batches: () => Promise.resolve([batch(1)]) };
    await expect(fit(line(), promised as Batches<Batch<Tensor>>, lineOptions)).rejects.toThrow(
      new TypeError('fit: data.batches() must be an iterable of batches, got an instance of Promise.'),
    );
  });

  it.each<[string, () => unknown, string]>([
    ['nothing', () => undefined, 'undefined'],
    ['a number', () => 3, '3'],
    ['a string', () => 'batches', 'batches'],
    ['a promise', () => Promise.resolve([batch(1)]), 'an instance of Promise'],
  ])('rejects validation data whose function returns %s', async (_, batches, got) => {
    const validation: object = { batches };
    await expect(
      fit(line(), [batch(1)], { ...lineOptions, validation: validation as Dataset<Batch<Tensor>> }),
    ).rejects.toThrow(new TypeError(`fit: validation.batches() must be an iterable of batches, got ${got}.`));
  });
});

describe('progress on asynchronous data', () => {
  it('has no number of updates in the first epoch, and estimates it from the epoch before', async () => {
    let epoch = 0;
    const data: AsyncDataset<Batch<Tensor, Tensor>> = {
      async *batches() {
        const length = [3, 4, 6][epoch++]!;
        for (let i = 0; i < length; i++) yield await Promise.resolve(batch(1));
      },
    };
    const list: Progress[] = [];
    await fit(line(), data, { ...lineOptions, epochs: 3, onProgress: (progress) => void list.push(progress) });
    // An epoch can be longer than the one before.
    expect(list.map(({ steps }) => steps)).toEqual([NaN, NaN, 9, 9, 9, 9, 11, 11, 11, 11, 11, 12, 13]);
    expect(list.map(({ secondsLeft }) => Number.isNaN(secondsLeft)).slice(0, 3)).toEqual([true, true, false]);
    expect(list.map(({ done }) => done).indexOf(true)).toBe(12);
  });

  it('has the number of updates if the data states its number of batches, or the options the steps', async () => {
    const stepsOf = async (batchCount: number | undefined, extra: object) => {
      const list: number[] = [];
      const onProgress = ({ steps }: Progress) => void list.push(steps);
      const { data } = counted(3);
      await fit(line(), { batchCount, batches: () => data }, { ...lineOptions, ...extra, onProgress });
      return list;
    };
    expect(await stepsOf(3, { epochs: 2 })).toEqual([6, 6, 6, 6, 6, 6]);
    expect(await stepsOf(undefined, { steps: 4 })).toEqual([4, 4, 4, 4]);
    expect(await stepsOf(undefined, { epochs: 2, accumulate: 2 })).toEqual([NaN, 4, 4, 4]);
  });
});

it('training on 400 MB of batches takes the memory of a few', async () => {
  const [count, size] = [100, 1_000_000];
  const peaks: number[] = [];
  const data = {
    async *[Symbol.asyncIterator]() {
      for (let i = 0; i < count; i++) {
        (globalThis as { readonly gc?: () => void }).gc!();
        peaks.push(process.memoryUsage().arrayBuffers);
        yield await Promise.resolve({ inputs: full([size, 1, 1], 1), targets: tensor(1) });
      }
    },
  };
  const net = customModel({ w: tensor(0) }, ({ w }, { inputs, targets }: Batch<Tensor, Tensor>) =>
    meanSquaredError(multiply(mean(inputs), w), targets),
  );
  expect((await fit(net, data, { optimizer: sgd(0.01) })).steps).toBe(count);
  // A batch takes 4 MB; one is used, and one is read ahead.
  expect(Math.max(...peaks.slice(10)) - peaks[0]!).toBeLessThan(24e6);
});
