/** How near translations are to what a person wrote. */

const ngrams = (words: readonly string[], n: number): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= words.length; i++) {
    const key = words.slice(i, i + n).join(' ');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
};

/**
 * BLEU of a whole set with one reference each (Papineni et al., 2002), in per cent: the geometric mean of the precisions of one to four words in a row, those of more than one
 * with one added above and below (Lin and Och, 2004), so that a set without a match of four words is not 0; times exp(1 − r/c) where the translations are shorter than the references.
 */
export function bleu(translations: readonly (readonly string[])[], references: readonly (readonly string[])[]): number {
  const [matches, totals] = [
    [0, 0, 0, 0],
    [0, 0, 0, 0],
  ];
  let [length, wanted] = [0, 0];
  translations.forEach((words, i) => {
    length += words.length;
    wanted += references[i]!.length;
    for (let n = 1; n <= 4; n++) {
      const there = ngrams(references[i]!, n);
      for (const [key, count] of ngrams(words, n)) {
        totals[n - 1]! += count;
        matches[n - 1]! += Math.min(count, there.get(key) ?? 0);
      }
    }
  });
  const logs = matches.map((match, n) => Math.log((match + (n > 0 ? 1 : 0)) / (totals[n]! + (n > 0 ? 1 : 0))));
  return 100 * Math.exp(logs.reduce((a, b) => a + b) / 4 + Math.min(0, 1 - wanted / length));
}
