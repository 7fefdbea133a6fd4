/** Attention compared with plain loops and finite differences, with lengths, and with one or several queries. */

import {
  adam,
  add,
  additiveScore,
  attend,
  attentionMemory,
  attentionPooling,
  bidirectional,
  checkGradients,
  compute,
  createRandom,
  crossEntropy,
  dense,
  dotScore,
  embedding,
  fit,
  full,
  generalScore,
  initializeScore,
  integerNumber,
  intTensor,
  lstm,
  multiply,
  normal,
  predict,
  predictWithState,
  type Score,
  scaledDotScore,
  sequential,
  stream,
  sum,
  type Tensor,
  type Variable,
} from 'bptt';
import { describe, expect, it } from 'vitest';

const [T, B, D, H, Q] = [5, 3, 4, 4, 2];
const draw = normal(0, 1);
const lengths = Int32Array.of(3, 5, 0);

/** The score of one query and one state, as plain loops. */
type PlainScore = (query: number[], state: number[], p: Record<string, Tensor>) => number;
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((total, value, i) => total + value * b[i]!, 0);
/** The row vector x times a matrix. */
const times = (x: readonly number[], { shape: [rows, columns], data }: Tensor): number[] =>
  Array.from({ length: columns! }, (_, j) =>
    Array.from({ length: rows! }, (_each, i) => x[i]! * data[i * columns! + j]!).reduce((a, b) => a + b),
  );
const scores: [name: string, score: Score, plain: PlainScore][] = [
  ['dot', dotScore(), dot],
  ['scaled dot', scaledDotScore(), (query, state) => dot(query, state) / Math.sqrt(H)],
  ['general', generalScore(), (query, state, p) => dot(query, times(state, p['weight']!))],
  [
    'additive',
    additiveScore({ size: 6 }),
    (query, state, p) => {
      const [q, s] = [times(query, p['queryWeight']!), times(state, p['stateWeight']!)];
      return dot(
        q.map((value, i) => Math.tanh(value + s[i]! + p['bias']!.data[i]!)),
        [...p['vector']!.data],
      );
    },
  ],
];
/** Row `index` of a matrix whose rows have `size` elements. */
const vector = ({ data }: Tensor, index: number, size: number): number[] => [
  ...data.subarray(index * size, (index + 1) * size),
];

describe.each(scores)('%s', (_, score, plain) => {
  const random = createRandom(3);
  const p = { ...initializeScore(score, { querySize: D, stateSize: H, random }) };
  if (p['bias'] !== undefined) p['bias'] = draw([6], random);
  const states = draw([T, B, H], random);
  const queries = draw([Q, B, D], random);
  const run = (options: object, sequence = states): { context: Tensor; weights: Tensor } =>
    compute({ p, sequence, queries }, (v) => ({
      ...attend(score, attentionMemory(score, v.p, v.sequence, options), v.queries),
    }));

  it('weights and contexts match plain loops, with and without lengths', () => {
    for (const options of [{}, { lengths }]) {
      const { context, weights } = run(options);
      expect([context.shape, weights.shape]).toEqual([
        [Q, B, H],
        [Q, B, T],
      ]);
      for (let q = 0; q < Q; q++)
        for (let b = 0; b < B; b++) {
          const steps = 'lengths' in options ? lengths[b]! : T;
          const powers = Array.from({ length: steps }, (_each, t) =>
            Math.exp(plain(vector(queries, q * B + b, D), vector(states, t * B + b, H), p)),
          );
          const total = powers.reduce((a, c) => a + c, 0);
          for (let t = 0; t < T; t++)
            expect(weights.data[(q * B + b) * T + t]).toBeCloseTo(t < steps ? powers[t]! / total : 0, 5);
          for (let h = 0; h < H; h++) {
            const expected = powers.reduce(
              (sum_, power, t) => sum_ + (power / total) * states.data[(t * B + b) * H + h]!,
              0,
            );
            expect(context.data[(q * B + b) * H + h]).toBeCloseTo(expected, 5);
          }
        }
    }
  });

  it('gradients of parameters, states and queries match finite differences', () => {
    const weight = draw([Q, B, H], createRandom(5));
    for (const options of [{}, { lengths }]) {
      const { error } = checkGradients({ p, states, queries }, (v) => {
        const attended = attend(score, attentionMemory(score, v.p, v.states, options), v.queries);
        return add(sum(multiply(attended.context, weight)), sum(multiply(attended.weights, attended.weights)));
      });
      expect(error).toBeLessThan(1e-7);
    }
  });

  it('separate queries match joint queries, and the content of the padding has no effect, even if it is NaN', () => {
    const all = run({ lengths });
    const padded = { shape: states.shape, data: states.data.slice() };
    lengths.forEach((length, b) => {
      for (let t = length; t < T; t++) padded.data.fill(NaN, (t * B + b) * H, (t * B + b + 1) * H);
    });
    expect(run({ lengths }, padded)).toEqual(all);
    for (let q = 0; q < Q; q++) {
      const query = { shape: [B, D], data: queries.data.slice(q * B * D, (q + 1) * B * D) };
      const single = compute({ p, states }, (v) => ({
        ...attend(score, attentionMemory(score, v.p, v.states, { lengths }), query),
      }));
      single.context.data.forEach((value, i) => expect(value).toBeCloseTo(all.context.data[q * B * H + i]!, 6));
      single.weights.data.forEach((value, i) => expect(value).toBeCloseTo(all.weights.data[q * B * T + i]!, 6));
    }
  });
});

it('steps in the padding have weight 0, even if the scores of the valid steps are very low', () => {
  const low = (score: number) =>
    compute({}, () => {
      const memory = attentionMemory(dotScore(), {}, full([3, 1, 1], score), { lengths: Int32Array.of(2) });
      return attend(dotScore(), memory, full([1, 1], 1)).weights;
    });
  for (const score of [-1, -1e10, -1e20]) expect([...low(score).data]).toEqual([0.5, 0.5, 0]);
});

it('rejects incompatible sizes', () => {
  expect(() => initializeScore(dotScore(), { querySize: 3, stateSize: 4, random: 1 })).toThrow(
    'initializeScore: queries and states must be of equal sizes, got 3 and 4. generalScore accepts any sizes.',
  );
  expect(() =>
    compute({}, () => attend(dotScore(), attentionMemory(dotScore(), {}, full([T, B, H], 1)), full([2, D], 1)).context),
  ).toThrow('attend: queries must be [B, D] = [3, *], got [2, 4]');
  expect(() => compute({}, () => attentionMemory(dotScore(), {}, full([B, H], 1)).values)).toThrow(
    'attentionMemory: states',
  );
  const attending =
    (score: Score, p: Record<string, Tensor>, memoryScore = score) =>
    () =>
      compute({}, () => attend(score, attentionMemory(memoryScore, p, full([T, B, H], 1)), full([B, 6], 1)).context);
  expect(attending(dotScore(), {})).toThrow(
    'attend: queries and states must be of equal sizes, got 6 and 4. generalScore accepts any sizes.',
  );
  expect(attending(generalScore(), { weight: full([H, 5], 1) })).toThrow(
    'attend: weight must be of the score general = [4, 6], got [4, 5]. Queries have size 6, states 4.',
  );
  expect(attending(generalScore(), {}, dotScore())).toThrow(
    'attend: the parameters of general must have weight [4, 6]. Was the memory created with another score?',
  );
  const query = full([B, H], 1);
  expect(() =>
    compute(
      {},
      () =>
        attend(dotScore(), attentionMemory(generalScore(), { weight: full([H, H], 1) }, full([T, B, H], 1)), query)
          .context,
    ),
  ).toThrow('attend: a memory for the score dot must have no names, got weight.');
  expect(() => additiveScore({ size: 0 })).toThrow('additiveScore: size');
});

it('the initial vector of the additive score has the standard deviation 1 / √A', () => {
  const { vector } = initializeScore(additiveScore({ size: 2500 }), { querySize: 1, stateSize: 1, random: 3 });
  const variance = vector!.data.reduce((sum, value) => sum + value * value, 0) / 2500;
  expect(50 * Math.sqrt(variance)).toBeCloseTo(1, 1);
});

it('the initial matrices of scores are Glorot uniform, the bias is zero', () => {
  const sizes = { querySize: 30, stateSize: 50, random: 4 };
  const { weight } = initializeScore(generalScore(), sizes);
  const { queryWeight, stateWeight, bias } = initializeScore(additiveScore({ size: 40 }), sizes);
  for (const { shape, data } of [weight!, queryWeight!, stateWeight!]) {
    const largest = Math.max(...data.map(Math.abs)) / Math.sqrt(6 / (shape[0]! + shape[1]!));
    expect(largest).toBeLessThanOrEqual(1);
    expect(largest).toBeGreaterThan(0.98);
  }
  expect(bias!.data).toEqual(new Float32Array(40));
});

describe('attentionPooling', () => {
  const model = sequential(
    [
      bidirectional(lstm(), { hiddenSize: 3 }),
      attentionPooling({ querySize: 5, score: generalScore() }),
      dense({ size: 2 }),
    ],
    { inputSize: 2, seed: 1 },
  );
  const inputs = draw([T, B, 2], createRandom(1));

  it('summarizes the valid steps of a sequence and returns the attention weights', () => {
    const { output, state } = predictWithState(model, inputs, { lengths: Int32Array.of(3, 5, 1) });
    const weights = state['attentionPooling']!['weights']!;
    expect([output.shape, weights.shape]).toEqual([
      [B, 2],
      [B, T],
    ]);
    for (let b = 0; b < B; b++)
      expect(weights.data.subarray(b * T, (b + 1) * T).reduce((a, c) => a + c)).toBeCloseTo(1, 6);
    expect([...weights.data.subarray(2 * T)]).toEqual([1, 0, 0, 0, 0]);
    const firstRow = predict(model, {
      shape: [3, 1, 2],
      data: Float32Array.from([0, 1, 2].flatMap((t) => [...inputs.data.subarray(t * B * 2, t * B * 2 + 2)])),
    });
    firstRow.data.forEach((value, i) => expect(value).toBeCloseTo(output.data[i]!, 5));
    expect(() => stream(model)).toThrow('needs the whole sequence');
    const resets = intTensor([[0], [1]]);
    expect(() => predict(sequential([attentionPooling()], { inputSize: 2 }), full([2, 1, 2], 1), { resets })).toThrow(
      'predict: layer attentionPooling: resets must be undefined, because the layer combines several steps, got resets.',
    );
    expect(() => sequential([attentionPooling(), attentionPooling()], { inputSize: 2 })).toThrow(
      'sequential: layer attentionPooling2: the input must be a vector per step, got one per sequence',
    );
  });

  it('can be trained to attend to the one relevant step', async () => {
    const random = createRandom(2);
    // One relevant step with id 3 + label, among noise with ids 0 to 2: its position should get most of the weight.
    const positions: number[] = [];
    const rows = Array.from({ length: 300 }, () => {
      const row = Array.from({ length: 12 }, () => integerNumber(random, 3));
      positions.push(integerNumber(random, 12));
      row[positions.at(-1)!] = 3 + integerNumber(random, 4);
      return row;
    });
    const inputIds = intTensor(Array.from({ length: 12 }, (_, t) => rows.map((row) => row[t]!)));
    const targets = intTensor(rows.map((row, i) => row[positions[i]!]! - 3));
    const finder = sequential(
      [
        embedding({ vocabularySize: 7, size: 8 }),
        attentionPooling({ score: additiveScore({ size: 8 }) }),
        dense({ size: 4 }),
      ],
      { seed: 3 },
    );
    await fit(
      finder,
      { batchCount: 1, batches: () => [{ inputs: inputIds, targets }] },
      { loss: crossEntropy, optimizer: adam(0.03), steps: 200 },
    );
    const { weights } = predictWithState(finder, inputIds).state['attentionPooling'] as { weights: Tensor };
    const relevant = positions.map((position, i) => weights.data[i * 12 + position]!);
    expect(relevant.reduce((a, c) => a + c) / 300).toBeGreaterThan(0.6);
  });
});

it('gradients flow through repeated queries of one memory, as a decoder makes them', () => {
  const states = draw([T, B, H], createRandom(1));
  const { error } = checkGradients(
    { states, w: draw([H, H], createRandom(2)) },
    ({ states: s, w }: Record<'states' | 'w', Variable>) => {
      const memory = attentionMemory(generalScore(), { weight: w }, s, { lengths });
      let query: Variable = attend(generalScore(), memory, full([B, H], 0.5)).context;
      for (let i = 0; i < 3; i++) query = add(query, attend(generalScore(), memory, query).context);
      return sum(multiply(query, query));
    },
  );
  expect(error).toBeLessThan(1e-7);
});
