/** The program that runs the examples. */

import { afterEach, expect, it, vi } from 'vitest';

const ball = vi.hoisted(() => vi.fn(async () => ({})));
vi.mock('../../examples/ball/ball', () => ({ ball }));

const argv = [...process.argv];
afterEach(() => {
  process.argv.splice(0, Infinity, ...argv);
  process.exitCode = undefined;
  vi.restoreAllMocks();
});

/** Runs the program, and returns the text on both outputs. */
async function run(...options: readonly string[]): Promise<string> {
  const lines: string[] = [];
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  process.argv.splice(2, Infinity, ...options);
  vi.resetModules();
  await import('../../examples/run');
  return lines.join('');
}

it('an unknown option does not start the full run, which replaces the files of an example', async () => {
  expect(await run('ball', '--shrot')).toContain('Unknown option --shrot.');
  expect(process.exitCode).toBe(1);
  expect(await run('ball', '--help')).toContain('npm run example -- NAME [--short]');
  expect(ball).not.toHaveBeenCalled();
  await run('ball', '--short');
  expect(ball).toHaveBeenCalledWith(expect.objectContaining({ short: true }));
});
