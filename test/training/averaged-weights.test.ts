/** Averages of parameters over updates. */

import {
  type AverageOptions,
  adam,
  applyOptimizer,
  averagedModel,
  averageWeights,
  batchesOf,
  chain,
  clipByNorm,
  createRandom,
  crossEntropy,
  customModel,
  dense,
  dropout,
  embedding,
  evaluate,
  fit,
  freeze,
  initializeOptimizer,
  type KernelName,
  load,
  loadInto,
  maxNorm,
  meanSquaredError,
  multiply,
  normal,
  type Optimizer,
  predict,
  recurrent,
  rmsprop,
  type Sequential,
  save,
  sequential,
  sgd,
  simpleRnn,
  type TrainingState,
  tensor,
  useKernels,
  windows,
} from 'bptt';
import { afterAll, describe, expect, it } from 'vitest';
import { engineRuns } from '../kernels/engine';

afterAll(() => useKernels(undefined));

const size = 7;
/** The parameters after every update, and the average after the last one. */
function run(
  options: AverageOptions,
  before: Optimizer = adam(0.1),
): { history: Float32Array[]; average: Float32Array } {
  const random = createRandom(3);
  const parameters = { w: normal(0, 1)([size], random) };
  const optimizer = chain(before, averageWeights(options));
  const state = initializeOptimizer(optimizer, size);
  const history = Array.from({ length: 20 }, () => {
    applyOptimizer(optimizer, state, parameters, { w: normal(0, 1)([size], random) });
    return parameters.w.data.slice();
  });
  return { history, average: averagedModel({ parameters, data: parameters.w.data }, optimizer, state).data };
}

describe.each((['portable', 'simd', 'relaxed', 'wide'] as const satisfies readonly KernelName[]).filter(engineRuns))(
  'kernels %s',
  (kernels) => {
    it('with a decay, is an exponential moving average from the parameters after the first update', () => {
      useKernels(kernels);
      const { history, average } = run({ decay: 0.8 });
      const expected = history.reduce((mean, now) => mean.map((value, i) => 0.8 * value + 0.2 * now[i]!));
      average.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
    });

    it('without a decay, all updates have the same weight', () => {
      useKernels(kernels);
      const { history, average } = run({});
      average.forEach((value, i) => {
        expect(value).toBeCloseTo(history.reduce((sum, now) => sum + now[i]!, 0) / 20, 5);
      });
    });

    it('starts and skips updates as specified', () => {
      useKernels(kernels);
      // The updates 6, 9, 12, 15 and 18.
      const { history, average } = run({ start: 6, every: 3 });
      const averaged = [6, 9, 12, 15, 18].map((step) => history[step - 1]!);
      average.forEach((value, i) => {
        expect(value).toBeCloseTo(averaged.reduce((sum, now) => sum + now[i]!, 0) / 5, 5);
      });
    });

    it('is exact for parameters that stay the same', () => {
      useKernels(kernels);
      for (const options of [{}, { decay: 0.9 }, { decay: 0.9999 }]) {
        const { history, average } = run(options, sgd(0));
        expect(average).toEqual(history.at(-1));
      }
    });

    it('equals the parameters until it starts, also with a constraint', () => {
      useKernels(kernels);
      for (const options of [{ start: 20 }, { start: 30 }, { start: 30, every: 3 }]) {
        const { history, average } = run({ ...options, decay: 0.5 }, chain(sgd(1), maxNorm(1)));
        average.forEach((value, i) => expect(value).toBeCloseTo(history.at(-1)![i]!, 6));
      }
    });
  },
);

it('does not change the updates', () => {
  const random = createRandom(3);
  const parameters = { w: normal(0, 1)([size], random) };
  const state = initializeOptimizer(adam(0.1), size);
  for (let i = 0; i < 20; i++) applyOptimizer(adam(0.1), state, parameters, { w: normal(0, 1)([size], random) });
  expect(run({ decay: 0.9 }).history.at(-1)).toEqual(parameters.w.data);
});

describe('in fit', () => {
  const model = (): Sequential =>
    sequential([
      embedding({ vocabularySize: 4, size: 3 }),
      recurrent(simpleRnn(), { hiddenSize: 5 }),
      dropout(0.2),
      dense({ size: 4 }),
    ]);
  const data = windows(
    Int32Array.from({ length: 130 }, (_, i) => (i * i) % 4),
    { sequenceLength: 6, batchSize: 4 },
  );
  const optimizer = chain(clipByNorm(1), rmsprop(0.01, { momentum: 0.5 }), averageWeights({ decay: 0.9, start: 2 }));

  it('resumes from a file with the same bits', async () => {
    const options = { loss: crossEntropy, optimizer, steps: 8 };
    const whole = model();
    const states: TrainingState[] = [];
    const checkpoint = { every: 1, write: (state: TrainingState) => void states.push(state) };
    const { optimizerState } = await fit(whole, data, { ...options, checkpoint });
    expect(states).toHaveLength(8);
    for (const state of states) {
      const rest = model();
      const { training } = loadInto(rest, save(rest, { training: state }));
      const resumed = await fit(rest, data, { ...options, resume: training });
      expect(averagedModel(rest, optimizer, resumed.optimizerState).data).toEqual(
        averagedModel(whole, optimizer, optimizerState).data,
      );
      expect(rest.data).toEqual(whole.data);
    }
  });

  it('the averaged model is a copy that can be saved', async () => {
    const net = model();
    const { optimizerState } = await fit(net, data, { loss: crossEntropy, optimizer, steps: 5 });
    const before = net.data.slice();
    const averaged = averagedModel(net, optimizer, optimizerState);
    expect(averaged.data).not.toEqual(net.data);
    const inputs = { shape: [2, 1], data: Int32Array.of(1, 2) };
    expect(predict(load(save(averaged)).model, inputs)).toEqual(predict(averaged, inputs));
    averaged.data.fill(0);
    expect(predict(averaged, inputs).data.every((value) => value === 0)).toBe(true);
    expect(net.data).toEqual(before);
    expect(optimizerState.slots.at(-1)!.some((value) => value !== 0)).toBe(true);
  });

  it('the average has a lower loss than the parameters of noisy updates', async () => {
    const random = createRandom(8);
    const inputs = normal(0, 1)([1, 256, 4], random);
    const noise = normal(0, 1)([256], random);
    const targets = {
      shape: [1, 256, 1],
      data: Float32Array.from(
        { length: 256 },
        (_, i) => inputs.data[4 * i]! - inputs.data[4 * i + 1]! + noise.data[i]!,
      ),
    };
    const net = sequential([dense({ size: 1 })], { inputSize: 4, seed: 1 });
    const noisy = chain(sgd(0.1), averageWeights({ start: 100 }));
    const batches = batchesOf(inputs, targets, { batchSize: 4 });
    const { optimizerState } = await fit(net, batches, { loss: meanSquaredError, optimizer: noisy, epochs: 10 });
    const lossOf = (of: Sequential): number => evaluate(of, batches, { loss: meanSquaredError }).loss;
    expect(lossOf(averagedModel(net, noisy, optimizerState))).toBeLessThan(lossOf(net) - 0.01);
  });

  it('supports custom models', async () => {
    const line = customModel({ slope: tensor(0) }, ({ slope }, x: number) => multiply(slope, x));
    const averaging = chain(sgd(1), averageWeights());
    const { optimizerState } = await fit(line, [1, 1, 1], { optimizer: averaging });
    expect(averagedModel(line, averaging, optimizerState).parameters.slope.data[0]).toBe(-2);
  });
});

it('reject options and states that do not fit', () => {
  expect(() => averageWeights({ decay: 1 })).toThrow(
    'averageWeights: decay must be at least 0 and less than 1, got 1.',
  );
  expect(() => averageWeights({ start: 0 })).toThrow('averageWeights: start must be an integer of at least 1, got 0.');
  expect(() => averageWeights({ every: 0 })).toThrow('averageWeights: every must be an integer of at least 1, got 0.');
  const model = { parameters: { w: tensor([1]) }, data: Float32Array.of(1) };
  expect(() => averagedModel(model, adam(), initializeOptimizer(adam(), 1))).toThrow(
    'averagedModel: optimizer must be one that ends with averageWeights, got adam.',
  );
  // The average would not be of the parameters after the constraint.
  const constrained = chain(sgd(1), averageWeights(), maxNorm(1));
  expect(() => averagedModel(model, constrained, { ...initializeOptimizer(constrained, 1), step: 1 })).toThrow(
    'averagedModel: optimizer must be one that ends with averageWeights, got maxNorm.',
  );
  for (const allowed of [chain(sgd(1), maxNorm(1), averageWeights()), freeze(['w'], chain(sgd(1), averageWeights()))])
    expect(averagedModel(model, allowed, { ...initializeOptimizer(allowed, 1), step: 1 }).data).toHaveLength(1);
  const averaging = averageWeights();
  expect(() => averagedModel(model, averaging, initializeOptimizer(averaging, 2))).toThrow(
    'averagedModel: state must be of averageWeights, with 1 buffer of size 1',
  );
  expect(() => averagedModel(model, averaging, initializeOptimizer(averaging, 1))).toThrow(
    'averagedModel: state.step must be an integer of at least 1, got 0.',
  );
});
