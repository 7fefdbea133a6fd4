/**
 * Gated recurrent unit with other activation functions than σ and tanh.
 *
 *     r, z = gate(x_t W + h_{t−1} U + b)                              [B, H] each
 *     n    = activation(x_t W + b + r · (h_{t−1} U + b_hn))           [B, H], reset 'after'
 *     n    = activation(x_t W + b + (r · h_{t−1}) U)                  [B, H], reset 'before'
 *     h_t  = (1 − z) · n + z · h_{t−1}                                [B, H]
 *
 * Shapes and parameters are those of `gru()`.
 */

import { add, multiply, subtract } from '../autodiff/ops/arithmetic';
import { sigmoid, tanh } from '../autodiff/ops/elementwise';
import { affine, matmul } from '../autodiff/ops/linear';
import { slice } from '../autodiff/ops/movement';
import type { Variable } from '../autodiff/tape';
import type { Cell } from '../recurrence/cell';
import { withCaller } from '../tensor/error-context';
import { checkNames, checkString } from '../tensor/shape';
import { type ActivationFunction, checkActivations } from './activations';
import { inputTerm } from './gate-parameters';
import { type GruOptions, gru, splitRecurrentWeights } from './gru';

/** Options for {@link gruWith}. */
export interface GruWithOptions extends GruOptions {
  /** The function of the candidate, `activation` in Keras; `tanh` by default. */
  readonly activation?: ActivationFunction | undefined;
  /** The function of the gates, `recurrent_activation` in Keras; `sigmoid` by default. */
  readonly gateActivation?: ActivationFunction | undefined;
}

/**
 * Creates a GRU cell with other activation functions than `gru()`: functions of ops such as `relu`, `hardSigmoid()` and
 * {@link linear}, which are applied to each gate separately. State, parameters, shapes and initialization are those of
 * `gru()` with the same `reset`. The cell is slower than `gru()`. For `tanh` and `sigmoid`, and without a name,
 * `gruWith` returns `gru()`.
 *
 * @param name the name of the cell in parameters and states; by default, that of `gru()`
 * @throws TypeError if an activation is not a function; RangeError if `reset` is neither 'after' nor 'before'
 * @example
 * const cell = gruWith({ gateActivation: hardSigmoid() });
 * const model = sequential([recurrent(cell, { hiddenSize: 8 })], { inputSize: 2 });
 * predict(model, full([5, 3, 2], 1)).shape; // [5, 3, 8]
 */
export function gruWith(options: GruWithOptions, name?: string): Cell<'h'> {
  checkNames('gruWith', 'options', options, ['activation', 'gateActivation', 'reset']);
  const { activation = tanh, gateActivation = sigmoid, reset = 'after' } = options;
  checkActivations('gruWith', { activation, gateActivation });
  const plain = withCaller('gruWith', () => gru({ reset }));
  if (name !== undefined) checkString('gruWith', 'name', name);
  if (name === undefined && activation === tanh && gateActivation === sigmoid) return plain;
  return {
    name: name ?? plain.name,
    origin: ['gruWith', { activation, gateActivation, reset }, ...(name ? [name] : [])],
    state: ['h'],
    parameters: plain.parameters,
    inputs: inputTerm,
    prepare: splitRecurrentWeights,
    step: ({ gates, candidate, biasHn }, x, { h }, applyDropout) => {
      const H = h.shape[1]!;
      const hidden = applyDropout(h);
      const product = matmul(hidden, gates!);
      const gate = (from: number): Variable =>
        gateActivation(add(slice(x, from, from + H, 1), slice(product, from, from + H, 1)));
      const r = gate(0);
      const z = gate(H);
      const recurrent =
        reset === 'before'
          ? matmul(multiply(r, hidden), candidate!)
          : multiply(r, affine(hidden, { weight: candidate!, bias: biasHn! }));
      const n = activation(add(slice(x, 2 * H, 3 * H, 1), recurrent));
      return { h: add(n, multiply(z, subtract(h, n))) };
    },
  };
}
