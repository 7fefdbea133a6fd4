/** Gradients against finite differences, in double precision. */

import { allocate, createWorkspace } from '../kernels/workspace';
import { leaves, type Mapped, type TensorTree, treeSize } from '../tensor/tree';
import { runScope, type Variable } from './tape';
import { differentiate, load, variablesOver } from './value-and-gradient';

/** What {@link checkGradients} found. */
export interface GradientCheck {
  /** The largest of |analytic − numeric| / max(1, |analytic|, |numeric|) over all elements checked. */
  readonly error: number;
  /** Where it is. */
  readonly worst: {
    readonly path: string;
    readonly index: number;
    readonly analytic: number;
    readonly numeric: number;
  };
  /** How many elements were checked. */
  readonly checked: number;
}

/**
 * Compares the gradient of a function with central differences of its value, element by element, all in double precision: what is right
 * agrees to 1e-7 or better, what is wrong does not. Functions must be deterministic (a dropout needs a fresh generator of the same seed
 * in every call) and smooth around the parameters.
 *
 * @param parameters a tree of tensors; every element of each is moved by ±`step`
 * @param loss as for {@link valueAndGradient}
 * @example
 * checkGradients({ w: tensor([3, 4]) }, (p) => sum(tanh(p.w))).error < 1e-7; // true
 */
export function checkGradients<P extends TensorTree>(
  parameters: P,
  loss: (p: Mapped<P, Variable>) => Variable,
  { step = 1e-5 }: { readonly step?: number } = {},
): GradientCheck {
  const untyped = loss as unknown as (p: never) => Variable;
  const workspace = createWorkspace('float64');
  const found = leaves(parameters);
  const size = treeSize(parameters);
  const offset = allocate(workspace, size);
  const gradient = allocate(workspace, size);
  load(parameters, workspace.memory.view, offset);
  runScope(workspace, true, (scope) => differentiate(scope, parameters, offset, gradient, size, untyped));
  const analyticGradient = workspace.memory.view.slice(gradient, gradient + size);

  const valueAt = (position: number, value: number): number => {
    workspace.memory.view[position] = value;
    return runScope(workspace, false, (scope) => {
      const { offset: at } = untyped(variablesOver(scope, parameters, offset));
      return workspace.memory.view[at]!;
    });
  };
  let error = 0;
  let worst = { path: '', index: 0, analytic: 0, numeric: 0 };
  let position = 0;
  for (const { path, tensor } of found) {
    for (let index = 0; index < tensor.data.length; index++, position++) {
      const at = offset + position;
      const value = workspace.memory.view[at]!;
      const numeric = (valueAt(at, value + step) - valueAt(at, value - step)) / (2 * step);
      workspace.memory.view[at] = value;
      const analytic = analyticGradient[position]!;
      const difference = Math.abs(analytic - numeric) / Math.max(1, Math.abs(analytic), Math.abs(numeric));
      // Written so that a NaN is the worst of all, and stays it.
      if (!(difference <= error) && !Number.isNaN(error)) {
        error = difference;
        worst = { path, index, analytic, numeric };
      }
    }
  }
  return { error, worst, checked: size };
}
