/** Element-wise functions that have no kernel: a differentiable operation from plain functions of numbers. */

import { broadcastTo } from '../../autodiff/ops/arithmetic';
import { currentScope, gradientOf, record, result, type Variable } from '../../autodiff/tape';
import { broadcastShapes } from '../../tensor/shape';
import { checkResultShape } from './run-limit';

/** A function of one or two numbers, with its partial derivatives. */
export interface Pointwise {
  readonly f: (a: number, b: number) => number;
  /** The partial derivative by each argument. */
  readonly partials: readonly ((a: number, b: number) => number)[];
}

/** Applies a function to the elements of one operand, or of two that are broadcast to each other. */
export function pointwise(where: string, { f, partials }: Pointwise, ...operands: readonly Variable[]): Variable {
  const shape = checkResultShape(operands.map((x) => x.shape).reduce((a, b) => broadcastShapes(where, a, b)));
  const inputs = operands.map((x) => broadcastTo(x, shape));
  const [a, b = a] = inputs.map(({ offset }) => offset) as [number, number?];
  const scope = currentScope(where);
  const output = result(shape, inputs);
  const values = scope.workspace.memory.view;
  for (let i = 0; i < output.size; i++) values[output.offset + i] = f(values[a + i]!, values[b + i]!);
  record([output], () => {
    const dy = gradientOf(output);
    const gradients = inputs.map(gradientOf);
    // The gradients may have been allocated just now, which can replace the view.
    const view = scope.workspace.memory.view;
    gradients.forEach((dx, k) => {
      for (let i = 0; i < output.size; i++) view[dx + i]! += view[dy + i]! * partials[k]!(view[a + i]!, view[b + i]!);
    });
  });
  return output;
}

/** The exponential linear unit: x if x ≥ 0, alpha (eˣ − 1) otherwise (Clevert et al., 2015). */
export const elu = (alpha: number): Pointwise => ({
  f: (x) => (x < 0 ? alpha * Math.expm1(x) : x),
  partials: [(x) => (x < 0 ? alpha * Math.exp(x) : 1)],
});

/** alpha x + beta */
export const affinely = (alpha: number, beta: number): Pointwise => ({
  f: (x) => alpha * x + beta,
  partials: [() => alpha],
});

/** x if x > alpha, 0 otherwise. */
export const thresholded = (alpha: number): Pointwise => ({
  f: (x) => (x > alpha ? x : 0),
  partials: [(x) => Number(x > alpha)],
});

/** x / (1 + |x|) */
export const softsign: Pointwise = {
  f: (x) => x / (1 + Math.abs(x)),
  partials: [(x) => 1 / (1 + Math.abs(x)) ** 2],
};

/** min(1, max(0, alpha x + beta)) */
export const hardSigmoid = (alpha: number, beta: number): Pointwise => ({
  f: (x) => Math.min(1, Math.max(0, alpha * x + beta)),
  partials: [(x) => (alpha * x + beta > 0 && alpha * x + beta < 1 ? alpha : 0)],
});

/** min(high, max(low, x)) */
export const clamp = (low: number, high: number): Pointwise => ({
  f: (x) => Math.min(high, Math.max(low, x)),
  partials: [(x) => Number(x >= low && x <= high)],
});

/** The larger number. The first one gets the gradient of equal ones. */
export const maximum: Pointwise = {
  f: Math.max,
  partials: [(a, b) => Number(a >= b), (a, b) => Number(a < b)],
};

/** The smaller number. The first one gets the gradient of equal ones. */
export const minimum: Pointwise = {
  f: Math.min,
  partials: [(a, b) => Number(a <= b), (a, b) => Number(a > b)],
};

/** aᵇ. Its derivative by b exists only for positive bases; for others it counts as 0. */
export const power: Pointwise = {
  f: (a, b) => a ** b,
  partials: [(a, b) => (b === 0 ? 0 : b * a ** (b - 1)), (a, b) => (a > 0 ? a ** b * Math.log(a) : 0)],
};

export const errorFunction: Pointwise = {
  f: erf,
  partials: [(x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x)],
};

/** x Φ(x), with the distribution function Φ of the standard normal distribution (Hendrycks and Gimpel, 2016). */
export const gelu: Pointwise = {
  f: (x) => x * normalCdf(x),
  partials: [(x) => normalCdf(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI)],
};

/** The approximation of GELU, x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))). */
export const geluTanh: Pointwise = {
  f: (x) => (x / 2) * (1 + tanhOfGelu(x)),
  partials: [
    (x) => {
      const t = tanhOfGelu(x);
      return (1 + t) / 2 + (x / 2) * (1 - t * t) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
    },
  ],
};

const tanhOfGelu = (x: number): number => Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));

const normalCdf = (x: number): number => (x < 0 ? complement(-x / Math.SQRT2) / 2 : (1 + erf(x / Math.SQRT2)) / 2);

/**
 * The error function 2/√π ∫₀ˣ exp(−t²) dt in double precision: its series (Abramowitz and Stegun, 1964, 7.1.6) for
 * |x| < 3, and 1 − erfc(x) beyond.
 */
function erf(x: number): number {
  if (!(Math.abs(x) < 3)) return x < 0 ? complement(-x) - 1 : 1 - complement(x);
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** erfc(x) for x ≥ 0: 1 − erf(x), or the continued fraction (7.1.14), which is accurate for large x. */
function complement(x: number): number {
  if (x < 2) return 1 - erf(x);
  let denominator = x;
  for (let n = 60; n > 0; n--) denominator = x + n / 2 / denominator;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / denominator;
}
