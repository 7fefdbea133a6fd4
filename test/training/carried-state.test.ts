/** The state carried from batch to batch, if batches differ in their number of rows. */

import {
  accuracy,
  type Batch,
  createRandom,
  crossEntropy,
  dense,
  embedding,
  evaluate,
  fit,
  gru,
  type IntTensor,
  integerNumber,
  lstm,
  predictWithState,
  recurrent,
  runInSegments,
  runModel,
  type Sequential,
  sequential,
  sgd,
  type TrainingState,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const [T, V] = [4, 5];
const net = (): Sequential =>
  sequential(
    [
      embedding({ vocabularySize: V, size: 3 }),
      recurrent(lstm(), { hiddenSize: 4, learnInitialState: true }),
      recurrent(gru(), { hiddenSize: 4 }),
      dense({ size: V }),
    ],
    { seed: 6 },
  );
const random = createRandom(3);
const streams = Array.from({ length: 3 }, () => Int32Array.from({ length: 20 }, () => integerNumber(random, V)));
/** The window of the first streams from a step. */
const windowOf = (start: number, rows: number): Batch<IntTensor> => {
  const at = (from: number): IntTensor => ({
    shape: [T, rows],
    data: Int32Array.from({ length: T * rows }, (_, i) => streams[i % rows]![from + Math.floor(i / rows)]!),
  });
  return { inputs: at(start), targets: at(start + 1) };
};
/** Three streams, the last of which ends after the first window, and the second after the second. */
const shrinking = [windowOf(0, 3), windowOf(4, 2), windowOf(8, 1)];
/** The same with padding instead: the rows remain, and are empty. */
const padded = [3, 2, 1].map((rows, i) => ({
  ...windowOf(4 * i, 3),
  lengths: Int32Array.from([0, 1, 2], (row) => (row < rows ? T : 0)),
}));

describe('a smaller batch under carryState', () => {
  it.each([
    ['runModel', runModel],
    ['runInSegments', runInSegments],
  ])('continues the rows of the same index in fit (%s)', async (_, run) => {
    const [one, other] = [net(), net()];
    const options = { loss: crossEntropy, optimizer: sgd(0.3), carryState: true, epochs: 2, run };
    const found = await fit(one, shrinking, options);
    const expected = await fit(other, padded, options);
    found.losses.forEach((loss, i) => expect(loss).toBeCloseTo(expected.losses[i]!, 6));
    one.data.forEach((x, i) => expect(x).toBeCloseTo(other.data[i]!, 6));
  });

  it('continues the rows of the same index in evaluate', () => {
    const options = { loss: crossEntropy, metrics: { accuracy }, carryState: true };
    const { loss, accuracy: fraction } = evaluate(net(), shrinking, options);
    expect(fraction).toBeCloseTo(evaluate(net(), padded, options).accuracy, 6);
    // The mean over the streams, each of which is run alone.
    let total = 0;
    for (const [row, count] of [3, 2, 1].entries()) {
      let state: ReturnType<typeof predictWithState>['state'] | undefined;
      for (let i = 0; i < count; i++) {
        const at = (from: number): IntTensor => ({ shape: [T, 1], data: streams[row]!.slice(from, from + T) });
        const [inputs, targets] = [at(4 * i), at(4 * i + 1)];
        const run = predictWithState(net(), inputs, state === undefined ? {} : { state });
        state = run.state;
        targets.data.forEach((target, t) => {
          const logits = run.output.data.subarray(t * V, (t + 1) * V);
          total += Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0)) - logits[target]!;
        });
      }
    }
    expect(loss).toBeCloseTo(total / (6 * T), 5);
  });

  it('resumes to the same bits', async () => {
    const options = { loss: crossEntropy, optimizer: sgd(0.3), carryState: true, epochs: 2 };
    const states: TrainingState[] = [];
    const whole = net();
    const write = (state: TrainingState) => states.push(structuredClone(state));
    await fit(whole, shrinking, { ...options, checkpoint: { every: 1, write } });
    for (const resume of states) {
      const rest = net();
      await fit(rest, shrinking, { ...options, resume });
      expect(rest.data).toEqual(whole.data);
    }
  });

  it('does not carry dropped rows to a later batch: a batch cannot have more rows than the previous one', async () => {
    const batches = [windowOf(0, 3), windowOf(4, 2), windowOf(8, 3)];
    const options = { loss: crossEntropy, carryState: true };
    const message = 'the rows of a batch with carryState must be a number from 0 to 2, got 3';
    await expect(fit(net(), batches, { ...options, optimizer: sgd() })).rejects.toThrow(`fit: ${message}`);
    expect(() => evaluate(net(), batches, options)).toThrow(`evaluate: ${message}`);
    const whole = await fit(net(), batches, { loss: crossEntropy, optimizer: sgd() });
    expect(whole.steps).toBe(3);
  });

  it('does not limit the rows of the next epoch, and of training after validation', async () => {
    const { steps } = await fit(net(), [windowOf(0, 2)], {
      loss: crossEntropy,
      optimizer: sgd(),
      carryState: true,
      epochs: 3,
      validation: [windowOf(0, 3), windowOf(4, 1)],
    });
    expect(steps).toBe(3);
  });
});
