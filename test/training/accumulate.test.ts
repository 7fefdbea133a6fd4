/** Gradient accumulation: several batches per update equal one large batch. */

import {
  adam,
  type Batch,
  batchesOf,
  chain,
  clipByNorm,
  createRandom,
  crossEntropy,
  customModel,
  type Dataset,
  dense,
  dropout,
  embedding,
  fit,
  gru,
  type IntTensor,
  integerNumber,
  lstm,
  meanSquaredError,
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
import { describe, expect, it, vi } from 'vitest';

const [T, V] = [5, 4];
const random = createRandom(8);
const idsOf = (...shape: number[]): IntTensor => ({
  shape,
  data: Int32Array.from({ length: shape.reduce((a, b) => a * b) }, () => integerNumber(random, V)),
});
const net = (): Sequential =>
  sequential([embedding({ vocabularySize: V, size: 3 }), recurrent(lstm(), { hiddenSize: 5 }), dense({ size: V })], {
    seed: 2,
  });
const columns = (x: IntTensor, from: number, to: number): IntTensor => {
  const [steps, rows] = x.shape as [number, number];
  const width = to - from;
  const data = Int32Array.from(
    { length: steps * width },
    (_, i) => x.data[Math.floor(i / width) * rows + from + (i % width)]!,
  );
  return { shape: [steps, width], data };
};

describe('fit with accumulate', () => {
  const [inputs, targets] = [idsOf(T, 7), idsOf(T, 7)];
  const lengths = Int32Array.of(5, 1, 2, 0, 4, 3, 0);
  const weights = Float32Array.from({ length: T * 7 }, (_, i) => [1, 0, 0.5, 2][i % 4]!);
  const whole = { inputs, targets };
  const maskOf = (from: number, to: number): Tensor => {
    const { shape, data } = columns({ shape: [T, 7], data: Int32Array.from(weights, (w) => 2 * w) }, from, to);
    return { shape, data: Float32Array.from(data, (w) => w / 2) };
  };
  const variants: Record<string, (from: number, to: number) => Partial<Batch<IntTensor>>> = {
    'equal batches': () => ({}),
    'unequal lengths': (from, to) => ({ lengths: lengths.slice(from, to) }),
    masks: (from, to) => ({ mask: maskOf(from, to) }),
    'masks and lengths': (from, to) => ({ mask: maskOf(from, to), lengths: lengths.slice(from, to) }),
  };
  // The row of the last group has no target if its length is 0.
  const bounds = [0, 3, 4, 6, 7];

  it.each(Object.entries(variants))('equals one large batch (%s)', async (_, extra) => {
    const parts = bounds.slice(1).map((to, i): Batch<IntTensor> => {
      const from = bounds[i]!;
      return { inputs: columns(inputs, from, to), targets: columns(targets, from, to), ...extra(from, to) };
    });
    const [large, small] = [net(), net()];
    const options = { loss: crossEntropy, optimizer: chain(clipByNorm(0.5), sgd(0.5)), epochs: 5 };
    const norms: number[][] = [[], []];
    const record = (run: number) => ({ onProgress: ({ gradientNorm }: Progress) => norms[run]!.push(gradientNorm) });
    const expected = await fit(large, [{ ...whole, ...extra(0, 7) }], { ...options, ...record(0) });
    const found = await fit(small, parts, { ...options, ...record(1), accumulate: parts.length });
    expect(found.steps).toBe(5);
    found.losses.forEach((loss, i) => expect(loss).toBeCloseTo(expected.losses[i]!, 5));
    // Single precision, as in the file of a training state.
    expect(found.losses).toEqual(found.losses.map(Math.fround));
    norms[1]!.forEach((norm, i) => expect(norm).toBeCloseTo(norms[0]![i]!, 5));
    small.data.forEach((x, i) => expect(x).toBeCloseTo(large.data[i]!, 5));
    // The mean of the gradients of the batches is another one.
    const unweighted = net();
    await fit(unweighted, parts, { ...options, accumulate: 1, steps: 1 });
    expect(unweighted.data).not.toEqual(large.data);
  });

  it('makes an update with the rest of an epoch', async () => {
    const examples = batchesOf(inputs, targets, { batchSize: 2, shuffle: false });
    const large = batchesOf(inputs, targets, { batchSize: 6, shuffle: false });
    const [one, other] = [net(), net()];
    const seen: Progress[] = [];
    const options = { loss: crossEntropy, optimizer: adam(0.02), epochs: 3 };
    const expected = await fit(one, large, { ...options, validation: [whole] });
    const found = await fit(other, examples, {
      ...options,
      validation: [whole],
      accumulate: 3,
      onProgress: (progress) => seen.push(progress),
    });
    expect([found.steps, found.validationLosses.length]).toEqual([6, 3]);
    expect(seen.map(({ epoch, steps, validationLoss }) => [epoch, steps, validationLoss !== undefined])).toEqual(
      [1, 1, 2, 2, 3, 3].map((epoch, i) => [epoch, 6, i % 2 === 1]),
    );
    found.losses.forEach((loss, i) => expect(loss).toBeCloseTo(expected.losses[i]!, 4));
    other.data.forEach((x, i) => expect(x).toBeCloseTo(one.data[i]!, 4));
  });

  it('weights the batches of a custom model equally', async () => {
    const line = customModel({ slope: tensor(0) }, (p, { inputs, targets }: Batch<Tensor, Tensor>) =>
      meanSquaredError(p.slope, tensor(targets.data[0]! + 0 * inputs.data[0]!)),
    );
    const batches = [1, 2, 6].map((y) => ({ inputs: tensor([1]), targets: tensor([y]) }));
    await fit(line, batches, { optimizer: sgd(0.5), steps: 1, accumulate: 3 });
    expect(line.parameters.slope.data[0]).toBeCloseTo(3, 5);
  });

  it('adds up the gradients of a loss that is a parameter', async () => {
    const model = customModel({ x: tensor(1) }, (p, _batch: Batch) => p.x);
    await fit(model, [whole, whole], { optimizer: sgd(0.25), steps: 1, accumulate: 2 });
    expect(model.parameters.x.data[0]).toBe(0.75);
  });

  it('reads as many batches of an iterable as its updates need', async () => {
    let read = 0;
    function* endless(): Iterable<Batch<IntTensor>> {
      for (;;) {
        read++;
        yield whole;
      }
    }
    const { steps } = await fit(net(), endless(), {
      loss: crossEntropy,
      optimizer: sgd(0.1),
      steps: 4,
      accumulate: 3,
    });
    expect([steps, read]).toEqual([4, 12]);
  });

  it('counts the targets of all batches in the speed', async () => {
    const seen: Progress[] = [];
    await fit(net(), [whole, whole, whole, whole, whole, whole], {
      loss: crossEntropy,
      optimizer: sgd(0.1),
      epochs: 1,
      accumulate: 3,
      onProgress: (progress) => seen.push(progress),
    });
    // After the first of two updates, the time left is the time so far.
    expect(seen[0]!.targetsPerSecond * seen[0]!.secondsLeft).toBeCloseTo(3 * T * 7, 6);
  });

  it('the speed is finite if an update takes less than the resolution of the clock', async () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1000);
    const seen: Progress[] = [];
    try {
      await fit(net(), [whole, whole], {
        loss: crossEntropy,
        optimizer: sgd(0.1),
        onProgress: (progress) => seen.push(progress),
      });
    } finally {
      clock.mockRestore();
    }
    expect(seen[0]!.targetsPerSecond).toBeCloseTo(1e6 * T * 7, 3);
    expect(seen[0]!.secondsLeft).toBe(1e-6);
  });

  it.each([0, -1, 1.5, NaN, '2' as unknown as number])('rejects %s batches', async (accumulate) => {
    const training = fit(net(), [whole], { loss: crossEntropy, optimizer: sgd(), accumulate });
    await expect(training).rejects.toThrow('fit: accumulate must be an integer of at least 1, got');
  });
});

describe('resumed fit with accumulate', () => {
  const ids = Int32Array.from({ length: 190 }, (_, i) => (i * i) % V);
  const shuffled = windows(ids, { sequenceLength: 6, batchSize: 4 });
  const ordered = windows(ids, { sequenceLength: 6, batchSize: 4, shuffle: false });
  const drawnPerBatch: Dataset<Batch<IntTensor>> = {
    batchCount: 5,
    *batches(random) {
      for (let i = 0; i < 5; i++) {
        const start = integerNumber(random, 100);
        const idsAt = (from: number): IntTensor => ({ shape: [6, 1], data: ids.slice(from, from + 6) });
        yield { inputs: idsAt(start), targets: idsAt(start + 1) };
      }
    },
  };
  const withDropout = (): Sequential =>
    sequential(
      [
        embedding({ vocabularySize: V, size: 3 }),
        recurrent(gru(), { hiddenSize: 5, recurrentDropout: 0.2 }),
        dropout(0.3),
        dense({ size: V }),
      ],
      { seed: 2 },
    );

  it.each<[string, Dataset<Batch<IntTensor>>, Partial<SequentialFitOptions<IntTensor>>]>([
    ['with shuffled windows and dropout', shuffled, {}],
    ['with the state carried', ordered, { carryState: true }],
    ['with data that draws for every batch', drawnPerBatch, {}],
    ['with validation and patience', shuffled, { validation: ordered, patience: 2, optimizer: sgd(3) }],
  ])('ends with the same bits after any update, %s', async (_, data, extra) => {
    const options = { loss: crossEntropy, optimizer: adam(0.02), steps: 9, seed: 5, accumulate: 2, ...extra };
    expect(data.batchCount % 2).toBe(1);
    const whole = withDropout();
    const states: TrainingState[] = [];
    const write = (state: TrainingState) => states.push(structuredClone(state));
    const result = await fit(whole, data, { ...options, checkpoint: { every: 1, write } });
    expect(states.length).toBe(result.steps);
    for (const state of states) {
      const rest = withDropout();
      rest.data.fill(9);
      expect(await fit(rest, data, { ...options, seed: 77, resume: state })).toEqual(result);
      expect(rest.data).toEqual(whole.data);
    }
  });

  it('carries the state through the batches of an update', async () => {
    const [carried, reset] = [net(), net()];
    const options = { loss: crossEntropy, optimizer: sgd(0.5), steps: 1, accumulate: 3 };
    const { losses } = await fit(carried, ordered, { ...options, carryState: true });
    expect((await fit(reset, ordered, options)).losses).not.toEqual(losses);
    // Without updates in between, the windows are those of evaluation.
    const batches = [...ordered.batches(createRandom(0))].slice(0, 3);
    const { losses: alone } = await fit(net(), batches, {
      ...options,
      optimizer: sgd(0),
      steps: 3,
      accumulate: 1,
      carryState: true,
    });
    expect(losses[0]).toBeCloseTo(alone.reduce((a, b) => a + b) / 3, 5);
  });
});
