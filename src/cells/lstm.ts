/**
 * Long short-term memory with a forget gate and without peepholes.
 *
 *     i, f, o = σ(x_t W + h_{t−1} U + b)        [B, H] each
 *     g       = tanh(x_t W + h_{t−1} U + b)     [B, H]
 *     c_t     = f · c_{t−1} + i · g             [B, H]
 *     h_t     = o · tanh(c_t)                   [B, H]
 *
 * x_t `[B, I]`, W = weightIh `[I, 4H]`, U = weightHh `[H, 4H]`, b = bias `[4H]`; gate blocks `i f g o`, as in PyTorch.
 *
 * Hochreiter and Schmidhuber, 1997; forget gate: Gers, Schmidhuber and Cummins, 2000.
 */

import { lstmCell, lstmCellBackward } from '../kernels/cells';
import type { PointwiseCell } from '../recurrence/cell';
import { forgetBias } from '../tensor/initializers';
import { checkNames } from '../tensor/shape';
import { gateParameters } from './gate-parameters';

/** The cell, one object, so that streams of equal weights share their buffers. */
const cell: PointwiseCell<'h' | 'c'> = {
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
  callsOnlyKernels: true,
};

/**
 * Creates an LSTM cell. State `{ h, c }`, each `[B, H]`; parameters `weightIh [I, 4H]`, `weightHh [H, 4H]` and
 * `bias [4H]`, gate blocks `i f g o`. The bias of the forget gate is initialized to 1, the other biases to 0. With
 * other activation functions, the cell is {@link lstmWith}.
 *
 * @example
 * const model = sequential([recurrent(lstm(), { hiddenSize: 8 }), dense({ size: 1 })], { inputSize: 2 });
 * predict(model, full([5, 3, 2], 1)).shape; // [5, 3, 1]
 */
export function lstm(options: Readonly<Record<string, never>> = {}): PointwiseCell<'h' | 'c'> {
  checkNames('lstm', 'options (see lstmWith)', options, []);
  return cell;
}
