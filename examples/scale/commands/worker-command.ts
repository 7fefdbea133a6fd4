/** `worker`: works on the jobs of sweeps and scorings. */

import { parseArgs } from 'node:util';
import { positiveOf } from './count';
import { jobOptions, workUntilSignal } from './job-options';

export async function workerCommand(args: readonly string[]): Promise<void> {
  const options = { ...jobOptions, idle: { type: 'string', default: 'Infinity' } } as const;
  const { values } = parseArgs({ args: [...args], options });
  if (values.queue === undefined) throw new RangeError('--queue must be a URL, got none.');
  await workUntilSignal(values, positiveOf(values, 'idle'));
}
