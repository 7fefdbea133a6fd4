/** Updates in a workspace that keeps parameters and optimizer state from one update to the next. */

import { runScope } from '../autodiff/tape';
import { differentiate } from '../autodiff/value-and-gradient';
import { sumOfSquares } from '../kernels/arithmetic';
import { allocate, createWorkspace } from '../kernels/workspace';
import { withCaller } from '../tensor/error-context';
import type { Random } from '../tensor/random';
import type { TensorTree } from '../tensor/tree';
import { nonFiniteGradient, nonFiniteLoss } from './finite-check';
import {
  checkOptimizerState,
  initializeOptimizer,
  type Optimizer,
  type OptimizerState,
  parameterLeaves,
  updateAt,
} from './optimizers';
import type { Task } from './task';

/** A model in training. */
export interface Session<B> {
  /** The optimizer state, updated in place. */
  readonly state: OptimizerState;
  /**
   * Makes one update.
   *
   * @returns the loss before the update, and the norm of the gradient before clipping, if the optimizer clips by norm
   * @throws RangeError if the loss or the gradient is not finite, before the parameters are changed
   */
  readonly update: (batch: B, random: Random, step: number) => { loss: number; norm: number | undefined };
}

/**
 * Starts training: parameters, gradient and moments have one layout, and stay in the workspace from update to update.
 *
 * @throws RangeError if the optimizer state does not fit
 */
export function openSession<P extends TensorTree, B>(
  caller: string,
  task: Task<P, B>,
  optimizer: Optimizer,
  optimizerState?: OptimizerState,
): Session<B> {
  const size = task.data.length;
  const state = optimizerState ?? withCaller(caller, () => initializeOptimizer(optimizer, size));
  checkOptimizerState(caller, 'optimizerState', optimizer, state, size);
  const workspace = createWorkspace();
  const { kernels, memory } = workspace;
  const parameters = allocate(workspace, size);
  const gradient = allocate(workspace, size);
  const parameterList = parameterLeaves(task.parameters);
  const slots = state.slots.map(() => allocate(workspace, size));
  return {
    state,
    update(batch, random, step) {
      memory.view.set(task.data, parameters);
      const loss = runScope(workspace, true, (scope) => {
        const context = { training: true, random, step };
        const { value } = differentiate(caller, scope, task.parameters, parameters, gradient, size, (p) =>
          task.loss(p, batch, context),
        );
        if (!Number.isFinite(value)) throw nonFiniteLoss(caller, task.layerOutputs?.() ?? [], value, step);
        return value;
      });
      if (!Number.isFinite(kernels.of(sumOfSquares)(gradient, size)))
        throw nonFiniteGradient(caller, parameterList, memory.view.subarray(gradient, gradient + size), step);
      const input = { size, parameters, gradient, slots, leaves: parameterList };
      const norm = updateAt(caller, workspace, optimizer, state, input);
      task.data.set(memory.view.subarray(parameters, parameters + size));
      return { loss, norm };
    },
  };
}
