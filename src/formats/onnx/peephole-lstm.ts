/**
 * LSTM with peephole connections from the cell state to the gates (Gers, Schraudolph and Schmidhuber, 2002), as ONNX
 * defines it.
 */

import { add, multiply } from '../../autodiff/ops/arithmetic';
import { sigmoid, tanh } from '../../autodiff/ops/elementwise';
import { affine, matmul } from '../../autodiff/ops/linear';
import { slice } from '../../autodiff/ops/movement';
import type { Variable } from '../../autodiff/tape';
import { gateParameters } from '../../cells/gate-parameters';
import type { OpsCell } from '../../recurrence/cell';
import { zeros } from '../../tensor/initializers';
import type { ParameterSpec } from '../../tensor/parameter-spec';

/**
 * Creates the cell. Gate blocks of W, U and b are in the order i f g o; the gates i, f and o each have peephole
 * weights p `[H]`.
 *
 *     i, f = σ(x_t W + h_{t−1} U + b + p · c_{t−1})        [B, H] each
 *     c_t  = f · c_{t−1} + i · tanh(x_t W + h_{t−1} U + b) [B, H]
 *     h_t  = σ(x_t W + h_{t−1} U + b + p · c_t) · tanh(c_t)
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
      ...gateParameters(4, inputSize, hiddenSize),
      peepholeI: peephole(hiddenSize),
      peepholeF: peephole(hiddenSize),
      peepholeO: peephole(hiddenSize),
    }),
    inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
    step: ({ weightHh, peepholeI, peepholeF, peepholeO }, x, { h, c }) => {
      const H = h.shape[1]!;
      const gates = add(x, matmul(h, weightHh!));
      const gate = (block: number): Variable => slice(gates, block * H, (block + 1) * H, 1);
      const inputGate = sigmoid(add(gate(0), multiply(peepholeI!, c)));
      const forgetGate = sigmoid(add(gate(1), multiply(peepholeF!, c)));
      const nextC = add(multiply(forgetGate, c), multiply(inputGate, tanh(gate(2))));
      const outputGate = sigmoid(add(gate(3), multiply(peepholeO!, nextC)));
      return { h: multiply(outputGate, tanh(nextC)), c: nextC };
    },
  };
}
