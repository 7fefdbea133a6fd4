/** The next word of Moby-Dick: what is won by looking back further, by order, and by a memory. */

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
import { countNGrams, type NGrams, nGramLoss, probabilityOf, runsOf } from '../moby-dick/n-grams';
import { type Line, linePlot } from '../plot/lines';
import { colors } from '../plot/svg';
import { readers, type WordModel, wordModel } from './models';

/** Something to be completed: the same end behind two beginnings, after one of which the word comes, after the other not. */
interface Completion {
  readonly what: string;
  readonly word: string;
  readonly comes: string;
  readonly not: string;
}

const completions: readonly Completion[] = [
  { what: 'order', word: 'the', comes: 'the side of', not: 'of the side' },
  {
    what: 'a mark, eight words between',
    word: '”',
    comes: 'he said, “there is no such thing in the world',
    not: 'he said, there is no such thing in the world',
  },
  {
    what: 'a mark, fourteen words between',
    word: '”',
    comes: '“There is no such thing in all the world as a whale like that,',
    not: 'There is no such thing in all the world as a whale like that,',
  },
];

/** Held-out text is judged in stretches of so many words, at the beginning of each of which a network has seen nothing. */
const stretch = 256;

/** The novel as one line a paragraph: where a line of print ends says nothing. */
const readNovel = (): string =>
  readFileSync('examples/moby-dick/moby-dick.txt', 'utf8')
    .replace(/\n(?!\n)/g, ' ')
    .replace(/\n\s*/g, '\n');

/** log p of one word behind those before it, of every column of ids `[T, B]` and a word each. */
function logChances({ logProbabilities }: WordModel, ids: IntTensor, words: ArrayLike<number>): Float32Array {
  const { shape, data } = logProbabilities(ids);
  const [T, B, V] = shape as [number, number, number];
  return Float32Array.from(words, (word, b) => data[((T - 1) * B + b) * V + word]!);
}

/** The perplexity of words that are spread over a text, of which only so many before are told. */
function perplexityAfter(
  count: number,
  text: Int32Array,
  logChancesOf: (ids: IntTensor, words: Int32Array) => Float32Array,
): number {
  const [most, B, every] = [32, 100, 24];
  const places = Array.from({ length: Math.floor((text.length - most) / every / B) * B }, (_, i) => most + i * every);
  let sum = 0;
  for (let first = 0; first < places.length; first += B) {
    const some = places.slice(first, first + B);
    const ids = {
      shape: [count, B],
      data: Int32Array.from({ length: count * B }, (_, i) => text[some[i % B]! - count + Math.floor(i / B)]!),
    };
    sum += logChancesOf(
      ids,
      Int32Array.from(some, (place) => text[place]!),
    ).reduce((a, b) => a + b, 0);
  }
  return perplexity(-sum / places.length);
}

/** The trigrams' answer to the same question. */
const nGramLogChances =
  (grams: NGrams) =>
  ({ shape, data }: IntTensor, words: Int32Array): Float32Array => {
    const [T, B] = shape as [number, number];
    return Float32Array.from(words, (word, b) =>
      Math.log(probabilityOf(grams, [...Array.from({ length: T }, (_, t) => data[t * B + b]!), word])),
    );
  };

export const nextWord: Example = async ({ short, log, onProgress, save }) => {
  const novel = readNovel();
  // Which words are known is not to be learned from what is held out.
  const vocabulary = wordVocabulary(split(novel, [0.85])[0], { lowercase: true, maxSize: 2000 });
  const ids = encode(vocabulary, novel);
  const [train, ...held] = split(ids, [0.85, 0.05, 0.1]);
  const [validation, test] = held.map((part) =>
    part.subarray(0, Math.floor((part.length - 1) / stretch) * stretch + 1),
  ) as [Int32Array, Int32Array];
  const unknown = ids.filter((id) => id === vocabulary.marks.unknown).length / ids.length;
  log(
    `${ids.length} words, of which the ${vocabulary.size} most frequent are known; the others, ${(100 * unknown).toFixed(0)} % of the text, are one word, <unknown>`,
  );

  const [epochs, steps, batchSize] = [short ? 2 : 5, 32, 8];
  const data = windows(train, { sequenceLength: steps, batchSize });
  const judged = (text: Int32Array): ReturnType<typeof windows> =>
    windows(text, { sequenceLength: stretch, batchSize: 1, shuffle: false });
  const [bigrams, grams] = [2, 3].map((order) => countNGrams(runsOf(train, order), order, vocabulary.size)) as [
    NGrams,
    NGrams,
  ];
  const figures: Record<string, number> = { trigrams: perplexity(nGramLoss(grams, test)) };
  const counts = [1, 2, 3, 5, 8, 12, 20, 32];
  const curves: Line[] = [];
  const memory: Line[] = [
    {
      name: 'counts',
      color: '#888',
      dashed: true,
      points: counts.map((count) => [
        count,
        perplexityAfter(count, test, nGramLogChances(count === 1 ? bigrams : grams)),
      ]),
    },
  ];
  const models = new Map<string, WordModel>();
  for (const [name, reader] of Object.entries(readers)) {
    if (short && !['bag of 20', 'window of 2', 'GRU'].includes(name)) continue;
    const own = wordModel(reader, { vocabularySize: vocabulary.size, embeddingSize: 64, hiddenSize: 128 }, 1);
    const rate = cosineDecay(6e-3, { steps: epochs * data.batchCount, minRate: 1e-4 });
    log(`\n${name}: ${own.model.data.length} parameters`);
    const { validationLosses } = await fit(own.model, data, {
      optimizer: chain(clipByNorm(1), adam(rate)),
      epochs,
      seed: 3,
      validation: judged(validation),
      onProgress,
    });
    figures[name] = perplexity(evaluate(own.model, judged(test)).loss);
    log(`perplexity ${figures[name].toFixed(1)}`);
    models.set(name, own);
    const color = colors[curves.length]!;
    curves.push({ name, color, points: validationLosses.map((loss, i) => [i + 1, perplexity(loss)]) });
    if (!short)
      memory.push({
        name,
        color,
        points: counts.map((count) => [
          count,
          perplexityAfter(count, test, (input, words) => logChances(own, input, words)),
        ]),
      });
  }

  log(`\nperplexity of the next word, ${test.length - 1} words that were not learned from:\n`);
  for (const [name, value] of Object.entries(figures).sort(([, a], [, b]) => b - a))
    log(`  ${name.padEnd(14)}${value.toFixed(1).padStart(7)}`);
  sayCompletions(vocabulary, models, log);
  if (!short) {
    save(
      'perplexity.svg',
      linePlot([
        {
          title: 'While learning',
          x: 'epochs',
          y: 'validation perplexity',
          lines: curves.slice(1),
          level: { name: 'trigrams', y: perplexity(nGramLoss(grams, validation)) },
        },
        {
          title: 'By how much is told',
          x: 'words before',
          y: 'perplexity',
          lines: memory.filter(({ name }) => name !== 'bag of 20'),
        },
      ]),
    );
  }
  return figures;
};

/** How likely the models find the word behind either beginning. */
function sayCompletions(vocabulary: Vocabulary, models: ReadonlyMap<string, WordModel>, log: ExampleOptions['log']): void {
  for (const { what, word, comes, not } of completions) {
    log(`\n${what}: after A, ${JSON.stringify(word)}; after B, not\n  A  ${comes}\n  B  ${not}`);
    for (const [name, model] of models) {
      const [a, b] = [comes, not].map((text) => {
        const data = encode(vocabulary, text);
        return Math.exp(logChances(model, { shape: [data.length, 1], data }, encode(vocabulary, word))[0]!);
      }) as [number, number];
      log(
        `     ${name.padEnd(14)}${(100 * a).toFixed(2).padStart(7)} %  ${(100 * b).toFixed(2).padStart(7)} %${(a / b).toFixed(1).padStart(8)} times`,
      );
    }
  }
}
