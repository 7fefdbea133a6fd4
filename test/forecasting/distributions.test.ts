/** Losses, gradients, quantiles and samples of the distributions. */

import {
  checkGradients,
  compute,
  createRandom,
  normalNumber,
  sum,
  tensor,
  type Variable,
  valueAndGradient,
} from 'bptt';
import {
  type Distribution,
  type Forecaster,
  gaussian,
  negativeBinomial,
  point,
  quantiles,
  studentT,
} from 'bptt/forecasting';
import { describe, expect, it } from 'vitest';
import {
  negativeBinomialQuantile,
  normalQuantile,
  poissonNumber,
  studentQuantile,
} from '../../src/forecasting/probability';
import { averageQuantile, coverageScore, spreadScore } from '../../src/forecasting/step-quantiles';
import { golden } from '../golden/read';

interface Golden {
  readonly losses: readonly {
    readonly distribution: 'gaussian' | 'studentT' | 'negativeBinomial';
    readonly outputs: readonly number[][];
    readonly targets: readonly number[];
    readonly scales: readonly number[];
    readonly losses: readonly number[];
    readonly gradient: readonly number[][];
  }[];
  readonly quantiles: {
    readonly levels: readonly number[];
    readonly normal: readonly number[];
    readonly student: readonly { readonly degrees: number; readonly values: readonly number[] }[];
    readonly negativeBinomial: readonly { mean: number; r: number; readonly values: readonly number[] }[];
  };
}

const expected = golden<Golden>('forecasting');
const distributions = { gaussian, studentT, negativeBinomial };

describe('losses and gradients equal those of PyTorch', () => {
  it.each(expected.losses)('$distribution', ({ distribution, outputs, targets, scales, losses, gradient }) => {
    const { loss } = distributions[distribution]();
    const [x, t, s] = [tensor(outputs), tensor([...targets]), tensor([...scales])];
    const got = compute({ x }, (p) => loss(p.x, t, s)).data;
    got.forEach((value, i) =>
      expect(Math.abs(value - losses[i]!) / Math.max(1, Math.abs(losses[i]!))).toBeLessThan(2e-5),
    );
    const { gradient: dx } = valueAndGradient({ x }, (p) => sum(loss(p.x, t, s)));
    dx.x.data.forEach((value, i) => {
      const exact = gradient.flat()[i]!;
      expect(Math.abs(value - exact) / Math.max(1, Math.abs(exact)), `gradient ${i}`).toBeLessThan(1e-4);
    });
  });
});

// From log-gamma functions in double precision.
it.each([
  [1e4, 0.5, 10.6293, 0.01, -0.4920857],
  [1e5, 0.1, 14.0959, 0.2, -0.698979],
  [1e5, 0.5, 12.93187, 0.2, -0.492103],
])(
  'the loss of a count of %d with r = %d is rounded, but its gradient is exact',
  (k, r, expectedLoss, error, slope) => {
    const { loss } = negativeBinomial();
    const x = tensor([[k - 1e-3, Math.log(Math.expm1(r - 0.01))]]);
    const lossOf = (p: { readonly x: Variable }): Variable => sum(loss(p.x, tensor([k]), tensor([1])));
    const { value, gradient } = valueAndGradient({ x }, lossOf);
    expect(Math.abs(value - expectedLoss)).toBeLessThan(error);
    expect(gradient.x.data[1]).toBeCloseTo(slope, 5);
  },
);

const all: readonly Distribution[] = [point(), quantiles(), gaussian(), studentT(), negativeBinomial()];

describe('gradients agree with finite differences', () => {
  it.each(all)('$name', ({ size, loss }) => {
    const random = createRandom(size);
    const x = tensor(
      Float32Array.from({ length: 4 * size }, () => normalNumber(random)),
      [4, size],
    );
    const { error } = checkGradients({ x }, (p) => sum(loss(p.x, tensor([0, 3, 1, 7]), tensor([1, 1, 2, 5]))));
    expect(error).toBeLessThan(1e-6);
  });
});

describe('quantile functions', () => {
  const inverseSoftplus = (y: number): number => (y > 30 ? y : Math.log(Math.expm1(y)));

  it('of the normal and Student distributions equal those of SciPy', () => {
    const { levels, normal, student } = expected.quantiles;
    levels.forEach((level, i) => expect(normalQuantile(level)).toBeCloseTo(normal[i]!, 12));
    for (const level of [1e-300, 1e-310, Number.MIN_VALUE]) expect(normalQuantile(level)).toBeLessThan(-37);
    for (const { degrees, values } of student) {
      // The approximation is the less exact, the fewer degrees of freedom there are.
      const bound = degrees < 3 ? 1e-3 : degrees < 30 ? 1e-6 : 1e-8;
      levels.forEach((level, i) => {
        const error = Math.abs(studentQuantile(level, degrees) - values[i]!);
        expect(error / Math.max(1, Math.abs(values[i]!)), `${degrees}, ${level}`).toBeLessThan(bound);
      });
    }
  });

  it('of the negative binomial distribution equal those of SciPy', () => {
    for (const { mean, r, values } of expected.quantiles.negativeBinomial) {
      const scale = 2;
      const outputs = [inverseSoftplus(mean / scale - 1e-3), inverseSoftplus(r - 0.01)];
      const quantile = negativeBinomial().quantile(outputs, scale);
      expect(expected.quantiles.levels.map((level) => Math.round(quantile(level) * scale))).toEqual(values);
    }
  });

  // scipy.stats.nbinom.ppf(level, r, r / (r + mean)); the probability of 0 is 0 in double precision.
  it.each([
    [2000, 1000.01, [1768, 1901, 1999, 2100, 2247]],
    [9000, 300.01, [7454, 8330, 8990, 9683, 10720]],
  ])('of the negative binomial distribution with mean %d and r = %d equal those of SciPy', (mean, r, values) => {
    const quantile = negativeBinomial().quantile([mean - 1e-3, r - 0.01], 1);
    expect([0.001, 0.1, 0.5, 0.9, 0.999].map(quantile)).toEqual(values);
  });

  // scipy.stats.nbinom.ppf(level, r, r / (r + mean))
  it.each([
    [10_000, 0.02, [1475, 279_443, 1_003_161, 1_902_066, 2_878_551, 3_897_331]],
    [5000, 0.05, [7632, 108_763, 273_647, 462_412, 662_719, 869_691]],
  ])('of counts with mean %d and r = %d, most of which are 0, equal those of SciPy', (mean, r, values) => {
    const levels = [0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999];
    expect(levels.map((level) => negativeBinomialQuantile(level, mean, r))).toEqual(values);
    expect(negativeBinomialQuantile(1, mean, r)).toBeLessThanOrEqual(1e7);
  });

  it.each([
    [20_000, 0.5, [0, 316, 9099, 54_111, 216_554]],
    [20_000, 1.01, [21, 2146, 13_917, 45_940, 137_312]],
    [100_000, 100.01, [71_909, 87_412, 99_667, 113_016, 133_785]],
    [100_000, 30_000.01, [97_977, 99_157, 99_999, 100_844, 102_045]],
  ])('of the negative binomial distribution with mean %d and r = %d are close to those of SciPy', (mean, r, values) => {
    const quantile = negativeBinomial().quantile([mean - 1e-3, inverseSoftplus(r - 0.01)], 1);
    [0.001, 0.1, 0.5, 0.9, 0.999].forEach((level, i) =>
      expect(Math.abs(quantile(level) - values[i]!), `${level}`).toBeLessThan(1e-4 * values[i]! + 10),
    );
  });

  it('of quantiles are exact at the levels, linear in normal numbers between and beyond them, and finite', () => {
    const [levels, distances] = [
      [1e-12, 0.1, 0.4, 0.5, 0.9],
      [2, 1, 0.5, 3],
    ];
    const [a, b, c, d] = distances.map(inverseSoftplus) as [number, number, number, number];
    // The middle quantile is 7.
    const at = quantiles({ levels }).quantile([7, a, b, c, d], 1);
    expect(levels.map(at)).toEqual([4, 6, 7, 7.5, 10.5].map((value) => expect.closeTo(value, 12)));
    const z = levels.map(normalQuantile);
    const line = (i: number, x: number, slope: number): number => at(levels[i]!) + slope * (x - z[i]!);
    expect(at(0.2)).toBeCloseTo(line(1, normalQuantile(0.2), 1 / (z[2]! - z[1]!)), 12);
    expect(at(0.7)).toBeCloseTo(line(3, normalQuantile(0.7), 3 / (z[4]! - z[3]!)), 12);
    expect(at(1)).toBeCloseTo(line(4, normalQuantile(1 - 1e-9), 3 / (z[4]! - z[3]!)), 12);
    expect(at(0)).toBe(at(1e-12));
  });

  it.each(all)('of $name does not cross and inverts the samples', ({ size, quantile, sample, name }) => {
    const random = createRandom(1);
    for (let round = 0; round < 20; round++) {
      const outputs = Array.from({ length: size }, () => normalNumber(random, 0, 3));
      const values = Array.from({ length: 99 }, (_, i) => quantile(outputs, 5)((i + 1) / 100));
      for (let i = 1; i < values.length; i++) expect(values[i]!).toBeGreaterThanOrEqual(values[i - 1]!);
      if (name === 'point') continue;
      const draws = Array.from({ length: 2000 }, () => sample(outputs, 0, 5, random, 1));
      for (const level of [0.1, 0.5, 0.9]) {
        const q = quantile(outputs, 5)(level);
        // A discrete distribution has a mass at its quantile.
        const below = draws.filter((draw) => draw < q - 1e-9).length / draws.length;
        const upTo = draws.filter((draw) => draw <= q + 1e-9).length / draws.length;
        expect(below, name).toBeLessThan(level + 0.05);
        expect(upTo, name).toBeGreaterThan(level - 0.05);
      }
    }
  });
});

it('calibration stretches the levels of counts', () => {
  const outputs = [Float32Array.of(10 - 1e-3, 3 - 0.01).map((y) => Math.log(Math.expm1(y)))];
  const forecaster = { distribution: negativeBinomial() } as Forecaster;
  const valuesOf = (calibration: number): number[] =>
    [0.1, 0.5, 0.9].map(averageQuantile({ forecaster, calibration }, outputs, 0, 1));
  // scipy.stats.nbinom.ppf(norm.cdf(calibration * norm.ppf(level)), 3, 3 / 13)
  expect(valuesOf(1)).toEqual([3, 9, 19]);
  expect(valuesOf(2)).toEqual([0, 9, 34]);
  expect(valuesOf(0.5)).toEqual([5, 9, 13]);
});

it('calibration stretches the mean of other distributions around its median', () => {
  const [distribution, outputs] = [gaussian(), [Float32Array.of(9, 9, 1, 0.5), Float32Array.of(9, 9, 3, -0.5)]];
  const valuesOf = (calibration: number): number[] =>
    [0.1, 0.5, 0.9].map(averageQuantile({ forecaster: { distribution } as Forecaster, calibration }, outputs, 1, 1));
  const means = [0.1, 0.5, 0.9].map((level) => {
    const [a, b] = outputs.map((each) => distribution.quantile(each.subarray(2), 1)(level));
    return (a! + b!) / 2;
  });
  expect(means[1]).toBeCloseTo(2, 6);
  expect(valuesOf(1)).toEqual(means);
  expect(valuesOf(3)).toEqual(means.map((mean) => expect.closeTo(means[1]! + 3 * (mean - means[1]!), 9)));
});

it('scores are distances from the median, in those of the quantile 0.1 or 0.9', () => {
  const quantile = (level: number): number => ({ 0.1: 3, 0.5: 5, 0.9: 9 })[level]!;
  expect([9, 7, 5, 4, 3, 1].map((value) => spreadScore(quantile, value))).toEqual([1, 0.5, 0, 0.5, 1, 2]);
  expect(spreadScore(() => 5, 6, 0.25)).toBe(4);
  expect([7, 1].map((value) => coverageScore(gaussian(), quantile, value, 1))).toEqual([0.5, 2]);
});

it('a value at the median has the score 0, also without a spread', () => {
  expect(spreadScore(() => 5, 5)).toBe(0);
  expect(spreadScore(() => 5, 6)).toBeGreaterThan(1e8);
});

it('Poisson numbers have the mean and the variance of the distribution', () => {
  const random = createRandom(3);
  // Means above 30 are halved. The draws of 40 are enough to notice one event too many in a half.
  for (const [mean, count] of [
    [0.2, 4000],
    [4, 4000],
    [40, 100_000],
    [2500, 4000],
  ] as const) {
    const draws = Array.from({ length: count }, () => poissonNumber(random, mean));
    const average = draws.reduce((a, b) => a + b) / draws.length;
    const variance = draws.reduce((a, b) => a + (b - average) ** 2, 0) / draws.length;
    expect(Math.abs(average - mean)).toBeLessThan(4 * Math.sqrt(mean / count));
    expect(variance / mean).toBeGreaterThan(0.88);
    expect(variance / mean).toBeLessThan(1.12);
  }
});

it('quantiles reject levels that are not in order or not between 0 and 1', () => {
  expect(() => quantiles({ levels: [0.5, 0.1] })).toThrow('quantiles: levels must increase, got 0.1 after 0.5.');
  expect(() => quantiles({ levels: [0, 0.5] })).toThrow(/^quantiles: levels must be a number/);
  // Without levels on both sides of 0.5, there is no median between them.
  expect(() => quantiles({ levels: [0.9] })).toThrow(
    'quantiles: the first of levels must be a number from 0 to 0.5, got 0.9.',
  );
  expect(() => quantiles({ levels: [0.1, 0.4] })).toThrow(
    'quantiles: the last of levels must be a number from 0.5 to 1, got 0.4.',
  );
  for (const levels of [[0.5], [0.1, 0.5], [0.5, 0.9], [0.1, 0.8]])
    expect(quantiles({ levels }).levels).toEqual(levels);
  expect(() => quantiles({ levels: [] })).toThrow('quantiles: levels must hold at least one level, got none.');
});
