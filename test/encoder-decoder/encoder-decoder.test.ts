/**
 * Encoder-decoder models: gradients, unequal lengths, scheduled sampling, searches compared with reference searches,
 * training.
 */

import {
  adam,
  additiveScore,
  type BeamOptions,
  beamSearch,
  bidirectional,
  chain,
  checkGradients,
  clipByNorm,
  compute,
  conv1d,
  cosineDecay,
  createRandom,
  dotScore,
  dropout,
  type EncoderDecoder,
  type EncoderDecoderOptions,
  embedding,
  encoderDecoder,
  evaluate,
  fit,
  full,
  generalScore,
  greedySearch,
  gru,
  type Hypothesis,
  integerNumber,
  intTensor,
  type Layer,
  lstm,
  maxPool1d,
  normal,
  type Pair,
  type PairBatch,
  padSequences,
  pairBatches,
  projectedLstm,
  recurrent,
  simpleRnn,
} from 'bptt';
import { describe, expect, it } from 'vitest';
import { concat } from '../../src/autodiff/ops/movement';
import { decodeStep } from '../../src/encoder-decoder/decoder';
import { encodeSource } from '../../src/encoder-decoder/encoder-decoder';
import { defaultWorkspace } from '../../src/kernels/workspace';
import { leavesOf } from '../../src/tensor/tree';
import { golden } from '../golden/read';

const [start, end, V] = [0, 1, 6];
const base: EncoderDecoderOptions = {
  encoder: [embedding({ vocabularySize: V, size: 3 }), bidirectional(lstm(), { hiddenSize: 2 })],
  decoder: { vocabularySize: V, embeddingSize: 3, cell: lstm(), hiddenSize: 4 },
  start,
  end,
  seed: 1,
};
const models: [string, EncoderDecoderOptions][] = [
  ['without attention, final state passed unchanged', base],
  [
    'two layers of GRU with additive attention, bridged',
    {
      ...base,
      encoder: [embedding({ vocabularySize: V, size: 3 }), recurrent(gru(), { hiddenSize: 5 })],
      decoder: { ...base.decoder, cell: gru(), layers: 2, attention: additiveScore({ size: 4 }) },
    },
  ],
  ['input feeding', { ...base, decoder: { ...base.decoder, attention: dotScore(), inputFeeding: true } }],
  [
    'projected LSTM',
    {
      ...base,
      decoder: {
        ...base.decoder,
        cell: projectedLstm({ projectionSize: 2 }),
        attention: generalScore(),
        inputFeeding: true,
      },
    },
  ],
];

const random = createRandom(5);
const word = (longest: number): number[] =>
  Array.from({ length: 1 + integerNumber(random, longest) }, () => 2 + integerNumber(random, V - 2));
const pairs: Pair[] = Array.from({ length: 5 }, () => ({
  input: Int32Array.from(word(4)),
  target: Int32Array.from([...word(4), end]),
}));
const withRandomParameters = (model: EncoderDecoder): EncoderDecoder => {
  model.data.set(normal(0, 0.6)([model.data.length], createRandom(9)).data);
  return model;
};
const batchOf = (of: readonly Pair[]): PairBatch =>
  [...pairBatches(of, { batchSize: of.length, shuffle: false }).batches(createRandom(1))][0]!;
const context = (training: boolean, seed = 1) => ({ training, random: createRandom(seed), step: 1 });
/** The attention weights of the steps that read these ids after the start, `[steps, S]`. */
const weightsOf = (model: EncoderDecoder, input: Int32Array, ids: readonly number[]): Float32Array =>
  compute(model.parameters, (p) => {
    const { inputs, lengths } = padSequences([input]);
    const encoded = encodeSource(model, p, inputs, lengths);
    let { state } = encoded;
    const rows = [start, ...ids].map((id) => {
      const step = decodeStep(model.decoder, p.decoder, intTensor([id]), state, encoded.memory, undefined);
      state = step.state;
      return step.weights!;
    });
    return concat(rows);
  }).data;
const lossOf = (model: EncoderDecoder, batch: PairBatch): number =>
  compute(model.parameters, (p) => model.loss(p, batch, context(false))).data[0]!;

describe.each(models)('%s', (_, options) => {
  const model = withRandomParameters(encoderDecoder(options));

  it('has gradients equal to finite differences, also with scheduled sampling and dropout', () => {
    const sampled = encoderDecoder({
      ...options,
      decoder: { ...options.decoder, dropout: 0.3 },
      scheduledSampling: (step) => step / 2,
    });
    sampled.data.set(model.data);
    for (const checked of [model, sampled]) {
      const { error, worst } = checkGradients(checked.parameters, (p) =>
        checked.loss(p, batchOf(pairs), context(checked === sampled)),
      );
      expect(error, JSON.stringify(worst)).toBeLessThan(1e-7);
    }
  });

  it('the loss of a batch of unequal lengths equals the mean over its pairs in batches of one', () => {
    const counts = pairs.map(({ target }) => target.length);
    const total = pairs.reduce((sum, pair, i) => sum + counts[i]! * lossOf(model, batchOf([pair])), 0);
    expect(lossOf(model, batchOf(pairs))).toBeCloseTo(total / counts.reduce((a, b) => a + b), 5);
  });

  it('decoding all steps at once equals decoding step by step', () => {
    const slow = encoderDecoder({ ...options, scheduledSampling: 1e-300 });
    slow.data.set(model.data);
    const [fast, one] = [model, slow].map(
      ({ parameters, loss }) => compute(parameters, (p) => loss(p, batchOf(pairs), context(true))).data[0]!,
    );
    expect(one).toBeCloseTo(fast!, 5);
  });

  it('a search returns the same hypothesis in a batch as in a batch of one, with its probability', () => {
    const inputs = pairs.map(({ input }) => input as Int32Array);
    const together = beamSearch(model, padSequences(inputs), { beamSize: 3, maxLength: 6, count: 2 });
    inputs.forEach((input, i) => {
      const [alone] = beamSearch(model, padSequences([input]), { beamSize: 3, maxLength: 6, count: 2 });
      together[i]!.forEach((each, rank) => {
        expect([...each.ids]).toEqual([...alone![rank]!.ids]);
        expect(each.score).toBeCloseTo(alone![rank]!.score, 4);
        const target = Int32Array.from([...each.ids, ...(each.ended ? [end] : [])]);
        expect(-lossOf(model, batchOf([{ input, target }])) * target.length).toBeCloseTo(each.logProbability, 4);
        expect(each.score).toBeCloseTo(each.logProbability / ((5 + target.length) / 6) ** 0.6, 4);
        expect(each.weights?.shape).toEqual(
          options.decoder.attention && [
            target.length,
            together.length === 0 ? 0 : Math.max(...inputs.map(({ length }) => length)),
          ],
        );
        if (alone![rank]!.weights !== undefined) {
          const forced = weightsOf(model, input, [...target.subarray(0, -1)]);
          alone![rank]!.weights!.data.forEach((weight, k) => expect(weight).toBeCloseTo(forced[k]!, 5));
        }
        for (let t = input.length; each.weights !== undefined && t < each.weights.shape[1]!; t++)
          expect(each.weights.data[t]).toBe(0);
      });
    });
  });

  it('greedy search equals a beam of one; a beam of all sequences finds the most likely one', () => {
    const source = padSequences(pairs.map(({ input }) => input as Int32Array));
    const greedy = greedySearch(model, source, { maxLength: 5 });
    beamSearch(model, source, { beamSize: 1, maxLength: 5, lengthPenalty: 0 }).forEach(([best], i) =>
      expect(best).toEqual(greedy[i]),
    );

    const input = pairs[0]!.input as Int32Array;
    const every = (length: number): number[][] =>
      length === 0
        ? [[]]
        : every(length - 1).flatMap((head) => Array.from({ length: V }, (_each, id) => [...head, id]));
    const complete = [1, 2, 3].flatMap((length) =>
      every(length - 1)
        .filter((ids) => !ids.includes(end))
        .map((ids) => Int32Array.from([...ids, end])),
    );
    for (const lengthPenalty of [0, 1]) {
      const scores = complete.map(
        (target) =>
          (-lossOf(model, batchOf([{ input, target }])) * target.length) / ((5 + target.length) / 6) ** lengthPenalty,
      );
      const best = complete[scores.indexOf(Math.max(...scores))]!;
      const [[found]] = beamSearch(model, padSequences([input]), {
        beamSize: V ** 3,
        maxLength: 3,
        lengthPenalty,
      }) as unknown as [[{ ids: Int32Array; score: number }]];
      expect([...found.ids, end]).toEqual([...best]);
      expect(found.score).toBeCloseTo(Math.max(...scores), 4);
    }
  });
});

describe('a Markov chain', () => {
  const [a, b] = [2, 3];
  /** A decoder with these probabilities of the next id, by the id before; 0 for those that are not given. */
  const markov = (
    chances: Readonly<Record<number, Readonly<Record<number, number>>>>,
    options: Pick<EncoderDecoderOptions, 'scheduledSampling'> = {},
  ): EncoderDecoder => {
    const decoder = { vocabularySize: 4, embeddingSize: 4, cell: simpleRnn(), hiddenSize: 4 };
    const model = encoderDecoder({ ...base, ...options, decoder });
    model.data.fill(0);
    const { embedding, cell, output } = model.parameters.decoder;
    for (let id = 0; id < 4; id++) {
      for (const { data } of [embedding.weight, cell['layer1']!['weightIh']!]) data[5 * id] = 1;
      for (let next = 0; next < 4; next++)
        output.weight.data[4 * id + next] = Math.log(chances[id]?.[next] ?? 1e-9) / Math.tanh(1);
    }
    return model;
  };
  const source = padSequences([Int32Array.of(2)]);
  const found = (model: EncoderDecoder, options: BeamOptions) =>
    beamSearch(model, source, { maxLength: 6, ...options })[0]!.map(({ ids, ended, logProbability }) => [
      ids.join(' '),
      ended,
      Number(Math.exp(logProbability).toFixed(4)),
    ]);

  it('greedy search takes the most likely id, also if the whole sequence is not the most likely one', () => {
    const model = markov({ [start]: { [a]: 0.6, [end]: 0.4 }, [a]: { [b]: 0.6, [end]: 0.4 }, [b]: { [end]: 1 } });
    const [{ ids, ended, logProbability }] = greedySearch(model, source) as [Hypothesis];
    expect([[...ids], ended]).toEqual([[a, b], true]);
    expect(logProbability).toBeCloseTo(Math.log(0.36), 5);
    // Two ended hypotheses are kept: the longer one has ended by the most likely id.
    expect(found(model, { beamSize: 2, count: 2, lengthPenalty: 0 })).toEqual([
      ['', true, 0.4],
      ['2 3', true, 0.36],
    ]);
  });

  it('does not stop while a longer sequence can have a better score', () => {
    const model = markov({
      [start]: { [end]: 0.5, [a]: 0.45, [b]: 0.05 },
      [a]: { [b]: 0.9, [end]: 0.1 },
      [b]: { [end]: 0.9, [a]: 0.1 },
    });
    for (const beamSize of [1, 2]) {
      expect(found(model, { beamSize, lengthPenalty: 0 })).toEqual([['', true, 0.5]]);
      expect(found(model, { beamSize, lengthPenalty: 5 })).toEqual([['2 3', true, 0.3645]]);
    }
    expect(found(model, { beamSize: 2, count: 2, lengthPenalty: 5 })).toEqual([
      ['2 3', true, 0.3645],
      ['2 3 2 3', true, 0.0328],
    ]);
  });

  it('hypotheses that have not ended follow the ended ones, the best first', () => {
    const model = markov({
      [start]: { [a]: 0.5, [b]: 0.3, [end]: 0.2 },
      [a]: { [a]: 0.5, [b]: 0.5 },
      [b]: { [b]: 0.95, [a]: 0.05 },
    });
    expect(found(model, { beamSize: 3, count: 3, maxLength: 2, lengthPenalty: 0 })).toEqual([
      ['', true, 0.2],
      ['3 3', false, 0.285],
      ['2 2', false, 0.25],
    ]);
  });

  it('by default, a beam has 4 hypotheses', () => {
    const late = markov({
      [start]: { [start]: 0.3, [a]: 0.27, [b]: 0.25, [end]: 0.18 },
      [a]: { [start]: 0.5, [b]: 0.5 },
      [b]: { [start]: 0.5, [a]: 0.5 },
    });
    const options = { count: 3, maxLength: 3, lengthPenalty: 0 };
    expect(beamSearch(late, source, options)).toEqual(beamSearch(late, source, { ...options, beamSize: 4 }));
    expect(beamSearch(late, source, options)).not.toEqual(beamSearch(late, source, { ...options, beamSize: 3 }));
  });

  it('scheduled sampling replaces inputs by samples from the logits, only in training', () => {
    const chances = {
      [start]: { [start]: 0.3, [a]: 0.4, [b]: 0.1, [end]: 0.2 },
      [a]: { [a]: 0.9, [b]: 0.1 },
      [b]: { [a]: 0.2, [b]: 0.8 },
      [end]: { [a]: 0.5, [b]: 0.5 },
    };
    const pair = { input: Int32Array.of(2), target: Int32Array.of(a, a) };
    const batch = batchOf(Array.from({ length: 8000 }, () => pair));
    const lossWith = (scheduledSampling: number, training: boolean): number => {
      const model = markov(chances, { scheduledSampling });
      return compute(model.parameters, (p) => model.loss(p, batch, context(training))).data[0]!;
    };
    const forced = -(Math.log(0.4) + Math.log(0.9)) / 2;
    const second = 0.3 * Math.log(0.4) + 0.4 * Math.log(0.9) + 0.1 * Math.log(0.2) + 0.2 * Math.log(0.5);
    const sampled = -(Math.log(0.4) + second) / 2;
    expect(lossWith(1, false)).toBeCloseTo(forced, 5);
    // Four standard deviations.
    expect(Math.abs(lossWith(1, true) - sampled)).toBeLessThan(0.0133);
    expect(Math.abs(lossWith(0.5, true) - (sampled + forced) / 2)).toBeLessThan(0.0133);
  });
});

it('the function of scheduled sampling is called with the updates of training only', async () => {
  const updates: number[] = [];
  const scheduledSampling = (update: number) => {
    updates.push(update);
    return 1 - 1 / update;
  };
  const data = pairBatches(pairs, { batchSize: pairs.length });
  const model = encoderDecoder({ ...base, scheduledSampling });
  await fit(model, data, { optimizer: adam(0.01), epochs: 2, validation: data });
  expect(evaluate(model, data).loss).toBeGreaterThan(0);
  expect(updates).toEqual([1, 2]);
});

it('dropout acts on the embedded ids and the input of the output layer, only in training', () => {
  const [x, w] = [0.7, 1.5];
  // The loss of the first id, if the logit of that id is `logit` and all others are 0.
  const lossAt = (logit: number): number => Math.log(Math.exp(logit) + V - 1) - logit;
  const variants: [Partial<EncoderDecoderOptions['decoder']>, (h: number) => number][] = [
    [{}, (h) => h],
    [{ attention: dotScore() }, Math.tanh],
    [{ attention: dotScore(), inputFeeding: true }, Math.tanh],
  ];
  for (const [options, output] of variants) {
    const model = encoderDecoder({
      ...base,
      encoder: [embedding({ vocabularySize: V, size: 1 }), recurrent(simpleRnn(), { hiddenSize: 1 })],
      decoder: { vocabularySize: V, embeddingSize: 1, cell: simpleRnn(), hiddenSize: 1, dropout: 0.5, ...options },
    });
    model.data.fill(0);
    const { embedding: ids, cell, combine, output: last } = model.parameters.decoder;
    ids.weight.data.fill(x);
    cell['layer1']!['weightIh']!.data[0] = 1;
    // The first row is that of the context.
    if (combine) combine.weight.data[1] = 1;
    last.weight.data[2] = w;
    const batch = batchOf([{ input: Int32Array.of(3), target: Int32Array.of(2) }]);
    const losses = (training: boolean): number[] => {
      const all = Array.from({ length: 40 }, (_, seed) =>
        compute(model.parameters, (p) => model.loss(p, batch, context(training, seed))).data[0]!.toFixed(5),
      );
      return [...new Set(all)].map(Number).sort((one, other) => one - other);
    };
    const kept = lossAt(2 * w * output(Math.tanh(2 * x)));
    const expectAll = (got: readonly number[], expected: readonly number[]): void => {
      expect(got).toHaveLength(expected.length);
      expected.forEach((value, i) => expect(got[i]).toBeCloseTo(value, 4));
    };
    expectAll(losses(true), [kept, lossAt(0)]);
    expectAll(losses(false), [lossAt(w * output(Math.tanh(x)))]);
  }
});

it('dropout in the encoder is active in training', () => {
  const model = encoderDecoder({
    ...base,
    encoder: [...base.encoder.slice(0, 1), dropout(0.5), ...base.encoder.slice(1)],
  });
  const losses = [1, 2].map(
    (seed) => compute(model.parameters, (p) => model.loss(p, batchOf(pairs), context(true, seed))).data[0]!,
  );
  expect(losses[0]).not.toBe(losses[1]);
});

it('after a convolution with a stride, attention has the shorter sequences of the encoder', () => {
  const conv = conv1d({ size: 3, kernelSize: 2, stride: 2, padding: 'same' });
  const model = withRandomParameters(
    encoderDecoder({
      ...base,
      encoder: [base.encoder[0]!, conv, recurrent(lstm(), { hiddenSize: 4 })],
      decoder: { ...base.decoder, attention: dotScore() },
    }),
  );
  const two = [2, 5].map((length): Pair => ({ input: new Int32Array(length).fill(3), target: Int32Array.of(2, end) }));
  const alone = two.map((pair) => lossOf(model, batchOf([pair])));
  expect(lossOf(model, batchOf(two))).toBeCloseTo((alone[0]! + alone[1]!) / 2, 5);
});

it('an encoder may have convolutions and pooling that need several steps', () => {
  const model = encoderDecoder({
    ...base,
    inputSize: 3,
    encoder: [
      conv1d({ size: 3, kernelSize: 5 }),
      maxPool1d({ windowSize: 4 }),
      bidirectional(lstm(), { hiddenSize: 2 }),
    ],
    decoder: { ...base.decoder, attention: dotScore() },
  });
  const sources = [15, 8, 1].map((length) => normal(0, 1)([length, 3], createRandom(length)));
  const found = greedySearch(model, padSequences(sources), { maxLength: 3 });
  // 2 steps, 1 step, and none: the attention weights of the longest source have 2 columns.
  expect(found.map(({ weights }) => weights!.data.slice(0, 2).filter((weight) => weight > 0).length)).toEqual([
    2, 1, 0,
  ]);
  const alone = greedySearch(model, padSequences(sources.slice(1, 2)), { maxLength: 3 })[0]!;
  expect(found[1]!.ids).toEqual(alone.ids);
  expect(found[1]!.logProbability).toBeCloseTo(alone.logProbability, 5);
  const encoder = [conv1d({ size: 3, kernelSize: 1e5 }), recurrent(lstm(), { hiddenSize: 4 })];
  expect(() => encoderDecoder({ ...base, inputSize: 1, encoder })).toThrow(
    'encoderDecoder: layer encoder.conv: x must be at least 100000 steps long, as a window, got 65536.',
  );
});

it('initial parameters: seed 0 by default, embeddings with a standard deviation of 1', () => {
  const large = { ...base, decoder: { ...base.decoder, vocabularySize: 200, embeddingSize: 50 } };
  const { seed: _, ...withoutSeed } = large;
  const model = encoderDecoder(withoutSeed);
  expect(model.data).toEqual(encoderDecoder({ ...large, seed: 0 }).data);
  const { data } = model.parameters.decoder.embedding.weight;
  const variance = data.reduce((sum, value) => sum + value * value, 0) / data.length;
  expect(Math.abs(Math.sqrt(variance) - 1)).toBeLessThan(0.03);
});

describe('agrees with PyTorch (test/golden/encoder-decoder.json)', () => {
  interface Case {
    readonly parameters: Readonly<Record<string, { readonly data: readonly number[] }>>;
    readonly loss: number;
    readonly greedy: readonly {
      readonly ids: readonly number[];
      readonly logProbability: number;
      readonly weights: { readonly shape: readonly number[]; readonly data: readonly number[] } | null;
    }[];
  }
  const file = golden<
    Readonly<Record<string, Case>> & { readonly pairs: readonly Readonly<Record<keyof Pair, number[]>>[] }
  >('encoder-decoder');
  const given = file.pairs.map(({ input, target }) => ({
    input: Int32Array.from(input),
    target: Int32Array.from(target),
  }));
  const ids = embedding({ vocabularySize: V, size: 3 });
  const decoder = { ...base.decoder, hiddenSize: 3 };
  const cases: [string, Pick<EncoderDecoderOptions, 'encoder' | 'decoder'>][] = [
    [
      'bridged',
      {
        encoder: [ids, recurrent(gru(), { hiddenSize: 3 }), bidirectional(lstm(), { hiddenSize: 2 })],
        decoder: { ...decoder, layers: 2, attention: generalScore() },
      },
    ],
    [
      'inputFeeding',
      {
        encoder: [ids, recurrent(gru(), { hiddenSize: 4 })],
        decoder: {
          ...decoder,
          cell: gru(),
          hiddenSize: 4,
          layers: 2,
          attention: additiveScore({ size: 4 }),
          inputFeeding: true,
        },
      },
    ],
    ['projected', { encoder: [ids, recurrent(projectedLstm({ projectionSize: 2 }), { hiddenSize: 4 })], decoder }],
    ['cellStateFromHidden', { encoder: [ids, recurrent(gru(), { hiddenSize: 3 })], decoder }],
  ];

  it.each(cases)('%s: losses, ids and attention weights', (name, options) => {
    const expected = file[name]!;
    const model = encoderDecoder({ ...base, ...options });
    const leaves = leavesOf('test', model.parameters);
    expect(leaves.map(({ path }) => path).sort()).toEqual(Object.keys(expected.parameters).sort());
    for (const { path, tensor } of leaves) tensor.data.set(expected.parameters[path]!.data);
    expect(lossOf(model, batchOf(given))).toBeCloseTo(expected.loss, 5);
    given.forEach(({ input }, i) => {
      const [found] = greedySearch(model, padSequences([input]), { maxLength: 6 }) as [Hypothesis];
      const { ids: all, logProbability, weights } = expected.greedy[i]!;
      expect([...found.ids, ...(found.ended ? [end] : [])]).toEqual(all);
      expect(found.logProbability).toBeCloseTo(logProbability, 5);
      expect(found.weights?.shape).toEqual(weights?.shape);
      weights?.data.forEach((weight, k) => expect(found.weights!.data[k]).toBeCloseTo(weight, 5));
    });
  });
});

it('stops at maxLength and reports that the hypothesis did not end', () => {
  const model = encoderDecoder(base);
  const bias = (model.parameters.decoder['output'] as Record<string, { data: Float32Array }>)['bias']!.data;
  bias.fill(-50, end, end + 1);
  const [[written]] = beamSearch(model, padSequences([Int32Array.of(2)]), { maxLength: 4, beamSize: 2 }) as unknown as [
    [{ ids: Int32Array; ended: boolean }],
  ];
  expect([written.ids.length, written.ended]).toEqual([4, false]);
  const source = padSequences([Int32Array.of(2)]);
  for (const byDefault of [greedySearch(model, source)[0], beamSearch(model, source)[0]![0]])
    expect(byDefault!.ids).toHaveLength(100);
  bias.fill(50, end, end + 1);
  expect(greedySearch(model, padSequences([Int32Array.of(2)]))[0]).toMatchObject({
    ids: new Int32Array(0),
    ended: true,
  });
});

it('learns to reverse words: all of 100 held-out words, and fewer without attention', async () => {
  const draw = (): Pair => {
    const input = word(7);
    return { input: Int32Array.from(input), target: Int32Array.from([...input.slice().reverse(), end]) };
  };
  const [train, held] = [Array.from({ length: 8000 }, draw), Array.from({ length: 100 }, draw)];
  const exact = async (attention: boolean): Promise<number> => {
    const model = encoderDecoder({
      encoder: [embedding({ vocabularySize: V, size: 12 }), bidirectional(gru(), { hiddenSize: 16 })],
      decoder: {
        vocabularySize: V,
        embeddingSize: 12,
        cell: gru(),
        hiddenSize: 32,
        ...(attention ? { attention: generalScore() } : {}),
      },
      start,
      end,
      seed: 2,
    });
    await fit(model, pairBatches(train, { batchSize: 40 }), {
      optimizer: chain(clipByNorm(1), adam(cosineDecay(0.01, { steps: 1000 }))),
      steps: 1000,
    });
    const written = greedySearch(model, padSequences(held.map(({ input }) => input as Int32Array)), { maxLength: 12 });
    expect(evaluate(model, pairBatches(held, { batchSize: 50 })).loss).toBeGreaterThan(0);
    return written.filter(({ ids }, i) => [...ids, end].join() === [...held[i]!.target].join()).length;
  };
  const [withAttention, withoutAttention] = [await exact(true), await exact(false)];
  expect(withAttention).toBe(100);
  expect(withoutAttention).toBeLessThan(withAttention);
});

it('the memory of a search does not grow with its length', () => {
  const model = encoderDecoder({
    ...base,
    decoder: { ...base.decoder, layers: 2, attention: dotScore(), inputFeeding: true },
  });
  const bias = (model.parameters.decoder['output'] as Record<string, { data: Float32Array }>)['bias']!.data;
  bias.fill(-1e4, end, end + 1);
  const workspace = defaultWorkspace();
  const { top } = workspace;
  const highest = (maxLength: number): number => {
    // Memory that the search does not write keeps the marker value.
    workspace.memory.view.fill(123, top);
    beamSearch(model, padSequences([Int32Array.of(2, 3), Int32Array.of(4)]), { beamSize: 3, maxLength });
    let last = workspace.memory.view.length - 1;
    while (workspace.memory.view[last] === 123) last--;
    return last;
  };
  highest(100);
  expect(highest(100)).toBe(highest(5));
});

it('the initial state of the decoder is that of the last recurrent layer, whatever layers follow it', () => {
  const conv = conv1d({ size: 4, kernelSize: 2, padding: 'causal' });
  const create = (after: readonly Layer[]): EncoderDecoder =>
    encoderDecoder({
      ...base,
      encoder: [embedding({ vocabularySize: V, size: 3 }), recurrent(gru(), { hiddenSize: 4 }), ...after],
      decoder: { ...base.decoder, cell: gru(), hiddenSize: 4 },
    });
  const [model, without] = [create([conv]), create([])];
  const values = new Map(leavesOf('test', without.parameters).map(({ path, tensor }) => [path, tensor.data]));
  for (const { path, tensor } of leavesOf('test', model.parameters)) tensor.data.set(values.get(path) ?? []);
  const data = pairBatches([{ input: Int32Array.of(2, 3, 4), target: Int32Array.of(4, end) }], { batchSize: 1 });
  // Without attention, the decoder sees only its initial state.
  expect(evaluate(model, data)).toEqual(evaluate(without, data));
  expect(() => encoderDecoder({ ...base, encoder: [embedding({ vocabularySize: V, size: 3 }), conv] })).toThrow(
    'encoder must have a recurrent layer',
  );
});

it('supports sources of vectors, and rejects invalid options', () => {
  const model = encoderDecoder({ ...base, encoder: [recurrent(simpleRnn(), { hiddenSize: 3 })], inputSize: 2 });
  const source = padSequences([normal(0, 1)([4, 2], createRandom(1)), normal(0, 1)([2, 2], createRandom(2))]);
  expect(greedySearch(model, source, { maxLength: 3 }).length).toBe(2);
  expect(() => encoderDecoder({ ...base, decoder: { ...base.decoder, inputFeeding: true } })).toThrow(
    'decoder.inputFeeding requires decoder.attention',
  );
  expect(() => encoderDecoder({ ...base, encoder: [embedding({ vocabularySize: V, size: 3 })] })).toThrow(
    'encoder must have a recurrent layer',
  );
  expect(() =>
    encoderDecoder({
      ...base,
      encoder: [
        embedding({ vocabularySize: V, size: 3 }),
        recurrent(lstm(), { hiddenSize: 2, returnSequences: false }),
      ],
    }),
  ).toThrow('encoder must return a vector per step');
  expect(() => encoderDecoder({ ...base, end: V })).toThrow(
    'encoderDecoder: start and end must be integers from 0 to 5, got 6',
  );
  expect(() => encoderDecoder({ ...base, start: -1 })).toThrow('start and end must be integers from 0 to 5, got -1');
  for (const scheduledSampling of [1.5, () => -0.5]) {
    const fitted = () => {
      const { parameters, loss } = encoderDecoder({ ...base, scheduledSampling });
      return compute(parameters, (p) => loss(p, batchOf(pairs), context(true)));
    };
    expect(fitted).toThrow('encoderDecoder: scheduledSampling must be a number from 0 to 1, got');
  }
  expect(() => encoderDecoder({ ...base, decoder: { ...base.decoder, dropout: 1 } })).toThrow(
    'decoder.dropout must be at least 0 and less than 1, got 1.',
  );
  expect(() => encoderDecoder({ ...base, decoder: { ...base.decoder, hiddenSize: 5, attention: dotScore() } })).toThrow(
    'encoderDecoder: queries and states must be of equal sizes, got 5 and 4.',
  );
  const lossOn = (targets: unknown) => () => lossOf(encoderDecoder(base), { ...batchOf(pairs), targets } as PairBatch);
  expect(lossOn(undefined)).toThrow('encoderDecoder: targets must be an integer tensor');
  expect(lossOn(full([2, 5], 1))).toThrow('encoderDecoder: targets must be an integer tensor');
  expect(
    lossOn(
      intTensor([
        [2, 3, 2, 2, 2],
        [2, 2, V, 2, 2],
        [1, 1, 1, 1, 1],
      ]),
    ),
  ).toThrow('encoderDecoder: targets must be integers from 0 to 5, got 6 at index 7.');
  expect(() => lossOf(encoderDecoder(base), null as never)).toThrow(
    'encoderDecoder: a batch must be an object, got null',
  );
  for (const inputs of [undefined, null, [1, 2], { data: Int32Array.of(1) }])
    expect(() => lossOf(encoderDecoder(base), { ...batchOf(pairs), inputs } as never)).toThrow(
      'encoderDecoder: inputs must be a tensor',
    );
  expect(() => lossOf(encoderDecoder(base), { ...batchOf(pairs), mask: full([3, 5], 1) } as never)).toThrow(
    'encoderDecoder: a batch must have only inputs, targets, lengths, targetLengths, got mask.',
  );
  expect(() => beamSearch(model, source, { beamSize: 2, count: 3 })).toThrow(
    'beamSearch: count must be at most beamSize = 2, got 3',
  );
  expect(() => beamSearch(model, source, { count: 0 })).toThrow('beamSearch: count must be');
  expect(() => beamSearch(model, source, { lengthPenalty: -1 })).toThrow('beamSearch: lengthPenalty must be');
  expect(() => greedySearch(model, source, { maxLength: 0 })).toThrow('greedySearch: maxLength');
  model.data.fill(NaN);
  expect(() => greedySearch(model, source)).toThrow('greedySearch: logits must be numbers, got NaN.');
});
