/**
 * Addition as text, by encoder-decoder, after Keras' example addition_rnn: `5+271` is to give `276`. The question is read from behind by an LSTM of 128
 * units, another writes the answer from its last state. 50,000 questions, all different, a tenth of them held out.
 *
 * Other than in the example, the decoder reads what it has written (Sutskever, Vinyals and Le, 2014, arXiv 1409.3215) instead of the encoder's last
 * output at every step, each question is asked either way round in training, the optimizer is AdamW with a falling rate, and an answer counts only if all of it is right.
 */

import {
  adamw,
  chain,
  characterVocabulary,
  clipByNorm,
  cosineDecay,
  createRandom,
  type EncoderDecoder,
  embedding,
  encode,
  encoderDecoder,
  fit,
  greedySearch,
  initializeOptimizer,
  integerNumber,
  lstm,
  type Pair,
  padSequences,
  pairBatches,
  type Random,
  recurrent,
  shuffle,
} from 'bptt';
import { type Outcome, type Problem, type RunOptions, train } from './problem';

/** A question and its answer: `['5+271', '276']`. */
export type Sum = readonly [question: string, answer: string];

/** Questions of two numbers of up to so many digits, all different also when their numbers change places. */
export function drawSums(random: Random, digits: number, count: number): readonly Sum[] {
  const number = (): number =>
    Number(Array.from({ length: 1 + integerNumber(random, digits) }, () => String(integerNumber(random, 10))).join(''));
  const sums = new Map<string, Sum>();
  while (sums.size < count) {
    const [a, b] = [number(), number()];
    const key = `${Math.min(a, b)}+${Math.max(a, b)}`;
    if (!sums.has(key)) sums.set(key, [`${a}+${b}`, String(a + b)]);
  }
  return [...sums.values()];
}

/** A question, or the same with its numbers changed about: a + b is b + a. */
function turned([question, answer]: Sum, random: Random): Sum {
  if (integerNumber(random, 2) === 0) return [question, answer];
  const [a, b] = question.split('+') as [string, string];
  return [`${b}+${a}`, answer];
}

/** How many sums of how many digits, and how long on how many units. */
export interface AdditionOptions {
  readonly digits: number;
  readonly count: number;
  readonly hiddenSize: number;
  readonly epochs: number;
  readonly rate: number;
}

export async function additionRun(
  { digits, count, hiddenSize, epochs, rate }: AdditionOptions,
  options: RunOptions,
): Promise<Outcome> {
  const { seed } = options;
  const random = createRandom(seed + 1000);
  const vocabulary = characterVocabulary('0123456789+', { marks: ['start', 'end'] });
  const [start, end] = [vocabulary.marks.start!, vocabulary.marks.end!];
  const pairOf = ([question, answer]: Sum): Pair => ({
    input: encode(vocabulary, [...question].reverse().join('')),
    target: encode(vocabulary, answer, { end: true }),
  });
  // Short numbers are soon used up: as in the example, what was drawn first is mixed with the rest before a part is held out.
  const sums = shuffle(random, [...drawSums(random, digits, count)]);
  const [held, known] = [sums.slice(0, count / 10).map(pairOf), sums.slice(count / 10)];
  const model: EncoderDecoder = encoderDecoder({
    encoder: [embedding({ vocabularySize: vocabulary.size, size: 16 }), recurrent(lstm(), { hiddenSize })],
    decoder: { vocabularySize: vocabulary.size, embeddingSize: 16, cell: lstm(), hiddenSize },
    start,
    end,
    seed,
  });
  const source = padSequences(held.map(({ input }) => input as Int32Array));
  const figure = (): number => {
    const written = greedySearch(model, source, { maxLength: digits + 2 });
    return (
      written.filter(
        ({ ids, ended }, i) =>
          !ended || ids.length + 1 !== held[i]!.target.length || ids.some((id, t) => id !== held[i]!.target[t]),
      ).length / held.length
    );
  };
  const perEpoch = Math.ceil(known.length / 128);
  const optimizer = chain(clipByNorm(1), adamw(cosineDecay(rate, { steps: epochs * perEpoch }), { weightDecay: 0.1 }));
  const optimizerState = initializeOptimizer(optimizer, model.data.length);
  const steps = async (updates: number): Promise<void> => {
    const data = pairBatches(
      known.map((sum) => pairOf(turned(sum, random))),
      { batchSize: 128 },
    );
    await fit(model, data, { optimizer, optimizerState, steps: updates, seed: integerNumber(random, 1e9) });
  };
  return train(steps, { every: perEpoch, figure, solved: (wrong) => wrong < 0.01 }, epochs * perEpoch, options);
}

export const addition: Problem = {
  name: 'addition of three digits',
  figure: 'answers that are not exact',
  baseline: 1,
  criterion: '99 % of 5,000 questions never seen exactly right',
  networks: {
    'LSTM encoder-decoder': {
      expected: true,
      run: (options) => additionRun({ digits: 3, count: 50_000, hiddenSize: 128, epochs: 20, rate: 5e-3 }, options),
    },
  },
  seeds: 1,
};
