/**
 * The copy task (Hochreiter and Schmidhuber, 1997; in the form of Arjovsky, Shah and Bengio, 2016, arXiv 1511.06464):
 * the input is ten symbols out of eight, T − 1 blanks, a marker, and ten more blanks. The target is blanks, then the
 * ten symbols from the marker on. A memoryless model has a loss of 10 ln 8 / (T + 20) per step.
 */

import {
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
  gru,
  type IntTensor,
  integerNumber,
  type LearningRate,
  lstm,
  type Random,
  type RecurrentOptions,
  recurrent,
  sequential,
  simpleRnn,
} from 'bptt';
import { type Outcome, type Problem, type RunOptions, train } from './problem';
import { createTrainer } from './training';

/** Draws a batch, `[T + 20, B]`. Ids 0 to 7 are the symbols, 8 is the blank, 9 is the marker. */
export function drawCopy(random: Random, T: number, rows: number): Batch<IntTensor> {
  const steps = T + 20;
  const [inputs, targets] = [new Int32Array(steps * rows).fill(8), new Int32Array(steps * rows).fill(8)];
  inputs.fill(9, (T + 9) * rows, (T + 10) * rows);
  for (let i = 0; i < 10 * rows; i++) {
    inputs[i] = integerNumber(random, 8);
    targets[(T + 10) * rows + i] = inputs[i]!;
  }
  return { inputs: { shape: [steps, rows], data: inputs }, targets: { shape: [steps, rows], data: targets } };
}

/** The loss per step of a memoryless model. */
export const copyBaseline = (T: number): number => (10 * Math.log(8)) / (T + 20);

interface CopyOptions {
  readonly layer: RecurrentOptions;
  readonly rate: LearningRate;
  /** Largest number of updates. */
  readonly budget: number;
}

/** Trains a network on the copy task until the loss is a tenth of the baseline. */
export async function copyRun(
  cell: Cell,
  T: number,
  { layer, rate, budget }: CopyOptions,
  options: RunOptions,
): Promise<Outcome> {
  const { seed } = options;
  const model = sequential([embedding({ vocabularySize: 10, size: 10 }), recurrent(cell, layer), dense({ size: 9 })], {
    seed,
  });
  const heldOut = drawCopy(createRandom(seed + 1000), T, 200);
  const metric = (): number =>
    evaluate(model, { batchCount: 1, batches: () => [heldOut] }, { loss: crossEntropy }).loss;
  const update = createTrainer(
    model,
    (random) => drawCopy(random, T, 32),
    crossEntropy,
    chain(clipByNorm(1), adam(rate)),
    seed,
  );
  return train(
    update,
    {
      every: 100,
      metric,
      solved: (loss) => loss < 0.9 * copyBaseline(T),
      stop: (loss) => loss < copyBaseline(T) / 10,
    },
    budget,
    options,
  );
}

const T = 100;

export const copy: Problem = {
  name: `copy, T = ${T}`,
  metric: 'cross-entropy per step',
  baseline: copyBaseline(T),
  criterion: 'loss less than 0.9 times that of a memoryless model, 0.1733',
  networks: {
    LSTM: {
      expected: true,
      run: (options) =>
        copyRun(
          lstm(),
          T,
          { layer: { hiddenSize: 96, biasInitializer: chronoBias(T) }, rate: 2e-3, budget: 2500 },
          options,
        ),
    },
    GRU: {
      expected: true,
      run: (options) =>
        copyRun(
          gru(),
          T,
          { layer: { hiddenSize: 96, biasInitializer: chronoBias(T) }, rate: 2e-3, budget: 2500 },
          options,
        ),
    },
    'tanh RNN': {
      expected: false,
      run: (options) => copyRun(simpleRnn(), T, { layer: { hiddenSize: 128 }, rate: 1e-3, budget: 1500 }, options),
    },
  },
  seeds: 3,
};
