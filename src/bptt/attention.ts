/**
 * Attention: a query looks at the states of an encoder, each as far as its score says.
 *
 *     weights = softmax over t of score(query, states_t)       [B, T]
 *     context = Σ_t weights_t · states_t                       [B, H]
 */

import { glorotUniform, normal, zeros } from '../tensor/initializers';
import { createRandom, type Random } from '../tensor/random';
import { checkCount, checkShape, formatShape } from '../tensor/shape';
import { full, type Tensor } from '../tensor/tensor';
import { initializeParameters, type CellParameter } from './cell';
import { add, multiply, scale } from './ops/arithmetic';
import { tanh } from './ops/elementwise';
import { affine, batchedMatmul, matmul } from './ops/linear';
import { reshape, transpose } from './ops/movement';
import { softmax } from './ops/reductions';
import { onValidSteps } from './ops/valid-steps';
import type { Origin } from './origin';
import { operand, viewOf, type Operand, type Variable } from './tape';

type Parameters = Readonly<Record<string, Variable>>;

/** How well queries and states go together: a noun of data, like a cell. */
export interface Score {
  readonly name: string;
  /** How to make it again. */
  readonly origin?: Origin;
  /** Its parameters for queries of D numbers and states of H. @throws RangeError where they do not go together */
  readonly parameters: (querySize: number, stateSize: number) => Readonly<Record<string, CellParameter>>;
  /** What it needs of the states `[B, T, H]`, worked out once a sequence. */
  readonly keys: (parameters: Parameters, states: Variable) => Variable;
  /** The scores `[B, Q, T]` of queries `[B, Q, D]`. */
  readonly scores: (parameters: Parameters, queries: Variable, keys: Variable) => Variable;
}

/** @throws RangeError unless queries and states are of one size */
function checkEqual(where: string, querySize: number, stateSize: number): void {
  if (querySize !== stateSize) throw new RangeError(`${where}: queries and states must be of one size, got ${querySize} and ${stateSize}. generalScore takes any.`);
}

/**
 * score = query · state (Luong, Pham and Manning, 2015, arXiv 1508.04025). Without parameters, for D = H.
 *
 * @example
 * dotScore().name; // 'dot'
 */
export function dotScore(): Score {
  return {
    name: 'dot',
    origin: ['dotScore'],
    parameters: (querySize, stateSize) => (checkEqual('dotScore', querySize, stateSize), {}),
    keys: (_, states) => states,
    scores: (_, queries, keys) => batchedMatmul(queries, keys, { transposeB: true }),
  };
}

/**
 * score = query · state / √H (Vaswani et al., 2017, arXiv 1706.03762). Without parameters, for D = H.
 *
 * @example
 * scaledDotScore().name; // 'scaledDot'
 */
export function scaledDotScore(): Score {
  return {
    name: 'scaledDot',
    origin: ['scaledDotScore'],
    parameters: (querySize, stateSize) => (checkEqual('scaledDotScore', querySize, stateSize), {}),
    keys: (_, states) => scale(states, 1 / Math.sqrt(states.shape[2]!)),
    scores: (_, queries, keys) => batchedMatmul(queries, keys, { transposeB: true }),
  };
}

/**
 * score = query · (state W), with `weight [H, D]` (Luong, Pham and Manning, 2015, arXiv 1508.04025).
 *
 * @example
 * generalScore().parameters(4, 6).weight.shape; // [6, 4]
 */
export function generalScore(): Score {
  return {
    name: 'general',
    origin: ['generalScore'],
    parameters: (querySize, stateSize) => ({
      weight: { role: 'input', shape: [stateSize, querySize], blocks: 1, initializer: glorotUniform() },
    }),
    keys: ({ weight }, states) => matmul(states, weight!),
    scores: (_, queries, keys) => batchedMatmul(queries, keys, { transposeB: true }),
  };
}

/**
 * score = v · tanh(query W_q + state W_s + b), with `queryWeight [D, A]`, `stateWeight [H, A]`, `bias [A]` and `vector [A]` (Bahdanau, Cho and
 * Bengio, 2014, arXiv 1409.0473).
 *
 * @param options.size A
 * @throws RangeError where the size is not a whole number of at least 1
 * @example
 * additiveScore({ size: 8 }).parameters(4, 6).stateWeight.shape; // [6, 8]
 */
export function additiveScore({ size }: { readonly size: number }): Score {
  checkCount('additiveScore', 'size', size);
  const matrix = (rows: number): CellParameter => ({ role: 'input', shape: [rows, size], blocks: 1, initializer: glorotUniform() });
  return {
    name: 'additive',
    origin: ['additiveScore', { size }],
    parameters: (querySize, stateSize) => ({
      queryWeight: matrix(querySize), stateWeight: matrix(stateSize),
      bias: { role: 'bias', shape: [size], blocks: 1, initializer: zeros() },
      vector: { role: 'gain', shape: [size, 1], blocks: 1, initializer: normal(0, 1 / Math.sqrt(size)) },
    }),
    keys: ({ stateWeight, bias }, states) => affine(states, { weight: stateWeight!, bias: bias! }),
    scores: ({ queryWeight, vector }, queries, keys) => {
      const [B, Q] = queries.shape as [number, number];
      const T = keys.shape[1]!;
      const together = add(reshape(matmul(queries, queryWeight!), [B, Q, 1, size]), reshape(keys, [B, 1, T, size]));
      return reshape(matmul(tanh(together), vector!), [B, Q, T]);
    },
  };
}

/**
 * The first parameters of a score.
 *
 * @param options.random a generator, or the seed of one
 * @example
 * initializeScore(generalScore(), { querySize: 4, stateSize: 6, random: 1 }).weight.shape; // [6, 4]
 */
export function initializeScore(
  score: Score, { querySize, stateSize, random }: { readonly querySize: number; readonly stateSize: number; readonly random: Random | number },
): Readonly<Record<string, Tensor>> {
  checkCount('initializeScore', 'querySize', querySize);
  checkCount('initializeScore', 'stateSize', stateSize);
  return initializeParameters(score.parameters(querySize, stateSize), typeof random === 'number' ? createRandom(random) : random);
}

/** The states that queries look at, made ready once a sequence: variables, which {@link checkpoint} takes as inputs. */
export interface Memory {
  readonly parameters: Parameters;
  /** `[B, T, H]` */
  readonly values: Variable;
  /** `[B, T, …]`, as the score wants them. */
  readonly keys: Variable;
  /** `[B, 1, T]` 0 where a step is valid, −1e30 behind a row's length; nothing where all are. */
  readonly outside: Variable | undefined;
  /** `[B, 1, T]` 1 where a step is valid, 0 behind a row's length. */
  readonly inside: Variable | undefined;
}

/**
 * Makes states ready to be looked at.
 *
 * @param states `[T, B, H]`, as a recurrent layer gives them
 * @param options.lengths `[B]` how many steps of each row are valid; all by default. What stands behind changes nothing.
 * @throws RangeError where a shape or a length does not fit
 * @example
 * const states = full([5, 3, 4], 1);
 * compute({ states }, (p) => attend(dotScore(), remember(dotScore(), {}, p.states), full([3, 4], 1)).context).shape; // [3, 4]
 */
export function remember(
  score: Score, parameters: Readonly<Record<string, Operand>>, states: Operand, { lengths }: { readonly lengths?: Int32Array | undefined } = {},
): Memory {
  const given = operand('remember', states, 'states');
  checkShape('remember', 'states', given.shape, { letters: '[T, B, H]', lengths: [undefined, undefined, undefined] });
  const [T, B] = given.shape as [number, number];
  const p = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, operand('remember', value, name)]));
  const values = transpose(onValidSteps('remember', given, lengths, (rows) => rows), [1, 0, 2]);
  const keys = score.keys(p, values);
  if (lengths === undefined || lengths.every((length) => length === T)) return { parameters: p, values, keys, outside: undefined, inside: undefined };
  const valid = full([B, 1, T], 1);
  lengths.forEach((length, row) => valid.data.fill(0, row * T + length, (row + 1) * T));
  // Far below any score, but finite: a row of nothing but −∞ has no softmax.
  const outside = { shape: valid.shape, data: valid.data.map((each) => (1 - each) * -1e30) };
  return { parameters: p, values, keys, outside: operand('remember', outside), inside: operand('remember', valid) };
}

/** @throws TypeError or RangeError unless a memory's parameters are the score's for queries of D numbers and states of H */
function checkFit(score: Score, parameters: Parameters, D: number, H: number): void {
  for (const [name, { shape }] of Object.entries(score.parameters(D, H))) {
    const given = parameters[name];
    if (given === undefined) {
      throw new TypeError(`attend: the parameters of ${score.name} must have ${name} ${formatShape(shape)}. Was the memory made with another score?`);
    }
    checkShape('attend', name, given.shape, { letters: `of the score ${score.name}`, lengths: shape }, `Queries have ${D} numbers, states ${H}.`);
  }
}

/** What queries see. */
export interface Attended {
  /** `[B, H]`, or `[Q, B, H]` for queries of several steps: the states by their weights. Zeros for rows of length 0. */
  readonly context: Variable;
  /** `[B, T]`, or `[Q, B, T]`: how far each state is looked at. They sum to 1, but for rows of length 0. */
  readonly weights: Variable;
}

/**
 * Looks at states with one query a row, or with those of several steps at once.
 *
 * @param memory from {@link remember}, with the same score
 * @param queries `[B, D]`, or `[Q, B, D]`
 * @throws RangeError where the queries do not fit the memory, TypeError where the memory lacks a parameter of the score
 * @example
 * const states = tensor([[[1, 0]], [[0, 1]]]);
 * const seen = compute({ states }, (p) => attend(dotScore(), remember(dotScore(), {}, p.states), tensor([[0, 1000]])));
 * seen.weights.data; // Float32Array [0, 1]
 */
export function attend(score: Score, memory: Memory, queries: Operand): Attended {
  const given = operand('attend', queries, 'queries');
  const { parameters, values, keys, outside, inside } = memory;
  const [B, T, H] = values.shape as [number, number, number];
  const several = given.shape.length === 3;
  const expected = several ? { letters: '[Q, B, D]', lengths: [undefined, B, undefined] } : { letters: '[B, D]', lengths: [B, undefined] };
  checkShape('attend', 'queries', given.shape, expected);
  const D = given.shape.at(-1)!;
  checkFit(score, parameters, D, H);
  const Q = several ? given.shape[0]! : 1;
  const scores = score.scores(parameters, several ? transpose(given, [1, 0, 2]) : viewOf(given, [B, 1, D]), keys);
  const open = softmax(outside === undefined ? scores : add(scores, outside));
  const weights = inside === undefined ? open : multiply(open, inside);
  const context = batchedMatmul(weights, values);
  return several
    ? { context: transpose(context, [1, 0, 2]), weights: transpose(weights, [1, 0, 2]) }
    : { context: viewOf(context, [B, H]), weights: viewOf(weights, [B, Q * T]) };
}
