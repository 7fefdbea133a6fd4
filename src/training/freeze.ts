/** Parameters that training does not change. */

import { fill } from '../kernels/movement';
import { checkArray, checkString, outOfRange } from '../tensor/shape';
import { chain, checkOptimizer, createOptimizer, type Optimizer, type ParameterLeaf, partsOf } from './optimizers';

/**
 * Freezes parameters: the optimizer does not change a bit of them, and their gradients count in no norm. {@link fit}
 * and {@link truncatedBptt} do not compute these gradients. Penalties and clipping must be inside, in a {@link chain};
 * a transformation outside still applies to all parameters.
 *
 * @param names paths of parameters, such as `lstm.weightHh`, or of layers and other parts of the tree, such as `lstm`
 * @throws TypeError if `names` is not an array
 * @throws RangeError in an update, if a name is not in the parameters
 * @example
 * const parameters = { lstm: { weight: tensor([1]), bias: tensor([1]) }, dense: { weight: tensor([1]) } };
 * const gradient = { lstm: { weight: tensor([3]), bias: tensor([4]) }, dense: { weight: tensor([4]) } };
 * const optimizer = freeze(['lstm.weight', 'dense'], chain(clipByNorm(10), sgd(0.5)));
 * applyOptimizer(optimizer, initializeOptimizer(optimizer, 3), parameters, gradient).norm; // 4
 * parameters.lstm.weight.data; // Float32Array [1]
 * parameters.lstm.bias.data; // Float32Array [-1]
 */
export function freeze(names: readonly string[], optimizer: Optimizer): Optimizer {
  checkArray('freeze', 'names', names);
  names.forEach((name, i) => checkString('freeze', `names[${i}]`, name));
  checkOptimizer('freeze', 'optimizer', optimizer);
  const own = [...names];
  const isFrozen = (path: string): boolean =>
    own.some((name) => isAt(path, name)) || optimizer.isFrozen?.(path) === true;
  const mask: Optimizer = {
    name: 'freeze',
    slots: 0,
    update({ kernels, gradient, leaves }) {
      checkPaths(own, leaves);
      // −0 and not 0, because −0 + 0 is 0.
      for (const { path, offset, size } of leaves) if (isFrozen(path)) kernels.of(fill)(gradient + offset, -0, size);
    },
  };
  const masked = chain(mask, ...partsOf(optimizer).flatMap((part) => [part, mask]));
  return createOptimizer({ ...masked, isFrozen }, 'freeze', own, optimizer);
}

/** Whether a path is that of a part of the tree, or inside it. */
const isAt = (path: string, part: string): boolean => path === part || path.startsWith(`${part}.`);

/** @throws RangeError if a name is not in the parameters */
function checkPaths(names: readonly string[], leaves: readonly ParameterLeaf[]): void {
  const unknown = names.find((name) => !leaves.some(({ path }) => isAt(path, name)));
  if (unknown === undefined) return;
  // The parameters of the layer, if there is one of this name, or else the layers.
  const inLayer = leaves.map(({ path }) => path).filter((path) => isAt(path, unknown.split('.')[0]!));
  const known = inLayer.length > 0 ? inLayer : [...new Set(leaves.map(({ path }) => path.split('.')[0]!))];
  const listed = known.slice(0, 8).join(', ') + (known.length > 8 ? ', …' : '');
  throw outOfRange('freeze', 'names', `among the parameters (${listed})`, unknown);
}
