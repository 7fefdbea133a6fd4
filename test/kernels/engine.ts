/** The capabilities of the engine that runs the tests. */

import { type KernelName, useKernels } from 'bptt';

/** Whether the engine supports these kernels. Tests skip kernels that it does not support. */
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
