/**
 * Element-wise functions: y = f(x), and dx += dy · f′. The backward kernel reads x or y, whichever gives f′ at less
 * cost. If f′ is y or 1/x, it is `addProduct` or `addQuotient`.
 */

import { backwardByElement, backwardOperands, portableBackward, within } from './arithmetic';
import type { Call, Kernel, LocalsOf, Memory } from './kernel';
import {
  type Statement,
  tee,
  type Vector,
  vAbs,
  vAnd,
  vDivide,
  vEqual,
  vLess,
  vMultiply,
  vSelect,
  vSquareRoot,
  vSubtract,
  type Writer,
} from './simd/assembler';
import { overElements } from './simd/loops';
import * as math from './simd/math';

/** The logistic function, 1 / (1 + e⁻ˣ). If e⁻ˣ overflows to ∞, the result is 0, which is correct. */
export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** The softplus function, ln(1 + eˣ), without overflow. */
export const softplusValue = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const unary = ['write n', 'read n', 'n'] as const;

/** y = f(x), portable. */
const portableMap =
  (memory: Memory, f: (x: number) => number): Call<typeof unary> =>
  (y, x, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[y + i] = f(m[x + i]!);
  };

/** y = f(x), in SIMD. */
const map = (w: Writer, [y, x, n]: LocalsOf<typeof unary>, f: (x: Vector) => Vector): Statement[] =>
  overElements(w, n, [y, x], (e) => [e.store(y, f(e.load(x)))]);

/** y = eˣ. */
export const exponential: Kernel<typeof unary> = {
  operands: unary,
  portable: (memory) => portableMap(memory, Math.exp),
  simd: (o, w) => map(w, o, (x) => math.exp(w, x)),
};

/** y = ln x. */
export const logarithm: Kernel<typeof unary> = {
  operands: unary,
  portable: (memory) => portableMap(memory, Math.log),
  simd: (o, w) => map(w, o, (x) => math.log(w, x)),
};

/** y = √x. */
export const squareRoot: Kernel<typeof unary> = {
  operands: unary,
  portable: (memory) => portableMap(memory, Math.sqrt),
  simd: (o, w) => map(w, o, vSquareRoot),
};
/** dx += dy / (2y); reads y. */
export const squareRootBackward: Kernel<typeof backwardOperands> = {
  operands: backwardOperands,
  portable: (memory) => portableBackward(memory, (dy, y) => dy / (2 * y)),
  simd: (o, w) => backwardByElement(w, o, (dy, y) => vDivide(dy, vMultiply(w.constant(2), y))),
};

/** y = |x|. */
export const absolute: Kernel<typeof unary> = {
  operands: unary,
  portable: (memory) => portableMap(memory, Math.abs),
  simd: (o, w) => map(w, o, vAbs),
};
/** dx += dy · sign(x); reads x. */
export const absoluteBackward: Kernel<typeof backwardOperands> = {
  operands: backwardOperands,
  portable: (memory) => portableBackward(memory, (dy, x) => dy * Math.sign(x)),
  simd: (o, w) =>
    backwardByElement(w, o, (dy, x) => {
      const [value] = w.vectors;
      const zero = w.constant(0);
      const one = w.constant(1);
      // The sign of 0 is 0, and that of NaN is NaN.
      const sign = vSelect(vLess(zero, value), one, vSelect(vLess(value, zero), w.constant(-1), tee(value, x)));
      return vMultiply(dy, sign);
    }),
};

/** y = tanh x. */
export const hyperbolicTangent: Kernel<typeof unary> = {
  operands: unary,
  portable: (memory) => portableMap(memory, Math.tanh),
  simd: (o, w) => map(w, o, (x) => math.tanh(w, x)),
};
/** dx += dy · (1 − y²); reads y. */
export const hyperbolicTangentBackward: Kernel<typeof backwardOperands> = {
  operands: backwardOperands,
  portable: (memory) => portableBackward(memory, (dy, y) => dy * (1 - y * y)),
  simd: (o, w) =>
    backwardByElement(w, o, (dy, y) => {
      const [value] = w.vectors;
      return vMultiply(dy, vSubtract(w.constant(1), vMultiply(tee(value, y), value)));
    }),
};

/** y = 1 / (1 + e⁻ˣ). */
export const sigmoidal: Kernel<typeof unary> = {
  operands: unary,
  portable: (memory) => portableMap(memory, logistic),
  simd: (o, w) => map(w, o, (x) => math.logistic(w, x)),
};
/** dx += dy · y · (1 − y); reads y. */
export const sigmoidalBackward: Kernel<typeof backwardOperands> = {
  operands: backwardOperands,
  portable: (memory) => portableBackward(memory, (dy, y) => dy * y * (1 - y)),
  simd: (o, w) =>
    backwardByElement(w, o, (dy, y) => {
      const [value] = w.vectors;
      return vMultiply(vMultiply(dy, tee(value, y)), vSubtract(w.constant(1), value));
    }),
};

const withNumber = ['write n', 'read n', 'number', 'n'] as const;
const withNumberBackward = ['update n', 'read n', 'read n', 'number', 'n'] as const;

/** y = x if x > 0, else slope · x. ReLU has slope 0. NaN stays NaN. */
export const rectify: Kernel<typeof withNumber> = {
  operands: withNumber,
  portable: (memory) => (y, x, slope, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) {
      const value = m[x + i]!;
      m[y + i] = value > 0 ? value : value === -Infinity && slope === 0 ? 0 : slope * value;
    }
  },
  simd: ([y, x, slope, n], w) => {
    const [value] = w.vectors;
    const slopes = w.constant(slope);
    const zero = w.constant(0);
    // With slope 0, −∞ gives 0, where 0 · −∞ would be NaN.
    const vanishes = vAnd(vEqual(slopes, zero), vEqual(value, w.constant(-Infinity)));
    return map(w, [y, x, n], (input) =>
      vSelect(vLess(zero, value), tee(value, input), vSelect(vanishes, zero, vMultiply(slopes, value))),
    );
  },
};

/** dx += dy if x > 0, else slope · dy; reads x. */
export const rectifyBackward: Kernel<typeof withNumberBackward> = {
  operands: withNumberBackward,
  portable: (memory) => (dx, dy, x, slope, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[dx + i]! += m[x + i]! > 0 ? m[dy + i]! : slope * m[dy + i]!;
  },
  simd: ([dx, dy, x, slope, n], w) => {
    const [value] = w.vectors;
    return backwardByElement(w, [dx, dy, x, n], (dy, x) =>
      vSelect(vLess(w.constant(0), x), tee(value, dy), vMultiply(w.constant(slope), value)),
    );
  },
};

/** y = ln(1 + eˣ), without overflow. */
export const softplusOf: Kernel<typeof unary> = {
  operands: unary,
  portable: (memory) => portableMap(memory, softplusValue),
  simd: (o, w) => map(w, o, (x) => math.softplus(w, x)),
};
/** dx += dy / (1 + e⁻ˣ); reads x. */
export const softplusBackward: Kernel<typeof backwardOperands> = {
  operands: backwardOperands,
  portable: (memory) => portableBackward(memory, (dy, x) => dy * logistic(x)),
  simd: (o, w) => backwardByElement(w, o, (dy, x) => vMultiply(dy, math.logistic(w, x))),
};

/** y = x²/2 if |x| ≤ delta, else delta · (|x| − delta/2). */
export const huberOf: Kernel<typeof withNumber> = {
  operands: withNumber,
  portable: (memory) => (y, x, delta, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) {
      const size = Math.abs(m[x + i]!);
      m[y + i] = size <= delta ? (size * size) / 2 : delta * (size - delta / 2);
    }
  },
  simd: ([y, x, delta, n], w) => {
    const [size] = w.vectors;
    const bound = w.constant(delta);
    const half = w.constant(0.5);
    return map(w, [y, x, n], (input) =>
      vSelect(
        vLess(bound, size),
        vMultiply(bound, vSubtract(tee(size, vAbs(input)), vMultiply(bound, half))),
        vMultiply(vMultiply(size, size), half),
      ),
    );
  },
};

/** dx += dy · x, with x clamped to [−delta, delta]; reads x. */
export const huberBackward: Kernel<typeof withNumberBackward> = {
  operands: withNumberBackward,
  portable: (memory) => (dx, dy, x, delta, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[dx + i]! += m[dy + i]! * Math.max(-delta, Math.min(delta, m[x + i]!));
  },
  simd: ([dx, dy, x, delta, n], w) =>
    backwardByElement(w, [dx, dy, x, n], (dy, x) => vMultiply(dy, within(x, w.constant(delta)))),
};
