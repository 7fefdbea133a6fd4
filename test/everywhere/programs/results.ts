/** Runs the program of `test/engines` on every implementation of the kernels that the engine supports. */

import { type KernelName, kernelsInUse, useKernels } from 'bptt';
import { report } from '../../engines/program';
import h5 from '../../golden/keras/legacy-gzip.h5';
import keras from '../../golden/keras/stacked.keras';
import onnx from '../../golden/onnx/mixed.onnx';

/** What an engine reports. */
export interface Results {
  /** The kernels that the library selects. */
  readonly selected: KernelName;
  /** The digests of the parts of the program, by the kernels that computed them. */
  readonly digests: Readonly<Partial<Record<KernelName, Readonly<Record<string, string>>>>>;
}

const isSupported = (name: KernelName): boolean => {
  try {
    useKernels(name);
    return true;
  } catch {
    return false;
  } finally {
    useKernels(undefined);
  }
};

/** Returns the digests for those of the kernels that the engine supports. */
export async function results(names: readonly KernelName[] = ['portable', 'simd', 'relaxed']): Promise<Results> {
  const selected = kernelsInUse();
  const digests: Partial<Record<KernelName, Record<string, string>>> = {};
  for (const name of names) if (isSupported(name)) digests[name] = await report({ keras, h5, onnx }, name);
  return { selected, digests };
}
