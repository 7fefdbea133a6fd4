import { createRandom, integerNumber, normalNumber, type Random, randomBits, shuffle, uniformNumber } from 'bptt';
import { describe, expect, it } from 'vitest';

function draws(count: number, next: () => number): number[] {
  return Array.from({ length: count }, next);
}

function mean(values: readonly number[], power = 1): number {
  return values.reduce((sum, value) => sum + value ** power, 0) / values.length;
}

/** xoshiro128** written from the authors' C, in exact arithmetic. */
function reference(state: bigint[]): number {
  const low = (x: bigint): bigint => BigInt.asUintN(32, x);
  const rotate = (x: bigint, by: bigint): bigint => low(x << by) | (x >> (32n - by));
  const result = low(rotate(low(state[1]! * 5n), 7n) * 9n);
  const shifted = low(state[1]! << 9n);
  state[2]! ^= state[0]!;
  state[3]! ^= state[1]!;
  state[1]! ^= state[2]!;
  state[0]! ^= state[3]!;
  state[2]! ^= shifted;
  state[3] = rotate(state[3]!, 11n);
  return Number(result);
}

describe('randomBits', () => {
  it('is xoshiro128**: the published vector for state 1 2 3 4', () => {
    // The vector that the Rust crate rand_xoshiro tests with, made by the authors' xoshiro128starstar.c, version 1.1.
    const random: Random = { state: Uint32Array.of(1, 2, 3, 4) };
    expect(draws(10, () => randomBits(random))).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it('agrees with exact arithmetic for a thousand draws', () => {
    const random = createRandom(99);
    const state = Array.from(random.state, BigInt);
    for (let i = 0; i < 1000; i++) expect(randomBits(random)).toBe(reference(state));
    expect([...random.state]).toEqual(state.map(Number));
  });
});

describe('createRandom', () => {
  it('the same seed gives the same numbers; seeds nearby, negative and broken ones give others', () => {
    expect(createRandom(7)).toEqual(createRandom(7));
    const seeds = [0, 1, 2, -1, 0.5, 1.5, 2 ** 32, 2 ** 40, 1e300];
    expect(new Set(seeds.map((seed) => createRandom(seed).state.join())).size).toBe(seeds.length);
  });

  it('never begins with the all-zero state, which would stay zero', () => {
    for (let seed = 0; seed < 1000; seed++) expect(createRandom(seed).state.some((word) => word !== 0)).toBe(true);
  });

  it('a saved state goes on with the same numbers', () => {
    const random = createRandom(3);
    normalNumber(random);
    const saved = random.state.slice();
    const next = (): number[] => [normalNumber(random), uniformNumber(random), integerNumber(random, 10)];
    const first = next();
    expect(next()).not.toEqual(first);
    random.state.set(saved);
    expect(next()).toEqual(first);
  });

  it.each([NaN, Infinity])('refuses the seed %s', (seed) => {
    expect(() => createRandom(seed)).toThrow(
      new RangeError(`createRandom: seed must be a finite number, got ${seed}.`),
    );
  });
});

describe('distributions: 200,000 draws, within five standard errors', () => {
  const count = 200_000;

  it('uniform', () => {
    const random = createRandom(1);
    const values = draws(count, () => uniformNumber(random));
    expect(Math.abs(mean(values) - 1 / 2)).toBeLessThan(5 * Math.sqrt(1 / 12 / count));
    // Var x² = 1/5 − 1/9.
    expect(Math.abs(mean(values, 2) - 1 / 3)).toBeLessThan(5 * Math.sqrt(4 / 45 / count));
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    const [previous, following] = [values.slice(0, -1), values.slice(1)];
    expect(Math.abs(mean(previous.map((value, i) => (value - 0.5) * (following[i]! - 0.5))))).toBeLessThan(
      5 / 12 / Math.sqrt(count),
    );
    expect(draws(1000, () => uniformNumber(random, -3, -2)).every((value) => value >= -3 && value < -2)).toBe(true);
  });

  it('normal: the first four moments and the tails', () => {
    const random = createRandom(2);
    const values = draws(count, () => normalNumber(random));
    expect(values.every(Number.isFinite)).toBe(true);
    // The variances of x, x², x³, x⁴ are 1, 2, 15, 96.
    expect(Math.abs(mean(values))).toBeLessThan(5 * Math.sqrt(1 / count));
    expect(Math.abs(mean(values, 2) - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    expect(Math.abs(mean(values, 3))).toBeLessThan(5 * Math.sqrt(15 / count));
    expect(Math.abs(mean(values, 4) - 3)).toBeLessThan(5 * Math.sqrt(96 / count));
    const beyond = values.filter((value) => Math.abs(value) > 3).length / count;
    expect(Math.abs(beyond - 0.0026998)).toBeLessThan(5 * Math.sqrt(0.0027 / count));
    const moved = draws(count, () => normalNumber(random, 10, 0.5));
    expect(Math.abs(mean(moved) - 10)).toBeLessThan((5 * 0.5) / Math.sqrt(count));
  });

  it('whole numbers: every one equally often', () => {
    const random = createRandom(3);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < count; i++) counts[integerNumber(random, 7)]!++;
    for (const seen of counts) expect(Math.abs(seen / count - 1 / 7)).toBeLessThan(5 * Math.sqrt(6 / 49 / count));
  });

  it('whole numbers have no bias where the remainder of 32 bits would show', () => {
    // Without rejection, of 3·2³⁰ numbers the first 2³⁰ would come twice as often: half of the draws rather than a third.
    const random = createRandom(4);
    const low = draws(count, () => integerNumber(random, 3 * 2 ** 30)).filter((value) => value < 2 ** 30).length;
    expect(Math.abs(low / count - 1 / 3)).toBeLessThan(5 * Math.sqrt(2 / 9 / count));
  });

  it('shuffle: every order of three equally often, each a permutation', () => {
    const random = createRandom(5);
    const counts = new Map<string, number>();
    const rounds = 30_000;
    for (let i = 0; i < rounds; i++) {
      const order = shuffle(random, ['a', 'b', 'c']).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba']);
    for (const seen of counts.values())
      expect(Math.abs(seen / rounds - 1 / 6)).toBeLessThan(5 * Math.sqrt(5 / 36 / rounds));
  });
});

describe('integerNumber', () => {
  it('takes 1 to 2^32', () => {
    const random = createRandom(1);
    expect(draws(10, () => integerNumber(random, 1))).toEqual(new Array(10).fill(0));
    expect(Math.max(...draws(100, () => integerNumber(random, 2 ** 32)))).toBeGreaterThan(2 ** 31);
  });

  it.each([0, -1, 1.5, 2 ** 32 + 1, NaN])('refuses %s', (count) => {
    expect(() => integerNumber(createRandom(1), count)).toThrow(
      new RangeError(`integerNumber: count must be a whole number from 1 to 2^32, got ${count}.`),
    );
  });
});
