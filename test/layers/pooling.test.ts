/** Pooling over windows and over all steps. */

import {
  averagePool1d,
  checkGradients,
  createRandom,
  globalAveragePool,
  globalMaxPool,
  gru,
  intTensor,
  type Layer,
  load,
  maxPool1d,
  multiply,
  normal,
  outputLengths,
  type Pool1dOptions,
  predict,
  recurrent,
  runModel,
  save,
  sequential,
  stream,
  sum,
  type Tensor,
  tensor,
  useKernels,
  valueAndGradient,
} from 'bptt';
import { afterAll, describe, expect, it } from 'vitest';

afterAll(() => useKernels(undefined));

const [T, B, I] = [11, 4, 5];
const lengths = Int32Array.of(11, 4, 0, 7);
const draw = (shape: readonly number[], seed = 1): Tensor => normal(-2, 1)(shape, createRandom(seed));

const windows: readonly Pool1dOptions[] = [
  { windowSize: 2 },
  { windowSize: 3, stride: 1 },
  { windowSize: 3, stride: 2, padding: 'same' },
  { windowSize: 3, stride: 1, padding: 'same' },
  { windowSize: 2, stride: 3, padding: 'causal' },
  { windowSize: 4, stride: 2, padding: [1, 2] },
];

/** The values of each window over one sequence, without padding. */
function windowsOf(
  values: readonly number[],
  { windowSize: size, stride = size, padding = 'valid' }: Pool1dOptions,
): number[][] {
  const same = Math.max(0, (Math.ceil(values.length / stride) - 1) * stride + size - values.length);
  const around = { valid: [0, 0], same: [same >> 1, same - (same >> 1)], causal: [size - 1, 0] } as const;
  const [before, after] = typeof padding === 'string' ? around[padding] : padding;
  const count = values.length === 0 ? 0 : Math.max(0, Math.floor((values.length + before + after - size) / stride) + 1);
  return Array.from({ length: count }, (_, t) =>
    values.slice(Math.max(0, t * stride - before), Math.max(0, t * stride - before + size)),
  );
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const largest = (values: readonly number[]): number => Math.max(...values);

const sequenceOf = (x: Tensor, length: number, b: number, i: number): number[] =>
  Array.from({ length }, (_, t) => x.data[(t * x.shape[1]! + b) * x.shape[2]! + i]!);

describe.each([
  ['maxPool1d', maxPool1d, largest],
  ['averagePool1d', averagePool1d, mean],
] as const)('%s', (_, create, reduce) => {
  describe.each(windows)('%j', (options) => {
    const model = sequential([create(options)], { inputSize: I });

    it.each(['portable', undefined] as const)('reduces the windows of each sequence, kernels %s', (kernels) => {
      useKernels(kernels);
      const x = draw([T, B, I]);
      for (const own of [undefined, lengths]) {
        const output = predict(model, x, { lengths: own });
        const counts = outputLengths(model, own ?? new Int32Array(B).fill(T));
        for (let b = 0; b < B; b++)
          for (let i = 0; i < I; i++) {
            const expected = windowsOf(sequenceOf(x, own?.[b] ?? T, b, i), options).map(reduce);
            expect(counts[b]).toBe(expected.length);
            sequenceOf(output, output.shape[0]!, b, i).forEach((value, t) =>
              expect(value).toBeCloseTo(expected[t] ?? 0, 5),
            );
          }
      }
    });

    it('has the gradients of finite differences', () => {
      for (const own of [undefined, lengths]) {
        const { error } = checkGradients({ x: draw([T, B, I]) }, (p) => {
          const { output } = runModel(model, {}, p.x, { lengths: own });
          return sum(multiply(output, draw(output.shape, 2)));
        });
        expect(error).toBeLessThan(1e-7);
      }
    });

    it('ignores the padding, even NaN', () => {
      const x = draw([T, B, I]);
      const other = tensor(
        x.data.map((value, i) => (Math.floor(i / (B * I)) < lengths[Math.floor(i / I) % B]! ? value : NaN)),
        x.shape,
      );
      expect(predict(model, other, { lengths })).toEqual(predict(model, x, { lengths }));
    });
  });

  it.each(windows)('of a sequence without steps has no steps: %j', (options) => {
    const model = sequential([create(options)], { inputSize: I });
    expect(predict(model, draw([0, 2, I])).shape).toEqual([0, 2, I]);
  });

  it('is saved and loaded, and rejects wrong arguments', () => {
    const model = sequential([create({ windowSize: 2 })], { inputSize: I });
    expect(load(save(model)).model.layers[0]!.name).toBe(model.layers[0]!.name);
    expect(() => stream(model)).toThrow(/needs the whole sequence/);
    expect(() => create({ windowSize: 0 })).toThrow(/windowSize must be/);
    expect(() => create({ windowSize: 2, stride: 0 })).toThrow(/stride must be/);
    expect(() => create({ windowSize: 2, padding: [2, 0] })).toThrow(/padding must be less than the window size 2/);
    expect(() => create({ windowSize: 2, kernelSize: 2 } as Pool1dOptions)).toThrow(/kernelSize/);
    expect(() => predict(model, draw([1, 1, I]))).toThrow(/at least 2 steps long, as a window, got 1/);
    expect(() => predict(model, draw([2, 1, I]), { resets: intTensor([[0], [1]]) })).toThrow(
      /resets must be undefined/,
    );
    // Also with lengths, and if the next window would start far after the end.
    const own = { lengths: Int32Array.of(1, 0) };
    expect(() => predict(model, draw([1, 2, I]), own)).toThrow(/at least 2 steps long, as a window, got 1/);
    const sparse = sequential([create({ windowSize: 2, stride: 4 })], { inputSize: I });
    expect(() => predict(sparse, draw([1, 2, I]), own)).toThrow(/at least 2 steps long, as a window, got 1/);
    const last = recurrent(gru(), { hiddenSize: 2, returnSequences: false });
    expect(() => sequential([last, create({ windowSize: 2 })], { inputSize: I })).toThrow(/a vector per step/);
  });
});

it('the maximum propagates NaN, and its gradient goes to the first of equal values', () => {
  const model = sequential([maxPool1d({ windowSize: 2 })], { inputSize: 1 });
  expect([...predict(model, tensor([1, NaN, NaN, 2, 3, 3], [6, 1, 1])).data]).toEqual([NaN, NaN, 3]);
  const x = tensor([3, 3, 1, 2], [4, 1, 1]);
  const { gradient } = valueAndGradient({ x }, (p) => sum(runModel(model, {}, p.x).output));
  expect([...gradient.x.data]).toEqual([1, 0, 0, 1]);
});

describe.each([
  ['globalMaxPool', globalMaxPool, largest],
  ['globalAveragePool', globalAveragePool, mean],
] as const)('%s', (_, create: () => Layer, reduce) => {
  const model = sequential([create()], { inputSize: I });

  it('reduces the valid steps of each sequence; without steps, the result is zero', () => {
    const x = draw([T, B, I]);
    const other = tensor(
      x.data.map((value, i) => (Math.floor(i / (B * I)) < lengths[Math.floor(i / I) % B]! ? value : NaN)),
      x.shape,
    );
    for (const own of [undefined, lengths]) {
      const output = predict(model, own ? other : x, { lengths: own });
      expect(output.shape).toEqual([B, I]);
      for (let b = 0; b < B; b++)
        for (let i = 0; i < I; i++) {
          const values = sequenceOf(x, own?.[b] ?? T, b, i);
          expect(output.data[b * I + i]).toBeCloseTo(values.length > 0 ? reduce(values) : 0, 5);
        }
    }
    expect([...predict(model, draw([0, 2, I])).data]).toEqual(new Array(2 * I).fill(0));
  });

  it('rejects resets, which would divide a sequence', () => {
    const [x, resets] = [draw([2, 1, I]), intTensor([[1], [0]])];
    expect(() => predict(model, x, { resets })).toThrow(
      /: resets must be undefined, because the layer combines several steps, got resets\.$/,
    );
    resets.data.fill(0);
    expect(predict(model, x, { resets })).toEqual(predict(model, x));
  });

  it('has the gradients of finite differences, is saved, loaded, and not streamed', () => {
    for (const own of [undefined, lengths]) {
      const { error } = checkGradients({ x: draw([T, B, I]) }, (p) => {
        const { output } = runModel(model, {}, p.x, { lengths: own });
        return sum(multiply(output, draw(output.shape, 2)));
      });
      expect(error).toBeLessThan(1e-7);
    }
    expect(load(save(model)).model.layers[0]!.name).toBe(create().name);
    expect(() => stream(model)).toThrow(/needs the whole sequence/);
  });
});
