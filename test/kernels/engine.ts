/** What the engine that runs the tests can do. */

import { type KernelName, useKernels } from 'bptt';

/** Whether it runs these kernels: an engine without relaxed SIMD has none to test. */
export function engineRuns(name: KernelName): boolean {
  try {
    useKernels(name);
    return true;
  } catch {
    return false;
  } finally {
    useKernels(undefined);
  }
}
