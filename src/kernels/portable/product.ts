/** The portable matrix product: blocked, over panels packed in double precision. */

import { type Heap, partialSums } from '../kernel';

/*
 * C is computed in tiles of two rows and four columns: eight sums and their operands fit in registers. The sizes 2 and
 * 4 are literals, because bundlers turn module constants into variables, which the inner loop would read in every
 * iteration.
 */

/** The extent of K packed at a time. A panel of B fits the L1 cache. */
const blockDepth = 256;
/** The number of rows of A packed at a time. All of them use a panel of B once it has been read from the L2 cache. */
const blockRows = 16;
/** The number of columns of B packed at a time. */
const blockColumns = 256;

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
 * Returns the product function that all workspaces share. There is only one, because compilers treat the panels of a
 * closure that is created once as constants: with their address and length known, the inner loop is 1.5 times as fast.
 */
export function sharedMultiply(): Multiply {
  shared ??= createMultiply();
  return shared;
}

function createMultiply(): Multiply {
  // The panels of A, then those of B. Double precision avoids converting every operand in the inner loop.
  const panels = new Float64Array((blockRows + blockColumns) * blockDepth);
  const panelsOfB = blockRows * blockDepth;

  /** Packs rows of A into panels [depth, 2], padded with zeros. */
  function packA(m: Heap, a: number, rowStride: number, columnStride: number, rows: number, depth: number): void {
    let to = 0;
    for (let i = 0; i < rows; i += 2) {
      let from = a + i * rowStride;
      const paired = i + 1 < rows;
      for (let k = 0; k < depth; k++, to += 2, from += columnStride) {
        panels[to] = m[from]!;
        panels[to + 1] = paired ? m[from + rowStride]! : 0;
      }
    }
  }

  /** Packs columns of B into panels [depth, 4], padded with zeros. */
  function packB(
    m: Heap,
    b: number,
    rowStride: number,
    columnStride: number,
    panelStride: number,
    depth: number,
    columns: number,
  ): void {
    let to = panelsOfB;
    for (let j = 0; j < columns; j += 4) {
      const rest = columns - j;
      let from = b + (panelStride === 0 ? j * columnStride : (j >> 3) * panelStride + (j & 7));
      for (let k = 0; k < depth; k++, to += 4, from += rowStride) {
        panels[to] = m[from]!;
        panels[to + 1] = rest > 1 ? m[from + columnStride]! : 0;
        panels[to + 2] = rest > 2 ? m[from + 2 * columnStride]! : 0;
        panels[to + 3] = rest > 3 ? m[from + 3 * columnStride]! : 0;
      }
    }
  }

  /**
   * Adds the panel of A at `a` times the panel of B at `b` to the tile of C at `c`, at most two rows and four columns.
   */
  function multiplyTile(
    m: Heap,
    c: number,
    a: number,
    b: number,
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
    for (let k = 0, x = a, y = b; k < depth; k++, x += 2, y += 4) {
      const a0 = panels[x]!,
        a1 = panels[x + 1]!;
      const b0 = panels[y]!,
        b1 = panels[y + 1]!,
        b2 = panels[y + 2]!,
        b3 = panels[y + 3]!;
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
    for (let k0 = 0; k0 < K; k0 += blockDepth) {
      const depth = Math.min(blockDepth, K - k0);
      for (let j0 = 0; j0 < N; j0 += blockColumns) {
        const columns = Math.min(blockColumns, N - j0);
        const firstOfB = b + k0 * rowStrideB + (panelStride === 0 ? j0 * columnStrideB : (j0 / 8) * panelStride);
        packB(m, firstOfB, rowStrideB, columnStrideB, panelStride, depth, columns);
        for (let i0 = 0; i0 < M; i0 += blockRows) {
          const rows = Math.min(blockRows, M - i0);
          packA(m, a + i0 * rowStrideA + k0 * columnStrideA, rowStrideA, columnStrideA, rows, depth);
          for (let j = 0; j < columns; j += 4) {
            for (let i = 0; i < rows; i += 2) {
              multiplyTile(
                m,
                c + (i0 + i) * N + j0 + j,
                i * depth,
                panelsOfB + j * depth,
                depth,
                N,
                rows - i,
                columns - j,
              );
            }
          }
        }
      }
      addPart?.(k0 + depth);
    }
  };
}
