/** Mixture densities: compared with the formula in double precision, integration, sampling and training. */

import {
  adam,
  chain,
  checkGradients,
  clipByNorm,
  compute,
  createRandom,
  dense,
  fit,
  full,
  lstm,
  mixtureMean,
  mixtureNegativeLogLikelihood,
  mixtureParameters,
  mixtureSize,
  normal,
  normalNumber,
  predict,
  recurrent,
  type Sequential,
  sampleMixture,
  sequential,
  type Tensor,
  tanh,
  tensor,
  uniformNumber,
  valueAndGradient,
} from 'bptt';
import { describe, expect, it } from 'vitest';

/** The parameters of one output, in double precision. */
function parametersOf(
  x: readonly number[],
  D: number,
): { weight: number; means: number[]; deviations: number[]; correlation: number }[] {
  const K = x.length / (1 + 2 * D + (D === 2 ? 1 : 0));
  const total = x.slice(0, K).reduce((sum, logit) => sum + Math.exp(logit), 0);
  const vector = (from: number, k: number): number[] => x.slice(from * K + k * D, from * K + (k + 1) * D);
  return Array.from({ length: K }, (_, k) => ({
    weight: Math.exp(x[k]!) / total,
    means: vector(1, k),
    deviations: vector(1 + D, k).map((value) => 1e-3 + Math.exp(value)),
    correlation: D === 2 ? 0.999 * Math.tanh(x[5 * K + k]!) : 0,
  }));
}

/** The negative log-likelihood, by its formula in double precision. */
function reference(outputs: Tensor, targets: Tensor): number[] {
  const [width, D] = [outputs.shape.at(-1)!, targets.shape.at(-1)!];
  return Array.from({ length: targets.data.length / D }, (_, row) => {
    const components = parametersOf([...outputs.data.subarray(row * width, (row + 1) * width)], D);
    return -Math.log(
      components.reduce((density, { weight, means, deviations, correlation: rho }) => {
        const z = means.map((mean, d) => (targets.data[row * D + d]! - mean) / deviations[d]!);
        const area = deviations.reduce(
          (product, deviation) => product * deviation * Math.sqrt(2 * Math.PI),
          Math.sqrt(1 - rho * rho),
        );
        const square = z.reduce((sum, value) => sum + value * value, 0) - (D === 2 ? 2 * rho * z[0]! * z[1]! : 0);
        return density + (weight * Math.exp(-square / 2 / (1 - rho * rho))) / area;
      }, 0),
    );
  });
}

describe.each([1, 2, 3])('of vectors of size %d', (size) => {
  const width = mixtureSize({ components: 4, size });
  const [outputs, targets] = [
    normal(0, 1)([3, 2, width], createRandom(1)),
    normal(0, 1)([3, 2, size], createRandom(2)),
  ];

  it('has the value of the formula and the gradient of finite differences', () => {
    const losses = compute({ outputs }, (p) => mixtureNegativeLogLikelihood(p.outputs, targets, { reduction: 'none' }));
    expect(losses.shape).toEqual([3, 2]);
    reference(outputs, targets).forEach((value, i) =>
      expect(Math.abs(losses.data[i]! - value)).toBeLessThan(2e-6 * Math.max(1, Math.abs(value))),
    );
    expect(
      checkGradients({ outputs, targets }, (p) => mixtureNegativeLogLikelihood(p.outputs, p.targets)).error,
    ).toBeLessThan(1e-7);
    const lengths = Int32Array.of(3, 1);
    const padded = { shape: outputs.shape, data: outputs.data.slice() };
    padded.data.fill(NaN, 3 * width, 4 * width).fill(NaN, 5 * width);
    const valid = compute({ padded }, (p) =>
      mixtureNegativeLogLikelihood(p.padded, targets, { reduction: 'sum', lengths }),
    ).data[0]!;
    expect(valid).toBeCloseTo(
      [0, 1, 2, 4].reduce((sum, i) => sum + losses.data[i]!, 0),
      4,
    );
  });

  it('has the parameters of the formula', () => {
    const { weights, means, deviations, correlations } = mixtureParameters(outputs, size);
    const mean = mixtureMean(outputs, size);
    expect(mean.shape).toEqual([3, 2, size]);
    expect(() => mixtureMean(full([4, 7], 0), 3 - size)).toThrow(/^mixtureMean: /);
    expect([weights, means, deviations, correlations].map(({ shape }) => shape)).toEqual([
      [3, 2, 4],
      [3, 2, 4, size],
      [3, 2, 4, size],
      [3, 2, 4],
    ]);
    const expectClose = (got: ArrayLike<number>, expected: number[]): void =>
      expected.forEach((value, i) =>
        expect(Math.abs(got[i]! - value)).toBeLessThan(2e-6 * Math.max(1, Math.abs(value))),
      );
    for (let row = 0; row < 6; row++) {
      const components = parametersOf([...outputs.data.subarray(row * width, (row + 1) * width)], size);
      expectClose(
        weights.data.subarray(row * 4),
        components.map(({ weight }) => weight),
      );
      expectClose(
        means.data.subarray(row * 4 * size),
        components.flatMap((component) => component.means),
      );
      expectClose(
        deviations.data.subarray(row * 4 * size),
        components.flatMap((component) => component.deviations),
      );
      expectClose(
        correlations.data.subarray(row * 4),
        components.map(({ correlation }) => correlation),
      );
      expectClose(
        mean.data.subarray(row * size),
        Array.from({ length: size }, (_, d) =>
          components.reduce((sum, { weight, means: m }) => sum + weight * m[d]!, 0),
        ),
      );
    }
  });

  it('is finite, with a finite gradient, for distant targets, tiny deviations and full correlations', () => {
    for (const value of [-1e4, -50, 50, 1e4]) {
      const extreme = full([1, width], value);
      const { value: loss, gradient } = valueAndGradient({ extreme }, (p) =>
        mixtureNegativeLogLikelihood(p.extreme, full([1, size], 3)),
      );
      expect(Number.isFinite(loss), `${value}`).toBe(true);
      expect([...gradient.extreme.data].every(Number.isFinite)).toBe(true);
    }
  });
});

it('with one component is the likelihood of a Gaussian', () => {
  const losses = compute(
    {
      x: tensor([
        [5, 0.5, Math.log(2)],
        [-5, -1, Math.log(0.1)],
      ]),
    },
    (p) => mixtureNegativeLogLikelihood(p.x, tensor([[3.5], [-1.2]]), { reduction: 'none' }),
  );
  [
    [3, 2.001],
    [-0.2, 0.101],
  ].forEach(([distance, deviation], i) =>
    expect(losses.data[i]).toBeCloseTo(
      0.5 * Math.log(2 * Math.PI) + Math.log(deviation!) + (distance! / deviation!) ** 2 / 2,
      5,
    ),
  );
});

it('is accurate to 1e-4 if correlations are full', () => {
  const random = createRandom(4);
  for (const r of [-30, -9, -4, -2, 2, 4, 9, 30]) {
    const outputs = normal(0, 1)([50, 12], random);
    for (let row = 0; row < 50; row++) outputs.data.fill(r, 12 * row + 10, 12 * row + 12);
    const targets = normal(0, 1)([50, 2], random);
    const losses = compute({ outputs }, (p) => mixtureNegativeLogLikelihood(p.outputs, targets, { reduction: 'none' }));
    const expected = reference(outputs, targets);
    expected.forEach(
      (value, i) =>
        Number.isFinite(value) &&
        expect(Math.abs(losses.data[i]! - value), `${r}`).toBeLessThan(1e-4 * Math.max(1, Math.abs(value))),
    );
    expect(expected.filter(Number.isFinite).length).toBeGreaterThan(25);
  }
});

it('is a density: it integrates to 1 over a plane', () => {
  const outputs = normal(0, 0.5)([1, mixtureSize({ components: 3, size: 2 })], createRandom(5));
  const [n, span] = [200, 8];
  const grid = tensor(
    Float32Array.from(
      { length: n * n * 2 },
      (_, i) => ((i % 2 === 0 ? Math.floor(i / 2 / n) : Math.floor(i / 2) % n) + 0.5) * ((2 * span) / n) - span,
    ),
    [n * n, 2],
  );
  const all = { shape: [n * n, 18], data: Float32Array.from({ length: n * n * 18 }, (_, i) => outputs.data[i % 18]!) };
  const losses = compute({ all }, (p) => mixtureNegativeLogLikelihood(p.all, grid, { reduction: 'none' }));
  expect(losses.data.reduce((sum, value) => sum + Math.exp(-value), 0) * ((2 * span) / n) ** 2).toBeCloseTo(1, 2);
});

it('samples have the moments of the mixture; at temperature 0 they are the mean of the most likely component', () => {
  // Two components, 0.25 at (0, 0) and 0.75 at (4, −2), deviations 1 and ½, correlation 0.8.
  const output = [
    0,
    Math.log(3),
    0,
    0,
    4,
    -2,
    0,
    Math.log(0.5),
    0,
    Math.log(0.5),
    Math.atanh(0.8 / 0.999),
    Math.atanh(0.8 / 0.999),
  ];
  const rows = 20_000;
  const outputs = { shape: [rows, 12], data: Float32Array.from({ length: rows * 12 }, (_, i) => output[i % 12]!) };
  const { data } = sampleMixture(outputs, { size: 2, random: createRandom(3) });
  const second = Array.from({ length: rows }, (_, i) => [data[2 * i]!, data[2 * i + 1]!] as const).filter(
    ([x, y]) => x - y > 3,
  );
  expect(second.length / rows).toBeCloseTo(0.75, 1);
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [mx, my] = [mean(second.map(([x]) => x)), mean(second.map(([, y]) => y))];
  expect(mx).toBeCloseTo(4, 1);
  expect(my).toBeCloseTo(-2, 1);
  expect(mean(second.map(([x, y]) => (x - mx) * (y - my))) / 0.5).toBeCloseTo(0.8, 1);
  const means = sampleMixture(outputs, { size: 2, random: createRandom(3), temperature: 0 }).data;
  expect(new Set(means.map((value) => Math.round(1000 * value) / 1000))).toEqual(new Set([4, -2]));
  expect(sampleMixture(outputs, { size: 2, random: createRandom(9) })).toEqual(
    sampleMixture(outputs, { size: 2, random: createRandom(9) }),
  );
});

it('fits a multivalued relation better than one Gaussian (Bishop, 1994)', async () => {
  const random = createRandom(1);
  const values = Float32Array.from({ length: 400 }, () => uniformNumber(random));
  const inputs = tensor(
    values.map((y) => y + 0.3 * Math.sin(2 * Math.PI * y) + 0.03 * normalNumber(random)),
    [1, 400, 1],
  );
  const targets = tensor(values, [1, 400, 1]);
  const train = async (components: number): Promise<number> => {
    const model: Sequential = sequential(
      [dense({ size: 20, activation: tanh }), dense({ size: mixtureSize({ components, size: 1 }) })],
      { inputSize: 1, seed: 2 },
    );
    const { losses } = await fit(
      model,
      { batchCount: 1, batches: () => [{ inputs, targets }] },
      { loss: mixtureNegativeLogLikelihood, optimizer: chain(clipByNorm(1), adam(0.02)), steps: 600 },
    );
    return losses.at(-1)!;
  };
  const [single, several] = [await train(1), await train(4)];
  expect(several).toBeLessThan(single - 0.4);
});

it('predicts a distribution for every step of a sequence', () => {
  const model = sequential(
    [recurrent(lstm(), { hiddenSize: 4 }), dense({ size: mixtureSize({ components: 2, size: 2 }) })],
    { inputSize: 2 },
  );
  const { means } = mixtureParameters(predict(model, full([5, 3, 2], 1)), 2);
  expect(means.shape).toEqual([5, 3, 2, 2]);
});

it('rejects outputs with a fractional number of components, and targets that do not fit', () => {
  expect(() => compute({ x: full([2, 5], 0) }, (p) => mixtureNegativeLogLikelihood(p.x, full([2, 2], 0)))).toThrow(
    'outputs must be […, K·6] for vectors of size 2, got [2, 5]',
  );
  expect(() => compute({ x: full([2, 6], 0) }, (p) => mixtureNegativeLogLikelihood(p.x, full([3, 2], 0)))).toThrow(
    'targets must be […, D] = [2, *], got [3, 2]',
  );
  expect(() => compute({ x: full([6], 0) }, (p) => mixtureNegativeLogLikelihood(p.x, 0))).toThrow(
    'targets must be […, D]',
  );
  expect(() => mixtureSize({ components: 0, size: 1 })).toThrow('mixtureSize: components');
});
