/** The matrix product, compared with three nested loops. */

import { createRandom, type KernelName, uniformNumber, useKernels } from 'bptt';
import { expect, it } from 'vitest';
import { gemm } from '../../src/kernels/product';
import { allocate, createWorkspace, portableWorkspace } from '../../src/kernels/workspace';
import { engineRuns } from './engine';

const sizes = [0, 1, 2, 3, 4, 5, 7, 8, 9, 17];

it('the engine supports SIMD', () => expect(engineRuns('simd')).toBe(true));

const cases: [KernelName, 'float32' | 'float64', number][] = [
  ['portable', 'float32', 2e-5],
  ['portable', 'float64', 1e-12],
  ['simd', 'float32', 2e-5],
  ['relaxed', 'float32', 2e-5],
  ['wide', 'float32', 2e-5],
];
it.each(cases.filter(([name]) => engineRuns(name)))(
  '%s, %s: correct within %d for all transposes and sizes, with and without accumulation, and writes only to C',
  (name, precision, bound) => {
    const random = createRandom(1);
    useKernels(name);
    for (const K of [0, 1, 3, 8, 256, 257])
      for (const M of sizes)
        for (const N of sizes) {
          for (const [transposeA, transposeB, accumulate] of [
            [0, 0, 0],
            [1, 0, 1],
            [0, 1, 0],
            [1, 1, 1],
            [0, 1, 1],
            [1, 0, 0],
          ].map((flags) => flags.map(Boolean)) as [boolean, boolean, boolean][]) {
            const workspace = precision === 'float64' ? portableWorkspace(Float64Array) : createWorkspace();
            const [a, b, c] = [M * K, K * N, M * N + 8].map((size) => allocate(workspace, size)) as [
              number,
              number,
              number,
            ];
            const {
              kernels,
              memory: { view: m },
            } = workspace;
            for (let i = a; i < workspace.top; i++) m[i] = uniformNumber(random, -1, 1);
            const initial = m.slice();
            kernels.of(gemm)(c + 4, a, b, M, N, K, transposeA, transposeB, accumulate);
            for (let i = 0; i < M; i++)
              for (let j = 0; j < N; j++) {
                let expected = accumulate ? initial[c + 4 + i * N + j]! : 0;
                for (let k = 0; k < K; k++)
                  expected +=
                    initial[a + (transposeA ? k * M + i : i * K + k)]! *
                    initial[b + (transposeB ? j * K + k : k * N + j)]!;
                if (!(Math.abs(m[c + 4 + i * N + j]! - expected) <= bound))
                  expect.fail(`${M}×${N}×${K} at [${i}, ${j}]: expected ${expected}, got ${m[c + 4 + i * N + j]}`);
              }
            for (let i = a; i < workspace.top; i++)
              if ((i < c + 4 || i >= c + 4 + M * N) && m[i] !== initial[i]) expect.fail(`${M}×${N}×${K} wrote at ${i}`);
          }
        }
    useKernels(undefined);
  },
);
