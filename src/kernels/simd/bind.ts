/** Makes kernels of WebAssembly: a module for each, written and compiled when it is first asked for, once for the engine. */

import { type Kernel, type Kernels, type Memory, memoize, type Parts, type WasmFunction } from '../kernel';
import { assemble, fusedMultiplyAdd, type Local, set, shiftLeft, type ValueType, vMultiply } from './assembler';

/** How many numbers at the start of the memory belong to the kernels. */
export const scratchSize = 147_456;

/** A module of one instruction that an engine must know. */
function probe(fused: boolean): Uint8Array<ArrayBuffer> {
  return assemble(['v128'], fused, ([x]) => {
    const vector = x as Local<'v128'>;
    return [set(vector, fused ? fusedMultiplyAdd(vector, vector, vector) : vMultiply(vector, vector))];
  });
}

/**
 * Whether a tile of six rows pays. It does with fused multiply-add where the compiler keeps its sums in registers (V8 13: 47 GFLOP/s
 * against 41 with four rows) and costs a fifth where it does not (V8 12: 33 against 42). Half precision in Math came with the former.
 */
function paysTall(fused: boolean): boolean {
  return fused && 'f16round' in Math;
}

/** The module of a function, of which every memory needs an instance. */
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

const modules: { simd?: Map<object, WebAssembly.Module>; relaxed?: Map<object, WebAssembly.Module> } = {};

/**
 * Kernels over a WebAssembly memory, whose current view `memory` holds; nothing where the engine lacks the instructions.
 *
 * @throws where there is no WebAssembly, or a content security policy forbids it
 */
export function simdKernels(name: 'simd' | 'relaxed', pages: WebAssembly.Memory, memory: Memory): Kernels | undefined {
  const fused = name === 'relaxed';
  const probed = probe(fused);
  if (!WebAssembly.validate(probed)) return undefined;
  new WebAssembly.Module(probed); // throws where a content security policy forbids it
  const tall = paysTall(fused);
  const known = (modules[name] ??= new Map());
  const ofFunction = memoize((key) => {
    const module = known.get(key) ?? compile(key as WasmFunction, fused);
    known.set(key, module);
    return new WebAssembly.Instance(module, { env: { memory: pages } }).exports['run'];
  }) as Parts['of'];
  return {
    name,
    memory,
    of: memoize((key) => {
      const kernel = key as Kernel;
      return 'compose' in kernel ? kernel.compose({ of: ofFunction, tall, scratch: 0 }) : ofFunction(kernel);
    }),
  };
}
