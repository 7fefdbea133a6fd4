/** Matrix products and rows. */

import type { LinearKernels, Memory } from '../kernels';
import { sharedMultiply } from './product';

export function linearKernels(memory: Memory): LinearKernels {
  const multiply = sharedMultiply();
  let sums = new Float64Array(0);

  /** Makes `n` sums of zero, in double precision. */
  function clearSums(n: number): void {
    if (sums.length < n) sums = new Float64Array(n);
    sums.fill(0, 0, n);
  }

  /** A single row against B as it stands: packing would cost as much as the product. */
  function rowTimesMatrix(c: number, a: number, b: number, N: number, K: number, transposeB: boolean): void {
    const m = memory.view;
    if (transposeB) {
      for (let j = 0, row = b; j < N; j++, row += K) {
        let total = 0;
        for (let k = 0; k < K; k++) total += m[a + k]! * m[row + k]!;
        m[c + j]! += total;
      }
      return;
    }
    clearSums(N);
    let k = 0;
    for (let row = b; k + 4 <= K; k += 4, row += 4 * N) {
      const a0 = m[a + k]!, a1 = m[a + k + 1]!, a2 = m[a + k + 2]!, a3 = m[a + k + 3]!;
      for (let j = 0, y = row; j < N; j++, y++) {
        sums[j]! += a0 * m[y]! + a1 * m[y + N]! + a2 * m[y + 2 * N]! + a3 * m[y + 3 * N]!;
      }
    }
    for (; k < K; k++) for (let j = 0; j < N; j++) sums[j]! += m[a + k]! * m[b + k * N + j]!;
    for (let j = 0; j < N; j++) m[c + j]! += sums[j]!;
  }

  return {
    gemm(c, a, b, M, N, K, transposeA, transposeB, accumulate) {
      if (!accumulate) memory.view.fill(0, c, c + M * N);
      if (M === 1) return rowTimesMatrix(c, a, b, N, K, transposeB);
      multiply(memory.view, c, a, b, M, N, K, transposeA, transposeB);
    },

    addRowVector(y, v, rows, n) {
      const m = memory.view;
      for (let r = 0; r < rows; r++) for (let j = 0; j < n; j++) m[y + r * n + j]! += m[v + j]!;
    },

    sumRows(dv, dy, rows, n) {
      const m = memory.view;
      clearSums(n);
      for (let r = 0; r < rows; r++) for (let j = 0; j < n; j++) sums[j]! += m[dy + r * n + j]!;
      for (let j = 0; j < n; j++) m[dv + j]! += sums[j]!;
    },

    gatherRows(y, table, ids, rows, n) {
      const m = memory.view;
      for (let r = 0; r < rows; r++) {
        const id = m[ids + r]!;
        if (id < 0) m.fill(0, y + r * n, y + (r + 1) * n);
        else m.copyWithin(y + r * n, table + id * n, table + (id + 1) * n);
      }
    },

    scatterAddRows(dtable, dy, ids, rows, n) {
      const m = memory.view;
      for (let r = 0; r < rows; r++) {
        const id = m[ids + r]!;
        if (id < 0) continue;
        for (let j = 0; j < n; j++) m[dtable + id * n + j]! += m[dy + r * n + j]!;
      }
    },
  };
}
