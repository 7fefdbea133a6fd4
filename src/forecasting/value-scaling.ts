/** Scaling of the values of a series, fitted on its training part, and the inverse. */

import type { Forecaster } from './forecaster';
import type { CheckedSeries } from './series';

/**
 * How the values of each series are scaled: `'mean'` divides by the mean of |x|, `'standard'` subtracts the mean and
 * divides by the standard deviation, `'log'` and `'boxCox'` do the same after a logarithm or a power transformation
 * (Box and Cox, 1964) with the exponent of the greatest likelihood, from 0 to 1. Those two need positive values.
 * `'auto'` is `'log'` if all values are positive and none is below 5 % of the mean of its series, and otherwise
 * `'standard'`.
 */
export type Scaling = 'auto' | 'none' | 'mean' | 'standard' | 'log' | 'boxCox';

/** The fitted scaling of a series: (transform(x) − offset) / scale. Plain data. */
export interface ValueScaler {
  /** The exponent of the Box–Cox transformation; 0 is a logarithm, `null` no transformation. */
  readonly power: number | null;
  readonly offset: number;
  readonly scale: number;
}

const transform = (x: number, power: number | null): number => {
  if (power === null) return x;
  return power === 0 ? Math.log(x) : (x ** power - 1) / power;
};

/** The parts of a forecaster that limit the range of values. */
type Limits = Pick<Forecaster, 'scaling' | 'distribution'>;

/** Whether a value is outside of the range of a scaling or of counts. A missing one is not. */
export const isOutside = ({ scaling, distribution }: Limits, value: number): boolean =>
  needsPositive(scaling) ? value <= 0 : distribution.name === 'negativeBinomial' && value < 0;

const needsPositive = (scaling: Scaling): boolean => scaling === 'log' || scaling === 'boxCox';

/** @throws RangeError that names the series and the row of the first value that is outside of the range */
export function checkRange(where: string, limits: Limits, series: readonly CheckedSeries[]): void {
  const { scaling } = limits;
  const range = needsPositive(scaling) ? `positive for scaling '${scaling}'` : 'at least 0 for negativeBinomial';
  for (const { name, values } of series) {
    const row = values.findIndex((value) => isOutside(limits, value));
    if (row >= 0)
      throw new RangeError(
        `${where}: series ${name}, column values, row ${row}: must be ${range}, got ${values[row]}.`,
      );
  }
}

/**
 * Fits the scaling of the first `trained` values. If they are constant or missing, it is that of all values. Values
 * must be positive if the scaling needs it.
 *
 * @throws RangeError if the series is constant or has no values
 */
export function fitValueScaler(
  label: string,
  scaling: Scaling,
  values: Float64Array,
  trained: number = values.length,
): ValueScaler {
  const all = values.filter((value) => !Number.isNaN(value));
  if (all.length === 0) throw new RangeError(`${label}: at least one value must be observed.`);
  if (scaling === 'none') return { power: null, offset: 0, scale: 1 };
  const first = scalerOf(
    scaling,
    values.subarray(0, trained).filter((value) => !Number.isNaN(value)),
  );
  const scaler = first.scale > 0 ? first : scalerOf(scaling, all);
  if (scaler.scale > 0) return scaler;
  throw new RangeError(`${label}: is constant, ${all[0]}, so it has no scale. Remove it, or set scaling: 'none'.`);
}

/** The scaling of observed values; its scale is not positive if they have none. */
function scalerOf(scaling: Scaling, values: Float64Array): ValueScaler {
  if (scaling === 'mean') return { power: null, offset: 0, scale: momentsOf(values.map(Math.abs)).mean };
  const power = scaling === 'standard' ? null : scaling === 'log' ? 0 : likeliestPower(values);
  const transformed = values.map((value) => transform(value, power));
  const { mean, deviation } = momentsOf(transformed);
  // Different values can be equal after the transformation, and rounding can make the deviation of equal ones positive:
  // the error of a power is relative to x^power, so that of the transformation contains 1 / power; that of a logarithm
  // contains the relative error of x.
  const least = power === null ? 0 : 2 ** -49 * (Math.abs(mean) + 1 / (power || 1));
  const differ = transformed.some((value) => value !== transformed[0]) && deviation > least;
  return { power, offset: mean, scale: differ ? deviation : 0 };
}

/** The mean of values and their standard deviation, with the biased variance. */
export function momentsOf(values: Float64Array): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

function likeliestPower(values: Float64Array): number {
  const logs = values.reduce((sum, value) => sum + Math.log(value), 0);
  const loss = (power: number): number => {
    const { deviation } = momentsOf(values.map((value) => transform(value, power)));
    return values.length * Math.log(deviation) - (power - 1) * logs;
  };
  // The likelihood is concave (Kouider and Chen, 1995), so thirds with lower ones can be left out.
  let [low, high] = [0, 1];
  while (high - low > 1e-6) {
    const third = (high - low) / 3;
    if (loss(low + third) < loss(high - third)) high -= third;
    else low += third;
  }
  // Exactly 0 or 1 at a limit of the interval.
  return Math.round(1e5 * low) / 1e5;
}

export function scaleValue({ power, offset, scale }: ValueScaler, x: number): number {
  return (transform(x, power) - offset) / scale;
}

export function unscaleValue({ power, offset, scale }: ValueScaler, y: number): number {
  const x = y * scale + offset;
  if (power === null) return x;
  // Below the range of the power transformation, its inverse is 0.
  return power === 0 ? Math.exp(x) : Math.max(0, power * x + 1) ** (1 / power);
}
