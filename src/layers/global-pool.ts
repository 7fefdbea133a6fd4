/** Pooling over all steps. */

import { add, multiply } from '../autodiff/ops/arithmetic';
import { maxPool } from '../autodiff/ops/pooling';
import { sum } from '../autodiff/ops/reductions';
import { constantOf, filled, type Variable, viewOf } from '../autodiff/tape';
import { validRows } from '../recurrence/packing';
import { onValidSteps, placeValid, rowsAt, takeValid } from '../recurrence/valid-steps';
import { checkNoResets, type Layer, stepSize, vectors } from './layer';

/**
 * Creates a layer that takes the maximum of each feature over the valid steps of a sequence: `[T, B, I]` to `[B, I]`;
 * zeros for a sequence without steps.
 *
 * @throws RangeError in a model, if its input is not one vector per step; when it runs, if there are resets
 * @example
 * const model = sequential([globalMaxPool()], { inputSize: 1 });
 * predict(model, tensor([1, 7, 4], [3, 1, 1])).data; // Float32Array [7]
 */
export function globalMaxPool(): Layer {
  return globalPool('globalMaxPool', (x, lengths) => {
    const [T, B, I] = x.shape as [number, number, number];
    const scope = x.storage.scope;
    const largest = (steps: Variable): Variable =>
      viewOf(maxPool('globalMaxPool', steps, { k: T, stride: 1, dilation: 1, padding: 'valid' }), [B, I]);
    const valid = validRows('globalMaxPool', T, B, lengths);
    if (T === 0) return filled(scope, [B, I], 0);
    if (valid === undefined) return largest(x);
    const padding = Array.from(valid.positions, (position) => (position < 0 ? -Infinity : 0));
    const steps = placeValid(takeValid(x, valid), valid);
    const rows = largest(add(steps, constantOf(scope, [T, B, 1], padding)));
    return rowsAt(
      rows,
      lengths!.map((length, b) => (length > 0 ? b : -1)),
    );
  });
}

/**
 * Creates a layer that averages each feature over the valid steps of a sequence: `[T, B, I]` to `[B, I]`; zeros for a
 * sequence without steps.
 *
 * @throws as {@link globalMaxPool}
 * @example
 * const model = sequential([globalAveragePool()], { inputSize: 1 });
 * predict(model, tensor([1, 7, 4], [3, 1, 1])).data; // Float32Array [4]
 */
export function globalAveragePool(): Layer {
  return globalPool('globalAveragePool', (x, lengths) => {
    const [T, B] = x.shape as [number, number, number];
    const total = sum(
      onValidSteps('globalAveragePool', x, lengths, (rows) => rows),
      0,
    );
    const counts = lengths ?? new Int32Array(B).fill(T);
    const factors = Array.from(counts, (count) => 1 / Math.max(1, count));
    return multiply(total, constantOf(x.storage.scope, [B, 1], factors));
  });
}

const globalPool = (name: string, apply: (x: Variable, lengths: Int32Array | undefined) => Variable): Layer => ({
  name,
  origin: [name],
  causal: false,
  output: (input) => ({ kind: 'vectors', size: stepSize(name, input), perStep: false }),
  run: (_, input, context) => {
    checkNoResets(name, context);
    return { output: apply(vectors(name, input), context.lengths) };
  },
});
