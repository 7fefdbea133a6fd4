/** The matrix product, compared with three nested loops. */

import { createRandom, type KernelName, uniformNumber, useKernels } from 'bptt';
import { afterAll, expect, it } from 'vitest';
import type { Heap } from '../../src/kernels/kernel';
import { gemm } from '../../src/kernels/product';
import { allocate, createWorkspace, portableWorkspace } from '../../src/kernels/workspace';
import { engineRuns } from './engine';

afterAll(() => useKernels(undefined));

/** Whether A and B are transposed, and whether the product is added to C. */
type Flags = readonly [transposeA: boolean, transposeB: boolean, accumulate: boolean];

const sizes = [0, 1, 2, 3, 4, 5, 7, 8, 9, 17];

it('the engine supports SIMD', () => expect(engineRuns('simd')).toBe(true));

const cases: [KernelName, 'float32' | 'float64', number][] = [
  ['portable', 'float32', 2e-5],
  ['portable', 'float64', 1e-12],
  ['simd', 'float32', 2e-5],
  ['relaxed', 'float32', 2e-5],
  ['wide', 'float32', 2e-5],
];
/** The result at [i, j], from the contents before the product, with C at `c`. */
function expectedAt(
  { memory, a, b, c }: { memory: Heap; a: number; b: number; c: number },
  [M, N, K]: readonly [number, number, number],
  [transposeA, transposeB, accumulate]: Flags,
  i: number,
  j: number,
): number {
  let sum = accumulate ? memory[c + i * N + j]! : 0;
  for (let k = 0; k < K; k++)
    sum += memory[a + (transposeA ? k * M + i : i * K + k)]! * memory[b + (transposeB ? j * K + k : k * N + j)]!;
  return sum;
}

const flags: readonly Flags[] = [
  [false, false, false],
  [true, false, true],
  [false, true, false],
  [true, true, true],
  [false, true, true],
  [true, false, false],
];
it.each(cases.filter(([name]) => engineRuns(name)))(
  '%s, %s: correct within %d for all transposes and sizes, with and without accumulation, and writes only to C',
  (name, precision, bound) => {
    const random = createRandom(1);
    useKernels(name);
    const workspace = precision === 'float64' ? portableWorkspace(Float64Array) : createWorkspace();
    const { kernels, memory, top } = workspace;
    for (const K of [0, 1, 3, 8, 256, 257])
      for (const M of sizes)
        for (const N of sizes)
          for (const each of flags) {
            workspace.top = top;
            const [a, b, c] = [M * K, K * N, M * N + 8].map((size) => allocate(workspace, size)) as [
              number,
              number,
              number,
            ];
            const m = memory.view;
            for (let i = a; i < workspace.top; i++) m[i] = uniformNumber(random, -1, 1);
            const before = { memory: m.slice(0, workspace.top), a, b, c: c + 4 };
            kernels.of(gemm)(c + 4, a, b, M, N, K, ...each);
            for (let i = 0; i < M; i++)
              for (let j = 0; j < N; j++) {
                const [expected, actual] = [expectedAt(before, [M, N, K], each, i, j), m[c + 4 + i * N + j]!];
                if (!(Math.abs(actual - expected) <= bound))
                  expect.fail(`${M}×${N}×${K} at [${i}, ${j}]: expected ${expected}, got ${actual}`);
              }
            for (let i = a; i < workspace.top; i++)
              if ((i < c + 4 || i >= c + 4 + M * N) && m[i] !== before.memory[i])
                expect.fail(`${M}×${N}×${K} wrote at ${i}`);
          }
  },
);
