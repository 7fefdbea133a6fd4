/** A sequence summed up by attention. */

import { poolByAttention, poolingParameters } from '../attention/pooling';
import { additiveScore, type Score } from '../attention/scores';
import { checkCount } from '../tensor/shape';
import { type Layer, stepSize, vectors } from './layer';

/** Score and query of {@link attentionPooling}. */
export interface AttentionPoolingOptions {
  /** D, how many numbers the query has; as many as a state by default. */
  readonly querySize?: number;
  /** `additiveScore({ size: 64 })` by default. */
  readonly score?: Score;
}

/**
 * The states of a sequence by attention weights, `[T, B, H]` gives `[B, H]`, with one query that is learned (Raffel and Ellis, 2015, arXiv
 * 1512.08756; Yang et al., 2016, "Hierarchical attention networks"). Steps behind a row's length have no weight. Parameters are `query [1, D]`
 * and the score's. The weights `[B, T]` are its state, to be looked at: `predictWithState(…).state.attentionPooling.weights`.
 *
 * @throws RangeError where the query's size is not a whole number of at least 1
 * @example
 * const model = sequential([bidirectional(lstm(), { hiddenSize: 4 }), attentionPooling(), dense({ size: 2 })], { inputSize: 3, seed: 1 });
 * const { output, state } = predictWithState(model, full([5, 2, 3], 1), { lengths: Int32Array.of(5, 3) });
 * output.shape; // [2, 2]
 * state.attentionPooling.weights.shape; // [2, 5]
 */
export function attentionPooling({
  querySize,
  score = additiveScore({ size: 64 }),
}: AttentionPoolingOptions = {}): Layer {
  if (querySize !== undefined) checkCount('attentionPooling', 'querySize', querySize);
  return {
    name: 'attentionPooling',
    origin: ['attentionPooling', { querySize, score }],
    causal: false,
    output: (input) => ({ kind: 'vectors', size: stepSize('attentionPooling', input), perStep: false }),
    parameters: (input) => {
      const stateSize = stepSize('attentionPooling', input);
      return poolingParameters(score, querySize ?? stateSize, stateSize);
    },
    run: (parameters, input, { lengths }) => {
      const { context, weights } = poolByAttention(score, parameters, vectors('attentionPooling', input), lengths);
      return { output: context, state: { weights } };
    },
  };
}
