/** Custom objects that the tests and their worker import. */

import {
  add,
  type Batch,
  type CustomModel,
  customModel,
  huber,
  isIntTensor,
  type Layer,
  type Loss,
  meanSquaredError,
  multiply,
  type Optimizer,
  runInSegments,
  type runModel,
  scale,
  sgd,
  type Tensor,
  tensor,
} from 'bptt';

/** A model that has no origin: the worker has another instance. */
export const line: CustomModel<{ slope: Tensor; offset: Tensor }, Batch<Tensor, Tensor>> = customModel(
  { slope: tensor(0), offset: tensor(0) },
  (p, batch: Batch<Tensor, Tensor>) => meanSquaredError(add(multiply(batch.inputs, p.slope), p.offset), batch.targets),
);

/** A layer that the worker creates again, with an option that is named like an initializer. */
export function scaled(options: { readonly initializer: number }): Layer {
  return {
    name: 'scaled',
    origin: ['scaled', options],
    output: (input) => input,
    run: (_, input) => {
      if (isIntTensor(input)) throw new TypeError('scaled: the input must be vectors.');
      return { output: scale(input, options.initializer) };
    },
  };
}

export const inverse = (step: number): number => 0.1 / step;

export const wideHuber: Loss<Tensor> = (outputs, targets, options) => huber(outputs, targets, { ...options, delta: 3 });

export const halvedSgd: Optimizer = {
  ...sgd(0.1),
  update: (update) => {
    sgd(0.05).update(update);
  },
};

export const inSegmentsOf3: typeof runModel = (...args) => runInSegments(...args, 3);
