/**
 * LSTM with a projection of what goes out and comes back (Sak, Senior and Beaufays, 2014, arXiv 1402.1128): many cells, few recurrent weights.
 *
 *     i, f, o, g, c_t as in LSTM, from h_{t−1} [B, P]        [B, H] each
 *     h_t = (o · tanh(c_t)) R                                [B, P]
 */

import { add } from '../autodiff/ops/arithmetic';
import { affine, matmul } from '../autodiff/ops/linear';
import { applyPointwise } from '../recurrence/apply-pointwise';
import type { OpsCell } from '../recurrence/cell';
import { glorotUniform } from '../tensor/initializers';
import { checkCount } from '../tensor/shape';
import { lstm } from './lstm';

/**
 * The LSTM cell with projection: state `{ h [B, P], c [B, H] }`, parameters `weightIh [I, 4H]`, `weightHh [P, 4H]`, `weightHr [H, P]` and
 * `bias [4H]`, gate blocks `i f g o`, as PyTorch's `proj_size`.
 *
 * @throws RangeError where the size is not a whole number of at least 1
 * @example
 * const model = sequential([recurrent(projectedLstm({ projectionSize: 4 }), { hiddenSize: 16 })], { inputSize: 2 });
 * predict(model, full([5, 3, 2], 1)).shape; // [5, 3, 4]
 */
export function projectedLstm({ projectionSize }: { readonly projectionSize: number }): OpsCell<'h' | 'c'> {
  checkCount('projectedLstm', 'projectionSize', projectionSize);
  const plain = lstm();
  return {
    name: 'projectedLstm',
    origin: ['projectedLstm', { projectionSize }],
    state: ['h', 'c'],
    sizes: () => ({ h: projectionSize }),
    parameters: (inputSize, hiddenSize) => {
      const { weightIh, weightHh, bias } = plain.parameters(inputSize, hiddenSize);
      return {
        weightIh: weightIh!,
        weightHh: { ...weightHh!, shape: [projectionSize, 4 * hiddenSize] },
        weightHr: { role: 'recurrent', shape: [hiddenSize, projectionSize], blocks: 1, initializer: glorotUniform() },
        bias: bias!,
      };
    },
    inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
    step: ({ weightHh, weightHr }, x, { h, c }, applyDropout) => {
      const next = applyPointwise(plain, add(x, matmul(applyDropout(h), weightHh!)), { c });
      return { h: matmul(next.h, weightHr!), c: next.c };
    },
  };
}
