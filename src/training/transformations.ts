/** Gradient transformations to {@link chain} with an optimizer: clipping, weight penalties and weight constraints. */

import { addScaled, clamp, scaling, sumOfSquares } from '../kernels/arithmetic';
import { addSigns, limitColumns } from '../kernels/penalties';
import { checkFunction, checkNames, checkNumber, type Shape } from '../tensor/shape';
import { createOptimizer, type Optimizer } from './optimizers';

/** The parameters a transformation applies to. */
export interface Selection {
  /** Selects parameters by dotted path and shape: `only: (path) => !path.endsWith('bias')`. All by default. */
  readonly only?: ((path: string, shape: Shape) => boolean) | undefined;
}

/** The filter of a selection. @throws TypeError if it is not a function */
function filterOf(name: string, selection: Selection): Selection['only'] {
  checkNames(name, 'selection', selection, ['only']);
  const only = selection.only;
  if (only !== undefined) checkFunction(name, 'only', only);
  return only;
}

/** A transformation that adds the gradient of a penalty, computed by a kernel, for the selected parameters. */
function penalty(name: string, kernel: typeof addScaled, factor: number, selection: Selection): Optimizer {
  checkNumber(name, 'factor', factor, 0);
  const only = filterOf(name, selection);
  const update: Optimizer['update'] = ({ kernels, gradient, parameters, leaves, size: all }) => {
    // One range for all parameters, or one per selected parameter.
    const ranges =
      only === undefined ? [{ offset: 0, size: all }] : leaves.filter((leaf) => only(leaf.path, leaf.shape));
    for (const { offset, size } of ranges) kernels.of(kernel)(gradient + offset, parameters + offset, factor, size);
  };
  return createOptimizer({ name, slots: 0, update }, name, factor, { ...selection });
}

/**
 * Scales the gradient of all parameters together to a norm of at most `limit`: factor min(1, limit / (norm + 1e-6))
 * (Pascanu, Mikolov and Bengio, 2013, arXiv 1211.5063).
 *
 * @throws RangeError if the limit is negative
 * @example
 * const parameters = { w: tensor([0, 0]) };
 * applyOptimizer(chain(clipByNorm(1), sgd(1)), { step: 0, slots: [] }, parameters, { w: tensor([30, 40]) }).norm; // 50
 * parameters.w.data; // Float32Array [-0.6, -0.8]
 */
export function clipByNorm(limit: number): Optimizer {
  checkNumber('clipByNorm', 'limit', limit, 0);
  const update: Optimizer['update'] = ({ kernels: k, gradient, size }) => {
    const factor = limit / (Math.sqrt(k.of(sumOfSquares)(gradient, size)) + 1e-6);
    if (factor < 1) k.of(scaling)(gradient, gradient, factor, size);
  };
  return createOptimizer({ name: 'clipByNorm', slots: 0, update }, 'clipByNorm', limit);
}

/**
 * Clips every element of the gradient to [−limit, limit].
 *
 * @throws RangeError if the limit is negative
 * @example
 * const parameters = { w: tensor([0, 0]) };
 * applyOptimizer(chain(clipByValue(1), sgd(1)), { step: 0, slots: [] }, parameters, { w: tensor([30, -0.5]) });
 * parameters.w.data; // Float32Array [-1, 0.5]
 */
export function clipByValue(limit: number): Optimizer {
  checkNumber('clipByValue', 'limit', limit, 0);
  const update: Optimizer['update'] = ({ kernels, gradient, size }) => kernels.of(clamp)(gradient, limit, size);
  return createOptimizer({ name: 'clipByValue', slots: 0, update }, 'clipByValue', limit);
}

/**
 * Adds `factor` · parameters to the gradient: an L2 penalty of factor/2 · ‖parameters‖².
 *
 * @param selection the parameters to decay; all by default
 * @throws RangeError if the factor is negative
 * @example
 * const parameters = { w: tensor([2]), bias: tensor([2]) };
 * const optimizer = chain(weightDecay(0.5, { only: (path) => path !== 'bias' }), sgd(1));
 * applyOptimizer(optimizer, initializeOptimizer(optimizer, 2), parameters, { w: tensor([0]), bias: tensor([0]) });
 * parameters.w.data; // Float32Array [1]
 * parameters.bias.data; // Float32Array [2]
 */
export function weightDecay(factor: number, selection: Selection = {}): Optimizer {
  return penalty('weightDecay', addScaled, factor, selection);
}

/**
 * Adds `factor` · sign(parameters) to the gradient: an L1 penalty of factor · Σ |parameters| (Tibshirani, 1996), which
 * makes parameters sparse.
 *
 * @param selection the parameters to penalize; all by default
 * @throws RangeError if the factor is negative
 * @example
 * const parameters = { w: tensor([2, -3, 0]) };
 * applyOptimizer(chain(l1(0.5), sgd(1)), { step: 0, slots: [] }, parameters, { w: tensor([0, 0, 0]) });
 * parameters.w.data; // Float32Array [1.5, -2.5, 0]
 */
export function l1(factor: number, selection: Selection = {}): Optimizer {
  return penalty('l1', addSigns, factor, selection);
}

/**
 * Limits the norm of the incoming weights of every unit to at most `limit`: every column of the matrices `[I, O]` after
 * the update (Srebro and Shraibman, 2005; Srivastava et al., 2014). In a {@link chain}, only {@link averageWeights} may
 * follow it. If the units of a matrix are its rows, as in an embedding, exclude the matrix with `only`.
 *
 * @param selection the matrices; all by default
 * @throws RangeError if the limit is negative
 * @example
 * const parameters = { w: tensor([[3, 0.3], [3, 0.4]]) };
 * applyOptimizer(chain(sgd(1), maxNorm(1)), { step: 0, slots: [] }, parameters, { w: tensor([[0, 0], [-1, 0]]) });
 * parameters.w.data; // Float32Array [0.6, 0.3, 0.8, 0.4]
 */
export function maxNorm(limit: number, selection: Selection = {}): Optimizer {
  const only = filterOf('maxNorm', selection) ?? (() => true);
  checkNumber('maxNorm', 'limit', limit, 0);
  const update: Optimizer['update'] = ({ kernels, gradient, parameters, leaves }) => {
    for (const { path, shape, offset } of leaves) {
      const [rows, columns] = shape as [number, number];
      if (shape.length === 2 && only(path, shape))
        kernels.of(limitColumns)(gradient + offset, parameters + offset, limit, rows, columns);
    }
  };
  return createOptimizer({ name: 'maxNorm', slots: 0, update }, 'maxNorm', limit, { ...selection });
}
