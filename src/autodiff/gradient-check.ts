/** Gradient checking: gradients compared with finite differences, in double precision. */

import { allocateZeros, portableWorkspace } from '../kernels/workspace';
import { checkFunction, checkNames, checkNumber } from '../tensor/shape';
import { leaves, type Mapped, type TensorTree, treeSize } from '../tensor/tree';
import { runScope, type Variable } from './tape';
import { checkScalar, copyTreeInto, differentiate, theResult, variablesOver } from './value-and-gradient';

/** The result of {@link checkGradients}. */
export interface GradientCheck {
  /** The maximum of |analytic − numeric| / max(1, |analytic|, |numeric|) over all elements. */
  readonly error: number;
  /** The element with this error. */
  readonly worst: {
    readonly path: string;
    readonly index: number;
    readonly analytic: number;
    readonly numeric: number;
  };
  /** The number of elements checked. */
  readonly checked: number;
}

/**
 * Compares the gradient of a function with central differences of its value, element by element, in double precision.
 * The error of a correct gradient is at most about 1e-7. The function must be smooth around the parameters and
 * deterministic: dropout needs a new generator with the same seed in every call.
 *
 * @param parameters a tree of tensors; every element is changed by ±`step`
 * @param loss a function from the tree of variables to a scalar variable, as for {@link valueAndGradient}
 * @param options.step 1e-5 by default
 * @returns the largest error and its element
 * @throws TypeError if the function does not return a scalar variable
 * @throws RangeError if `step` is not positive
 * @example
 * checkGradients({ w: tensor([3, 4]) }, (p) => sum(tanh(p.w))).error < 1e-7; // true
 */
export function checkGradients<P extends TensorTree>(
  parameters: P,
  loss: (p: Mapped<P, Variable>) => Variable,
  options: { readonly step?: number | undefined } = {},
): GradientCheck {
  checkNames('checkGradients', 'options', options, ['step']);
  const { step = 1e-5 } = options;
  checkNumber('checkGradients', 'step', step, Number.MIN_VALUE);
  checkFunction('checkGradients', 'loss', loss);
  const workspace = portableWorkspace(Float64Array);
  const size = treeSize('checkGradients', parameters);
  const offset = copyTreeInto('checkGradients', workspace, parameters);
  const gradient = allocateZeros(workspace, size);
  runScope(workspace, true, (scope) => differentiate('checkGradients', scope, parameters, offset, gradient, loss));
  const analyticGradient = workspace.memory.view.slice(gradient, gradient + size);

  const lossAt = (element: number, value: number): number => {
    workspace.memory.view[element] = value;
    return runScope(workspace, false, (scope) => {
      const output = loss(variablesOver(scope, parameters, offset));
      checkScalar('checkGradients', theResult, output);
      return workspace.memory.view[output.offset]!;
    });
  };
  let error = 0;
  let worst = { path: '', index: 0, analytic: 0, numeric: 0 };
  let position = 0;
  for (const { path, tensor } of leaves(parameters)) {
    for (let index = 0; index < tensor.data.length; index++, position++) {
      const element = offset + position;
      const value = workspace.memory.view[element]!;
      const numeric = (lossAt(element, value + step) - lossAt(element, value - step)) / (2 * step);
      workspace.memory.view[element] = value;
      const analytic = analyticGradient[position]!;
      const difference = Math.abs(analytic - numeric) / Math.max(1, Math.abs(analytic), Math.abs(numeric));
      // The negated comparison makes NaN the largest error, which no later error replaces.
      if (!(difference <= error) && !Number.isNaN(error)) {
        error = difference;
        worst = { path, index, analytic, numeric };
      }
    }
  }
  return { error, worst, checked: size };
}
