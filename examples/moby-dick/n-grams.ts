/** The baseline of what comes next in a sequence: how often it came after the same, smoothed. */

/** What was counted, for runs of one id, of two, and so on. */
export interface NGrams {
  readonly order: number;
  /** V: ids are below it. */
  readonly base: number;
  /** How often each run occurs (of less than all ids: behind how many different ones), by {@link keyOf}. */
  readonly counts: readonly ReadonlyMap<number, number>[];
  /** For each run without its last id, what its runs count together, and how many different ids come last. */
  readonly totals: readonly ReadonlyMap<number, number>[];
  readonly followers: readonly ReadonlyMap<number, number>[];
  /** What is taken from every count and given to what was not seen. */
  readonly discounts: readonly number[];
}

/** A run as a number to the base V: exact up to 2⁵³. */
function keyOf(run: ArrayLike<number>, from: number, to: number, base: number): number {
  let key = 0;
  for (let i = from; i < to; i++) key = key * base + run[i]!;
  return key;
}

const raise = (counts: Map<number, number>, key: number, by = 1): void => void counts.set(key, (counts.get(key) ?? 0) + by);

/** Counts runs of `order` ids each, for interpolated Kneser–Ney smoothing (Kneser and Ney, 1995; Chen and Goodman, 1999). */
export function countNGrams(runs: Iterable<ArrayLike<number>>, order: number, base: number): NGrams {
  const counts = Array.from({ length: order }, () => new Map<number, number>());
  for (const run of runs) raise(counts[order - 1]!, keyOf(run, 0, order, base));
  // A shorter run counts by how many ids it was seen behind, not by how often: "Francisco" is frequent, but only behind "San".
  for (let n = order - 1; n > 0; n--) for (const key of counts[n]!.keys()) raise(counts[n - 1]!, key % base ** n);
  const totals = counts.map(() => new Map<number, number>());
  const followers = counts.map(() => new Map<number, number>());
  counts.forEach((own, n) => {
    for (const [key, count] of own) {
      raise(totals[n]!, Math.floor(key / base), count);
      raise(followers[n]!, Math.floor(key / base));
    }
  });
  const discounts = counts.map((own) => {
    const [once, twice] = [1, 2].map((wanted) => [...own.values()].filter((count) => count === wanted).length) as [number, number];
    // Where nothing occurs once, as where everything was counted several times, a half.
    return once / (once + 2 * twice) || 0.5;
  });
  return { order, base, counts, totals, followers, discounts };
}

/** The probability that a run ends as it does, given what stands before; of `classes` ids that could be last, all by default. */
export function probabilityOf({ order, base, counts, totals, followers, discounts }: NGrams, run: ArrayLike<number>, classes: number = base): number {
  const last = run.length - 1;
  let probability = 1 / classes;
  for (let n = 0; n < order && n <= last; n++) {
    const context = keyOf(run, last - n, last, base);
    const total = totals[n]!.get(context);
    if (total === undefined) break;
    const count = counts[n]!.get(context * base + run[last]!) ?? 0;
    probability = (Math.max(0, count - discounts[n]!) + discounts[n]! * followers[n]!.get(context)! * probability) / total;
  }
  return probability;
}

/** All runs of `order` ids of a text. */
export function* runsOf(text: Int32Array, order: number): Iterable<Int32Array> {
  for (let end = order; end <= text.length; end++) yield text.subarray(end - order, end);
}

/** The mean of −log p over the ids of a text but the first, each after at most `order` − 1 before it. */
export function nGramLoss(grams: NGrams, text: Int32Array): number {
  return -text.subarray(1).reduce((sum, _, before) => sum + Math.log(probabilityOf(grams, text.subarray(Math.max(0, before + 2 - grams.order), before + 2))), 0) / (text.length - 1);
}
