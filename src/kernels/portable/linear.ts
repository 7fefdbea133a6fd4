/** Matrix products and rows. */

import type { LinearKernels, Memory } from '../kernels';

/** Rows and columns of the block of C that one pass of the inner loop makes: eight sums and their operands fit the registers. */
const blockRows = 2;
const blockColumns = 4;
/** How much of K is packed at a time, so that a panel of B stays in the first cache. */
const blockDepth = 256;

export function linearKernels(memory: Memory): LinearKernels {
  // Packed in double precision, which spares the inner loop the conversion of every operand.
  let panelA = new Float64Array(blockRows * blockDepth);
  let panelB = new Float64Array(0);

  /** B's rows k0…k0+depth as panels of four columns, padded with zeros. */
  function packB(b: number, k0: number, depth: number, N: number, K: number, transposed: boolean): void {
    const m = memory.view;
    const size = Math.ceil(N / blockColumns) * blockColumns * depth;
    if (panelB.length < size) panelB = new Float64Array(size);
    const rowStride = transposed ? 1 : N;
    const columnStride = transposed ? K : 1;
    let to = 0;
    for (let j = 0; j < N; j += blockColumns) {
      const columns = Math.min(blockColumns, N - j);
      for (let k = 0; k < depth; k++) {
        const from = b + (k0 + k) * rowStride + j * columnStride;
        for (let q = 0; q < blockColumns; q++) panelB[to++] = q < columns ? m[from + q * columnStride]! : 0;
      }
    }
  }

  /** A's rows i and i + 1, columns k0…k0+depth, interleaved. */
  function packA(a: number, i: number, k0: number, depth: number, M: number, K: number, transposed: boolean): void {
    const m = memory.view;
    const rowStride = transposed ? 1 : K;
    const columnStride = transposed ? M : 1;
    let from = a + i * rowStride + k0 * columnStride;
    const second = i + 1 < M ? rowStride : -1;
    for (let k = 0, to = 0; k < depth; k++, to += blockRows, from += columnStride) {
      panelA[to] = m[from]!;
      panelA[to + 1] = second < 0 ? 0 : m[from + second]!;
    }
  }

  /** Two rows of C against every panel of B. */
  function multiplyPanels(c: number, depth: number, N: number, rows: number): void {
    const m = memory.view;
    const pa = panelA;
    const pb = panelB;
    for (let j = 0, panel = 0; j < N; j += blockColumns, panel += blockColumns * depth) {
      let c00 = 0, c01 = 0, c02 = 0, c03 = 0;
      let c10 = 0, c11 = 0, c12 = 0, c13 = 0;
      for (let k = 0, x = 0, y = panel; k < depth; k++, x += blockRows, y += blockColumns) {
        const a0 = pa[x]!, a1 = pa[x + 1]!;
        const b0 = pb[y]!, b1 = pb[y + 1]!, b2 = pb[y + 2]!, b3 = pb[y + 3]!;
        c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3;
        c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3;
      }
      const columns = N - j;
      const first = c + j;
      const second = first + N;
      m[first]! += c00;
      if (columns > 1) m[first + 1]! += c01;
      if (columns > 2) m[first + 2]! += c02;
      if (columns > 3) m[first + 3]! += c03;
      if (rows < 2) continue;
      m[second]! += c10;
      if (columns > 1) m[second + 1]! += c11;
      if (columns > 2) m[second + 2]! += c12;
      if (columns > 3) m[second + 3]! += c13;
    }
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
    if (panelB.length < N) panelB = new Float64Array(N);
    const sums = panelB.fill(0, 0, N);
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
      for (let k0 = 0; k0 < K; k0 += blockDepth) {
        const depth = Math.min(blockDepth, K - k0);
        packB(b, k0, depth, N, K, transposeB);
        for (let i = 0; i < M; i += blockRows) {
          packA(a, i, k0, depth, M, K, transposeA);
          multiplyPanels(c + i * N, depth, N, M - i);
        }
      }
    },

    addRowVector(y, v, rows, n) {
      const m = memory.view;
      for (let r = 0; r < rows; r++) for (let j = 0; j < n; j++) m[y + r * n + j]! += m[v + j]!;
    },

    sumRows(dv, dy, rows, n) {
      const m = memory.view;
      for (let j = 0; j < n; j++) {
        let total = 0;
        for (let r = 0; r < rows; r++) total += m[dy + r * n + j]!;
        m[dv + j]! += total;
      }
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
