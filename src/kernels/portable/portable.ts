/** The portable kernels: the specification, in plain TypeScript over Float32Array or Float64Array. */

import type { Kernels, Memory } from '../kernels';
import { arithmeticKernels } from './arithmetic';
import { cellKernels } from './cells';
import { elementwiseKernels } from './elementwise';
import { linearKernels } from './linear';
import { movementKernels } from './movement';
import { optimizerKernels } from './optimizers';
import { rowKernels } from './rows';

export function portableKernels(memory: Memory): Kernels {
  return {
    name: 'portable',
    memory,
    ...linearKernels(memory),
    ...movementKernels(memory),
    ...arithmeticKernels(memory),
    ...elementwiseKernels(memory),
    ...rowKernels(memory),
    ...cellKernels(memory),
    ...optimizerKernels(memory),
  };
}
