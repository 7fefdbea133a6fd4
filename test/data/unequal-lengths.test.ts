/** Padding, and batches of sequences of similar length. */

import {
  accuracy,
  adam,
  type Batch,
  bucketBatches,
  createRandom,
  crossEntropy,
  dense,
  type Example,
  embedding,
  evaluate,
  fit,
  gru,
  type IntTensor,
  integerNumber,
  normal,
  padSequences,
  pairBatches,
  recurrent,
  sequential,
  type Tensor,
  tensor,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const random = createRandom(2);
const ids = Array.from({ length: 57 }, (_, i) => Int32Array.from({ length: integerNumber(random, 12) }, () => 100 + i));
const vectors = ids.map(({ length }) => normal(0, 1)([length, 3], random));

describe('padSequences', () => {
  it('returns every sequence in its row, followed by padding, and its length', () => {
    for (const sequences of [ids, vectors]) {
      const { inputs, lengths } = padSequences<Int32Array | Tensor>(sequences, { padding: -7 });
      const [T = 0, B = 0, size = 1] = inputs.shape;
      expect([T, B]).toEqual([Math.max(...lengths), 57]);
      sequences.forEach((sequence, row) => {
        const column = Array.from({ length: T }, (_, t) => [
          ...inputs.data.subarray((t * B + row) * size, (t * B + row + 1) * size),
        ]).flat();
        const values = [...(sequence instanceof Int32Array ? sequence : sequence.data)];
        expect(column).toEqual([...values, ...new Array<number>(T * size - values.length).fill(-7)]);
        expect(lengths[row]! * size).toBe(values.length);
      });
    }
  });

  it('truncates to the first or the last steps, or rejects long sequences', () => {
    const sequences = [Int32Array.of(1, 2, 3), Int32Array.of(4)];
    expect([...padSequences(sequences, { sequenceLength: 2, keep: 'first' }).inputs.data]).toEqual([1, 4, 2, 0]);
    expect([...padSequences(sequences, { sequenceLength: 2, keep: 'last' }).inputs.data]).toEqual([2, 4, 3, 0]);
    expect(padSequences(sequences, { sequenceLength: 5 }).inputs.shape).toEqual([5, 2]);
    expect(padSequences([new Int32Array(0)]).inputs).toEqual({ shape: [0, 1], data: new Int32Array(0) });
    expect(() => padSequences(sequences, { sequenceLength: 2 })).toThrow(
      "the length of sequences[0] must be at most sequenceLength = 2, got 3. Pass keep: 'first' or 'last' to truncate it.",
    );
    expect(() => padSequences([])).toThrow('padSequences: sequences must hold at least one sequence');
    expect(() => padSequences([Int32Array.of(1), vectors[0]!])).toThrow(
      new TypeError(
        'padSequences: sequences[1] must be an Int32Array of ids, like sequences[0], got { shape, data: an instance of Float32Array }.',
      ),
    );
    // @ts-expect-error Arrays of numbers are not sequences.
    expect(() => padSequences([[1, 2]])).toThrow(
      new TypeError('padSequences: sequences[0] must be an Int32Array of ids, or a tensor [T, I], got an array.'),
    );
    expect(() => padSequences([tensor([1, 2])])).toThrow('sequences[0] must be [T, I] = [*, *], got [2]');
    expect(() => padSequences(sequences, { padding: 0.5 })).toThrow(
      'padSequences: padding must be an id, an integer, got 0.5',
    );
    expect(() => padSequences(sequences, { padding: Symbol('pad') as never })).toThrow(
      new RangeError('padSequences: padding must be an id, an integer, got Symbol(pad).'),
    );
    expect(() => padSequences(sequences, { padding: 2 ** 32 })).toThrow(
      'padSequences: padding must be an id, an integer',
    );
    // @ts-expect-error There is no such value.
    expect(() => padSequences(sequences, { sequenceLength: 2, keep: 'end' })).toThrow(
      "keep must be 'first' or 'last', got end",
    );
    expect(() => padSequences(sequences, { sequenceLength: 0, keep: 'last' })).toThrow(
      'padSequences: sequenceLength must be an integer of at least 1, got 0',
    );
    expect(() => padSequences([normal(0, 1)([2, 3], random), normal(0, 1)([2, 4], random)])).toThrow(
      'sequences[1] must be [T, I] = [*, 3], got [2, 4]',
    );
  });
});

describe('bucketBatches', () => {
  const examples = ids.map((input, i) => ({ input, target: i }));
  const batchesIn = (options: object, seed: number): Batch<IntTensor, IntTensor>[] => [
    ...bucketBatches(examples, { batchSize: 8, ...options }).batches(createRandom(seed)),
  ];

  it('yields every example once per epoch with its target, in batchCount batches, in an order set by the seed', () => {
    for (const options of [{}, { bucket: 2 }, { shuffle: false }, { bucket: 1 }]) {
      const batches = batchesIn(options, 3);
      expect(batches.length).toBe(bucketBatches(examples, { batchSize: 8, ...options }).batchCount);
      const seen = batches.flatMap(({ inputs, targets, lengths }) =>
        [...targets.data].map((target, row) => {
          const B = targets.data.length;
          expect(lengths![row]).toBe(ids[target]!.length);
          for (let t = 0; t < lengths![row]!; t++) expect(inputs.data[t * B + row]).toBe(100 + target);
          return target;
        }),
      );
      expect(seen.sort((a, b) => a - b)).toEqual([...ids.keys()]);
      expect(batchesIn(options, 3)).toEqual(batches);
    }
    expect(batchesIn({}, 4)).not.toEqual(batchesIn({}, 3));
  });

  it('pads little, since the rows of a batch have similar lengths', () => {
    const padding = (options: object): number =>
      batchesIn(options, 1).reduce(
        (sum, { inputs, lengths }) => sum + inputs.data.length - lengths!.reduce((a, b) => a + b, 0),
        0,
      );
    expect(padding({})).toBeLessThan(padding({ bucket: 1 }) / 4);
  });

  it('sorts 50 batches together, stably, and shuffles them', () => {
    const lengthsIn = (lengths: readonly number[], options: { readonly shuffle?: boolean }): number[][] =>
      [
        ...bucketBatches(
          lengths.map((length, target) => ({ input: new Int32Array(length), target })),
          { batchSize: 1, ...options },
        ).batches(createRandom(1)),
      ].map(({ lengths, targets }) => [lengths![0]!, targets.data[0]!]);
    const descending = Array.from({ length: 52 }, (_, i) => 52 - i);
    const expected = [...descending.slice(0, 50).reverse(), ...descending.slice(50).reverse()];
    expect(lengthsIn(descending, { shuffle: false }).map(([length]) => length)).toEqual(expected);
    expect(lengthsIn([2, 1, 2, 1], { shuffle: false })).toEqual([
      [1, 1],
      [1, 3],
      [2, 0],
      [2, 2],
    ]);
    const shuffled = lengthsIn(descending.slice(0, 50), {}).map(([length]) => length!);
    expect(shuffled).not.toEqual(shuffled.slice().sort((a, b) => a - b));
  });

  it('composes other batches in every epoch', () => {
    const random = createRandom(2);
    const dataset = bucketBatches(
      Array.from({ length: 20 }, (_, target) => ({ input: Int32Array.of(1), target })),
      { batchSize: 4 },
    );
    const compositions = [1, 2].map(() =>
      [...dataset.batches(random)].map(({ targets }) => String(targets.data.sort())).sort(),
    );
    expect(compositions[0]).not.toEqual(compositions[1]);
  });

  it('fills the steps after a sequence with padding, in pairBatches also in the inputs alone', () => {
    const options = { batchSize: 2, shuffle: false, padding: 7 };
    const [short, long] = [Int32Array.of(1), Int32Array.of(2, 3)];
    const [batch] = bucketBatches(
      [short, long].map((input) => ({ input, target: 0 })),
      options,
    ).batches(random);
    expect(batch!.inputs).toEqual({ shape: [2, 2], data: Int32Array.of(1, 2, 7, 3) });
    const [pairs] = pairBatches(
      [short, long].map((input) => ({ input, target: input })),
      options,
    ).batches(random);
    expect(pairs).toEqual({
      ...batch,
      targets: { shape: [2, 2], data: Int32Array.of(1, 2, 0, 3) },
      targetLengths: Int32Array.of(1, 2),
    });
  });

  it('pads targets per step like the inputs', () => {
    const nonEmpty = <X>(items: readonly X[]): X[] => items.filter((_, i) => ids[i]!.length > 0);
    for (const sequences of [nonEmpty(ids), nonEmpty(vectors)]) {
      const seen: number[] = [];
      for (const { inputs, targets, lengths } of bucketBatches(
        sequences.map((input: Int32Array | Tensor) => ({ input, target: input })),
        { batchSize: 10 },
      ).batches(createRandom(1))) {
        expect(targets).toEqual(inputs);
        seen.push(...lengths!);
      }
      expect(seen.sort()).toEqual(
        nonEmpty(ids)
          .map(({ length }) => length)
          .sort(),
      );
    }
  });

  it('keeps vector targets per sequence with their inputs', () => {
    const vectorExamples = vectors.map((input, i) => ({ input, target: tensor([input.shape[0]!, i]) }));
    const rows = [...bucketBatches(vectorExamples, { batchSize: 10 }).batches(createRandom(1))].flatMap(
      ({ targets, lengths }) =>
        [...lengths!].map((length, row) => {
          expect(targets.shape).toEqual([lengths!.length, 2]);
          expect(targets.data[row * 2]).toBe(length);
          return targets.data[row * 2 + 1]!;
        }),
    );
    expect(rows.sort((a, b) => a - b)).toEqual([...ids.keys()]);
  });

  it('rejects targets of another length, mixed kinds, and empty input', () => {
    expect(() => bucketBatches([], { batchSize: 2 })).toThrow('bucketBatches: examples must hold at least one example');
    expect(() => bucketBatches([{ input: Int32Array.of(1, 2), target: Int32Array.of(1) }], { batchSize: 2 })).toThrow(
      'examples[0] must have one target per step, got 2 steps and 1 target.',
    );
    const rejected = (...examples: Example[]) => expect(() => bucketBatches(examples, { batchSize: 1 }));
    const input = Int32Array.of(1);
    rejected({ input, target: 1 }, { input, target: Int32Array.of(1) }).toThrow(
      'examples must all have one target per sequence, as examples[0] has; examples[1] has one per step.',
    );
    rejected({ input, target: 0.7 }).toThrow(
      'examples[0].target must be a class id, an integer of at least 0, got 0.7. Pass targets of a regression as',
    );
    rejected({ input, target: -1 }).toThrow('examples[0].target must be a class id, an integer of at least 0, got -1.');
    // An Int32Array would hold 0.
    rejected({ input, target: 2 ** 32 }).toThrow(
      'examples[0].target must be a class id, an integer of at least 0, got',
    );
    rejected({ input, target: { shape: [3], data: new Float32Array(2) } }).toThrow(
      'examples[0].target must be of size 3, as its shape is [3], got 2',
    );
    rejected({ input, target: 1 }, { input, target: tensor([1]) }).toThrow(
      'examples[1].target must be a class id, like examples[0].target, got { shape, data',
    );
    rejected({ input, target: tensor([1]) }, { input, target: tensor([1, 2]) }).toThrow(
      'examples[1].target must be [O] = [1], got [2]',
    );
    // @ts-expect-error A string is not a target.
    rejected({ input, target: 'yes' }).toThrow(
      'examples[0].target must be a class id, a tensor [O], or one target per step, got yes',
    );
    rejected({ input: tensor([[1]]), target: 1 }, { input: tensor([[1, 2]]), target: 1 }).toThrow(
      'examples[1].input must be [T, I] = [*, 1], got [1, 2]',
    );
    rejected({ input, target: input }, { input, target: tensor([[1]]) }).toThrow(
      'examples[1].target must be an Int32Array of ids, like examples[0].target',
    );
    rejected({ input: new Int32Array(0), target: new Int32Array(0) }).toThrow(
      'examples[0] must have at least one step',
    );
    expect(() => bucketBatches([{ input, target: 1 }], { batchSize: 0 })).toThrow(
      'bucketBatches: batchSize must be an integer of at least 1, got 0',
    );
    expect(() => bucketBatches([{ input, target: 1 }], { batchSize: 1, bucket: 1.5 })).toThrow(
      'bucketBatches: bucket must be an integer',
    );
    expect(() => bucketBatches([{ input, target: 1 }], { batchSize: 1, padding: NaN })).toThrow(
      'bucketBatches: padding must be an id',
    );
  });

  it('yields batches that a model can be trained on', async () => {
    // The target is the first id of the sequence.
    const firstIds = Array.from({ length: 200 }, () => {
      const input = Int32Array.from({ length: 1 + integerNumber(random, 8) }, () => integerNumber(random, 3));
      return { input, target: input[0]! };
    });
    const model = sequential([
      embedding({ vocabularySize: 3, size: 4 }),
      recurrent(gru(), { hiddenSize: 12, returnSequences: false }),
      dense({ size: 3 }),
    ]);
    const data = bucketBatches(firstIds, { batchSize: 20, bucket: 4 });
    await fit(model, data, { loss: crossEntropy, optimizer: adam(0.02), epochs: 25 });
    expect(evaluate(model, data, { loss: crossEntropy, metrics: { accuracy } }).accuracy).toBeGreaterThan(0.97);
  });
});

it('pairBatches rejects inputs of mixed kinds, and targets that are empty or not ids', () => {
  const target = Int32Array.of(1);
  expect(() => pairBatches([], { batchSize: 1 })).toThrow('pairBatches: pairs must hold at least one pair');
  expect(() =>
    pairBatches(
      [target, tensor([[1]])].map((input) => ({ input, target })),
      { batchSize: 1 },
    ),
  ).toThrow('pairBatches: pairs[1].input must be an Int32Array');
  // @ts-expect-error An array is not a target.
  expect(() => pairBatches([{ input: target, target: [1] }], { batchSize: 1 })).toThrow(
    'pairBatches: pairs[0].target must be an Int32Array of ids, got an array',
  );
  expect(() => pairBatches([{ input: target, target: new Int32Array() }], { batchSize: 1 })).toThrow(
    'pairBatches: pairs[0].target must hold at least one id, got none.',
  );
});
