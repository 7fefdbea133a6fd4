/**
 * The outputs of forecasters. A distribution has `size` outputs per step. The first one is its location; forecasters
 * add the last level or season of the series to it. Values are scaled.
 */

import {
  abs,
  add,
  concat,
  divide,
  log,
  matmul,
  multiply,
  normalNumber,
  type Random,
  reshape,
  scale,
  slice,
  softplus,
  sqrt,
  subtract,
  sum,
  type Tensor,
  type Variable,
} from '../index';
import { lastOf } from '../tensor/arrays';
import { checkArray, checkFunctions, checkNames, checkNumber, checkSome } from '../tensor/shape';
import { logGammaRatio } from './log-gamma';
import {
  gammaNumber,
  negativeBinomialQuantile,
  normalProbability,
  normalQuantile,
  poissonNumber,
  studentQuantile,
} from './probability';

/** A distribution that a forecaster predicts: {@link quantiles}, {@link gaussian} and so on return one. */
export interface Distribution {
  readonly name: 'point' | 'quantiles' | 'gaussian' | 'studentT' | 'negativeBinomial';
  /** The number of outputs per step. */
  readonly size: number;
  /** The levels of {@link quantiles}. */
  readonly levels?: readonly number[];
  /**
   * The loss of every target.
   *
   * @param outputs `[R, size]`
   * @param targets `[R]`, scaled
   * @param scales `[R]`, the scale of the series of each target
   * @returns `[R]`
   */
  readonly loss: (outputs: Variable, targets: Tensor, scales: Tensor) => Variable;
  /** Returns the quantile function of one step, scaled. The arguments are its outputs and the scale of the series. */
  readonly quantile: (outputs: ArrayLike<number>, scale: number) => (level: number) => number;
  /**
   * Draws a value of one step, scaled, from the distribution after it is stretched around its median by the factor
   * `spread`. Its outputs start at index `at`. Allocates nothing.
   */
  readonly sample: (outputs: ArrayLike<number>, at: number, scale: number, random: Random, spread: number) => number;
}

/** @throws TypeError if `distribution` is not a {@link Distribution} */
export const checkDistribution = (where: string, argument: string, distribution: Distribution): void =>
  checkFunctions(where, argument, distribution, 'a distribution, such as quantiles()', ['loss', 'quantile', 'sample']);

const least = 1e-3;

/** softplus(x) = ln(1 + eˣ) of a number, which does not overflow. */
const softplusOf = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** The column `index` of `[R, P]`, as `[R]`. */
const column = (x: Variable, index: number): Variable => reshape(slice(x, index, index + 1, 1), [x.shape[0]!]);

/**
 * A single value per step: the median, trained with the mean absolute error. The intervals of direct forecasts come
 * from the calibration on held-out data alone, as those of a Laplace distribution: train with validation steps, or use
 * {@link recalibrate}. Autoregressive forecasts have one path per network.
 *
 * @example
 * const values = Float64Array.from({ length: 60 }, (_, t) => 10 + (t % 4));
 * const model = forecaster({ horizon: 4, seasons: [4], distribution: point() });
 * const fitted = await fitForecaster(model, [{ name: 'a', values }], { steps: 5 });
 * const [next] = forecast(fitted, [{ name: 'a', values }], { levels: [0.1, 0.5, 0.9] });
 * next!.quantiles.length; // 4
 */
export function point(): Distribution {
  return {
    name: 'point',
    size: 1,
    loss: (outputs, targets) => abs(subtract(column(outputs, 0), targets)),
    quantile: (outputs) => (level) =>
      outputs[0]! + 0.5 * (level < 0.5 ? Math.log(2 * level) : -Math.log(2 - 2 * level)),
    sample: (outputs, at) => outputs[at]!,
  };
}

/** The options of {@link quantiles}. */
export interface QuantilesOptions {
  /**
   * The levels, in order, between 0 and 1: 0.5, or some on both sides of it, since forecasts have a median. By default
   * 0.025, 0.05, 0.1, 0.2, …, 0.9, 0.95, 0.975.
   */
  readonly levels?: readonly number[] | undefined;
}

const defaultLevels = [0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975];

/**
 * Quantiles, trained with the pinball loss (Koenker and Bassett, 1978). They cannot cross: the outputs are the middle
 * quantile and the positive distances between neighbors. The default of {@link forecaster}: it assumes no shape of the
 * distribution.
 *
 * @throws RangeError if a level is not between 0 and 1, the levels are not in order, or all are below or above 0.5
 * @example
 * const values = Float64Array.from({ length: 60 }, (_, t) => 10 + (t % 4));
 * const model = forecaster({ horizon: 4, seasons: [4], distribution: quantiles({ levels: [0.1, 0.5, 0.9] }) });
 * const fitted = await fitForecaster(model, [{ name: 'a', values }], { steps: 5 });
 * const [next] = forecast(fitted, [{ name: 'a', values }], { levels: [0.1, 0.5, 0.9] });
 * next!.quantiles.length; // 4
 */
export function quantiles(options: QuantilesOptions = {}): Distribution {
  checkNames('quantiles', 'options', options, ['levels']);
  const { levels = defaultLevels } = options;
  checkLevels('quantiles', levels);
  // A forecast has a median, which must be between them or equal to one.
  checkNumber('quantiles', 'the first of levels', levels[0]!, 0, 0.5);
  checkNumber('quantiles', 'the last of levels', lastOf(levels)!, 0.5, 1);
  const Q = levels.length;
  const middle = Math.floor(Q / 2);
  // Quantile j is the location plus the distances from the middle up to j, or minus those down to j.
  const sign = (i: number, j: number): number => (i >= middle && i < j ? 1 : i < middle && i >= j ? -1 : 0);
  const matrix: Tensor = {
    shape: [Q - 1, Q],
    data: Float32Array.from({ length: (Q - 1) * Q }, (_, at) => sign(Math.floor(at / Q), at % Q)),
  };
  const z = levels.map(normalQuantile);
  const numberOf = normalNumberOf(levels);
  /** The quantile at the level of a standard normal number. Quantiles are linear in these numbers between levels. */
  const valueAt = (outputs: ArrayLike<number>, at: number, number: number): number => {
    if (Q === 1) return outputs[at]!;
    let above = 1;
    while (above < Q - 1 && z[above]! < number) above++;
    let value = outputs[at]!;
    for (let j = middle + 1; j < above; j++) value += softplusOf(outputs[at + j]!);
    for (let j = middle; j > above; j--) value -= softplusOf(outputs[at + j]!);
    const nearest = above > middle ? above - 1 : above;
    const part = (number - z[nearest]!) / (z[above]! - z[above - 1]!);
    return part === 0 ? value : value + part * softplusOf(outputs[at + above]!);
  };
  return {
    name: 'quantiles',
    size: Q,
    levels,
    loss: (outputs, targets) => {
      const R = outputs.shape[0]!;
      const location = slice(outputs, 0, 1, 1);
      const spread = Q === 1 ? 0 : matmul(softplus(slice(outputs, 1, Q, 1)), matrix);
      const error = subtract({ shape: [R, 1], data: targets.data }, add(location, spread));
      // |e|/2 + (level − ½) e is the pinball loss.
      const centered = { shape: [Q], data: Float32Array.from(levels, (level) => level - 0.5) };
      return scale(sum(add(scale(abs(error), 0.5), multiply(error, centered)), 1), 2 / Q);
    },
    quantile: (outputs) => (level) => valueAt(outputs, 0, numberOf(level)),
    sample: (outputs, at, _, random, spread) => {
      const median = valueAt(outputs, at, 0);
      return median + spread * (valueAt(outputs, at, normalNumber(random)) - median);
    },
  };
}

/** @throws RangeError if a level is not between 0 and 1, or the levels are not in order */
export function checkLevels(where: string, levels: readonly number[]): void {
  checkArray(where, 'levels', levels);
  checkSome(where, 'levels', levels.length, 'level');
  levels.forEach((level, i) => {
    checkNumber(where, 'levels', level, Number.MIN_VALUE, 1 - 2 ** -53);
    if (i > 0 && level <= levels[i - 1]!)
      throw new RangeError(`${where}: levels must increase, got ${level} after ${levels[i - 1]}.`);
  });
}

/** Returns the standard normal number of any level, finite for 0 and 1. */
function normalNumberOf(levels: readonly number[]): (level: number) => number {
  const low = Math.min(levels[0]!, 1e-9);
  const high = Math.max(lastOf(levels)!, 1 - 1e-9);
  const known = new Map<number, number>();
  return (level) => {
    const found = known.get(level);
    if (found !== undefined) return found;
    const number = normalQuantile(Math.min(Math.max(level, low), high));
    // Forecasts use the same few levels again and again.
    if (known.size < 100) known.set(level, number);
    return number;
  };
}

/** The standard deviation of an output. */
const deviationOf = (output: number): number => least + softplusOf(output);

/**
 * A normal distribution, trained with its negative log-likelihood.
 *
 * @example
 * const values = Float64Array.from({ length: 60 }, (_, t) => 10 + (t % 4));
 * const model = forecaster({ horizon: 4, seasons: [4], distribution: gaussian() });
 * const fitted = await fitForecaster(model, [{ name: 'a', values }], { steps: 5 });
 * const [next] = forecast(fitted, [{ name: 'a', values }], { levels: [0.1, 0.5, 0.9] });
 * next!.quantiles.length; // 4
 */
export function gaussian(): Distribution {
  return {
    name: 'gaussian',
    size: 2,
    loss: (outputs, targets) => {
      const deviation = add(softplus(column(outputs, 1)), least);
      const z = divide(subtract(targets, column(outputs, 0)), deviation);
      return add(add(scale(multiply(z, z), 0.5), log(deviation)), 0.5 * Math.log(2 * Math.PI));
    },
    quantile: (outputs) => (level) => outputs[0]! + deviationOf(outputs[1]!) * normalQuantile(level),
    sample: (outputs, at, _, random, spread) =>
      normalNumber(random, outputs[at]!, spread * deviationOf(outputs[at + 1]!)),
  };
}

/**
 * Student's t distribution with more than 2 degrees of freedom, for series with outliers.
 *
 * @example
 * const values = Float64Array.from({ length: 60 }, (_, t) => 10 + (t % 4));
 * const model = forecaster({ horizon: 4, seasons: [4], distribution: studentT() });
 * const fitted = await fitForecaster(model, [{ name: 'a', values }], { steps: 5 });
 * const [next] = forecast(fitted, [{ name: 'a', values }], { levels: [0.1, 0.5, 0.9] });
 * next!.quantiles.length; // 4
 */
export function studentT(): Distribution {
  const degreesOf = (output: number): number => 2 + least + softplusOf(output);
  return {
    name: 'studentT',
    size: 3,
    loss: (outputs, targets) => {
      const deviation = add(softplus(column(outputs, 1)), least);
      const degrees = add(softplus(column(outputs, 2)), 2 + least);
      const z = divide(subtract(targets, column(outputs, 0)), deviation);
      const tail = multiply(scale(add(degrees, 1), 0.5), log(add(1, divide(multiply(z, z), degrees))));
      const norm = subtract(log(sqrt(scale(degrees, Math.PI))), logGammaRatio(0.5, scale(degrees, 0.5)));
      return add(add(tail, norm), log(deviation));
    },
    quantile: (outputs) => (level) =>
      outputs[0]! + deviationOf(outputs[1]!) * studentQuantile(level, degreesOf(outputs[2]!)),
    sample: (outputs, at, _, random, spread) => {
      const degrees = degreesOf(outputs[at + 2]!);
      const chi = 2 * gammaNumber(random, degrees / 2);
      const deviation = spread * deviationOf(outputs[at + 1]!);
      return outputs[at]! + (deviation * normalNumber(random)) / Math.sqrt(chi / degrees);
    },
  };
}

/**
 * The negative binomial distribution, for counts: mean μ and variance μ + μ²/r. Use it with `scaling: 'mean'`, the
 * default for it, or `'none'`. The loss rounds values to integers. Losses are rounded to about 0.01 for counts of
 * 10,000 and 0.2 for counts of 100,000; their gradients are more exact.
 *
 * @example
 * const values = Float64Array.from({ length: 60 }, (_, t) => 10 + (t % 4));
 * const model = forecaster({ horizon: 4, seasons: [4], distribution: negativeBinomial() });
 * const fitted = await fitForecaster(model, [{ name: 'a', values }], { steps: 5 });
 * const [next] = forecast(fitted, [{ name: 'a', values }], { levels: [0.1, 0.5, 0.9] });
 * next!.quantiles.length; // 4
 */
export function negativeBinomial(): Distribution {
  const meanOf = (output: number, scaleOfSeries: number): number => scaleOfSeries * (least + softplusOf(output));
  const shapeOf = (output: number): number => 0.01 + softplusOf(output);
  return {
    name: 'negativeBinomial',
    size: 2,
    loss: (outputs, targets, scales) => {
      const counts = { shape: targets.shape, data: targets.data.map((x, i) => Math.round(x * scales.data[i]!)) };
      const mean = multiply(scales, add(softplus(column(outputs, 0)), least));
      const r = add(softplus(column(outputs, 1)), 0.01);
      const odds = subtract(log(mean), log(r));
      const failures = add(multiply(r, softplus(odds)), multiply(counts, softplus(scale(odds, -1))));
      const factorials = { shape: targets.shape, data: counts.data.map(logFactorial) };
      return add(subtract(failures, logGammaRatio(counts, r)), factorials);
    },
    quantile: (outputs, scaleOfSeries) => {
      const [mean, r] = [meanOf(outputs[0]!, scaleOfSeries), shapeOf(outputs[1]!)];
      return (level) => negativeBinomialQuantile(level, mean, r) / scaleOfSeries;
    },
    sample: (outputs, at, scaleOfSeries, random, spread) => {
      const mean = meanOf(outputs[at]!, scaleOfSeries);
      const r = shapeOf(outputs[at + 1]!);
      if (spread !== 1) {
        const level = normalProbability(spread * normalNumber(random));
        return negativeBinomialQuantile(level, mean, r) / scaleOfSeries;
      }
      return poissonNumber(random, (gammaNumber(random, r) * mean) / r) / scaleOfSeries;
    },
  };
}

function logFactorial(n: number): number {
  if (n > 64) {
    const y = n + 1;
    return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * y) - 1 / (360 * y ** 3);
  }
  let sumOfLogs = 0;
  for (let i = 2; i <= n; i++) sumOfLogs += Math.log(i);
  return sumOfLogs;
}

/** Adds location shifts `[R]` to the outputs `[R, size]`. */
export function shiftLocation(outputs: Variable, shifts: Variable): Variable {
  const [R, P] = outputs.shape as [number, number];
  const located = add(slice(outputs, 0, 1, 1), reshape(shifts, [R, 1]));
  return P === 1 ? located : concat([located, slice(outputs, 1, P, 1)], 1);
}

/** The distribution of a file. */
export function distributionOf(name: Distribution['name'], levels: readonly number[] | undefined): Distribution {
  if (name === 'quantiles') return quantiles(levels && { levels });
  return { point, gaussian, studentT, negativeBinomial }[name]();
}
