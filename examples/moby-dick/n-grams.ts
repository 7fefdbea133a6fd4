/** The baseline of what comes next in a sequence: how often it came after the same, smoothed. */

/** What was counted, for runs of one id, of two, and so on. */
export interface NGrams {
  readonly order: number;
  /** V: ids are below it. */
  readonly base: number;
  /** How often each run occurs (of less than all ids: behind how many different ones), by {@link keyOf}. */
  readonly counts: readonly ReadonlyMap<number, number>[];
  /** For each run without its last id, what its runs count together, and what is taken of that for what was not seen. */
  readonly totals: readonly ReadonlyMap<number, number>[];
  readonly reserves: readonly ReadonlyMap<number, number>[];
  /** What is taken from counts of one, of two, and of three and more. */
  readonly discounts: readonly (readonly number[])[];
}

/** A run as a number to the base V: exact up to 2⁵³. */
function keyOf(run: ArrayLike<number>, from: number, to: number, base: number): number {
  let key = 0;
  for (let i = from; i < to; i++) key = key * base + run[i]!;
  return key;
}

const raise = (counts: Map<number, number>, key: number, by = 1): void =>
  void counts.set(key, (counts.get(key) ?? 0) + by);

const discountOf = (discounts: readonly number[], count: number): number => discounts[Math.min(count, 3) - 1]!;

/** Counts runs of `order` ids each, for modified Kneser–Ney smoothing, interpolated (Kneser and Ney, 1995; Chen and Goodman, 1999). */
export function countNGrams(runs: Iterable<ArrayLike<number>>, order: number, base: number): NGrams {
  const counts = Array.from({ length: order }, () => new Map<number, number>());
  for (const run of runs) raise(counts[order - 1]!, keyOf(run, 0, order, base));
  // A shorter run counts by how many ids it was seen behind, not by how often: "Francisco" is frequent, but only behind "San".
  for (let n = order - 1; n > 0; n--) for (const key of counts[n]!.keys()) raise(counts[n - 1]!, key % base ** n);
  const discounts = counts.map((own) => {
    // How many runs occur once, twice, three and four times.
    const occur = [0, 0, 0, 0];
    for (const count of own.values()) if (count <= 4) occur[count - 1]! += 1;
    const share = occur[0]! / (occur[0]! + 2 * occur[1]!);
    return [1, 2, 3].map((count) => {
      const discount = count - (count + 1) * share * (occur[count]! / occur[count - 1]!);
      // Where there are too few counts to tell, as where everything was counted several times, a half.
      return discount > 0 ? discount : 0.5;
    });
  });
  const totals = counts.map(() => new Map<number, number>());
  const reserves = counts.map(() => new Map<number, number>());
  counts.forEach((own, n) => {
    for (const [key, count] of own) {
      raise(totals[n]!, Math.floor(key / base), count);
      raise(reserves[n]!, Math.floor(key / base), discountOf(discounts[n]!, count));
    }
  });
  return { order, base, counts, totals, reserves, discounts };
}

/**
 * The probability that a run of `order` ids ends as it does, given what stands before; of `classes` ids that could be last, all by default. A shorter run is judged by counts that are made
 * for backing off: count runs of its length where that matters.
 */
export function probabilityOf(
  { order, base, counts, totals, reserves, discounts }: NGrams,
  run: ArrayLike<number>,
  classes: number = base,
): number {
  const last = run.length - 1;
  let probability = 1 / classes;
  for (let n = 0; n < order && n <= last; n++) {
    const context = keyOf(run, last - n, last, base);
    const total = totals[n]!.get(context);
    if (total === undefined) break;
    const count = counts[n]!.get(context * base + run[last]!) ?? 0;
    const kept = count === 0 ? 0 : count - discountOf(discounts[n]!, count);
    probability = (kept + reserves[n]!.get(context)! * probability) / total;
  }
  return probability;
}

/** All runs of `order` ids of a text. */
export function* runsOf(text: Int32Array, order: number): Iterable<Int32Array> {
  for (let end = order; end <= text.length; end++) yield text.subarray(end - order, end);
}

/** The mean of −log p over the ids of a text but the first, each after at most `order` − 1 before it. */
export function nGramLoss(grams: NGrams, text: Int32Array): number {
  return (
    -text
      .subarray(1)
      .reduce(
        (sum, _, before) =>
          sum + Math.log(probabilityOf(grams, text.subarray(Math.max(0, before + 2 - grams.order), before + 2))),
        0,
      ) /
    (text.length - 1)
  );
}
