/** The kinds of data that fit and evaluate accept: datasets, batches, and iterables of batches. */

import {
  type Batch,
  type Batches,
  batchesOf,
  customModel,
  type Dataset,
  dense,
  evaluate,
  fit,
  full,
  gradientFlow,
  meanSquaredError,
  recurrent,
  scale,
  sequential,
  sgd,
  simpleRnn,
  type Tensor,
  tensor,
  trainOn,
  truncatedBptt,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const list = [1, 2, 3].map(
  (value): Batch<Tensor, Tensor> => ({
    inputs: full([1, 2, 1], value),
    targets: full([1, 2, 1], 3 * value),
  }),
);
function* generated(): Generator<Batch<Tensor, Tensor>> {
  yield* list;
}
async function* asynchronous(): AsyncGenerator<Batch<Tensor, Tensor>> {
  for (const batch of list) yield await Promise.resolve(batch);
}
const dataset: Dataset<Batch<Tensor, Tensor>> = { batchCount: 3, batches: () => list };
const options = { loss: meanSquaredError, optimizer: sgd(0.01) };
const model = () => sequential([dense({ size: 1 })], { inputSize: 1, seed: 1 });
const trained = async (data: Parameters<typeof fit<Tensor>>[1], epochs = 4): Promise<number[]> => {
  const net = model();
  const { stopped } = await fit(net, data, { ...options, epochs });
  expect(stopped).toBe('finished');
  return [...net.data];
};

describe('fit', () => {
  it.each([
    ['an array', () => list],
    ['a set', () => new Set(list)],
    ['the object of a generator function', generated],
    ['an object that can be iterated repeatedly', () => ({ [Symbol.iterator]: generated })],
    ['an asynchronous iterable', () => ({ [Symbol.asyncIterator]: asynchronous })],
    ['an asynchronous dataset', () => ({ batches: asynchronous })],
    ['an asynchronous dataset with its number of batches', () => ({ batchCount: 3, batches: asynchronous })],
  ])('trains on %s as on a dataset', async (_, data) => {
    expect(await trained(data())).toEqual(await trained(dataset));
  });

  it('trains on one batch', async () => {
    expect(await trained(list[1]!)).toEqual(await trained({ batchCount: 1, batches: () => [list[1]!] }));
  });

  it('treats options that are undefined as missing', async () => {
    const [given, missing] = [model(), model()];
    const undefinedOptions = {
      epochs: undefined,
      accumulate: undefined,
      seed: undefined,
      validation: undefined,
      patience: undefined,
      carryState: undefined,
      run: undefined,
      optimizerState: undefined,
      onProgress: undefined,
      checkpoint: undefined,
      resume: undefined,
      signal: undefined,
    };
    const { steps } = await fit(given, list, { ...options, ...undefinedOptions, steps: 4 });
    await fit(missing, list, { ...options, steps: 4 });
    expect(steps).toBe(4);
    expect(given.data).toEqual(missing.data);
    expect(given.data).not.toEqual(model().data);
  });

  it('reads no more of an infinite iterable than it needs', async () => {
    let read = 0;
    function* endless(): Generator<Batch<Tensor, Tensor>> {
      for (;;) {
        read++;
        yield list[read % 3]!;
      }
    }
    const { steps } = await fit(model(), endless(), { ...options, steps: 7 });
    expect([steps, read]).toEqual([7, 7]);
  });

  it('validates on one batch and on iterables after every epoch', async () => {
    for (const validation of [
      list[0]!,
      list,
      generated(),
      { [Symbol.asyncIterator]: asynchronous },
      { batches: asynchronous },
    ]) {
      const { validationLosses } = await fit(model(), list, { ...options, epochs: 3, validation });
      expect(validationLosses).toHaveLength(3);
    }
  });

  it.each<[string, unknown, string]>([
    ['a string', 'data', 'got data.'],
    ['nothing', undefined, 'got undefined.'],
    ['a tensor', tensor([1]), 'got { shape, data: an instance of Float32Array }.'],
    ['an object without batches', { inputs_: 1 }, 'got an object with inputs_.'],
    ['batches without a function', { batchCount: 1, batches: list }, 'got an object with batchCount, batches.'],
  ])('rejects %s', async (_, data, got) => {
    await expect(fit(model(), data as Batches<Batch<Tensor>>, options)).rejects.toThrow(
      new TypeError(`fit: data must be a dataset, a batch { inputs, targets } or an iterable of batches, ${got}`),
    );
    expect(() => evaluate(model(), data as Batches<Batch<Tensor>>, { loss: meanSquaredError })).toThrow(
      new TypeError(`evaluate: data must be a dataset, a batch { inputs, targets } or an iterable of batches, ${got}`),
    );
    if (data === undefined) return;
    await expect(fit(model(), list, { ...options, validation: data as Batches<Batch<Tensor>> })).rejects.toThrow(
      new TypeError(`fit: validation must be a dataset, a batch { inputs, targets } or an iterable of batches, ${got}`),
    );
  });

  it('rejects empty data, and datasets with a wrong number of batches', async () => {
    const none: Batch<Tensor>[] = [];
    await expect(fit(model(), none, options)).rejects.toThrow(
      'fit: the number of batches must be an integer of at least 1, got 0.',
    );
    for (const batchCount of [NaN, -1, 1.5])
      await expect(
        fit(model(), { batches: () => list, batchCount } as Dataset<Batch<Tensor>>, options),
      ).rejects.toThrow(`fit: the number of batches must be an integer of at least 1, got ${batchCount}.`);
  });

  it('trains custom models on arrays of any batches', async () => {
    const line = customModel({ w: tensor(0) }, ({ w }, batch: number) => scale(w, -batch));
    await fit(line, [1, 2, 3], { optimizer: sgd(1) });
    expect(line.data[0]).toBe(6);
  });
});

describe('evaluate', () => {
  it('accepts one batch and synchronous iterables', () => {
    const expected = evaluate(model(), dataset, { loss: meanSquaredError });
    for (const data of [list, generated(), new Set(list)])
      expect(evaluate(model(), data, { loss: meanSquaredError })).toEqual(expected);
    expect(evaluate(model(), list[0]!, { loss: meanSquaredError })).toEqual(
      evaluate(model(), batchesOf(list[0]!.inputs, list[0]!.targets, { batchSize: 2 }), { loss: meanSquaredError }),
    );
  });

  it('rejects asynchronous iterables', () => {
    const data: object = asynchronous();
    expect(() => evaluate(model(), data as Batches<Batch<Tensor>>, { loss: meanSquaredError })).toThrow(
      new TypeError('evaluate: the batches of data must be a synchronous iterable, got an instance of AsyncGenerator.'),
    );
  });

  it('rejects a dataset whose function returns nothing', () => {
    const data = { batchCount: 1, batches: () => undefined };
    // @ts-expect-error The function must return the batches.
    expect(() => evaluate(model(), data, { loss: meanSquaredError })).toThrow(
      'evaluate: the batches of data must be a synchronous iterable, got undefined.',
    );
  });
});

it('a batch without targets is rejected by the function that was called, wherever it is', async () => {
  // The targets are missing in JavaScript, where nothing checks the type.
  const { targets: _, ...inputsOnly } = list[0]!;
  const batch = inputsOnly as Batch<Tensor, Tensor>;
  const missing = (caller: string): TypeError =>
    new TypeError(`${caller}: targets must be a tensor { shape, data: Float32Array }, got undefined.`);
  async function* later(): AsyncGenerator<Batch<Tensor, Tensor>> {
    yield await Promise.resolve(batch);
  }
  const loss = meanSquaredError;
  const net = model();
  await expect(fit(net, batch, options)).rejects.toThrow(missing('fit'));
  for (const data of [
    () => [batch],
    () => new Set([batch]),
    later,
    () => ({ batchCount: 1, batches: () => [batch] }),
  ]) {
    await expect(fit(net, data(), options)).rejects.toThrow(missing('fit'));
    await expect(fit(net, data(), { ...options, carryState: true })).rejects.toThrow(missing('fit'));
    const validated = fit(model(), list, { ...options, epochs: 1, validation: data() });
    await expect(validated).rejects.toThrow(missing('fit'));
  }
  expect(net.data).toEqual(model().data);
  await expect(fit(model(), [list[0]!, batch], { ...options, accumulate: 2 })).rejects.toThrow(missing('fit'));
  for (const data of [batch, [batch], { batchCount: 1, batches: () => [batch] }])
    expect(() => evaluate(model(), data, { loss })).toThrow(missing('evaluate'));
  const trainer = truncatedBptt(model(), { window: 1, loss, optimizer: sgd(1), batchSize: 2 });
  expect(() => trainOn(trainer, batch)).toThrow(missing('trainOn'));
  const recurrentModel = sequential([recurrent(simpleRnn(), { hiddenSize: 1 })], { inputSize: 1 });
  expect(() => gradientFlow(recurrentModel, batch, { loss })).toThrow(missing('gradientFlow'));
});

it('fit works on engines without performance, such as QuickJS', async () => {
  const saved = Object.getOwnPropertyDescriptor(globalThis, 'performance')!;
  Reflect.deleteProperty(globalThis, 'performance');
  try {
    const model = sequential([dense({ size: 1 })], { inputSize: 2 });
    const batch = { inputs: full([3, 1, 2], 1), targets: full([3, 1, 1], 1) };
    const { steps } = await fit(model, batch, { loss: meanSquaredError, optimizer: sgd(0.01), epochs: 3 });
    expect(steps).toBe(3);
  } finally {
    Object.defineProperty(globalThis, 'performance', saved);
  }
});
