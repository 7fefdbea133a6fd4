/**
 * The adding problem (Hochreiter and Schmidhuber, 1997, experiment 4), in the form of Le, Jaitly and Hinton (2015,
 * arXiv 1504.00941) and Arjovsky, Shah and Bengio (2016, arXiv 1511.06464): numbers uniform in [0, 1), two of them
 * marked, one in each half. The target is the sum of the two.
 */

import {
  adam,
  type Batch,
  type Cell,
  chain,
  chronoBias,
  clipByNorm,
  cosineDecay,
  createRandom,
  dense,
  evaluate,
  gru,
  identity,
  integerNumber,
  type LearningRate,
  lstm,
  meanSquaredError,
  normal,
  type Random,
  type RecurrentOptions,
  recurrent,
  relu,
  sequential,
  simpleRnn,
  type Tensor,
  uniformNumber,
} from 'bptt';
import { type Outcome, type Problem, type RunOptions, train } from './problem';
import { createTrainer } from './training';

/** Draws a batch: numbers and marks, `[T, B, 2]`, and the sums, `[B, 1]`. */
export function drawAdding(random: Random, steps: number, rows: number): Batch<Tensor> {
  const inputs = Float32Array.from({ length: steps * rows * 2 }, (_, i) => (i % 2 === 0 ? uniformNumber(random) : 0));
  const targets = new Float32Array(rows);
  const half = steps / 2;
  for (let row = 0; row < rows; row++) {
    for (const step of [
      integerNumber(random, Math.floor(half)),
      Math.floor(half) + integerNumber(random, Math.ceil(half)),
    ]) {
      const offset = (step * rows + row) * 2;
      inputs[offset + 1] = 1;
      targets[row]! += inputs[offset]!;
    }
  }
  return { inputs: { shape: [steps, rows, 2], data: inputs }, targets: { shape: [rows, 1], data: targets } };
}

/** Training options. */
export interface AddingOptions {
  readonly layer: RecurrentOptions;
  readonly rate: LearningRate;
  /** Largest number of updates. */
  readonly budget: number;
}

/** Trains a network on the adding problem until the test error is less than 0.01. */
export async function addingRun(
  cell: Cell,
  steps: number,
  { layer, rate, budget }: AddingOptions,
  options: RunOptions,
): Promise<Outcome> {
  const { seed } = options;
  const model = sequential([recurrent(cell, { ...layer, returnSequences: false }), dense({ size: 1 })], {
    inputSize: 2,
    seed,
  });
  const heldOut = drawAdding(createRandom(seed + 1000), steps, 1000);
  const metric = (): number =>
    evaluate(model, { batchCount: 1, batches: () => [heldOut] }, { loss: meanSquaredError }).loss;
  const update = createTrainer<Tensor>(
    model,
    (random) => drawAdding(random, steps, 32),
    meanSquaredError,
    chain(clipByNorm(1), adam(rate)),
    seed,
  );
  return train(update, { every: 200, metric, solved: (error) => error < 0.01 }, budget, options);
}

const T = 150;

export const adding: Problem = {
  name: `adding, T = ${T}`,
  metric: 'mean squared error',
  baseline: 1 / 6,
  criterion: 'mean squared error less than 0.01 on 1,000 held-out sequences; a constant prediction of 1 has 0.167',
  networks: {
    'identity ReLU RNN': {
      expected: true,
      run: (options) =>
        addingRun(
          simpleRnn({ activation: relu }),
          T,
          {
            layer: { hiddenSize: 100, recurrentInitializer: identity(), inputInitializer: normal(0, 0.03) },
            rate: cosineDecay(3e-4, { steps: 5000 }),
            budget: 5000,
          },
          options,
        ),
    },
    LSTM: {
      expected: true,
      run: (options) =>
        addingRun(
          lstm(),
          T,
          { layer: { hiddenSize: 64, biasInitializer: chronoBias(T) }, rate: 5e-3, budget: 4000 },
          options,
        ),
    },
    GRU: {
      expected: true,
      run: (options) =>
        addingRun(
          gru(),
          T,
          { layer: { hiddenSize: 64, biasInitializer: chronoBias(T) }, rate: 5e-3, budget: 4000 },
          options,
        ),
    },
    'tanh RNN': {
      expected: false,
      run: (options) => addingRun(simpleRnn(), T, { layer: { hiddenSize: 100 }, rate: 1e-3, budget: 2000 }, options),
    },
  },
  seeds: 3,
};
