/** Filling and copying, contiguous or strided. */

import type { Call, Kernel, LocalsOf, WasmFunction } from './kernel';
import {
  add,
  bitAnd,
  equal,
  type I32,
  loadOne,
  moveBytes,
  number,
  pairAdd,
  pairOf,
  pairZero,
  type Statement,
  set,
  shiftLeft,
  singles,
  splat,
  storeOne,
  vAdd,
  when,
} from './simd/assembler';
import { overElements, times } from './simd/loops';

const filled = ['write n', 'number', 'n'] as const;

/** y = value. */
export const fill: Kernel<typeof filled> = {
  operands: filled,
  portable: (memory) => (y, value, n) => {
    memory.view.fill(value, y, y + n);
  },
  simd: ([y, value, n], w) => {
    const [vector] = w.vectors;
    return [set(vector, splat(value)), ...overElements(w, n, [y], (e) => [e.store(y, vector)])];
  },
};

const copied = ['write n', 'read n', 'n'] as const;

/** y = x. They may overlap. */
export const copy: Kernel<typeof copied> = {
  operands: copied,
  portable: (memory) => (y, x, n) => {
    memory.view.copyWithin(y, x, x + n);
  },
  simd: ([y, x, n]) => [moveBytes(y, x, shiftLeft(n, 2))],
};

const row = ['update', 'yStride', 'read', 'xStride', 'n'] as const;
const strided = ['update', 'list', 'read', 'list', 'list'] as const;

/** Whether both strides equal `stride`. */
const bothAre = (stride: number, [, yStride, , xStride]: LocalsOf<typeof row>): I32 =>
  bitAnd(equal(yStride, number(stride)), equal(xStride, number(stride)));

/** Runs the body for every element, advancing the addresses by the strides. */
const byStrides = ([y, yStride, x, xStride, n]: LocalsOf<typeof row>, body: Statement): Statement =>
  times(n, [body, set(y, add(y, shiftLeft(yStride, 2))), set(x, add(x, shiftLeft(xStride, 2)))]);

/** y[i·yStride] = x[i·xStride]. */
const copyRow: WasmFunction<typeof row> = {
  operands: row,
  simd: (o, w) => {
    const [y, , x, , n] = o;
    return [
      when(
        bothAre(1, o),
        overElements(w, n, [y, x], (e) => [e.store(y, e.load(x))]),
        [byStrides(o, storeOne(y, loadOne(x)))],
      ),
    ];
  },
};

/** y[i·yStride] += x[i·xStride]; if yStride is 0, the elements of x are first summed in double precision. */
const addRow: WasmFunction<typeof row> = {
  operands: row,
  simd: (o, w) => {
    const [y, yStride, x, , n] = o;
    const [total] = w.vectors;
    return [
      when(
        equal(yStride, number(0)),
        [
          set(total, pairZero()),
          byStrides(o, set(total, pairAdd(total, pairOf(loadOne(x))))),
          storeOne(y, singles(pairAdd(pairOf(loadOne(y)), total))),
        ],
        [
          when(
            bothAre(1, o),
            overElements(w, n, [y, x], (e) => [e.store(y, vAdd(e.load(y), e.load(x)))]),
            [byStrides(o, storeOne(y, vAdd(loadOne(y), loadOne(x))))],
          ),
        ],
      ),
    ];
  },
};

/** y[i·yStrides] = x[i·xStrides] for every multi-index i of `shape`; a stride of 0 in xStrides repeats elements. */
export const copyStrided: Kernel<typeof strided> = {
  operands: strided,
  portable: (memory) =>
    everyRow((y, yStride, x, xStride, n) => {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i * yStride] = m[x + i * xStride]!;
    }),
  compose: (parts) => everyRow(parts.of(copyRow)),
};

/** y[i·yStrides] += x[i·xStrides] for every multi-index i of `shape`; a stride of 0 in yStrides sums elements. */
export const addStrided: Kernel<typeof strided> = {
  operands: strided,
  portable: (memory) =>
    everyRow((y, yStride, x, xStride, n) => {
      const m = memory.view;
      if (yStride === 0) {
        let total = 0;
        for (let i = 0; i < n; i++) total += m[x + i * xStride]!;
        m[y]! += total;
      } else {
        for (let i = 0; i < n; i++) m[y + i * yStride]! += m[x + i * xStride]!;
      }
    }),
  compose: (parts) => everyRow(parts.of(addRow)),
};

/** Calls `visit` for every row along the last axis of a shape, in order. */
function everyRow(visit: Call<typeof row>): Call<typeof strided> {
  return (y, yStrides, x, xStrides, shape) => {
    const last = shape.length - 1;
    if (last < 0) {
      visit(y, 0, x, 0, 1);
      return;
    }
    const descend = (axis: number, y: number, x: number): void => {
      const [yStride, xStride, n] = [yStrides[axis]!, xStrides[axis]!, shape[axis]!];
      if (axis === last) visit(y, yStride, x, xStride, n);
      else for (let i = 0; i < n; i++) descend(axis + 1, y + i * yStride, x + i * xStride);
    };
    descend(0, y, x);
  };
}
