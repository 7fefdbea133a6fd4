/** Gemm and MatMul. Constant matrices are packed once. */

import { addition } from '../../../kernels/arithmetic';
import { affinePacked, gemm } from '../../../kernels/product';
import { lastOf } from '../../../tensor/arrays';
import { formatShape, sizeOf, stridesOf } from '../../../tensor/shape';
import { consumeAttribute, consumeFlag } from '../node-reader';
import { spend } from '../run-limit';
import { paired } from './elementwise';
import { contiguous, newView, offsetOf, type Plan, place, placePanels } from './plan';
import { floats, type PlanOperator } from './planner';
import { constant, elementsOf, expanded, isConstant, permuted, type View } from './view';

/** a [M, K] · b [K, N] + bias [N] */
function product(plan: Plan, a: View, b: View, bias: Float32Array | undefined): View {
  const [[M, K], [rows, N]] = [a.shape, b.shape] as [readonly [number, number], readonly [number, number]];
  if (K !== rows) throw new RangeError(`cannot multiply ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
  const y = newView(plan, [M, N]);
  spend(1, sizeOf(a.shape), M * N);
  const left = offsetOf(plan, a);
  if (isConstant(b)) {
    const [panels, start] = [
      placePanels(plan, elementsOf(b) as Float32Array, K),
      place(plan, bias ?? new Float32Array(N)),
    ];
    const multiply = plan.kernels.of(affinePacked);
    plan.steps.push(() => multiply(y.offset, left, panels, start, M, N, K));
    return y;
  }
  const right = offsetOf(plan, b);
  const multiply = plan.kernels.of(gemm);
  plan.steps.push(() => multiply(y.offset, left, right, M, N, K, false, false, false));
  return bias === undefined ? y : paired(plan, y, constant([N], bias), (x, z) => x + z, addition);
}

/** alpha · A' · B' + beta · C */
export const gemmOperator: PlanOperator = (node) => {
  const plan = node.plan;
  const scaleOf = (name: string): number => consumeAttribute(node, name, 'float') ?? 1;
  const alpha = scaleOf('alpha');
  const beta = scaleOf('beta');
  const operand = (i: number, name: string): View => {
    const x = floats(node, i);
    if (x.shape.length !== 2) throw new RangeError(`input ${i} must be a matrix, got ${formatShape(x.shape)}`);
    return consumeFlag(node, name) ? permuted(x, [1, 0]) : x;
  };
  const a = operand(0, 'transA');
  const b = operand(1, 'transB');
  const factor = constant([], Float32Array.of(alpha));
  const scaled = alpha === 1 ? b : paired(plan, b, factor, (x, z) => x * z);
  const c = node.inputs[2] && floats(node, 2);
  if (c === undefined) return [product(plan, a, scaled, undefined)];
  const N = b.shape[1]!;
  const addend = beta === 1 ? c : paired(plan, c, constant([], Float32Array.of(beta)), (x, z) => x * z);
  if (isConstant(addend) && sizeOf(c.shape.slice(0, -1)) === 1 && [1, N].includes(lastOf(c.shape) ?? 1)) {
    const row = { ...addend, shape: [lastOf(c.shape) ?? 1], strides: [lastOf(addend.strides) ?? 0] };
    return [product(plan, a, scaled, elementsOf(expanded(row, [N])) as Float32Array)];
  }
  return [paired(plan, product(plan, a, scaled, undefined), addend, (x, z) => x + z, addition)];
};

/** A product of matrices; the leading axes of the first one are rows. */
export const matmulOperator: PlanOperator = (node) => {
  const plan = node.plan;
  const a = floats(node, 0);
  const b = floats(node, 1);
  if (b.shape.length !== 2 || a.shape.length < 2)
    throw new RangeError(
      `products of ${formatShape(a.shape)} and ${formatShape(b.shape)} are not supported; the second must be a matrix`,
    );
  const leading = a.shape.slice(0, -1);
  const K = lastOf(a.shape)!;
  const rows = contiguous(plan, a);
  const y = product(plan, { ...rows, shape: [sizeOf(leading), K], strides: [K, 1] }, b, undefined);
  const shape = [...leading, b.shape[1]!];
  return [{ ...y, shape, strides: stridesOf(shape) }];
};
