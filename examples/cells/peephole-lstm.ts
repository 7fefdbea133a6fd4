/**
 * LSTM with peephole connections, written as a cell of ops: the gates also depend on the cell state.
 *
 *     i   = σ(x_t W + h_{t−1} U + b + p_i · c_{t−1})            [B, H]
 *     f   = σ(x_t W + h_{t−1} U + b + p_f · c_{t−1})            [B, H]
 *     c_t = f · c_{t−1} + i · tanh(x_t W + h_{t−1} U + b)       [B, H]
 *     o   = σ(x_t W + h_{t−1} U + b + p_o · c_t)                [B, H]
 *     h_t = o · tanh(c_t)                                       [B, H]
 *
 * x_t `[B, I]`, W = weightIh `[I, 4H]`, U = weightHh `[H, 4H]`, b = bias `[4H]`; gate blocks `i f g o`. The peepholes
 * p_i, p_f, p_o `[H]` are element-wise.
 *
 * Gers, Schraudolph and Schmidhuber, 2002.
 */

import {
  add,
  affine,
  forgetBias,
  gateParameters,
  matmul,
  multiply,
  type OpsCell,
  type ParameterSpec,
  sigmoid,
  slice,
  tanh,
  zeros,
} from 'bptt';

/**
 * Creates an LSTM cell with peepholes. State `{ h, c }`, each `[B, H]`; parameters `weightIh [I, 4H]`,
 * `weightHh [H, 4H]`, `bias [4H]`, `peepholeI [H]`, `peepholeF [H]` and `peepholeO [H]`.
 */
export function peepholeLstm(): OpsCell<'h' | 'c'> {
  const peephole = (hiddenSize: number): ParameterSpec => ({
    role: 'gain',
    shape: [hiddenSize],
    blocks: 1,
    initializer: zeros(),
  });
  return {
    name: 'peepholeLstm',
    state: ['h', 'c'],
    parameters: (inputSize, hiddenSize) => ({
      ...gateParameters(4, inputSize, hiddenSize, forgetBias(1)),
      peepholeI: peephole(hiddenSize),
      peepholeF: peephole(hiddenSize),
      peepholeO: peephole(hiddenSize),
    }),
    inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
    step: ({ weightHh, peepholeI, peepholeF, peepholeO }, x, { h, c }, applyDropout) => {
      const H = h.shape[1]!;
      const gates = add(x, matmul(applyDropout(h), weightHh!));
      const i = sigmoid(add(slice(gates, 0, H, 1), multiply(peepholeI!, c)));
      const f = sigmoid(add(slice(gates, H, 2 * H, 1), multiply(peepholeF!, c)));
      const next = add(multiply(f, c), multiply(i, tanh(slice(gates, 2 * H, 3 * H, 1))));
      const o = sigmoid(add(slice(gates, 3 * H, 4 * H, 1), multiply(peepholeO!, next)));
      return { h: multiply(o, tanh(next)), c: next };
    },
  };
}
