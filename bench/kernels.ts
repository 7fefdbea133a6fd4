/**
 * Benchmark cases for the individual kernels, used by bench.mjs. Bundled from the sources, since kernels are not
 * public.
 */

import type { Kernel } from '../src/kernels/kernel';
import * as kernelList from '../src/kernels/list';
import { assemble, type Local, load, number, set, store } from '../src/kernels/simd/assembler';
import { times } from '../src/kernels/simd/loops';
import { multiplyAdd } from '../src/kernels/simd/math';
import { allocate, createWorkspace } from '../src/kernels/workspace';
import { argumentsOf } from '../test/kernels/arguments';

type Run = (n: number) => number;

/** A case: the floating-point operations per call (0 except for matrix products), and the elements per call. */
interface KernelCase {
  readonly name: string;
  readonly flops: number;
  readonly elements: number;
  readonly run: Run;
}

/**
 * Measures the peak rate of SIMD multiply-add on registers in GFLOP/s, with independent accumulators, and fused
 * multiply-add if the engine supports it.
 */
export function multiplyAddPeak(): number {
  const fused = createWorkspace().kernels.name === 'relaxed';
  const bytes = assemble(['i32'], { fused }, ([count], w) => {
    // Without fused multiply-add, multiply four constants by two values that are loaded from the first-level cache in
    // each iteration, so that the engine cannot hoist the products out of the loop.
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
    const start = performance.now();
    run(rounds);
    best = Math.max(best, (rounds * flops) / (performance.now() - start) / 1e6);
  }
  return best;
}

/**
 * Creates the cases: a square matrix product, those of a training step and of streaming, then every other kernel on
 * rows of 1,024 elements.
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
      const start = performance.now();
      for (let i = 0; i < n; i++) call();
      return performance.now() - start;
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
    elements: M * N,
    run: timed(() => k.of(kernelList.gemm)(c, a, b, M, N, K, transposeA, transposeB, true)),
  });
  const packed = (name: string, M: number, N: number, K: number): KernelCase => ({
    name: `${name}/${M}x${N}x${K}`,
    flops: 2 * M * N * K,
    elements: M * N,
    run: timed(() => k.of(kernelList.gemmPacked)(c, a, panels, M, N, K, true)),
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
  // Kernels have different operand types. The cast is safe because argumentsOf creates the arguments from `operands`.
  const list = Object.entries(kernelList) as unknown as [keyof typeof kernelList, Kernel][];
  const others = list
    .filter(([name]) => !/gemm|affine/.test(name))
    .map(([name, kernel]): KernelCase => {
      const operands = argumentsOf(name, kernel, 1024, (length) => new Float32Array(length).fill(0.5));
      const values = operands.map((argument) => {
        if (!(argument instanceof Float32Array)) return argument;
        const offset = allocate(workspace, argument.length);
        memory.view.set(argument, offset);
        return offset;
      });
      const elements = Math.max(
        ...operands.map((argument) => (argument instanceof Float32Array ? argument.length : 0)),
      );
      const call = k.of(kernel) as (...args: typeof values) => unknown;
      return { name, flops: 0, elements, run: timed(() => call(...values)) };
    });
  return [...products, ...others];
}
