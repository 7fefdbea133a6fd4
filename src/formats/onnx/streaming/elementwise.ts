/** Element-wise operators: kernels for floats, and plain functions of numbers for constants and for the others. */

import { addition, division, multiplication, subtraction } from '../../../kernels/arithmetic';
import {
  absolute,
  exponential,
  hyperbolicTangent,
  logarithm,
  logistic,
  rectify,
  sigmoidal,
  softplusOf,
  softplusValue,
  squareRoot,
} from '../../../kernels/elementwise';
import type { Kernels } from '../../../kernels/kernel';
import { isArrayOf } from '../../../tensor/arrays';
import { broadcastShapes, type Shape, sizeOf } from '../../../tensor/shape';
import { consumeAttribute, labelOf } from '../node-reader';
import { clamp, elu, hardSigmoid, type Pointwise } from '../pointwise';
import { checkResultShape } from '../run-limit';
import { compact, newView, offsetOf, type Plan } from './plan';
import { floats, type PlannedNode, type PlanOperator, required } from './planner';
import {
  type Constant,
  compactStrides,
  constant,
  elementsOf,
  expanded,
  integers,
  isConstant,
  undecided,
  type View,
} from './view';

type Map = (x: number) => number;
type UnaryKernel = (k: Kernels) => (y: number, x: number, n: number) => void;

/** Applies a function to all elements; with a kernel, if it has one. */
function mapped(plan: Plan, x: View, f: Map, kernel?: UnaryKernel): View {
  if (isConstant(x)) return computed(x.shape, elementsOf(x), f);
  const source = compact(plan, x);
  const y = newView(plan, x.shape, source.strides);
  const n = sizeOf(x.shape);
  const to = y.offset;
  const from = source.offset;
  const memory = plan.memory;
  if (kernel !== undefined) {
    const run = kernel(plan.kernels);
    plan.steps.push(() => run(to, from, n));
  } else
    plan.steps.push(() => {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[to + i] = f(m[from + i]!);
    });
  return y;
}

/** The constant of the results of a function; those of integers are clamped to 32 bits. */
const computed = (
  shape: Shape,
  elements: Float32Array | Int32Array,
  f: (element: number, i: number) => number,
): Constant =>
  isArrayOf('Int32Array', elements) ? integers(shape, Array.from(elements, f)) : constant(shape, elements.map(f));

const unary =
  (prepare: (node: PlannedNode) => readonly [f: Map, kernel?: UnaryKernel]): PlanOperator =>
  (node) => {
    const [f, kernel] = prepare(node);
    return [mapped(node.plan, floats(node, 0), f, kernel)];
  };

const number = (node: PlannedNode, name: string, fallback: number): number =>
  consumeAttribute(node, name, 'float') ?? fallback;

/** A function of one number without a kernel. */
const single =
  ({ f }: Pointwise): Map =>
  (x) =>
    f(x, 0);

const rectified = (slope: number): readonly [Map, UnaryKernel] => [
  (x) => (x > 0 ? x : slope * x),
  (k) => {
    const run = k.of(rectify);
    return (y, x, n) => run(y, x, slope, n);
  },
];

type Pair = (a: number, b: number) => number;
type BinaryKernel = typeof addition;

/** Applies a function to pairs of elements, after broadcasting a and b to each other. */
export function paired(plan: Plan, a: View, b: View, f: Pair, kernel?: BinaryKernel): View {
  if (a.kind !== b.kind) throw new RangeError('the inputs must be of one type, got floats and integers');
  const shape = checkResultShape(broadcastShapes('inputs', a.shape, b.shape));
  if (isConstant(a) && isConstant(b)) return pairedConstants(shape, a, b, f);
  if (a.kind === 'int') throw new RangeError('arithmetic on integers that depend on the inputs is not supported');
  const x = expanded(a, shape);
  const z = expanded(b, shape);
  // The layout of the first operand that is not repeated, so that the output of a convolution is not transposed.
  const strides = compactStrides([x, z].find((operand) => !isConstant(operand) && !isRepeated(operand)) ?? x);
  const y = newView(plan, shape, strides);
  const to = y.offset;
  const left = offsetOf(plan, x, strides);
  const right = offsetOf(plan, z, strides);
  const n = sizeOf(shape);
  const memory = plan.memory;
  if (kernel !== undefined) {
    const run = plan.kernels.of(kernel);
    plan.steps.push(() => run(to, left, right, n));
  } else
    plan.steps.push(() => {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[to + i] = f(m[left + i]!, m[right + i]!);
    });
  return y;
}

const isRepeated = ({ shape, strides }: View): boolean => strides.some((stride, i) => stride === 0 && shape[i] !== 1);

function pairedConstants(shape: Shape, a: Constant, b: Constant, f: Pair): Constant {
  const [x, z] = [a, b].map((operand) => elementsOf(expanded(operand, shape))) as [
    Float32Array | Int32Array,
    Float32Array | Int32Array,
  ];
  return computed(shape, x, (value, i) => f(value, z[i]!));
}

/** Integers are always constants, and the integer array of the results truncates their quotients. */
const binary =
  (f: Pair, kernel?: BinaryKernel): PlanOperator =>
  (node) => [paired(node.plan, required(node, 0), required(node, 1), f, kernel)];

/** The larger or smaller of all inputs, which are broadcast to each other. */
const extremum =
  (f: Pair): PlanOperator =>
  (node) => {
    const values = node.inputs.map((_, i) => required(node, i));
    return [values.slice(1).reduce((a, b) => paired(node.plan, a, b, f), required(node, 0))];
  };

/** A comparison: a constant, or integers that depend on the inputs of a step. */
const comparison =
  (holds: (a: number, b: number) => boolean): PlanOperator =>
  (node) => {
    const a = required(node, 0);
    const b = required(node, 1);
    const shape = broadcastShapes('inputs', a.shape, b.shape);
    if (!isConstant(a) || !isConstant(b)) return [undecided(shape, a.dependsOn ?? b.dependsOn ?? labelOf(node.node))];
    const { data, ...view } = pairedConstants(shape, a, b, (x, y) => Number(holds(x, y)));
    return [{ ...view, kind: 'int', data: Int32Array.from(data) }];
  };

const not: PlanOperator = (node) => {
  const x = required(node, 0);
  return [isConstant(x) ? mapped(node.plan, x, (value) => Number(value === 0)) : x];
};

/**
 * A power with a constant exponent: a product for 2 and a square root for 0.5. The exponent may be of another type than
 * the base.
 */
const pow: PlanOperator = (node) => {
  const plan = node.plan;
  const base = required(node, 0);
  const exponent = required(node, 1);
  const power = (a: number, b: number): number => a ** b;
  if (!isConstant(exponent)) return [paired(plan, base, exponent, power)];
  const shape = broadcastShapes('inputs', base.shape, exponent.shape);
  if (isConstant(base)) return [pairedConstants(checkResultShape(shape), base, exponent, power)];
  const exponents = elementsOf(exponent);
  const [value] = exponents;
  if (value === undefined || exponents.some((other) => other !== value))
    return [paired(plan, base, constant(exponent.shape, Float32Array.from(exponents)), power)];
  const x = compact(plan, expanded(base, shape));
  if (value === 2) return [paired(plan, x, x, power, multiplication)];
  return [mapped(plan, x, (a) => a ** value, value === 0.5 ? (k) => k.of(squareRoot) : undefined)];
};

/** min(max, max(min, x)). The bounds are attributes before opset 11, inputs since. */
const clip: PlanOperator = (node) => {
  const x = required(node, 0);
  if (node.opset < 11) {
    const bounds = clamp(number(node, 'min', -Infinity), number(node, 'max', Infinity));
    return [mapped(node.plan, x, single(bounds))];
  }
  const low = node.inputs[1];
  const high = node.inputs[2];
  const raised = low === undefined ? x : paired(node.plan, x, low, Math.max);
  return [high === undefined ? raised : paired(node.plan, raised, high, Math.min)];
};

/** The element-wise operators by name. */
export const elementwiseOperators = (): Readonly<Record<string, PlanOperator>> => ({
  Add: binary((a, b) => a + b, addition),
  Sub: binary((a, b) => a - b, subtraction),
  Mul: binary((a, b) => a * b, multiplication),
  Div: binary((a, b) => a / b, division),
  Max: extremum(Math.max),
  Min: extremum(Math.min),
  Pow: pow,
  Clip: clip,
  Abs: unary(() => [Math.abs, (k) => k.of(absolute)]),
  Exp: unary(() => [Math.exp, (k) => k.of(exponential)]),
  Log: unary(() => [Math.log, (k) => k.of(logarithm)]),
  Neg: (node) => [mapped(node.plan, required(node, 0), (x) => -x)],
  Reciprocal: unary(() => [(x) => 1 / x]),
  Sqrt: unary(() => [Math.sqrt, (k) => k.of(squareRoot)]),
  Sigmoid: unary(() => [logistic, (k) => k.of(sigmoidal)]),
  Tanh: unary(() => [Math.tanh, (k) => k.of(hyperbolicTangent)]),
  Softplus: unary(() => [softplusValue, (k) => k.of(softplusOf)]),
  Relu: unary(() => rectified(0)),
  LeakyRelu: unary((node) => rectified(number(node, 'alpha', 0.01))),
  Elu: unary((node) => [single(elu(number(node, 'alpha', 1)))]),
  HardSigmoid: unary((node) => [single(hardSigmoid(number(node, 'alpha', 0.2), number(node, 'beta', 0.5)))]),
  Equal: comparison((a, b) => a === b),
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  And: comparison((a, b) => a !== 0 && b !== 0),
  Or: comparison((a, b) => a !== 0 || b !== 0),
  Not: not,
});
