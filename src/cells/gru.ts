/**
 * Gated recurrent unit (Cho et al., 2014, arXiv 1406.1078), with the reset gate after the recurrent product by default, as in PyTorch,
 * cuDNN and Keras, or before it, as in the paper.
 *
 *     r, z = σ(x_t W + h_{t−1} U + b)                        [B, H] each; blocks of W, U and b stand in the order r z n
 *     n    = tanh(x_t W + b + r · (h_{t−1} U + b_hn))        [B, H]  reset 'after'
 *     n    = tanh(x_t W + b + (r · h_{t−1}) U)               [B, H]  reset 'before'
 *     h_t  = (1 − z) · n + z · h_{t−1}                       [B, H]
 */

import { add, multiply, subtract } from '../autodiff/ops/arithmetic';
import { sigmoid, tanh } from '../autodiff/ops/elementwise';
import { affine, matmul } from '../autodiff/ops/linear';
import { slice } from '../autodiff/ops/movement';
import { gruCell, gruCellBackward } from '../kernels/cells';
import type { OpsCell, PointwiseCell } from '../recurrence/cell';
import { zeros } from '../tensor/initializers';
import { gateParameters } from './gate-parameters';

/** Which of the two forms of {@link gru}. */
export interface GruOptions {
  /** Whether the reset gate acts after the recurrent product or before it. */
  readonly reset?: 'after' | 'before';
}

/**
 * The GRU cell: state `{ h }`, parameters `weightIh [I, 3H]`, `weightHh [H, 3H]`, `bias [3H]` and, with reset after, `biasHn [H]`;
 * gate blocks `r z n`. The two forms have different weights: one cannot be turned into the other.
 *
 * @throws RangeError where `reset` is neither
 * @example
 * Object.keys(initializeCell(gru(), { inputSize: 2, hiddenSize: 3, random: 1 })); // ['weightIh', 'weightHh', 'bias', 'biasHn']
 */
export function gru({ reset = 'after' }: GruOptions = {}): PointwiseCell<'h'> | OpsCell<'h'> {
  if (reset !== 'after' && reset !== 'before')
    throw new RangeError(`gru: reset must be 'after' or 'before', got ${String(reset)}.`);
  return reset === 'after' ? resetAfter() : resetBefore();
}

function resetAfter(): PointwiseCell<'h'> {
  return {
    name: 'gru',
    origin: ['gru'],
    state: ['h'],
    gates: 3,
    savedBlocks: 1, // h_{t−1} U + b_hn of the candidate
    vectorParameters: ['biasHn'],
    separateProducts: true,
    parameters: (inputSize, hiddenSize) => ({
      ...gateParameters(3, inputSize, hiddenSize),
      biasHn: { role: 'bias', shape: [hiddenSize], blocks: 1, initializer: zeros() },
    }),
    forward: (k, { next, previous, saved, gates, product, vectors, rows, hiddenSize }) =>
      k.of(gruCell)(next.h, saved, gates, product, previous.h, vectors['biasHn']!, rows, hiddenSize),
    backward: (k, { gates, dProduct, dPrevious, dVectors, dNext, saved, previous, rows, hiddenSize }) =>
      k.of(gruCellBackward)(
        gates,
        dProduct,
        dPrevious.h,
        dVectors['biasHn']!,
        dNext.h,
        saved,
        previous.h,
        rows,
        hiddenSize,
      ),
  };
}

function resetBefore(): OpsCell<'h'> {
  return {
    name: 'gruResetBefore',
    origin: ['gru', { reset: 'before' }],
    state: ['h'],
    parameters: (inputSize, hiddenSize) => gateParameters(3, inputSize, hiddenSize),
    inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
    prepare: (p) => {
      const [weightHh, H] = [p['weightHh']!, p['weightHh']!.shape[0]!];
      return { ...p, gates: slice(weightHh, 0, 2 * H, 1), candidate: slice(weightHh, 2 * H, 3 * H, 1) };
    },
    step: ({ gates, candidate }, x, { h }, applyDropout) => {
      const H = h.shape[1]!;
      const met = applyDropout(h);
      const opened = sigmoid(add(slice(x, 0, 2 * H, 1), matmul(met, gates!)));
      const [r, z] = [slice(opened, 0, H, 1), slice(opened, H, 2 * H, 1)];
      const n = tanh(add(slice(x, 2 * H, 3 * H, 1), matmul(multiply(r, met), candidate!)));
      return { h: add(n, multiply(z, subtract(h, n))) };
    },
  };
}
