/**
 * Attention: a query looks at the states of an encoder, each as far as its score says.
 *
 *     weights = softmax over t of score(query, states_t)       [B, T]
 *     context = Σ_t weights_t · states_t                       [B, H]
 */

import { add, multiply } from '../autodiff/ops/arithmetic';
import { batchedMatmul } from '../autodiff/ops/linear';
import { transpose } from '../autodiff/ops/movement';
import { softmax } from '../autodiff/ops/reductions';
import { type Operand, operand, type Variable, viewOf } from '../autodiff/tape';
import { checkShape, formatShape } from '../tensor/shape';
import type { AttentionMemory } from './memory';
import type { Score } from './scores';

/** @throws TypeError or RangeError unless a memory's parameters are the score's for queries of D numbers and states of H */
function checkFit(score: Score, parameters: AttentionMemory['parameters'], D: number, H: number): void {
  for (const [name, { shape }] of Object.entries(score.parameters(D, H))) {
    const given = parameters[name];
    if (given === undefined) {
      throw new TypeError(
        `attend: the parameters of ${score.name} must have ${name} ${formatShape(shape)}. Was the memory made with another score?`,
      );
    }
    checkShape(
      'attend',
      name,
      given.shape,
      { letters: `of the score ${score.name}`, lengths: shape },
      `Queries have ${D} numbers, states ${H}.`,
    );
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
 * @param memory from {@link attentionMemory}, with the same score
 * @param queries `[B, D]`, or `[Q, B, D]`
 * @throws RangeError where the queries do not fit the memory, TypeError where the memory lacks a parameter of the score
 * @example
 * const states = tensor([[[1, 0]], [[0, 1]]]);
 * const seen = compute({ states }, (p) => attend(dotScore(), attentionMemory(dotScore(), {}, p.states), tensor([[0, 1000]])));
 * seen.weights.data; // Float32Array [0, 1]
 */
export function attend(score: Score, memory: AttentionMemory, queries: Operand): Attended {
  const given = operand('attend', queries, 'queries');
  const { parameters, values, keys, outside, inside } = memory;
  const [B, T, H] = values.shape as [number, number, number];
  const several = given.shape.length === 3;
  const expected = several
    ? { letters: '[Q, B, D]', lengths: [undefined, B, undefined] }
    : { letters: '[B, D]', lengths: [B, undefined] };
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
