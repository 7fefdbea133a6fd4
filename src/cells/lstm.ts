/**
 * Long short-term memory with a forget gate, without peepholes (Hochreiter and Schmidhuber, 1997; Gers, Schmidhuber and Cummins, 2000).
 *
 *     i, f, o = σ(x_t W + h_{t−1} U + b)        [B, H] each; blocks of W, U and b stand in the order i f g o
 *     g       = tanh(x_t W + h_{t−1} U + b)     [B, H]
 *     c_t     = f · c_{t−1} + i · g             [B, H]
 *     h_t     = o · tanh(c_t)                   [B, H]
 */

import { lstmCell, lstmCellBackward } from '../kernels/cells';
import type { PointwiseCell } from '../recurrence/cell';
import { forgetBias } from '../tensor/initializers';
import { gateParameters } from './gate-parameters';

/**
 * The LSTM cell: state `{ h, c }`, parameters `weightIh [I, 4H]`, `weightHh [H, 4H]`, `bias [4H]`, gate blocks `i f g o`. The bias of
 * the forget gate begins at 1, all others at 0.
 *
 * @example
 * lstm().state; // ['h', 'c']
 */
export function lstm(): PointwiseCell<'h' | 'c'> {
  return {
    name: 'lstm',
    origin: ['lstm'],
    state: ['h', 'c'],
    gates: 4,
    savedBlocks: 1, // tanh(c_t)
    vectorParameters: [],
    separateProducts: false,
    parameters: (inputSize, hiddenSize) => gateParameters(4, inputSize, hiddenSize, forgetBias(1)),
    forward: (k, { next, previous, saved, gates, rows, hiddenSize }) =>
      k.of(lstmCell)(next.h, next.c, saved, gates, previous.c, rows, hiddenSize),
    backward: (k, { dNext, dPrevious, previous, saved, gates, rows, hiddenSize }) =>
      k.of(lstmCellBackward)(gates, dPrevious.c, dNext.h, dNext.c, saved, previous.c, rows, hiddenSize),
  };
}
