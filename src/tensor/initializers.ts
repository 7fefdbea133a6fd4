/** Initializers of parameters: functions from a shape and a random number generator to a tensor. */

import { centeredNormal, normalNumber, type Random, uniformNumber } from './random';
import { checkNumber, formatShape, outOfRange, type Shape } from './shape';
import { full, type Tensor } from './tensor';

/**
 * Creates the initial value of a parameter. Cells call it once per gate block for input weights `[I, H]` and recurrent
 * weights `[H, H]`, and once for the bias of all gates `[G·H]`, with `blocks` = G.
 */
export type Initializer = (shape: Shape, random: Random, blocks?: number) => Tensor;

/**
 * Initializes with zeros.
 *
 * @example
 * zeros()([2], createRandom(1)).data; // Float32Array [0, 0]
 */
export function zeros(): Initializer {
  return constant(0);
}

/**
 * Initializes with ones.
 *
 * @example
 * ones()([2], createRandom(1)).data; // Float32Array [1, 1]
 */
export function ones(): Initializer {
  return constant(1);
}

/**
 * Initializes with one value.
 *
 * @throws RangeError if the value is not finite
 * @example
 * constant(0.5)([2], createRandom(1)).data; // Float32Array [0.5, 0.5]
 */
export function constant(value: number): Initializer {
  checkNumber('constant', 'value', value);
  return (shape) => full(shape, value);
}

/**
 * Initializes with values drawn uniformly from [low, high).
 *
 * @param low −0.05 by default, as in Keras
 * @param high 0.05 by default
 * @throws RangeError if a bound is not finite, or `high` is less than `low`
 * @example
 * Math.abs(uniform(-0.1, 0.1)([1], createRandom(1)).data[0]!) <= 0.1; // true
 */
export function uniform(low = -0.05, high = 0.05): Initializer {
  checkNumber('uniform', 'low', low);
  checkNumber('uniform', 'high', high, low);
  return (shape, random) => draw(shape, () => uniformNumber(random, low, high));
}

/**
 * Initializes with values from a normal distribution.
 *
 * @param mean 0 by default
 * @param standardDeviation 0.05 by default, as in Keras
 * @throws RangeError if an argument is not finite, or the standard deviation is negative
 * @example
 * normal(0, 0.05)([2, 3], createRandom(1)).shape; // [2, 3]
 */
export function normal(mean = 0, standardDeviation = 0.05): Initializer {
  checkNumber('normal', 'mean', mean);
  checkNumber('normal', 'standardDeviation', standardDeviation, 0);
  return (shape, random) => draw(shape, () => normalNumber(random, mean, standardDeviation));
}

/**
 * Initializes with values from a truncated normal distribution, as in Keras: values more than two standard deviations
 * from the mean are redrawn. The standard deviation of the result is 0.8796 times the given one.
 *
 * @param mean 0 by default
 * @param standardDeviation that before the truncation; 0.05 by default, as in Keras
 * @throws RangeError if an argument is not finite, or the standard deviation is negative
 * @example
 * Math.max(...truncatedNormal(0, 1)([100], createRandom(1)).data) <= 2; // true
 */
export function truncatedNormal(mean = 0, standardDeviation = 0.05): Initializer {
  checkNumber('truncatedNormal', 'mean', mean);
  checkNumber('truncatedNormal', 'standardDeviation', standardDeviation, 0);
  return (shape, random) => draw(shape, () => mean + standardDeviation * truncated(random));
}

/**
 * Initializes with a uniform distribution of variance 2 / (fanIn + fanOut), with limits
 * ±√(6 / (fanIn + fanOut)) (Glorot and Bengio, 2010).
 *
 * @param gain the factor of the standard deviation; 1 by default
 * @throws RangeError if `gain` is negative or not finite; on use, if the shape is not that of a matrix or a convolution
 * @example
 * Math.abs(glorotUniform()([3, 3], createRandom(1)).data[0]!) <= 1; // true
 */
export function glorotUniform(gain = 1): Initializer {
  return scaled('glorotUniform', gain, (fanIn, fanOut) => 2 / (fanIn + fanOut), spreadUniform);
}

/**
 * Initializes with a normal distribution of variance 2 / (fanIn + fanOut) (Glorot and Bengio, 2010).
 *
 * @param gain the factor of the standard deviation; 1 by default
 * @throws as {@link glorotUniform}
 * @example
 * glorotNormal()([2, 3], createRandom(1)).shape; // [2, 3]
 */
export function glorotNormal(gain = 1): Initializer {
  return scaled('glorotNormal', gain, (fanIn, fanOut) => 2 / (fanIn + fanOut), normalNumber);
}

/**
 * Initializes with a uniform distribution of variance 2 / fanIn, for ReLU (He et al., 2015, arXiv 1502.01852).
 *
 * @param gain the factor of the standard deviation; 1 by default
 * @throws as {@link glorotUniform}
 * @example
 * Math.abs(heUniform()([6, 3], createRandom(1)).data[0]!) <= 1; // true
 */
export function heUniform(gain = 1): Initializer {
  return scaled('heUniform', gain, (fanIn) => 2 / fanIn, spreadUniform);
}

/**
 * Initializes with a normal distribution of variance 2 / fanIn, for ReLU (He et al., 2015, arXiv 1502.01852).
 *
 * @param gain the factor of the standard deviation; 1 by default
 * @throws as {@link glorotUniform}
 * @example
 * heNormal()([2, 3], createRandom(1)).shape; // [2, 3]
 */
export function heNormal(gain = 1): Initializer {
  return scaled('heNormal', gain, (fanIn) => 2 / fanIn, normalNumber);
}

/**
 * Initializes with a uniform distribution of variance 1 / fanIn (LeCun et al., 1998, "Efficient BackProp").
 *
 * @param gain the factor of the standard deviation; 1 by default
 * @throws as {@link glorotUniform}
 * @example
 * Math.abs(lecunUniform()([3, 3], createRandom(1)).data[0]!) <= 1; // true
 */
export function lecunUniform(gain = 1): Initializer {
  return scaled('lecunUniform', gain, (fanIn) => 1 / fanIn, spreadUniform);
}

/**
 * Initializes with a normal distribution of variance 1 / fanIn (LeCun et al., 1998, "Efficient BackProp").
 *
 * @param gain the factor of the standard deviation; 1 by default
 * @throws as {@link glorotUniform}
 * @example
 * lecunNormal()([2, 3], createRandom(1)).shape; // [2, 3]
 */
export function lecunNormal(gain = 1): Initializer {
  return scaled('lecunNormal', gain, (fanIn) => 1 / fanIn, normalNumber);
}

/**
 * Initializes with the identity matrix times `gain`, so that a ReLU network initially preserves its hidden state (Le,
 * Jaitly and Hinton, 2015, arXiv 1504.00941). In a gated cell, every gate block becomes the identity.
 *
 * @param gain 1 by default
 * @throws RangeError if `gain` is not finite; on use, if the shape is not that of a matrix
 * @example
 * identity(0.5)([2, 2], createRandom(1)).data; // Float32Array [0.5, 0, 0, 0.5]
 */
export function identity(gain = 1): Initializer {
  checkNumber('identity', 'gain', gain);
  return (shape) => {
    const [rows, columns] = matrix('identity', shape);
    const result = full(shape, 0);
    for (let i = 0; i < Math.min(rows, columns); i++) result.data[i * columns + i] = gain;
    return result;
  };
}

/**
 * Initializes the bias of an LSTM, gates `i f g o`, with `value` for the forget gate and zeros elsewhere, so that the
 * forget gate is initially open (Gers, Schmidhuber and Cummins, 2000; Jozefowicz et al., 2015).
 *
 * @param value 1 by default
 * @throws RangeError if the value is not finite; on use, if the shape is not that of a bias of four gate blocks
 * @example
 * forgetBias()([8], createRandom(1), 4).data; // Float32Array [0, 0, 1, 1, 0, 0, 0, 0]
 */
export function forgetBias(value = 1): Initializer {
  checkNumber('forgetBias', 'value', value);
  return (shape, _random, blocks) => {
    if (shape.length !== 1 || blocks !== 4) {
      throw outOfRange('forgetBias', 'the parameter', 'the bias [4·H] of an LSTM', `shape ${formatShape(shape)}`);
    }
    const hiddenSize = shape[0]! / blocks;
    const result = full(shape, 0);
    result.data.fill(value, hiddenSize, 2 * hiddenSize);
    return result;
  };
}

/**
 * Initializes the bias of a gated cell so that its units remember for 1 to `longest` time steps, each for a different
 * span (chrono initialization: Tallec and Ollivier, 2018, arXiv 1804.11188). With u uniform in [1, longest − 1) per
 * unit, the forget gate of an LSTM (`i f g o`) gets log u and its input gate −log u, and the gate z of a GRU (`r z n`)
 * gets log u. All other biases are zero.
 *
 * @param longest the longest time span to remember, in time steps
 * @throws RangeError if `longest` is less than 2; on use, if the shape is not that of a bias of one, three or four gate
 * blocks
 * @example
 * const bias = chronoBias(100)([8], createRandom(1), 4).data;
 * bias[0] === -bias[2]! && bias[2]! > 0 && bias[3]! < Math.log(99); // true
 * bias.slice(4); // Float32Array [0, 0, 0, 0]
 */
export function chronoBias(longest: number): Initializer {
  checkNumber('chronoBias', 'longest', longest, 2);
  return (shape, random, blocks = 1) => {
    if (shape.length !== 1 || ![1, 3, 4].includes(blocks)) {
      throw outOfRange('chronoBias', 'the parameter', 'the bias of an LSTM or GRU', `shape ${formatShape(shape)}`);
    }
    const hiddenSize = shape[0]! / blocks;
    const result = full(shape, 0);
    for (let unit = 0; blocks > 1 && unit < hiddenSize; unit++) {
      const span = Math.log(uniformNumber(random, 1, longest - 1));
      result.data[hiddenSize + unit] = span;
      if (blocks === 4) result.data[unit] = -span;
    }
    return result;
  };
}

/**
 * Initializes with a random orthogonal matrix times `gain`, uniformly distributed over all orthogonal matrices (Saxe et
 * al., 2013, arXiv 1312.6120). If the matrix is not square, its rows or columns, whichever are fewer, are orthonormal.
 *
 * The matrix is a product of random Householder reflections of increasing size (Stewart, 1980, "The efficient
 * generation of random orthogonal matrices"), which needs no factorization: 4/3·n³ operations.
 *
 * @param gain 1 by default
 * @throws RangeError if `gain` is not finite; on use, if the shape is not that of a matrix
 * @example
 * const q = orthogonal()([2, 2], createRandom(1)).data;
 * Math.abs(q[0]! * q[1]! + q[2]! * q[3]!) < 1e-6; // true
 */
export function orthogonal(gain = 1): Initializer {
  checkNumber('orthogonal', 'gain', gain);
  return (shape, random) => {
    const [rows, columns] = matrix('orthogonal', shape);
    const n = Math.max(rows, columns);
    const q = randomOrthogonal(n, random);
    const result = full(shape, 0);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) result.data[i * columns + j] = gain * q[i * n + j]!;
    return result;
  };
}

/** Returns `[n + 1, n]`: the matrix, and a row of zeros that lets {@link reflectColumns} process rows in pairs. */
function randomOrthogonal(n: number, random: Random): Float64Array {
  const q = new Float64Array((n + 1) * n);
  const v = new Float64Array(n * 4); // [n, 4]: four vectors, interleaved
  const scale = new Float64Array(4); // 2 / |v|² per vector
  for (let end = n; end > 0; end -= 4) {
    const first = Math.max(end - 4, 0);
    v.fill(0, 4 * first);
    scale.fill(0);
    for (let row = end - 1, k = 0; row >= first; row--, k++) {
      let squares = 0;
      for (let i = row; i < n; i++) {
        const value = centeredNormal(random, 1);
        v[4 * i + k] = value;
        squares += value ** 2;
      }
      const head = v[4 * row + k]!;
      const sign = head < 0 ? -1 : 1;
      const norm = Math.sqrt(squares);
      v[4 * row + k] = head + sign * norm;
      scale[k] = norm > 0 ? 1 / (norm * (norm + Math.abs(head))) : 0;
      // The sign makes the distribution uniform: the reflection alone always maps the drawn vector to the same side.
      q[row * n + row] = -sign;
    }
    reflectColumns(q, v, scale, first, n);
  }
  return q;
}

/**
 * Computes Q ← Q · (I − s₀v₀v₀ᵀ) ⋯ (I − s₃v₃v₃ᵀ) on the trailing block, rows and columns first…n−1. From a row x it
 * subtracts f₀v₀ + … + f₃v₃, where fₖ = sₖ · (x·vₖ − Σ_{l<k} fₗ (vₗ·vₖ)) accounts for the previous reflections.
 * Processing two rows and four vectors at a time reduces memory traffic.
 */
function reflectColumns(q: Float64Array, v: Float64Array, scale: Float64Array, first: number, n: number): void {
  const [v01, v02, v03] = [dot(v, 0, 1), dot(v, 0, 2), dot(v, 0, 3)];
  const [v12, v13, v23] = [dot(v, 1, 2), dot(v, 1, 3), dot(v, 2, 3)];
  const [s0, s1, s2, s3] = [scale[0]!, scale[1]!, scale[2]!, scale[3]!];
  for (let i = first; i < n; i += 2) {
    const row = i * n + first;
    let [f0, f1, f2, f3] = [0, 0, 0, 0];
    let [g0, g1, g2, g3] = [0, 0, 0, 0];
    for (let j = 4 * first, r = row; j < 4 * n; j += 4, r++) {
      const x = q[r]!;
      const y = q[r + n]!;
      const a = v[j]!;
      const b = v[j + 1]!;
      const c = v[j + 2]!;
      const d = v[j + 3]!;
      f0 += x * a;
      f1 += x * b;
      f2 += x * c;
      f3 += x * d;
      g0 += y * a;
      g1 += y * b;
      g2 += y * c;
      g3 += y * d;
    }
    f0 *= s0;
    g0 *= s0;
    f1 = s1 * (f1 - f0 * v01);
    g1 = s1 * (g1 - g0 * v01);
    f2 = s2 * (f2 - f0 * v02 - f1 * v12);
    g2 = s2 * (g2 - g0 * v02 - g1 * v12);
    f3 = s3 * (f3 - f0 * v03 - f1 * v13 - f2 * v23);
    g3 = s3 * (g3 - g0 * v03 - g1 * v13 - g2 * v23);
    for (let j = 4 * first, r = row; j < 4 * n; j += 4, r++) {
      const a = v[j]!;
      const b = v[j + 1]!;
      const c = v[j + 2]!;
      const d = v[j + 3]!;
      q[r] = q[r]! - f0 * a - f1 * b - f2 * c - f3 * d;
      q[r + n] = q[r + n]! - g0 * a - g1 * b - g2 * c - g3 * d;
    }
  }
}

/** Computes vₖ·vₗ of four interleaved vectors. */
function dot(v: Float64Array, k: number, l: number): number {
  let sum = 0;
  for (let j = 0; j < v.length; j += 4) sum += v[j + k]! * v[j + l]!;
  return sum;
}

function draw(shape: Shape, next: () => number): Tensor {
  const result = full(shape, 0);
  for (let i = 0; i < result.data.length; i++) result.data[i] = next();
  return result;
}

function truncated(random: Random): number {
  for (;;) {
    const value = centeredNormal(random, 1);
    if (Math.abs(value) <= 2) return value;
  }
}

function spreadUniform(random: Random, mean: number, standardDeviation: number): number {
  const limit = Math.sqrt(3) * standardDeviation;
  return uniformNumber(random, mean - limit, mean + limit);
}

function scaled(
  name: string,
  gain: number,
  variance: (fanIn: number, fanOut: number) => number,
  next: (random: Random, mean: number, standardDeviation: number) => number,
): Initializer {
  checkNumber(name, 'gain', gain, 0);
  return (shape, random) => {
    const [fanIn, fanOut] = fans(name, shape);
    const standardDeviation = gain * Math.sqrt(variance(fanIn, fanOut));
    return draw(shape, () => next(random, 0, standardDeviation));
  };
}

/** The numbers of inputs and outputs of a matrix `[I, O]`, or of the windows of a convolution `[k, I, O]`. */
function fans(name: string, shape: Shape): [fanIn: number, fanOut: number] {
  if (shape.length !== 3) return matrix(name, shape);
  const [k, I, O] = shape as [number, number, number];
  return [k * I, k * O];
}

function matrix(name: string, shape: Shape): [rows: number, columns: number] {
  if (shape.length !== 2)
    throw outOfRange(name, 'the parameter', 'a matrix [fanIn, fanOut]', `shape ${formatShape(shape)}`);
  return shape as [number, number];
}
