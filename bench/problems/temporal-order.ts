/**
 * Temporal order (Hochreiter and Schmidhuber, 1997, experiment 6a): a sequence of distractors contains two markers,
 * each X or Y. Classify their order: XX, XY, YX or YY.
 */

import {
  accuracy,
  adam,
  type Batch,
  type Cell,
  chain,
  chronoBias,
  clipByNorm,
  createRandom,
  crossEntropy,
  dense,
  embedding,
  evaluate,
  type IntTensor,
  integerNumber,
  type LearningRate,
  lstm,
  padSequences,
  type Random,
  type RecurrentOptions,
  recurrent,
  sequential,
  simpleRnn,
} from 'bptt';
import { type Outcome, type Problem, type RunOptions, train } from './problem';
import { createTrainer } from './training';

/** The symbols, by id: E is the first and B the last of a sequence, X and Y are the markers, a to d the distractors. */
export const symbols = 'EBXYabcd';

/**
 * Draws a sequence of `length` to 1.1 `length` symbols, with markers at 10–20 % and 50–60 % of `length`.
 *
 * @returns the ids, and the class of the order
 */
export function drawOrder(random: Random, length: number): { readonly input: Int32Array; readonly target: number } {
  const steps = length + integerNumber(random, length / 10 + 1);
  const input = Int32Array.from({ length: steps }, () => 4 + integerNumber(random, 4));
  input[0] = 0;
  input[steps - 1] = 1;
  const position = (fraction: number): number => Math.round(fraction * length) + integerNumber(random, length / 10 + 1);
  const positions = [position(0.1), position(0.5)] as const;
  const [first, second] = [integerNumber(random, 2), integerNumber(random, 2)] as const;
  input[positions[0]] = 2 + first;
  input[positions[1]] = 2 + second;
  return { input, target: 2 * first + second };
}

function batchOf(random: Random, rows: number, length: number): Batch<IntTensor> {
  const examples = Array.from({ length: rows }, () => drawOrder(random, length));
  return {
    ...padSequences(examples.map(({ input }) => input)),
    targets: { shape: [rows], data: Int32Array.from(examples, ({ target }) => target) },
  };
}

/** Training options. */
export interface OrderOptions {
  readonly layer: RecurrentOptions;
  readonly rate: LearningRate;
  /** Largest number of updates. */
  readonly budget: number;
}

/** Trains a network on sequences of about `length` steps until the test error rate is less than 1 %. */
export async function orderRun(
  cell: Cell,
  length: number,
  { layer, rate, budget }: OrderOptions,
  options: RunOptions,
): Promise<Outcome> {
  const { seed } = options;
  const model = sequential(
    [
      embedding({ vocabularySize: 8, size: 8 }),
      recurrent(cell, { ...layer, returnSequences: false }),
      dense({ size: 4 }),
    ],
    { seed },
  );
  const heldOut = batchOf(createRandom(seed + 1000), 2560, length);
  const metric = (): number =>
    1 -
    evaluate(model, { batchCount: 1, batches: () => [heldOut] }, { loss: crossEntropy, metrics: { accuracy } })
      .accuracy;
  const update = createTrainer(
    model,
    (random) => batchOf(random, 32, length),
    crossEntropy,
    chain(clipByNorm(1), adam(rate)),
    seed,
  );
  return train(update, { every: 100, metric, solved: (wrong) => wrong < 0.01 }, budget, options);
}

export const temporalOrder: Problem = {
  name: 'temporal order',
  metric: 'error rate',
  baseline: 0.75,
  criterion: 'error rate less than 1 % on 2,560 held-out sequences',
  networks: {
    LSTM: {
      expected: true,
      run: (options) =>
        orderRun(
          lstm(),
          100,
          { layer: { hiddenSize: 16, biasInitializer: chronoBias(100) }, rate: 0.01, budget: 3000 },
          options,
        ),
    },
    'tanh RNN': {
      expected: false,
      run: (options) => orderRun(simpleRnn(), 100, { layer: { hiddenSize: 16 }, rate: 0.003, budget: 3000 }, options),
    },
  },
  seeds: 5,
};
