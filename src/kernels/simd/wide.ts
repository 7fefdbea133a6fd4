/**
 * Wide kernels: those of relaxed SIMD, but in pairs of vectors that the engine merges into vectors of 256 bits. V8 does
 * so on x64 with its flag `--experimental-wasm-revectorize`. Other engines run them correctly, at half of the speed of
 * the relaxed kernels, so they count as supported only if a matrix product is faster with them.
 */

import { lstmCell } from '../cells';
import { type Kernels, type Memory, portableKernels } from '../kernel';
import { gemm } from '../product';
import { type Elements, load, type Statement, set, store, type Writer } from './assembler';
import { type Implementation, isSupported, relaxed, scratchSize, simd, simdKernels } from './bind';
import { four } from './loops';
import { wideTiles } from './product';

/** Creates the implementation. The modules that it compiles are merged according to the flag at that time. */
export const createWide = (): Implementation => ({
  name: 'wide',
  fused: true,
  pair,
  tiles: () => wideTiles,
});

/**
 * Probes the engine and returns the implementation.
 *
 * @throws Error with the reason if the engine does not support it
 */
export function wideImplementation(): Implementation {
  const pages = new WebAssembly.Memory({ initial: 32 });
  if (!isSupported(simd, pages) || !isSupported(relaxed, pages)) throw new Error('it has no fused multiply-add');
  const memory: Memory = { view: new Float32Array(pages.buffer) };
  const wide = createWide();
  const kernels = simdKernels(wide, pages, memory);
  if (!equalPortable(kernels)) throw new Error('its wide kernels are not correct');
  if (!mergesVectors(kernels, simdKernels(relaxed, pages, memory)))
    throw new Error(
      'it does not merge vectors into 256 bits, as V8 on x64 with AVX2 does with --experimental-wasm-revectorize',
    );
  return wide;
}

/**
 * The body for eight elements, as two vectors of four. The stores come last and in pairs, because engines that merge
 * adjacent vectors do so only without a store between their loads.
 */
function pair(w: Writer, body: (elements: Elements) => readonly Statement[]): Statement[] {
  const halves = [0, 16].map((shift) => {
    const stores: Statement[] = [];
    const statements = body({
      ...four,
      load: (address, offset = 0) => load(address, offset + shift),
      store: (address, value, offset = 0) => {
        const result = w.local('v128');
        stores.push(store(address, result, offset + shift));
        return set(result, value);
      },
    });
    return { statements, stores };
  });
  const [first, second] = halves as [(typeof halves)[number], (typeof halves)[number]];
  return [
    ...first.statements,
    ...second.statements,
    ...first.stores.flatMap((statement, i) => [statement, second.stores[i]!]),
  ];
}

/** Compares products around the size of a tile, and a cell, with the portable kernels. */
function equalPortable(kernels: Kernels): boolean {
  const start = scratchSize;
  const portable: Memory = { view: Float32Array.from({ length: start + 20_000 }, (_, i) => Math.sin(i)) };
  const reference = portableKernels(portable);
  const sizes = [
    [1, 64, 9],
    [7, 33, 17],
    [36, 32, 260],
  ] as const;
  return sizes.every(([M, N, K]) => {
    const a = start + M * N;
    const b = start + M * N + M * K;
    kernels.memory.view.set(portable.view.subarray(start), start);
    for (const { of } of [kernels, reference]) {
      of(gemm)(start, a, b, M, N, K, false, false, true);
      of(lstmCell)(b, b + N, b + 2 * N, start, a, 1, N >> 2);
    }
    return portable.view.subarray(start).every((value, i) => {
      return Math.abs(value - kernels.memory.view[start + i]!) < 1e-4;
    });
  });
}

/**
 * Whether the wide kernels multiply at least a fifth faster than the relaxed ones. With merged vectors they are about
 * twice as fast, and without about half as fast. The relaxed ones run for a while first, so that the engine has
 * optimized them before the comparison.
 */
function mergesVectors(kernels: Kernels, others: Kernels): boolean {
  const [M, N, K] = [32, 128, 256];
  const c = scratchSize;
  const a = scratchSize + M * N;
  /**
   * Milliseconds per product, over eight or more, from one tick of the clock to another: in browsers it ticks rarely.
   */
  const time = ({ of }: Kernels): number => {
    let now = performance.now();
    for (const first = now; now === first; ) now = performance.now();
    const start = now;
    for (let count = 1; ; count++) {
      const previous = now;
      of(gemm)(c, a, a + M * K, M, N, K, false, false, false);
      now = performance.now();
      if (count >= 8 && now !== previous) return (now - start) / count;
    }
  };
  const start = performance.now();
  const passed = (ms: number): boolean => performance.now() - start > ms;
  while (!passed(60)) time(others);
  // The shortest times, since other programs and the compiler of the engine interrupt some of the measurements.
  let shortest = Infinity;
  let other = Infinity;
  for (let count = 1; ; count++) {
    shortest = Math.min(shortest, time(kernels));
    other = Math.min(other, time(others));
    const isFaster = shortest < 0.8 * other;
    if (count > 36 && passed(isFaster ? 120 : 300)) return isFaster;
  }
}
