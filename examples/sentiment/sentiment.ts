/** Classifies the sentiment of a sentence as positive or negative. */

import {
  adam,
  adamw,
  add,
  attentionPooling,
  bidirectional,
  binaryCrossEntropy,
  bucketBatches,
  chain,
  clipByNorm,
  compute,
  cosineDecay,
  createRandom,
  customModel,
  dense,
  dropout,
  embedding,
  encode,
  fit,
  gru,
  matmul,
  normal,
  padSequences,
  predict,
  type Random,
  reshape,
  type Sequential,
  sequential,
  type Tensor,
  tensor,
  type Vocabulary,
  wordVocabulary,
  zeros,
} from 'bptt';
import type { Example, ExampleOptions } from '../example';
import { heatMaps } from '../plot/heat-map';
import { readSentences, type Sentence, sentenceFolds, sources } from './sentences';

/** Accuracy of the word list AFINN on the three sources, as published with npm `sentiment`. */
const afinn = { amazon: 0.726, imdb: 0.765, yelp: 0.696 };

/** Creates a vocabulary of the words that occur at least twice. */
const vocabularyOf = (sentences: readonly Sentence[]): Vocabulary =>
  wordVocabulary(
    sentences.map(({ text }) => text),
    { lowercase: true, minCount: 2, marks: ['padding', 'unknown'] },
  );

/** Trains a bidirectional GRU with attention pooling over its hidden states. */
async function trainNetwork(
  train: readonly Sentence[],
  vocabulary: Vocabulary,
  epochs: number,
  seed: number,
  onProgress: ExampleOptions['onProgress'],
): Promise<Sequential> {
  const model = sequential(
    [
      embedding({ vocabularySize: vocabulary.size, size: 32, initializer: normal(0, 0.3) }),
      dropout(0.5),
      bidirectional(gru(), { hiddenSize: 24, recurrentDropout: 0.2 }),
      attentionPooling(),
      dropout(0.5),
      dense({ size: 1 }),
    ],
    { seed },
  );
  const examples = train
    .map(({ text, label }) => ({ input: encode(vocabulary, text), target: tensor([label]) }))
    .filter(({ input }) => input.length > 0);
  const data = bucketBatches(examples, { batchSize: 32 });
  await fit(model, data, {
    loss: binaryCrossEntropy,
    optimizer: chain(
      clipByNorm(1),
      adamw(cosineDecay(4e-3, { steps: epochs * data.batchCount }), { weightDecay: 0.05 }),
    ),
    epochs,
    seed,
    onProgress,
  });
  return model;
}

/** Computes the logit of the positive class for each text, given as word ids. */
function logitsOf(model: Sequential, texts: readonly (readonly number[] | Int32Array)[]): Float32Array {
  const { inputs, lengths } = padSequences(texts.map((ids) => Int32Array.from(ids)));
  return predict(model, inputs, { lengths }).data;
}

/** Trains logistic regression on word counts, and returns the logits of the test sentences. */
async function bagOfWords(
  train: readonly Sentence[],
  test: readonly Sentence[],
  vocabulary: Vocabulary,
): Promise<Float32Array> {
  const counts = (sentences: readonly Sentence[]): Tensor => {
    const data = new Float32Array(sentences.length * vocabulary.size);
    sentences.forEach(({ text }, row) =>
      encode(vocabulary, text).forEach((id) => (data[row * vocabulary.size + id]! += 1)),
    );
    return { shape: [sentences.length, vocabulary.size], data };
  };
  const [x, y] = [counts(train), tensor(train.map(({ label }) => [label]))];
  const logits = (
    p: { w: Parameters<typeof matmul>[0]; b: Parameters<typeof add>[0] },
    rows: Tensor,
  ): ReturnType<typeof add> => add(matmul(rows, p.w), p.b);
  const model = customModel(
    { w: zeros()([vocabulary.size, 1], createRandom(0)), b: tensor([0]) },
    (p, batch: { x: Tensor; y: Tensor }) => binaryCrossEntropy(logits(p, batch.x), batch.y),
  );
  await fit(model, { batchCount: 1, batches: (_: Random) => [{ x, y }] }, { optimizer: adam(0.03), steps: 120 });
  return compute(model.parameters, (p) => reshape(logits(p, counts(test)), [test.length])).data;
}

/** Computes the contribution of each word: the logit of the sentence minus that of the sentence without the word. */
function contributionsOf(model: Sequential, ids: Int32Array): Float32Array {
  const without = Array.from(ids, (_, i) => [...ids.subarray(0, i), ...ids.subarray(i + 1)]);
  const [full, ...others] = logitsOf(model, [ids, ...without]);
  return Float32Array.from(others, (logit) => full! - logit);
}

export const sentiment: Example = async ({ short, log, onProgress, save }) => {
  const sentences = readSentences();
  const [count, epochs] = short ? [3, 6] : [10, 10];
  const correct = { network: new Map<string, number>(), 'bag of words': new Map<string, number>() };
  const folds = sentenceFolds(sentences, { k: count, seed: 5 });
  const shown: { words: readonly string[]; contributions: Float32Array; probability: number }[] = [];
  for (const [fold, { train, test }] of folds.entries()) {
    const [trainSet, testSet] = [train, test].map((indices) => Array.from(indices, (i) => sentences[i]!)) as [
      Sentence[],
      Sentence[],
    ];
    const vocabulary = vocabularyOf(trainSet);
    const model = await trainNetwork(trainSet, vocabulary, epochs, fold + 1, onProgress);
    const ids = testSet.map(({ text }) => encode(vocabulary, text));
    const logits = { network: logitsOf(model, ids), 'bag of words': await bagOfWords(trainSet, testSet, vocabulary) };
    for (const [name, values] of Object.entries(logits)) {
      const tally = correct[name as keyof typeof correct];
      testSet.forEach(({ label, source }, row) =>
        tally.set(source, (tally.get(source) ?? 0) + Number(values[row]! > 0 === (label === 1))),
      );
    }
    if (fold === 0) {
      testSet.forEach((_, row) => {
        if (
          shown.length >= 6 ||
          ids[row]!.length < 7 ||
          ids[row]!.length > 12 ||
          ids[row]!.includes(vocabulary.marks.unknown!)
        )
          return;
        shown.push({
          words: Array.from(ids[row]!, (id) => vocabulary.tokens[id]!),
          contributions: contributionsOf(model, ids[row]!),
          probability: 1 / (1 + Math.exp(-logits.network[row]!)),
        });
      });
    }
    log(`fold ${fold + 1} of ${count}: vocabulary size ${vocabulary.size}, ${model.data.length} parameters`);
  }

  const metrics: Record<string, number> = {};
  const accuracyOf = (name: keyof typeof correct, source: string): number =>
    correct[name].get(source)! / sentences.filter((sentence) => sentence.source === source).length;
  log(`\naccuracy, ${count}-fold cross-validation:\n`);
  log(`  ${''.padEnd(30)}${sources.map((source) => source.padStart(8)).join('')}    mean`);
  const row = (name: string, values: readonly number[]): void => {
    metrics[name] = values.reduce((a, b) => a + b) / values.length;
    log(`  ${name.padEnd(30)}${[...values, metrics[name]].map((value) => value.toFixed(3).padStart(8)).join('')}`);
  };
  row(
    'network',
    sources.map((source) => accuracyOf('network', source)),
  );
  row(
    'bag of words',
    sources.map((source) => accuracyOf('bag of words', source)),
  );
  row(
    'AFINN',
    sources.map((source) => afinn[source]),
  );
  log('\nprobability of the positive class, and words that change the logit by more than 0.5 (held-out sentences):');
  for (const { words, contributions, probability } of shown) {
    const marked = words.map((word, i) => {
      const contribution = contributions[i]!;
      const sign = contribution > 0 ? '+' : '';
      return Math.abs(contribution) > 0.5 ? `${word}(${sign}${contribution.toFixed(1)})` : word;
    });
    log(`  ${probability.toFixed(2)}  ${marked.join(' ')}`);
  }
  if (!short) {
    save(
      'words.svg',
      heatMaps(
        shown.map(({ words, contributions, probability }) => {
          const largest = Math.max(1, ...contributions.map(Math.abs));
          return {
            title: `P(positive) = ${(100 * probability).toFixed(0)} %`,
            columnNames: words,
            rowNames: ['positive', 'negative'],
            rows: [
              contributions.map((value) => Math.max(0, value) / largest),
              contributions.map((value) => Math.max(0, -value) / largest),
            ],
          };
        }),
        { cell: 18, perRow: 3 },
      ),
    );
  }
  return metrics;
};
