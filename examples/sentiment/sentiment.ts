/** Praise or blame: the sentiment of a sentence. */

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
  kFold,
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
import { readSentences, type Sentence, sources } from './sentences';

/** What the word list AFINN reaches on the three sources, as published with npm `sentiment`. */
const afinn = { amazon: 0.726, imdb: 0.765, yelp: 0.696 };

/** Words of training sentences that stand in two of them at least. */
const vocabularyOf = (sentences: readonly Sentence[]): Vocabulary =>
  wordVocabulary(
    sentences.map(({ text }) => text),
    { lowercase: true, minCount: 2, marks: ['padding', 'unknown'] },
  );

/** A bidirectional GRU with attention over its states, trained on some sentences. */
async function learn(
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

/** How much praise a text is, as a logit. */
function scoresOf(model: Sequential, texts: readonly (readonly number[] | Int32Array)[]): Float32Array {
  const { inputs, lengths } = padSequences(texts.map((words) => Int32Array.from(words)));
  return predict(model, inputs, { lengths }).data;
}

/** Logistic regression over how often each word stands in a sentence. */
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

/** How much each word moves the score: that of the sentence less that of the sentence without it. */
function movesOf(model: Sequential, ids: Int32Array): Float32Array {
  const without = Array.from(ids, (_, i) => [...ids.subarray(0, i), ...ids.subarray(i + 1)]);
  const [whole, ...rest] = scoresOf(model, [ids, ...without]);
  return Float32Array.from(rest, (score) => whole! - score);
}

export const sentiment: Example = async ({ short, log, onProgress, save }) => {
  const sentences = readSentences();
  const [count, epochs] = short ? [3, 6] : [10, 10];
  const right = { network: new Map<string, number>(), 'bag of words': new Map<string, number>() };
  const turns = kFold(sentences.length, { k: count, seed: 5 });
  const shown: { words: readonly string[]; moves: Float32Array; probability: number }[] = [];
  for (const [turn, { train, test }] of turns.entries()) {
    const [learned, judged] = [train, test].map((places) => Array.from(places, (place) => sentences[place]!)) as [
      Sentence[],
      Sentence[],
    ];
    const vocabulary = vocabularyOf(learned);
    const model = await learn(learned, vocabulary, epochs, turn + 1, onProgress);
    const ids = judged.map(({ text }) => encode(vocabulary, text));
    const answers = { network: scoresOf(model, ids), 'bag of words': await bagOfWords(learned, judged, vocabulary) };
    for (const [name, scores] of Object.entries(answers)) {
      const tally = right[name as keyof typeof right];
      judged.forEach(({ label, source }, row) =>
        tally.set(source, (tally.get(source) ?? 0) + Number(scores[row]! > 0 === (label === 1))),
      );
    }
    if (turn === 0) {
      judged.forEach((_, row) => {
        if (
          shown.length >= 6 ||
          ids[row]!.length < 7 ||
          ids[row]!.length > 12 ||
          ids[row]!.includes(vocabulary.marks.unknown!)
        )
          return;
        shown.push({
          words: Array.from(ids[row]!, (id) => vocabulary.tokens[id]!),
          moves: movesOf(model, ids[row]!),
          probability: 1 / (1 + Math.exp(-answers.network[row]!)),
        });
      });
    }
    log(`turn ${turn + 1} of ${count}: ${vocabulary.size} words, ${model.data.length} parameters`);
  }

  const figures: Record<string, number> = {};
  const share = (name: keyof typeof right, source: string): number =>
    right[name].get(source)! / sentences.filter((each) => each.source === source).length;
  log(
    `\nshare of sentences told rightly, ${count}-fold cross-validation:\n\n  ${''.padEnd(30)}${sources.map((source) => source.padStart(8)).join('')}    mean`,
  );
  const row = (name: string, values: readonly number[]): void => {
    figures[name] = values.reduce((a, b) => a + b) / values.length;
    log(`  ${name.padEnd(30)}${[...values, figures[name]].map((value) => value.toFixed(3).padStart(8)).join('')}`);
  };
  row(
    'network',
    sources.map((source) => share('network', source)),
  );
  row(
    'bag of words',
    sources.map((source) => share('bag of words', source)),
  );
  row(
    'AFINN',
    sources.map((source) => afinn[source]),
  );
  log('\nwhat moved the score, in sentences that were not learned from:');
  for (const { words, moves, probability } of shown)
    log(
      `  ${probability.toFixed(2)}  ${words.map((word, i) => (Math.abs(moves[i]!) > 0.5 ? `${word}(${moves[i]! > 0 ? '+' : ''}${moves[i]!.toFixed(1)})` : word)).join(' ')}`,
    );
  if (!short) {
    save(
      'words.svg',
      heatMaps(
        shown.map(({ words, moves, probability }) => {
          const most = Math.max(1, ...moves.map(Math.abs));
          return {
            title: `praise: ${(100 * probability).toFixed(0)} %`,
            columnNames: words,
            rowNames: ['for', 'against'],
            rows: [moves.map((move) => Math.max(0, move) / most), moves.map((move) => Math.max(0, -move) / most)],
          };
        }),
        { cell: 18, perRow: 3 },
      ),
    );
  }
  return figures;
};
