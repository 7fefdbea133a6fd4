/** Filling, copying, and copying with strides. */

import type { Heap, Memory, MovementKernels } from '../kernels';

export function movementKernels(memory: Memory): MovementKernels {
  return {
    fill(y, value, n) {
      memory.view.fill(value, y, y + n);
    },

    copy(y, x, n) {
      memory.view.copyWithin(y, x, x + n);
    },

    copyStrided(y, yStrides, x, xStrides, shape) {
      forRows(memory.view, y, yStrides, x, xStrides, shape, (m, y, ys, x, xs, n) => {
        for (let i = 0; i < n; i++) m[y + i * ys] = m[x + i * xs]!;
      });
    },

    addStrided(dx, dxStrides, dy, dyStrides, shape) {
      forRows(memory.view, dx, dxStrides, dy, dyStrides, shape, (m, dx, dxs, dy, dys, n) => {
        if (dxs === 0) {
          let total = 0;
          for (let i = 0; i < n; i++) total += m[dy + i * dys]!;
          m[dx]! += total;
        } else {
          for (let i = 0; i < n; i++) m[dx + i * dxs]! += m[dy + i * dys]!;
        }
      });
    },
  };
}

type Row = (m: Heap, a: number, aStride: number, b: number, bStride: number, n: number) => void;

/** Visits every row along the last axis of `shape`, in order. */
function forRows(
  m: Heap, a: number, aStrides: readonly number[], b: number, bStrides: readonly number[], shape: readonly number[], visit: Row,
): void {
  const last = shape.length - 1;
  if (last < 0) return visit(m, a, 0, b, 0, 1);
  const descend = (axis: number, a: number, b: number): void => {
    const [as, bs, n] = [aStrides[axis]!, bStrides[axis]!, shape[axis]!];
    if (axis === last) return visit(m, a, as, b, bs, n);
    for (let i = 0; i < n; i++) descend(axis + 1, a + i * as, b + i * bs);
  };
  descend(0, a, b);
}
