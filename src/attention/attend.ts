/**
 * Attention: a weighted mean of the states of a sequence, with weights that depend on a query.
 *
 *     weights = softmax over t of score(query, states_t)       [B, T]
 *     context = Σ_t weights_t · states_t                       [B, H]
 */

import { add, multiply } from '../autodiff/ops/arithmetic';
import { batchedMatmul } from '../autodiff/ops/linear';
import { transpose } from '../autodiff/ops/movement';
import { softmax } from '../autodiff/ops/reductions';
import { type Operand, operand, type Variable, viewOf } from '../autodiff/tape';
import { lastOf } from '../tensor/arrays';
import { withCaller } from '../tensor/error-context';
import { checkKind, checkNames, checkShape, formatShape } from '../tensor/shape';
import type { AttentionMemory } from './memory';
import { checkScore, type Score } from './scores';

/**
 * @throws TypeError or RangeError unless the parameters of the memory are those of the score for queries of size D and
 * states of size H
 */
function checkFit(score: Score, parameters: AttentionMemory['parameters'], D: number, H: number): void {
  const specs = withCaller('attend', () => score.parameters(D, H));
  checkNames('attend', `a memory for the score ${score.name}`, parameters, Object.keys(specs));
  for (const [name, { shape }] of Object.entries(specs)) {
    const parameter = parameters[name];
    if (parameter === undefined) {
      throw new TypeError(
        `attend: the parameters of ${score.name} must have ${name} ${formatShape(shape)}. ` +
          'Was the memory created with another score?',
      );
    }
    checkShape(
      'attend',
      name,
      parameter.shape,
      `of the score ${score.name}`,
      shape,
      `Queries have size ${D}, states ${H}.`,
    );
  }
}

/** The result of {@link attend}. */
export type Attended = {
  /** `[B, H]`, or `[Q, B, H]` for Q queries per row: the weighted sum of the states. Zeros for rows of length 0. */
  readonly context: Variable;
  /** `[B, T]`, or `[Q, B, T]`: the attention weights. They sum to 1, except for rows of length 0. */
  readonly weights: Variable;
};

/**
 * Attends to the states of a memory, with one query per row or with Q at once.
 *
 * @param memory the result of {@link attentionMemory} with the same score
 * @param queries `[B, D]`, or `[Q, B, D]`
 * @returns the context and the attention weights
 * @throws RangeError if the queries do not match the memory; TypeError if the memory has other parameters than the
 * score
 * @example
 * const states = tensor([[[1, 0]], [[0, 1]]]);
 * const weights = compute({ states }, (p) =>
 *   attend(dotScore(), attentionMemory(dotScore(), {}, p.states), tensor([[0, 1000]])).weights);
 * weights.data; // Float32Array [0, 1]
 */
export function attend(score: Score, memory: AttentionMemory, queries: Operand): Attended {
  checkScore('attend', 'score', score);
  checkKind('attend', 'memory', memory, 'an attention memory, as attentionMemory returns', 'penalties');
  const query = operand('attend', queries, 'queries');
  const { parameters, values, keys, penalties, valid } = memory;
  const [B, T, H] = values.shape as [number, number, number];
  const manyQueries = query.shape.length === 3;
  if (manyQueries) checkShape('attend', 'queries', query.shape, '[Q, B, D]', [undefined, B, undefined]);
  else checkShape('attend', 'queries', query.shape, '[B, D]', [B, undefined]);
  const D = lastOf(query.shape)!;
  checkFit(score, parameters, D, H);
  const scores = score.scores(parameters, manyQueries ? transpose(query, [1, 0, 2]) : viewOf(query, [B, 1, D]), keys);
  const unmasked = softmax(penalties === undefined ? scores : add(scores, penalties));
  const weights = valid === undefined ? unmasked : multiply(unmasked, valid);
  const context = batchedMatmul(weights, values);
  return manyQueries
    ? { context: transpose(context, [1, 0, 2]), weights: transpose(weights, [1, 0, 2]) }
    : { context: viewOf(context, [B, H]), weights: viewOf(weights, [B, T]) };
}
