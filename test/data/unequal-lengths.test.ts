/** Padding and batches of similar length. */

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
  it('gives every sequence back from its row and length, padding behind it', () => {
    for (const sequences of [ids, vectors]) {
      const {
        inputs: {
          shape: [T, B, size = 1],
          data,
        },
        lengths,
      } = padSequences(sequences as Tensor[], { padding: -7 }) as {
        inputs: { shape: [number, number, number?]; data: Float32Array };
        lengths: Int32Array;
      };
      expect([T, B]).toEqual([Math.max(...lengths), 57]);
      sequences.forEach((sequence, row) => {
        const column = Array.from({ length: T }, (_, t) => [
          ...data.subarray((t * B + row) * size, (t * B + row + 1) * size),
        ]).flat();
        const own = [...(sequence instanceof Int32Array ? sequence : sequence.data)];
        expect(column).toEqual([...own, ...new Array<number>(T * size - own.length).fill(-7)]);
        expect(lengths[row]! * size).toBe(own.length);
      });
    }
  });

  it('cuts to the first or the last steps, or refuses what is too long', () => {
    const sequences = [Int32Array.of(1, 2, 3), Int32Array.of(4)];
    expect([...padSequences(sequences, { sequenceLength: 2, keep: 'first' }).inputs.data]).toEqual([1, 4, 2, 0]);
    expect([...padSequences(sequences, { sequenceLength: 2, keep: 'last' }).inputs.data]).toEqual([2, 4, 3, 0]);
    expect(padSequences(sequences, { sequenceLength: 5 }).inputs.shape).toEqual([5, 2]);
    expect(() => padSequences(sequences, { sequenceLength: 2 })).toThrow(
      "sequences[0] has 3 steps, more than sequenceLength = 2. Cut by keep: 'first' or 'last'.",
    );
    expect(() => padSequences([])).toThrow('padSequences: sequences must hold at least one sequence');
    expect(() => padSequences([Int32Array.of(1), vectors[0]!])).toThrow(
      new TypeError(
        'padSequences: sequences[1] must be an Int32Array of ids, like sequences[0], got an object with shape, data.',
      ),
    );
    expect(() => padSequences([[1, 2]] as never)).toThrow(
      new TypeError('padSequences: sequences[0] must be an Int32Array of ids, or a tensor [T, I], got an array.'),
    );
    expect(() => padSequences([tensor([1, 2])])).toThrow('sequences[0] must be [T, I] = [*, *], got [2]');
    expect(() => padSequences(sequences, { padding: 0.5 })).toThrow(
      'padSequences: padding must be an id, a whole number, got 0.5',
    );
    expect(() => padSequences(sequences, { sequenceLength: 2, keep: 'end' as never })).toThrow(
      "keep must be 'first' or 'last', got end",
    );
    expect(() => padSequences(sequences, { sequenceLength: 0, keep: 'last' })).toThrow(
      'padSequences: sequenceLength must be a whole number of at least 1, got 0',
    );
    expect(() => padSequences([normal(0, 1)([2, 3], random), normal(0, 1)([2, 4], random)])).toThrow(
      'sequences[1] must be [T, I] = [*, 3], got [2, 4]',
    );
  });
});

describe('bucketBatches', () => {
  const examples: Example[] = ids.map((input, i) => ({ input, target: i }));
  const batchesIn = (options: object, seed: number): Batch[] => [
    ...bucketBatches(examples, { batchSize: 8, ...options }).batches(createRandom(seed)),
  ];

  it('gives every example once an epoch, with its target; as many batches as it says; the order hangs on the seed', () => {
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

  it('pads little: rows of a batch are of similar length', () => {
    const padding = (options: object): number =>
      batchesIn(options, 1).reduce(
        (sum, { inputs, lengths }) => sum + inputs.data.length - lengths!.reduce((a, b) => a + b, 0),
        0,
      );
    expect(padding({})).toBeLessThan(padding({ bucket: 1 }) / 4);
  });

  it('pads targets of every step like the inputs', () => {
    const some = <X>(of: readonly X[]): X[] => of.filter((_, i) => ids[i]!.length > 0);
    for (const sequences of [some(ids), some(vectors)]) {
      const seen: number[] = [];
      for (const { inputs, targets, lengths } of bucketBatches(
        sequences.map((input) => ({ input, target: input })),
        { batchSize: 10 },
      ).batches(createRandom(1))) {
        expect(targets).toEqual(inputs);
        seen.push(...lengths!);
      }
      expect(seen.sort()).toEqual(
        some(ids)
          .map(({ length }) => length)
          .sort(),
      );
    }
  });

  it('vectors as answers of sequences stay with their inputs', () => {
    const own = vectors.map((input, i) => ({ input, target: tensor([input.shape[0]!, i]) }));
    const rows = [...bucketBatches(own, { batchSize: 10 }).batches(createRandom(1))].flatMap(({ targets, lengths }) =>
      [...lengths!].map((length, row) => {
        expect(targets.shape).toEqual([lengths!.length, 2]);
        expect(targets.data[row * 2]).toBe(length);
        return targets.data[row * 2 + 1]!;
      }),
    );
    expect(rows.sort((a, b) => a - b)).toEqual([...ids.keys()]);
  });

  it('refuses targets of other lengths, mixed kinds, and nothing', () => {
    expect(() => bucketBatches([], { batchSize: 2 })).toThrow('bucketBatches: examples must hold at least one example');
    expect(() => bucketBatches([{ input: Int32Array.of(1, 2), target: Int32Array.of(1) }], { batchSize: 2 })).toThrow(
      'examples[0] has an input of 2 steps and targets for 1',
    );
    expect(() =>
      bucketBatches(
        [
          { input: Int32Array.of(1), target: 1 },
          { input: Int32Array.of(1), target: Int32Array.of(1) },
        ],
        { batchSize: 2 },
      ),
    ).toThrow('examples[1] has not');
    const refused = (...both: Example[]) => expect(() => bucketBatches(both, { batchSize: 1 }));
    const input = Int32Array.of(1);
    refused({ input, target: 0.7 }).toThrow(
      'examples[0].target must be an id, a whole number of at least 0, got 0.7. Numbers to estimate are a tensor [O].',
    );
    refused({ input, target: 1 }, { input, target: tensor([1]) }).toThrow(
      'examples[1].target must be an id, like examples[0].target, got an object',
    );
    refused({ input, target: tensor([1]) }, { input, target: tensor([1, 2]) }).toThrow(
      'examples[1].target must be [O] = [1], got [2]',
    );
    refused({ input, target: 'yes' as never }).toThrow(
      'examples[0].target must be an id, a tensor [O], or one answer a step, got yes',
    );
    refused({ input: tensor([[1]]), target: 1 }, { input: tensor([[1, 2]]), target: 1 }).toThrow(
      'examples[1].input must be [T, I] = [*, 1], got [1, 2]',
    );
    refused({ input, target: input }, { input, target: tensor([[1]]) }).toThrow(
      'examples[1].target must be an Int32Array of ids, like examples[0].target',
    );
    refused({ input: new Int32Array(0), target: new Int32Array(0) }).toThrow('examples[0] must have at least one step');
    expect(() => bucketBatches([{ input, target: 1 }], { batchSize: 0 })).toThrow(
      'bucketBatches: batchSize must be a whole number of at least 1, got 0',
    );
    expect(() => bucketBatches([{ input, target: 1 }], { batchSize: 1, bucket: 1.5 })).toThrow(
      'bucketBatches: bucket must be a whole number',
    );
    expect(() => bucketBatches([{ input, target: 1 }], { batchSize: 1, padding: NaN })).toThrow(
      'bucketBatches: padding must be an id',
    );
  });

  it('a model learns from them', async () => {
    // The answer is the first id of the sequence.
    const own: Example[] = Array.from({ length: 200 }, () => {
      const input = Int32Array.from({ length: 1 + integerNumber(random, 8) }, () => integerNumber(random, 3));
      return { input, target: input[0]! };
    });
    const model = sequential([
      embedding({ vocabularySize: 3, size: 4 }),
      recurrent(gru(), { hiddenSize: 12, returnSequences: false }),
      dense({ size: 3 }),
    ]);
    const data = bucketBatches(own, { batchSize: 20, bucket: 4 });
    await fit(model, data, { loss: crossEntropy, optimizer: adam(0.02), epochs: 25 });
    expect(evaluate(model, data, { loss: crossEntropy, metrics: { accuracy } }).accuracy).toBeGreaterThan(0.97);
  });
});

it('pairBatches refuses inputs that are not alike, and targets that are no ids', () => {
  const target = Int32Array.of(1);
  expect(() => pairBatches([], { batchSize: 1 })).toThrow('pairBatches: pairs must hold at least one pair');
  expect(() =>
    pairBatches(
      [
        { input: target, target },
        { input: tensor([[1]]), target },
      ],
      { batchSize: 1 },
    ),
  ).toThrow('pairBatches: pairs[1].input must be an Int32Array');
  expect(() => pairBatches([{ input: target, target: [1] as never }], { batchSize: 1 })).toThrow(
    'pairBatches: pairs[0].target must be an Int32Array of ids, got an array',
  );
});
