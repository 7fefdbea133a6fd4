/**
 * LSTM with a projection of the hidden state to a smaller size P, which reduces the recurrent weights.
 *
 *     i, f, o = σ(x_t W + h_{t−1} U + b)         [B, H] each
 *     g       = tanh(x_t W + h_{t−1} U + b)      [B, H]
 *     c_t     = f · c_{t−1} + i · g              [B, H]
 *     h_t     = (o · tanh(c_t)) R                [B, P]
 *
 * x_t `[B, I]`, W = weightIh `[I, 4H]`, U = weightHh `[P, 4H]`, b = bias `[4H]`, R = weightHr `[H, P]`; gate blocks
 * `i f g o`.
 *
 * Sak, Senior and Beaufays, 2014, arXiv 1402.1128; without peepholes and non-recurrent projection, as in PyTorch.
 */

import { add } from '../autodiff/ops/arithmetic';
import { matmul } from '../autodiff/ops/linear';
import { applyPointwise } from '../recurrence/apply-pointwise';
import type { OpsCell } from '../recurrence/cell';
import { glorotUniform } from '../tensor/initializers';
import { checkCount, checkNames } from '../tensor/shape';
import { inputTerm } from './gate-parameters';
import { lstm } from './lstm';

/**
 * Creates an LSTM cell with projection, like `proj_size` in PyTorch. State `{ h [B, P], c [B, H] }`; parameters
 * `weightIh [I, 4H]`, `weightHh [P, 4H]`, `weightHr [H, P]` and `bias [4H]`, gate blocks `i f g o`.
 *
 * @param options.projectionSize P
 * @throws RangeError if `projectionSize` is not an integer of at least 1
 * @example
 * const model = sequential([recurrent(projectedLstm({ projectionSize: 4 }), { hiddenSize: 16 })], { inputSize: 2 });
 * predict(model, full([5, 3, 2], 1)).shape; // [5, 3, 4]
 */
export function projectedLstm(options: { readonly projectionSize: number }): OpsCell<'h' | 'c'> {
  checkNames('projectedLstm', 'options', options, ['projectionSize']);
  const projectionSize = options.projectionSize;
  checkCount('projectedLstm', 'projectionSize', projectionSize);
  const standard = lstm();
  return {
    name: 'projectedLstm',
    origin: ['projectedLstm', { projectionSize }],
    state: ['h', 'c'],
    sizes: () => ({ h: projectionSize }),
    parameters: (inputSize, hiddenSize) => {
      const { weightIh, weightHh, bias } = standard.parameters(inputSize, hiddenSize);
      return {
        weightIh: weightIh!,
        weightHh: { ...weightHh!, shape: [projectionSize, 4 * hiddenSize] },
        weightHr: { role: 'recurrent', shape: [hiddenSize, projectionSize], blocks: 1, initializer: glorotUniform() },
        bias: bias!,
      };
    },
    inputs: inputTerm,
    step: ({ weightHh, weightHr }, x, { h, c }, applyDropout) => {
      const next = applyPointwise(standard, add(x, matmul(applyDropout(h), weightHh!)), { c });
      return { h: matmul(next.h, weightHr!), c: next.c };
    },
  };
}
