/** Results have the same bits for any number of threads. */

import {
  adam,
  additiveScore,
  advance,
  bidirectional,
  chain,
  clipByNorm,
  createRandom,
  crossEntropy,
  dense,
  dropout,
  embedding,
  encoderDecoder,
  evaluate,
  fit,
  greedySearch,
  gru,
  type KernelName,
  type Layer,
  layerNorm,
  layerNormLstm,
  lstm,
  normal,
  padSequences,
  pairBatches,
  predict,
  projectedLstm,
  recurrent,
  save,
  sequential,
  simpleRnn,
  stream,
  threadsInUse,
  threadsReady,
  uniformNumber,
  useKernels,
  useThreads,
  type Variable,
  weightDecay,
} from 'bptt';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Kernel } from '../../src/kernels/kernel';
import * as kernelList from '../../src/kernels/list';
import { panelsSize } from '../../src/kernels/product';
import { divisionOf, grain } from '../../src/kernels/threads/divide';
import { sharing } from '../../src/kernels/threads/pool';
import { allocate, defaultWorkspace, withMemory } from '../../src/kernels/workspace';
import { type Argument, argumentsOf } from './arguments';
import { engineRuns } from './engine';

type Name = keyof typeof kernelList;
const kernels = Object.entries(kernelList as unknown as Record<Name, Kernel>) as [Name, Kernel][];

const before = { ...grain, takesOver: sharing.takesOver };
/** Divides all work, however small. */
beforeAll(() => {
  Object.assign(grain, { elements: 0, products: 0, waking: 0, rows: 0 });
});
afterAll(() => {
  const { takesOver, ...sizes } = before;
  Object.assign(grain, sizes);
  sharing.takesOver = takesOver;
});
const threadsBefore = threadsInUse();
afterAll(async () => {
  useKernels(undefined);
  useThreads(threadsBefore);
  await threadsReady();
});

const counts = [2, 3, 7];

/**
 * Sets the number of threads and waits for them. Two must compute their shares; to wait for more takes long on few
 * cores.
 */
async function start(threads: number): Promise<void> {
  useThreads(threads);
  expect(await threadsReady()).toBe(threads);
  sharing.takesOver = threads > 2;
}

/** The bits as text, which compares faster than an array. */
const bitsOf = (values: Float32Array): string =>
  Array.from(new Uint32Array(values.buffer, values.byteOffset, values.length), (bits) => bits.toString(36)).join();

/** Runs a kernel on copies of its arguments, three times: the threads have its functions from the second time on. */
function run(kernel: Kernel, args: readonly Argument[]): { result: unknown; bits: string[] } {
  const workspace = defaultWorkspace();
  return withMemory(workspace, () => {
    const offsets = args.map((arg) => (arg instanceof Float32Array ? allocate(workspace, arg.length + 4) : -1));
    const { memory } = workspace;
    const call = workspace.kernels.of(kernel) as (...operands: Argument[]) => unknown;
    let result: unknown;
    for (let times = 0; times < 3; times++) {
      args.forEach((arg, i) => {
        if (!(arg instanceof Float32Array)) return;
        memory.view.set(arg, offsets[i]!);
        memory.view.fill(77, offsets[i]! + arg.length, offsets[i]! + arg.length + 4);
      });
      result = call(...args.map((arg, i) => (arg instanceof Float32Array ? offsets[i]! : arg)));
    }
    const bits = args.flatMap((arg, i) =>
      arg instanceof Float32Array
        ? [bitsOf(Float32Array.from(memory.view.subarray(offsets[i]!, offsets[i]! + arg.length + 4)))]
        : [],
    );
    return { result, bits };
  });
}

const generator = createRandom(5);
const draw = (size: number): Float32Array => Float32Array.from({ length: size }, () => uniformNumber(generator, -1, 1));

describe.each((['simd', 'relaxed', 'wide'] as const).filter(engineRuns))('%s', (name: KernelName) => {
  beforeAll(() => useKernels(name));

  it('every kernel has the same bits for any number of threads', async () => {
    const cases = kernels.flatMap(([key, kernel]) =>
      [1, 2, 7, 33, 130].map((n) => ({ key, n, kernel, args: argumentsOf(key, kernel, n, draw) })),
    );
    useThreads(1);
    const expected = cases.map(({ kernel, args }) => run(kernel, args));
    for (const threads of counts) {
      await start(threads);
      cases.forEach(({ key, n, kernel, args }, i) => {
        expect(run(kernel, args), `${key}, n = ${n}, ${threads} threads`).toEqual(expected[i]);
      });
    }
  });

  it('products have the same bits for any number of threads', async () => {
    const sizes = [
      [1, 512, 128],
      [1, 5, 300],
      [2, 33, 7],
      [5, 1, 257],
      [8, 512, 64],
      [32, 100, 260],
      [37, 45, 513],
      [40, 96, 600],
      [160, 20, 9],
      [3, 0, 4],
      [4, 4, 0],
    ] as const;
    const cases = sizes.flatMap(([M, N, K]) => {
      const [a, b, c, bias, panels] = [draw(M * K), draw(K * N), draw(M * N), draw(N), draw(panelsSize(K, N))];
      const products = [false, true].flatMap((accumulate) =>
        [false, true].flatMap((transposeA) =>
          [false, true].map((transposeB) => ({
            kernel: kernelList.gemm,
            args: [c, a, b, M, N, K, transposeA, transposeB, accumulate],
          })),
        ),
      );
      return [
        ...products,
        ...[false, true].map((accumulate) => ({
          kernel: kernelList.gemmPacked,
          args: [c, a, panels, M, N, K, accumulate],
        })),
        { kernel: kernelList.affineRows, args: [c, a, b, bias, M, N, K] },
        { kernel: kernelList.affinePacked, args: [c, a, panels, bias, M, N, K] },
      ];
    }) as { kernel: Kernel; args: Argument[] }[];
    useThreads(1);
    const expected = cases.map(({ kernel, args }) => run(kernel, args));
    for (const threads of counts) {
      await start(threads);
      cases.forEach(({ kernel, args }, i) => {
        const what = `${args.filter((arg) => !(arg instanceof Float32Array)).join(', ')}, ${threads} threads`;
        expect(run(kernel, args), what).toEqual(expected[i]);
      });
    }
  });
});

const [T, I, V] = [5, 5, 3];
/** Layers with all cells, both directions, dropout and attention, and odd sizes. */
const stacks: Record<string, () => Layer[]> = {
  rnn: () => [recurrent(simpleRnn(), { hiddenSize: 7 }), dense({ size: V })],
  'one unit': () => [recurrent(lstm(), { hiddenSize: 1 }), dense({ size: V })],
  lstm: () => [recurrent(lstm(), { hiddenSize: 33 }), dense({ size: V })],
  'gru with zoneout': () => [recurrent(gru(), { hiddenSize: 12, zoneout: { h: 0.2 } }), dense({ size: V })],
  'gru with the reset gate before': () => [recurrent(gru({ reset: 'before' }), { hiddenSize: 12 }), dense({ size: V })],
  'projected and normalized lstm': () => [
    recurrent(projectedLstm({ projectionSize: 4 }), { hiddenSize: 9 }),
    recurrent(layerNormLstm(), { hiddenSize: 6 }),
    dense({ size: V }),
  ],
  'both directions and dropout': () => [
    bidirectional(gru(), { hiddenSize: 8, recurrentDropout: 0.2 }),
    dropout(0.3),
    layerNorm(),
    recurrent(lstm(), { hiddenSize: 11 }),
    dense({ size: V }),
  ],
};

/** Trains a model for 20 updates. Returns the bits of its predictions, losses, gradient norms and parameters. */
async function trainAndPredict(layers: readonly Layer[], B: number, isPadded: boolean): Promise<unknown> {
  const model = sequential(layers, { inputSize: I, seed: 1 });
  const random = createRandom(B);
  const inputs = normal(0, 1)([T, B, I], random);
  const lengths = Int32Array.from({ length: B }, (_, b) => (isPadded ? (b % T) + 1 : T));
  const targets = { shape: [T, B], data: Int32Array.from({ length: T * B }, (_, i) => (i * 7) % V) };
  const losses: number[] = [];
  await fit(
    model,
    { inputs, targets, lengths },
    {
      loss: crossEntropy,
      optimizer: chain(weightDecay(0.01), clipByNorm(1), adam(0.01)),
      steps: 20,
      seed: 3,
      onProgress: ({ loss, gradientNorm }) => void losses.push(loss, gradientNorm),
    },
  );
  const running = stream(
    sequential([recurrent(lstm(), { hiddenSize: 6 }), dense({ size: 2 })], { inputSize: I, seed: 2 }),
  );
  return {
    losses,
    predicted: bitsOf(predict(model, inputs, { lengths }).data),
    parameters: save(model).join(),
    streamed: bitsOf(advance(running, { shape: [1, I], data: inputs.data.slice(0, I) }).data),
  };
}

/** Trains an encoder-decoder model with attention for 20 updates. Returns its file and a translation. */
async function translate(): Promise<unknown> {
  const model = encoderDecoder({
    encoder: [embedding({ vocabularySize: 6, size: 3 }), bidirectional(lstm(), { hiddenSize: 5 })],
    decoder: {
      vocabularySize: 6,
      embeddingSize: 3,
      cell: gru(),
      hiddenSize: 7,
      attention: additiveScore({ size: 4 }),
      inputFeeding: true,
    },
    start: 0,
    end: 1,
    seed: 1,
  });
  const pairs = Array.from({ length: 9 }, (_, i) => ({
    input: Int32Array.from({ length: (i % 4) + 1 }, (_, t) => 2 + ((i + t) % 4)),
    target: Int32Array.of(2 + (i % 4), 1),
  }));
  await fit(model, pairBatches(pairs, { batchSize: 4 }), { optimizer: adam(0.01), steps: 20 });
  const { loss } = evaluate(model, pairBatches(pairs, { batchSize: 9 }));
  return {
    loss,
    parameters: save(model).join(),
    written: greedySearch(model, padSequences([Int32Array.of(2, 3)]), { maxLength: 4 }),
  };
}

describe.each((['simd', 'relaxed', 'wide'] as const).filter(engineRuns))('%s', (name: KernelName) => {
  beforeAll(() => useKernels(name));

  it.each(Object.entries(stacks))(
    '%s: predictions and 20 updates have the same bits for any number of threads',
    async (_, layers) => {
      // Fewer rows than threads; more rows; and enough of equal length that each thread computes all steps of some.
      for (const [B, isPadded, counts] of [
        [1, true, [3]],
        [5, true, [2, 7]],
        [29, false, [2, 7]],
      ] as const) {
        useThreads(1);
        const expected = await trainAndPredict(layers(), B, isPadded);
        for (const threads of counts) {
          await start(threads);
          expect(await trainAndPredict(layers(), B, isPadded), `batch size ${B}, ${threads} threads`).toEqual(expected);
        }
      }
    },
  );

  it('an encoder-decoder model with attention has the same bits for any number of threads', async () => {
    useThreads(1);
    const expected = await translate();
    for (const threads of counts) {
      await start(threads);
      expect(await translate(), `${threads} threads`).toEqual(expected);
    }
  });
});

it('small updates use the memory of one thread, and keep the optimizer state when the size changes', async () => {
  useKernels(undefined);
  const isShared: boolean[] = [];
  const loss = Object.assign((...[prediction, targets, options]: Parameters<typeof crossEntropy>) => {
    isShared.push((prediction as Variable).storage.scope.workspace.memory.view.buffer instanceof SharedArrayBuffer);
    return crossEntropy(prediction, targets, options);
  }, crossEntropy);
  const batchOf = (B: number) => ({
    inputs: normal(0, 1)([T, B, I], createRandom(B)),
    targets: { shape: [T, B], data: Int32Array.from({ length: T * B }, (_, i) => (i * 7) % V) },
  });
  const train = async () => {
    const model = sequential([recurrent(lstm(), { hiddenSize: 6 }), dense({ size: V })], { inputSize: I, seed: 1 });
    const data = [2, 9, 2, 2, 9, 9].map(batchOf);
    const { losses, optimizerState } = await fit(model, data, { loss, optimizer: adam(0.01) });
    return { losses, parameters: bitsOf(model.data), moments: optimizerState.slots.map(bitsOf) };
  };
  useThreads(1);
  const expected = await train();
  expect(isShared.splice(0)).not.toContain(true);
  try {
    for (const sizes of [{ rows: T * 9 }, { waking: 5000 }]) {
      Object.assign(grain, { rows: 0, waking: 0 }, sizes);
      await start(2);
      expect(await train()).toEqual(expected);
      expect(isShared.splice(0)).toEqual([false, true, false, false, true, true]);
    }
  } finally {
    Object.assign(grain, { rows: 0, waking: 0 });
  }
});

it('a kernel is divided by its rows or elements only if they are independent', () => {
  const divided = kernels.filter(([, kernel]) => !('compose' in kernel) && divisionOf(kernel.operands) !== undefined);
  const whole = kernels.filter(([, kernel]) => !('compose' in kernel) && divisionOf(kernel.operands) === undefined);
  expect(whole.map(([name]) => name).sort()).toEqual([
    'copy', // its buffers may overlap
    'differing',
    'dropoutMask', // its seed is that of the first element
    'foldWindows', // windows overlap
    'limitColumns', // the norms of columns
    'multiplyTaps', // its windows have strides
    'sumOf',
    'sumOfSquares',
    'unfoldWindows', // its windows have strides
  ]);
  expect(divided.length).toBeGreaterThan(40);
});

it('products, and kernels of independent rows or elements, are divided', async () => {
  useKernels(undefined);
  await start(2);
  // Commands for a thread are counted by a store.
  const stores = vi.spyOn(Atomics, 'store');
  try {
    const divided = kernels.filter(([name, kernel]) => {
      stores.mockClear();
      run(kernel, argumentsOf(name, kernel, 33, draw));
      return stores.mock.calls.length > 0;
    });
    const names = divided.map(([name]) => name);
    const independent = kernels.filter(([, kernel]) => !('compose' in kernel) && divisionOf(kernel.operands));
    expect(names).toEqual(expect.arrayContaining(independent.map(([name]) => name)));
    expect(names).toEqual(expect.arrayContaining(['gemm', 'gemmPacked', 'affinePacked']));
    expect(names).not.toContain('sumOf');
  } finally {
    stores.mockRestore();
  }
});
