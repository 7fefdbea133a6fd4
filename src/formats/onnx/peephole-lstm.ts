/** LSTM whose gates see the cell state, as ONNX defines it (Gers, Schraudolph and Schmidhuber, 2002). */

import { add, multiply } from '../../autodiff/ops/arithmetic';
import { sigmoid, tanh } from '../../autodiff/ops/elementwise';
import { affine, matmul } from '../../autodiff/ops/linear';
import { slice } from '../../autodiff/ops/movement';
import { gateParameters } from '../../cells/gate-parameters';
import type { OpsCell } from '../../recurrence/cell';
import { zeros } from '../../tensor/initializers';
import type { ParameterSpec } from '../../tensor/parameter-spec';

/**
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
      const [i, f, g, o] = [0, 1, 2, 3].map((gate) => slice(gates, gate * H, (gate + 1) * H, 1)) as [
        typeof h,
        typeof h,
        typeof h,
        typeof h,
      ];
      const kept = multiply(sigmoid(add(f, multiply(peepholeF!, c))), c);
      const next = add(kept, multiply(sigmoid(add(i, multiply(peepholeI!, c))), tanh(g)));
      return { h: multiply(sigmoid(add(o, multiply(peepholeO!, next))), tanh(next)), c: next };
    },
  };
}
