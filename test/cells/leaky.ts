import { gateParameters, type PointwiseCell } from 'bptt';

/** A custom pointwise cell, whose state is not called `h`: a leaky unit, y_t = 0.9 · y_{t−1} + 0.1 · tanh(gates). */
export function leaky(): PointwiseCell<'y'> {
  return {
    name: 'leaky',
    state: ['y'],
    gates: 1,
    savedBlocks: 1,
    vectorParameters: [],
    separateProducts: false,
    parameters: (inputSize, hiddenSize) => gateParameters(1, inputSize, hiddenSize),
    forward: ({ memory: { view: m } }, { next, previous, gates, saved, rows, hiddenSize }) => {
      for (let i = 0; i < rows * hiddenSize; i++) {
        m[saved + i] = Math.tanh(m[gates + i]!);
        m[next.y + i] = 0.9 * m[previous.y + i]! + 0.1 * m[saved + i]!;
      }
    },
    backward: ({ memory: { view: m } }, { dNext, dPrevious, gates, saved, rows, hiddenSize }) => {
      for (let i = 0; i < rows * hiddenSize; i++) {
        m[gates + i] = 0.1 * m[dNext.y + i]! * (1 - m[saved + i]! ** 2);
        m[dPrevious.y + i] = m[dPrevious.y + i]! + 0.9 * m[dNext.y + i]!;
      }
    },
  };
}
