/** Runs the built program as processes, and kills them. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const main = fileURLToPath(new URL('../build/main.js', import.meta.url));
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** A running program. */
export interface Program {
  readonly child: ChildProcess;
  /** The standard output and error so far. */
  readonly output: () => string;
  /** Resolves when the process has ended. */
  readonly ended: Promise<number | null>;
}

/** Programs that a failed test has left would wait for their server forever. */
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts `npm run scale -- …` without npm. */
export function startProgram(...options: readonly string[]): Program {
  const child = spawn(process.execPath, [main, ...options], { cwd: root, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream!.on('data', (text: Uint8Array) => {
      output += new TextDecoder().decode(text);
    });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, output: () => output, ended };
}

/** Runs the program to its end. @throws Error if it fails */
export async function runProgram(...options: readonly string[]): Promise<string> {
  const { ended, output } = startProgram(...options);
  if ((await ended) !== 0) throw new Error(output());
  return output();
}

/** Waits until a condition holds. @throws Error if the program ends before, or five minutes have passed */
export async function until(program: Program, what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + 300_000;
  while (!condition()) {
    if (program.child.exitCode !== null || performance.now() > end)
      throw new Error(`Waiting until ${what}. The program printed: ${program.output()}`);
    await sleep(20);
  }
}

/** Whether a folder exists and has files whose names end with `ending`. */
export function hasFiles(path: string, ending = ''): boolean {
  try {
    return readdirSync(path).some((name) => name.endsWith(ending));
  } catch {
    return false;
  }
}

/** The process ids of the children of a process that still run. */
export function childrenOf({ child: { pid } }: Program): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Kills a process as `kill -9` does. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
