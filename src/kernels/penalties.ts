/** Weight penalties and norm constraints. */

import type { Kernel } from './kernel';
import {
  inBytes,
  increase,
  type Statement,
  set,
  splat,
  vAdd,
  vAnd,
  vDivide,
  vLess,
  vMultiply,
  vSelect,
  vSquareRoot,
  vSubtract,
  vZero,
} from './simd/assembler';
import { overElements, times } from './simd/loops';
import { multiplyAdd } from './simd/math';

const signed = ['update n', 'read n', 'number', 'n'] as const;

/** dx += factor · sign(x): the gradient of an L1 penalty, 0 at 0. */
export const addSigns: Kernel<typeof signed> = {
  operands: signed,
  portable: (memory) => (dx, x, factor, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[dx + i]! += factor * ((m[x + i]! > 0 ? 1 : 0) - (m[x + i]! < 0 ? 1 : 0));
  },
  simd: ([dx, x, factor, n], w) => {
    const [by, value] = w.vectors;
    return [
      set(by, splat(factor)),
      ...overElements(w, n, [dx, x], (e) => [
        set(value, e.load(x)),
        e.store(dx, vSubtract(vAdd(e.load(dx), vAnd(vLess(vZero(), value), by)), vAnd(vLess(value, vZero()), by))),
      ]),
    ];
  },
};

// Not `rows`, since the rows are not independent.
const ofColumns = ['update height n', 'read height n', 'number', 'height', 'n'] as const;

/** (step, x, limit, rows, n): changes `step` so that the norm of every column of x + step is at most `limit`. */
export const limitColumns: Kernel<typeof ofColumns> = {
  operands: ofColumns,
  portable: (memory) => (step, x, limit, rows, n) => {
    const m = memory.view;
    for (let j = 0; j < n; j++) {
      let squares = 0;
      for (let i = j; i < rows * n; i += n) squares += (m[x + i]! + m[step + i]!) ** 2;
      if (!(squares > limit * limit)) continue;
      const factor = limit / Math.sqrt(squares);
      for (let i = j; i < rows * n; i += n) m[step + i] = factor * (m[x + i]! + m[step + i]!) - m[x + i]!;
    }
  },
  simd: ([step, x, limit, rows, n], w) => {
    const [squares, value, factor, maximum] = w.vectors;
    const [atStep, atX, left] = w.pointers;
    const down = (statements: readonly Statement[]): Statement[] => [
      set(atStep, step),
      set(atX, x),
      set(left, rows),
      times(left, [...statements, increase(atStep, inBytes(n)), increase(atX, inBytes(n))]),
    ];
    return [
      set(maximum, splat(limit)),
      // Not in pairs, which would defer the stores to the end of the loop down the columns.
      ...overElements({ ...w, pair: undefined }, n, [step, x], (e) => [
        set(squares, vZero()),
        ...down([set(value, vAdd(e.load(atX), e.load(atStep))), set(squares, multiplyAdd(w, value, value, squares))]),
        set(factor, vDivide(maximum, vSquareRoot(squares))),
        set(squares, vLess(vMultiply(maximum, maximum), squares)),
        ...down([
          set(value, vSubtract(vMultiply(factor, vAdd(e.load(atX), e.load(atStep))), e.load(atX))),
          e.store(atStep, vSelect(squares, value, e.load(atStep))),
        ]),
      ]),
    ];
  },
};
