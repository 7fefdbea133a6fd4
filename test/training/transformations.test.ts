/** Penalties and constraints: compared with plain loops, by parameter, and in training. */

import {
  adam,
  applyOptimizer,
  chain,
  clipByNorm,
  clipByValue,
  createRandom,
  dense,
  fit,
  initializeOptimizer,
  l1,
  lstm,
  maxNorm,
  meanSquaredError,
  normal,
  type Optimizer,
  recurrent,
  sequential,
  sgd,
  type Tensor,
  tensor,
  useKernels,
  weightDecay,
} from 'bptt';
import { afterAll, describe, expect, it } from 'vitest';

afterAll(() => useKernels(undefined));

const parametersOf = (): Record<string, Record<string, Tensor>> => ({
  first: { weight: normal(0, 1)([5, 7], createRandom(1)), bias: normal(0, 1)([7], createRandom(2)) },
  second: { weight: normal(0, 3)([7, 3], createRandom(3)), bias: normal(0, 1)([3], createRandom(4)) },
});
const gradientOf = (): Record<string, Record<string, Tensor>> => ({
  first: { weight: normal(0, 1)([5, 7], createRandom(5)), bias: normal(0, 1)([7], createRandom(6)) },
  second: { weight: normal(0, 1)([7, 3], createRandom(7)), bias: normal(0, 1)([3], createRandom(8)) },
});
const updated = (optimizer: Optimizer): Record<string, Record<string, Tensor>> => {
  const parameters = parametersOf();
  applyOptimizer(optimizer, initializeOptimizer(optimizer, 5 * 7 + 7 + 7 * 3 + 3), parameters, gradientOf());
  return parameters;
};
const forEachParameter = (visit: (path: string, parameter: Tensor, gradient: Tensor) => void): void => {
  const [parameters, gradient] = [parametersOf(), gradientOf()];
  for (const [layer, tensors] of Object.entries(parameters))
    for (const [name, tensor] of Object.entries(tensors)) visit(`${layer}.${name}`, tensor, gradient[layer]![name]!);
};
const at = (tree: Record<string, Record<string, Tensor>>, path: string): Tensor =>
  tree[path.split('.')[0]!]![path.split('.')[1]!]!;
const noBias = (path: string): boolean => !path.endsWith('.bias');

describe.each(['portable', undefined] as const)('kernels %s', (kernels) => {
  it('l1 and weightDecay add to the gradient of all or of selected parameters', () => {
    useKernels(kernels);
    const penalties = { l1: (value: number) => 0.3 * Math.sign(value), weightDecay: (value: number) => 0.3 * value };
    for (const [name, make] of Object.entries({ l1, weightDecay }))
      for (const only of [undefined, noBias]) {
        const parameters = updated(chain(make(0.3, { only }), sgd(0.1)));
        forEachParameter((path, initial, gradient) =>
          initial.data.forEach((value, i) => {
            const penalty = only === undefined || only(path) ? penalties[name as 'l1'](value) : 0;
            expect(at(parameters, path).data[i]).toBeCloseTo(value - 0.1 * (gradient.data[i]! + penalty), 5);
          }),
        );
      }
  });

  it('clipByNorm and clipByValue change only gradients beyond the limit', () => {
    useKernels(kernels);
    // The norm of the gradient (3, −4, 12) is 13.
    const clipped = (clip: Optimizer, factor = 1): number[] => {
      const parameters = { a: tensor([0, 0]), b: tensor([0]) };
      const optimizer = chain(clip, sgd(1 / factor));
      const gradient = { a: tensor([-3 * factor, 4 * factor]), b: tensor([-12 * factor]) };
      applyOptimizer(optimizer, initializeOptimizer(optimizer, 3), parameters, gradient);
      return [...parameters.a.data, ...parameters.b.data];
    };
    expect(clipped(clipByNorm(20))).toEqual([3, -4, 12]);
    clipped(clipByNorm(6.5)).forEach((value, i) => expect(value).toBeCloseTo([1.5, -2, 6][i]!, 5));
    // As in PyTorch, the factor is limit / (norm + 1e-6).
    clipped(clipByNorm(1e-6), 1e-6 / 13).forEach((value, i) => expect(value).toBeCloseTo([1.5, -2, 6][i]!, 5));
    expect(clipped(clipByValue(3.5))).toEqual([3, -3.5, 3.5]);
  });

  it('maxNorm limits only the columns of selected matrices, after the update', () => {
    useKernels(kernels);
    const [free, held] = [
      updated(sgd(0.1)),
      updated(chain(sgd(0.1), maxNorm(2, { only: (path) => path !== 'first.weight' }))),
    ];
    let shortened = 0;
    forEachParameter((path) => {
      const [
        {
          data,
          shape: [rows, columns = 1],
        },
        got,
      ] = [at(free, path), at(held, path).data] as [{ data: Float32Array; shape: [number, number] }, Float32Array];
      for (let j = 0; j < columns; j++) {
        const column = Array.from({ length: rows }, (_, i) => data[i * columns + j]!);
        const norm = Math.hypot(...column);
        const factor = path === 'second.weight' && norm > 2 ? 2 / norm : 1;
        if (factor < 1) shortened++;
        column.forEach((value, i) => expect(got[i * columns + j]).toBeCloseTo(factor * value, 5));
      }
    });
    expect(shortened).toBe(3);
  });
});

it('l1 and maxNorm work in fit: unused weights become zero, norms stay limited', async () => {
  const inputs = normal(0, 1)([1, 200, 6], createRandom(1));
  const targets = { shape: [1, 200, 1], data: Float32Array.from({ length: 200 }, (_, i) => 3 * inputs.data[i * 6]!) };
  const data = { batchCount: 1, batches: () => [{ inputs, targets }] };
  const train = async (optimizer: Optimizer): Promise<Float32Array> => {
    const model = sequential([dense({ size: 1 })], { inputSize: 6, seed: 3 });
    await fit(model, data, { loss: meanSquaredError, optimizer, steps: 500 });
    return model.parameters['dense']!['weight']!.data;
  };
  const [sparse, limited] = [
    await train(chain(l1(0.5, { only: (path) => path === 'dense.weight' }), sgd(0.05))),
    await train(chain(adam(0.05), maxNorm(1))),
  ];
  expect(sparse[0]).toBeGreaterThan(2.5);
  sparse.subarray(1).forEach((weight) => expect(Math.abs(weight)).toBeLessThan(0.06));
  expect(Math.hypot(...limited)).toBeCloseTo(1, 4);
});

it('reject negative factors, and select by path and shape of every parameter', () => {
  expect(() => l1(-1)).toThrow('l1: factor');
  expect(() => maxNorm(-1)).toThrow('maxNorm: limit');
  const seen: string[] = [];
  const model = sequential([recurrent(lstm(), { hiddenSize: 2 }), dense({ size: 1 })], { inputSize: 3 });
  const optimizer = weightDecay(1, { only: (path, shape) => seen.push(`${path} ${shape.join('×')}`) < 0 });
  applyOptimizer(optimizer, initializeOptimizer(optimizer, model.data.length), model.parameters, model.parameters);
  expect(seen).toEqual(['lstm.weightIh 3×8', 'lstm.weightHh 2×8', 'lstm.bias 8', 'dense.weight 2×1', 'dense.bias 1']);
});
