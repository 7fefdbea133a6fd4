/**
 * The season of a series by STL: seasonal and trend decomposition by locally weighted regression (Cleveland, Cleveland,
 * McRae and Terpenning, 1990, "STL: A Seasonal-Trend Decomposition Procedure Based on Loess").
 */

/** The number of seasons in the window that smooths each step of the season. */
const seasonWindow = 11;

/** The seasonal part of every value. The series must have at least two seasons of `m` steps. */
export function seasonalPart(values: Float64Array, m: number): Float64Array {
  const N = values.length;
  const trendWindow = nextOdd((1.5 * m) / (1 - 1.5 / seasonWindow));
  let trend: Float64Array = new Float64Array(N);
  let season: Float64Array = new Float64Array(N);
  for (let pass = 0; pass < 2; pass++) {
    const detrended = values.map((value, t) => value - trend[t]!);
    const cycles = smoothCycles(detrended, m);
    const low = loess(movingAverage(movingAverage(movingAverage(cycles, m), m), 3), nextOdd(m), 1, 0, N);
    season = low.map((value, t) => cycles[m + t]! - value);
    const adjusted = values.map((value, t) => value - season[t]!);
    trend = loess(adjusted, trendWindow, 1, 0, N);
  }
  return season;
}

const nextOdd = (x: number): number => 2 * Math.floor(Math.ceil(x) / 2) + 1;

/** Smooths each step of the season over all seasons. The result begins one season earlier and ends one later. */
function smoothCycles(values: Float64Array, m: number): Float64Array {
  const smoothed = new Float64Array(values.length + 2 * m);
  for (let phase = 0; phase < m; phase++) {
    const cycle = Float64Array.from(
      { length: Math.ceil((values.length - phase) / m) },
      (_, i) => values[i * m + phase]!,
    );
    loess(cycle, seasonWindow, 0, -1, cycle.length + 1).forEach((value, i) => {
      smoothed[i * m + phase] = value;
    });
  }
  return smoothed;
}

/** The means of every `width` consecutive values. */
function movingAverage(values: Float64Array, width: number): Float64Array {
  let sum = 0;
  const means = values.map((value, t) => {
    sum += value - (values[t - width] ?? 0);
    return sum / width;
  });
  return means.subarray(width - 1);
}

/**
 * Locally weighted regression at the steps from `from` up to, but not including, `to`, which may be outside of the
 * values: a mean (degree 0) or a line (degree 1) through the nearest `width` values, with tricube weights.
 */
function loess(values: Float64Array, width: number, degree: 0 | 1, from: number, to: number): Float64Array {
  const n = values.length;
  const size = Math.min(width, n);
  const smoothed = new Float64Array(to - from);
  let weights: Float64Array = new Float64Array(0);
  let position = NaN;
  for (let at = from; at < to; at++) {
    const first = Math.max(0, Math.min(n - size, at - (size >> 1)));
    // All windows in the middle have the same weights.
    if (at - first !== position) weights = weightsAt(at - first, size, Math.max(0, (width - n) >> 1), degree, n);
    position = at - first;
    for (let j = 0; j < size; j++) smoothed[at - from]! += weights[j]! * values[first + j]!;
  }
  return smoothed;
}

/** The weights of the values of a window, whose sum is the regression at position `at` of the window. */
function weightsAt(at: number, size: number, beyond: number, degree: 0 | 1, n: number): Float64Array {
  const reach = Math.max(at, size - 1 - at) + beyond;
  const weights = Float64Array.from({ length: size }, (_, j) => {
    const distance = Math.abs(j - at) / reach;
    // Products, since powers take ten times as long.
    const rest = 1 - distance * distance * distance;
    return distance > 0.999 ? 0 : rest * rest * rest;
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const center = weights.reduce((sum, weight, j) => sum + weight * j, 0) / total;
  const spread = weights.reduce((sum, weight, j) => sum + weight * (j - center) * (j - center), 0) / total;
  const isLine = degree === 1 && Math.sqrt(spread) > 0.001 * (n - 1);
  return weights.map((weight, j) => (weight / total) * (isLine ? 1 + ((at - center) * (j - center)) / spread : 1));
}
