/** Seeded random numbers. A generator is plain data: it can be saved, transferred and restored. */

import { isArrayOf } from './arrays';
import { checkArray, checkCount, checkNumber, mismatch } from './shape';

/**
 * A random number generator: a state of four 32-bit words. Save it with `random.state.slice()` and restore it with
 * `random.state.set(saved)`.
 */
export interface Random {
  readonly state: Uint32Array;
}

/**
 * Creates a generator: xoshiro128** (Blackman and Vigna, 2021, "Scrambled linear pseudorandom number generators",
 * arXiv 1805.01407), seeded with splitmix32. The same seed gives the same numbers on every engine.
 *
 * @param seed any finite number; seeds that differ only in their fraction give different numbers
 * @throws RangeError if the seed is not a finite number
 * @example
 * const random = createRandom(7);
 * uniformNumber(random) === uniformNumber(createRandom(7)); // true
 */
export function createRandom(seed: number): Random {
  return seeded('createRandom', seed);
}

/** Creates a generator from the option `seed` of the public function `where`. */
export function seeded(where: string, seed: number): Random {
  checkNumber(where, 'seed', seed);
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

/** Returns the given generator, or creates one from a seed. @throws TypeError or RangeError if it is neither */
export function randomOrSeed(where: string, random: Random | number): Random {
  if (typeof random === 'number') return seeded(where, random);
  checkRandom(where, random);
  return random;
}

/**
 * Draws 32 random bits, as an integer in [0, 2³²).
 *
 * @example
 * Number.isInteger(randomBits(createRandom(1))); // true
 */
export function randomBits(random: Random): number {
  checkRandom('randomBits', random);
  return bitsOf(random);
}

/** @throws TypeError if `random` is not a generator */
export function checkRandom(where: string, random: Random | undefined): asserts random is Random {
  if (!isArrayOf('Uint32Array', random?.state))
    throw mismatch(where, 'random', 'a generator, as createRandom(seed) returns', random);
}

function bitsOf(random: Random): number {
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

/** Draws a number from [0, 1). */
function fractionOf(random: Random): number {
  return bitsOf(random) / 2 ** 32;
}

/**
 * Draws a number uniformly from [low, high), with 32 bits of resolution.
 *
 * @param low 0 by default
 * @param high 1 by default
 * @throws RangeError if a limit is not finite, or `high` is less than `low`
 * @example
 * uniformNumber(createRandom(1), 5, 6) >= 5; // true
 */
export function uniformNumber(random: Random, low = 0, high = 1): number {
  checkRandom('uniformNumber', random);
  checkNumber('uniformNumber', 'low', low);
  checkNumber('uniformNumber', 'high', high, low);
  return low + (high - low) * fractionOf(random);
}

/**
 * Draws a number from the normal distribution (Box and Muller, 1958). The second number of each pair is discarded, so
 * that the generator needs no further state.
 *
 * @param mean 0 by default
 * @param standardDeviation 1 by default
 * @throws RangeError if an argument is not finite, or the standard deviation is negative
 * @example
 * normalNumber(createRandom(1), 3, 0); // 3
 */
export function normalNumber(random: Random, mean = 0, standardDeviation = 1): number {
  checkRandom('normalNumber', random);
  checkNumber('normalNumber', 'mean', mean);
  checkNumber('normalNumber', 'standardDeviation', standardDeviation, 0);
  return mean + centeredNormal(random, standardDeviation);
}

/** Draws a number from a normal distribution of mean 0, without checks. */
export function centeredNormal(random: Random, standardDeviation: number): number {
  // 1 − u is in (0, 1], so the logarithm is finite.
  const radius = Math.sqrt(-2 * Math.log(1 - fractionOf(random)));
  return standardDeviation * radius * Math.cos(2 * Math.PI * fractionOf(random));
}

/**
 * Draws an integer uniformly from [0, count), without bias: rejection sampling in its plain form (see Lemire, 2019,
 * arXiv 1805.10941).
 *
 * @throws RangeError if `count` is not an integer from 1 to 2³²
 * @example
 * integerNumber(createRandom(1), 1); // 0
 */
export function integerNumber(random: Random, count: number): number {
  checkRandom('integerNumber', random);
  checkCount('integerNumber', 'count', count);
  checkNumber('integerNumber', 'count', count, 1, 2 ** 32);
  const limit = 2 ** 32 - (2 ** 32 % count);
  for (;;) {
    const bits = bitsOf(random);
    if (bits < limit) return bits % count;
  }
}

/**
 * Shuffles an array in place (Fisher and Yates); every permutation is equally likely.
 *
 * @returns the same array
 *
 * @example
 * shuffle(createRandom(1), [1, 2, 3]).sort(); // [1, 2, 3]
 */
export function shuffle<A extends Int32Array | unknown[]>(random: Random, items: A): A {
  checkRandom('shuffle', random);
  if (!isArrayOf('Int32Array', items)) checkArray('shuffle', 'items', items);
  for (let last = items.length - 1; last > 0; last--) {
    const other = integerNumber(random, last + 1);
    const item = items[last]!;
    items[last] = items[other]!;
    items[other] = item;
  }
  return items;
}
