/** Filling and copying, contiguous or strided. */

import { sameShape, sizeOf, stridesOf } from '../tensor/shape';
import { sumOf } from './arithmetic';
import type { Call, Kernel, Memory, WasmFunction } from './kernel';
import { sumByBlocks, sumRows } from './linear';
import {
  anyTrue,
  bitAnd,
  equal,
  inBytes,
  increase,
  loadOne,
  moveBytes,
  number,
  set,
  splat,
  storeOne,
  toF64,
  type Vector,
  vAdd,
  vOr,
  vXor,
  vZero,
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

// Not `n`, since the elements are not independent if the buffers overlap.
const copied = ['write size', 'read size', 'size'] as const;

/** y = x. They may overlap. */
export const copy: Kernel<typeof copied> = {
  operands: copied,
  portable: (memory) => (y, x, n) => {
    memory.view.copyWithin(y, x, x + n);
  },
  simd: ([y, x, n]) => [moveBytes(y, x, inBytes(n))],
};

const compared = ['read n', 'read n', 'n'] as const;

/** 1 if x and y differ in a bit, as 0 and −0 do, and 0 if they are equal. */
export const differing: Kernel<typeof compared, number> = {
  operands: compared,
  portable: (memory) => (x, y, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) if (!Object.is(m[x + i], m[y + i])) return 1;
    return 0;
  },
  simd: ([x, y, n], w) => {
    const [bits] = w.vectors;
    return [
      set(bits, vZero()),
      ...overElements(w, n, [x, y], (e) => [set(bits, vOr(bits, vXor(e.load(x), e.load(y))))]),
      toF64(anyTrue(bits)),
    ];
  },
};

const row = ['update', 'yStride', 'read', 'xStride', 'n'] as const;
const strided = ['update', 'list', 'read', 'list', 'list'] as const;

/** y[i·yStride] = f(y[i·yStride], x[i·xStride]). */
const byStrides = (f: (y: Vector, x: Vector) => Vector): WasmFunction<typeof row> => ({
  operands: row,
  simd: ([y, yStride, x, xStride, n], w) => [
    when(
      bitAnd(equal(yStride, number(1)), equal(xStride, number(1))),
      overElements(w, n, [y, x], (e) => [e.store(y, f(e.load(y), e.load(x)))]),
      [
        times(n, [
          storeOne(y, f(loadOne(y), loadOne(x))),
          increase(y, inBytes(yStride)),
          increase(x, inBytes(xStride)),
        ]),
      ],
    ),
  ],
});

const copyRow = /* @__PURE__ */ byStrides((_, x) => x);
const addRow = /* @__PURE__ */ byStrides(vAdd);

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

/**
 * y[i·yStrides] += x[i·xStrides] for every multi-index i of `shape`; a stride of 0 in yStrides sums elements, in double
 * precision. If the leading strides of y are 0 and x is dense, the other strides of y must be dense.
 */
export const addStrided: Kernel<typeof strided> = {
  operands: strided,
  portable: (memory) =>
    summing(
      memory,
      sumRows.portable(memory),
      sumOf.portable(memory),
      everyRow((y, yStride, x, xStride, n) => {
        const m = memory.view;
        for (let i = 0; i < n; i++) m[y + i * yStride]! += m[x + i * xStride]!;
      }),
    ),
  compose: (parts) => summing(parts.memory, sumByBlocks(parts), parts.of(sumOf), everyRow(parts.of(addRow))),
};

/**
 * Adds rows without a stride of 0 with `addRows`. Sums the leading axes of a dense x with `sumRowsOf`, and contiguous
 * rows with `sumOfRow`.
 */
function summing(
  memory: Memory,
  sumRowsOf: Call<typeof sumRows.operands>,
  sumOfRow: Call<typeof sumOf.operands, number>,
  addRows: Call<typeof strided>,
): Call<typeof strided> {
  return (y, yStrides, x, xStrides, shape) => {
    const leading = yStrides.lastIndexOf(0) + 1;
    if (leading === 0) return addRows(y, yStrides, x, xStrides, shape);
    const n = sizeOf(shape.slice(leading));
    if (yStrides.slice(0, leading).every((stride) => stride === 0) && sameShape(xStrides, stridesOf(shape)))
      return sumRowsOf(y, x, sizeOf(shape.slice(0, leading)), n);
    const m = memory.view;
    const sums = new Float64Array(shape.reduce((size, length, axis) => size + (length - 1) * yStrides[axis]!, 1));
    everyRow((to, yStride, from, xStride, n) => {
      if (yStride === 0 && xStride === 1) sums[to]! += sumOfRow(from, n);
      else for (let i = 0; i < n; i++) sums[to + i * yStride]! += m[from + i * xStride]!;
    })(0, yStrides, x, xStrides, shape);
    sums.forEach((sum, i) => {
      m[y + i]! += sum;
    });
  };
}

/** Calls `visit` for every row along the last axis of a shape, in order. A scalar is a row of one element. */
function everyRow(visit: Call<typeof row>): Call<typeof strided> {
  return (y, yStrides, x, xStrides, shape) => {
    const descend = (axis: number, y: number, x: number): void => {
      const yStride = yStrides[axis] ?? 0;
      const xStride = xStrides[axis] ?? 0;
      const n = shape[axis] ?? 1;
      if (axis >= shape.length - 1) visit(y, yStride, x, xStride, n);
      else for (let i = 0; i < n; i++) descend(axis + 1, y + i * yStride, x + i * xStride);
    };
    descend(0, y, x);
  };
}
