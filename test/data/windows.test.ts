import { type Batch, createRandom, windows } from 'bptt';
import { describe, expect, it } from 'vitest';

/** Ids equal to their index. */
function counting(length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => i);
}

/** The inputs of every row, [B][T]. */
function rows({ inputs: { shape, data } }: Batch): number[][] {
  const [steps, size] = [shape[0]!, shape[1]!];
  return Array.from({ length: size }, (_, row) => Array.from({ length: steps }, (_, step) => data[step * size + row]!));
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

function checkTargets({ inputs, targets }: Batch): void {
  expect(targets.shape).toEqual(inputs.shape);
  expect([...targets.data]).toEqual([...inputs.data].map((id) => id + 1));
}

describe('windows, shuffled', () => {
  const [steps, batchSize] = [5, 3];

  it.each([20, 24, 25, 34, 35, 99, 100, 101])(
    'are complete and do not overlap, the same number in every epoch (%i ids)',
    (length) => {
      const dataset = windows(counting(length), { sequenceLength: steps, batchSize });
      const random = createRandom(length);
      expect(dataset.batchCount).toBe(Math.floor((Math.floor(length / steps) - 1) / batchSize));
      for (let epoch = 0; epoch < 20; epoch++) {
        const batches = [...dataset.batches(random)];
        expect(batches.length).toBe(dataset.batchCount);
        batches.forEach(checkTargets);
        for (const { inputs } of batches) expect(inputs.shape).toEqual([steps, batchSize]);
        const all = batches.flatMap(rows);
        for (const window of all) expect(window).toEqual(range(window[0]!, steps));
        expect(new Set(all.flat()).size).toBe(dataset.batchCount * batchSize * steps);
        expect(new Set(all.map((window) => window[0]! % steps)).size).toBe(1);
        expect(Math.max(...all.flat())).toBeLessThan(length - 1);
      }
    },
  );

  it('occur with every offset and in every order', () => {
    const dataset = windows(counting(20), { sequenceLength: steps, batchSize });
    const random = createRandom(5);
    const offsets = new Set<number>();
    const orders = new Set<string>();
    for (let epoch = 0; epoch < 400; epoch++) {
      const [batch] = dataset.batches(random);
      const starts = rows(batch!).map((window) => window[0]!);
      offsets.add(starts[0]! % steps);
      orders.add(starts.map((start) => Math.floor(start / steps)).join());
    }
    expect([...offsets].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(orders.size).toBe(6);
  });

  it('have every id as target that some offset reaches', () => {
    const dataset = windows(counting(38), { sequenceLength: steps, batchSize });
    const random = createRandom(5);
    const seen = new Set<number>();
    for (let epoch = 0; epoch < 200; epoch++)
      for (const { targets } of dataset.batches(random)) targets.data.forEach((id) => seen.add(id));
    // Six windows of five ids from an offset of 0 to 4.
    expect([...seen].sort((a, b) => a - b)).toEqual(range(1, 34));
  });

  it('depend only on the state of the generator', () => {
    const dataset = windows(counting(100), { sequenceLength: steps, batchSize });
    const epoch = (seed: number): number[][] => [...dataset.batches(createRandom(seed))].flatMap(rows);
    epoch(1);
    expect(epoch(2)).toEqual(epoch(2));
    expect(epoch(2)).not.toEqual(epoch(1));
  });
});

describe('windows, in order', () => {
  it('continue in every row where the previous batch ended', () => {
    const dataset = windows(counting(47), { sequenceLength: 5, batchSize: 3, shuffle: false });
    const batches = [...dataset.batches(createRandom(1))];
    expect(dataset.batchCount).toBe(3);
    expect(batches.length).toBe(3);
    batches.forEach(checkTargets);
    const streams = [0, 1, 2].map((row) => batches.flatMap((batch) => rows(batch)[row]!));
    expect(streams).toEqual([range(0, 15), range(15, 15), range(30, 15)]);
  });

  it('leave out a last window that no id follows', () => {
    expect(windows(counting(30), { sequenceLength: 5, batchSize: 3, shuffle: false }).batchCount).toBe(1);
    expect(windows(counting(31), { sequenceLength: 5, batchSize: 3, shuffle: false }).batchCount).toBe(2);
  });

  it('use all ids up to the last, and do not draw from the generator', () => {
    const random = createRandom(1);
    const stateBefore = [...random.state];
    const batches = [...windows(counting(13), { sequenceLength: 3, batchSize: 2, shuffle: false }).batches(random)];
    expect(batches.at(-1)!.targets.data.at(-1)).toBe(12);
    expect([...random.state]).toEqual(stateBefore);
  });
});

describe('windows rejects', () => {
  it('too few ids, with the number needed in the message', () => {
    expect(() => windows(counting(19), { sequenceLength: 5, batchSize: 3 })).toThrow(
      new RangeError('windows: ids.length must be at least 20 for one batch, got 19.'),
    );
    expect(windows(counting(20), { sequenceLength: 5, batchSize: 3 }).batchCount).toBe(1);
    expect(() => windows(counting(15), { sequenceLength: 5, batchSize: 3, shuffle: false })).toThrow(
      new RangeError('windows: ids.length must be at least 16 for one batch, got 15.'),
    );
    expect(windows(counting(16), { sequenceLength: 5, batchSize: 3, shuffle: false }).batchCount).toBe(1);
  });

  it('zero steps, an empty batch, and ids of another type', () => {
    expect(() => windows(counting(9), { sequenceLength: 0, batchSize: 1 })).toThrow(
      'windows: sequenceLength must be an integer of at least 1, got 0.',
    );
    expect(() => windows(counting(9), { sequenceLength: 1, batchSize: 0 })).toThrow(
      'windows: batchSize must be an integer of at least 1, got 0.',
    );
    // @ts-expect-error A string is not a sequence of ids.
    expect(() => windows('text', { sequenceLength: 1, batchSize: 1 })).toThrow(TypeError);
  });
});
