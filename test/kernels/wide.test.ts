/**
 * The wide kernels give the same bits as the relaxed ones. Engines that do not merge vectors run them too, only slower,
 * so that the kernels are tested on every engine with fused multiply-add.
 */

import { execFileSync } from 'node:child_process';
import {
  adam,
  createRandom,
  dense,
  fit,
  gru,
  kernelsInUse,
  lstm,
  meanSquaredError,
  normal,
  recurrent,
  sequential,
  simpleRnn,
  uniformNumber,
  useKernels,
} from 'bptt';
import { enableWideKernels } from 'bptt/node';
import { buildSync } from 'esbuild';
import { afterEach, describe, expect, it } from 'vitest';
import type { Kernel, Memory } from '../../src/kernels/kernel';
import * as kernelList from '../../src/kernels/list';
import { type Implementation, relaxed, scratchSize, simdKernels } from '../../src/kernels/simd/bind';
import { createWide } from '../../src/kernels/simd/wide';
import { argumentsOf } from './arguments';
import { engineRuns } from './engine';

afterEach(() => {
  useKernels(undefined);
});

type Name = keyof typeof kernelList;
/** All kernels, without the types of their operands: argumentsOf creates matching arguments. */
const kernels = new Map(Object.entries(kernelList) as unknown as [Name, Kernel][]);
const [gemm, gemmPacked, packPanels] = (['gemm', 'gemmPacked', 'packPanels'] as const).map(
  (name) => kernels.get(name)!,
) as [Kernel, Kernel, Kernel];

/** Memories of both implementations, with a function that runs a kernel and returns the bits of all arrays. */
function runner(implementation: Implementation) {
  const pages = new WebAssembly.Memory({ initial: 64 });
  const memory: Memory = { view: new Float32Array(pages.buffer) };
  const { of } = simdKernels(implementation, pages, memory);
  return (kernel: Kernel, args: readonly (Float32Array | number | boolean | readonly number[])[]) => {
    let top = scratchSize;
    const operands = args.map((argument) => {
      if (!(argument instanceof Float32Array)) return argument;
      const offset = top;
      memory.view.set(argument, offset);
      // Up to 16 elements may be read past the end; a write there would change the bits.
      top += Math.ceil(argument.length / 4) * 4 + 16;
      memory.view.fill(0.5, offset + argument.length, top);
      return offset;
    });
    const result = (of(kernel) as (...operands: unknown[]) => number | undefined)(...operands);
    // WebAssembly leaves the sign and the payload of NaN open.
    const values = Float32Array.from(memory.view.subarray(scratchSize, top), (value) =>
      Number.isNaN(value) ? NaN : value,
    );
    return { result, bits: new Uint32Array(values.buffer) };
  };
}

describe.runIf(engineRuns('relaxed'))('wide kernels', () => {
  const [wide, other] = [runner(createWide()), runner(relaxed)];
  const specials = [0, -0, NaN, 1e-40, Infinity, -Infinity, 50, -100];

  it.each(Array.from(kernels).filter(([name]) => !/^(packPanels|gemmPacked|affinePacked)$/.test(name)))(
    '%s is bit-identical to the relaxed kernel',
    (name, kernel) => {
      const random = createRandom(5);
      const draw = (size: number): Float32Array =>
        Float32Array.from({ length: size }, () =>
          uniformNumber(random) < 0.05
            ? specials[Math.floor(uniformNumber(random, 0, specials.length))]!
            : uniformNumber(random, -1, 1),
        );
      for (const n of [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 24, 31, 33, 64, 65, 300]) {
        const args = argumentsOf(name, kernel, n, draw);
        expect(wide(kernel, args), `n = ${n}`).toEqual(other(kernel, args));
      }
    },
  );

  it('products are bit-identical to the relaxed ones, for all transposes, packed or not, and one row alone', () => {
    const random = createRandom(6);
    const draw = (size: number): Float32Array =>
      Float32Array.from({ length: size }, () => uniformNumber(random, -1, 1));
    for (const [M, N, K] of [
      [1, 1, 1],
      [1, 64, 3],
      [1, 127, 40],
      [3, 15, 9],
      [4, 16, 0],
      [5, 17, 257],
      [33, 31, 5],
      [37, 80, 300],
      [40, 530, 2],
    ] as const) {
      const [c, a, b] = [draw(M * N), draw(M * K), draw(K * N)];
      for (const [transposeA, transposeB, accumulate] of [
        [false, false, false],
        [true, false, true],
        [false, true, true],
        [true, true, false],
      ]) {
        const args = [c, a, b, M, N, K, transposeA!, transposeB!, accumulate!];
        expect(wide(gemm, args), `${M}×${N}×${K}`).toEqual(other(gemm, args));
        const [panels, size] = [new Float32Array(Math.ceil(N / 16) * 16 * K), M * N];
        const product = (run: typeof wide): Uint32Array => {
          const packed = run(packPanels, [panels, b, K, N, transposeB!]).bits.slice(0, panels.length);
          const args = [c, a, new Float32Array(packed.slice().buffer), M, N, K, accumulate!];
          return run(gemmPacked, args).bits.slice(0, size);
        };
        expect(product(wide), `packed ${M}×${N}×${K}`).toEqual(product(other));
      }
    }
  });
});

describe.runIf(engineRuns('wide'))('training with wide kernels', () => {
  it.each([
    ['simpleRnn', simpleRnn],
    ['lstm', lstm],
    ['gru', gru],
  ] as const)('of %s is bit-identical to that with the relaxed kernels', async (_, cell) => {
    const train = async (name: 'relaxed' | 'wide'): Promise<Float32Array> => {
      useKernels(name);
      const model = sequential([recurrent(cell(), { hiddenSize: 33 }), dense({ size: 5 })], { inputSize: 7, seed: 1 });
      const random = createRandom(2);
      const batch = { inputs: normal(0, 1)([9, 6, 7], random), targets: normal(0, 1)([9, 6, 5], random) };
      await fit(model, batch, { loss: meanSquaredError, optimizer: adam(1e-2), steps: 50 });
      expect(kernelsInUse()).toBe(name);
      return model.data;
    };
    expect(await train('wide')).toEqual(await train('relaxed'));
  });
});

/**
 * Returns the messages of attempts to use the wide kernels in a new process, and the kernels in use afterwards: in this
 * one, another test may have enabled them, for good.
 */
function attempts(count: number, setup = ''): { messages: string[]; inUse: string } {
  const contents = `
    import { kernelsInUse, useKernels } from 'bptt';
    useKernels('portable');
    ${setup}
    const messages = Array.from({ length: ${count} }, () => {
      try { useKernels('wide'); return ''; } catch (error) { return error.message; }
    });
    console.log(JSON.stringify({ messages, inUse: kernelsInUse() }));`;
  const { outputFiles } = buildSync({
    stdin: { contents, resolveDir: process.cwd() },
    bundle: true,
    format: 'esm',
    write: false,
    tsconfigRaw: { compilerOptions: { paths: { bptt: ['./src/index.ts'] } } },
  });
  const options = ['--input-type=module', '-e', outputFiles[0]!.text];
  return JSON.parse(execFileSync(process.execPath, options, { encoding: 'utf8' })) as ReturnType<typeof attempts>;
}

it.runIf(engineRuns('relaxed') && !engineRuns('wide'))(
  'an engine that does not merge vectors is recognized with a clock of milliseconds, as browsers have',
  () => {
    const { messages } = attempts(
      3,
      'const clock = performance.now.bind(performance); performance.now = () => Math.floor(clock());',
    );
    for (const message of messages) expect(message).toContain('it does not merge vectors');
  },
);

it.skipIf(engineRuns('wide'))(
  'useKernels keeps the kernels in use and gives the reason if it cannot use the wide ones',
  () => {
    const { messages, inUse } = attempts(1);
    expect(messages[0]).toMatch(
      /^useKernels: this engine does not support the kernels 'wide': it (has no fused multiply-add|does not merge vectors into 256 bits)/,
    );
    expect(inUse).toBe('portable');
  },
);

it('enableWideKernels returns the kernels in use, and the reason if they are not wide', () => {
  const { kernels: inUse, reason } = enableWideKernels();
  expect(kernelsInUse()).toBe(inUse);
  if (inUse === 'wide') expect(reason).toBeUndefined();
  else expect(reason).toMatch(/^useKernels: this engine does not support the kernels 'wide': it /);
});
