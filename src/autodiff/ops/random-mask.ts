/** Masks of random zeros. */

import { dropoutMask } from '../../kernels/random';
import { type Random, randomBits } from '../../tensor/random';
import type { Shape } from '../../tensor/shape';
import { result, type Scope, type Variable } from '../tape';

/** A constant that is 0 with probability `rate`, else `kept`. */
export function randomMask(scope: Scope, shape: Shape, rate: number, kept: number, random: Random): Variable {
  const mask = result(scope, shape, []);
  scope.kernels.of(dropoutMask)(mask.offset, rate, kept, randomBits(random), randomBits(random), mask.size);
  return mask;
}
