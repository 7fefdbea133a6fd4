/** WebAssembly kernels: one module per function, assembled and compiled at first use. */

import { memoize } from '../../tensor/memoize';
import type { Kernel, KernelName, Kernels, Memory, Parts, WasmFunction } from '../kernel';
import { type Abilities, assemble, inBytes, type Local, pairOf, pairSum, set, type ValueType } from './assembler';
import { multiplyAdd } from './math';
import { narrowTiles, type Tiles, tallTiles } from './product';

/** The number of elements at the start of the memory that the kernels use as scratch memory. */
export const scratchSize = 147_456;

/** An implementation in WebAssembly. */
export interface Implementation extends Abilities {
  readonly name: KernelName;
  /** The tiles of the matrix product. */
  readonly tiles: () => Tiles;
  /** Whether the engine supports it, if that has been probed. */
  supported?: boolean;
}

/** WebAssembly SIMD. */
export const simd: Implementation = { name: 'simd', fused: false, tiles: () => narrowTiles };

/**
 * Relaxed SIMD. Tiles of six rows are faster than tiles of four if the compiler keeps the sums in registers (V8 13: 47
 * instead of 41 GFLOP/s), and a fifth slower if it does not (V8 12: 33 instead of 42 GFLOP/s). `Math.f16round` is
 * present in the engines that do.
 */
export const relaxed: Implementation = {
  name: 'relaxed',
  fused: true,
  tiles: () => ('f16round' in Math ? tallTiles : narrowTiles),
};

/**
 * Whether the engine has the instructions of an implementation, and no content security policy forbids WebAssembly.
 * This is probed once, with a memory of the caller. An engine that rounds twice in fused multiply-add has `simd` only.
 */
export const isSupported = (key: Implementation, pages: WebAssembly.Memory): boolean =>
  (key.supported ??= probe(key, pages));

/** Computes (1 + 2⁻¹²)² − (1 + 2⁻¹¹), which is 2⁻²⁴ with one rounding and 0 with two. */
function probe(abilities: Abilities, memory: WebAssembly.Memory): boolean {
  try {
    const code = assemble([], abilities, (_, w) => {
      const [pair] = w.vectors;
      const x = w.constant(1 + 2 ** -12);
      return [set(pair, pairOf(multiplyAdd(w, x, x, w.constant(-1 - 2 ** -11)))), pairSum(pair)];
    });
    return (bindFunction(code, memory) as () => number)() > 0 === abilities.fused;
  } catch {
    return false;
  }
}

/** Assembles the module of a function. */
export function codeOf({ operands, simd }: WasmFunction, abilities: Abilities): Uint8Array<ArrayBuffer> {
  const types = operands.map((operand): ValueType => (operand === 'number' ? 'f64' : 'i32'));
  return assemble(types, abilities, (parameters, writer) => [
    ...(parameters as Local<'i32'>[])
      .filter((_, i) => /^(read|write|update)/.test(operands[i]!))
      .map((offset) => set(offset, inBytes(offset))),
    ...simd(parameters as Local<'i32'>[], writer),
  ]);
}

/** Compiles a function over a memory. */
export function bindFunction(code: Uint8Array<ArrayBuffer>, memory: WebAssembly.Memory): WebAssembly.ExportValue {
  return new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } }).exports['run']!;
}

/**
 * Creates the kernels over a WebAssembly memory. The engine must support them.
 *
 * @param memory holds the current view of the memory
 */
export function simdKernels(implementation: Implementation, pages: WebAssembly.Memory, memory: Memory): Kernels {
  const of = memoize((key: WasmFunction) => bindFunction(codeOf(key, implementation), pages)) as Parts['of'];
  const parts = { of, tiles: implementation.tiles(), memory, scratch: 0 };
  return {
    name: implementation.name,
    memory,
    of: memoize((kernel: Kernel) => ('compose' in kernel ? kernel.compose(parts) : of(kernel))) as Kernels['of'],
  };
}
