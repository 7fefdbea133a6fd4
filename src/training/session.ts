/** Updates of parameters and optimizer state, with all buffers of an update in the shared workspace. */

import { scale } from '../autodiff/ops/arithmetic';
import { runScope, type Variable } from '../autodiff/tape';
import { differentiate } from '../autodiff/value-and-gradient';
import { sumOfSquares } from '../kernels/arithmetic';
import {
  allocate,
  allocateZeros,
  defaultWorkspace,
  freeBlocks,
  type Reservation,
  reservationOf,
  reserveCopy,
  type Workspace,
  withMemory,
} from '../kernels/workspace';
import { withCaller } from '../tensor/error-context';
import type { Random } from '../tensor/random';
import type { Mapped, TensorTree } from '../tensor/tree';
import { nonFiniteGradient, nonFiniteLoss } from './finite-check';
import {
  checkOptimizerState,
  copySlotsFrom,
  copySlotsInto,
  initializeOptimizer,
  type Optimizer,
  type OptimizerState,
  parameterLeaves,
  updateAt,
} from './optimizers';
import { rateAt } from './schedules';
import type { Task } from './task';

/** A model in training. */
export interface Session<B> {
  /** The number of updates in the optimizer state. */
  readonly steps: () => number;
  /** Returns the optimizer state, which later updates change. */
  readonly state: () => OptimizerState;
  /**
   * Makes one update, with the gradient of the mean loss of all targets of the batches. If all are ignored, the loss is
   * 0, and the parameters and the optimizer state do not change.
   *
   * @param validationLosses the losses on the validation data so far, for learning rates that depend on them
   * @throws RangeError if the loss or the gradient is not finite, before the parameters are changed
   */
  readonly update: (
    batches: readonly B[],
    random: Random,
    step: number,
    validationLosses?: readonly number[],
  ) => SessionUpdate;
  /** Ends the session, which frees its memory. */
  readonly close: () => void;
}

/** An update of a session. */
export interface SessionUpdate {
  /** The loss before the update. */
  readonly loss: number;
  /** The norm of the gradient of the loss, before the optimizer transforms it. */
  readonly gradientNorm: number;
  /** The learning rate of the update, if the optimizer has one. */
  readonly learningRate: number | undefined;
}

/**
 * Starts training: parameters, gradient and moments have one layout.
 *
 * @param initial the optimizer state to continue from; by default, a new one
 * @param isShared whether user code can read and change the state between updates. Otherwise, its moments stay in the
 * workspace, and {@link Session.state} copies them.
 * @throws RangeError if the optimizer state does not fit
 */
export function openSession<P extends TensorTree, B>(
  caller: string,
  task: Task<P, B>,
  optimizer: Optimizer,
  initial: OptimizerState | undefined,
  isShared: boolean,
): Session<B> {
  const size = task.data.length;
  const current = initial ?? withCaller(caller, () => initializeOptimizer(optimizer, size));
  checkOptimizerState(caller, 'optimizerState', optimizer, current, size);
  const preferred = defaultWorkspace();
  const parameterList = parameterLeaves(task.parameters);
  /** The moments that stay in the workspace of the last update. */
  let kept: { readonly reservation: Reservation; readonly slots: number[] } | undefined;
  const state = (): OptimizerState => {
    if (kept) copySlotsFrom(kept.reservation.held.workspace, current, kept.slots);
    return current;
  };
  const close = (): void => {
    if (kept) freeBlocks(kept.reservation.held);
  };
  /** Moves the moments to a workspace, if they are in another one or in the state. */
  const keepIn = (workspace: Workspace): void => {
    if (kept?.reservation.held.workspace === workspace) return;
    const { slots } = state();
    close();
    const reservation = reservationOf(workspace);
    kept = { reservation, slots: slots.map((slot) => reserveCopy(reservation, slot)) };
  };
  return {
    steps: () => current.step,
    state,
    close,
    update(batches, random, step, validationLosses) {
      const weights = batches.map((batch) => task.weightOf?.(batch) ?? 1);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const rows = task.rowsOf?.(batches[0]!) ?? Infinity;
      const workspace = preferred.forUpdate?.(rows, size) ?? preferred;
      const { kernels, memory } = workspace;
      if (!isShared) keepIn(workspace);
      return withMemory(workspace, () => {
        const parameters = allocate(workspace, size);
        const gradient = allocateZeros(workspace, size);
        const slots = kept?.slots ?? copySlotsInto(workspace, current);
        memory.view.set(task.data, parameters);
        const context = { training: true, random, step };
        const buffers = new Map<number, number>();
        /**
         * Adds the gradient of the loss of a batch, multiplied by its share of the total weight. Returns the product.
         */
        const addGradient = (batch: B, weight: number): number =>
          runScope(workspace, true, (scope) => {
            scope.buffers = buffers;
            const loss = (p: Mapped<P, Variable>) =>
              scale(task.loss(p, batch, context, weight), total && weight / total);
            const isFrozen = optimizer.isFrozen;
            const { value } = differentiate(caller, scope, task.parameters, parameters, gradient, loss, isFrozen);
            if (!Number.isFinite(value)) throw nonFiniteLoss(caller, task.layerOutputs?.() ?? [], value, step);
            return value;
          });
        const loss = batches.reduce((sum, batch, i) => sum + addGradient(batch, weights[i]!), 0);
        const squares = kernels.of(sumOfSquares)(gradient, size);
        if (!Number.isFinite(squares))
          throw nonFiniteGradient(caller, parameterList, memory.view.subarray(gradient, gradient + size), step);
        let learningRate: number | undefined;
        if (total !== 0) {
          const input = {
            size,
            step: current.step + 1,
            parameters,
            gradient,
            slots,
            leaves: parameterList,
            validationLosses,
            buffers: [...buffers].map(([offset, size]) => ({ offset: offset - parameters, size })),
          };
          updateAt(caller, workspace, optimizer, input);
          current.step = input.step;
          if (kept === undefined) copySlotsFrom(workspace, current, slots);
          task.data.set(memory.view.subarray(parameters, parameters + size));
          if (optimizer.rate !== undefined)
            learningRate = rateAt(caller, optimizer.rate, { step: current.step, validationLosses });
        }
        // Single precision, as in the file of a training state.
        return { loss: Math.fround(loss), gradientNorm: Math.sqrt(squares), learningRate };
      });
    },
  };
}
