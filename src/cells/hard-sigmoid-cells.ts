/**
 * LSTM and GRU with the piecewise linear gate activation of TensorFlow.js and, as an option, Keras; and with any other
 * activations.
 *
 *     hardSigmoid(x) = min(1, max(0, slope · x + 1/2))        [B, H]
 *
 * Replaces σ in the equations of `lstm()` and `gru()`. The slope is 1/5 in TensorFlow.js and Keras 2, 1/6 in Keras 3.
 * State, parameters, shapes and gate blocks are those of `lstm()` and `gru()`. The cells run by ops, so more slowly.
 */

import { add, multiply, scale, subtract } from '../autodiff/ops/arithmetic';
import { relu, tanh } from '../autodiff/ops/elementwise';
import { affine, matmul } from '../autodiff/ops/linear';
import { slice } from '../autodiff/ops/movement';
import type { Variable } from '../autodiff/tape';
import type { OpsCell } from '../recurrence/cell';
import { full } from '../tensor/tensor';
import { gru } from './gru';
import { lstm } from './lstm';

/** min(1, max(0, slope · x + 1/2)). */
export function hardSigmoid(x: Variable, slope: number): Variable {
  const linear = add(scale(x, slope), full([], 0.5));
  return subtract(relu(linear), relu(subtract(linear, full([], 1))));
}

/** Splits `[B, G·H]` into G gate blocks `[B, H]`. */
const blocks = (x: Variable, count: number): readonly Variable[] => {
  const size = x.shape.at(-1)! / count;
  return Array.from({ length: count }, (_, i) => slice(x, i * size, (i + 1) * size, -1));
};

/** A function of variables, applied to every element. */
type Activation = (x: Variable) => Variable;

/** Everything of a cell but its name and origin. */
type Unnamed<K extends string> = Omit<OpsCell<K>, 'name' | 'origin'>;

/** An LSTM with any functions instead of σ and tanh. */
export function lstmWith(gate: Activation, activation: Activation): Unnamed<'h' | 'c'> {
  return {
    state: ['h', 'c'],
    parameters: lstm().parameters,
    inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
    step: ({ weightHh }, x, { h, c: previous }, applyDropout) => {
      const [i, f, g, o] = blocks(add(x, matmul(applyDropout(h), weightHh!)), 4) as [
        Variable,
        Variable,
        Variable,
        Variable,
      ];
      const c = add(multiply(gate(f), previous), multiply(gate(i), activation(g)));
      return { h: multiply(gate(o), activation(c)), c };
    },
  };
}

/** A GRU with any functions instead of σ and tanh, with the reset gate after or before the recurrent product. */
export function gruWith(gate: Activation, activation: Activation, reset: 'after' | 'before'): Unnamed<'h'> {
  return {
    state: ['h'],
    parameters: gru({ reset }).parameters,
    inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
    step: ({ weightHh, biasHn }, x, { h }, applyDropout) => {
      const H = h.shape[1]!;
      const hidden = applyDropout(h);
      const product = matmul(hidden, slice(weightHh!, 0, 2 * H, 1));
      const [r, z] = blocks(add(slice(x, 0, 2 * H, 1), product), 2).map(gate) as [Variable, Variable];
      const candidate = slice(weightHh!, 2 * H, 3 * H, 1);
      const recurrent =
        reset === 'before'
          ? matmul(multiply(r, hidden), candidate)
          : multiply(r, add(matmul(hidden, candidate), biasHn!));
      const n = activation(add(slice(x, 2 * H, 3 * H, 1), recurrent));
      return { h: add(n, multiply(z, subtract(h, n))) };
    },
  };
}

/** Creates an LSTM cell with hard sigmoid gates. */
export function hardSigmoidLstm({ slope }: { readonly slope: number }): OpsCell<'h' | 'c'> {
  return {
    name: 'hardSigmoidLstm',
    origin: ['hardSigmoidLstm', { slope }],
    ...lstmWith((x) => hardSigmoid(x, slope), tanh),
  };
}

/** Creates a GRU cell with hard sigmoid gates, with the reset gate after or before the recurrent product. */
export function hardSigmoidGru({
  slope,
  reset,
}: {
  readonly slope: number;
  readonly reset: 'after' | 'before';
}): OpsCell<'h'> {
  return {
    name: 'hardSigmoidGru',
    origin: ['hardSigmoidGru', { slope, reset }],
    ...gruWith((x) => hardSigmoid(x, slope), tanh, reset),
  };
}
