/** Models that are ordinary functions of parameters and a batch. */

import type { Variable } from '../autodiff/tape';
import type { Batch } from '../data/dataset';
import { withCaller } from '../tensor/error-context';
import { type NotCloneable, postInstead } from '../tensor/post-instead';
import type { Random } from '../tensor/random';
import { checkFunction } from '../tensor/shape';
import { flattenTree, type Mapped, type TensorTree } from '../tensor/tree';

/** The context in which the loss of a {@link customModel} is computed. */
export interface TrainingContext {
  /** Whether dropout and other training-only behavior is on. */
  readonly training: boolean;
  /** The generator for random operations in training. */
  readonly random: Random;
  /** The number of the update, from 1; 0 in evaluation. */
  readonly step: number;
}

/** A model defined by a loss function, with any number of inputs and outputs and batches of any form. */
export interface CustomModel<P extends TensorTree = TensorTree, B = Batch> extends NotCloneable {
  /** Views of {@link CustomModel.data}. */
  readonly parameters: P;
  /** All parameters in one contiguous buffer. Change them in place. */
  readonly data: Float32Array;
  /** The loss of a batch, a scalar. */
  readonly loss: (p: Mapped<P, Variable>, batch: B, context: TrainingContext) => Variable;
}

const notCloneable = /* @__PURE__ */ postInstead('a custom model', 'its data, and create the model in the worker');

/**
 * Creates a model from parameters and a loss function, for {@link fit} and {@link evaluate}.
 *
 * @param parameters a tree of tensors; copied into one flat buffer
 * @param loss computes the loss of a batch, a scalar, from the same tree of variables
 * @throws TypeError if `parameters` is not a tree of tensors, or `loss` is not a function
 * @example
 * const line = customModel({ slope: tensor(0), offset: tensor(0) }, (p, batch: Batch<Tensor, Tensor>) =>
 *   meanSquaredError(add(multiply(batch.inputs, p.slope), p.offset), batch.targets));
 * const batch = { inputs: tensor([0, 1, 2]), targets: tensor([1, 3, 5]) };
 * await fit(line, { batchCount: 1, batches: () => [batch] }, { optimizer: adam(0.1), epochs: 500 });
 * Math.round(line.parameters.slope.data[0]!); // 2
 */
export function customModel<P extends TensorTree, B = Batch>(
  parameters: P,
  loss: (p: Mapped<P, Variable>, batch: B, context: TrainingContext) => Variable,
): CustomModel<P, B> {
  checkFunction('customModel', 'loss', loss);
  const { tree, data } = withCaller('customModel', () => flattenTree(parameters));
  return {
    ...notCloneable,
    parameters: tree,
    data,
    loss,
  };
}
