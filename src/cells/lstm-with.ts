/**
 * LSTM with other activation functions than σ and tanh, and its variants with peephole connections and coupled gates.
 *
 *     i, f = gate(x_t W + h_{t−1} U + b + p · c_{t−1})                  [B, H] each
 *     c_t  = f · c_{t−1} + i · candidate(x_t W + h_{t−1} U + b)         [B, H]
 *     o    = gate(x_t W + h_{t−1} U + b + p · c_t)                      [B, H]
 *     h_t  = o · output(c_t)                                            [B, H]
 *
 * x_t `[B, I]`, W = weightIh `[I, 4H]`, U = weightHh `[H, 4H]`, b = bias `[4H]`; gate blocks `i f g o`; p = 0, or
 * peepholeI, peepholeF, peepholeO `[H]`. With coupled gates, f = 1 − i.
 *
 * Peepholes: Gers, Schraudolph and Schmidhuber, 2002. Coupled gates: Greff et al., 2015, arXiv 1503.04069.
 */

import { add, multiply, subtract } from '../autodiff/ops/arithmetic';
import { sigmoid, tanh } from '../autodiff/ops/elementwise';
import { matmul } from '../autodiff/ops/linear';
import { slice } from '../autodiff/ops/movement';
import type { Variable } from '../autodiff/tape';
import type { Cell, OpsCell } from '../recurrence/cell';
import { zeros } from '../tensor/initializers';
import type { ParameterSpec } from '../tensor/parameter-spec';
import { checkNames, checkString } from '../tensor/shape';
import { type ActivationFunction, checkActivations } from './activations';
import { inputTerm } from './gate-parameters';
import { lstm } from './lstm';

/** Options for {@link lstmWith}. */
export interface LstmWithOptions {
  /** The function of the candidate and of the cell state, `activation` in Keras; `tanh` by default. */
  readonly activation?: ActivationFunction | undefined;
  /** The function of the gates, `recurrent_activation` in Keras; `sigmoid` by default. */
  readonly gateActivation?: ActivationFunction | undefined;
}

/**
 * Creates an LSTM cell with other activation functions than `lstm()`: functions of ops such as `relu`, `hardSigmoid()`
 * and {@link linear}, which are applied to each gate separately. State, parameters, shapes and initialization are those
 * of `lstm()`. The cell is slower than `lstm()`. For `tanh` and `sigmoid`, and without a name, `lstmWith` returns
 * `lstm()`.
 *
 * @param name the name of the cell in parameters and states; `lstm` by default
 * @throws TypeError if an activation is not a function
 * @example
 * const model = sequential([recurrent(lstmWith({ activation: relu }), { hiddenSize: 8 })], { inputSize: 2 });
 * predict(model, full([5, 3, 2], 1)).shape; // [5, 3, 8]
 */
export function lstmWith(options: LstmWithOptions, name?: string): Cell<'h' | 'c'> {
  checkNames('lstmWith', 'options', options, ['activation', 'gateActivation']);
  const { activation = tanh, gateActivation = sigmoid } = options;
  checkActivations('lstmWith', { activation, gateActivation });
  if (name !== undefined) checkString('lstmWith', 'name', name);
  if (name === undefined && activation === tanh && gateActivation === sigmoid) return lstm();
  return {
    ...generalLstm({ gate: gateActivation, candidate: activation, output: activation }),
    ...(name && { name }),
    origin: ['lstmWith', { activation, gateActivation }, ...(name ? [name] : [])],
  };
}

/** Options of {@link generalLstm}. */
export interface GeneralLstmOptions {
  readonly gate: ActivationFunction;
  readonly candidate: ActivationFunction;
  readonly output: ActivationFunction;
  /** Whether the forget gate is 1 − i; false by default. */
  readonly couplesGates?: boolean;
  /** Whether the gates have peephole connections to the cell state; false by default. */
  readonly hasPeepholes?: boolean;
}

/** Creates an LSTM cell by the equations above. */
export function generalLstm({
  gate,
  candidate,
  output,
  couplesGates = false,
  hasPeepholes = false,
}: GeneralLstmOptions): OpsCell<'h' | 'c'> {
  return {
    name: 'lstm',
    state: ['h', 'c'],
    parameters: (inputSize, hiddenSize) => {
      const peephole: ParameterSpec = { role: 'gain', shape: [hiddenSize], blocks: 1, initializer: zeros() };
      return {
        ...lstm().parameters(inputSize, hiddenSize),
        ...(hasPeepholes && { peepholeI: peephole, peepholeF: peephole, peepholeO: peephole }),
      };
    },
    inputs: inputTerm,
    step: ({ weightHh, peepholeI, peepholeF, peepholeO }, x, { h, c }, applyDropout) => {
      const H = c.shape[1]!;
      const sum = add(x, matmul(applyDropout(h), weightHh!));
      const block = (index: number): Variable => slice(sum, index * H, (index + 1) * H, 1);
      const gateOf = (index: number, peephole: Variable | undefined, cell: Variable): Variable =>
        gate(peephole === undefined ? block(index) : add(block(index), multiply(peephole, cell)));
      const inputGate = gateOf(0, peepholeI, c);
      const forgetGate = couplesGates ? subtract(1, inputGate) : gateOf(1, peepholeF, c);
      const next = add(multiply(forgetGate, c), multiply(inputGate, candidate(block(2))));
      return { h: multiply(gateOf(3, peepholeO, next), output(next)), c: next };
    },
  };
}
