import { batchesOf, characterVocabulary, createRandom, decode, encode, full, ids, split, windows, type Batch } from 'bptt';
import { describe, expect, it } from 'vitest';

const sequence = Int32Array.from({ length: 101 }, (_, i) => i);

function rowsOf({ inputs, targets }: Batch): { inputs: number[]; targets: number[] }[] {
  const [T, B] = inputs.shape as [number, number];
  const column = (data: ArrayLike<number>, b: number): number[] => Array.from({ length: T }, (_, t) => data[t * B + b]!);
  return Array.from({ length: B }, (_, b) => ({ inputs: column(inputs.data, b), targets: column(targets.data, b) }));
}

describe('windows', () => {
  it('targets are the inputs one place later, shuffled or not', () => {
    for (const shuffle of [true, false]) {
      const data = windows(sequence, { steps: 7, batchSize: 3, shuffle });
      const batches = [...data.batches(createRandom(1))];
      expect(batches).toHaveLength(data.batchCount);
      for (const { inputs, targets } of batches.flatMap(rowsOf)) {
        expect(targets).toEqual(inputs.map((id) => id + 1));
        expect(inputs).toEqual(inputs.map((_, t) => inputs[0]! + t));
      }
    }
  });

  it('in order, every row goes on where it ended', () => {
    const batches = [...windows(sequence, { steps: 5, batchSize: 2, shuffle: false }).batches(createRandom(1))].map(rowsOf);
    for (let i = 1; i < batches.length; i++) {
      batches[i]!.forEach((row, b) => expect(row.inputs[0]).toBe(batches[i - 1]![b]!.targets.at(-1)));
    }
    expect(batches[0]![0]!.inputs[0]).toBe(0);
  });

  it('shuffled, an epoch has no window twice, and the next another cut and order', () => {
    const data = windows(sequence, { steps: 4, batchSize: 2 });
    const random = createRandom(1);
    const starts = (): number[] => [...data.batches(random)].flatMap(rowsOf).map(({ inputs }) => inputs[0]!);
    const epochs = [starts(), starts(), starts(), starts(), starts(), starts()];
    for (const epoch of epochs) expect(new Set(epoch).size).toBe(epoch.length);
    expect(new Set(epochs.map((epoch) => epoch.join())).size).toBe(6);
    expect(new Set(epochs.map(([first]) => first! % 4)).size).toBeGreaterThan(1);
  });

  it('refuses what does not fill a batch', () => {
    expect(() => windows(Int32Array.of(1, 2, 3), { steps: 2, batchSize: 2 })).toThrow(/windows: ids/);
    expect(() => windows(sequence, { steps: 0, batchSize: 2 })).toThrow(/windows: steps must be a whole number/);
  });
});

it('batchesOf takes every example once, inputs with their targets', () => {
  const inputs = ids([[0, 1, 2, 3, 4], [10, 11, 12, 13, 14]]);
  const data = batchesOf(inputs, { shape: [5, 1], data: Float32Array.of(0, 1, 2, 3, 4) }, { batchSize: 2, targetAxis: 0 });
  const seen = [...data.batches(createRandom(1))].flatMap(({ inputs, targets }) => {
    const B = inputs.shape[1]!;
    for (let b = 0; b < B; b++) expect([inputs.data[b], inputs.data[B + b]]).toEqual([targets.data[b], targets.data[b]! + 10]);
    return [...targets.data];
  });
  expect(seen.sort()).toEqual([0, 1, 2, 3, 4]);
  expect(() => batchesOf(inputs, full([4, 1], 0), { batchSize: 2, targetAxis: 0 })).toThrow(/batchesOf: targets/);
});

it('a vocabulary encodes and decodes, by code points', () => {
  const vocabulary = characterVocabulary('naïve 🐋 whale');
  expect(decode(vocabulary, encode(vocabulary, 'whale 🐋'))).toBe('whale 🐋');
  expect(encode(vocabulary, '🐋')).toHaveLength(1);
  expect(() => encode(vocabulary, 'whales')).toThrow(/"s".*5/);
  expect(() => decode(vocabulary, [99])).toThrow(/99/);
});

it('split cuts in order', () => {
  expect(split('abcdefghij', [0.7, 0.2, 0.1])).toEqual(['abcdefg', 'hi', 'j']);
  const [train, rest] = split(sequence, [0.9, 0.1]);
  expect([train.length, rest.length, rest[0]]).toEqual([91, 10, 91]);
  expect(() => split('abc', [0.9, 0.2])).toThrow(/sum/);
});
