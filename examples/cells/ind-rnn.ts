/**
 * Independently recurrent network (IndRNN), written as a pointwise cell: each unit sees only its own previous state.
 *
 *     h_t = relu(x_t W + b + u · h_{t−1})        [B, H]
 *
 * x_t `[B, I]`, W = weightIh `[I, H]`, b = bias `[H]`, u = recurrent `[H]`; the product u · h is element-wise.
 *
 * Li et al., 2018, arXiv 1803.04831.
 */

import { gateParameters, type PointwiseCell, uniform } from 'bptt';

/**
 * Creates an IndRNN cell. State `{ h [B, H] }`; parameters `weightIh [I, H]`, `bias [H]` and `recurrent [H]`.
 *
 * The engine computes x_t W + b for all time steps at once and passes it in `gates`; the backward function overwrites
 * it with its gradient.
 */
export function indRnn(): PointwiseCell<'h'> {
  return {
    name: 'indRnn',
    state: ['h'],
    gates: 1,
    savedBlocks: 0,
    vectorParameters: ['recurrent'],
    separateProducts: false,
    parameters: (inputSize, hiddenSize) => {
      const { weightIh, bias } = gateParameters(1, inputSize, hiddenSize);
      return {
        weightIh,
        bias,
        recurrent: { role: 'recurrent', shape: [hiddenSize], blocks: 1, initializer: uniform(0, 1) },
      };
    },
    forward: (
      { memory: { view: m } },
      { gates, next, previous, vectors: { recurrent: u = 0 }, rows, hiddenSize: H },
    ) => {
      for (let i = 0; i < rows * H; i++)
        m[next.h + i] = Math.max(0, m[gates + i]! + m[u + (i % H)]! * m[previous.h + i]!);
    },
    backward: (
      { memory: { view: m } },
      { gates, next, previous, dNext, dPrevious, vectors: { recurrent: u = 0 }, dVectors, rows, hiddenSize: H },
    ) => {
      for (let i = 0; i < rows * H; i++) {
        const d = m[next.h + i]! > 0 ? m[dNext.h + i]! : 0;
        m[gates + i] = d;
        m[dPrevious.h + i]! += d * m[u + (i % H)]!;
        m[dVectors['recurrent']! + (i % H)]! += d * m[previous.h + i]!;
      }
    },
  };
}
