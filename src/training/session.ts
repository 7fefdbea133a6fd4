/** One update after the other, in a workspace that keeps what stays. */

import { runScope } from '../autodiff/tape';
import { differentiate, load } from '../autodiff/value-and-gradient';
import { sumOfSquares } from '../kernels/arithmetic';
import { allocate, createWorkspace } from '../kernels/workspace';
import type { Random } from '../tensor/random';
import { leaves, type TensorTree } from '../tensor/tree';
import {
  checkOptimizerState,
  initializeOptimizer,
  type Optimizer,
  type OptimizerState,
  parameterLeaves,
  updateAt,
} from './optimizers';
import { notFiniteLoss, type Task } from './trainable';

/** Parameters that are being trained. */
export interface Session<B> {
  /** What the optimizer keeps, moved on in place. */
  readonly state: OptimizerState;
  /** One update. @throws RangeError where the loss or the gradient is not finite, before the parameters are touched */
  readonly update: (batch: B, random: Random, step: number) => { loss: number; norm: number | undefined };
}

/** A workspace in which parameters, gradient and moments stay from update to update, in one layout. */
export function openSession<B>(
  where: string,
  model: Task<B>,
  {
    optimizer,
    optimizerState,
  }: { readonly optimizer: Optimizer; readonly optimizerState?: OptimizerState | undefined },
): Session<B> {
  const size = model.data.length;
  const state = optimizerState ?? initializeOptimizer(optimizer, size);
  checkOptimizerState(where, 'optimizerState', optimizer, state, size);
  const workspace = createWorkspace();
  const { kernels, memory } = workspace;
  const parameters = allocate(workspace, size);
  const gradient = allocate(workspace, size);
  const own = parameterLeaves(model.parameters);
  const slots = state.slots.map(() => allocate(workspace, size));
  state.slots.forEach((slot, i) => memory.view.set(slot, slots[i]!));
  return {
    state,
    update(batch, random, step) {
      load(model.parameters, memory.view, parameters);
      const loss = runScope(workspace, true, (scope) => {
        const context = { training: true, random, step };
        const { value } = differentiate(scope, model.parameters, parameters, gradient, size, (p) =>
          model.loss(p, batch, context),
        );
        if (!Number.isFinite(value)) throw notFiniteLoss(where, model, value, step);
        return value;
      });
      if (!Number.isFinite(kernels.of(sumOfSquares)(gradient, size)))
        throw notFiniteGradient(where, model.parameters, memory.view, gradient, step);
      state.step++;
      const norm = updateAt(optimizer, { kernels, size, step: state.step, parameters, gradient, slots, leaves: own });
      model.data.set(memory.view.subarray(parameters, parameters + size));
      state.slots.forEach((slot, i) => slot.set(memory.view.subarray(slots[i]!, slots[i]! + size)));
      return { loss, norm };
    },
  };
}

function notFiniteGradient(
  where: string,
  parameters: TensorTree,
  view: ArrayLike<number>,
  gradient: number,
  step: number,
): RangeError {
  let offset = gradient;
  let path = '';
  for (const leaf of leaves(parameters)) {
    // The gradient comes from the end, so the last layer in the model is the first to be hit.
    for (let i = 0; i < leaf.tensor.data.length; i++) if (!Number.isFinite(view[offset + i]!)) path = leaf.path;
    offset += leaf.tensor.data.length;
  }
  return new RangeError(
    `${where}: the gradient was not finite at step ${step}; it appeared in layer ${path.split('.')[0] || '?'} (${path || 'the norm overflows'}). ` +
      'The parameters are those of the step before. A smaller learning rate or clipByNorm() may help.',
  );
}
