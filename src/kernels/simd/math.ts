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

/** The values of x limited to [−bound, bound]; NaN stays NaN. */
export function limit(w: Writer, x: Vector, bound: number): Vector {
  return vMax(vMin(x, w.constant(bound)), w.constant(-bound));
}

/**
 * The polynomial of x with these coefficients, highest power first, each the shortest decimal of its float. `first` is
 * an expression that sets x.
 */
function polynomial(w: Writer, x: Local<'v128'>, coefficients: readonly number[], first: Vector = x): Vector {
  const [highest, ...others] = coefficients.map((value) => w.constant(value));
  return others.reduce<Vector>((sum, next, i) => multiplyAdd(w, sum, i === 0 ? first : x, next), highest!);
}

/** A number of this size is rounded to an integer, which is in the lowest bits of its representation: 1.5 · 2²³. */
const magic = 12_582_912;

/** y / ln 2 + {@link magic}: rounded to an integer n. */
const roundedQuotient = (w: Writer, y: Vector): Vector => multiplyAdd(w, y, w.constant(Math.LOG2E), w.constant(magic));

/**
 * y − n · ln 2, where `n` holds the {@link roundedQuotient} and is set to n. ln 2 is in two parts, so that the product
 * of n and the first one is exact.
 */
const remainder = (w: Writer, n: Local<'v128'>, y: Vector): Vector =>
  multiplyAdd(
    w,
    tee(n, vSubtract(n, w.constant(magic))),
    w.constant(2.1219444e-4),
    multiplyAdd(w, n, w.constant(-0.693359375), y),
  );

/** 2ⁿ for the integer n in the lowest bits: its bits are those of 1 with n added to the exponent. */
const powerOfTwo = (w: Writer, n: Vector): Vector => wholeAdd(wholeShiftLeft(n, 23), w.constant(1));

/**
 * e^y + c = 2ⁿ · p + (2ⁿ + c) for |y| < 88, where p ≈ e^r − 1 is a polynomial of degree 6 with the least relative
 * error, 1.3e-8, for r = y − n · ln 2, |r| ≤ ½ ln 2. For c = −1 and small |y|, n is 0 and the result is as exact as p.
 */
function exponentialPlus(w: Writer, value: Vector, c: number): Vector {
  const [y, n, r, power] = w.vectors;
  const rounded = tee(n, roundedQuotient(w, tee(y, value)));
  const scale = tee(power, powerOfTwo(w, rounded));
  const series = polynomial(
    w,
    r,
    [1.3882517e-3, 8.3665475e-3, 4.16672e-2, 1.6666543e-1, 4.9999997e-1],
    tee(r, remainder(w, n, y)),
  );
  return multiplyAdd(w, scale, multiplyAdd(w, series, vMultiply(r, r), r), vAdd(power, w.constant(c)));
}

/** tanh x = q / (q + 2) with q = e^2x − 1. From |x| = 10 on it is ±1. */
export function tanh(w: Writer, x: Vector): Vector {
  const [input, q] = w.vectors;
  const doubled = vAdd(tee(input, x), input);
  return vDivide(tee(q, exponentialPlus(w, limit(w, doubled, 20), -1)), vAdd(q, w.constant(2)));
}

/** The logistic function for the gates of cells, 1 / (e⁻ˣ + 1). Below −87 it stays at 1.6e-38. */
export function gate(w: Writer, x: Vector): Vector {
  return vDivide(w.constant(1), exponentialPlus(w, limit(w, vNegate(x), 87), 1));
}

/** 1 / (1 + e⁻ˣ) as 1 / (1 + e) or e / (1 + e) with e = e^(−|x|), which does not overflow. */
export function logistic(w: Writer, x: Vector): Vector {
  const [input, power] = w.vectors;
  const one = w.constant(1);
  const e = tee(power, exp(w, vNegate(vAbs(tee(input, x)))));
  return vDivide(vSelect(vLess(input, w.constant(0)), e, one), vAdd(one, power));
}

/**
 * eˣ = 2ⁿ · e^r with |r| ≤ ½ ln 2, where e^r is a polynomial of degree 7 (Cephes' expf: Moshier, netlib.org/cephes).
 * The factor 2ⁿ is applied in two steps, so that subnormal results and overflow are correct.
 */
export function exp(w: Writer, x: Vector): Vector {
  const [limited, n, r, half, whole] = w.vectors;
  const clamped = tee(limited, vMax(vMin(x, w.constant(89)), w.constant(-104)));
  const rounded = tee(n, roundedQuotient(w, clamped));
  const integer = tee(whole, wholeSubtract(rounded, w.constant(magic)));
  const series = polynomial(
    w,
    r,
    [1.9875691e-4, 1.3981999e-3, 8.333452e-3, 4.1665796e-2, 1.6666666e-1, 0.5],
    tee(r, remainder(w, n, limited)),
  );
  return vMultiply(
    vMultiply(
      powerOfTwo(w, tee(half, wholeShiftRight(integer, 1))),
      multiplyAdd(w, series, vMultiply(r, r), vAdd(r, w.constant(1))),
    ),
    powerOfTwo(w, wholeSubtract(whole, half)),
  );
}

/**
 * ln x = e · ln 2 + ln m with m in [√½, √2), where ln m is a polynomial of degree 9 (Cephes' logf). −∞ at 0, NaN for
 * negative values.
 */
export function log(w: Writer, x: Vector): Vector {
  const [input, normal, e, f] = w.vectors;
  const [zero, smallest, infinity] = [w.constant(0), w.constant(2 ** -126), w.constant(Infinity)];
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
