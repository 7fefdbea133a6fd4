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
  vRound,
  vSelect,
  vSquareRoot,
  vSubtract,
  type Writer,
  wholeAdd,
  wholeShiftLeft,
  wholeShiftRight,
  wholeSubtract,
  wholes,
  word,
} from './assembler';

/** a · b + c, with one rounding if the engine supports it. */
export function multiplyAdd(w: Writer, a: Vector, b: Vector, c: Vector): Vector {
  return w.fused ? fusedMultiplyAdd(a, b, c) : vAdd(vMultiply(a, b), c);
}

/** The polynomial of x with these coefficients, highest power first. `first` is an expression that sets x. */
function polynomial(w: Writer, x: Local<'v128'>, coefficients: readonly number[], first: Vector = x): Vector {
  const [highest, ...others] = coefficients.map((value) => w.constant(value));
  return others.reduce<Vector>((sum, next, i) => multiplyAdd(w, sum, i === 0 ? first : x, next), highest!);
}

/**
 * tanh(x) ≈ x · P(x²) / Q(x²) on [−9, 9]; beyond, tanh is ±1 in single precision. A rational approximation of degree 13
 * over 6 with the coefficients of Eigen's ptanh_float (Guennebaud, Jacob et al., eigen.tuxfamily.org).
 */
export function tanh(w: Writer, x: Vector): Vector {
  const [limited, square] = w.vectors;
  return vDivide(
    vMultiply(
      tee(limited, vMax(vMin(x, w.constant(9)), w.constant(-9))),
      polynomial(
        w,
        square,
        [
          -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-8, 1.48572235717979e-5,
          6.37261928875436e-4, 4.89352455891786e-3,
        ],
        tee(square, vMultiply(limited, limited)),
      ),
    ),
    polynomial(w, square, [1.19825839466702e-6, 1.18534705686654e-4, 2.268434632439e-3, 4.89352518554385e-3]),
  );
}

/** 1 / (1 + e⁻ˣ) = 1/2 + tanh(x/2) / 2. */
export function logistic(w: Writer, x: Vector): Vector {
  const half = w.constant(0.5);
  return multiplyAdd(w, tanh(w, vMultiply(x, half)), half, half);
}

/**
 * eˣ = 2ⁿ · e^r with |r| ≤ ½ ln 2, where e^r is a polynomial of degree 7 (Cephes' expf: Moshier, netlib.org/cephes).
 * The factor 2ⁿ is applied in two steps, so that subnormal results and overflow are correct.
 */
export function exp(w: Writer, x: Vector): Vector {
  const [limited, n, r, whole, half] = w.vectors;
  const clamped = tee(limited, vMax(vMin(x, w.constant(89)), w.constant(-104)));
  const rounded = tee(n, vRound(vMultiply(clamped, w.constant(Math.LOG2E))));
  const powerOfTwo = (exponent: Vector): Vector => wholeShiftLeft(wholeAdd(exponent, word(127)), 23);
  // ln 2 in two parts, so that the product of n and the first one is exact.
  const rest = vSubtract(
    vSubtract(limited, vMultiply(n, w.constant(0.693359375))),
    vMultiply(n, w.constant(-2.1219444e-4)),
  );
  const series = polynomial(
    w,
    r,
    [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1],
    tee(r, rest),
  );
  return vMultiply(
    vMultiply(
      powerOfTwo(tee(half, wholeShiftRight(tee(whole, wholes(rounded)), 1))),
      multiplyAdd(w, series, vMultiply(r, r), vAdd(r, w.constant(1))),
    ),
    powerOfTwo(wholeSubtract(whole, half)),
  );
}

/**
 * ln x = e · ln 2 + ln m with m in [√½, √2), where ln m is a polynomial of degree 9 (Cephes' logf). −∞ at 0, NaN for
 * negative values.
 */
export function log(w: Writer, x: Vector): Vector {
  const [input, normal, e, f] = w.vectors;
  const [zero, smallest, infinity] = [w.constant(0), w.constant(1.1754943508222875e-38), w.constant(Infinity)];
  // Subnormal values are scaled by 2²³. The order of the expressions is that in which they set locals.
  const scaled = tee(normal, vSelect(vLess(input, smallest), vMultiply(tee(input, x), w.constant(8388608)), input));
  const mantissa = wholeSubtract(
    scaled,
    wholeShiftLeft(tee(e, wholeShiftRight(wholeSubtract(normal, word(0x3f3504f3)), 23)), 23),
  );
  const series = polynomial(
    w,
    f,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
      2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
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
