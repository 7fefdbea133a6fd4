/** Mathematical functions of four floats at a time, as assembler expressions. */

import {
  fromWholes,
  fusedMultiplyAdd,
  type Local,
  tee,
  type Vector,
  vAbs,
  vAdd,
  vAnd,
  vDivide,
  vEqual,
  vLess,
  vMax,
  vMin,
  vMultiply,
  vNegate,
  vSelect,
  vSquareRoot,
  vSubtract,
  vZero,
  type Writer,
  wholeAdd,
  wholeShiftLeft,
  wholeShiftRight,
  wholeSubtract,
} from './assembler';

/** a · b + c, with one rounding if the engine supports it. */
export function multiplyAdd(w: Writer, a: Vector, b: Vector, c: Vector): Vector {
  return w.fused ? fusedMultiplyAdd(a, b, c) : vAdd(vMultiply(a, b), c);
}

/** The values of x limited to [low, high]; NaN stays NaN. */
export function limit(w: Writer, x: Vector, high: number, low: number = -high): Vector {
  return vMax(vMin(x, w.constant(high)), w.constant(low));
}

/**
 * The polynomial of x with these coefficients, highest power first, each the shortest decimal of its float. `first` is
 * an expression that sets x.
 */
function polynomial(w: Writer, x: Local<'v128'>, coefficients: readonly number[], first: Vector): Vector {
  const [highest, ...others] = coefficients.map((value) => w.constant(value));
  return others.reduce<Vector>((sum, next, i) => multiplyAdd(w, sum, i === 0 ? first : x, next), highest!);
}

/** A number of this size is rounded to an integer, which is in the lowest bits of its representation: 1.5 · 2²³. */
const magic = 12_582_912;

/**
 * y − n · ln 2, where `n` holds n + {@link magic} and is set to n. ln 2 is in two parts, so that the product of n and
 * the first one is exact.
 */
const remainder = (w: Writer, n: Local<'v128'>, y: Vector): Vector =>
  multiplyAdd(
    w,
    tee(n, vSubtract(n, w.constant(magic))),
    w.constant(2.1219444e-4),
    multiplyAdd(w, n, w.constant(-0.693359375), y),
  );

/**
 * unit · e^y + c for a power of two, as s · p + (s + c) with s = unit · 2ⁿ, n = y / ln 2 rounded, and a polynomial
 * p ≈ e^r − 1 of degree 6 with the least relative error, 1.3e-8, for r = y − n · ln 2, |r| ≤ ½ ln 2. For c = −unit and
 * small |y|, n is 0 and the result is as exact as p. The unit may depend on `n`, which holds n + {@link magic}.
 */
function exponentialPlus(w: Writer, n: Local<'v128'>, value: Vector, unit: Vector, c: Vector): Vector {
  const [y, r, power] = w.vectors;
  // The order of the expressions is that in which they set locals. n is added to the exponent of the unit.
  const rounded = tee(n, multiplyAdd(w, tee(y, value), w.constant(Math.LOG2E), w.constant(magic)));
  const scale = tee(power, wholeAdd(wholeShiftLeft(rounded, 23), unit));
  const series = polynomial(
    w,
    r,
    [1.3882517e-3, 8.3665475e-3, 4.16672e-2, 1.6666543e-1, 4.9999997e-1],
    tee(r, remainder(w, n, y)),
  );
  return multiplyAdd(w, scale, multiplyAdd(w, series, vMultiply(r, r), r), vAdd(power, c));
}

/** tanh x = q / (q + 2) with q = e^2x − 1. From |x| = 10 on it is ±1. */
export function tanh(w: Writer, x: Vector): Vector {
  const [input, q, n] = w.vectors;
  const doubled = limit(w, vAdd(tee(input, x), input), 20);
  return vDivide(tee(q, exponentialPlus(w, n, doubled, w.constant(1), w.constant(-1))), vAdd(q, w.constant(2)));
}

/** The logistic function as unit / (unit · e⁻ˣ + unit). The unit keeps e⁻ˣ in range where the result is subnormal. */
export function logistic(w: Writer, x: Vector): Vector {
  const [n] = w.vectors;
  const unit = w.constant(2 ** -24);
  return vDivide(unit, exponentialPlus(w, n, limit(w, vNegate(x), 104, -70), unit, unit));
}

/** eˣ as a product of two powers, so that subnormal results and overflow are correct: 2^⌊n/2⌋ and the rest. */
export function exp(w: Writer, x: Vector): Vector {
  const [n, half] = w.vectors;
  const one = w.constant(1);
  const unit = wholeSubtract(one, tee(half, wholeShiftLeft(wholeShiftRight(n, 1), 23)));
  return vMultiply(exponentialPlus(w, n, limit(w, x, 104), unit, vZero()), wholeAdd(half, one));
}

/**
 * ln x = e · ln 2 + ln m with m in [√½, √2), where ln m is a polynomial of degree 9 (Cephes' logf). −∞ at 0, NaN for
 * negative values.
 */
export function log(w: Writer, x: Vector): Vector {
  const [input, normal, e, f] = w.vectors;
  const zero = w.constant(0);
  const smallest = w.constant(2 ** -126);
  const infinity = w.constant(Infinity);
  // Subnormal values are scaled by 2²³. The order of the expressions is that in which they set locals.
  const scaled = tee(normal, vSelect(vLess(input, smallest), vMultiply(tee(input, x), w.constant(2 ** 23)), input));
  const mantissa = wholeSubtract(
    scaled,
    wholeShiftLeft(tee(e, wholeShiftRight(wholeSubtract(normal, w.constant(Math.SQRT1_2)), 23)), 23),
  );
  const series = polynomial(
    w,
    f,
    [
      7.0376836e-2, -1.151461e-1, 1.16769984e-1, -1.2420141e-1, 1.4249323e-1, -1.6668057e-1, 2.0000714e-1,
      -2.4999994e-1, 3.333333e-1,
    ],
    tee(f, vSubtract(mantissa, w.constant(1))),
  );
  const cubed = vMultiply(vMultiply(series, f), vMultiply(f, f));
  const power = tee(e, vSubtract(fromWholes(e), vSelect(vLess(input, smallest), w.constant(23), zero)));
  const small = vSubtract(
    vAdd(cubed, vMultiply(power, w.constant(-2.1219444e-4))),
    vMultiply(w.constant(0.5), vMultiply(f, f)),
  );
  const result = vAdd(vAdd(small, f), vMultiply(e, w.constant(0.693359375)));
  const special = vSelect(vEqual(input, zero), w.constant(-Infinity), vSquareRoot(input));
  return vSelect(vAnd(vLess(zero, input), vLess(input, infinity)), result, special);
}

/** ln(1 + eˣ), accurate for small eˣ as well. */
export function softplus(w: Writer, x: Vector): Vector {
  const [input, e, sum] = w.vectors;
  const one = w.constant(1);
  const power = tee(e, exp(w, vNegate(vAbs(tee(input, x)))));
  // ln(1 + e) = ln(s) · e / (s − 1), where s is the rounded 1 + e (Kahan); if s is 1, the result is e.
  const ratio = vDivide(vMultiply(log(w, tee(sum, vAdd(power, one))), e), vSubtract(sum, one));
  return vAdd(vSelect(vLess(one, sum), ratio, e), vMax(input, w.constant(0)));
}
