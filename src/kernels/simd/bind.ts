/** WebAssembly kernels: one module per function, assembled and compiled once, at first use. */

import { memoize } from '../../tensor/memoize';
import type { Kernel, Kernels, Memory, Parts, WasmFunction } from '../kernel';
import { assemble, type Local, pairOf, pairSum, set, shiftLeft, type ValueType } from './assembler';
import { multiplyAdd } from './math';

/** The number of elements at the start of the memory that the kernels use as scratch memory. */
export const scratchSize = 147_456;

/** The implementations that the engine has, as far as they have been probed. */
const supported: { simd?: boolean; relaxed?: boolean } = {};

/**
 * Whether the engine has the instructions of an implementation, and no content security policy forbids WebAssembly. This
 * is probed once. An engine that rounds twice in fused multiply-add has `simd` only.
 *
 * @throws if WebAssembly is missing, or there is no memory to probe with
 */
export function isSupported(name: 'simd' | 'relaxed'): boolean {
  supported[name] ??= probe(name === 'relaxed', new WebAssembly.Memory({ initial: 1 }));
  return supported[name];
}

/** Computes (1 + 2⁻¹²)² − (1 + 2⁻¹¹), which is 2⁻²⁴ with one rounding and 0 with two. */
function probe(fused: boolean, memory: WebAssembly.Memory): boolean {
  try {
    const code = assemble([], fused, (_, w) => {
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

/**
 * Whether tiles of six rows are faster than tiles of four. They are with fused multiply-add if the compiler keeps the
 * sums in registers (V8 13: 47 instead of 41 GFLOP/s), and a fifth slower if it does not (V8 12: 33 instead of 42
 * GFLOP/s). `Math.f16round` is present in the engines that do.
 */
function prefersTallTiles(fused: boolean): boolean {
  return fused && 'f16round' in Math;
}

/** Compiles the module of a function. Every memory needs its own instance of the module. */
function compile({ operands, simd }: WasmFunction, fused: boolean): WebAssembly.Module {
  const types = operands.map((operand): ValueType => (operand === 'number' ? 'f64' : 'i32'));
  return new WebAssembly.Module(
    assemble(types, fused, (parameters, writer) => [
      ...(parameters as Local<'i32'>[])
        .filter((_, i) => /^(read|write|update)/.test(operands[i]!))
        .map((offset) => set(offset, shiftLeft(offset, 2))),
      ...simd(parameters as Local<'i32'>[], writer),
    ]),
  );
}

const modules = {
  simd: /* @__PURE__ */ memoize((key: WasmFunction) => compile(key, false)),
  relaxed: /* @__PURE__ */ memoize((key: WasmFunction) => compile(key, true)),
};

/**
 * Creates the kernels over a WebAssembly memory. The engine must support them.
 *
 * @param memory holds the current view of the memory
 */
export function simdKernels(name: 'simd' | 'relaxed', pages: WebAssembly.Memory, memory: Memory): Kernels {
  const fused = name === 'relaxed';
  const tall = prefersTallTiles(fused);
  const ofFunction = memoize(
    (key: WasmFunction) => new WebAssembly.Instance(modules[name](key), { env: { memory: pages } }).exports['run'],
  ) as Parts['of'];
  return {
    name,
    memory,
    of: memoize((kernel: Kernel) =>
      'compose' in kernel ? kernel.compose({ of: ofFunction, tall, memory, scratch: 0 }) : ofFunction(kernel),
    ) as Kernels['of'],
  };
}
