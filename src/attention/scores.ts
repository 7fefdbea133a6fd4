/** Attention scores: how well a query matches each state of a sequence. */

import { add, scale } from '../autodiff/ops/arithmetic';
import { tanh } from '../autodiff/ops/elementwise';
import { affine, batchedMatmul, matmul } from '../autodiff/ops/linear';
import { reshape } from '../autodiff/ops/movement';
import type { Variable } from '../autodiff/tape';
import { withCaller } from '../tensor/error-context';
import { normal } from '../tensor/initializers';
import type { Origin } from '../tensor/origin';
import { initializeParameters, type ParameterSpec } from '../tensor/parameter-spec';
import { type Random, randomOrSeed } from '../tensor/random';
import { checkCount, checkFunctions, checkNames, outOfRange } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';

type ScoreParameters = Readonly<Record<string, Variable>>;

/** A score function as data: rates how well each state of a sequence matches a query. */
export interface Score {
  readonly name: string;
  /** The function that creates the score and its arguments, for saved files. */
  readonly origin?: Origin;
  /** The parameters for queries of size D and states of size H. @throws RangeError if the sizes are incompatible */
  readonly parameters: (querySize: number, stateSize: number) => Readonly<Record<string, ParameterSpec>>;
  /** Computes the keys from the states `[B, T, H]`, once per sequence. */
  readonly keys: (parameters: ScoreParameters, states: Variable) => Variable;
  /** Computes the scores `[B, Q, T]` of queries `[B, Q, D]`. */
  readonly scores: (parameters: ScoreParameters, queries: Variable, keys: Variable) => Variable;
}

/** @throws TypeError if `score` is not a {@link Score} */
export function checkScore(where: string, argument: string, score: Score): void {
  checkFunctions(where, argument, score, 'a score, such as dotScore()', ['parameters', 'keys', 'scores']);
}

/** No parameters, for queries and states of equal size. @throws RangeError if the sizes differ */
function withoutParameters(where: string, querySize: number, stateSize: number): Readonly<Record<string, never>> {
  if (querySize !== stateSize)
    throw outOfRange(
      where,
      'queries and states',
      'of equal sizes',
      `${querySize} and ${stateSize}`,
      'generalScore accepts any sizes.',
    );
  return {};
}

/** The dot products of queries `[B, Q, D]` and keys `[B, T, D]`. */
const dotProducts: Score['scores'] = (_, queries, keys) => batchedMatmul(queries, keys, { transposeB: true });

/**
 * The dot-product score, query · state (Luong, Pham and Manning, 2015, arXiv 1508.04025). It has no parameters and
 * needs D = H.
 *
 * @example
 * const states = tensor([[[1, 0]], [[0, 0]]]);
 * const query = tensor([[Math.log(3), 0]]);
 * const score = dotScore();
 * const weights = compute({ states }, (p) => attend(score, attentionMemory(score, {}, p.states), query).weights);
 * weights.data; // Float32Array [0.75, 0.25]
 */
export function dotScore(): Score {
  return {
    name: 'dot',
    origin: ['dotScore'],
    parameters: (querySize, stateSize) => withoutParameters('dotScore', querySize, stateSize),
    keys: (_, states) => states,
    scores: dotProducts,
  };
}

/**
 * The scaled dot-product score, query · state / √H (Vaswani et al., 2017, arXiv 1706.03762). It has no parameters and
 * needs D = H.
 *
 * @example
 * const states = tensor([[[2, 0, 0, 0]], [[0, 0, 0, 0]]]);
 * const query = tensor([[Math.log(3), 0, 0, 0]]);
 * const score = scaledDotScore();
 * const weights = compute({ states }, (p) => attend(score, attentionMemory(score, {}, p.states), query).weights);
 * weights.data; // Float32Array [0.75, 0.25]
 */
export function scaledDotScore(): Score {
  return {
    name: 'scaledDot',
    origin: ['scaledDotScore'],
    parameters: (querySize, stateSize) => withoutParameters('scaledDotScore', querySize, stateSize),
    keys: (_, states) => scale(states, 1 / Math.sqrt(states.shape[2]!)),
    scores: dotProducts,
  };
}

/**
 * The general (bilinear) score, query · (state W), with `weight [H, D]` (Luong, Pham and Manning, 2015, arXiv
 * 1508.04025).
 *
 * @example
 * generalScore().parameters(4, 6)['weight']?.shape; // [6, 4]
 */
export function generalScore(): Score {
  return {
    name: 'general',
    origin: ['generalScore'],
    parameters: (querySize, stateSize) => ({
      weight: { role: 'input', shape: [stateSize, querySize], blocks: 1 },
    }),
    keys: ({ weight }, states) => matmul(states, weight!),
    scores: dotProducts,
  };
}

/**
 * The additive score, v · tanh(query W_q + state W_s + b), with `queryWeight [D, A]`, `stateWeight [H, A]`, `bias [A]`
 * and `vector [A, 1]` (Bahdanau, Cho and Bengio, 2014, arXiv 1409.0473).
 *
 * @param options.size A, the size of the attention layer
 * @throws RangeError if the size is not an integer of at least 1
 * @example
 * additiveScore({ size: 8 }).parameters(4, 6)['stateWeight']?.shape; // [6, 8]
 */
export function additiveScore(options: { readonly size: number }): Score {
  checkNames('additiveScore', 'options', options, ['size']);
  const size = options.size;
  checkCount('additiveScore', 'size', size);
  const matrix = (rows: number): ParameterSpec => ({
    role: 'input',
    shape: [rows, size],
    blocks: 1,
  });
  return {
    name: 'additive',
    origin: ['additiveScore', { size }],
    parameters: (querySize, stateSize) => ({
      queryWeight: matrix(querySize),
      stateWeight: matrix(stateSize),
      bias: { role: 'bias', shape: [size], blocks: 1 },
      vector: { role: 'gain', shape: [size, 1], blocks: 1, initializer: normal(0, 1 / Math.sqrt(size)) },
    }),
    keys: ({ stateWeight, bias }, states) => affine(states, { weight: stateWeight!, bias: bias! }),
    scores: ({ queryWeight, vector }, queries, keys) => {
      const [B, Q] = queries.shape as [number, number];
      const T = keys.shape[1]!;
      const sums = add(reshape(matmul(queries, queryWeight!), [B, Q, 1, size]), reshape(keys, [B, 1, T, size]));
      return reshape(matmul(tanh(sums), vector!), [B, Q, T]);
    },
  };
}

/**
 * Initializes the parameters of a score.
 *
 * @param options.querySize D
 * @param options.stateSize H
 * @param options.random a random number generator, or a seed
 * @returns the parameters by name
 * @throws RangeError if a size is not an integer of at least 1, or the score does not support the sizes
 * @example
 * initializeScore(generalScore(), { querySize: 4, stateSize: 6, random: 1 })['weight']?.shape; // [6, 4]
 */
export function initializeScore(
  score: Score,
  options: { readonly querySize: number; readonly stateSize: number; readonly random: Random | number },
): Readonly<Record<string, Tensor>> {
  checkNames('initializeScore', 'options', options, ['querySize', 'stateSize', 'random']);
  const { querySize, stateSize, random } = options;
  checkCount('initializeScore', 'querySize', querySize);
  checkCount('initializeScore', 'stateSize', stateSize);
  checkScore('initializeScore', 'score', score);
  const generator = randomOrSeed('initializeScore', random);
  const plan = withCaller('initializeScore', () => score.parameters(querySize, stateSize));
  return initializeParameters('initializeScore', plan, generator);
}
