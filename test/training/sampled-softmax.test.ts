/** Sampled softmax: its gradient, its convergence to the full loss, and training with it. */

import {
  adam,
  affine,
  checkGradients,
  compute,
  createRandom,
  crossEntropy,
  customModel,
  evaluate,
  fit,
  full,
  gather,
  type IntTensor,
  integerNumber,
  intTensor,
  normal,
  sampledCrossEntropy,
  type Tensor,
  transpose,
  type ValueAndGradient,
  valueAndGradient,
} from 'bptt';
import { expect, it } from 'vitest';

const [V, H] = [40, 5];
const head = { weight: normal(0, 1)([V, H], createRandom(1)), bias: normal(0, 1)([V], createRandom(2)) };
const hidden = normal(0, 1)([3, 4, H], createRandom(3));
const targets = intTensor(
  Array.from({ length: 3 }, (_, t) => Array.from({ length: 4 }, (_each, b) => (7 * t + 11 * b) % V)),
);

it('has the gradient of finite differences, also with lengths', () => {
  for (const lengths of [undefined, Int32Array.of(3, 1, 2, 0)]) {
    const { error } = checkGradients({ head, hidden }, (p) =>
      sampledCrossEntropy(p.hidden, p.head, targets, { samples: 12, random: createRandom(4), lengths }),
    );
    expect(error).toBeLessThan(1e-7);
  }
});

it('padding does not change values or gradients, even if it has NaN inputs and invalid targets', () => {
  const lengths = Int32Array.of(3, 1, 2, 0);
  const paddedHidden = { shape: hidden.shape, data: hidden.data.slice() };
  const paddedTargets = { shape: targets.shape, data: targets.data.slice() };
  for (let t = 0; t < 3; t++)
    for (let b = 0; b < 4; b++) {
      if (t < lengths[b]!) continue;
      paddedHidden.data.fill(NaN, (4 * t + b) * H, (4 * t + b + 1) * H);
      paddedTargets.data[4 * t + b] = -1;
    }
  const run = (x: Tensor, ids: IntTensor): ValueAndGradient<{ head: typeof head; x: Tensor }> =>
    valueAndGradient({ head, x }, (p) =>
      sampledCrossEntropy(p.x, p.head, ids, { samples: 12, random: createRandom(4), lengths }),
    );
  const [clean, padded] = [run(hidden, targets), run(paddedHidden, paddedTargets)];
  expect(padded.value).toBe(clean.value);
  expect(padded.gradient).toEqual(clean.gradient);
  expect(
    compute({ head, paddedHidden }, (p) =>
      sampledCrossEntropy(p.paddedHidden, p.head, paddedTargets, {
        samples: 12,
        random: createRandom(4),
        lengths: new Int32Array(4),
        reduction: 'sum',
      }),
    ).data[0],
  ).toBe(0);
});

it('approaches the full cross-entropy with many samples', () => {
  const loss = (samples: number): Float32Array =>
    compute({ head, hidden }, (p) =>
      sampledCrossEntropy(p.hidden, p.head, targets, { samples, random: createRandom(5), reduction: 'none' }),
    ).data;
  const expected = compute({ head, hidden }, (p) =>
    crossEntropy(affine(p.hidden, { weight: transpose(p.head.weight), bias: p.head.bias }), targets, {
      reduction: 'none',
    }),
  ).data;
  loss(20_000).forEach((value, i) =>
    expect(Math.abs(value - expected[i]!)).toBeLessThan(0.08 * Math.max(1, expected[i]!)),
  );
});

it('learns a table of 500 classes, evaluated with the full loss', async () => {
  const count = 500;
  const random = createRandom(6);
  const classes = Int32Array.from({ length: count }, () => integerNumber(random, count));
  const batch = {
    inputs: { shape: [count], data: Int32Array.from(classes.keys()) },
    targets: { shape: [count], data: classes },
  };
  const parameters = {
    table: normal(0, 1)([count, 16], random),
    head: { weight: normal(0, 0.1)([count, 16], random), bias: full([count], 0) },
  };
  const model = customModel(
    parameters,
    (p, { inputs, targets: ids }: { inputs: IntTensor; targets: IntTensor }, context) => {
      const x = gather(p.table, inputs);
      return context.training
        ? sampledCrossEntropy(x, p.head, ids, { samples: 50, random: context.random })
        : crossEntropy(affine(x, { weight: transpose(p.head.weight), bias: p.head.bias }), ids);
    },
  );
  const data = { batchCount: 1, batches: () => [batch] };
  await fit(model, data, { optimizer: adam(0.03), steps: 150 });
  expect(evaluate(model, data).loss).toBeLessThan(0.3);
});

it('rejects shapes and targets that do not fit', () => {
  const run = (ids: IntTensor, weight = head.weight): unknown =>
    compute({ hidden }, (p) => sampledCrossEntropy(p.hidden, { ...head, weight }, ids, { random: createRandom(1) }));
  expect(() => run(intTensor([1, 2]))).toThrow('sampledCrossEntropy: hidden must be […, H] = [2, *], got [3, 4, 5]');
  expect(() => run(targets, full([V, 3], 0))).toThrow(
    'sampledCrossEntropy: weight must be [V, H] = [*, 5], got [40, 3]',
  );
  expect(() => run({ shape: [3, 4], data: new Int32Array(12).fill(V) })).toThrow(
    'sampledCrossEntropy: targets must be integers from 0 to 39, got 40',
  );
});
