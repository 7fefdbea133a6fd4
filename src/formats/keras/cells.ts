/** LSTM and GRU with the activation functions of imported models. They run by ops, so more slowly than `lstm()`. */

import type { Variable } from '../../autodiff/tape';
import { gruWith, hardSigmoid, lstmWith } from '../../cells/hard-sigmoid-cells';
import type { Cell, OpsCell } from '../../recurrence/cell';

/** The options of {@link kerasLstm}. */
export interface KerasCellOptions {
  /** The function in place of tanh; the identity by default. */
  readonly activation?: (x: Variable) => Variable;
  /** The function in place of the sigmoid: a function, the slope of hard_sigmoid, or the identity by default. */
  readonly gateActivation?: ((x: Variable) => Variable) | number;
}

/** The options of {@link kerasGru}. */
export interface KerasGruOptions extends KerasCellOptions {
  readonly reset: 'after' | 'before';
}

const functionOf = (value: ((x: Variable) => Variable) | number | undefined): ((x: Variable) => Variable) =>
  typeof value === 'number' ? (x) => hardSigmoid(x, value) : (value ?? ((x) => x));

/** Creates an LSTM cell with other activations. State, parameters and shapes are those of `lstm()`. */
export function kerasLstm(options: KerasCellOptions): OpsCell<'h' | 'c'> {
  return {
    name: 'lstm',
    origin: ['kerasLstm', options],
    ...lstmWith(functionOf(options.gateActivation), functionOf(options.activation)),
  };
}

/** Creates a GRU cell with other activations. State, parameters and shapes are those of `gru()`. */
export function kerasGru(options: KerasGruOptions): OpsCell<'h'> {
  return {
    name: 'gru',
    origin: ['kerasGru', options],
    ...gruWith(functionOf(options.gateActivation), functionOf(options.activation), options.reset),
  };
}

/** The gate blocks of these cells and the reset gate of the GRU; `undefined` for any other cell. */
export function kerasCellOf({
  origin,
}: Cell): { readonly gates: 3 | 4; readonly reset?: 'after' | 'before' } | undefined {
  if (origin?.[0] === 'kerasLstm') return { gates: 4 };
  // The cast is safe: kerasGru records its own argument.
  return origin?.[0] === 'kerasGru' ? { gates: 3, reset: (origin[1] as KerasGruOptions).reset } : undefined;
}
