/** N-gram models with modified Kneser–Ney smoothing: the baseline for predicting the next id of a sequence. */

/** The counts of an n-gram model. Arrays are indexed by n − 1. */
export interface NGrams {
  readonly order: number;
  /** Vocabulary size V. All ids are less than V. */
  readonly base: number;
  /**
   * The count of each n-gram, by {@link keyOf}. For n < order, the number of distinct ids that precede it (the
   * continuation count) instead of its frequency.
   */
  readonly counts: readonly ReadonlyMap<number, number>[];
  /**
   * For each context (an n-gram without its last id), the total count and the discounted count left for backing off.
   */
  readonly totals: readonly ReadonlyMap<number, number>[];
  readonly reserves: readonly ReadonlyMap<number, number>[];
  /** The discounts of the counts 1, 2, and 3 or more. */
  readonly discounts: readonly (readonly number[])[];
}

/** Encodes ids `from` to `to` (exclusive) as a number in base V, exact up to 2⁵³. */
function keyOf(ids: ArrayLike<number>, from: number, to: number, base: number): number {
  let key = 0;
  for (let i = from; i < to; i++) key = key * base + ids[i]!;
  return key;
}

const increment = (counts: Map<number, number>, key: number, by = 1): void =>
  void counts.set(key, (counts.get(key) ?? 0) + by);

const discountOf = (discounts: readonly number[], count: number): number => discounts[Math.min(count, 3) - 1]!;

/**
 * Counts n-grams for interpolated modified Kneser–Ney smoothing (Kneser and Ney, 1995; Chen and Goodman, 1999).
 *
 * @param ngrams n-grams of `order` ids each, with repetitions
 * @param base vocabulary size
 */
export function countNGrams(ngrams: Iterable<ArrayLike<number>>, order: number, base: number): NGrams {
  const counts = Array.from({ length: order }, () => new Map<number, number>());
  for (const ngram of ngrams) increment(counts[order - 1]!, keyOf(ngram, 0, order, base));
  // Shorter n-grams get continuation counts: "Francisco" is frequent, but only after "San", so a high unigram
  // probability would be wrong after any other word.
  for (let n = order - 1; n > 0; n--) for (const key of counts[n]!.keys()) increment(counts[n - 1]!, key % base ** n);
  const discounts = counts.map((ofOrder) => {
    // The numbers of n-grams with counts 1, 2, 3 and 4.
    const frequency = [0, 0, 0, 0];
    for (const count of ofOrder.values()) if (count <= 4) frequency[count - 1]! += 1;
    const y = frequency[0]! / (frequency[0]! + 2 * frequency[1]!);
    return [1, 2, 3].map((count) => {
      const discount = count - (count + 1) * y * (frequency[count]! / frequency[count - 1]!);
      // The estimate is undefined or not positive if there are too few counts, for example if every n-gram repeats.
      return discount > 0 ? discount : 0.5;
    });
  });
  const totals = counts.map(() => new Map<number, number>());
  const reserves = counts.map(() => new Map<number, number>());
  counts.forEach((ofOrder, n) => {
    for (const [key, count] of ofOrder) {
      increment(totals[n]!, Math.floor(key / base), count);
      increment(reserves[n]!, Math.floor(key / base), discountOf(discounts[n]!, count));
    }
  });
  return { order, base, counts, totals, reserves, discounts };
}

/**
 * Computes the conditional probability of the last id of an n-gram, given the ids before it.
 *
 * @param ngram at most `order` ids. A shorter n-gram is evaluated with continuation counts, which are meant for backing
 * off; for its true probability, count n-grams of its length.
 * @param classes number of possible values of the last id. Default: the vocabulary size
 */
export function probabilityOf(
  { order, base, counts, totals, reserves, discounts }: NGrams,
  ngram: ArrayLike<number>,
  classes: number = base,
): number {
  const last = ngram.length - 1;
  let probability = 1 / classes;
  for (let n = 0; n < order && n <= last; n++) {
    const context = keyOf(ngram, last - n, last, base);
    const total = totals[n]!.get(context);
    if (total === undefined) break;
    const count = counts[n]!.get(context * base + ngram[last]!) ?? 0;
    const discounted = count === 0 ? 0 : count - discountOf(discounts[n]!, count);
    probability = (discounted + reserves[n]!.get(context)! * probability) / total;
  }
  return probability;
}

/** Yields all n-grams of `order` ids of a text, as views. */
export function* ngramsOf(text: Int32Array, order: number): Iterable<Int32Array> {
  for (let end = order; end <= text.length; end++) yield text.subarray(end - order, end);
}

/** Computes the mean of −log p over all ids of a text except the first, each given at most `order` − 1 previous ids. */
export function nGramLoss(model: NGrams, text: Int32Array): number {
  return (
    -text
      .subarray(1)
      .reduce(
        (sum, _, i) => sum + Math.log(probabilityOf(model, text.subarray(Math.max(0, i + 2 - model.order), i + 2))),
        0,
      ) /
    (text.length - 1)
  );
}
