/** The distribution of every initializer, and the numbers they are drawn from. */

import {
  constant, createRandom, forgetBias, full, glorotNormal, glorotUniform, heNormal, heUniform, identity, integerNumber, lecunNormal,
  lecunUniform, normal, normalNumber, ones, orthogonal, randomBits, shuffle, truncatedNormal, uniform, uniformNumber, zeros, type Initializer,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const [rows, columns] = [300, 200];
const count = rows * columns;

function moments(data: Float32Array): { mean: number; deviation: number; largest: number } {
  const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
  const variance = data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length;
  return { mean, deviation: Math.sqrt(variance), largest: data.reduce((m, x) => Math.max(m, Math.abs(x)), 0) };
}

describe('statistics of 60,000 draws, within five standard errors', () => {
  const glorot = Math.sqrt(2 / (rows + columns));
  const he = Math.sqrt(2 / rows);
  const lecun = Math.sqrt(1 / rows);
  it.each<[string, Initializer, number, number, number]>([
    ['uniform', uniform(-1, 3), 1, 4 / Math.sqrt(12), 3],
    ['normal', normal(2, 0.5), 2, 0.5, Infinity],
    ['truncatedNormal', truncatedNormal(0, 0.5), 0, 0.5 * 0.87962566, 1],
    ['glorotUniform', glorotUniform(), 0, glorot, Math.sqrt(3) * glorot],
    ['glorotNormal', glorotNormal(2), 0, 2 * glorot, Infinity],
    ['heUniform', heUniform(), 0, he, Math.sqrt(3) * he],
    ['heNormal', heNormal(), 0, he, Infinity],
    ['lecunUniform', lecunUniform(), 0, lecun, Math.sqrt(3) * lecun],
    ['lecunNormal', lecunNormal(), 0, lecun, Infinity],
  ])('%s', (_, initializer, mean, deviation, limit) => {
    const got = moments(initializer([rows, columns], createRandom(1)).data);
    expect(Math.abs(got.mean - mean)).toBeLessThan((5 * deviation) / Math.sqrt(count));
    expect(Math.abs(got.deviation / deviation - 1)).toBeLessThan(5 / Math.sqrt(2 * count));
    expect(got.largest).toBeLessThanOrEqual(limit * 1.000001);
    if (limit < Infinity) expect(got.largest).toBeGreaterThan(limit * 0.99);
    else expect(got.largest).toBeGreaterThan(3.5 * deviation);
  });
});

describe('exact ones', () => {
  const random = createRandom(1);
  it('zeros, ones and constant', () => {
    expect([...zeros()([2], random).data, ...ones()([2], random).data, ...constant(0.5)([1], random).data]).toEqual([0, 0, 1, 1, 0.5]);
  });
  it('identity, also where it is not square', () => {
    expect([...identity(2)([2, 3], random).data]).toEqual([2, 0, 0, 0, 2, 0]);
  });
  it('forgetBias', () => {
    expect([...forgetBias(3)([8], random, 4).data]).toEqual([0, 0, 3, 3, 0, 0, 0, 0]);
    expect(() => forgetBias()([6], random, 3)).toThrow(/bias \[4·H\] of an LSTM/);
  });
  it('matrices are wanted where fan-in counts', () => {
    expect(() => orthogonal()([4], random)).toThrow(/orthogonal: expected a matrix/);
    expect(() => glorotUniform()([4], random)).toThrow(/glorotUniform: expected a matrix/);
  });
});

describe('orthogonal', () => {
  it.each([[64, 64], [40, 64], [64, 40], [1, 1], [1, 5]])('[%i, %i]: the shorter side is orthonormal times the gain, to 1e-6', (m, n) => {
    const { data } = orthogonal(1.5)([m, n], createRandom(m + n));
    const short = Math.min(m, n);
    const at = (i: number, k: number): number => (m <= n ? data[i * n + k]! : data[k * n + i]!);
    for (let i = 0; i < short; i++) {
      for (let j = 0; j < short; j++) {
        let dot = 0;
        for (let k = 0; k < Math.max(m, n); k++) dot += at(i, k) * at(j, k);
        expect(Math.abs(dot - (i === j ? 2.25 : 0))).toBeLessThan(1e-6);
      }
    }
  });

  it('is uniform: over 2,000 matrices the trace has mean 0 and variance 1, and every corner is of either sign', () => {
    const traces: number[] = [];
    let positive = 0;
    for (let seed = 0; seed < 2000; seed++) {
      const { data } = orthogonal()([3, 3], createRandom(seed));
      traces.push(data[0]! + data[4]! + data[8]!);
      if (data[0]! > 0) positive++;
    }
    const { mean, deviation } = moments(Float32Array.from(traces));
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(2000));
    expect(Math.abs(deviation - 1)).toBeLessThan(0.1);
    expect(Math.abs(positive / 2000 - 0.5)).toBeLessThan(0.06);
  });
});

describe('random numbers', () => {
  it('are those of the authors’ xoshiro128**, computed in whole numbers', () => {
    const random = { state: Uint32Array.of(1, 2, 3, 4) };
    let [a, b, c, d] = [1n, 2n, 3n, 4n];
    const mask = 0xffffffffn;
    const rotate = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & mask;
    for (let i = 0; i < 1000; i++) {
      expect(BigInt(randomBits(random))).toBe((rotate((b * 5n) & mask, 7n) * 9n) & mask);
      const t = (b << 9n) & mask;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = rotate(d, 11n);
    }
  });

  it('begin as the published ones do', () => {
    const random = { state: Uint32Array.of(1, 2, 3, 4) };
    expect([1, 2, 3, 4].map(() => randomBits(random))).toEqual([11520, 0, 5927040, 70819200]);
  });

  it('go on from a saved state, and differ by seed, by its fraction too', () => {
    const random = createRandom(5);
    randomBits(random);
    const saved = random.state.slice();
    const next = [normalNumber(random), uniformNumber(random)];
    random.state.set(saved);
    expect([normalNumber(random), uniformNumber(random)]).toEqual(next);
    expect(new Set([0, 1, 2, 0.5, 1.5, -1, 1e10].map((seed) => randomBits(createRandom(seed)))).size).toBe(7);
    expect(() => createRandom(NaN)).toThrow(/seed must be a finite number/);
  });

  it('integers are even over their range', () => {
    const random = createRandom(2);
    const counts = new Int32Array(7);
    for (let i = 0; i < 70_000; i++) counts[integerNumber(random, 7)]!++;
    for (const n of counts) expect(Math.abs(n - 10_000)).toBeLessThan(5 * Math.sqrt(10_000 * (6 / 7)));
    expect(() => integerNumber(random, 0)).toThrow(/whole number from 1/);
  });

  it('shuffling gives every order equally often', () => {
    const random = createRandom(3);
    const counts: Record<string, number> = {};
    for (let i = 0; i < 24_000; i++) {
      const order = shuffle(random, [0, 1, 2, 3]).join('');
      counts[order] = (counts[order] ?? 0) + 1;
    }
    expect(Object.keys(counts)).toHaveLength(24);
    for (const n of Object.values(counts)) expect(Math.abs(n - 1000)).toBeLessThan(160);
  });
});

it('full takes any shape', () => expect(full([], 2).data.length).toBe(1));
