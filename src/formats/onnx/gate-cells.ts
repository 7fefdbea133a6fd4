/**
 * LSTM and GRU as ONNX defines them, with any activations, clipping, coupled gates, and peephole connections from the
 * cell state to the gates (Gers, Schraudolph and Schmidhuber, 2002). They run by ops, so more slowly than `lstm()` and
 * `gru()`.
 */

import { add, multiply, subtract } from '../../autodiff/ops/arithmetic';
import { affine, matmul } from '../../autodiff/ops/linear';
import { slice } from '../../autodiff/ops/movement';
import type { Variable } from '../../autodiff/tape';
import { gateParameters } from '../../cells/gate-parameters';
import { gru } from '../../cells/gru';
import type { OpsCell } from '../../recurrence/cell';
import { zeros } from '../../tensor/initializers';
import type { ParameterSpec } from '../../tensor/parameter-spec';

type ActivationFunction = (x: Variable) => Variable;

/** Options of {@link gateLstm}. */
export interface GateLstmOptions {
  /** The activations f of the gates, g of the candidate, and h of the cell state. */
  readonly activations: readonly [f: ActivationFunction, g: ActivationFunction, h: ActivationFunction];
  /** Whether the forget gate is 1 − i. */
  readonly couplesGates: boolean;
  readonly hasPeepholes: boolean;
}

/**
 * Creates an LSTM. Gate blocks of W, U and b are in the order i f g o; the gates i, f and o each have peephole weights
 * p `[H]`, or none.
 *
 *     i, f = f(x_t W + h_{t−1} U + b + p · c_{t−1})        [B, H] each
 *     c_t  = f · c_{t−1} + i · g(x_t W + h_{t−1} U + b)    [B, H]
 *     h_t  = f(x_t W + h_{t−1} U + b + p · c_t) · h(c_t)
 */
export function gateLstm({ activations: [f, g, h], couplesGates, hasPeepholes }: GateLstmOptions): OpsCell<'h' | 'c'> {
  return {
    name: 'gateLstm',
    state: ['h', 'c'],
    parameters: (inputSize, hiddenSize) => {
      const peephole: ParameterSpec = { role: 'gain', shape: [hiddenSize], blocks: 1, initializer: zeros() };
      return {
        ...gateParameters(4, inputSize, hiddenSize),
        ...(hasPeepholes && { peepholeI: peephole, peepholeF: peephole, peepholeO: peephole }),
      };
    },
    inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
    step: ({ weightHh, peepholeI, peepholeF, peepholeO }, x, { h: hidden, c }) => {
      const H = hidden.shape[1]!;
      const product = add(x, matmul(hidden, weightHh!));
      const block = (index: number): Variable => slice(product, index * H, (index + 1) * H, 1);
      const gate = (index: number, peephole: Variable | undefined, cell: Variable): Variable =>
        f(peephole === undefined ? block(index) : add(block(index), multiply(peephole, cell)));
      const inputGate = gate(0, peepholeI, c);
      const forgetGate = couplesGates ? subtract(1, inputGate) : gate(1, peepholeF, c);
      const nextC = add(multiply(forgetGate, c), multiply(inputGate, g(block(2))));
      return { h: multiply(gate(3, peepholeO, nextC), h(nextC)), c: nextC };
    },
  };
}

/**
 * Creates a GRU with the activations f of the gates and g of the candidate, and the reset gate after or before the
 * recurrent product. State, parameters, shapes and gate blocks are those of `gru()`.
 */
export function gateGru(
  [f, g]: readonly [f: ActivationFunction, g: ActivationFunction],
  reset: 'after' | 'before',
): OpsCell<'h'> {
  return {
    name: 'gateGru',
    state: ['h'],
    parameters: gru({ reset }).parameters,
    inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
    step: ({ weightHh, biasHn }, x, { h }) => {
      const H = h.shape[1]!;
      const gates = f(add(slice(x, 0, 2 * H, 1), matmul(h, slice(weightHh!, 0, 2 * H, 1))));
      const [r, z] = [slice(gates, 0, H, 1), slice(gates, H, 2 * H, 1)];
      const candidate = slice(weightHh!, 2 * H, 3 * H, 1);
      const recurrent =
        reset === 'before' ? matmul(multiply(r, h), candidate) : multiply(r, add(matmul(h, candidate), biasHn!));
      const n = g(add(slice(x, 2 * H, 3 * H, 1), recurrent));
      return { h: add(n, multiply(z, subtract(h, n))) };
    },
  };
}
