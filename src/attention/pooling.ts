/** Attention pooling: a whole sequence summarized by one learned query. */

import { broadcastTo } from '../autodiff/ops/arithmetic';
import type { Variable } from '../autodiff/tape';
import { normal } from '../tensor/initializers';
import type { ParameterSpec } from '../tensor/parameter-spec';
import { type Attended, attend } from './attend';
import { attentionMemory } from './memory';
import type { Score } from './scores';

/** The learned query `[1, D]` and the parameters of the score, for states of size H. */
export function poolingParameters(
  score: Score,
  querySize: number,
  stateSize: number,
): Readonly<Record<string, ParameterSpec>> {
  return {
    query: { role: 'gain', shape: [1, querySize], blocks: 1, initializer: normal(0, 1) },
    ...score.parameters(querySize, stateSize),
  };
}

/**
 * Attends to `states [T, B, H]` with the same query for every row.
 *
 * @returns the context `[B, H]` and the weights `[B, T]`; steps after a row's length have weight 0
 */
export function poolByAttention(
  score: Score,
  { query, ...parameters }: Readonly<Record<string, Variable>>,
  states: Variable,
  lengths: Int32Array | undefined,
): Attended {
  const memory = attentionMemory(score, parameters, states, { lengths });
  return attend(score, memory, broadcastTo(query!, [states.shape[1]!, query!.size]));
}
