/** Attention pooling: the weighted sum of the states of a sequence. */

import { poolByAttention, poolingParameters } from '../attention/pooling';
import { additiveScore, checkScore, type Score } from '../attention/scores';
import { checkCount, checkNames } from '../tensor/shape';
import { checkNoResets, type Layer, stepSize, vectors } from './layer';

/** The options of {@link attentionPooling}. */
export interface AttentionPoolingOptions {
  /** D, the size of the query; by default, the size of a state. */
  readonly querySize?: number | undefined;
  /** The attention score; `additiveScore({ size: 64 })` by default. */
  readonly score?: Score | undefined;
}

/**
 * Creates a layer that sums the states of a sequence with attention weights for one learned query:
 * `[T, B, H]` to `[B, H]` (Raffel and Ellis, 2015, arXiv 1512.08756; Yang et al., 2016, "Hierarchical attention
 * networks"). Padding has zero weight.
 *
 * The parameters are `query [1, D]` and those of the score. The state of the layer is its attention weights `[B, T]`,
 * for inspection: `predictWithState(…).state.attentionPooling.weights`.
 *
 * @throws RangeError if `querySize` is not a positive integer; when it runs, if there are resets
 * @example
 * const layers = [bidirectional(lstm(), { hiddenSize: 4 }), attentionPooling(), dense({ size: 2 })];
 * const model = sequential(layers, { inputSize: 3, seed: 1 });
 * const { output, state } = predictWithState(model, full([5, 2, 3], 1), { lengths: Int32Array.of(5, 3) });
 * output.shape; // [2, 2]
 * state['attentionPooling']!['weights']!.shape; // [2, 5]
 */
export function attentionPooling(options: AttentionPoolingOptions = {}): Layer {
  checkNames('attentionPooling', 'options', options, ['querySize', 'score']);
  const { querySize, score = additiveScore({ size: 64 }) } = options;
  checkScore('attentionPooling', 'score', score);
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
    run: (parameters, input, run) => {
      checkNoResets('attentionPooling', run);
      const { context, weights } = poolByAttention(score, parameters, vectors('attentionPooling', input), run.lengths);
      return { output: context, state: { weights } };
    },
  };
}
