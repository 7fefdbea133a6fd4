/** Ratios of gamma functions, differentiable. */

import { add, divide, log, multiply, type Operand, scale, subtract, type Variable } from '../index';

/** The shift of the argument, after which the series of Stirling is exact to float32. */
const shift = 4;

/**
 * log Γ(r + k) − log Γ(r) for r > 0 and k ≥ 0. Computed from differences of the terms of Stirling's series, which do
 * not cancel if both are large: for y = r + 4, they are (y − ½) log(1 + k/y) + k log(y + k) − k, and the rest of the
 * series, minus Σ log((r + k + i) / (r + i)) for i below 4. The rounding error in single precision is about 10⁻⁷ of
 * k log k: up to 0.01 for k = 10⁴ and 0.2 for k = 10⁵. The gradient with respect to r has small terms only, and an
 * error of 10⁻⁶.
 */
export function logGammaRatio(k: Operand, r: Variable): Variable {
  const y = add(r, shift);
  const upper = add(y, k);
  let result = add(multiply(subtract(y, 0.5), log(divide(upper, y))), subtract(multiply(log(upper), k), k));
  result = add(result, subtract(remainder(upper), remainder(y)));
  for (let i = 0; i < shift; i++) {
    const low = add(r, i);
    result = subtract(result, log(divide(add(low, k), low)));
  }
  return result;
}

/** The rest of Stirling's series, 1/12y − 1/360y³ + 1/1260y⁵. */
function remainder(y: Variable): Variable {
  const inverse = divide(1, y);
  const square = multiply(inverse, inverse);
  const inner = subtract(scale(square, 1 / 1260), 1 / 360);
  return multiply(inverse, add(multiply(square, inner), 1 / 12));
}
