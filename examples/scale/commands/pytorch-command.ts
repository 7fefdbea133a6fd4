/** `pytorch`: trains a model on two processes with PyTorch, and compares the losses. */

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { roundTrip } from '../pytorch/round-trip';

const options = {
  folder: { type: 'string', default: 'scale-run' },
  python: { type: 'string', default: 'python3' },
} as const;

export async function pytorchCommand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options });
  const script = 'examples/scale/pytorch/train_ddp.py';
  const result = await roundTrip(join(values.folder, 'pytorch'), values.python, script);
  const { bptt, oneProcess, twoProcesses, parameters, lossDifferences } = result;
  process.stdout.write('update      bptt   PyTorch   two processes\n');
  for (const i of [0, 24, 49, 74, 99])
    process.stdout.write(
      `${String(i + 1).padStart(6)}  ${[bptt, oneProcess, twoProcesses].map((list) => list[i]!.toFixed(6)).join('  ')}\n`,
    );
  process.stdout.write(
    `largest difference of a loss of two processes: ${lossDifferences.fromOneProcess.toExponential(1)} from one process, ` +
      `${lossDifferences.fromBptt.toExponential(1)} from bptt\n` +
      `largest difference of a parameter: ${parameters.toExponential(1)}\n`,
  );
}
