/** Convolution: every path equals the definition, in values and gradients. */

import {
  type ConvolutionOptions,
  checkGradients,
  compute,
  convolve,
  createRandom,
  full,
  multiply,
  normal,
  type Padding,
  sum,
  type Tensor,
  tensor,
  useKernels,
  valueAndGradient,
} from 'bptt';
import { afterAll, describe, expect, it } from 'vitest';

afterAll(() => useKernels(undefined));

/** [T, B, I, O, k, options] */
type Case = readonly [T: number, B: number, I: number, O: number, k: number, options: ConvolutionOptions];

const cases: readonly Case[] = [
  ...(['valid', 'same', 'causal', [2, 1]] as const).flatMap((padding): Case[] => [
    [7, 3, 2, 5, 3, { padding }],
    [9, 2, 3, 2, 2, { padding, stride: 2 }],
    [9, 1, 2, 3, 4, { padding, stride: 3 }],
    [9, 1, 2, 3, 4, { padding }],
    [9, 2, 4, 6, 3, { padding, groups: 2, dilation: 2 }],
    [9, 2, 35, 3, 3, { padding }],
    [8, 2, 33, 4, 3, { padding, stride: 2, dilation: 2 }],
    [11, 1, 66, 4, 2, { padding, stride: 3, groups: 2 }],
    [9, 2, 5, 5, 3, { padding, groups: 5, dilation: 2 }],
    [9, 2, 21, 21, 3, { padding, groups: 21, stride: 2 }],
    [9, 2, 3, 6, 2, { padding, groups: 3 }],
  ]),
  [4, 2, 3, 2, 1, {}],
  [4, 2, 40, 2, 1, { stride: 2 }],
  [2, 2, 40, 2, 5, { padding: 'same', dilation: 3 }],
  [2, 2, 4, 4, 5, { padding: 'same', dilation: 3, groups: 4 }],
  [2, 2, 40, 2, 1, { padding: [3, 3] }],
  [0, 2, 3, 2, 2, { padding: 'same' }],
  [3, 0, 3, 2, 2, {}],
];

/** The padding before a sequence and the number of output steps. */
function placesOf(T: number, k: number, { padding = 'valid', stride = 1, dilation = 1 }: ConvolutionOptions) {
  const extent = (k - 1) * dilation + 1;
  const same = Math.max(0, (Math.ceil(T / stride) - 1) * stride + extent - T);
  const around = { valid: [0, 0], same: [same >> 1, same - (same >> 1)], causal: [extent - 1, 0] } as const;
  const [before, after] = typeof padding === 'string' ? around[padding] : padding;
  return { before, steps: T === 0 ? 0 : Math.floor((T + before + after - extent) / stride) + 1 };
}

/** The definition in double precision. */
function reference(x: Tensor, weight: Tensor, bias: Tensor, options: ConvolutionOptions): number[] {
  const [T, B, I] = x.shape as [number, number, number];
  const [k, inputs, O] = weight.shape as [number, number, number];
  const { stride = 1, dilation = 1, groups = 1 } = options;
  const { before, steps } = placesOf(T, k, options);
  const y: number[] = [];
  for (let t = 0; t < steps; t++)
    for (let b = 0; b < B; b++)
      for (let o = 0; o < O; o++) {
        let value = bias.data[o]!;
        for (let j = 0; j < k; j++) {
          const from = t * stride + j * dilation - before;
          if (from < 0 || from >= T) continue;
          for (let i = 0; i < inputs; i++)
            value +=
              x.data[(from * B + b) * I + Math.floor(o / (O / groups)) * inputs + i]! *
              weight.data[(j * inputs + i) * O + o]!;
        }
        y.push(value);
      }
  return y;
}

function drawn([T, B, I, O, k, { groups = 1 }]: Case) {
  const random = createRandom(T + 10 * I + k);
  const draw = (...shape: number[]): Tensor => normal(0, 1)(shape, random);
  return { x: draw(T, B, I), weight: draw(k, I / groups, O), bias: draw(O) };
}

describe.each(['portable', 'simd', undefined] as const)('kernels %s', (kernels) => {
  it.each(cases)('T %i, B %i, I %i, O %i, k %i, %j equals the definition within 1e-5', (...one) => {
    useKernels(kernels);
    const { x, weight, bias } = drawn(one);
    const { shape, data } = compute({ x, weight, bias }, (p) => convolve(p.x, p, one[5]));
    const expected = reference(x, weight, bias, one[5]);
    expect(shape).toEqual([placesOf(one[0], one[4], one[5]).steps, one[1], one[3]]);
    expected.forEach((value, i) =>
      expect(Math.abs(data[i]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value))),
    );
    const withoutBias = compute({ x, weight }, (p) => convolve(p.x, { weight: p.weight }, one[5]));
    reference(x, weight, full([one[3]], 0), one[5]).forEach((value, i) =>
      expect(Math.abs(withoutBias.data[i]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value))),
    );
  });
});

it.each(cases)('T %i, B %i, I %i, O %i, k %i, %j has the gradients of finite differences', (...one) => {
  const parameters = drawn(one);
  const { steps } = placesOf(one[0], one[4], one[5]);
  const weights = normal(0, 1)([steps, one[1], one[3]], createRandom(3));
  const { error } = checkGradients(parameters, (p) => sum(multiply(convolve(p.x, p, one[5]), weights)));
  expect(error).toBeLessThan(1e-7);
});

it.each(cases.filter(([T, B]) => T * B > 0))(
  'T %i, B %i, I %i, O %i, k %i, %j has the same gradients in SIMD as in portable kernels',
  (...one) => {
    const parameters = drawn(one);
    const { steps } = placesOf(one[0], one[4], one[5]);
    const weights = normal(0, 1)([steps, one[1], one[3]], createRandom(3));
    const [portable, simd] = (['portable', undefined] as const).map((kernels) => {
      useKernels(kernels);
      return valueAndGradient(parameters, (p) => sum(multiply(convolve(p.x, p, one[5]), weights))).gradient;
    });
    for (const name of ['x', 'weight', 'bias'] as const)
      portable![name].data.forEach((value, i) =>
        expect(Math.abs(simd![name].data[i]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value))),
      );
  },
);

it.each([
  [5, {}],
  [33, {}],
  [40, { stride: 2 }],
  [33, { groups: 33 }],
  [66, { groups: 2 }],
] as const)('a row of a batch with %i inputs and %j has the same bits alone', (I, options) => {
  const O = 'groups' in options ? options.groups * (I / options.groups > 1 ? 3 : 1) : 7;
  const all = drawn([12, 5, I, O, 3, { padding: 'same', ...options }]);
  const rows = 5;
  const whole = compute(all, (p) => convolve(p.x, p, { padding: 'same', ...options }));
  for (let b = 0; b < rows; b++) {
    const alone = tensor(
      Float32Array.from({ length: 12 * I }, (_, i) => all.x.data[(Math.floor(i / I) * rows + b) * I + (i % I)]!),
      [12, 1, I],
    );
    const { data } = compute({ ...all, x: alone }, (p) => convolve(p.x, p, { padding: 'same', ...options }));
    data.forEach((value, i) => expect(value).toBe(whole.data[(Math.floor(i / O) * rows + b) * O + (i % O)]));
  }
});

it.each([
  [{ padding: 'full' }, /padding must be one of.*got full/],
  [{ padding: [1] }, /padding must be \[before, after\], got \[1\]/],
  [{ padding: [1, -1] }, /a number of padding must be/],
  [{ stride: 0 }, /stride must be/],
  [{ dilation: 1.5 }, /dilation must be/],
  [{ groups: 2 }, /I must be a multiple of groups = 2, got 3/],
  [{ dilation: 3 }, /x must be at least 7 steps long, as a window, got 5/],
  [{ strides: 2 }, /strides/],
] as const)('%j is rejected', (options, message) => {
  const weight = full([3, 3, 2], 1);
  expect(() => compute({ weight }, (p) => convolve(full([5, 1, 3], 1), p, options as { padding?: Padding }))).toThrow(
    message,
  );
});

it('a weight or bias for another number of channels is rejected', () => {
  const run = (weight: Tensor, bias: Tensor, options = {}) =>
    compute({ weight, bias }, (p) => convolve(full([5, 1, 4], 1), p, options));
  expect(() => run(full([3, 3, 2], 1), full([2], 1))).toThrow('weight must be [k, I / groups, O] = [*, 4, *]');
  expect(() => run(full([3, 4, 2], 1), full([2], 1), { groups: 2 })).toThrow('[k, I / groups, O] = [*, 2, *]');
  expect(() => run(full([3, 4, 2], 1), full([3], 1))).toThrow('convolve: bias must be [O] = [2], got [3]');
});
