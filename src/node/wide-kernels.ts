/** Kernels with vectors of 256 bits, for Node.js. */

import { setFlagsFromString } from 'node:v8';
import type { KernelName } from '../kernels/kernel';
import { isSupported, relaxed } from '../kernels/simd/bind';
import { kernelsInUse, useKernels } from '../kernels/workspace';

/** The result of {@link enableWideKernels}. */
export interface WideKernels {
  /** The kernels in use: `wide`, or the previous ones. */
  readonly kernels: KernelName;
  /** Why the wide kernels cannot be used; undefined if they are in use. */
  readonly reason: string | undefined;
}

/**
 * Sets the flag `--experimental-wasm-revectorize` of V8, with which it merges pairs of 128-bit vectors into vectors of
 * 256 bits, and switches to the kernels that make use of it, after it has compared their results with those of the
 * portable kernels and their speed with that of the relaxed ones. Matrix products become about twice as fast, with the
 * same results as those of the relaxed kernels. It requires Node.js 24 or later on x64 with AVX2.
 *
 * The flag is experimental in V8, and it applies to every WebAssembly module that the process compiles afterwards,
 * those of other libraries included. Call this function at the start of the program. A stream or `fit` that has begun
 * keeps its kernels.
 *
 * @returns the kernels in use, and the reason if they are not wide
 * @example
 * const { kernels, reason } = enableWideKernels();
 * kernels === 'wide' || reason !== undefined; // true
 */
export function enableWideKernels(): WideKernels {
  try {
    // Engines without fused multiply-add, such as Node.js 20, do not support the flag and print an error.
    if (isSupported(relaxed, new WebAssembly.Memory({ initial: 1 })))
      setFlagsFromString('--experimental-wasm-revectorize');
    useKernels('wide');
    return { kernels: 'wide', reason: undefined };
  } catch (error) {
    return { kernels: kernelsInUse(), reason: (error as RangeError).message };
  }
}
