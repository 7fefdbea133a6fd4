/** Random masks for dropout and zoneout. */

import { dropoutMask } from '../../kernels/random';
import { type Random, randomBits } from '../../tensor/random';
import type { Shape } from '../../tensor/shape';
import { result, type Scope, type Variable } from '../tape';
import { multiply } from './arithmetic';

/** Creates a constant whose elements are 0 with probability `rate`, and `scale` otherwise. */
export function randomMask(scope: Scope, shape: Shape, rate: number, scale: number, random: Random): Variable {
  const mask = result(shape, [], scope);
  scope.kernels.of(dropoutMask)(mask.offset, rate, scale, randomBits(random), randomBits(random), mask.size);
  return mask;
}

/** Sets elements to zero with probability `rate` and scales the others by 1 / (1 − rate). */
export function dropElements(x: Variable, rate: number, random: Random): Variable {
  return multiply(x, randomMask(x.storage.scope, x.shape, rate, 1 / (1 - rate), random));
}
