/** Sums, differences, products, quotients, and what optimizers and clipping need of them. */

import type { ArithmeticKernels, Memory } from '../kernels';

export function arithmeticKernels(memory: Memory): ArithmeticKernels {
  return {
    add(y, a, b, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i] = m[a + i]! + m[b + i]!;
    },

    subtract(y, a, b, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i] = m[a + i]! - m[b + i]!;
    },

    multiply(y, a, b, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i] = m[a + i]! * m[b + i]!;
    },

    divide(y, a, b, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i] = m[a + i]! / m[b + i]!;
    },

    divideBackwardA(da, dy, b, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[da + i]! += m[dy + i]! / m[b + i]!;
    },

    divideBackwardB(db, dy, y, b, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[db + i]! -= (m[dy + i]! * m[y + i]!) / m[b + i]!;
    },

    scale(y, x, factor, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i] = factor * m[x + i]!;
    },

    addScaled(dx, dy, factor, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[dx + i]! += factor * m[dy + i]!;
    },

    addProduct(dx, dy, b, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[dx + i]! += m[dy + i]! * m[b + i]!;
    },

    sum(x, n) {
      const m = memory.view;
      let total = 0;
      for (let i = 0; i < n; i++) total += m[x + i]!;
      return total;
    },

    sumOfSquares(x, n) {
      const m = memory.view;
      let total = 0;
      for (let i = 0; i < n; i++) total += m[x + i]! * m[x + i]!;
      return total;
    },

    clamp(x, limit, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[x + i] = Math.max(-limit, Math.min(limit, m[x + i]!));
    },
  };
}
