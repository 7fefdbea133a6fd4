/** Sentences of reviews, labeled as positive (1) or negative (0): Kotzias et al., 2015. */

import { readFileSync } from 'node:fs';

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
