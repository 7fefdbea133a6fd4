/**
 * Kernels in WebAssembly SIMD. The module is written at first use, once for the engine: with fused multiply-add where the engine accepts
 * relaxed SIMD, else without. What has no kernel here yet is the portable one, over the same memory.
 */

import type { CellKernels, Kernels, Memory } from '../kernels';
import { portableKernels } from '../portable/portable';
import { assemble } from './assembler';
import { lstmCellBackwardFunction, lstmCellFunction } from './cells';
import { multiplyFunction, packFunction, tileColumns, tileRows } from './product';

/** How much of K, of A's rows and of B's columns is packed at a time: a panel of B and the block of A stay in the first cache. */
const blockDepth = 256;
const blockRows = 32;
const blockColumns = 512;

/** How many numbers at the start of the memory belong to the kernels: room for one tile, a block of A and a panel of B. */
export function reserved(): number {
  return tileRows * tileColumns + blockRows * blockDepth + blockColumns * blockDepth;
}

interface Exports {
  readonly packA: (to: number, from: number, laneStride: number, depthStride: number, lanes: number, depth: number) => void;
  readonly packB: Exports['packA'];
  readonly multiply: (
    c: number, a: number, b: number, rows: number, columns: number, depth: number, rowBytes: number, spare: number,
  ) => void;
  /** Operands in bytes. */
  readonly lstmCell: CellKernels['lstmCell'];
  readonly lstmCellBackward: CellKernels['lstmCellBackward'];
}

const modules: { simd?: WebAssembly.Module | undefined; relaxed?: WebAssembly.Module | undefined } = {};

/** The module, or nothing where the engine refuses it: it lacks the instructions, or a content security policy forbids WebAssembly. */
function moduleOf(name: 'simd' | 'relaxed'): WebAssembly.Module | undefined {
  if (!(name in modules)) {
    try {
      const fused = name === 'relaxed';
      const bytes = assemble([
        packFunction(0, 'packA', tileRows),
        packFunction(1, 'packB', tileColumns),
        multiplyFunction(2, 'multiply', fused),
        lstmCellFunction(3, fused),
        lstmCellBackwardFunction(4),
      ]);
      modules[name] = WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : undefined;
    } catch {
      modules[name] = undefined;
    }
  }
  return modules[name];
}

/** Kernels over a WebAssembly memory, whose current view `memory` holds; nothing where the engine does not run them. */
export function simdKernels(name: 'simd' | 'relaxed', pages: WebAssembly.Memory, memory: Memory): Kernels | undefined {
  const module = moduleOf(name);
  if (module === undefined) return undefined;
  const wasm = new WebAssembly.Instance(module, { env: { memory: pages } }).exports as unknown as Exports;
  const portable = portableKernels(memory);
  const tile = 0;
  const panelsOfA = tile + tileRows * tileColumns;
  const panelsOfB = panelsOfA + blockRows * blockDepth;
  return {
    ...portable,
    name,
    gemm(c, a, b, M, N, K, transposeA, transposeB, accumulate) {
      if (M === 1) return portable.gemm(c, a, b, M, N, K, transposeA, transposeB, accumulate);
      if (!accumulate) memory.view.fill(0, c, c + M * N);
      const [rowA, columnA] = transposeA ? [4, 4 * M] : [4 * K, 4];
      const [rowB, columnB] = transposeB ? [4, 4 * K] : [4 * N, 4];
      for (let k = 0; k < K; k += blockDepth) {
        const depth = Math.min(blockDepth, K - k);
        for (let j = 0; j < N; j += blockColumns) {
          const columns = Math.min(blockColumns, N - j);
          wasm.packB(4 * panelsOfB, 4 * b + k * rowB + j * columnB, columnB, rowB, columns, depth);
          for (let i = 0; i < M; i += blockRows) {
            const rows = Math.min(blockRows, M - i);
            wasm.packA(4 * panelsOfA, 4 * a + i * rowA + k * columnA, rowA, columnA, rows, depth);
            wasm.multiply(4 * (c + i * N + j), 4 * panelsOfA, 4 * panelsOfB, rows, columns, depth, 4 * N, 4 * tile);
          }
        }
      }
    },
    lstmCell(h, c, tanhC, gates, product, cPrevious, rows, H) {
      if (H % 4 !== 0) return portable.lstmCell(h, c, tanhC, gates, product, cPrevious, rows, H);
      wasm.lstmCell(4 * h, 4 * c, 4 * tanhC, 4 * gates, 4 * product, 4 * cPrevious, rows, H);
    },
    lstmCellBackward(gates, dcPrevious, dh, dc, tanhC, cPrevious, rows, H) {
      if (H % 4 !== 0) return portable.lstmCellBackward(gates, dcPrevious, dh, dc, tanhC, cPrevious, rows, H);
      wasm.lstmCellBackward(4 * gates, 4 * dcPrevious, 4 * dh, 4 * dc, 4 * tanhC, 4 * cPrevious, rows, H);
    },
  };
}
