/** Simple forecasts to compare with. A method of a backtest is a function. */

import type { Forecast, Method, Series } from 'bptt/forecasting';

/** A forecast without intervals. */
const pointForecast = ({ name }: Series, median: readonly number[]): Forecast => ({
  name,
  times: undefined,
  levels: [0.5],
  quantiles: median.map((value) => [value]),
  median,
});

/** Creates a method from a function of the values so far and of the number of steps after the last one, from 0. */
export const methodOf =
  (predict: (values: ArrayLike<number>, k: number) => number): Method =>
  (_, { horizon }) =>
  (series) =>
    series.map((each) =>
      pointForecast(
        each,
        Array.from({ length: horizon }, (_, k) => predict(each.values, k)),
      ),
    );

/** The last value. */
export const lastValue: Method = methodOf((values) => values[values.length - 1]!);

/** Two harmonics of the year, fitted to the training data by least squares. */
export const climatology: Method = (training, { horizon }) => {
  const basis = (t: number): number[] => {
    const angle = (2 * Math.PI * t) / 365.25;
    return [1, Math.sin(angle), Math.cos(angle), Math.sin(2 * angle), Math.cos(2 * angle)];
  };
  const curves = new Map(training.map(({ name, values }) => [name, leastSquares(values, basis)]));
  return (series) =>
    series.map((each) => {
      const weights = curves.get(each.name)!;
      const at = (t: number): number => basis(t).reduce((sum, value, i) => sum + value * weights[i]!, 0);
      return pointForecast(
        each,
        Array.from({ length: horizon }, (_, k) => at(each.values.length + k)),
      );
    });
};

/** The weights of the basis functions with the least squared error. */
function leastSquares(values: ArrayLike<number>, basis: (t: number) => number[]): number[] {
  const n = basis(0).length;
  // The normal equations, `[n, n + 1]`: the last column is the right-hand side.
  const matrix = Array.from({ length: n }, () => new Array<number>(n + 1).fill(0));
  for (let t = 0; t < values.length; t++) {
    const row = [...basis(t), values[t]!];
    for (let i = 0; i < n; i++) for (let j = 0; j <= n; j++) matrix[i]![j]! += row[i]! * row[j]!;
  }
  // Gauss–Jordan elimination. It needs no pivoting, since the sums of squares on the diagonal are far from zero.
  for (let i = 0; i < n; i++) {
    const pivot = matrix[i]!.map((value) => value / matrix[i]![i]!);
    matrix[i] = pivot;
    for (let k = 0; k < n; k++)
      if (k !== i) matrix[k] = matrix[k]!.map((value, j) => value - matrix[k]![i]! * pivot[j]!);
  }
  return matrix.map((row) => row[n]!);
}
