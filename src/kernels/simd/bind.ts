/** WebAssembly kernels: one module per function, assembled and compiled once, at first use. */

import { memoize } from '../../tensor/memoize';
import type { Kernel, Kernels, Memory, Parts, WasmFunction } from '../kernel';
import { assemble, fusedMultiplyAdd, type Local, set, shiftLeft, type ValueType, vMultiply } from './assembler';

/** The number of elements at the start of the memory that the kernels use as scratch memory. */
export const scratchSize = 147_456;

/** Assembles a module with an instruction that the engine must support. */
function probe(fused: boolean): Uint8Array<ArrayBuffer> {
  return assemble(['v128'], fused, ([x]) => {
    const vector = x as Local<'v128'>;
    return [set(vector, fused ? fusedMultiplyAdd(vector, vector, vector) : vMultiply(vector, vector))];
  });
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
  const isOffset = operands.map((operand) => /^(read|write|update)/.test(operand));
  return new WebAssembly.Module(
    assemble(types, fused, (parameters, writer) => [
      ...(parameters as Local<'i32'>[])
        .filter((_, i) => isOffset[i])
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
 * Creates the kernels over a WebAssembly memory.
 *
 * @param memory holds the current view of the memory
 * @throws if the engine lacks WebAssembly or the instructions, or a content security policy forbids it
 */
export function simdKernels(name: 'simd' | 'relaxed', pages: WebAssembly.Memory, memory: Memory): Kernels {
  const fused = name === 'relaxed';
  new WebAssembly.Module(probe(fused));
  const tall = prefersTallTiles(fused);
  const ofFunction = memoize(
    (key: WasmFunction) => new WebAssembly.Instance(modules[name](key), { env: { memory: pages } }).exports['run'],
  ) as Parts['of'];
  return {
    name,
    memory,
    of: memoize((kernel: Kernel) =>
      'compose' in kernel ? kernel.compose({ of: ofFunction, tall, scratch: 0 }) : ofFunction(kernel),
    ) as Kernels['of'],
  };
}
