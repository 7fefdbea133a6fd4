/** The capabilities of the engine that runs the tests. */

import { type KernelName, useKernels } from 'bptt';

/**
 * Whether the engine supports these kernels. Tests skip kernels that it does not support. Only `BPTT_KERNELS=wide`
 * tries the wide ones, because the probe takes a third of a second without the flag.
 */
export function engineRuns(name: KernelName): boolean {
  if (name === 'wide' && process.env['BPTT_KERNELS'] !== 'wide') return false;
  try {
    useKernels(name);
    return true;
  } catch {
    return false;
  } finally {
    useKernels(undefined);
  }
}
