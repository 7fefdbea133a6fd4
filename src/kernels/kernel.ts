/**
 * Kernels: functions over one flat heap, addressed by offset. A kernel is a plain object with the list of its operands,
 * from which its type, its WebAssembly signature, its test and its benchmark are derived; a portable implementation,
 * which is the specification; and an implementation in WebAssembly SIMD. Kernels are bound to a memory one by one, at
 * first use, so that bundlers can drop the unused ones.
 *
 * Offsets count elements (not bytes) in the memory of the workspace. All matrices are dense and row-major. `dx` is the
 * gradient of `x`. The operands state how a kernel accesses a buffer: it overwrites those of `write`, and reads and
 * changes those of `update`. Kernels that compute a gradient add to it. Outputs must not overlap inputs, unless
 * documented otherwise. Ids are stored in the heap as floats, which are exact up to 2²⁴.
 *
 * Letters: `T` time steps, `B` batch size, `I` input size, `H` hidden size, `G` gate blocks, `V` vocabulary size,
 * `n` elements.
 */

import { memoize } from '../tensor/memoize';
import type { Product } from './product';
import type { Code, Local, Writer } from './simd/assembler';
import type { Tiles } from './simd/product';

/** The memory of a workspace: single precision for computing, double precision for gradient checks. */
export type Heap = Float32Array | Float64Array;

/** The current view of a heap. Growing the heap replaces the view. */
export interface Memory {
  view: Heap;
}

/**
 * The operands of a kernel, in order. Each is one of
 *
 *     'write rows n'    the offset of a buffer: its access (`read`, `write` or `update`), then the factors of its size
 *                       (names of lengths, or numbers; none if the size depends on other operands)
 *     'number'          a number
 *     'flag'            a boolean
 *     'list'            numbers, one per axis
 *     'rows'            the length of that name
 *
 * A kernel is divided among threads if the first factor of every buffer that it changes is `rows`, or `n` if it has no
 * `rows`. Its rows, or elements, must then be independent of each other; otherwise the length has another name.
 */
export type Operands = readonly string[];

type ArgumentOf<S extends string> = S extends 'flag' ? boolean : S extends 'list' ? readonly number[] : number;
type LocalOf<S extends string> = Local<S extends 'number' ? 'f64' : 'i32'>;

/** The call signature of a kernel with these operands. */
export type Call<O extends Operands, R = void> = (...operands: { -readonly [I in keyof O]: ArgumentOf<O[I]> }) => R;

/** The operands inside a WebAssembly function, where offsets are byte addresses. */
export type LocalsOf<O extends Operands> = { readonly [I in keyof O]: LocalOf<O[I]> };

/** A WebAssembly function. Its body leaves a number on the stack if R is `number`. */
export interface WasmFunction<O extends Operands = Operands, R = void> {
  readonly operands: O;
  simd(operands: LocalsOf<O>, writer: Writer): readonly Code<'void' | 'f64'>[];
  /** Phantom property that carries the type of the result; never set. */
  readonly result?: R;
}

/** What a kernel that consists of several WebAssembly functions is composed of. */
export interface Parts {
  /** Binds a function to the memory. */
  of<O extends Operands, R>(wasm: WasmFunction<O, R>): Call<O, R>;
  /** The tiles of the matrix product. */
  readonly tiles: Tiles;
  /** The memory of the workspace. */
  readonly memory: Memory;
  /** The offset of the scratch memory of the kernels, of `scratchSize` elements. */
  readonly scratch: number;
  /** The product that threads share, if there are any. */
  readonly product?: Product;
}

/** A kernel: a portable implementation, and one WebAssembly function or a composition of several. */
export type Kernel<O extends Operands = Operands, R = void> = {
  readonly operands: O;
  readonly portable: (memory: Memory) => Call<O, R>;
} & (WasmFunction<O, R> | { readonly compose: (parts: Parts) => Call<O, R> });

/**
 * An implementation: plain TypeScript, WebAssembly SIMD, relaxed WebAssembly SIMD with fused multiply-add, or the same
 * for an engine that merges pairs of its vectors into vectors of 256 bits.
 */
export type KernelName = 'portable' | 'simd' | 'relaxed' | 'wide';

/** One implementation of all kernels over one memory. */
export interface Kernels {
  /** Which implementation this is. */
  readonly name: KernelName;
  /** The memory that offsets refer to. Read `memory.view` again after every allocation. */
  readonly memory: Memory;
  /** Returns the kernel, bound to this memory. */
  of<O extends Operands, R>(kernel: Kernel<O, R>): Call<O, R>;
  /**
   * Computes steps of a recurrence whose rows are independent; undefined without threads. Each thread computes the
   * steps of some rows in order, if that is enough work; otherwise one call of `run` computes all of them.
   *
   * @param rowWork the number of multiply-adds per row and step
   * @param to one more than the last step
   * @param run computes steps `from` to `to` − 1 of `count` rows from `first` on, only by calls of the kernels that it
   * gets
   */
  overSteps?(
    rows: number,
    rowWork: number,
    from: number,
    to: number,
    run: (kernels: Kernels, first: number, count: number, from: number, to: number) => void,
  ): void;
}

/** The largest number of terms of a sum in single precision. Longer sums consist of parts. */
export const longestSum = 65_536;

/**
 * Adds the parts of sums that are longer than `most` in double precision. The function that it returns must be called
 * with the number of terms so far: after every part it takes the part that is in a buffer and leaves zeros there, and
 * after the last one the totals.
 *
 * @param size the number of sums
 * @param count the number of terms of each sum
 * @returns undefined if the sums are not longer than `most`
 */
export function partialSums(
  { view }: Memory,
  offset: number,
  size: number,
  count: number,
  most: number = longestSum,
): ((terms: number) => void) | undefined {
  return count > most ? addParts(view, offset, new Float64Array(size), count, most) : undefined;
}

function addParts(m: Heap, offset: number, totals: Float64Array, count: number, most: number) {
  return (terms: number): void => {
    if (terms % most !== 0 && terms !== count) return;
    totals.forEach((total, i) => {
      const sum = total + m[offset + i]!;
      totals[i] = sum;
      m[offset + i] = terms === count ? sum : 0;
    });
  };
}

/** Creates the portable kernels over a memory. */
export function portableKernels(memory: Memory): Kernels {
  return { name: 'portable', memory, of: memoize((kernel: Kernel) => kernel.portable(memory)) as Kernels['of'] };
}
