/**
 * Division of kernels among threads. Every thread computes some rows, columns or elements of the output, by the same
 * instructions as one thread computes all of them, and no sum is divided. So the results have the same bits for any
 * number of threads.
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
  /** The number of multiply-adds of a product, or of a step of a recurrence. */
  products: number;
  /**
   * The number of multiply-adds of products for which sleeping threads are woken, and of the forward pass of an update
   * that uses shared memory. Functions do not wake threads.
   */
  waking: number;
  /** The number of rows of the data of an update that uses shared memory. */
  rows: number;
}

/** The grain of all kernels. Tests make it smaller. */
export const grain: Grain = { elements: 16_384, products: 524_288, waking: 8_388_608, rows: 128 };

/** The threads of a workspace. */
export interface Threads {
  /** Returns the threads, or undefined if they are not ready or have ended. */
  readonly pool: () => Pool | undefined;
  /** The offsets of the scratch memory of the threads. */
  readonly scratch: readonly number[];
}

/** The kernels of one thread. */
interface Member {
  readonly kernels: Kernels;
  readonly multiply: Product;
}

/**
 * Returns the threads that share products, given the number of their multiply-adds, or undefined if one computes them.
 */
type MembersFor = (work: number) => readonly [Pool, readonly Member[]] | undefined;

/** Divides the kernels among threads. `parts` are those of the thread of the program. */
export function dividedKernels(name: Kernels['name'], parts: Parts, threads: Threads): Kernels {
  /** Whether the threads may be awake: work has been divided, and they have not been seen asleep since. */
  let isActive = false;
  /** The kernels of the threads of a pool. All but those of the program add their functions to batches. */
  const membersOf = memoize((pool: Pool): readonly [Pool, readonly Member[]] => [
    pool,
    Array.from({ length: pool.size }, (_, i) => {
      const of = memoize((key: WasmFunction) => pool.of(i, key)) as Parts['of'];
      const own = i ? { ...parts, of, scratch: threads.scratch[i]! } : parts;
      return { kernels: kernelsOf(name, own), multiply: productOf(own) };
    }),
  ]);
  const membersFor: MembersFor = (work) => {
    const pool = work >= grain.products && threads.pool();
    if (!pool || (work < grain.waking && !pool.isAwake())) return undefined;
    isActive = true;
    return membersOf(pool);
  };
  const divide = memoize((kernel: WasmFunction) => divideFunction(kernel, parts.of(kernel), threads));
  const kernels: Kernels = {
    ...kernelsOf(name, { ...parts, product: divideProduct(parts, membersFor) }, (kernel) => {
      // While the threads sleep, functions are called as on one thread.
      if (isActive || !sharing.takesOver) isActive = threads.pool()?.isAwake() === true;
      return (isActive ? divide : parts.of)(kernel);
    }),
    overSteps(rows, rowWork, from, to, run) {
      const work = rows * rowWork;
      const isSuitable = rows >= 8 && work >= grain.products && work < mostPerStep;
      const members = isSuitable && membersFor((to - from) * work);
      if (!members) return run(kernels, 0, rows, from, to);
      const [pool, all] = members;
      for (let begin = from; begin < to; begin += stepsAtOnce) {
        pool.divide(rows, 4, (first, count, thread) =>
          run(all[thread]!.kernels, first, count, begin, Math.min(to, begin + stepsAtOnce)),
        );
      }
    },
  };
  return kernels;
}

/**
 * The number of time steps in a batch, and the most multiply-adds of a step. Within these limits, the calls fit in a
 * batch, and no product of a cell of up to 34 gate blocks is summed in parts, which only the thread of the program
 * could add.
 */
const stepsAtOnce = 4;
const mostPerStep = 1e9;

/** Kernels that are composed of `parts`, or functions that `call` returns. */
function kernelsOf(name: Kernels['name'], parts: Parts, call: (key: WasmFunction) => unknown = parts.of): Kernels {
  const compose = memoize((kernel: Kernel & { readonly compose: (parts: Parts) => unknown }) => kernel.compose(parts));
  return {
    name,
    memory: parts.memory,
    of: ((kernel: Kernel) => ('compose' in kernel ? compose(kernel) : call(kernel))) as Kernels['of'],
  };
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
 * Returns how a function is divided, or undefined if it is not: if a buffer that it changes does not consist of rows,
 * or if it has an integer that is not a size of its buffers, such as a seed.
 */
export function divisionOf(operands: Operands): Division | undefined {
  const along = operands.includes('rows') ? 'rows' : 'n';
  /** The access to a buffer, then the factors of its size; other operands have only a name. */
  const shapes = operands.map((operand) => operand.split(' '));
  const lengths = operands.flatMap((operand, i) => (/^(read|write|update|number|flag)/.test(operand) ? [] : [i]));
  const areSizes = lengths.every((i) => shapes.some((shape) => shape.indexOf(operands[i]!) > 0));
  const changed = shapes.filter(([access]) => /write|update/.test(access!));
  if (!areSizes || changed.length === 0 || changed.some((shape) => shape[1] !== along)) return undefined;
  return {
    count: operands.indexOf(along),
    lengths,
    buffers: shapes.flatMap(([, divided, ...factors], index) => {
      /** A factor is the name of a length, or a number. */
      const sizeOf = (values: Arguments): number =>
        factors.reduce((size, factor) => size * Number(values[operands.indexOf(factor)] ?? factor), 1);
      return divided === along ? [{ index, sizeOf }] : [];
    }),
  };
}

/** Divides the rows or elements of a function among threads. */
function divideFunction(key: WasmFunction, own: Call<Operands, unknown>, { pool: poolOf }: Threads): typeof own {
  const division = divisionOf(key.operands);
  if (division === undefined) return own;
  const { count, lengths, buffers } = division;
  // A range of elements begins at a multiple of a cache line. Functions of rows take about four times as long per
  // element.
  const [unit, cost] = key.operands[count] === 'rows' ? [1, 4] : [16, 1];
  return (...operands) => {
    const pool = poolOf();
    const work = lengths.reduce((product, i) => product * (operands[i] as number), (cost * buffers.length) / 4);
    if (!pool || work < grain.elements) return own(...operands);
    pool.divide(operands[count] as number, unit, (first, rows, thread) => {
      const values = [...operands];
      values[count] = rows;
      for (const { index, sizeOf } of buffers) (values[index] as number) += first * sizeOf(operands);
      (thread ? pool.of(thread, key) : own)(...values);
    });
  };
}

/** Divides a product among threads, by rows or by columns of C. */
function divideProduct(parts: Parts, membersFor: MembersFor): Product {
  const own = productOf(parts);
  const width = parts.tiles.columns;
  return (c, start, startStride, a, b, M, N, K, transposeA, transposeB) => {
    // Longer sums have parts, which only one thread adds.
    const members = K <= longestSum && membersFor(M * N * K);
    if (!members) return own(c, start, startStride, a, b, M, N, K, transposeA, transposeB);
    const [pool, all] = members;
    // Threads that divide the rows pack all of B each, and threads that divide the columns all of A.
    const byRows = transposeB === undefined ? M >= 4 * pool.size : M > N;
    // A batch has about three calls per block, and room for those of 1,000 blocks. If K is 0, no block exists.
    const blocks = Math.ceil(M / blockRows) * Math.ceil(N / blockColumns) * Math.ceil(K / blockDepth);
    const batches = Math.ceil(blocks / pool.size / 1000) || 1;
    pool.divide(
      byRows ? M : N,
      byRows ? 4 : width,
      (first, count, thread) => {
        const [row, column, rows, columns] = byRows ? [first, 0, count, N] : [0, first, M, count];
        all[thread]!.multiply(
          c + row * N + column,
          start + row * startStride + column,
          startStride,
          a + row * (transposeA ? 1 : K),
          b + column * (transposeB === false ? 1 : K),
          M,
          N,
          K,
          transposeA,
          transposeB,
          rows,
          columns,
        );
      },
      batches,
    );
  };
}
