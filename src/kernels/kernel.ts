/**
 * What a kernel is: numbers over one flat heap, addressed by offset. Each is a plain object with the list of its operands, from which its
 * type, its WebAssembly signature, its test against its twin and its bench are made; a portable form, which is the specification; and a
 * form in WebAssembly SIMD. Kernels are bound to a memory one by one, when they are first asked for: an app carries those that it uses.
 *
 * Offsets are of elements (not bytes) into the workspace's memory. All matrices are dense and row-major. `dx` is the gradient of `x`;
 * kernels that write a gradient ADD to it, all others overwrite. Outputs do not overlap inputs, except where it is said. Ids live in the
 * heap as numbers, exact up to 2²⁴.
 *
 * Letters: `T` steps, `B` batch, `I` input size, `H` hidden size, `G` gate blocks, `V` vocabulary, `n` elements.
 */

import type { Code, Local, Writer } from './simd/assembler';

/** The numbers of a workspace. Single precision computes; double precision checks gradients. */
export type Heap = Float32Array | Float64Array;

/** Holds the current view of a heap; the view changes when the heap grows. */
export interface Memory {
  view: Heap;
}

/**
 * The operands of a kernel in order, each one of
 *
 *     'write rows n'    an offset; what happens there (`read`, `write`, `update`), and the lengths whose product is its size
 *     'number'          a number
 *     'flag'            true or false
 *     'list'            numbers, one for each axis
 *     'rows'            the length of that name
 */
export type Operands = readonly string[];

type ArgumentOf<S extends string> = S extends 'flag' ? boolean : S extends 'list' ? readonly number[] : number;
type LocalOf<S extends string> = Local<S extends 'number' ? 'f64' : 'i32'>;

/** What a kernel with these operands is called like. */
export type Call<O extends Operands, R = void> = (...operands: { -readonly [I in keyof O]: ArgumentOf<O[I]> }) => R;

/** The operands inside WebAssembly: offsets have become addresses in bytes. */
export type LocalsOf<O extends Operands> = { readonly [I in keyof O]: LocalOf<O[I]> };

/** A function in WebAssembly: its body leaves a number if R is one. */
export interface WasmFunction<O extends Operands = Operands, R = void> {
  readonly operands: O;
  simd(operands: LocalsOf<O>, writer: Writer): readonly Code<'void' | 'f64'>[];
  /** Never there: it carries the type of the result. */
  readonly result?: R;
}

/** What a kernel that is made of several functions is made with. */
export interface Parts {
  /** Binds a function. */
  of<O extends Operands, R>(wasm: WasmFunction<O, R>): Call<O, R>;
  /** Whether the engine keeps a tile of six rows in registers. */
  readonly tall: boolean;
  /** Where room for the kernels themselves begins, of `scratchSize` numbers. */
  readonly scratch: number;
}

/** A kernel, in its portable form and either as one function in WebAssembly or as a composition of several. */
export type Kernel<O extends Operands = Operands, R = void> = {
  readonly operands: O;
  readonly portable: (memory: Memory) => Call<O, R>;
} & (WasmFunction<O, R> | { readonly compose: (parts: Parts) => Call<O, R> });

/** An implementation: plain TypeScript, WebAssembly SIMD, or that with the fused multiply-add of relaxed SIMD. */
export type KernelName = 'portable' | 'simd' | 'relaxed';

/** An implementation of every kernel over one memory. */
export interface Kernels {
  /** Which implementation this is. */
  readonly name: KernelName;
  /** The memory the offsets point into. Read `memory.view` anew after every allocation. */
  readonly memory: Memory;
  /** The kernel, bound to this memory. */
  of<O extends Operands, R>(kernel: Kernel<O, R>): Call<O, R>;
}

/** Binds each kernel once. */
export function memoize(bind: (kernel: object) => unknown): Kernels['of'] {
  const bound = new Map<object, unknown>();
  return ((kernel: object) => {
    let call = bound.get(kernel);
    if (call === undefined) bound.set(kernel, (call = bind(kernel)));
    return call;
  }) as Kernels['of'];
}

/** The portable kernels over a memory. */
export function portableKernels(memory: Memory): Kernels {
  return { name: 'portable', memory, of: memoize((kernel) => (kernel as Kernel).portable(memory)) };
}
