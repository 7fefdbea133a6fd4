/** Hyperparameters of a classifier of sentences: positive or negative. */

import {
  binaryCrossEntropy,
  bucketBatches,
  dense,
  dropout,
  type Example,
  embedding,
  encode,
  gru,
  recurrent,
  sequential,
  type Tensor,
  tensor,
  wordVocabulary,
} from 'bptt';
import { readSentences, type Sentence, sentenceFolds } from '../../sentiment/sentences';
import { choice, logRange, range } from './space';
import type { Task } from './task';

export const sentimentTask: Task = {
  space: {
    learningRate: logRange(1e-3, 1e-1),
    hiddenSize: choice(8, 16, 32),
    embeddingSize: choice(8, 16, 32),
    dropout: range(0, 0.6),
  },
  problemOf(settings, { fold, folds }, seed) {
    const sentences = readSentences();
    const { train, test } = sentenceFolds(sentences, { k: folds, seed: 5 })[fold]!;
    const pick = (indices: Int32Array): readonly Sentence[] => Array.from(indices, (i) => sentences[i]!);
    // The test sentences must not influence the vocabulary.
    const vocabulary = wordVocabulary(
      pick(train).map(({ text }) => text),
      { lowercase: true, minCount: 2, marks: ['padding', 'unknown'] },
    );
    const examplesOf = (indices: Int32Array): Example<Tensor, Int32Array>[] =>
      pick(indices)
        .map(({ text, label }) => ({ input: encode(vocabulary, text), target: tensor([label]) }))
        .filter(({ input }) => input.length > 0);
    const layers = [
      embedding({ vocabularySize: vocabulary.size, size: settings['embeddingSize']! }),
      dropout(settings['dropout']!),
      recurrent(gru(), { hiddenSize: settings['hiddenSize']!, returnSequences: false }),
      dropout(settings['dropout']!),
      dense({ size: 1 }),
    ];
    return {
      model: sequential(layers, { seed }),
      train: bucketBatches(examplesOf(train), { batchSize: 32 }),
      test: bucketBatches(examplesOf(test), { batchSize: 128, shuffle: false }),
      loss: binaryCrossEntropy,
    };
  },
};
