/** Matrix products. */

import { type Kernel, longestSum, type Memory, type Parts, partialSums } from './kernel';
import { sharedMultiply } from './portable/product';

const product = ['update M N', 'read M K', 'read K N', 'M', 'N', 'K', 'flag', 'flag', 'flag'] as const;

/**
 * C [M, N] = A [M, K] · B [K, N], or C += A · B with `accumulate`. With `transposeA`, A is stored as [K, M]; with
 * `transposeB`, B is stored as [N, K].
 */
export const gemm: Kernel<typeof product> = {
  operands: product,
  portable: (memory) => {
    const multiply = sharedMultiply();
    return (c, a, b, M, N, K, transposeA, transposeB, accumulate) => {
      const m = memory.view;
      if (!accumulate) m.fill(0, c, c + M * N);
      multiply(m, c, a, b, M, N, K, transposeA ? 1 : K, transposeA ? M : 1, transposeB ? 1 : N, transposeB ? K : 1, 0);
    };
  },
  compose: (parts) => {
    const multiply = blocked(parts);
    return (c, a, b, M, N, K, transposeA, transposeB, accumulate) =>
      multiply(c, c, accumulate ? N : -1, a, b, M, N, K, transposeA, transposeB);
  },
};

const affineProduct = ['write M N', 'read M K', 'read K N', 'read N', 'M', 'N', 'K'] as const;

/** Y [M, N] = X [M, K] · W [K, N] + b [N], where b is added to every row. */
export const affineRows: Kernel<typeof affineProduct> = {
  operands: affineProduct,
  portable: (memory) => {
    const multiply = gemm.portable(memory);
    return (y, x, weight, bias, M, N, K) => {
      repeatRow(memory, y, bias, M, N);
      multiply(y, x, weight, M, N, K, false, false, true);
    };
  },
  compose: (parts) => {
    const multiply = blocked(parts);
    return (y, x, weight, bias, M, N, K) => multiply(y, bias, 0, x, weight, M, N, K, false, false);
  },
};

/** Copies a row to each of M rows. */
function repeatRow({ view }: Memory, y: number, row: number, M: number, N: number): void {
  for (let i = 0; i < M; i++) view.copyWithin(y + i * N, row, row + N);
}

/** The number of elements of the packed form of a matrix [K, N], with panels of any width. */
export const panelsSize = (K: number, N: number): number => Math.ceil(N / 16) * 16 * K;

const packing = ['write', 'read K N', 'K', 'N', 'flag'] as const;

/**
 * Packs B [K, N] (stored as [N, K] with `transposeB`) for {@link gemmPacked}: into panels of W columns, [⌈N/W⌉, K, W],
 * padded with zeros. W is 16 in wide kernels and 8 in all others.
 */
export const packPanels: Kernel<typeof packing> = {
  operands: packing,
  portable: (memory) => (panels, b, K, N, transposeB) => {
    const m = memory.view;
    for (let j = 0; j < N; j += 8) {
      for (let k = 0; k < K; k++) {
        for (let lane = 0; lane < 8; lane++)
          m[panels++] = j + lane < N ? m[transposeB ? b + (j + lane) * K + k : b + k * N + j + lane]! : 0;
      }
    }
  },
  compose: ({ of, tiles }) => {
    const pack = of(tiles.packColumns);
    return (panels, b, K, N, transposeB) => pack(panels, b, transposeB ? K : 1, transposeB ? 1 : N, N, K);
  },
};

const packedProduct = ['update M N', 'read M K', 'read', 'M', 'N', 'K', 'flag'] as const;

/** C = A · B, or C += A · B with `accumulate`, with B packed by {@link packPanels}. */
export const gemmPacked: Kernel<typeof packedProduct> = {
  operands: packedProduct,
  portable: (memory) => {
    const multiply = sharedMultiply();
    return (c, a, panels, M, N, K, accumulate) => {
      if (!accumulate) memory.view.fill(0, c, c + M * N);
      multiply(memory.view, c, a, panels, M, N, K, K, 1, 8, 1, 8 * K);
    };
  },
  compose: (parts) => {
    const multiply = blocked(parts);
    return (c, a, panels, M, N, K, accumulate) =>
      multiply(c, c, accumulate ? N : -1, a, panels, M, N, K, false, undefined);
  },
};

const packedAffineProduct = ['write M N', 'read M K', 'read', 'read N', 'M', 'N', 'K'] as const;

/** {@link affineRows} with W packed by {@link packPanels}. */
export const affinePacked: Kernel<typeof packedAffineProduct> = {
  operands: packedAffineProduct,
  portable: (memory) => {
    const multiply = gemmPacked.portable(memory);
    return (y, x, panels, bias, M, N, K) => {
      repeatRow(memory, y, bias, M, N);
      multiply(y, x, panels, M, N, K, true);
    };
  },
  compose: (parts) => {
    const multiply = blocked(parts);
    return (y, x, panels, bias, M, N, K) => multiply(y, bias, 0, x, panels, M, N, K, false, undefined);
  },
};

/** The extents of K, rows of A and columns of B packed at a time. A panel of B and the block of A fit the L1 cache. */
export const blockDepth = 256;
export const blockRows = 36;
export const blockColumns = 512;
/** The scratch elements of one tile. */
const tileSize = 64;

/**
 * The number of rows to process in tiles of six, so that the fewest tiles are partial; the others use tiles of four.
 */
function rowsBySix(rows: number): number {
  const left = rows % 6;
  if (left === 5) return rows;
  return Math.max(0, rows - left - (left > 0 && left < 3 ? 6 : 0));
}

/**
 * C = start + A · B. `startStride` is the distance between the rows of `start`; if it is −1, start is zero. The order
 * of the sum of an element depends only on K.
 *
 * @param transposeB undefined if B is packed
 * @param rows the number of rows to compute, by default M
 * @param columns the number of columns to compute, by default N. A and C keep their strides, and B its panels.
 */
export type Product = (
  c: number,
  start: number,
  startStride: number,
  a: number,
  b: number,
  M: number,
  N: number,
  K: number,
  transposeA: boolean,
  transposeB: boolean | undefined,
  rows?: number,
  columns?: number,
) => void;

const blocked = (parts: Parts): Product => parts.product ?? productOf(parts);

/** The product on one thread. */
export function productOf({ of, memory, scratch, tiles }: Parts): Product {
  const { columns: width, low, tall } = tiles;
  const panelsOfA = scratch + tileSize;
  const panelsOfB = panelsOfA + blockRows * blockDepth;
  return (c, start, startStride, a, b, M, N, K, transposeA, transposeB, rows = M, columns = N) => {
    const packed = transposeB === undefined;
    const isRow = M === 1 && !transposeB;
    const columnsAtOnce = packed || isRow ? N : blockColumns;
    const addPart = partialSums(memory, c, M * N, K);
    // The loop runs at least once, because C must be written even if K is 0.
    for (let k = 0; k < Math.max(1, K); k += blockDepth) {
      const depth = Math.min(blockDepth, K - k);
      const from = k === 0 ? start : c;
      const fromStride = k === 0 ? startStride : k % longestSum === 0 ? -1 : N;
      for (let j = 0; j < columns; j += columnsAtOnce) {
        const across = Math.min(columnsAtOnce, columns - j);
        if (isRow) {
          const rowStride = packed ? width : N;
          const panelStride = packed ? width * K : width;
          of(tiles.multiplyRow)(
            c,
            from,
            fromStride >= 0,
            a + k,
            b + k * rowStride,
            columns,
            depth,
            rowStride,
            panelStride,
            scratch,
          );
          continue;
        }
        if (!packed) {
          of(tiles.packColumns)(
            panelsOfB,
            transposeB ? b + j * K + k : b + k * N + j,
            transposeB ? K : 1,
            transposeB ? 1 : N,
            across,
            depth,
          );
        }
        // Each block of rows: tiles of six, then tiles of four. No closure, so that a product does not allocate.
        for (let i = 0, count = 0; i < rows; i += count) {
          const left = Math.min(blockRows - (i % blockRows), rows - i);
          const sixes = tall && i % blockRows === 0 ? rowsBySix(left) : 0;
          const tile = sixes ? tall! : low;
          count = sixes || left;
          of(tile.packRows)(
            panelsOfA,
            transposeA ? a + k * M + i : a + i * K + k,
            transposeA ? 1 : K,
            transposeA ? M : 1,
            count,
            depth,
          );
          of(tile.multiply)(
            c + i * N + j,
            from + i * fromStride + j,
            fromStride >= 0,
            fromStride,
            panelsOfA,
            packed ? b + width * k : panelsOfB,
            count,
            across,
            depth,
            N,
            width * (packed ? K : depth),
            scratch,
          );
        }
      }
      addPart?.(k + depth);
    }
  };
}
