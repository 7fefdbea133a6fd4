/** The pair of a pointwise cell as an operation, for cells made of ops. */

import {
  currentScope,
  gradientOf,
  type Operand,
  operand,
  record,
  result,
  type Variable,
  withScratch,
} from '../autodiff/tape';
import { addScaled } from '../kernels/arithmetic';
import { copy, fill } from '../kernels/movement';
import { allocate } from '../kernels/workspace';
import { checkShape } from '../tensor/shape';
import type { PointwiseBackwardStep, PointwiseCell, State } from './cell';

/**
 * The state after one step, from the pre-activations of the gates: what a pointwise cell does behind its products, in one pass.
 *
 * @param cell a pointwise cell that is not `separate`, such as `lstm()` or `simpleRnn()`
 * @param gates `[B, G·H]`
 * @param state the state before, each `[B, H]`; zeros for what is not given, and not read where the pair does not
 * @param parameters the vectors that the cell names
 * @throws TypeError where the cell is `separate`, RangeError where a shape does not fit
 * @example
 * compute({ gates: full([3, 8], 1), c: full([3, 2], 0) }, ({ gates, c }) => applyPointwise(lstm(), gates, { c }).h).shape; // [3, 2]
 */
export function applyPointwise<N extends string>(
  cell: PointwiseCell<N>,
  gates: Operand,
  state: Partial<State<N, Operand>>,
  parameters: Readonly<Record<string, Operand>> = {},
): State<N> {
  if (cell.separateProducts) throw new TypeError(`applyPointwise: the cell ${cell.name} wants its two products apart.`);
  const scope = currentScope('applyPointwise');
  const { kernels: k, workspace } = scope;
  const input = operand('applyPointwise', gates, 'gates');
  checkShape('applyPointwise', 'gates', input.shape, { letters: '[B, G·H]', lengths: [undefined, undefined] });
  const [rows, width] = input.shape as [number, number];
  const hiddenSize = width / cell.gates;
  const size = rows * hiddenSize;
  checkShape('applyPointwise', 'gates', input.shape, {
    letters: `[B, ${cell.gates}·H]`,
    lengths: [rows, Math.floor(hiddenSize) * cell.gates],
  });
  const previous = Object.fromEntries(
    cell.state.map((name) => {
      const given: Operand | undefined = state[name];
      const variable =
        given === undefined ? result(scope, [rows, hiddenSize], []) : operand('applyPointwise', given, `state.${name}`);
      checkShape('applyPointwise', `state.${name}`, variable.shape, { letters: '[B, H]', lengths: [rows, hiddenSize] });
      if (given === undefined) k.of(fill)(variable.offset, 0, size);
      return [name, variable];
    }),
  ) as Record<N, Variable>;
  const vectors = Object.fromEntries(
    cell.vectorParameters.map((name) => [name, operand('applyPointwise', parameters[name]!, name)]),
  );
  const sources = [input, ...Object.values<Variable>(previous), ...Object.values(vectors)];
  const next = Object.fromEntries(
    cell.state.map((name) => [name, result(scope, [rows, hiddenSize], sources)]),
  ) as Record<N, Variable>;

  const offsets = (of: Readonly<Record<string, Variable>>): never =>
    Object.fromEntries(Object.entries(of).map(([name, { offset }]) => [name, offset])) as never;
  const own = allocate(workspace, rows * width);
  k.of(copy)(own, input.offset, rows * width);
  const step: PointwiseBackwardStep<N> = {
    rows,
    hiddenSize,
    gates: own,
    product: own,
    saved: allocate(workspace, cell.savedBlocks * size),
    previous: offsets(previous),
    next: offsets(next),
    vectors: offsets(vectors),
    dProduct: own,
    dNext: offsets(next),
    dPrevious: offsets(previous),
    dVectors: {},
  };
  cell.forward(k, step);

  record(Object.values(next), () => {
    const places = (of: Readonly<Record<string, Variable>>, unasked: number): never =>
      Object.fromEntries(
        Object.entries(of).map(([name, each]) => [name, each.storage.tracked ? gradientOf(each) : unasked]),
      ) as never;
    for (const each of [...Object.values<Variable>(next), ...sources]) if (each.storage.tracked) gradientOf(each);
    // The gradient of a constant is written where it does no harm.
    withScratch(scope, Math.max(size, ...Object.values(vectors).map((vector) => vector.size)), (unasked) => {
      cell.backward(k, {
        ...step,
        dNext: places(next, unasked),
        dPrevious: places(previous, unasked),
        dVectors: places(vectors, unasked),
      });
    });
    if (input.storage.tracked) k.of(addScaled)(gradientOf(input), own, 1, rows * width);
  });
  return next as State<N>;
}
