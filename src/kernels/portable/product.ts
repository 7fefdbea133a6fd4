/** The portable matrix product, over panels of B that are packed in double precision. */

import { type Heap, partialSums } from '../kernel';

/*
 * C is computed in tiles of two rows and four columns: eight sums and their operands fit in registers. The sizes 2 and
 * 4 are literals, because bundlers turn module constants into variables, which the inner loop would read in every
 * iteration.
 */

/** The extent of K packed at a time. A panel of four columns of B fits the L1 cache. */
const blockDepth = 256;

/**
 * C [M, N] += A [M, K] · B [K, N], with the row and column strides of A and B. If `panelStride` is not 0, B consists of
 * panels of eight columns, and `panelStride` is the distance between them.
 */
type Multiply = (
  m: Heap,
  c: number,
  a: number,
  b: number,
  M: number,
  N: number,
  K: number,
  rowStrideA: number,
  columnStrideA: number,
  rowStrideB: number,
  columnStrideB: number,
  panelStride: number,
) => void;

let shared: Multiply | undefined;

/**
 * Returns the product function that all workspaces share. There is only one, because compilers treat the panel of a
 * closure that is created once as a constant: with its address and length known, the inner loop is 1.5 times as fast.
 */
export function sharedMultiply(): Multiply {
  shared ??= createMultiply();
  return shared;
}

function createMultiply(): Multiply {
  // A panel of B. Double precision avoids converting every element for every two rows of A.
  const panel = new Float64Array(4 * blockDepth);

  /** Packs at most four columns of B into a panel [depth, 4], padded with zeros. */
  function packB(m: Heap, b: number, rowStride: number, columnStride: number, depth: number, columns: number): void {
    for (let y = 0, from = b; y < 4 * depth; y += 4, from += rowStride) {
      panel[y] = m[from]!;
      panel[y + 1] = columns > 1 ? m[from + columnStride]! : 0;
      panel[y + 2] = columns > 2 ? m[from + 2 * columnStride]! : 0;
      panel[y + 3] = columns > 3 ? m[from + 3 * columnStride]! : 0;
    }
  }

  /** Adds two rows of A times the panel to the tile of C at `c`, at most two rows and four columns. */
  function multiplyTile(
    m: Heap,
    c: number,
    a: number,
    rowStride: number,
    columnStride: number,
    depth: number,
    N: number,
    rows: number,
    columns: number,
  ): void {
    let c00 = 0,
      c01 = 0,
      c02 = 0,
      c03 = 0;
    let c10 = 0,
      c11 = 0,
      c12 = 0,
      c13 = 0;
    const next = rows > 1 ? rowStride : 0;
    for (let y = 0, x = a; y < 4 * depth; y += 4, x += columnStride) {
      const a0 = m[x]!,
        a1 = m[x + next]!;
      const b0 = panel[y]!,
        b1 = panel[y + 1]!,
        b2 = panel[y + 2]!,
        b3 = panel[y + 3]!;
      c00 += a0 * b0;
      c01 += a0 * b1;
      c02 += a0 * b2;
      c03 += a0 * b3;
      c10 += a1 * b0;
      c11 += a1 * b1;
      c12 += a1 * b2;
      c13 += a1 * b3;
    }
    m[c]! += c00;
    if (columns > 1) m[c + 1]! += c01;
    if (columns > 2) m[c + 2]! += c02;
    if (columns > 3) m[c + 3]! += c03;
    if (rows < 2) return;
    m[c + N]! += c10;
    if (columns > 1) m[c + N + 1]! += c11;
    if (columns > 2) m[c + N + 2]! += c12;
    if (columns > 3) m[c + N + 3]! += c13;
  }

  return (m, c, a, b, M, N, K, rowStrideA, columnStrideA, rowStrideB, columnStrideB, panelStride) => {
    const addPart = partialSums({ view: m }, c, M * N, K);
    for (let k = 0; k < K; k += blockDepth) {
      const depth = Math.min(blockDepth, K - k);
      for (let j = 0; j < N; j += 4) {
        const first = b + k * rowStrideB + (panelStride === 0 ? j * columnStrideB : (j >> 3) * panelStride + (j & 7));
        packB(m, first, rowStrideB, columnStrideB, depth, N - j);
        for (let i = 0; i < M; i += 2)
          multiplyTile(
            m,
            c + i * N + j,
            a + i * rowStrideA + k * columnStrideA,
            rowStrideA,
            columnStrideA,
            depth,
            N,
            M - i,
            N - j,
          );
      }
      addPart?.(k + depth);
    }
  };
}
