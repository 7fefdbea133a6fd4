/**
 * The gated cells with gates that are straight lines, as TensorFlow.js has them by default and Keras on demand: σ(x) = min(1, max(0, slope · x + 1/2)), with a slope of
 * 1/5 in TensorFlow.js and Keras 2 and of 1/6 in Keras 3. They take and train as `lstm()` and `gru()` do, more slowly.
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

function hardSigmoid(x: Variable, slope: number): Variable {
  const line = add(scale(x, slope), full([], 0.5));
  return subtract(relu(line), relu(subtract(line, full([], 1))));
}

const blocks = (x: Variable, count: number): readonly Variable[] => {
  const size = x.shape.at(-1)! / count;
  return Array.from({ length: count }, (_, i) => slice(x, i * size, (i + 1) * size, -1));
};

/** The LSTM cell with such gates. */
export function hardSigmoidLstm({ slope }: { readonly slope: number }): OpsCell<'h' | 'c'> {
  return {
    name: 'hardSigmoidLstm',
    origin: ['hardSigmoidLstm', { slope }],
    state: ['h', 'c'],
    parameters: lstm().parameters,
    inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
    step: ({ weightHh }, x, { h, c: before }, applyDropout) => {
      const [i, f, g, o] = blocks(add(x, matmul(applyDropout(h), weightHh!)), 4) as [
        Variable,
        Variable,
        Variable,
        Variable,
      ];
      const c = add(multiply(hardSigmoid(f, slope), before), multiply(hardSigmoid(i, slope), tanh(g)));
      return { h: multiply(hardSigmoid(o, slope), tanh(c)), c };
    },
  };
}

/** The GRU cell with such gates, in both forms. */
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
    state: ['h'],
    parameters: gru({ reset }).parameters,
    inputs: ({ weightIh, bias }, x) => affine(x, { weight: weightIh!, bias: bias! }),
    step: ({ weightHh, biasHn }, x, { h }, applyDropout) => {
      const H = h.shape[1]!;
      const met = applyDropout(h);
      const product = matmul(met, slice(weightHh!, 0, 2 * H, 1));
      const gates = hardSigmoid(add(slice(x, 0, 2 * H, 1), product), slope);
      const [r, z] = blocks(gates, 2) as [Variable, Variable];
      const candidate = slice(weightHh!, 2 * H, 3 * H, 1);
      const recurrent =
        reset === 'before' ? matmul(multiply(r, met), candidate) : multiply(r, add(matmul(met, candidate), biasHn!));
      const n = tanh(add(slice(x, 2 * H, 3 * H, 1), recurrent));
      return { h: add(n, multiply(z, subtract(h, n))) };
    },
  };
}
