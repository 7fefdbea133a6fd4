/** The round trip of a model to PyTorch, where two processes train it, and back. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { roundTrip } from '../pytorch/round-trip';
import { temporaryFolder } from './servers';

const script = fileURLToPath(new URL('../pytorch/train_ddp.py', import.meta.url));
/** A Python with PyTorch, such as that of the Debian package python3-torch. */
const python = [process.env['SCALE_PYTHON'] ?? 'python3', '/usr/bin/python3'].find(
  (path) => spawnSync(path, ['-c', 'import torch.distributed']).status === 0,
);

it.skipIf(python === undefined)('two processes have the losses of one, and of bptt', async () => {
  const [folder, remove] = await temporaryFolder();
  const { bptt, lossDifferences, parameters } = await roundTrip(folder, python!, script);
  expect(bptt).toHaveLength(100);
  expect(bptt[99]!).toBeLessThan(0.8 * bptt[0]!);
  expect(lossDifferences.fromOneProcess).toBeLessThan(1e-4);
  expect(lossDifferences.fromBptt).toBeLessThan(1e-4);
  expect(parameters).toBeLessThan(1e-3);
  await remove();
});
