/** Makes the wide kernels those of every test file, for `BPTT_KERNELS=wide`. */

import { useKernels } from 'bptt';

useKernels('wide');
