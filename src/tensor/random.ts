/** Seeded random numbers. The generator is plain data, so that it can be saved, sent and restored. */

/**
 * The state of a generator: four 32-bit words. Save it by `random.state.slice()`, restore it by `random.state.set(saved)`.
 */
export interface Random {
  readonly state: Uint32Array;
}

/**
 * Makes a generator: xoshiro128** (Blackman and Vigna, 2021, "Scrambled linear pseudorandom number generators", arXiv 1805.01407),
 * its state filled from the seed by splitmix32. The same seed gives the same numbers on every engine.
 *
 * @param seed any finite number; its whole part and its fraction both count
 * @throws RangeError where the seed is not a finite number
 * @example
 * const random = createRandom(7);
 * uniformNumber(random) === uniformNumber(createRandom(7)); // true
 */
export function createRandom(seed: number): Random {
  if (!Number.isFinite(seed)) throw new RangeError(`createRandom: seed must be a finite number, got ${String(seed)}.`);
  const words = new Uint32Array(new Float64Array([seed]).buffer);
  let mixed = (words[0]! ^ Math.imul(words[1]!, 0x9e3779b1)) >>> 0;
  const state = new Uint32Array(4);
  for (let i = 0; i < 4; i++) {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    let z = mixed;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    state[i] = z ^ (z >>> 15);
  }
  return { state };
}

/**
 * The next 32 random bits, as a whole number in [0, 2³²).
 *
 * @example
 * Number.isInteger(randomBits(createRandom(1))); // true
 */
export function randomBits(random: Random): number {
  const s = random.state;
  const s0 = s[0]!;
  const s1 = s[1]!;
  const s2 = s[2]! ^ s0;
  const s3 = s[3]! ^ s1;
  const scrambled = Math.imul(s1, 5);
  const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
  s[0] = s0 ^ s3;
  s[1] = s1 ^ s2;
  s[2] = s2 ^ (s1 << 9);
  s[3] = (s3 << 11) | (s3 >>> 21);
  return result >>> 0;
}

/**
 * A number uniform in [low, high), with 32 bits of resolution.
 *
 * @example
 * uniformNumber(createRandom(1), 5, 6) >= 5; // true
 */
export function uniformNumber(random: Random, low = 0, high = 1): number {
  return low + (high - low) * (randomBits(random) / 2 ** 32);
}

/**
 * A number from the normal distribution (Box and Muller 1958; the second of each pair is dropped, so that the state is all there is).
 *
 * @example
 * normalNumber(createRandom(1), 3, 0); // 3
 */
export function normalNumber(random: Random, mean = 0, standardDeviation = 1): number {
  // 1 − u lies in (0, 1], so that the logarithm is finite.
  const radius = Math.sqrt(-2 * Math.log(1 - uniformNumber(random)));
  return mean + standardDeviation * radius * Math.cos(2 * Math.PI * uniformNumber(random));
}

/**
 * A whole number uniform in [0, count), without bias (Lemire 2019's rejection, arXiv 1805.10941, in its plain form).
 *
 * @throws RangeError unless `count` is a whole number from 1 to 2³²
 * @example
 * integerNumber(createRandom(1), 1); // 0
 */
export function integerNumber(random: Random, count: number): number {
  if (!Number.isInteger(count) || count < 1 || count > 2 ** 32) {
    throw new RangeError(`integerNumber: count must be a whole number from 1 to 2^32, got ${String(count)}.`);
  }
  const limit = 2 ** 32 - (2 ** 32 % count);
  for (;;) {
    const bits = randomBits(random);
    if (bits < limit) return bits % count;
  }
}

/**
 * Shuffles in place, every order equally likely (Fisher and Yates). Returns its argument.
 *
 * @example
 * shuffle(createRandom(1), [1, 2, 3]).sort(); // [1, 2, 3]
 */
export function shuffle<A extends Int32Array | unknown[]>(random: Random, items: A): A {
  for (let last = items.length - 1; last > 0; last--) {
    const other = integerNumber(random, last + 1);
    const kept = items[last]!;
    items[last] = items[other]!;
    items[other] = kept;
  }
  return items;
}
