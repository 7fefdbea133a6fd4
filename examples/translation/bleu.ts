/** BLEU, a measure of the similarity of translations and references. */

/** Counts the n-grams of a sentence. */
const countNGrams = (words: readonly string[], n: number): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= words.length; i++) {
    const key = words.slice(i, i + n).join(' ');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
};

/**
 * Computes the corpus BLEU with one reference per translation, in percent (Papineni et al., 2002): the geometric mean
 * of the precisions of 1- to 4-grams, times the brevity penalty exp(1 − r/c) if the translations are shorter than the
 * references. One is added to both counts of the precisions of 2- to 4-grams (Lin and Och, 2004), so that a corpus
 * without a matching 4-gram does not have a BLEU of 0.
 */
export function bleu(translations: readonly (readonly string[])[], references: readonly (readonly string[])[]): number {
  const [matches, totals] = [
    [0, 0, 0, 0],
    [0, 0, 0, 0],
  ];
  let [length, referenceLength] = [0, 0];
  translations.forEach((words, i) => {
    length += words.length;
    referenceLength += references[i]!.length;
    for (let n = 1; n <= 4; n++) {
      const expected = countNGrams(references[i]!, n);
      for (const [key, count] of countNGrams(words, n)) {
        totals[n - 1]! += count;
        matches[n - 1]! += Math.min(count, expected.get(key) ?? 0);
      }
    }
  });
  const logs = matches.map((match, n) => Math.log((match + (n > 0 ? 1 : 0)) / (totals[n]! + (n > 0 ? 1 : 0))));
  return 100 * Math.exp(logs.reduce((a, b) => a + b) / 4 + Math.min(0, 1 - referenceLength / length));
}
