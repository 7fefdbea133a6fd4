/** Operators over the rows along one or more axes: reductions and softmax. */

import type { Heap } from '../../../kernels/kernel';
import { logSoftmaxRows, softmaxRows } from '../../../kernels/rows';
import { resolveAxis, sizeOf, stridesOf } from '../../../tensor/shape';
import { consumeAttribute, consumeFlag } from '../node-reader';
import { spend } from '../run-limit';
import { axesOf } from './movement';
import { contiguous, newView, offsetOf } from './plan';
import { floats, type PlanOperator } from './planner';
import { constant, elementsOf, isConstant, permuted } from './view';

/** A reduction of the n elements at an offset. */
type Reduce = (m: ArrayLike<number>, offset: number, n: number) => number;

const sum: Reduce = (m, offset, n) => {
  let total = 0;
  for (let i = offset; i < offset + n; i++) total += m[i]!;
  return total;
};

const mean: Reduce = (m, offset, n) => sum(m, offset, n) / n;

const max: Reduce = (m, offset, n) => {
  let largest = -Infinity;
  for (let i = offset; i < offset + n; i++) largest = Math.max(largest, m[i]!);
  return largest;
};

const min: Reduce = (m, offset, n) => {
  let smallest = Infinity;
  for (let i = offset; i < offset + n; i++) smallest = Math.min(smallest, m[i]!);
  return smallest;
};

const reduction =
  (reduce: Reduce): PlanOperator =>
  (node) => {
    const plan = node.plan;
    const x = floats(node, 0);
    const given = axesOf(node) ?? [];
    const keepsAxes = consumeFlag(node, 'keepdims', true);
    if (consumeFlag(node, 'noop_with_empty_axes') && given.length === 0) return [x];
    const all = [...x.shape.keys()];
    const axes = new Set(given.length === 0 ? all : given.map((axis) => resolveAxis('axes', axis, all.length)));
    const kept = all.filter((axis) => !axes.has(axis));
    const reduced = all.filter((axis) => axes.has(axis));
    const rows = contiguous(plan, permuted(x, [...kept, ...reduced]));
    const lengths = kept.map((axis) => x.shape[axis]!);
    const shape = keepsAxes ? x.shape.map((length, axis) => (axes.has(axis) ? 1 : length)) : lengths;
    const count = sizeOf(lengths);
    const n = sizeOf(reduced.map((axis) => x.shape[axis]!));
    const reduceAll = (y: Heap, to: number, m: ArrayLike<number>, from: number): void => {
      for (let r = 0; r < count; r++) y[to + r] = reduce(m, from + r * n, n);
    };
    spend(1, sizeOf(x.shape), count);
    if (isConstant(rows)) {
      const data = new Float32Array(count);
      reduceAll(data, 0, elementsOf(rows), 0);
      return [constant(shape, data)];
    }
    const y = newView(plan, shape);
    const memory = plan.memory;
    plan.steps.push(() => reduceAll(memory.view, y.offset, memory.view, rows.offset));
    return [y];
  };

/** Before opset 13, the axes from `axis` on form one row; since then, a row is along one axis. */
const alongAxis =
  (kernel: typeof softmaxRows): PlanOperator =>
  (node) => {
    const { plan, opset } = node;
    const x = floats(node, 0);
    const rank = x.shape.length;
    const axis = resolveAxis('axis', consumeAttribute(node, 'axis', 'int') ?? (opset < 13 ? 1 : -1), rank);
    const last = opset < 13 ? axis : rank - 1;
    const order = [...x.shape.keys()].filter((i) => opset < 13 || i !== axis);
    const rows = contiguous(plan, opset < 13 ? x : permuted(x, [...order, axis]));
    const n = sizeOf(rows.shape.slice(last));
    const count = sizeOf(rows.shape.slice(0, last));
    const y = newView(plan, rows.shape, stridesOf(rows.shape));
    const from = offsetOf(plan, rows);
    const run = plan.kernels.of(kernel);
    plan.steps.push(() => run(y.offset, from, count, n));
    if (opset < 13) return [y];
    const back = [...order, axis];
    return [
      permuted(
        y,
        x.shape.map((_, i) => back.indexOf(i)),
      ),
    ];
  };

/** The reductions by name. */
export const reductionOperators = (): Readonly<Record<string, PlanOperator>> => ({
  ReduceSum: reduction(sum),
  ReduceMean: reduction(mean),
  ReduceMax: reduction(max),
  ReduceMin: reduction(min),
  Softmax: alongAxis(softmaxRows),
  LogSoftmax: alongAxis(logSoftmaxRows),
});
