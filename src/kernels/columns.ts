/** Operations of the columns of matrices: depthwise convolution, batch normalization, maxima, and windows. */

import type { Call, Kernel, Parts, WasmFunction } from './kernel';
import { addColumnSums, rowsAtOnce } from './linear';
import { inBytes, increase, set, vAdd, vAnd, vEqual, vExcept, vMax, vSelect } from './simd/assembler';
import { nextRow, overColumns, overElements, times } from './simd/loops';
import { multiplyAdd } from './simd/math';

const tapped = ['update rows n', 'read', 'read taps n', 'rows', 'taps', 'tapStride', 'n'] as const;

/**
 * y[r, c] += Σ_j weight[j, c] · x[r·n + j·tapStride + c]: every column with its own weights. `tapStride` may be
 * negative.
 */
export const multiplyTaps: Kernel<typeof tapped> = {
  operands: tapped,
  portable: (memory) => (y, x, weight, rows, taps, tapStride, n) => {
    const m = memory.view;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < n; c++) {
        let sum = m[y + r * n + c]!;
        for (let j = 0; j < taps; j++) sum += m[weight + j * n + c]! * m[x + r * n + j * tapStride + c]!;
        m[y + r * n + c] = sum;
      }
    }
  },
  simd: ([y, x, weight, rows, taps, tapStride, n], w) => {
    const [source, factor, left, weights] = w.pointers;
    return [
      set(tapStride, inBytes(tapStride)),
      times(rows, [
        set(weights, weight),
        ...overColumns(w, n, [y, x, weights], (vectors, e) => {
          const sums = Array.from({ length: vectors }, () => w.local('v128'));
          return [
            ...sums.map((sum, i) => set(sum, e.load(y, 16 * i))),
            set(source, x),
            set(factor, weights),
            set(left, taps),
            times(left, [
              ...sums.map((sum, i) => set(sum, multiplyAdd(w, e.load(source, 16 * i), e.load(factor, 16 * i), sum))),
              increase(source, tapStride),
              ...nextRow(n, factor),
            ]),
            ...sums.map((sum, i) => e.store(y, sum, 16 * i)),
          ];
        }),
      ]),
    ];
  },
};

const products = ['update n', 'read rows n', 'read rows n', 'rows', 'n'] as const;

/** dv += Σ x · y over the rows, summed in double precision. */
export const sumProducts: Kernel<typeof products> = {
  operands: products,
  portable: (memory) => (dv, x, y, rows, n) => {
    const m = memory.view;
    const sums = new Float64Array(n);
    for (let r = 0, i = 0; r < rows; r++, i += n) for (let c = 0; c < n; c++) sums[c]! += m[x + i + c]! * m[y + i + c]!;
    for (let c = 0; c < n; c++) m[dv + c]! += sums[c]!;
  },
  compose: inBlocks,
};

/** {@link sumProducts} in blocks. */
function inBlocks({ of }: Parts): Call<typeof products> {
  const sum = of(sumProductsBlock);
  return (dv, x, y, rows, n) => {
    const atOnce = rowsAtOnce(n);
    for (let r = 0; r < rows; r += atOnce) sum(dv, x + r * n, y + r * n, Math.min(atOnce, rows - r), n);
  };
}

const sumProductsBlock: WasmFunction<typeof products> = {
  operands: products,
  simd: ([dv, x, y, rows, n], w) => addColumnSums(w, dv, [x, y], rows, n),
};

const scaled = ['write rows n', 'read rows n', 'read n', 'read n', 'rows', 'n'] as const;

/** y = scale · x + shift, with a scale and a shift per column. */
export const scaleColumns: Kernel<typeof scaled> = {
  operands: scaled,
  portable: (memory) => (y, x, scale, shift, rows, n) => {
    const m = memory.view;
    for (let r = 0, i = 0; r < rows; r++, i += n) {
      for (let c = 0; c < n; c++) m[y + i + c] = m[scale + c]! * m[x + i + c]! + m[shift + c]!;
    }
  },
  simd: ([y, x, scale, shift, rows, n], w) => {
    const [factors, terms] = w.pointers;
    return [
      times(rows, [
        set(factors, scale),
        set(terms, shift),
        ...overElements(w, n, [y, x, factors, terms], (e) => [
          e.store(y, multiplyAdd(w, e.load(factors), e.load(x), e.load(terms))),
        ]),
      ]),
    ];
  },
};

const combined = ['update rows n', 'read rows n', 'read rows n', 'read n', 'read n', 'read n', 'rows', 'n'] as const;

/** z += a · x + b · y + c, with a, b and c per column. */
export const combineColumns: Kernel<typeof combined> = {
  operands: combined,
  portable: (memory) => (z, x, y, a, b, c, rows, n) => {
    const m = memory.view;
    for (let r = 0, i = 0; r < rows; r++, i += n) {
      for (let j = 0; j < n; j++) m[z + i + j]! += m[a + j]! * m[x + i + j]! + m[b + j]! * m[y + i + j]! + m[c + j]!;
    }
  },
  simd: ([z, x, y, a, b, c, rows, n], w) => {
    const [ofX, ofY, terms] = w.pointers;
    return [
      times(rows, [
        set(ofX, a),
        set(ofY, b),
        set(terms, c),
        ...overElements(w, n, [z, x, y, ofX, ofY, terms], (e) => [
          e.store(
            z,
            vAdd(
              e.load(z),
              multiplyAdd(w, e.load(ofX), e.load(x), multiplyAdd(w, e.load(ofY), e.load(y), e.load(terms))),
            ),
          ),
        ]),
      ]),
    ];
  },
};

const larger = ['update n', 'read n', 'n'] as const;

/** y = max(y, x); NaN if one of them is. */
export const takeLarger: Kernel<typeof larger> = {
  operands: larger,
  portable: (memory) => (y, x, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) m[y + i] = Math.max(m[y + i]!, m[x + i]!);
  },
  simd: ([y, x, n], w) =>
    overElements(w, n, [y, x], (e) => {
      const value = w.local('v128');
      // The maximum is x if x is NaN, but not if y is.
      return [set(value, e.load(y)), e.store(y, vSelect(vEqual(value, value), vMax(e.load(x), value), value))];
    }),
};

const where = ['update n', 'update n', 'read n', 'read n', 'n'] as const;

/** Where x equals y: dx += rest, and rest = 0. Of several taps with the maximum y, the first gets its gradient. */
export const moveWhereEqual: Kernel<typeof where> = {
  operands: where,
  portable: (memory) => (dx, rest, x, y, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) {
      if (m[x + i] !== m[y + i]) continue;
      m[dx + i]! += m[rest + i]!;
      m[rest + i] = 0;
    }
  },
  simd: ([dx, rest, x, y, n], w) =>
    overElements(w, n, [dx, rest, x, y], (e) => {
      const isEqual = w.local('v128');
      const value = w.local('v128');
      return [
        set(isEqual, vEqual(e.load(x), e.load(y))),
        set(value, e.load(rest)),
        e.store(dx, vAdd(e.load(dx), vAnd(value, isEqual))),
        e.store(rest, vExcept(value, isEqual)),
      ];
    }),
};

const unfolded = ['write rows taps n', 'read', 'rows', 'taps', 'rowStride', 'tapStride', 'n'] as const;

/** y[(r·taps + j)·n + c] = x[r·rowStride + j·tapStride + c]: the windows of a convolution as rows of a matrix. */
export const unfoldWindows: Kernel<typeof unfolded> = {
  operands: unfolded,
  portable: (memory) => (y, x, rows, taps, rowStride, tapStride, n) => {
    const m = memory.view;
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < taps; j++) {
        for (let c = 0; c < n; c++) m[y + (r * taps + j) * n + c] = m[x + r * rowStride + j * tapStride + c]!;
      }
    }
  },
  simd: ([y, x, rows, taps, rowStride, tapStride, n], w) => {
    const [start, source, left] = w.pointers;
    return [
      times(rows, [
        set(start, x),
        set(left, taps),
        times(left, [
          set(source, start),
          ...overElements(w, n, [y, source], (e) => [e.store(y, e.load(source))]),
          increase(start, inBytes(tapStride)),
        ]),
        increase(x, inBytes(rowStride)),
      ]),
    ];
  },
};

const folded = ['update', 'read rows taps n', 'rows', 'taps', 'rowStride', 'tapStride', 'n'] as const;

/** dx[r·rowStride + j·tapStride + c] += dy[(r·taps + j)·n + c]: the gradient of {@link unfoldWindows}. */
export const foldWindows: Kernel<typeof folded> = {
  operands: folded,
  portable: (memory) => (dx, dy, rows, taps, rowStride, tapStride, n) => {
    const m = memory.view;
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < taps; j++) {
        for (let c = 0; c < n; c++) m[dx + r * rowStride + j * tapStride + c]! += m[dy + (r * taps + j) * n + c]!;
      }
    }
  },
  simd: ([dx, dy, rows, taps, rowStride, tapStride, n], w) => {
    const [start, target, left] = w.pointers;
    return [
      times(rows, [
        set(start, dx),
        set(left, taps),
        times(left, [
          set(target, start),
          ...overElements(w, n, [dy, target], (e) => [e.store(target, vAdd(e.load(target), e.load(dy)))]),
          increase(start, inBytes(tapStride)),
        ]),
        increase(dx, inBytes(rowStride)),
      ]),
    ];
  },
};
