import { type Batch, batchesOf, createRandom, full, intTensor, type Tensor, tensor } from 'bptt';
import { describe, expect, it } from 'vitest';

/** Inputs [T, N, 2] with values 100·step + 10·example + feature. */
function numbered(steps: number, count: number): Tensor {
  const data = new Float32Array(steps * count * 2);
  for (let i = 0; i < data.length; i++)
    data[i] = 100 * Math.floor(i / (count * 2)) + 10 * (Math.floor(i / 2) % count) + (i % 2);
  return { shape: [steps, count, 2], data };
}

/** The example in each row, from the first step. */
function examplesOf(batch: Batch): number[] {
  return Array.from({ length: batch.inputs.shape[1]! }, (_, row) => batch.inputs.data[row * 2]! / 10);
}

describe('batchesOf', () => {
  it('without shuffling yields examples in order, with a smaller last batch', () => {
    const dataset = batchesOf(numbered(3, 5), intTensor([4, 3, 2, 1, 0]), {
      batchSize: 2,
      shuffle: false,
      targetAxis: 0,
    });
    const batches = [...dataset.batches(createRandom(1))];
    expect(dataset.batchCount).toBe(3);
    expect(batches.map(examplesOf)).toEqual([[0, 1], [2, 3], [4]]);
    expect(batches.map(({ targets }) => [...targets.data])).toEqual([[4, 3], [2, 1], [0]]);
    expect(batches[2]!.inputs.shape).toEqual([3, 1, 2]);
    expect([...batches[2]!.inputs.data]).toEqual([40, 41, 140, 141, 240, 241]);
    expect(batches[0]!.targets.data).toBeInstanceOf(Int32Array);
    const halves = batchesOf(numbered(3, 4), numbered(3, 4), { batchSize: 2, shuffle: false });
    expect([...halves.batches(createRandom(1))].map(examplesOf)).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it('shuffles inputs and targets together, and yields every example once per epoch', () => {
    const targets = numbered(3, 7);
    const dataset = batchesOf(numbered(3, 7), targets, { batchSize: 3 });
    const random = createRandom(3);
    const epochs = [1, 2].map(() => [...dataset.batches(random)]);
    for (const batches of epochs) {
      expect(batches.flatMap(examplesOf).sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
      for (const { inputs, targets } of batches) {
        expect([...targets.data]).toEqual([...inputs.data]);
        // Steps are not shuffled.
        expect(inputs.data[inputs.shape[1]! * 2]).toBe(inputs.data[0]! + 100);
      }
    }
    expect(epochs[0]!.flatMap(examplesOf)).not.toEqual(epochs[1]!.flatMap(examplesOf));
  });

  it('determines the order by the state of the generator alone', () => {
    const dataset = batchesOf(numbered(1, 9), full([9, 1], 0), { batchSize: 4, targetAxis: 0 });
    const order = (seed: number): number[] => [...dataset.batches(createRandom(seed))].flatMap(examplesOf);
    order(1);
    expect(order(2)).toEqual(order(2));
    expect(order(2)).not.toEqual(order(1));
  });

  it('accepts targets with another number of steps', () => {
    const [batch] = batchesOf(
      numbered(3, 4),
      intTensor([
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ]),
      { batchSize: 2, shuffle: false },
    ).batches(createRandom(1));
    expect(batch!.targets.shape).toEqual([2, 2]);
    expect([...batch!.targets.data]).toEqual([1, 2, 5, 6]);
  });

  it('rejects inputs and targets that do not fit', () => {
    const inputs = numbered(3, 5);
    expect(() => batchesOf(inputs, full([5, 1], 0), { batchSize: 2 })).toThrow(
      new RangeError(
        'batchesOf: targets must be of length 5 in axis 1, got [5, 1]. Is it targetAxis: 0? Are inputs [T, N, …]?',
      ),
    );
    expect(() => batchesOf(inputs, full([3, 5], 0), { batchSize: 2, targetAxis: 0 })).toThrow(
      new RangeError(
        'batchesOf: targets must be of length 5 in axis 0, got [3, 5]. Is it targetAxis: 1? Are inputs [T, N, …]?',
      ),
    );
    expect(() => batchesOf(full([3, 0, 2], 0), full([3, 0], 0), { batchSize: 2 })).toThrow(
      new RangeError('batchesOf: inputs [T, N, …] must hold at least one example, got none.'),
    );
    expect(() => batchesOf(tensor([1, 2]), tensor([1, 2]), { batchSize: 2 })).toThrow('at least one example');
    expect(() => batchesOf(inputs, inputs, { batchSize: 0 })).toThrow(
      'batchesOf: batchSize must be an integer of at least 1, got 0.',
    );
  });
});
