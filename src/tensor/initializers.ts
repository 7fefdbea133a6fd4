/** How weights begin. An initializer is a function from a shape and a generator to a tensor. */

import { normalNumber, uniformNumber, type Random } from './random';
import { checkNumber, formatShape, sizeOf, type Shape } from './shape';
import { full, type Tensor } from './tensor';

/**
 * Makes the first value of a parameter. Cells call it once for each gate block: `[I, H]` for input weights, `[H, H]` for recurrent
 * weights; for a bias it sees all gates at once, `[G·H]`, with `blocks` = G, which is what {@link forgetBias} needs.
 */
export type Initializer = (shape: Shape, random: Random, blocks?: number) => Tensor;

/** All zeros. */
export function zeros(): Initializer {
  return constant(0);
}

/** All ones. */
export function ones(): Initializer {
  return constant(1);
}

/** One value everywhere. @throws RangeError where the value is not finite */
export function constant(value: number): Initializer {
  checkNumber('constant', 'value', value);
  return (shape) => full(shape, value);
}

/** Uniform in [low, high). @throws RangeError where a bound is not finite */
export function uniform(low = -0.05, high = 0.05): Initializer {
  checkNumber('uniform', 'low', low);
  checkNumber('uniform', 'high', high, low);
  return (shape, random) => draw(shape, () => uniformNumber(random, low, high));
}

/** Normal with the given mean and standard deviation. @throws RangeError where the deviation is negative */
export function normal(mean = 0, standardDeviation = 0.05): Initializer {
  checkNumber('normal', 'mean', mean);
  checkNumber('normal', 'standardDeviation', standardDeviation, 0);
  return (shape, random) => draw(shape, () => normalNumber(random, mean, standardDeviation));
}

/**
 * Normal, with draws further than two standard deviations from the mean drawn again, as in Keras. What comes out has 0.8796 of the
 * given deviation. @throws RangeError where the deviation is negative
 */
export function truncatedNormal(mean = 0, standardDeviation = 0.05): Initializer {
  checkNumber('truncatedNormal', 'mean', mean);
  checkNumber('truncatedNormal', 'standardDeviation', standardDeviation, 0);
  return (shape, random) => draw(shape, () => mean + standardDeviation * truncated(random));
}

/** Uniform with variance 2 / (fanIn + fanOut): limits ±√(6 / (fanIn + fanOut)) (Glorot and Bengio, 2010). */
export function glorotUniform(gain = 1): Initializer {
  return scaled('glorotUniform', gain, (fanIn, fanOut) => 2 / (fanIn + fanOut), spreadUniform);
}

/** Normal with variance 2 / (fanIn + fanOut) (Glorot and Bengio, 2010). */
export function glorotNormal(gain = 1): Initializer {
  return scaled('glorotNormal', gain, (fanIn, fanOut) => 2 / (fanIn + fanOut), normalNumber);
}

/** Uniform with variance 2 / fanIn, for ReLU (He et al., 2015, arXiv 1502.01852). */
export function heUniform(gain = 1): Initializer {
  return scaled('heUniform', gain, (fanIn) => 2 / fanIn, spreadUniform);
}

/** Normal with variance 2 / fanIn, for ReLU (He et al., 2015, arXiv 1502.01852). */
export function heNormal(gain = 1): Initializer {
  return scaled('heNormal', gain, (fanIn) => 2 / fanIn, normalNumber);
}

/** Uniform with variance 1 / fanIn (LeCun et al., 1998, "Efficient BackProp"). */
export function lecunUniform(gain = 1): Initializer {
  return scaled('lecunUniform', gain, (fanIn) => 1 / fanIn, spreadUniform);
}

/** Normal with variance 1 / fanIn (LeCun et al., 1998, "Efficient BackProp"). */
export function lecunNormal(gain = 1): Initializer {
  return scaled('lecunNormal', gain, (fanIn) => 1 / fanIn, normalNumber);
}

/**
 * The identity matrix times `gain`: a rectified network that starts by remembering everything
 * (Le, Jaitly and Hinton, 2015, arXiv 1504.00941). Every gate block of a gated cell becomes the identity.
 *
 * @throws RangeError on use, where the shape is not a matrix
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
 * Zero but for the second gate block, which is `value`: the forget gate of an LSTM's bias, `i f g o`, begins open
 * (Gers, Schmidhuber and Cummins, 2000; Jozefowicz et al., 2015).
 *
 * @throws RangeError on use, where the shape is not a bias of four gate blocks
 * @example
 * forgetBias()([8], createRandom(1), 4).data; // Float32Array [0, 0, 1, 1, 0, 0, 0, 0]
 */
export function forgetBias(value = 1): Initializer {
  checkNumber('forgetBias', 'value', value);
  return (shape, _random, blocks) => {
    if (shape.length !== 1 || blocks !== 4) {
      throw new RangeError(`forgetBias: expected the bias [4·H] of an LSTM, got shape ${formatShape(shape)} of ${blocks ?? 1} gate blocks.`);
    }
    const hiddenSize = shape[0]! / blocks;
    const result = full(shape, 0);
    result.data.fill(value, hiddenSize, 2 * hiddenSize);
    return result;
  };
}

/**
 * A random orthogonal matrix times `gain`, uniform over all of them (Saxe et al., 2013, arXiv 1312.6120); where rows and columns differ,
 * the shorter side is orthonormal. Made as a product of random Householder reflections of growing size (Stewart, 1980, "The efficient
 * generation of random orthogonal matrices"), which needs no factorization: 4/3·n³ operations.
 *
 * @throws RangeError on use, where the shape is not a matrix
 */
export function orthogonal(gain = 1): Initializer {
  checkNumber('orthogonal', 'gain', gain);
  return (shape, random) => {
    const [rows, columns] = matrix('orthogonal', shape);
    const n = Math.max(rows, columns);
    const q = randomOrthogonal(n, random);
    return { shape, data: Float32Array.from({ length: rows * columns }, (_, i) => gain * q[Math.floor(i / columns) * n + (i % columns)]!) };
  };
}

function randomOrthogonal(n: number, random: Random): Float64Array {
  const q = new Float64Array(n * n);
  const v = new Float64Array(n);
  const product = new Float64Array(n);
  for (let first = n - 1; first >= 0; first--) {
    // Reflect the trailing block, rows and columns first…n−1; its first row and column are still those of the identity.
    let squares = 0;
    for (let i = first; i < n; i++) {
      v[i] = normalNumber(random);
      squares += v[i]! * v[i]!;
    }
    const sign = v[first]! < 0 ? -1 : 1;
    v[first] = v[first]! + sign * Math.sqrt(squares);
    squares = 0;
    for (let i = first; i < n; i++) squares += v[i]! * v[i]!;
    // The sign makes the distribution uniform: the reflection alone always sends the drawn vector to the same side.
    q[first * n + first] = -sign;
    if (squares > 0) reflectRows(q, v, product, first, n, 2 / squares);
  }
  return q;
}

/** Q ← Q − scale · v (vᵀ Q) on the trailing block, four rows at a time to spare the memory. */
function reflectRows(q: Float64Array, v: Float64Array, product: Float64Array, first: number, n: number, scale: number): void {
  product.fill(0, first);
  let i = first;
  for (; i + 4 <= n; i += 4) {
    const [v0, v1, v2, v3] = [v[i]!, v[i + 1]!, v[i + 2]!, v[i + 3]!];
    for (let j = first, r = i * n + first; j < n; j++, r++) {
      product[j] = product[j]! + v0 * q[r]! + v1 * q[r + n]! + v2 * q[r + 2 * n]! + v3 * q[r + 3 * n]!;
    }
  }
  for (; i < n; i++) for (let j = first; j < n; j++) product[j] = product[j]! + v[i]! * q[i * n + j]!;
  for (i = first; i < n; i++) {
    const factor = scale * v[i]!;
    for (let j = first, r = i * n + first; j < n; j++, r++) q[r] = q[r]! - factor * product[j]!;
  }
}

function draw(shape: Shape, next: () => number): Tensor {
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = next();
  return { shape, data };
}

function truncated(random: Random): number {
  for (;;) {
    const value = normalNumber(random);
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
    const [fanIn, fanOut] = matrix(name, shape);
    const standardDeviation = gain * Math.sqrt(variance(fanIn, fanOut));
    return draw(shape, () => next(random, 0, standardDeviation));
  };
}

function matrix(name: string, shape: Shape): [rows: number, columns: number] {
  const [rows, columns] = shape;
  if (shape.length !== 2 || rows === undefined || columns === undefined) {
    throw new RangeError(`${name}: expected a matrix [fanIn, fanOut], got shape ${formatShape(shape)}. Biases want zeros() or constant().`);
  }
  return [rows, columns];
}
