import { type Batch, createRandom, windows } from 'bptt';
import { describe, expect, it } from 'vitest';

/** Ids that tell their place. */
function counting(length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => i);
}

/** What row b reads, [B][T]. */
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
    '%i ids: windows are whole, do not overlap, and as many in every epoch',
    (length) => {
      const dataset = windows(counting(length), { sequenceLength: steps, batchSize });
      const random = createRandom(length);
      expect(dataset.batchCount).toBe(Math.floor((Math.floor(length / steps) - 1) / batchSize));
      for (let epoch = 0; epoch < 20; epoch++) {
        const batches = [...dataset.batches(random)];
        expect(batches.length).toBe(dataset.batchCount);
        batches.forEach(checkTargets);
        for (const { inputs } of batches) expect(inputs.shape).toEqual([steps, batchSize]);
        const read = batches.flatMap(rows);
        for (const window of read) expect(window).toEqual(range(window[0]!, steps));
        expect(new Set(read.flat()).size).toBe(dataset.batchCount * batchSize * steps);
        expect(new Set(read.map((window) => window[0]! % steps)).size).toBe(1);
        expect(Math.max(...read.flat())).toBeLessThan(length - 1);
      }
    },
  );

  it('every phase and every order occurs', () => {
    const dataset = windows(counting(20), { sequenceLength: steps, batchSize });
    const random = createRandom(5);
    const phases = new Set<number>();
    const orders = new Set<string>();
    for (let epoch = 0; epoch < 400; epoch++) {
      const [batch] = dataset.batches(random);
      const starts = rows(batch!).map((window) => window[0]!);
      phases.add(starts[0]! % steps);
      orders.add(starts.map((start) => Math.floor(start / steps)).join());
    }
    expect([...phases].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(orders.size).toBe(6);
  });

  it('every id that some phase reaches is a target sooner or later', () => {
    const dataset = windows(counting(38), { sequenceLength: steps, batchSize });
    const random = createRandom(5);
    const seen = new Set<number>();
    for (let epoch = 0; epoch < 200; epoch++)
      for (const { targets } of dataset.batches(random)) targets.data.forEach((id) => seen.add(id));
    // Six windows of five from a phase of 0 to 4.
    expect([...seen].sort((a, b) => a - b)).toEqual(range(1, 34));
  });

  it('an epoch depends on the state of the generator alone', () => {
    const dataset = windows(counting(100), { sequenceLength: steps, batchSize });
    const epoch = (seed: number): number[][] => [...dataset.batches(createRandom(seed))].flatMap(rows);
    epoch(1);
    expect(epoch(2)).toEqual(epoch(2));
    expect(epoch(2)).not.toEqual(epoch(1));
  });
});

describe('windows, in order', () => {
  it('each row goes on where it ended, through a stream of its own', () => {
    const dataset = windows(counting(47), { sequenceLength: 5, batchSize: 3, shuffle: false });
    const batches = [...dataset.batches(createRandom(1))];
    expect(dataset.batchCount).toBe(3);
    expect(batches.length).toBe(3);
    batches.forEach(checkTargets);
    const streams = [0, 1, 2].map((row) => batches.flatMap((batch) => rows(batch)[row]!));
    expect(streams).toEqual([range(0, 15), range(15, 15), range(30, 15)]);
  });

  it('leaves out a last window that has no id behind it', () => {
    expect(windows(counting(30), { sequenceLength: 5, batchSize: 3, shuffle: false }).batchCount).toBe(1);
    expect(windows(counting(31), { sequenceLength: 5, batchSize: 3, shuffle: false }).batchCount).toBe(2);
  });

  it('uses up to the last id, and draws nothing', () => {
    const random = createRandom(1);
    const before = [...random.state];
    const batches = [...windows(counting(13), { sequenceLength: 3, batchSize: 2, shuffle: false }).batches(random)];
    expect(batches.at(-1)!.targets.data.at(-1)).toBe(12);
    expect([...random.state]).toEqual(before);
  });
});

describe('windows refuses', () => {
  it('too few ids, saying how many it needs, and takes just enough', () => {
    expect(() => windows(counting(19), { sequenceLength: 5, batchSize: 3 })).toThrow(
      new RangeError(
        'windows: ids must hold at least 20 ids for one batch of 3 shuffled windows of 5 steps, got 19. Is batchSize or sequenceLength too large?',
      ),
    );
    expect(windows(counting(20), { sequenceLength: 5, batchSize: 3 }).batchCount).toBe(1);
    expect(() => windows(counting(15), { sequenceLength: 5, batchSize: 3, shuffle: false })).toThrow(
      new RangeError(
        'windows: ids must hold at least 16 ids for one batch of 3 windows of 5 steps, got 15. Is batchSize or sequenceLength too large?',
      ),
    );
    expect(windows(counting(16), { sequenceLength: 5, batchSize: 3, shuffle: false }).batchCount).toBe(1);
  });

  it('zero steps, an empty batch, and ids of another type', () => {
    expect(() => windows(counting(9), { sequenceLength: 0, batchSize: 1 })).toThrow(
      'windows: sequenceLength must be a whole number of at least 1, got 0.',
    );
    expect(() => windows(counting(9), { sequenceLength: 1, batchSize: 0 })).toThrow(
      'windows: batchSize must be a whole number of at least 1, got 0.',
    );
    expect(() => windows('text' as never, { sequenceLength: 1, batchSize: 1 })).toThrow(TypeError);
  });
});
