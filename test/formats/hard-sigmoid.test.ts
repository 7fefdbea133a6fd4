/** Gradients of the cells with hard sigmoid gates. */

import { type Cell, checkGradients, createRandom, initializeCell, multiply, normal, sum, unroll } from 'bptt';
import { describe, expect, it } from 'vitest';
import { hardSigmoidGru, hardSigmoidLstm } from '../../src/cells/hard-sigmoid-cells';

describe.each<[string, () => Cell]>([
  ['LSTM', () => hardSigmoidLstm({ slope: 0.2 })],
  ['GRU, reset before', () => hardSigmoidGru({ slope: 1 / 6, reset: 'before' })],
  ['GRU, reset after', () => hardSigmoidGru({ slope: 1 / 6, reset: 'after' })],
])('%s', (_, cell) => {
  it('the gradient equals finite differences', () => {
    const random = createRandom(2);
    const p = {
      ...initializeCell(cell(), {
        inputSize: 3,
        hiddenSize: 4,
        random,
        inputInitializer: normal(0, 1),
        biasInitializer: normal(0, 1),
      }),
    };
    const [x, weights] = [normal(0, 1)([4, 2, 3], random), normal(0, 1)([4, 2, 4], random)];
    const { error } = checkGradients({ p, x }, (v) => sum(multiply(unroll(cell(), v.p, v.x).outputs, weights)));
    expect(error).toBeLessThan(1e-7);
  });
});
