import {
  compute,
  crossEntropy,
  embedding,
  fit,
  full,
  type IntTensor,
  matmul,
  predict,
  sequential,
  sgd,
  stream,
  tensor,
  useKernels,
} from 'bptt';
import { afterEach, expect, it } from 'vitest';

afterEach(() => useKernels(undefined));

it.each(['simd', undefined] as const)(
  'a computation that does not fit in memory throws an error with the memory needed and remedies (kernels %s)',
  async (name) => {
    useKernels(name);
    // The output of the embedding has 600,000 vectors of 2,048 elements, 4.9 GB.
    const model = sequential([embedding({ vocabularySize: 4, size: 2048 })]);
    const ids: IntTensor = { shape: [2000, 300], data: new Int32Array(600_000) };
    const before = model.data.slice();
    await expect(
      fit(model, [{ inputs: ids, targets: ids }], { loss: crossEntropy, optimizer: sgd(0.1) }),
    ).rejects.toThrow(
      /^fit: layer embedding: the computation needs at least 49\d\d MB of memory, .*\(at most 4294 MB\)\. Use smaller batches, truncatedBptt, run: runInSegments, or recompute\.$/,
    );
    expect(model.data).toEqual(before);
    const [tall, wide] = [full([40_000, 1], 0), full([1, 40_000], 0)];
    expect(() => compute({ tall, wide }, (p) => matmul(p.tall, p.wide))).toThrow(
      /^the computation needs at least 6\d\d\d MB of memory, .* Use smaller batches or shorter sequences\.$/,
    );
    // The memory that was allocated before is free again, and an error of another kind is unchanged, also if one of
    // memory has been caught.
    expect(() => stream(model, { batchSize: 600_000 })).toThrow(RangeError);
    expect(predict(model, { shape: [1, 1], data: Int32Array.of(1) }).shape).toEqual([1, 1, 2048]);
    expect(() =>
      compute({ x: tensor([1]) }, () => {
        throw new Error('of the caller');
      }),
    ).toThrow(/^of the caller$/);
    expect(() =>
      compute({ tall, wide }, (p) => {
        expect(() => matmul(p.tall, p.wide)).toThrow(RangeError);
        throw new Error('of the caller');
      }),
    ).toThrow(/^of the caller$/);
  },
);
