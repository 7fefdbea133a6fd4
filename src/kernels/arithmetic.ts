/** Element-wise arithmetic with its gradients, and reductions. */

import type { Call, Kernel, LocalsOf, Memory, WasmFunction } from './kernel';
import {
  type Code,
  type Local,
  pairAdd,
  pairMultiply,
  pairOf,
  pairSum,
  pairZero,
  type Statement,
  set,
  shuffle,
  tee,
  type Vector,
  vAdd,
  vDivide,
  vMax,
  vMin,
  vMultiply,
  vNegate,
  vSubtract,
  type Writer,
} from './simd/assembler';
import { overElements } from './simd/loops';
import { multiplyAdd } from './simd/math';

const binary = ['write n', 'read n', 'read n', 'n'] as const;

/** y = f(a, b), portable. */
const portableBinary =
  (memory: Memory, f: (a: number, b: number) => number): Call<typeof binary> =>
  (y, a, b, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[y + i] = f(m[a + i]!, m[b + i]!);
  };

/** y = f(a, b), in SIMD. */
function elementByElement(
  w: Writer,
  [y, a, b, n]: LocalsOf<typeof binary>,
  f: (a: Vector, b: Vector) => Vector,
): Statement[] {
  return overElements(w, n, [y, a, b], (e) => [e.store(y, f(e.load(a), e.load(b)))]);
}

/** y = a + b. */
export const addition: Kernel<typeof binary> = {
  operands: binary,
  portable: (memory) => portableBinary(memory, (a, b) => a + b),
  simd: (o, w) => elementByElement(w, o, vAdd),
};

/** y = a − b. */
export const subtraction: Kernel<typeof binary> = {
  operands: binary,
  portable: (memory) => portableBinary(memory, (a, b) => a - b),
  simd: (o, w) => elementByElement(w, o, vSubtract),
};

/** y = a · b. */
export const multiplication: Kernel<typeof binary> = {
  operands: binary,
  portable: (memory) => portableBinary(memory, (a, b) => a * b),
  simd: (o, w) => elementByElement(w, o, vMultiply),
};

/** y = a / b. */
export const division: Kernel<typeof binary> = {
  operands: binary,
  portable: (memory) => portableBinary(memory, (a, b) => a / b),
  simd: (o, w) => elementByElement(w, o, vDivide),
};

/** The operands of a backward kernel that reads one saved vector: dx, dy, saved, n. */
export const backwardOperands = ['update n', 'read n', 'read n', 'n'] as const;

/** dx += f(dy, saved), portable. */
export const portableBackward =
  (memory: Memory, f: (dy: number, saved: number) => number): Call<typeof backwardOperands> =>
  (dx, dy, saved, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[dx + i]! += f(m[dy + i]!, m[saved + i]!);
  };

/** dx += f(dy, saved), in SIMD. */
export const backwardByElement = (
  w: Writer,
  [dx, dy, saved, n]: LocalsOf<typeof backwardOperands>,
  f: (dy: Vector, saved: Vector) => Vector,
): Statement[] =>
  overElements(w, n, [dx, dy, saved], (e) => [e.store(dx, vAdd(e.load(dx), f(e.load(dy), e.load(saved))))]);

/** dx += dy · saved. */
export const addProduct: Kernel<typeof backwardOperands> = {
  operands: backwardOperands,
  portable: (memory) => portableBackward(memory, (dy, saved) => dy * saved),
  simd: (o, w) => backwardByElement(w, o, vMultiply),
};

/** dx += dy / saved. */
export const addQuotient: Kernel<typeof backwardOperands> = {
  operands: backwardOperands,
  portable: (memory) => portableBackward(memory, (dy, saved) => dy / saved),
  simd: (o, w) => backwardByElement(w, o, vDivide),
};

const divisorBackward = ['update n', 'read n', 'read n', 'read n', 'n'] as const;

/** The gradient of the divisor of y = a / b: db −= dy · y / b. */
export const divisionBackward: Kernel<typeof divisorBackward> = {
  operands: divisorBackward,
  portable: (memory) => (db, dy, y, b, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[db + i]! -= (m[dy + i]! * m[y + i]!) / m[b + i]!;
  },
  simd: ([db, dy, y, b, n], w) =>
    overElements(w, n, [db, dy, y, b], (e) => [
      e.store(db, vSubtract(e.load(db), vDivide(vMultiply(e.load(dy), e.load(y)), e.load(b)))),
    ]),
};

const interpolated = ['write n', 'read n', 'read n', 'read n', 'n'] as const;

/** y = a + weight · (b − a). y may be b. */
export const interpolate: Kernel<typeof interpolated> = {
  operands: interpolated,
  portable: (memory) => (y, a, b, weight, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[y + i] = m[a + i]! + m[weight + i]! * (m[b + i]! - m[a + i]!);
  },
  simd: ([y, a, b, weight, n], w) =>
    overElements(w, n, [y, a, b, weight], (e) => [
      e.store(y, multiplyAdd(w, e.load(weight), vSubtract(e.load(b), e.load(a)), e.load(a))),
    ]),
};

const interpolatedBackward = ['update n', 'write n', 'read n', 'read n', 'n'] as const;

/** The gradients of {@link interpolate}: da += (1 − weight) · dy, db = weight · dy (db is overwritten). */
export const interpolateBackward: Kernel<typeof interpolatedBackward> = {
  operands: interpolatedBackward,
  portable: (memory) => (da, db, dy, weight, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) {
      m[da + i]! += (1 - m[weight + i]!) * m[dy + i]!;
      m[db + i] = m[weight + i]! * m[dy + i]!;
    }
  },
  simd: ([da, db, dy, weight, n], w) =>
    overElements(w, n, [da, db, dy, weight], (e) => [
      e.store(da, multiplyAdd(w, vSubtract(w.constant(1), e.load(weight)), e.load(dy), e.load(da))),
      e.store(db, vMultiply(e.load(weight), e.load(dy))),
    ]),
};

const scaled = ['write n', 'read n', 'number', 'n'] as const;

/** y = factor · x. y and x may be the same. */
export const scaling: Kernel<typeof scaled> = {
  operands: scaled,
  portable: (memory) => (y, x, factor, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[y + i] = factor * m[x + i]!;
  },
  simd: ([y, x, factor, n], w) =>
    overElements(w, n, [y, x], (e) => [e.store(y, vMultiply(w.constant(factor), e.load(x)))]),
};

const addedScaled = ['update n', 'read n', 'number', 'n'] as const;

/** dx += factor · dy. */
export const addScaled: Kernel<typeof addedScaled> = {
  operands: addedScaled,
  portable: (memory) => (dx, dy, factor, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[dx + i]! += factor * m[dy + i]!;
  },
  simd: ([dx, dy, factor, n], w) =>
    overElements(w, n, [dx, dy], (e) => [e.store(dx, multiplyAdd(w, w.constant(factor), e.load(dy), e.load(dx)))]),
};

/** x, limited to [−bound, bound]. NaN stays NaN. */
export const within = (x: Vector, bound: Vector): Vector => vMax(vMin(x, bound), vNegate(bound));

const clamped = ['update n', 'number', 'n'] as const;

/** Clamps x to [−limit, limit], in place. NaN stays NaN. */
export const clamp: Kernel<typeof clamped> = {
  operands: clamped,
  portable: (memory) => (x, limit, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[x + i] = Math.max(-limit, Math.min(limit, m[x + i]!));
  },
  simd: ([x, limit, n], w) => overElements(w, n, [x], (e) => [e.store(x, within(e.load(x), w.constant(limit)))]),
};

const reduced = ['read n', 'n'] as const;

/** Computes Σ f(x) in double precision, two elements at a time. */
function reducePairs(
  w: Writer,
  [x, n]: LocalsOf<typeof reduced>,
  f: (pair: Local<'v128'>) => Vector,
): Code<'void' | 'f64'>[] {
  const [value, pair, low, high] = w.vectors;
  return [
    set(low, pairZero()),
    set(high, pairZero()),
    ...overElements(w, n, [x], (e) => [
      set(pair, pairOf(tee(value, e.load(x)))),
      set(low, pairAdd(low, f(pair))),
      set(pair, pairOf(shuffle(value, value, [2, 3, 2, 3]))),
      set(high, pairAdd(high, f(pair))),
    ]),
    set(low, pairAdd(low, high)),
    pairSum(low),
  ];
}

/** Σ x, in double precision. */
export const sumOf: Kernel<typeof reduced, number> & WasmFunction<typeof reduced, number> = {
  operands: reduced,
  portable: (memory) => (x, n) => {
    const m = memory.view;
    let total = 0;
    for (let i = 0; i < n; i++) total += m[x + i]!;
    return total;
  },
  simd: (o, w) => reducePairs(w, o, (pair) => pair),
};

/** Σ x², in double precision. */
export const sumOfSquares: Kernel<typeof reduced, number> = {
  operands: reduced,
  portable: (memory) => (x, n) => {
    const m = memory.view;
    let total = 0;
    for (let i = 0; i < n; i++) total += m[x + i]! * m[x + i]!;
    return total;
  },
  simd: (o, w) => reducePairs(w, o, (pair) => pairMultiply(pair, pair)),
};
