/** LSTM with peepholes (Gers, Schraudolph and Schmidhuber, 2002): the gates see the cell state. A cell by ops. */

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
 *     i, f = σ(x_t W + h_{t−1} U + b + p · c_{t−1})        [B, H] each
 *     c_t  = f · c_{t−1} + i · tanh(x_t W + h_{t−1} U + b) [B, H]
 *     o    = σ(x_t W + h_{t−1} U + b + p · c_t)            [B, H]
 *     h_t  = o · tanh(c_t)                                 [B, H]
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
