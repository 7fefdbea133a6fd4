/** Row operations: sum, gather and scatter. */

import { type Call, type Kernel, longestSum, type Memory, type Parts, type WasmFunction } from './kernel';
import {
  add,
  inBytes,
  increase,
  type Local,
  less,
  loadOne,
  multiply,
  number,
  pairAdd,
  pairOf,
  pairZero,
  type Statement,
  set,
  shuffle,
  singles,
  tee,
  truncate,
  vAdd,
  vMultiply,
  vZero,
  type Writer,
  when,
} from './simd/assembler';
import { nextRow, overColumns, overElements, times } from './simd/loops';

const summed = ['update n', 'read rows n', 'rows', 'n'] as const;

/** Adds to dv [n] the sums over the rows of the products of matrices [rows, n], in double precision. */
export function addColumnSums(
  w: Writer,
  dv: Local<'i32'>,
  matrices: readonly Local<'i32'>[],
  rows: Local<'i32'>,
  n: Local<'i32'>,
): Statement[] {
  const [count] = w.pointers;
  const [value] = w.vectors;
  const sources = matrices.map(() => w.local('i32'));
  return overColumns(w, n, [dv, ...matrices], (vectors, e) => {
    const sums = Array.from({ length: vectors }, () => [w.local('v128'), w.local('v128')] as const);
    return [
      ...sums.flat().map((sum) => set(sum, pairZero())),
      ...sources.map((source, i) => set(source, matrices[i]!)),
      set(count, rows),
      times(count, [
        ...sums.flatMap(([low, high], i) => [
          set(value, sources.map((source) => e.load(source, 16 * i)).reduce(vMultiply)),
          set(low, pairAdd(low, pairOf(value))),
          set(high, pairAdd(high, pairOf(shuffle(value, value, [2, 3, 2, 3])))),
        ]),
        ...nextRow(n, ...sources),
      ]),
      ...sums.map(([low, high], i) =>
        e.store(dv, vAdd(e.load(dv, 16 * i), shuffle(singles(low), singles(high), [0, 1, 4, 5])), 16 * i),
      ),
    ];
  });
}

/** dv += the sum of the rows of dy, in double precision. */
const sumBlock: WasmFunction<typeof summed> = {
  operands: summed,
  simd: ([dv, dy, rows, n], w) => addColumnSums(w, dv, [dy], rows, n),
};

/** dv += the sum of the rows of dy, in double precision. */
export const sumRows: Kernel<typeof summed> = {
  operands: summed,
  portable: (memory) => {
    let sums = new Float64Array(0);
    return (dv, dy, rows, n) => {
      const m = memory.view;
      if (sums.length < n) sums = new Float64Array(n);
      sums.fill(0, 0, n);
      for (let r = 0; r < rows; r++) for (let j = 0; j < n; j++) sums[j]! += m[dy + r * n + j]!;
      for (let j = 0; j < n; j++) m[dv + j]! += sums[j]!;
    };
  },
  compose: sumByBlocks,
};

/** The rows of n elements that fit the second cache. A pass down the columns of more of them would miss the TLB. */
export const rowsAtOnce = (n: number): number => Math.max(64, Math.floor(longestSum / n));

/** {@link sumRows} in blocks. */
export function sumByBlocks({ of }: Parts): Call<typeof summed> {
  const sum = of(sumBlock);
  return (dv, dy, rows, n) => {
    const atOnce = rowsAtOnce(n);
    for (let r = 0; r < rows; r += atOnce) sum(dv, dy + r * n, Math.min(atOnce, rows - r), n);
  };
}

const gathered = ['write rows n', 'read', 'read rows', 'rows', 'n'] as const;

/** y[r] = table[ids[r]], for rows of n elements; the id −1 gives a row of zeros. */
export const gatherRows: Kernel<typeof gathered> = {
  operands: gathered,
  portable: (memory) => (y, table, ids, rows, n) => {
    const m = memory.view;
    for (let r = 0; r < rows; r++) {
      const id = m[ids + r]!;
      if (id < 0) m.fill(0, y + r * n, y + (r + 1) * n);
      else m.copyWithin(y + r * n, table + id * n, table + (id + 1) * n);
    }
  },
  simd: ([y, table, ids, rows, n], w) => {
    const [id, source] = w.pointers;
    return [
      times(rows, [
        when(
          less(tee(id, truncate(loadOne(ids))), number(0)),
          overElements(w, n, [y], (e) => [e.store(y, vZero())]),
          [
            set(source, add(table, inBytes(multiply(id, n)))),
            ...overElements(w, n, [y, source], (e) => [e.store(y, e.load(source))]),
          ],
        ),
        increase(ids, 4),
      ]),
    ];
  },
};

const scattered = ['update', 'read rows n', 'read rows', 'rows', 'n'] as const;

/** dtable[ids[r]] += dy[r], for rows of n elements; rows with the id −1 are skipped. */
export const scatterAddRows: Kernel<typeof scattered> = {
  operands: scattered,
  portable: (memory) =>
    summing(memory, (dtable, dy, ids, rows, n) => {
      const m = memory.view;
      for (let r = 0; r < rows; r++) {
        const id = m[ids + r]!;
        if (id < 0) continue;
        for (let j = 0; j < n; j++) m[dtable + id * n + j]! += m[dy + r * n + j]!;
      }
    }),
  compose: ({ of, memory }) => summing(memory, of(scatter)),
};

const scatter: WasmFunction<typeof scattered> = {
  operands: scattered,
  simd: ([dtable, dy, ids, rows, n], w) => {
    const [id, source, target] = w.pointers;
    return [
      times(rows, [
        when(less(number(-1), tee(id, truncate(loadOne(ids)))), [
          set(source, dy),
          set(target, add(dtable, inBytes(multiply(id, n)))),
          ...overElements(w, n, [target, source], (e) => [e.store(target, vAdd(e.load(target), e.load(source)))]),
        ]),
        increase(dy, inBytes(n)),
        increase(ids, 4),
      ]),
    ];
  },
};

/** Adds few rows with `scatterRows`, and sums many in double precision, since most may have the same id. */
function summing(memory: Memory, scatterRows: Call<typeof scattered>): Call<typeof scattered> {
  return (dtable, dy, ids, rows, n) => {
    if (rows <= longestSum) return scatterRows(dtable, dy, ids, rows, n);
    const m = memory.view;
    const sums = new Map<number, Float64Array>();
    for (let r = 0; r < rows; r++) {
      const id = m[ids + r]!;
      const sum = sums.get(id) ?? new Float64Array(n);
      sums.set(id, sum);
      for (let j = 0; j < n; j++) sum[j]! += m[dy + r * n + j]!;
    }
    sums.delete(-1);
    for (const [id, sum] of sums) for (let j = 0; j < n; j++) m[dtable + id * n + j]! += sum[j]!;
  };
}
