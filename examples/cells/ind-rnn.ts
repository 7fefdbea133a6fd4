/** The independently recurrent network (Li et al., 2018, arXiv 1803.04831): each unit remembers itself alone. A cell by a pointwise pair. */

import { gateParameters, type PointwiseCell, uniform } from 'bptt';

/**
 *     h_t = relu(x_t W + b + u · h_{t−1})        [B, H]
 *
 * The engine makes x_t W + b for all steps at once and finds it in `gates`; backward leaves its gradient there.
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
