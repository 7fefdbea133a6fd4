/** Layer normalization: accuracy, extreme values, layers with padding, and streaming. */

import {
  advance,
  compute,
  createRandom,
  full,
  layerNorm,
  layerNormalize,
  lstm,
  mean,
  multiply,
  normal,
  predict,
  recurrent,
  runModel,
  sequential,
  stream,
  type Tensor,
  tensor,
  uniformNumber,
  useKernels,
  valueAndGradient,
} from 'bptt';
import { afterAll, describe, expect, it } from 'vitest';

afterAll(() => useKernels(undefined));

/** Layer normalization in double precision. */
const reference = (
  { shape, data }: Tensor,
  gain: ArrayLike<number>,
  bias: ArrayLike<number>,
  epsilon: number,
): number[] => {
  const n = shape.at(-1)!;
  return Array.from({ length: data.length / n }, (_, r) => {
    const x = [...data.subarray(r * n, (r + 1) * n)];
    const center = x.reduce((sum, value) => sum + value, 0) / n;
    const variance = x.reduce((sum, value) => sum + (value - center) ** 2, 0) / n;
    return x.map((value, j) => (gain[j]! * (value - center)) / Math.sqrt(variance + epsilon) + bias[j]!);
  }).flat();
};

describe.each(['portable', undefined] as const)('kernels %s', (kernels) => {
  it.each([1, 2, 3, 4, 7, 16, 100, 513])(
    'rows of size %d match double precision within 1e-5, for small and large means and deviations',
    (n) => {
      useKernels(kernels);
      const random = createRandom(n);
      const [gain, bias] = [normal(0, 1)([n], random), normal(0, 1)([n], random)];
      for (const [center, spread] of [
        [0, 1],
        [1000, 1],
        [-3, 1e-3],
        [1e-4, 1e-5],
        [0, 1e15],
      ] as const) {
        const x = tensor(
          Float32Array.from({ length: 5 * n }, () => center + spread * uniformNumber(random, -1, 1)),
          [5, n],
        );
        const { data } = compute({ x, gain, bias }, (p) => layerNormalize(p.x, { gain: p.gain, bias: p.bias }));
        reference(x, gain.data, bias.data, 1e-5).forEach((value, i) =>
          expect(Math.abs(data[i]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value))),
        );
      }
    },
  );

  it.each([1, 3, 4, 13, 513, 1000])('%d equal values of any size give the bias and a finite gradient', (n) => {
    useKernels(kernels);
    const random = createRandom(n);
    for (const size of [1e-30, 1, 1e4, 1e7, 1e10, 1e18, 1e30, 1e38]) {
      const x = full([2, n], size * uniformNumber(random, 1, 2));
      const bias = normal(0, 1)([n], random);
      const weights = normal(0, 1)([n], random);
      const { results, gradient } = valueAndGradient({ x, bias }, (p) => {
        const output = layerNormalize(p.x, { bias: p.bias });
        return { value: mean(multiply(output, weights)), results: output };
      });
      expect([...results.data]).toEqual([...bias.data, ...bias.data]);
      expect([...gradient.x.data].every(Number.isFinite)).toBe(true);
    }
  });

  it('outputs and gradients are finite if squares overflow or values differ only in the last digit', () => {
    useKernels(kernels);
    const random = createRandom(1);
    for (const n of [2, 7, 513])
      for (const size of [1e8, 1e15, 1e19, 1e25])
        for (const spread of [1e-6, 1]) {
          const x = tensor(
            Float32Array.from({ length: n }, () => size * (1 + spread * uniformNumber(random, -1, 1))),
            [1, n],
          );
          const { results, gradient } = valueAndGradient({ x }, (p) => {
            const output = layerNormalize(p.x);
            return { value: mean(multiply(output, output)), results: output };
          });
          expect([...results.data, ...gradient.x.data].every(Number.isFinite), `${n} values of size ${size}`).toBe(
            true,
          );
        }
  });
});

it('padding gives zeros and no gradient, even if it is NaN', () => {
  const model = sequential([layerNorm()], { inputSize: 3 });
  const x = normal(0, 1)([4, 2, 3], createRandom(1));
  x.data.fill(NaN, 3, 6 * 3).set(normal(0, 1)([3], createRandom(2)).data, 3);
  const lengths = Int32Array.of(1, 1);
  const { results, gradient } = valueAndGradient(model.parameters, (p) => {
    const { output } = runModel(model, p, x, { lengths });
    return { value: mean(multiply(output, output)), results: output };
  });
  expect([...results.data.subarray(6)]).toEqual(new Array(18).fill(0));
  expect([...results.data.subarray(0, 6)].every((value) => Number.isFinite(value) && value !== 0)).toBe(true);
  expect([...gradient['layerNorm']!['gain']!.data].every(Number.isFinite)).toBe(true);
});

it('streaming equals prediction of the whole sequence', () => {
  const model = sequential([recurrent(lstm(), { hiddenSize: 5 }), layerNorm({ epsilon: 1e-3 })], {
    inputSize: 3,
    seed: 2,
  });
  model.data.set(normal(0, 0.5)([model.data.length], createRandom(3)).data);
  const x = normal(0, 1)([4, 2, 3], createRandom(1));
  const whole = predict(model, x);
  const session = stream(model, { batchSize: 2 });
  for (let t = 0; t < 4; t++) {
    advance(session, tensor(x.data.slice(t * 6, t * 6 + 6), [2, 3])).data.forEach((value, i) =>
      expect(value).toBeCloseTo(whole.data[t * 10 + i]!, 6),
    );
  }
});

it('rejects a gain of another size, empty rows, and a negative epsilon', () => {
  expect(() => compute({}, () => layerNormalize(full([2, 3], 1), { gain: full([2], 1) }))).toThrow(
    'layerNormalize: gain must be [n] = [3], got [2]',
  );
  expect(() => compute({}, () => layerNormalize(full([2, 0], 1)))).toThrow('layerNormalize: x');
  expect(() => compute({}, () => layerNormalize(full([2, 3], 1), { epsilon: -1 }))).toThrow('layerNormalize: epsilon');
  expect(() => layerNorm({ epsilon: -1 })).toThrow('layerNorm: epsilon');
});
