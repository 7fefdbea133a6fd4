/** tanh and the logistic function of four numbers at a time. */

import {
  addVector, constantVector, divideVector, fusedMultiplyAdd, maxVector, minVector, multiplyVector, set, type Code, type Local, type Locals,
} from './assembler';

type Vector = Code<'v128'>;

/** Writes activations into a function's body. */
export interface Activations {
  /** out ← tanh(x). */
  readonly tanh: (out: Local<'v128'>, x: Vector) => Code<'void'>[];
  /** out ← 1 / (1 + e⁻ˣ) = 1/2 + tanh(x/2) / 2. */
  readonly logistic: (out: Local<'v128'>, x: Vector) => Code<'void'>[];
}

// tanh(x) ≈ x · P(x²) / Q(x²) on [−9, 9], where single precision reaches ±1: a rational approximation of degree 13 over 6, with the
// coefficients of Eigen's ptanh_float (Guennebaud, Jacob et al., eigen.tuxfamily.org). Highest power first.
const numerator = [
  -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-8, 1.48572235717979e-5, 6.37261928875436e-4,
  4.89352455891786e-3,
];
const denominator = [1.19825839466702e-6, 1.18534705686654e-4, 2.26843463243900e-3, 4.89352518554385e-3];

export function activations(local: Locals, fused: boolean): Activations {
  const [limited, square, p] = [local('v128'), local('v128'), local('v128')];
  const multiplyAdd = (a: Vector, b: Vector, c: Vector): Vector => (fused ? fusedMultiplyAdd(a, b, c) : addVector(multiplyVector(a, b), c));
  const polynomial = (coefficients: readonly number[]): Vector =>
    coefficients.slice(1).reduce((sum, next) => multiplyAdd(sum, square, constantVector(next)), constantVector(coefficients[0]!));
  const tanh = (out: Local<'v128'>, x: Vector): Code<'void'>[] => [
    set(limited, maxVector(minVector(x, constantVector(9)), constantVector(-9))),
    set(square, multiplyVector(limited, limited)),
    set(p, multiplyVector(limited, polynomial(numerator))),
    set(out, divideVector(p, polynomial(denominator))),
  ];
  const half = constantVector(0.5);
  return {
    tanh,
    logistic: (out, x) => [...tanh(out, multiplyVector(x, half)), set(out, addVector(multiplyVector(out, half), half))],
  };
}
