/**
 * Addition as text, by encoder-decoder, as in Keras' example addition_rnn: `"5+271 "` is to give `"276 "`. The question is read from behind; an LSTM
 * of 128 sums it up, its output goes into another at every step of the answer. 50,000 questions, all different, a tenth of them held out. Other than there,
 * each is asked either way round in training, and the learning rate falls.
 */

import {
  adam, affine, chain, characterVocabulary, cosineDecay, createRandom, crossEntropy, encode, fit, gather, initializeCell, initializeOptimizer, integerNumber,
  lstm, normal, shuffle, stack, trainable, unroll, compute, full, type IdTensor, type LearningRate, type Random, type Tensor, type Trainable, type Variable,
} from 'bptt';
import { train, type Outcome, type Problem, type RunOptions } from './problem';

const vocabulary = () => characterVocabulary('0123456789+ ');

/** Questions of two numbers of up to so many digits, all different also when their numbers change places, and the answers. */
export function drawSums(random: Random, digits: number, count: number): readonly (readonly [question: string, answer: string])[] {
  const number = (): number => Number(Array.from({ length: 1 + integerNumber(random, digits) }, () => String(integerNumber(random, 10))).join(''));
  const seen = new Set<string>();
  const sums: [string, string][] = [];
  while (sums.length < count) {
    const [a, b] = [number(), number()];
    const key = [a, b].sort((x, y) => x - y).join('+');
    if (seen.has(key)) continue;
    seen.add(key);
    sums.push([`${a}+${b}`.padEnd(2 * digits + 1), String(a + b).padEnd(digits + 1)]);
  }
  return sums;
}

interface SumBatch {
  readonly inputs: IdTensor;
  readonly targets: IdTensor;
}

/** A question, or the same with its numbers changed about: a + b is b + a. */
function turned([question, answer]: readonly [string, string], random: Random): readonly [string, string] {
  if (integerNumber(random, 2) === 0) return [question, answer];
  const [a, b] = question.trim().split('+') as [string, string];
  return [`${b}+${a}`.padEnd(question.length), answer];
}

/** Texts of equal length side by side, `[T, B]`. */
function columns(texts: readonly string[]): IdTensor {
  const v = vocabulary();
  const rows = texts.map((text) => encode(v, text));
  const steps = rows[0]!.length;
  const data = new Int32Array(steps * rows.length);
  rows.forEach((row, b) => row.forEach((id, t) => (data[t * rows.length + b] = id)));
  return { shape: [steps, rows.length], data };
}

const batchOf = (sums: readonly (readonly [string, string])[]): SumBatch =>
  ({ inputs: columns(sums.map(([question]) => [...question].reverse().join(''))), targets: columns(sums.map(([, answer]) => answer)) });

type Parameters = Readonly<Record<'table' | 'encoder' | 'decoder' | 'output', never>>;

function logitsOf(p: Parameters, inputs: IdTensor, answerSteps: number): Variable {
  const { state } = unroll(lstm(), p.encoder, gather(p.table, inputs));
  const { outputs } = unroll(lstm(), p.decoder, stack(Array.from({ length: answerSteps }, () => state.h)));
  return affine(outputs, p.output);
}

function modelOf(seed: number, hiddenSize: number): Trainable<never, SumBatch> {
  const random = createRandom(seed);
  const { size } = vocabulary();
  // One-hot inputs, as in the example: a table that is the identity, which is trained along.
  const table = full([size, size], 0);
  for (let i = 0; i < size; i++) table.data[i * size + i] = 1;
  const parameters = {
    table,
    encoder: initializeCell(lstm(), { inputSize: size, hiddenSize, random }),
    decoder: initializeCell(lstm(), { inputSize: hiddenSize, hiddenSize, random }),
    output: { weight: normal(0, 0.05)([hiddenSize, size], random), bias: full([size], 0) },
  };
  return trainable(parameters as never, (p, { inputs, targets }: SumBatch) => crossEntropy(logitsOf(p as Parameters, inputs, targets.shape[0]!), targets)) as never;
}

export interface AdditionOptions {
  readonly digits: number;
  readonly count: number;
  readonly hiddenSize: number;
  readonly epochs: number;
  readonly rate?: (steps: number) => LearningRate;
}

export async function additionRun({ digits, count, hiddenSize, epochs, rate = (steps) => cosineDecay(3e-3, { steps }) }: AdditionOptions, options: RunOptions): Promise<Outcome> {
  const { seed } = options;
  const random = createRandom(seed + 1000);
  const sums = drawSums(random, digits, count);
  const held = batchOf(sums.slice(0, count / 10));
  const known = sums.slice(count / 10);
  const model = modelOf(seed, hiddenSize);
  /** The share of held-out answers with a wrong character. */
  const figure = (): number => {
    const { shape: [steps = 0, rows = 0, size = 0], data }: Tensor = compute(model.parameters as never, (p) => logitsOf(p as Parameters, held.inputs, digits + 1));
    let wrong = 0;
    for (let b = 0; b < rows; b++) {
      const right = Array.from({ length: steps }, (_, t) => {
        const scores = data.subarray((t * rows + b) * size, (t * rows + b + 1) * size);
        return scores.indexOf(scores.reduce((most, score) => Math.max(most, score), -Infinity)) === held.targets.data[t * rows + b];
      }).every(Boolean);
      if (!right) wrong++;
    }
    return wrong / rows;
  };
  const perEpoch = Math.floor(known.length / 128);
  const budget = epochs * perEpoch;
  const optimizer = adam(rate(budget));
  const optimizerState = initializeOptimizer(optimizer, model.data.length);
  const steps = async (updates: number): Promise<void> => {
    const data = {
      batchCount: perEpoch,
      *batches() {
        const order = shuffle(random, Int32Array.from(known.keys()));
        for (let i = 0; i < perEpoch; i++) yield batchOf(Array.from(order.subarray(i * 128, (i + 1) * 128), (place) => turned(known[place]!, random)));
      },
    };
    await fit(model, data, { optimizer: chain(optimizer), optimizerState, steps: updates });
  };
  return train(steps, { every: perEpoch, figure, solved: (wrong) => wrong < 0.01 }, budget, options);
}

export const addition: Problem = {
  name: 'addition of three digits',
  figure: 'answers that are not exact',
  baseline: 1,
  criterion: '99 % exact on 5,000 questions never seen',
  networks: {
    'LSTM encoder-decoder': { expected: true, run: (options) => additionRun({ digits: 3, count: 50_000, hiddenSize: 128, epochs: 40 }, options) },
  },
  seeds: 1,
};
