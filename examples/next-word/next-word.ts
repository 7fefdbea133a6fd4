/** Predicts the next word of Moby-Dick, and measures the benefit of a longer context, of word order, and of a state. */

import { readFileSync } from 'node:fs';
import {
  adam,
  chain,
  clipByNorm,
  cosineDecay,
  encode,
  evaluate,
  fit,
  type IntTensor,
  perplexity,
  split,
  type Vocabulary,
  windows,
  wordVocabulary,
} from 'bptt';
import type { Example, ExampleOptions } from '../example';
import { countNGrams, type NGrams, nGramLoss, ngramsOf, probabilityOf } from '../moby-dick/n-grams';
import { type Line, linePlot } from '../plot/lines';
import { colors } from '../plot/svg';
import { readers, type WordModel, wordModel } from './models';

/** Two contexts with the same ending. The word is a correct continuation of the first, but not of the second. */
interface Completion {
  readonly title: string;
  readonly word: string;
  readonly correct: string;
  readonly incorrect: string;
}

const completions: readonly Completion[] = [
  { title: 'word order', word: 'the', correct: 'the side of', incorrect: 'of the side' },
  {
    title: 'open quotation mark, eight words back',
    word: '”',
    correct: 'he said, “there is no such thing in the world',
    incorrect: 'he said, there is no such thing in the world',
  },
  {
    title: 'open quotation mark, fourteen words back',
    word: '”',
    correct: '“There is no such thing in all the world as a whale like that,',
    incorrect: 'There is no such thing in all the world as a whale like that,',
  },
];

/** Validation and test texts are split into windows of this many words. The state is reset at the start of each. */
const evaluationLength = 256;

/** Reads the novel with one line per paragraph: the line breaks of the printed edition carry no information. */
const readNovel = (): string =>
  readFileSync('examples/moby-dick/moby-dick.txt', 'utf8')
    .replace(/\n(?!\n)/g, ' ')
    .replace(/\n\s*/g, '\n');

/** Computes log p of one next word for every column of ids `[T, B]`. Returns `[B]`. */
function logProbabilitiesOf({ logProbabilities }: WordModel, ids: IntTensor, words: ArrayLike<number>): Float32Array {
  const { shape, data } = logProbabilities(ids);
  const [T, B, V] = shape as [number, number, number];
  return Float32Array.from(words, (word, b) => data[((T - 1) * B + b) * V + word]!);
}

/** Computes the perplexity of every 24th word of a text, given only the `count` words before it. */
function perplexityAfter(
  count: number,
  text: Int32Array,
  logProbabilitiesOfNext: (ids: IntTensor, words: Int32Array) => Float32Array,
): number {
  const [longest, B, stride] = [32, 100, 24];
  const positions = Array.from(
    { length: Math.floor((text.length - longest) / stride / B) * B },
    (_, i) => longest + i * stride,
  );
  let sum = 0;
  for (let first = 0; first < positions.length; first += B) {
    const batch = positions.slice(first, first + B);
    const ids = {
      shape: [count, B],
      data: Int32Array.from({ length: count * B }, (_, i) => text[batch[i % B]! - count + Math.floor(i / B)]!),
    };
    sum += logProbabilitiesOfNext(
      ids,
      Int32Array.from(batch, (position) => text[position]!),
    ).reduce((a, b) => a + b, 0);
  }
  return perplexity(-sum / positions.length);
}

/** The same as {@link logProbabilitiesOf} for an n-gram model. */
const nGramLogProbabilities =
  (model: NGrams) =>
  ({ shape, data }: IntTensor, words: Int32Array): Float32Array => {
    const [T, B] = shape as [number, number];
    return Float32Array.from(words, (word, b) =>
      Math.log(probabilityOf(model, [...Array.from({ length: T }, (_, t) => data[t * B + b]!), word])),
    );
  };

export const nextWord: Example = async ({ short, log, onProgress, save }) => {
  const novel = readNovel();
  // The vocabulary is built from the training set only.
  const vocabulary = wordVocabulary(split(novel, [0.85])[0], { lowercase: true, maxSize: 2000 });
  const ids = encode(vocabulary, novel);
  const [train, ...heldOut] = split(ids, [0.85, 0.05, 0.1]);
  const [validation, test] = heldOut.map((part) =>
    part.subarray(0, Math.floor((part.length - 1) / evaluationLength) * evaluationLength + 1),
  ) as [Int32Array, Int32Array];
  const unknown = ids.filter((id) => id === vocabulary.marks.unknown).length / ids.length;
  log(`${ids.length} words, vocabulary size ${vocabulary.size}, ${(100 * unknown).toFixed(0)} % <unknown>`);

  const [epochs, steps, batchSize] = [short ? 2 : 5, 32, 8];
  const data = windows(train, { sequenceLength: steps, batchSize });
  const inOrder = (text: Int32Array): ReturnType<typeof windows> =>
    windows(text, { sequenceLength: evaluationLength, batchSize: 1, shuffle: false });
  const [bigrams, trigrams] = [2, 3].map((order) => countNGrams(ngramsOf(train, order), order, vocabulary.size)) as [
    NGrams,
    NGrams,
  ];
  const metrics: Record<string, number> = { trigrams: perplexity(nGramLoss(trigrams, test)) };
  const contextLengths = [1, 2, 3, 5, 8, 12, 20, 32];
  const curves: Line[] = [];
  const byContext: Line[] = [
    {
      name: 'n-grams',
      color: '#888',
      dashed: true,
      points: contextLengths.map((count) => [
        count,
        perplexityAfter(count, test, nGramLogProbabilities(count === 1 ? bigrams : trigrams)),
      ]),
    },
  ];
  const models = new Map<string, WordModel>();
  for (const [name, reader] of Object.entries(readers)) {
    if (short && !['bag of 20', 'window of 2', 'GRU'].includes(name)) continue;
    const wordLm = wordModel(reader, { vocabularySize: vocabulary.size, embeddingSize: 64, hiddenSize: 128 }, 1);
    const rate = cosineDecay(6e-3, { steps: epochs * data.batchCount, minRate: 1e-4 });
    log(`\n${name}: ${wordLm.model.data.length} parameters`);
    const { validationLosses } = await fit(wordLm.model, data, {
      optimizer: chain(clipByNorm(1), adam(rate)),
      epochs,
      seed: 3,
      validation: inOrder(validation),
      onProgress,
    });
    metrics[name] = perplexity(evaluate(wordLm.model, inOrder(test)).loss);
    log(`test perplexity ${metrics[name].toFixed(1)}`);
    models.set(name, wordLm);
    const color = colors[curves.length]!;
    curves.push({ name, color, points: validationLosses.map((loss, i) => [i + 1, perplexity(loss)]) });
    if (!short)
      byContext.push({
        name,
        color,
        points: contextLengths.map((count) => [
          count,
          perplexityAfter(count, test, (input, words) => logProbabilitiesOf(wordLm, input, words)),
        ]),
      });
  }

  log(`\nperplexity on the test set, ${test.length - 1} words:\n`);
  for (const [name, value] of Object.entries(metrics).sort(([, a], [, b]) => b - a))
    log(`  ${name.padEnd(14)}${value.toFixed(1).padStart(7)}`);
  logCompletions(vocabulary, models, log);
  if (!short) {
    save(
      'perplexity.svg',
      linePlot([
        {
          title: 'During training',
          x: 'epoch',
          y: 'validation perplexity',
          lines: curves.slice(1),
          level: { name: 'trigrams', y: perplexity(nGramLoss(trigrams, validation)) },
        },
        {
          title: 'By context length',
          x: 'context length (words)',
          y: 'test perplexity',
          lines: byContext.filter(({ name }) => name !== 'bag of 20'),
        },
      ]),
    );
  }
  return metrics;
};

/** Prints the probability of the word in both contexts, and the ratio of the two, for every model. */
function logCompletions(
  vocabulary: Vocabulary,
  models: ReadonlyMap<string, WordModel>,
  log: ExampleOptions['log'],
): void {
  for (const { title, word, correct, incorrect } of completions) {
    log(`\n${title}: ${JSON.stringify(word)} may follow A, but not B\n  A  ${correct}\n  B  ${incorrect}`);
    for (const [name, model] of models) {
      const [a, b] = [correct, incorrect].map((text) => {
        const data = encode(vocabulary, text);
        return Math.exp(logProbabilitiesOf(model, { shape: [data.length, 1], data }, encode(vocabulary, word))[0]!);
      }) as [number, number];
      const [percentA, percentB] = [a, b].map((p) => (100 * p).toFixed(2).padStart(7)) as [string, string];
      log(`     ${name.padEnd(14)}${percentA} %  ${percentB} %${(a / b).toFixed(1).padStart(8)}×`);
    }
  }
}
