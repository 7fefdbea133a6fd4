/**
 * Division of kernels among threads. Every thread computes some rows, columns or elements of the output, by the same
 * instructions as one thread computes all of them, and no sum is divided. So the results have the same bits for any number
 * of threads.
 */

import { memoize } from '../../tensor/memoize';
import {
  type Call,
  type Kernel,
  type Kernels,
  longestSum,
  type Operands,
  type Parts,
  type WasmFunction,
} from '../kernel';
import { blockColumns, blockDepth, blockRows, type Product, productOf } from '../product';
import { type Pool, sharing } from './pool';

/** The least work that is divided. */
export interface Grain {
  /** The number of buffers of a function, multiplied by its lengths. */
  elements: number;
  /** The number of multiply-adds of a product. */
  products: number;
  /** The number of multiply-adds of a product for which sleeping threads are woken. Functions do not wake them. */
  waking: number;
}

/** The grain of all kernels. Tests make it smaller. */
export const grain: Grain = { elements: 16_384, products: 524_288, waking: 8_388_608 };

/** The threads of a workspace. */
export interface Threads {
  /** Returns the threads, or undefined if they are not ready or have ended. */
  readonly pool: () => Pool | undefined;
  /** The offset of the scratch memory of a thread. */
  readonly scratchOf: (thread: number) => number;
}

/** Divides the kernels among threads. `parts` are those of the thread of the program. */
export function dividedKernels(name: Kernels['name'], parts: Parts, threads: Threads): Kernels {
  const { memory } = parts;
  /** Whether the threads may be awake: a product has been divided, and they have not been seen asleep since. */
  let isActive = false;
  const activate = (): void => {
    isActive = true;
  };
  const divided: Parts = { ...parts, divide: () => divideProduct(parts, threads, activate) };
  const compose = memoize((kernel: Kernel & { readonly compose: (parts: Parts) => unknown }) =>
    kernel.compose(divided),
  );
  const divide = memoize((kernel: WasmFunction) => divideFunction(kernel, parts.of(kernel), threads));
  return {
    name,
    memory,
    of: ((kernel: Kernel) => {
      if ('compose' in kernel) return compose(kernel);
      // While the threads sleep, functions are called as on one thread.
      if (isActive || !sharing.takesOver) isActive = threads.pool()?.isAwake() === true;
      return (isActive ? divide : parts.of)(kernel);
    }) as Kernels['of'],
  };
}

/** The range of a thread among `count` rows, of which each but the last thread computes a multiple of `unit`. */
function shareOf(thread: number, size: number, count: number, unit: number): readonly [first: number, count: number] {
  const most = Math.ceil(count / size / unit) * unit;
  const first = Math.min(thread * most, count);
  return [first, Math.min(most, count - first)];
}

type Arguments = readonly (number | boolean)[];

/** How the rows or elements of a function are divided. */
interface Division {
  /** The index of the operand that is their number. */
  readonly count: number;
  /** The indices of all lengths. */
  readonly lengths: readonly number[];
  /** For every buffer with a part per row, the index of its operand, and the size of the part. */
  readonly buffers: readonly { readonly index: number; readonly sizeOf: (operands: Arguments) => number }[];
}

/**
 * Returns how a function is divided, or undefined if it is not: if a buffer that it changes does not consist of rows, or
 * if it has an integer that is not a size of its buffers, such as a seed.
 */
export function divisionOf(operands: Operands): Division | undefined {
  const along = operands.includes('rows') ? 'rows' : 'n';
  /** The access to a buffer, then the factors of its size; other operands have only a name. */
  const shapes = operands.map((operand) => operand.split(' '));
  const lengths = operands.flatMap((operand, i) => (/^(read|write|update|number|flag)/.test(operand) ? [] : [i]));
  const areSizes = lengths.every((i) => shapes.some((shape) => shape.indexOf(operands[i]!) > 0));
  const changed = shapes.filter(([access]) => access === 'write' || access === 'update');
  if (!areSizes || changed.length === 0 || changed.some((shape) => shape[1] !== along)) return undefined;
  return {
    count: operands.indexOf(along),
    lengths,
    buffers: shapes.flatMap(([, divided, ...factors], index) => {
      if (divided !== along) return [];
      const sizes = factors.map((factor) => {
        const at = operands.indexOf(factor);
        return (values: Arguments) => Number(values[at] ?? factor);
      });
      return { index, sizeOf: (values) => sizes.reduce((size, sizeIn) => size * sizeIn(values), 1) };
    }),
  };
}

/** Divides the rows or elements of a function among threads. */
function divideFunction(key: WasmFunction, own: Call<Operands, unknown>, { pool: poolOf }: Threads): typeof own {
  const division = divisionOf(key.operands);
  if (division === undefined) return own;
  const { count, lengths, buffers } = division;
  // A range of elements begins at a multiple of a cache line. Functions of rows take about four times as long per element.
  const [unit, cost] = key.operands[count] === 'rows' ? [1, 4] : [16, 1];
  return (...operands) => {
    const pool = poolOf();
    const work = lengths.reduce((product, i) => product * (operands[i] as number), (cost * buffers.length) / 4);
    if (pool === undefined || work < grain.elements) return own(...operands);
    const total = operands[count] as number;
    const sizes = buffers.map(({ sizeOf }) => sizeOf(operands));
    pool.divide((share, thread) => {
      const [first, rows] = shareOf(share, pool.size, total, unit);
      if (rows === 0) return;
      const values = operands.slice();
      values[count] = rows;
      buffers.forEach(({ index }, i) => {
        values[index] = (values[index] as number) + first * sizes[i]!;
      });
      if (thread === 0) own(...values);
      else pool.callerOf(thread, key)(...values);
    });
  };
}

/** Divides a product among threads, by rows or by columns of C. */
function divideProduct(parts: Parts, threads: Threads, activate: () => void): Product {
  const own = productOf(parts);
  const { columns: width } = parts.tiles;
  /** The products whose functions are added to the batches of the threads. */
  const productsOn = memoize((pool: Pool) =>
    Array.from({ length: pool.size - 1 }, (_, i) => {
      const of = memoize((key: WasmFunction) => pool.callerOf(i + 1, key)) as Parts['of'];
      return productOf({ ...parts, of, scratch: threads.scratchOf(i + 1) });
    }),
  );
  return (c, start, startStride, a, b, M, N, K, transposeA, transposeB) => {
    const work = M * N * K;
    // Longer sums have parts, which only one thread adds.
    const pool = work < grain.products || K > longestSum ? undefined : threads.pool();
    if (pool === undefined || (work < grain.waking && !pool.isAwake()))
      return own(c, start, startStride, a, b, M, N, K, transposeA, transposeB);
    activate();
    const products = [own, ...productsOn(pool)];
    const { size } = pool;
    // Threads that divide the rows pack all of B each, and threads that divide the columns all of A.
    const byRows = transposeB === undefined ? M >= 4 * size : M > N;
    const extent = byRows ? M : N;
    const unit = byRows ? 4 : width;
    // A batch has about three calls per block, and room for those of 1,000 blocks.
    const blocks = Math.ceil(M / blockRows) * Math.ceil(N / blockColumns) * Math.ceil(K / blockDepth);
    const atOnce = Math.ceil(extent / Math.ceil(blocks / size / 1000) / unit) * unit;
    for (let from = 0; from < extent; from += atOnce) {
      pool.divide((share, thread) => {
        const [begin, count] = shareOf(share, size, Math.min(atOnce, extent - from), unit);
        if (count === 0) return;
        const first = from + begin;
        const [row, column] = byRows ? [first, 0] : [0, first];
        const [rows, columns] = byRows ? [count, N] : [M, count];
        const inC = row * N + column;
        const inStart = row * startStride + column;
        const inA = row * (transposeA ? 1 : K);
        const inB = column * (transposeB === false ? 1 : K);
        products[thread]!(
          c + inC,
          start + inStart,
          startStride,
          a + inA,
          b + inB,
          M,
          N,
          K,
          transposeA,
          transposeB,
          rows,
          columns,
        );
      });
    }
  };
}
