/** WebAssembly kernels: one module per function, assembled and compiled once, at first use. */

import { memoize } from '../../tensor/memoize';
import type { Kernel, KernelName, Kernels, Memory, Parts, WasmFunction } from '../kernel';
import { assemble, type Local, pairOf, pairSum, set, shiftLeft, type ValueType, type Writer } from './assembler';
import { multiplyAdd } from './math';
import { narrowTiles, type Tiles, tallTiles } from './product';

/** The number of elements at the start of the memory that the kernels use as scratch memory. */
export const scratchSize = 147_456;

/** An implementation in WebAssembly. */
export interface Implementation {
  readonly name: KernelName;
  /** The tiles of the matrix product. */
  readonly tiles: () => Tiles;
  /** Whether the engine supports it, if that has been probed. */
  supported?: boolean;
  /** Compiles the module of a function, once. */
  readonly moduleOf: (key: WasmFunction) => WebAssembly.Module;
}

/** Creates an implementation. */
export const implementation = (
  name: KernelName,
  abilities: Pick<Writer, 'fused' | 'pair'>,
  tiles: () => Tiles,
): Implementation => ({
  name,
  tiles,
  moduleOf: memoize((key: WasmFunction) => compile(key, abilities)),
});

/** WebAssembly SIMD. */
export const simd: Implementation = /* @__PURE__ */ implementation('simd', { fused: false }, () => narrowTiles);

/**
 * Relaxed SIMD. Tiles of six rows are faster than tiles of four if the compiler keeps the sums in registers (V8 13: 47
 * instead of 41 GFLOP/s), and a fifth slower if it does not (V8 12: 33 instead of 42 GFLOP/s). `Math.f16round` is present
 * in the engines that do.
 */
export const relaxed: Implementation = /* @__PURE__ */ implementation('relaxed', { fused: true }, () =>
  'f16round' in Math ? tallTiles : narrowTiles,
);

/**
 * Whether the engine has the instructions of an implementation, and no content security policy forbids WebAssembly. This
 * is probed once, with a memory of the caller. An engine that rounds twice in fused multiply-add has `simd` only.
 */
export const isSupported = (key: Implementation, pages: WebAssembly.Memory): boolean =>
  (key.supported ??= probe(key === relaxed, pages));

/** Computes (1 + 2⁻¹²)² − (1 + 2⁻¹¹), which is 2⁻²⁴ with one rounding and 0 with two. */
function probe(fused: boolean, memory: WebAssembly.Memory): boolean {
  try {
    const code = assemble([], { fused }, (_, w) => {
      const [pair] = w.vectors;
      const x = w.constant(1 + 2 ** -12);
      return [set(pair, pairOf(multiplyAdd(w, x, x, w.constant(-1 - 2 ** -11)))), pairSum(pair)];
    });
    const { run } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } }).exports;
    return (run as () => number)() > 0 === fused;
  } catch {
    return false;
  }
}

/** Compiles the module of a function. Every memory needs its own instance of the module. */
function compile({ operands, simd }: WasmFunction, abilities: Pick<Writer, 'fused' | 'pair'>): WebAssembly.Module {
  const types = operands.map((operand): ValueType => (operand === 'number' ? 'f64' : 'i32'));
  return new WebAssembly.Module(
    assemble(types, abilities, (parameters, writer) => [
      ...(parameters as Local<'i32'>[])
        .filter((_, i) => /^(read|write|update)/.test(operands[i]!))
        .map((offset) => set(offset, shiftLeft(offset, 2))),
      ...simd(parameters as Local<'i32'>[], writer),
    ]),
  );
}

/**
 * Creates the kernels over a WebAssembly memory. The engine must support them.
 *
 * @param memory holds the current view of the memory
 */
export function simdKernels(
  { name, tiles, moduleOf }: Implementation,
  pages: WebAssembly.Memory,
  memory: Memory,
): Kernels {
  const ofFunction = memoize(
    (key: WasmFunction) => new WebAssembly.Instance(moduleOf(key), { env: { memory: pages } }).exports['run'],
  ) as Parts['of'];
  const parts = { of: ofFunction, tiles: tiles(), memory, scratch: 0 };
  return {
    name,
    memory,
    of: memoize((kernel: Kernel) =>
      'compose' in kernel ? kernel.compose(parts) : ofFunction(kernel),
    ) as Kernels['of'],
  };
}
