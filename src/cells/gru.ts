/**
 * Gated recurrent unit, with the reset gate after the recurrent product, as in PyTorch, cuDNN and Keras, or before it,
 * as in the paper.
 *
 *     r, z = σ(x_t W + h_{t−1} U + b)                        [B, H] each
 *     n    = tanh(x_t W + b + r · (h_{t−1} U + b_hn))        [B, H], reset 'after'
 *     n    = tanh(x_t W + b + (r · h_{t−1}) U)               [B, H], reset 'before'
 *     h_t  = (1 − z) · n + z · h_{t−1}                       [B, H]
 *
 * x_t `[B, I]`, W = weightIh `[I, 3H]`, U = weightHh `[H, 3H]`, b = bias `[3H]`, b_hn = biasHn `[H]`; gate blocks
 * `r z n`.
 *
 * Cho et al., 2014, arXiv 1406.1078.
 */

import { add, multiply, subtract } from '../autodiff/ops/arithmetic';
import { sigmoid, tanh } from '../autodiff/ops/elementwise';
import { matmul } from '../autodiff/ops/linear';
import { slice } from '../autodiff/ops/movement';
import { gruCell, gruCellBackward } from '../kernels/cells';
import { sumRows } from '../kernels/linear';
import type { OpsCell, PointwiseCell } from '../recurrence/cell';
import { checkChoice, checkNames } from '../tensor/shape';
import { gateParameters, inputTerm } from './gate-parameters';

/** Options for {@link gru}. */
export interface GruOptions {
  /** Whether the reset gate is applied after the recurrent product (default) or before it. */
  readonly reset?: 'after' | 'before' | undefined;
}

/**
 * Creates a GRU cell. State `{ h [B, H] }`; parameters `weightIh [I, 3H]`, `weightHh [H, 3H]`, `bias [3H]` and, with
 * reset 'after', `biasHn [H]`; gate blocks `r z n`. Weights trained in one form do not fit the other.
 *
 * @throws RangeError if `reset` is neither 'after' nor 'before'
 * @example
 * const model = sequential([recurrent(gru(), { hiddenSize: 8 }), dense({ size: 1 })], { inputSize: 2 });
 * predict(model, full([5, 3, 2], 1)).shape; // [5, 3, 1]
 */
export function gru(options: GruOptions = {}): PointwiseCell<'h'> | OpsCell<'h'> {
  checkNames('gru', 'options', options, ['reset']);
  const { reset = 'after' } = options;
  checkChoice('gru', 'reset', reset, ['after', 'before']);
  return reset === 'after' ? resetAfter : resetBefore();
}

/** The cell, one object, so that streams of equal weights share their buffers. */
const resetAfter: PointwiseCell<'h'> = {
  name: 'gru',
  origin: ['gru'],
  state: ['h'],
  gates: 3,
  savedBlocks: 1, // h_{t-1} U + b_hn of the candidate, then its gradient
  vectorParameters: ['biasHn'],
  separateProducts: true,
  parameters: (inputSize, hiddenSize) => ({
    ...gateParameters(3, inputSize, hiddenSize),
    biasHn: { role: 'bias', shape: [hiddenSize], blocks: 1 },
  }),
  forward: (k, { next, previous, saved, gates, product, vectors, rows, hiddenSize }) =>
    k.of(gruCell)(next.h, saved, gates, product, previous.h, vectors['biasHn']!, rows, hiddenSize),
  backward: (k, { gates, dProduct, dPrevious, dNext, saved, previous, rows, hiddenSize }) =>
    k.of(gruCellBackward)(gates, dProduct, dPrevious.h, saved, dNext.h, previous.h, rows, hiddenSize),
  backwardVectors: (k, { saved, dVectors, rows, hiddenSize }) =>
    k.of(sumRows)(dVectors['biasHn']!, saved, rows, hiddenSize),
  callsOnlyKernels: true,
};

/** Splits U into the weights `gates [H, 2H]` of r and z, and `candidate [H, H]` of n, once per sequence. */
export const splitRecurrentWeights: NonNullable<OpsCell['prepare']> = (p) => {
  const weightHh = p['weightHh']!;
  const H = weightHh.shape[0]!;
  return { ...p, gates: slice(weightHh, 0, 2 * H, 1), candidate: slice(weightHh, 2 * H, 3 * H, 1) };
};

function resetBefore(): OpsCell<'h'> {
  return {
    name: 'gruResetBefore',
    origin: ['gru', { reset: 'before' }],
    state: ['h'],
    parameters: (inputSize, hiddenSize) => gateParameters(3, inputSize, hiddenSize),
    inputs: inputTerm,
    prepare: splitRecurrentWeights,
    step: ({ gates, candidate }, x, { h }, applyDropout) => {
      const H = h.shape[1]!;
      const hidden = applyDropout(h);
      const activated = sigmoid(add(slice(x, 0, 2 * H, 1), matmul(hidden, gates!)));
      const r = slice(activated, 0, H, 1);
      const z = slice(activated, H, 2 * H, 1);
      const n = tanh(add(slice(x, 2 * H, 3 * H, 1), matmul(multiply(r, hidden), candidate!)));
      return { h: add(n, multiply(z, subtract(h, n))) };
    },
  };
}
