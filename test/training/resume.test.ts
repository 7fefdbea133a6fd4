/** Training that goes on where it stood, to the same bits as if it had never stopped. */

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
  integerNumber,
  lstm,
  meanSquaredError,
  multiply,
  recurrent,
  type Sequential,
  type SequentialFitOptions,
  sequential,
  sgd,
  type TrainingState,
  tensor,
  windows,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const ids = Int32Array.from({ length: 130 }, (_, i) => (i * i) % 4);
const shuffled = windows(ids, { sequenceLength: 6, batchSize: 4 });
const ordered = windows(ids, { sequenceLength: 6, batchSize: 4, shuffle: false });
/** Draws from the generator for every batch anew, while dropout draws from it in between. */
const drawnLate: Dataset = {
  batchCount: 4,
  *batches(random) {
    for (let i = 0; i < 4; i++) {
      const from = integerNumber(random, 100);
      const part = (shift: number): Int32Array => ids.slice(from + shift, from + shift + 6);
      yield { inputs: { shape: [6, 1], data: part(0) }, targets: { shape: [6, 1], data: part(1) } };
    }
  },
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
const options: SequentialFitOptions = {
  loss: crossEntropy,
  optimizer: chain(clipByNorm(1), adam(cosineDecay(0.05, { steps: 12 }))),
  steps: 12,
  seed: 5,
};

/** What is handed out after every update. */
async function standsOf(
  net: Sequential,
  data: Dataset,
  given: SequentialFitOptions,
): Promise<{ states: TrainingState[]; result: Awaited<ReturnType<typeof fit>> }> {
  const states: TrainingState[] = [];
  const result = await fit(net, data, {
    ...given,
    checkpoint: { every: 1, write: (state) => void states.push(state) },
  });
  return { states, result };
}

describe('fit, taken up', () => {
  it.each<[string, Dataset, Partial<SequentialFitOptions>]>([
    ['with shuffled windows and dropout', shuffled, {}],
    ['with the state carried', ordered, { carryState: true }],
    ['with data that draws for every batch', drawnLate, {}],
    ['with validation and patience', shuffled, { validation: ordered, patience: 2, optimizer: sgd(3) }],
  ])('%s, after any update, ends with the same bits', async (_, data, more) => {
    const whole = model();
    const { states, result } = await standsOf(whole, data, { ...options, ...more });
    expect(states.length).toBe(result.steps);
    for (const state of states) {
      const rest = model();
      rest.data.fill(9);
      const again = await standsOf(rest, data, { ...options, ...more, seed: 77, resume: structuredClone(state) });
      expect(again.result).toEqual(result);
      expect(rest.data).toEqual(whole.data);
      expect(again.states).toEqual(states.slice(state.step));
    }
  });

  it('a trainable, too', async () => {
    const line = () =>
      customModel({ slope: tensor(0) }, (p, batch: Batch) =>
        meanSquaredError(multiply(batch.inputs as never, p.slope), batch.targets as never),
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
    await fit(rest, data, { optimizer: adam(0.1), steps: 7, resume: states[0] });
    expect(rest.data).toEqual(whole.data);
  });

  it('is handed out when it is aborted, and once only', async () => {
    const signal = { aborted: false };
    const seen: number[] = [];
    const result = await fit(model(), shuffled, {
      ...options,
      signal,
      onProgress: ({ step }) => void (signal.aborted = step === 5),
      checkpoint: { every: 4, write: ({ step }) => void seen.push(step) },
    });
    expect([result.stopped, seen]).toEqual(['aborted', [4, 5]]);
  });

  it('what is handed out does not change afterwards, and training waits until it is written', async () => {
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
    for (const [state, then] of states) expect(JSON.stringify(state)).toBe(then);
  });

  it('refuses what does not fit', async () => {
    const { states } = await standsOf(model(), shuffled, options);
    const [first] = states;
    const other = sequential([
      embedding({ vocabularySize: 4, size: 3 }),
      recurrent(gru(), { hiddenSize: 5 }),
      dense({ size: 4 }),
    ]);
    await expect(fit(other, shuffled, { ...options, resume: first })).rejects.toThrow(
      /fit: resume is of a model of \d+ parameters, this one has \d+/,
    );
    await expect(fit(model(), shuffled, { ...options, optimizer: sgd(), resume: first })).rejects.toThrow(
      /optimizerState must hold 0 vectors/,
    );
    await expect(
      fit(model(), shuffled, { ...options, resume: first, optimizerState: first!.optimizer }),
    ).rejects.toThrow(/do not go together/);
    const short = windows(ids, { sequenceLength: 30, batchSize: 1 });
    await expect(fit(model(), short, { ...options, resume: { ...first!, position: 9 } })).rejects.toThrow(
      /stands after batch 9 of an epoch, but data has/,
    );
    await expect(
      fit(model(), shuffled, { ...options, checkpoint: { every: 0, write: () => undefined } }),
    ).rejects.toThrow(/checkpoint.every must be a whole number/);
  });
});
