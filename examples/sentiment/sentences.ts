/** Sentences of reviews, labeled as positive (1) or negative (0): Kotzias et al., 2015. */

import { readFileSync } from 'node:fs';
import { type Fold, kFold } from 'bptt';

export const sources = ['amazon', 'imdb', 'yelp'] as const;

export interface Sentence {
  readonly text: string;
  readonly label: number;
  readonly source: (typeof sources)[number];
}

/** Reads all 3,000 sentences. */
export function readSentences(): readonly Sentence[] {
  return sources.flatMap((source) => {
    const entries = JSON.parse(readFileSync(`examples/sentiment/${source}.json`, 'utf8')) as {
      text: string;
      class: number;
    }[];
    // The last entry of each file is empty.
    return entries
      .filter(({ text }) => text.trim() !== '')
      .map((entry): Sentence => ({ text: entry.text.trim(), label: entry.class, source }));
  });
}

/**
 * The folds of cross-validation. All copies of a sentence are in one fold, so that no test sentence is in
 * the training data.
 */
export const sentenceFolds = (
  sentences: readonly Sentence[],
  options: { readonly k: number; readonly seed: number },
): readonly Fold[] =>
  kFold(
    sentences.map(({ text }) => text.toLowerCase()),
    options,
  );
