/** Sums, differences, products, quotients, and what optimizers and clipping need of them. */

import type { Call, Kernel, LocalsOf, Memory } from './kernel';
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
  splat,
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

/** y = f(a, b). */
const portableBinary =
  (memory: Memory, f: (a: number, b: number) => number): Call<typeof binary> =>
  (y, a, b, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[y + i] = f(m[a + i]!, m[b + i]!);
  };

/** y = f(a, b). */
function elementByElement(
  w: Writer,
  [y, a, b, n]: LocalsOf<typeof binary>,
  f: (a: Vector, b: Vector) => Vector,
): Statement[] {
  return overElements(w, n, [y, a, b], (e) => [e.store(y, f(e.load(a), e.load(b)))]);
}

export const addition: Kernel<typeof binary> = {
  operands: binary,
  portable: (memory) => portableBinary(memory, (a, b) => a + b),
  simd: (o, w) => elementByElement(w, o, vAdd),
};

export const subtraction: Kernel<typeof binary> = {
  operands: binary,
  portable: (memory) => portableBinary(memory, (a, b) => a - b),
  simd: (o, w) => elementByElement(w, o, vSubtract),
};

export const multiplication: Kernel<typeof binary> = {
  operands: binary,
  portable: (memory) => portableBinary(memory, (a, b) => a * b),
  simd: (o, w) => elementByElement(w, o, vMultiply),
};

export const division: Kernel<typeof binary> = {
  operands: binary,
  portable: (memory) => portableBinary(memory, (a, b) => a / b),
  simd: (o, w) => elementByElement(w, o, vDivide),
};

/** The operands of a backward by one vector. */
export const backwardBy = ['update n', 'read n', 'read n', 'n'] as const;

/** dx += f(dy, by). */
export const portableBackward =
  (memory: Memory, f: (dy: number, by: number) => number): Call<typeof backwardBy> =>
  (dx, dy, by, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[dx + i]! += f(m[dy + i]!, m[by + i]!);
  };

/** dx += f(dy, by). */
export const addByElement = (
  w: Writer,
  [dx, dy, by, n]: LocalsOf<typeof backwardBy>,
  f: (dy: Vector, by: Vector) => Vector,
): Statement[] => overElements(w, n, [dx, dy, by], (e) => [e.store(dx, vAdd(e.load(dx), f(e.load(dy), e.load(by))))]);

/** dx += dy · by. */
export const addProduct: Kernel<typeof backwardBy> = {
  operands: backwardBy,
  portable: (memory) => portableBackward(memory, (dy, by) => dy * by),
  simd: (o, w) => addByElement(w, o, vMultiply),
};

/** dx += dy / by. */
export const addQuotient: Kernel<typeof backwardBy> = {
  operands: backwardBy,
  portable: (memory) => portableBackward(memory, (dy, by) => dy / by),
  simd: (o, w) => addByElement(w, o, vDivide),
};

const divisorBackward = ['update n', 'read n', 'read n', 'read n', 'n'] as const;

/** Of y = a / b: db −= dy · y / b. */
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

/** y = a + m · (b − a). */
export const interpolate: Kernel<typeof interpolated> = {
  operands: interpolated,
  portable: (memory) => (y, a, b, moved, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[y + i] = m[a + i]! + m[moved + i]! * (m[b + i]! - m[a + i]!);
  },
  simd: ([y, a, b, moved, n], w) =>
    overElements(w, n, [y, a, b, moved], (e) => [
      e.store(y, multiplyAdd(w, e.load(moved), vSubtract(e.load(b), e.load(a)), e.load(a))),
    ]),
};

const interpolatedBackward = ['update n', 'write n', 'read n', 'read n', 'n'] as const;

/** Of {@link interpolate}: da += (1 − m) · dy, db = m · dy. */
export const interpolateBackward: Kernel<typeof interpolatedBackward> = {
  operands: interpolatedBackward,
  portable: (memory) => (da, db, dy, moved, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) {
      m[da + i]! += (1 - m[moved + i]!) * m[dy + i]!;
      m[db + i] = m[moved + i]! * m[dy + i]!;
    }
  },
  simd: ([da, db, dy, moved, n], w) =>
    overElements(w, n, [da, db, dy, moved], (e) => [
      e.store(da, multiplyAdd(w, vSubtract(w.constant(1), e.load(moved)), e.load(dy), e.load(da))),
      e.store(db, vMultiply(e.load(moved), e.load(dy))),
    ]),
};

const scaled = ['write n', 'read n', 'number', 'n'] as const;

/** y = factor · x; y may be x. */
export const scaling: Kernel<typeof scaled> = {
  operands: scaled,
  portable: (memory) => (y, x, factor, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[y + i] = factor * m[x + i]!;
  },
  simd: ([y, x, factor, n], w) => {
    const [by] = w.vectors;
    return [set(by, splat(factor)), ...overElements(w, n, [y, x], (e) => [e.store(y, vMultiply(by, e.load(x)))])];
  },
};

const addedScaled = ['update n', 'read n', 'number', 'n'] as const;

/** dx += factor · dy. */
export const addScaled: Kernel<typeof addedScaled> = {
  operands: addedScaled,
  portable: (memory) => (dx, dy, factor, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[dx + i]! += factor * m[dy + i]!;
  },
  simd: ([dx, dy, factor, n], w) => {
    const [by] = w.vectors;
    return [
      set(by, splat(factor)),
      ...overElements(w, n, [dx, dy], (e) => [e.store(dx, multiplyAdd(w, by, e.load(dy), e.load(dx)))]),
    ];
  },
};

const clamped = ['update n', 'number', 'n'] as const;

/** x limited to [−limit, limit], in place; NaN stays NaN. */
export const clamp: Kernel<typeof clamped> = {
  operands: clamped,
  portable: (memory) => (x, limit, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[x + i] = Math.max(-limit, Math.min(limit, m[x + i]!));
  },
  simd: ([x, limit, n], w) => {
    const [bound] = w.vectors;
    return [
      set(bound, splat(limit)),
      ...overElements(w, n, [x], (e) => [e.store(x, vMax(vMin(e.load(x), bound), vNegate(bound)))]),
    ];
  },
};

const reduced = ['read n', 'n'] as const;

/** Sums f of every pair of elements in double precision. */
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
export const sumOf: Kernel<typeof reduced, number> = {
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
