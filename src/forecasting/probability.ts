/** Quantiles and samples of distributions. */

import { normalNumber, type Random, uniformNumber } from '../index';

/** The quantile of the standard normal distribution (Acklam, 2003, with one step of Halley's method). */
export function normalQuantile(p: number): number {
  if (p <= 0 || p >= 1) return p <= 0 ? -Infinity : Infinity;
  if (p > 0.5) return -normalQuantile(1 - p);
  const x = approximateQuantile(p);
  // The inverse of the density would overflow.
  if (p < 1e-300) return x;
  const e = normalProbability(x) - p;
  const u = e * Math.sqrt(2 * Math.PI) * Math.exp((x * x) / 2);
  return x - u / (1 + (x * u) / 2);
}

function approximateQuantile(p: number): number {
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    const top = polynomial(
      q,
      [
        -7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
        2.938163982698783,
      ],
    );
    return top / polynomial(q, [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1]);
  }
  const q = p - 0.5;
  const r = q * q;
  const top = polynomial(
    r,
    [
      -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
      2.506628277459239,
    ],
  );
  return (
    (q * top) /
    polynomial(r, [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1])
  );
}

const polynomial = (x: number, coefficients: readonly number[]): number =>
  coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);

/**
 * The probability that a standard normal number is at most x, for x ≤ 0: the continued fraction or the series of erfc.
 */
export function normalProbability(x: number): number {
  if (x > 0) return 1 - normalProbability(-x);
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (x < -3) {
    let fraction = 0;
    for (let k = 60; k > 0; k--) fraction = k / (-x + fraction);
    return density / (-x + fraction);
  }
  let term = x;
  let sum = x;
  for (let k = 1; Math.abs(term) > 1e-17; k++) {
    term *= (x * x) / (2 * k + 1);
    sum += term;
  }
  return 0.5 + density * sum;
}

/** The quantile of sorted values, linear between them. */
export function quantileOfSorted(values: ArrayLike<number>, level: number): number {
  const at = Math.min(values.length - 1, Math.max(0, level * values.length - 0.5));
  const below = Math.floor(at);
  const above = Math.min(values.length - 1, below + 1);
  return values[below]! + (values[above]! - values[below]!) * (at - below);
}

/** The quantile of Student's t distribution for more than 2 degrees of freedom (Hill, 1970, algorithm 396). */
export function studentQuantile(p: number, degrees: number): number {
  if (p === 0.5) return 0;
  if (p > 0.5) return -studentQuantile(1 - p, degrees);
  const n = degrees;
  const a = 1 / (n - 0.5);
  const b = (48 / a) * (1 / a);
  let c = ((20700 * a) / b - 98) * a - 16;
  c = c * a + 96.36;
  const d = ((94.5 / (b + c) - 3) / b + 1) * Math.sqrt((a * Math.PI) / 2) * n;
  let x = d * 2 * p;
  let y = x ** (2 / n);
  if (y > 0.05 + a) {
    x = normalQuantile(p);
    y = x * x;
    if (n < 5) c += 0.3 * (n - 4.5) * (x + 0.6);
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c;
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x;
    y = Math.expm1(a * y * y);
  } else {
    y =
      ((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1) * ((n + 1) / (n + 2)) +
      1 / y;
  }
  return -Math.sqrt(n * y);
}

/**
 * The quantile of the negative binomial distribution with this mean and variance μ + μ²/r. For means up to 10,000, at
 * most 10⁷: for the least r, 0.01, the quantile at level 1 − 10⁻⁷.
 */
export function negativeBinomialQuantile(p: number, mean: number, r: number): number {
  if (mean > 10_000) {
    // The sum is long. Without much dispersion, the normal distribution is close; otherwise, the distribution of mean
    // 10,000 with the same ratio of its deviation to its mean.
    const dispersion = 1 / r + 1 / mean - 1e-4;
    return dispersion < 1e-4
      ? Math.round(mean + normalQuantile(p) * Math.sqrt(mean + (mean * mean) / r))
      : Math.round((mean / 10_000) * negativeBinomialQuantile(p, 10_000, 1 / dispersion));
  }
  const ratio = mean / (mean + r);
  let logProbability = -r * Math.log1p(mean / r);
  let k = 0;
  // Probabilities that would underflow do not count.
  for (; logProbability < -700; k++) logProbability += Math.log((ratio * (k + r)) / (k + 1));
  let probability = Math.exp(logProbability);
  let total = probability;
  for (; total < p && k < 1e7; k++) {
    probability *= (ratio * (k + r)) / (k + 1);
    if (total + probability === total && k > mean) break;
    total += probability;
  }
  return k;
}

/** Draws from the gamma distribution with scale 1 (Marsaglia and Tsang, 2000). */
export function gammaNumber(random: Random, shape: number): number {
  if (shape < 1) return gammaNumber(random, shape + 1) * (1 - uniformNumber(random)) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normalNumber(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - uniformNumber(random)) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Draws from the Poisson distribution: sums of exponential numbers, halved by gamma numbers if the mean is large. */
export function poissonNumber(random: Random, mean: number): number {
  if (mean > 30) {
    // Ahrens and Dieter, 1974: the time of event number m is a gamma number.
    const m = Math.floor((7 / 8) * mean);
    const time = gammaNumber(random, m);
    return time > mean ? binomialNumber(random, m - 1, mean / time) : m + poissonNumber(random, mean - time);
  }
  const limit = Math.exp(-mean);
  let product = 1 - uniformNumber(random);
  let count = 0;
  for (; product > limit; count++) product *= 1 - uniformNumber(random);
  return count;
}

function binomialNumber(random: Random, count: number, probability: number): number {
  let successes = 0;
  for (let i = 0; i < count; i++) if (uniformNumber(random) < probability) successes++;
  return successes;
}
