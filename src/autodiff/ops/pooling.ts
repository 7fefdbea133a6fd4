/** The maximum and the mean over windows. */

import { moveWhereEqual, takeLarger } from '../../kernels/columns';
import { copy, fill } from '../../kernels/movement';
import { allocate } from '../../kernels/workspace';
import { filled, gradientOf, record, result, type Variable, withScratch } from '../tape';
import { convolve } from './convolution';
import { addToPhases, phasesOf, tapsOf, type WindowSizes } from './phases';
import { paddingOf, stepsAfter, type Window } from './windows';

/**
 * Computes the maximum over each window, `[T, B, I]` to `[T′, B, I]`; NaN if a value is. The padding does not count. If
 * several values are the maximum, the first one gets the gradient.
 *
 * @throws RangeError if no window fits
 */
export function maxPool(where: string, x: Variable, window: Window): Variable {
  const scope = x.storage.scope;
  const k = scope.kernels;
  const [T, B, I] = x.shape as [number, number, number];
  const steps = stepsAfter(where, window, T);
  const sizes: WindowSizes = { ...window, T, B, I, steps, before: paddingOf(window, T)[0] };
  const y = result([steps, B, I], [x]);
  const taps = tapsOf(sizes);
  k.of(fill)(y.offset, -Infinity, y.size);
  withScratch(scope, () => {
    const input = phasesOf(scope, sizes, x.offset, I);
    for (const { from, to, source } of taps)
      k.of(takeLarger)(y.offset + from * B * I, input + source + from * B * I, (to - from) * B * I);
  });
  record([y], () => {
    const dx = gradientOf(x);
    const dy = gradientOf(y);
    withScratch(scope, () => {
      const input = phasesOf(scope, sizes, x.offset, I);
      const rest = allocate(scope.workspace, y.size);
      k.of(copy)(rest, dy, y.size);
      addToPhases(scope, sizes, dx, I, (dphases) => {
        for (const { from, to, source } of taps) {
          const start = from * B * I;
          const tap = source + from * B * I;
          k.of(moveWhereEqual)(dphases + tap, rest + start, input + tap, y.offset + start, (to - from) * B * I);
        }
      });
    });
  });
  return y;
}

/**
 * Computes the mean over each window, `[T, B, I]` to `[T′, B, I]`; padding counts as zeros.
 *
 * @throws RangeError if no window fits
 */
export function averagePool(x: Variable, { k, ...window }: Window): Variable {
  const I = x.shape[2]!;
  const weight = filled(x.storage.scope, [k, 1, I], 1 / k);
  return convolve(x, { weight }, { ...window, groups: I });
}
