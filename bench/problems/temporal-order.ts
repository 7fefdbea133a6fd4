/**
 * Temporal order (Hochreiter and Schmidhuber, 1997, experiment 6a): among distractors stand two marks, each X or Y. In which of the four orders?
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
import { trainerOf } from './training';

/** Ids: E begins, B ends, X and Y are the marks, a to d distract. */
export const symbols = 'EBXYabcd';

/** A sequence of 100 to 110 symbols for `length` 100: marks at 10–20 and 50–60 hundredths of it. */
export function drawOrder(random: Random, length: number): { readonly input: Int32Array; readonly target: number } {
  const steps = length + integerNumber(random, length / 10 + 1);
  const input = Int32Array.from({ length: steps }, () => 4 + integerNumber(random, 4));
  input[0] = 0;
  input[steps - 1] = 1;
  const places = [0.1, 0.5].map((share) => Math.round(share * length) + integerNumber(random, length / 10 + 1));
  const [first, second] = places.map((place) => (input[place] = 2 + integerNumber(random, 2)) - 2) as [number, number];
  return { input, target: 2 * first + second };
}

function batchOf(random: Random, rows: number, length: number): Batch<IntTensor> {
  const examples = Array.from({ length: rows }, () => drawOrder(random, length));
  return {
    ...padSequences(examples.map(({ input }) => input)),
    targets: { shape: [rows], data: Int32Array.from(examples, ({ target }) => target) },
  };
}

/** How a network is trained on it. */
export interface OrderOptions {
  readonly layer: RecurrentOptions;
  readonly rate: LearningRate;
  readonly budget: number;
}

/** Trains on sequences of about `length` steps. */
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
  const held = batchOf(createRandom(seed + 1000), 2560, length);
  const figure = (): number =>
    1 -
    evaluate(model, { batchCount: 1, batches: () => [held] }, { loss: crossEntropy, metrics: { accuracy } }).accuracy;
  const steps = trainerOf(
    model,
    (random) => batchOf(random, 32, length),
    crossEntropy,
    chain(clipByNorm(1), adam(rate)),
    seed,
  );
  return train(steps, { every: 100, figure, solved: (wrong) => wrong < 0.01 }, budget, options);
}

export const temporalOrder: Problem = {
  name: 'temporal order',
  figure: 'wrong answers',
  baseline: 0.75,
  criterion: 'under 1 % wrong on 2,560 sequences never seen',
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
