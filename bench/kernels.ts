/**
 * Benchmarks of the kernels, for bench.mjs. Bundled with the sources, because kernels are not part of the public API.
 */

import type { Kernel } from '../src/kernels/kernel';
import * as kernelList from '../src/kernels/list';
import { assemble, type Local, load, number, set, store } from '../src/kernels/simd/assembler';
import { times } from '../src/kernels/simd/loops';
import { multiplyAdd } from '../src/kernels/simd/math';
import { allocate, createWorkspace } from '../src/kernels/workspace';
import { argumentsOf } from '../test/kernels/arguments';

type Run = (n: number) => number;

/** A benchmark: its floating-point operations per call, or, if these are 0, its number of elements. */
interface KernelCase {
  readonly name: string;
  readonly flops: number;
  readonly numbers: number;
  readonly run: Run;
}

/**
 * Measures the peak speed of the engine without memory traffic, in GFLOP/s: independent multiply-add operations, fused
 * if the engine supports it.
 */
export function multiplyAddPeak(): number {
  const fused = createWorkspace().kernels.name === 'relaxed';
  const bytes = assemble(['i32'], fused, ([count], w) => {
    // Without fused multiply-add, the engine could reuse products. Loading two factors from the L1 cache prevents that.
    const [rows, columns] = fused ? [1, 12] : [4, 2];
    const lefts = Array.from({ length: rows }, (_, i) => w.constant(i + 1));
    const rights = Array.from({ length: fused ? 1 : columns }, () => w.local('v128'));
    const sums = Array.from({ length: rows * columns }, () => w.local('v128'));
    return [
      times(count as Local<'i32'>, [
        ...rights.map((right, i) => set(right, load(number(16 * i)))),
        ...sums.map((sum, i) =>
          set(sum, multiplyAdd(w, lefts[i % rows]!, rights[Math.floor(i / rows) % rights.length]!, sum)),
        ),
      ]),
      ...sums.map((sum, i) => store(number(16 * i), sum)),
    ];
  });
  const memory = new WebAssembly.Memory({ initial: 1 });
  const run = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports['run'] as (
    count: number,
  ) => void;
  const [rounds, flops] = [3_000_000, 8 * (fused ? 12 : 8)];
  let best = 0;
  for (let i = 0; i < 12; i++) {
    const began = performance.now();
    run(rounds);
    best = Math.max(best, (rounds * flops) / (performance.now() - began) / 1e6);
  }
  return best;
}

/**
 * The matrix products of training and streaming and a square one, and all other kernels with rows of 1,024 elements.
 */
export function kernelCases(): KernelCase[] {
  const workspace = createWorkspace();
  const { kernels: k, memory } = workspace;
  const size = 2 ** 20;
  const [c, a, b, panels] = [size, size, size, size].map((length) => allocate(workspace, length)) as [
    number,
    number,
    number,
    number,
  ];
  memory.view.fill(0.01, c, workspace.top);
  const timed =
    (call: () => unknown): Run =>
    (n) => {
      const began = performance.now();
      for (let i = 0; i < n; i++) call();
      return performance.now() - began;
    };
  const product = (
    name: string,
    M: number,
    N: number,
    K: number,
    transposeA: boolean,
    transposeB: boolean,
  ): KernelCase => ({
    name: `${name}/${M}x${N}x${K}`,
    flops: 2 * M * N * K,
    numbers: M * N,
    run: timed(() => k.of(kernelList.gemm)(c, a, b, M, N, K, transposeA, transposeB, true)),
  });
  const packed = (name: string, M: number, N: number, K: number): KernelCase => ({
    name: `${name}/${M}x${N}x${K}`,
    flops: 2 * M * N * K,
    numbers: M * N,
    run: timed(() => k.of(kernelList.gemmPacked)(c, a, panels, M, N, K, false, true)),
  });
  const products = [
    product('square', 512, 512, 512, false, false),
    product('input', 1024, 512, 64, false, false),
    packed('recurrent', 32, 512, 128),
    packed('recurrent-backward', 32, 128, 512),
    product('weights-input', 64, 512, 1024, true, false),
    product('weights-recurrent', 128, 512, 1024, true, false),
    product('head', 1024, 64, 128, false, false),
    product('head-backward', 1024, 128, 64, false, true),
    product('weights-head', 128, 64, 1024, true, false),
    packed('recurrent', 32, 1024, 256),
    packed('recurrent-backward', 32, 256, 1024),
    packed('recurrent', 8, 128, 32),
    packed('row', 1, 512, 128),
    packed('row', 1, 1024, 256),
  ];
  // The operands of the kernels differ in type; argumentsOf creates arguments that match those of each kernel.
  const kernels = Object.entries(kernelList) as unknown as [keyof typeof kernelList, Kernel][];
  const others = kernels
    .filter(([name]) => !/gemm|affine/.test(name))
    .map(([name, kernel]): KernelCase => {
      const args = argumentsOf(name, kernel, 1024, (length) => new Float32Array(length).fill(0.5));
      const values = args.map((argument) => {
        if (!(argument instanceof Float32Array)) return argument;
        const offset = allocate(workspace, argument.length);
        memory.view.set(argument, offset);
        return offset;
      });
      const numbers = Math.max(...args.map((argument) => (argument instanceof Float32Array ? argument.length : 0)));
      const call = k.of(kernel) as (...operands: typeof values) => unknown;
      return { name, flops: 0, numbers, run: timed(() => call(...values)) };
    });
  return [...products, ...others];
}
