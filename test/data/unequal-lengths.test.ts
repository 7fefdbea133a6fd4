/** Padding and batches of similar length. */

import {
  bucketBatches, createRandom, crossEntropy, dense, embedding, evaluate, fit, gru, integerNumber, normal, padSequences, recurrent, sequential, adam,
  accuracy, type Batch, type Example, type Tensor,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const random = createRandom(2);
const ids = Array.from({ length: 57 }, (_, i) => Int32Array.from({ length: integerNumber(random, 12) }, () => 100 + i));
const vectors = ids.map(({ length }) => normal(0, 1)([length, 3], random));

describe('padSequences', () => {
  it('gives every sequence back from its row and length, padding behind it', () => {
    for (const sequences of [ids, vectors]) {
      const { inputs: { shape: [T, B, size = 1], data }, lengths } = padSequences(sequences as Tensor[], { padding: -7 }) as { inputs: { shape: [number, number, number?]; data: Float32Array }; lengths: Int32Array };
      expect([T, B]).toEqual([Math.max(...lengths), 57]);
      sequences.forEach((sequence, row) => {
        const column = Array.from({ length: T }, (_, t) => [...data.subarray((t * B + row) * size, (t * B + row + 1) * size)]).flat();
        const own = [...(sequence instanceof Int32Array ? sequence : sequence.data)];
        expect(column).toEqual([...own, ...new Array<number>(T * size - own.length).fill(-7)]);
        expect(lengths[row]! * size).toBe(own.length);
      });
    }
  });

  it('cuts to the first or the last steps, or refuses what is too long', () => {
    const sequences = [Int32Array.of(1, 2, 3), Int32Array.of(4)];
    expect([...padSequences(sequences, { steps: 2, keep: 'first' }).inputs.data]).toEqual([1, 4, 2, 0]);
    expect([...padSequences(sequences, { steps: 2, keep: 'last' }).inputs.data]).toEqual([2, 4, 3, 0]);
    expect(padSequences(sequences, { steps: 5 }).inputs.shape).toEqual([5, 2]);
    expect(() => padSequences(sequences, { steps: 2 })).toThrow("sequences[0] has 3 steps, more than steps = 2. Cut by keep: 'first' or 'last'.");
    expect(() => padSequences([])).toThrow('padSequences: sequences must hold at least one sequence');
    expect(() => padSequences([Int32Array.of(1), vectors[0]!])).toThrow('sequences[1] is not');
    expect(() => padSequences([normal(0, 1)([2, 3], random), normal(0, 1)([2, 4], random)])).toThrow('sequences[1] must be [T, I] = [*, 3], got [2, 4]');
  });
});

describe('bucketBatches', () => {
  const examples: Example[] = ids.map((input, i) => ({ input, target: i }));
  const batchesIn = (options: object, seed: number): Batch[] => [...bucketBatches(examples, { batchSize: 8, ...options }).batches(createRandom(seed))];

  it('gives every example once an epoch, with its target; as many batches as it says; the order hangs on the seed', () => {
    for (const options of [{}, { bucket: 2 }, { shuffle: false }, { bucket: 1 }]) {
      const batches = batchesIn(options, 3);
      expect(batches.length).toBe(bucketBatches(examples, { batchSize: 8, ...options }).batchCount);
      const seen = batches.flatMap(({ inputs, targets, lengths }) => [...targets.data].map((target, row) => {
        const B = targets.data.length;
        expect(lengths![row]).toBe(ids[target]!.length);
        for (let t = 0; t < lengths![row]!; t++) expect(inputs.data[t * B + row]).toBe(100 + target);
        return target;
      }));
      expect(seen.sort((a, b) => a - b)).toEqual([...ids.keys()]);
      expect(batchesIn(options, 3)).toEqual(batches);
    }
    expect(batchesIn({}, 4)).not.toEqual(batchesIn({}, 3));
  });

  it('pads little: rows of a batch are of similar length', () => {
    const padding = (options: object): number => batchesIn(options, 1).reduce((sum, { inputs, lengths }) => sum + inputs.data.length - lengths!.reduce((a, b) => a + b, 0), 0);
    expect(padding({})).toBeLessThan(padding({ bucket: 1 }) / 4);
  });

  it('pads targets of every step like the inputs', () => {
    const perStep = ids.map((input, i) => ({ input, target: i % 2 === 0 ? input : input.map((id) => id) }));
    for (const { inputs, targets } of bucketBatches(perStep, { batchSize: 10 }).batches(createRandom(1))) expect(targets).toEqual(inputs);
    const ofVectors = vectors.map((input) => ({ input, target: input }));
    for (const { inputs, targets } of bucketBatches(ofVectors, { batchSize: 10 }).batches(createRandom(1))) expect(targets).toEqual(inputs);
    const [{ targets: [row] }] = [{ targets: [[...bucketBatches([{ input: ids[0]!, target: normal(0, 1)([4], random) }], { batchSize: 1 }).batches(createRandom(1))][0]!.targets.shape] }];
    expect(row).toEqual([1, 4]);
  });

  it('refuses targets of other lengths, mixed kinds, and nothing', () => {
    expect(() => bucketBatches([], { batchSize: 2 })).toThrow('bucketBatches: examples must hold at least one example');
    expect(() => bucketBatches([{ input: Int32Array.of(1, 2), target: Int32Array.of(1) }], { batchSize: 2 })).toThrow('examples[0] has an input of 2 steps and targets for 1');
    expect(() => bucketBatches([{ input: Int32Array.of(1), target: 1 }, { input: Int32Array.of(1), target: Int32Array.of(1) }], { batchSize: 2 })).toThrow('examples[1] has not');
  });

  it('a model learns from them', async () => {
    // The answer is the first id of the sequence.
    const own: Example[] = Array.from({ length: 200 }, () => {
      const input = Int32Array.from({ length: 1 + integerNumber(random, 8) }, () => integerNumber(random, 3));
      return { input, target: input[0]! };
    });
    const model = sequential([embedding({ vocabularySize: 3, size: 4 }), recurrent(gru(), { hiddenSize: 12, returnSequences: false }), dense({ size: 3 })]);
    const data = bucketBatches(own, { batchSize: 20, bucket: 4 });
    await fit(model, data, { loss: crossEntropy, optimizer: adam(0.02), epochs: 25 });
    expect(evaluate(model, data, { loss: crossEntropy, metrics: { accuracy } }).accuracy).toBeGreaterThan(0.97);
  });
});
