import {
  type Cell,
  constant,
  createRandom,
  forgetBias,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type Initializer,
  identity,
  initializeCell,
  layerNormLstm,
  lecunNormal,
  lecunUniform,
  lstm,
  lstmWith,
  normal,
  ones,
  orthogonal,
  type ParameterSpec,
  projectedLstm,
  relu,
  type Tensor,
  tensor,
  truncatedNormal,
  uniform,
  zeros,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const [fanIn, fanOut] = [400, 250];
const count = fanIn * fanOut;

function moment(values: Float32Array, power: number): number {
  return values.reduce((sum, value) => sum + value ** power, 0) / values.length;
}

function maximumAbsolute(values: Float32Array): number {
  return values.reduce((maximum, value) => Math.max(maximum, Math.abs(value)), 0);
}

/** The variance of the standard normal distribution truncated at ±2. */
const truncatedVariance = 0.8796256610342398 ** 2;

interface Expected {
  readonly name: string;
  readonly initializer: Initializer;
  readonly mean?: number;
  readonly variance: number;
  /** The fourth central moment divided by the squared variance: 1.8 uniform, 3 normal, 2.37 truncated normal. */
  readonly kurtosis: number;
  readonly limit?: number;
}

const distributions: readonly Expected[] = [
  { name: 'uniform()', initializer: uniform(), variance: 0.1 ** 2 / 12, kurtosis: 1.8, limit: 0.05 },
  { name: 'uniform(1, 3)', initializer: uniform(1, 3), mean: 2, variance: 4 / 12, kurtosis: 1.8, limit: 1 },
  { name: 'normal()', initializer: normal(), variance: 0.05 ** 2, kurtosis: 3 },
  { name: 'normal(2, 0.5)', initializer: normal(2, 0.5), mean: 2, variance: 0.25, kurtosis: 3 },
  {
    name: 'truncatedNormal()',
    initializer: truncatedNormal(),
    variance: 0.05 ** 2 * truncatedVariance,
    kurtosis: 2.37,
    limit: 0.1,
  },
  {
    name: 'truncatedNormal(-1, 2)',
    initializer: truncatedNormal(-1, 2),
    mean: -1,
    variance: 4 * truncatedVariance,
    kurtosis: 2.37,
    limit: 4,
  },
  {
    name: 'glorotUniform()',
    initializer: glorotUniform(),
    variance: 2 / (fanIn + fanOut),
    kurtosis: 1.8,
    limit: Math.sqrt(6 / (fanIn + fanOut)),
  },
  { name: 'glorotNormal()', initializer: glorotNormal(), variance: 2 / (fanIn + fanOut), kurtosis: 3 },
  {
    name: 'glorotUniform(3)',
    initializer: glorotUniform(3),
    variance: 18 / (fanIn + fanOut),
    kurtosis: 1.8,
    limit: 3 * Math.sqrt(6 / (fanIn + fanOut)),
  },
  { name: 'heUniform()', initializer: heUniform(), variance: 2 / fanIn, kurtosis: 1.8, limit: Math.sqrt(6 / fanIn) },
  { name: 'heNormal()', initializer: heNormal(), variance: 2 / fanIn, kurtosis: 3 },
  {
    name: 'lecunUniform()',
    initializer: lecunUniform(),
    variance: 1 / fanIn,
    kurtosis: 1.8,
    limit: Math.sqrt(3 / fanIn),
  },
  { name: 'lecunNormal(2)', initializer: lecunNormal(2), variance: 4 / fanIn, kurtosis: 3 },
];

describe(`distributions of shape [${fanIn}, ${fanOut}] match their moments within five standard errors`, () => {
  it.each(distributions)('$name', ({ initializer, mean = 0, variance, kurtosis, limit }) => {
    const { shape, data } = initializer([fanIn, fanOut], createRandom(11));
    expect(shape).toEqual([fanIn, fanOut]);
    expect(Math.abs(moment(data, 1) - mean)).toBeLessThan(5 * Math.sqrt(variance / count));
    const centered = data.map((value) => value - mean);
    expect(Math.abs(moment(centered, 2) / variance - 1)).toBeLessThan(5 * Math.sqrt((kurtosis - 1) / count));
    // The standard error of the kurtosis is √(24 / n) for the normal distribution and smaller for the others.
    expect(Math.abs(moment(centered, 4) / moment(centered, 2) ** 2 - kurtosis)).toBeLessThan(
      5 * Math.sqrt(24 / count) + 0.01,
    );
    if (limit === undefined) return;
    // The values stay within the limit and come close to it.
    expect(maximumAbsolute(centered)).toBeLessThanOrEqual(limit * (1 + 1e-6));
    expect(maximumAbsolute(centered)).toBeGreaterThan(limit * 0.99);
  });

  it('truncatedNormal has 0.8796 times the given standard deviation', () => {
    const { data } = truncatedNormal(0, 1)([1000, 1000], createRandom(1));
    expect(Math.abs(Math.sqrt(moment(data, 2)) - 0.8796)).toBeLessThan(0.003);
  });

  it('equal seeds give equal weights, and a second draw from the same generator differs', () => {
    for (const { initializer } of [...distributions, { initializer: orthogonal() }]) {
      const random = createRandom(5);
      const first = initializer([9, 7], random);
      expect(initializer([9, 7], createRandom(5))).toEqual(first);
      expect(initializer([9, 7], random)).not.toEqual(first);
    }
  });
});

describe('fixed values', () => {
  const random = createRandom(1);

  it('zeros, ones and constant fill the tensor', () => {
    expect(zeros()([2, 3], random)).toEqual({ shape: [2, 3], data: new Float32Array(6) });
    expect(ones()([2], random).data).toEqual(Float32Array.of(1, 1));
    expect(constant(-0.5)([2], random).data).toEqual(Float32Array.of(-0.5, -0.5));
  });

  it('identity scales by gain and supports matrices that are not square', () => {
    expect(identity()([2, 2], random).data).toEqual(Float32Array.of(1, 0, 0, 1));
    expect(identity(0.5)([2, 3], random).data).toEqual(Float32Array.of(0.5, 0, 0, 0, 0.5, 0));
    expect(identity(2)([3, 2], random).data).toEqual(Float32Array.of(2, 0, 0, 2, 0, 0));
  });

  it('forgetBias sets the second of four gate blocks', () => {
    expect(forgetBias()([8], random, 4).data).toEqual(Float32Array.of(0, 0, 1, 1, 0, 0, 0, 0));
    expect(forgetBias(2)([4], random, 4).data).toEqual(Float32Array.of(0, 2, 0, 0));
  });
});

describe('orthogonal', () => {
  /** The maximum deviation of the Gram matrix of the rows (or of the columns, if there are fewer) from gain² I. */
  function deviation({ shape, data }: Tensor, gain: number): number {
    const [rows, columns] = [shape[0]!, shape[1]!];
    const [vectors, length] = rows <= columns ? [rows, columns] : [columns, rows];
    const at = (vector: number, i: number): number =>
      rows <= columns ? data[vector * columns + i]! : data[i * columns + vector]!;
    let worst = 0;
    for (let a = 0; a < vectors; a++) {
      for (let b = 0; b <= a; b++) {
        let product = 0;
        for (let i = 0; i < length; i++) product += at(a, i) * at(b, i);
        worst = Math.max(worst, Math.abs(product - (a === b ? gain ** 2 : 0)));
      }
    }
    return worst;
  }

  const shapes = [
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
    [5, 5],
    [7, 7],
    [8, 8],
    [9, 9],
    [64, 64],
    [3, 8],
    [8, 3],
    [1, 6],
    [6, 1],
    [50, 33],
    [130, 131],
  ];

  it.each(shapes)('[%i, %i]: QᵀQ or QQᵀ is gain² I within 1e-6', (rows, columns) => {
    for (const gain of [1, 1.5])
      expect(deviation(orthogonal(gain)([rows, columns], createRandom(3)), gain)).toBeLessThan(1e-6 * gain ** 2);
  });

  it('is orthogonal within 1e-6 at 512 × 512', () => {
    expect(deviation(orthogonal()([512, 512], createRandom(1)), 1)).toBeLessThan(1e-6);
  });

  // Under the uniform (Haar) distribution over orthogonal n×n matrices: E qᵢⱼ = 0, E qᵢⱼ² = 1/n, E qᵢⱼ⁴ = 3/(n(n+2)),
  // E (tr Q)² = 1, E det Q = 0.
  it.each([2, 3, 5, 6])(
    'is uniformly distributed at size %i: moments of the entries, the trace and the determinant',
    (n) => {
      const rounds = 20_000;
      const random = createRandom(n);
      const initializer = orthogonal();
      const [first, second, fourth] = [new Float64Array(n * n), new Float64Array(n * n), new Float64Array(n * n)];
      let [trace, traceSquares, determinants] = [0, 0, 0];
      for (let round = 0; round < rounds; round++) {
        const { data } = initializer([n, n], random);
        data.forEach((value, i) => {
          first[i]! += value / rounds;
          second[i]! += value ** 2 / rounds;
          fourth[i]! += value ** 4 / rounds;
        });
        let diagonal = 0;
        for (let i = 0; i < n; i++) diagonal += data[i * n + i]!;
        trace += diagonal / rounds;
        traceSquares += diagonal ** 2 / rounds;
        determinants += determinant(data, n) / rounds;
      }
      const error = 5 / Math.sqrt(rounds);
      for (let i = 0; i < n * n; i++) {
        expect(Math.abs(first[i]!)).toBeLessThan(error / Math.sqrt(n));
        expect(Math.abs(second[i]! - 1 / n)).toBeLessThan(error * Math.sqrt(3 / (n * (n + 2)) - 1 / n ** 2));
        expect(Math.abs(fourth[i]! - 3 / (n * (n + 2)))).toBeLessThan(
          error * Math.sqrt(105 / (n * (n + 2) * (n + 4) * (n + 6))),
        );
      }
      expect(Math.abs(trace)).toBeLessThan(error);
      expect(Math.abs(traceSquares - 1)).toBeLessThan(error * Math.sqrt(2));
      expect(Math.abs(determinants)).toBeLessThan(error);
    },
  );

  function determinant(values: Float32Array, n: number): number {
    const a = Float64Array.from(values);
    let product = 1;
    for (let k = 0; k < n; k++) {
      let pivot = k;
      for (let i = k + 1; i < n; i++) if (Math.abs(a[i * n + k]!) > Math.abs(a[pivot * n + k]!)) pivot = i;
      if (pivot !== k) product = -product;
      for (let j = 0; j < n; j++) [a[k * n + j], a[pivot * n + j]] = [a[pivot * n + j]!, a[k * n + j]!];
      product *= a[k * n + k]!;
      for (let i = k + 1; i < n; i++) {
        const factor = a[i * n + k]! / a[k * n + k]!;
        for (let j = k; j < n; j++) a[i * n + j]! -= factor * a[k * n + j]!;
      }
    }
    return product;
  }
});

describe('initializers reject', () => {
  const random = createRandom(1);

  it.each([
    [
      'a bias for glorotUniform',
      () => glorotUniform()([8], random),
      'glorotUniform: the parameter must be a matrix [fanIn, fanOut], got shape [8].',
    ],
    [
      'a bias for orthogonal',
      () => orthogonal()([8], random),
      'orthogonal: the parameter must be a matrix [fanIn, fanOut], got shape [8].',
    ],
    [
      'three axes for identity',
      () => identity()([2, 2, 2], random),
      'identity: the parameter must be a matrix [fanIn, fanOut], got shape [2, 2, 2].',
    ],
    [
      'three gate blocks for forgetBias',
      () => forgetBias()([6], random, 3),
      'forgetBias: the parameter must be the bias [4·H] of an LSTM, got shape [6].',
    ],
    [
      'a negative standard deviation',
      () => normal(0, -1),
      'normal: standardDeviation must be a finite number of at least 0, got -1.',
    ],
    [
      'a lower bound above the upper bound',
      () => uniform(1, 0),
      'uniform: high must be a finite number of at least 1, got 0.',
    ],
    ['a non-finite gain', () => orthogonal(NaN), 'orthogonal: gain must be a finite number, got NaN.'],
    ['a non-finite constant', () => constant(Infinity), 'constant: value must be a finite number, got Infinity.'],
  ])('%s', (_, initializer, message) => {
    expect(initializer).toThrow(new RangeError(message));
  });
});

describe('a parameter without an initializer', () => {
  const cellOf = (parameters: Readonly<Record<string, ParameterSpec>>): Cell => ({
    name: 'own',
    state: ['h'],
    parameters: () => parameters,
    step: (_parameters, _x, state) => state,
  });
  const options = { inputSize: 3, hiddenSize: 4, random: 1 };

  it('is initialized by the default of its role', () => {
    const random = createRandom(1);
    const cell = cellOf({
      input: { role: 'input', shape: [3, 4], blocks: 1 },
      recurrent: { role: 'recurrent', shape: [4, 4], blocks: 1 },
      bias: { role: 'bias', shape: [4], blocks: 1 },
    });
    expect(initializeCell(cell, options)).toEqual({
      input: glorotUniform()([3, 4], random),
      recurrent: orthogonal()([4, 4], random),
      bias: zeros()([4], random),
    });
  });

  it('is rejected if it is a gain', () => {
    expect(() => initializeCell(cellOf({ gain: { role: 'gain', shape: [4], blocks: 1 } }), options)).toThrow(
      new TypeError('initializeCell: gain: the initializer must be a function, got undefined.'),
    );
  });
});

it.each([
  ['lstm', lstm()],
  ['lstmWith', lstmWith({ activation: relu })],
  ['projectedLstm', projectedLstm({ projectionSize: 3 })],
  ['layerNormLstm', layerNormLstm()],
])('the forget bias of %s is 1, its other biases are 0', (_, cell) => {
  const { bias } = initializeCell(cell as Cell, { inputSize: 1, hiddenSize: 2, random: 1 });
  expect(bias).toEqual(tensor([0, 0, 1, 1, 0, 0, 0, 0]));
});
