/** The functions of a pointwise cell as an op, for cells that are functions of ops. */

import {
  gradientIfTracked,
  gradientOf,
  type Operand,
  operand,
  record,
  result,
  type Variable,
  withScratch,
} from '../autodiff/tape';
import { addScaled } from '../kernels/arithmetic';
import { copy } from '../kernels/movement';
import { allocate } from '../kernels/workspace';
import { byName, mapValues } from '../tensor/named-values';
import { checkKind, checkObject, checkShape } from '../tensor/shape';
import { type PointwiseCell, type PointwiseStep, type State, stateSizes } from './cell';
import { completeState } from './unroll';

/**
 * Computes the next state from the pre-activations of the gates: the step of a pointwise cell after its matrix
 * products, as one op.
 *
 * @param cell a pointwise cell without `separateProducts`, such as `lstm()` or `simpleRnn()`
 * @param gates `[B, G·H]` the pre-activations
 * @param state `[B, H]` each: the previous state. Zeros for parts that are not given.
 * @param parameters the cell's `vectorParameters`, by name
 * @returns the next state, `[B, H]` each
 * @throws TypeError if the cell has `separateProducts`; RangeError if a shape does not match
 * @example
 * const values = { gates: full([3, 8], 1), c: full([3, 2], 0) };
 * compute(values, ({ gates, c }) => applyPointwise(lstm(), gates, { c }).h).shape; // [3, 2]
 */
export function applyPointwise<N extends string>(
  cell: PointwiseCell<N>,
  gates: Operand,
  state: Partial<State<N, Operand>>,
  parameters: Readonly<Record<string, Operand>> = {},
): State<N> {
  checkKind('applyPointwise', 'cell', cell, 'a pointwise cell, such as lstm()', 'forward');
  checkObject('applyPointwise', 'parameters', parameters);
  if (cell.separateProducts)
    throw new TypeError(`applyPointwise: the cell must not have separateProducts, got ${cell.name}.`);
  const input = operand('applyPointwise', gates, 'gates');
  const scope = input.storage.scope;
  const { kernels: k, workspace } = scope;
  checkShape('applyPointwise', 'gates', input.shape, '[B, G·H]', [undefined, undefined]);
  const [rows, width] = input.shape as [number, number];
  const hiddenSize = width / cell.gates;
  const size = rows * hiddenSize;
  checkShape('applyPointwise', 'gates', input.shape, `[B, ${cell.gates}·H]`, [
    rows,
    Math.floor(hiddenSize) * cell.gates,
  ]);
  const previous = completeState('applyPointwise', 'state', state, stateSizes(cell, hiddenSize), rows);
  const vectors = byName(cell.vectorParameters, (name) => operand('applyPointwise', parameters[name]!, name));
  const sources = [input, ...Object.values<Variable>(previous), ...Object.values(vectors)];
  const next = byName(cell.state, () => result([rows, hiddenSize], sources));

  // The backward function overwrites the gates, which must leave the input unchanged.
  const buffer = allocate(workspace, rows * width);
  k.of(copy)(buffer, input.offset, rows * width);
  const offsetOf = ({ offset }: Variable): number => offset;
  const step: PointwiseStep<N> = {
    rows,
    hiddenSize,
    gates: buffer,
    product: buffer,
    saved: allocate(workspace, cell.savedBlocks * size),
    previous: mapValues(previous, offsetOf),
    next: mapValues(next, offsetOf),
    vectors: mapValues(vectors, offsetOf),
  };
  cell.forward(k, step);

  record(Object.values(next), () => {
    // Gradients outlive the scratch memory, so they are allocated before it.
    [...Object.values<Variable>(next), ...sources].forEach(gradientIfTracked);
    // The gradients of constants are written to scratch memory and discarded.
    withScratch(scope, () => {
      const discarded = allocate(workspace, Math.max(size, ...Object.values(vectors).map((vector) => vector.size)));
      const gradient = (variable: Variable): number => gradientIfTracked(variable) ?? discarded;
      cell.backward(k, {
        ...step,
        dProduct: buffer,
        dNext: mapValues(next, gradient),
        dPrevious: mapValues(previous, gradient),
        dVectors: mapValues(vectors, gradient),
      });
    });
    if (input.storage.tracked) k.of(addScaled)(gradientOf(input), buffer, 1, rows * width);
  });
  return next;
}
