/** Resumed training gives the same bits as uninterrupted training. */

import {
  adam,
  type Batch,
  chain,
  clipByNorm,
  cosineDecay,
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
const validation = windows(ids.slice().reverse(), { sequenceLength: 6, batchSize: 4, shuffle: false });
const idsAt = (start: number): IntTensor => ({ shape: [6, 1], data: ids.slice(start, start + 6) });
const batchAt = (start: number): Batch<IntTensor> => ({ inputs: idsAt(start), targets: idsAt(start + 1) });
/** Draws from the generator for every batch; dropout draws from it in between. */
const drawnPerBatch: Dataset<Batch<IntTensor>> = {
  batchCount: 4,
  *batches(random) {
    for (let i = 0; i < 4; i++) yield batchAt(integerNumber(random, 100));
  },
};
/** Draws all batches of an epoch when it starts. */
const drawnPerEpoch: Dataset<Batch<IntTensor>> = {
  batchCount: 4,
  batches: (random) => Array.from({ length: 4 }, () => batchAt(integerNumber(random, 100))),
};
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
const options: SequentialFitOptions<IntTensor> = {
  loss: crossEntropy,
  optimizer: chain(clipByNorm(1), adam(cosineDecay(0.05, { steps: 12 }))),
  steps: 12,
  seed: 5,
};

/** Trains with a checkpoint after every update. */
async function trainWithStates(
  net: Sequential,
  data: Dataset<Batch<IntTensor>>,
  fitOptions: SequentialFitOptions<IntTensor>,
): Promise<{ states: TrainingState[]; result: Awaited<ReturnType<typeof fit>> }> {
  const states: TrainingState[] = [];
  const result = await fit(net, data, {
    ...fitOptions,
    checkpoint: { every: 1, write: (state) => void states.push(state) },
  });
  return { states, result };
}

describe('resumed fit', () => {
  it.each<[string, Dataset<Batch<IntTensor>>, Partial<SequentialFitOptions<IntTensor>>]>([
    ['with shuffled windows and dropout', shuffled, {}],
    ['with the state carried', ordered, { carryState: true }],
    ['with data that draws for every batch', drawnPerBatch, {}],
    ['with data that draws when an epoch starts', drawnPerEpoch, {}],
    ['with validation and patience', shuffled, { validation: ordered, patience: 2, optimizer: sgd(3) }],
  ])('ends with the same bits after any update, %s', async (_, data, extra) => {
    const whole = model();
    const { states, result } = await trainWithStates(whole, data, { ...options, ...extra });
    expect(states.length).toBe(result.steps);
    for (const state of states) {
      const rest = model();
      rest.data.fill(9);
      const again = await trainWithStates(rest, data, {
        ...options,
        ...extra,
        seed: 77,
        resume: structuredClone(state),
      });
      expect(again.result).toEqual(result);
      expect(rest.data).toEqual(whole.data);
      expect(again.states).toEqual(states.slice(state.step));
    }
  });

  it('continues with the state carried by training, not by validation, after steps that end inside an epoch', async () => {
    const extra = { carryState: true, validation };
    const whole = model();
    await fit(whole, ordered, { ...options, ...extra });
    const rest = model();
    const { states } = await trainWithStates(rest, ordered, { ...options, ...extra, steps: 3 });
    await fit(rest, ordered, { ...options, ...extra, resume: states.at(-1) });
    expect(rest.data).toEqual(whole.data);
  });

  it('supports custom models', async () => {
    const line = () =>
      customModel({ slope: tensor(0) }, (p, { inputs, targets }: Batch<Tensor, Tensor>) =>
        meanSquaredError(multiply(inputs, p.slope), targets),
      );
    const data = {
      batchCount: 2,
      batches: () => [1, 2].map((x) => ({ inputs: tensor([x]), targets: tensor([3 * x]) })),
    };
    const whole = line();
    const states: TrainingState[] = [];
    await fit(whole, data, {
      optimizer: adam(0.1),
      steps: 7,
      checkpoint: { every: 3, write: (state) => void states.push(state) },
    });
    expect(states.map(({ step, epoch, position }) => [step, epoch, position])).toEqual([
      [3, 2, 1],
      [6, 3, 2],
    ]);
    const rest = line();
    const before = structuredClone(states[0]);
    await fit(rest, data, { optimizer: adam(0.1), steps: 7, resume: states[0] });
    expect(rest.data).toEqual(whole.data);
    expect(states[0]).toEqual(before);
  });

  it('estimates the time left from the updates since it was resumed', async () => {
    const { states } = await trainWithStates(model(), shuffled, options);
    const seen: Progress[] = [];
    const { steps } = await fit(model(), shuffled, { ...options, resume: states[8], onProgress: (p) => seen.push(p) });
    expect(seen).toHaveLength(steps - states[8]!.step);
    for (const { step, secondsLeft, targetsPerSecond } of seen)
      expect((secondsLeft * targetsPerSecond) / (6 * 4)).toBeCloseTo(steps - step, 6);
  });

  it.each([
    { every: 4, written: [4, 5] },
    { every: 5, written: [5] },
  ])('has one checkpoint when training is aborted, besides those of every $every updates', async (example) => {
    const signal = { aborted: false };
    const seen: number[] = [];
    const result = await fit(model(), shuffled, {
      ...options,
      signal,
      onProgress: ({ step }) => {
        signal.aborted = step === 5;
      },
      checkpoint: { every: example.every, write: ({ step }) => void seen.push(step) },
    });
    expect([result.stopped, seen]).toEqual(['aborted', example.written]);
  });

  it('has checkpoints that do not change, and waits until they are written', async () => {
    const states: [TrainingState, string][] = [];
    let writing = 0;
    await fit(model(), shuffled, {
      ...options,
      onProgress: () => expect(writing).toBe(0),
      checkpoint: {
        every: 2,
        write: async (state) => {
          writing++;
          states.push([state, JSON.stringify(state)]);
          await new Promise((resolve) => setTimeout(resolve, 1));
          writing--;
        },
      },
    });
    expect(states).toHaveLength(6);
    for (const [state, written] of states) expect(JSON.stringify(state)).toBe(written);
  });

  it.each<[string, Dataset<Batch<IntTensor>>, Partial<SequentialFitOptions<IntTensor>>]>([
    ['the state carried', ordered, { carryState: true }],
    ['records of random numbers', drawnPerBatch, {}],
    ['the best epoch', shuffled, { validation: ordered, patience: 2, optimizer: sgd(3) }],
  ])('has checkpoints whose arrays can be transferred, with %s', async (_, data, extra) => {
    const whole = model();
    const { states, result } = await trainWithStates(whole, data, { ...options, ...extra });
    const buffersOf = (part: unknown): ArrayBuffer[] => {
      if (typeof part !== 'object' || part === null) return [];
      return ArrayBuffer.isView(part) ? [part.buffer as ArrayBuffer] : Object.values(part).flatMap(buffersOf);
    };
    const received: TrainingState[] = [];
    // The arrays of the state are empty from then on.
    const write = (state: TrainingState) => received.push(structuredClone(state, { transfer: buffersOf(state) }));
    const other = model();
    const again = await fit(other, data, { ...options, ...extra, checkpoint: { every: 1, write } });
    expect(again).toEqual(result);
    expect(other.data).toEqual(whole.data);
    expect(received).toEqual(states);
  });

  it('rejects states and options that do not fit', async () => {
    const { states } = await trainWithStates(model(), shuffled, options);
    const [first] = states;
    const other = sequential([
      embedding({ vocabularySize: 4, size: 3 }),
      recurrent(gru(), { hiddenSize: 5 }),
      dense({ size: 4 }),
    ]);
    await expect(fit(other, shuffled, { ...options, resume: first })).rejects.toThrow(
      /fit: resume must be of a model with \d+ parameters, got \d+/,
    );
    const unchanged = model();
    await expect(fit(unchanged, shuffled, { ...options, optimizer: sgd(), resume: first })).rejects.toThrow(
      /fit: resume.optimizer must be of sgd, with 0 buffers/,
    );
    for (const [name, kind] of [
      ['optimizer', 'an optimizer state'],
      ['draws', 'an array of defined elements'],
      ['losses', 'an array of defined elements'],
      ['validationLosses', 'an array of defined elements'],
    ] as const)
      await expect(fit(unchanged, shuffled, { ...options, resume: { ...first!, [name]: undefined } })).rejects.toThrow(
        new TypeError(`fit: resume.${name} must be ${kind}, got undefined.`),
      );
    const size = unchanged.data.length;
    for (const [best, got] of [
      [{ loss: 1, epoch: 1 }, 'an object with'],
      [{ loss: 1, epoch: 1, parameters: new Float32Array(3) }, '3.'],
      ['x', 'an object with'],
    ] as const)
      await expect(
        fit(unchanged, shuffled, { ...options, resume: { ...first!, best: best as TrainingState['best'] } }),
      ).rejects.toThrow(`fit: resume must be of a model with ${size} parameters, got ${got}`);
    const validation = 'data' as unknown as Dataset<Batch<IntTensor>>;
    await expect(fit(unchanged, shuffled, { ...options, validation, resume: first })).rejects.toThrow(
      'fit: validation must be a dataset',
    );
    expect(unchanged.data).toEqual(model().data);
    await expect(
      fit(model(), shuffled, { ...options, resume: first, optimizerState: first!.optimizer }),
    ).rejects.toThrow(/fit: optimizerState must be undefined with resume, got an object/);
    const short = windows(ids, { sequenceLength: 30, batchSize: 1 });
    await expect(fit(model(), short, { ...options, resume: { ...first!, position: 9 } })).rejects.toThrow(
      /fit: resume.position must be at most \d, the number of batches, got 9/,
    );
    await expect(
      fit(model(), shuffled, { ...options, checkpoint: { every: 0, write: () => undefined } }),
    ).rejects.toThrow(/checkpoint.every must be an integer/);
  });
});
