/** Every SIMD kernel of a cell equals its portable twin. The matrix product is compared with plain loops in gemm.test.ts. */

import { afterAll, expect, it } from 'vitest';
import { createRandom, uniformNumber, useKernels, type KernelName } from 'bptt';
import type { Kernels } from '../../src/kernels/kernels';
import { allocate, createWorkspace } from '../../src/kernels/workspace';

afterAll(() => useKernels(undefined));

/** Runs a kernel over the same arrays on both sets, and answers what each left in them. */
function both(arrays: readonly Float32Array[], run: (k: Kernels, at: number[]) => void): [Float32Array[], Float32Array[]] {
  const on = (name: KernelName | undefined): Float32Array[] => {
    useKernels(name);
    const workspace = createWorkspace();
    const { kernels, memory } = workspace;
    const at = arrays.map(({ length }) => allocate(workspace, length + 4));
    arrays.forEach((values, i) => memory.view.set(values, at[i]!));
    for (const [i, { length }] of arrays.entries()) memory.view.fill(77, at[i]! + length, at[i]! + length + 4);
    run(kernels, at);
    return arrays.map(({ length }, i) => Float32Array.from(memory.view.subarray(at[i]!, at[i]! + length + 4)));
  };
  return [on('portable'), on(undefined)];
}

function expectEqual(bound: number, [portable, simd]: [Float32Array[], Float32Array[]], what: string): void {
  portable.forEach((values, operand) => values.forEach((value, i) => {
    const got = simd[operand]![i]!;
    const close = Object.is(got, value) || got === value || Math.abs(got - value) <= bound * Math.max(1, Math.abs(value));
    if (!close) expect.fail(`${what}, operand ${operand} at ${i}: ${got} for ${value}`);
  }));
}

const specials = [0, -0, Infinity, -Infinity, NaN, 1e-30, -1e-30, 9, -9, 50];

it('lstmCell and its backward within 2e-6 over inputs to ±6 and 5e-7 over gates in ±1, at sizes around the vector width, with zeros, infinities and NaN', () => {
  const random = createRandom(3);
  for (const special of [false, true]) for (const rows of [0, 1, 3]) for (const H of [1, 3, 4, 5, 8, 12, 16, 17]) {
    const draw = (n: number, limit = 6): Float32Array => Float32Array.from({ length: n }, () =>
      special && uniformNumber(random) < 0.2 ? specials[Math.floor(uniformNumber(random, 0, specials.length))]! : uniformNumber(random, -limit, limit));
    const n = rows * H;
    const forward = [draw(n), draw(n), draw(n), draw(4 * n), draw(4 * n), draw(n)];
    expectEqual(2e-6, both(forward, (k, [h, c, t, a, b, before]) => k.lstmCell(h!, c!, t!, a!, b!, before!, rows, H)), `lstmCell ${rows}×${H}`);
    const back = [draw(4 * n, 1), draw(n, 1), draw(n, 1), draw(n, 1), draw(n, 1), draw(n, 1)];
    expectEqual(5e-7, both(back, (k, [a, d, dh, dc, t, before]) => k.lstmCellBackward(a!, d!, dh!, dc!, t!, before!, rows, H)), `backward ${rows}×${H}`);
  }
});

it('tanh and the logistic function within 3e-7 over [−20, 20], and exact at the ends and at NaN', () => {
  const x = Float32Array.from({ length: 40_004 }, (_, i) => (i - 20_002) / 1000);
  x.set([Infinity, -Infinity, NaN, 0]);
  const n = x.length;
  const zeros = (size: number): Float32Array => new Float32Array(size);
  // One row of four gates: g carries x, i is open, f closed, so that c = σ(30)·tanh(x) = tanh(x).
  const gates = zeros(4 * n);
  gates.fill(1000, 0, n);
  gates.fill(-1000, n, 2 * n);
  gates.set(x, 2 * n);
  gates.set(x, 3 * n);
  useKernels(undefined);
  const workspace = createWorkspace();
  const at = [n, n, n, 4 * n, 4 * n, n].map((size) => allocate(workspace, size)) as [number, number, number, number, number, number];
  const { view } = workspace.memory;
  view.fill(0, at[0], workspace.top);
  view.set(gates, at[3]);
  workspace.kernels.lstmCell(...at, 1, n);
  x.forEach((value, i) => {
    const [g, o] = [view[at[3] + 2 * n + i]!, view[at[3] + 3 * n + i]!];
    const ok = Number.isNaN(value) ? Number.isNaN(g) && Number.isNaN(o) : Math.abs(g - Math.tanh(value)) <= 3e-7 && Math.abs(o - 1 / (1 + Math.exp(-value))) <= 3e-7;
    if (!ok) expect.fail(`at ${value}: tanh ${g}, logistic ${o}`);
  });
  expect([view[at[3] + 2 * n], view[at[3] + 2 * n + 1], view[at[3] + 2 * n + 3]].map((v) => Math.fround(v!))).toEqual([1, -1, 0]);
});
