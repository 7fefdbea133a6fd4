/**
 * Minimal gated unit, written as a cell of ops: a GRU with a single gate.
 *
 *     f   = σ(x_t W_f + h_{t−1} U_f + b_f)                 [B, H]
 *     n   = tanh(x_t W_n + (f · h_{t−1}) U_n + b_n)        [B, H]
 *     h_t = h_{t−1} + f · (n − h_{t−1})                    [B, H]
 *
 * x_t `[B, I]`, W = weightIh `[I, 2H]`, U = weightHh `[H, 2H]`, b = bias `[2H]`; gate blocks `f n`.
 *
 * Zhou et al., 2016, arXiv 1603.09420.
 */

import { add, affine, gateParameters, matmul, multiply, type OpsCell, sigmoid, slice, subtract, tanh } from 'bptt';

/**
 * Creates a minimal gated unit. State `{ h [B, H] }`; parameters `weightIh [I, 2H]`, `weightHh [H, 2H]` and
 * `bias [2H]`.
 */
export function minimalGatedUnit(): OpsCell<'h'> {
  return {
    name: 'minimalGatedUnit',
    state: ['h'],
    parameters: (inputSize, hiddenSize) => gateParameters(2, inputSize, hiddenSize),
    // Once per sequence: the matrix product of all inputs, and the two blocks of the recurrent weights.
    inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
    prepare: (p) => {
      const H = p['weightHh']!.shape[0]!;
      return { ...p, gate: slice(p['weightHh']!, 0, H, 1), candidate: slice(p['weightHh']!, H, 2 * H, 1) };
    },
    step: ({ gate, candidate }, x, { h }, applyDropout) => {
      const H = h.shape[1]!;
      const f = sigmoid(add(slice(x, 0, H, 1), matmul(applyDropout(h), gate!)));
      const n = tanh(add(slice(x, H, 2 * H, 1), matmul(multiply(f, applyDropout(h)), candidate!)));
      return { h: add(h, multiply(f, subtract(n, h))) };
    },
  };
}
