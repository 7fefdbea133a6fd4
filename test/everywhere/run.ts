/** Folders, and programs that run in child processes. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

export const repository: string = path('../..');
/** Everything that the tests write. */
export const build: string = path('build');
/** The project that uses the packed library. */
export const consumer: string = path('build/consumer');
/** A file in the packages of this folder. */
export const installed = (file: string): string => path(`node_modules/${file}`);
/** The Node.js that runs the tools: some of them need a later version than the library. */
export const node: string = installed('node24/bin/node');

/** Whether to run what takes too long for every change. */
export const isLong: boolean = process.env['EVERYWHERE'] === 'long';

/** The environment without the variables of Vitest, which change the output of bundlers. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(NODE_ENV|NODE_OPTIONS|VITEST.*|TEST|MODE|PROD|DEV|BASE_URL|SSR)$/.test(name),
  ),
);

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** In milliseconds. */
  readonly timeout?: number;
}

interface Running {
  /** Resolves with the match as soon as the standard output contains it. */
  output(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves with the standard output. @throws Error with all output if the program fails */
  readonly end: Promise<string>;
  /** Kills the program and its children. */
  stop(): void;
}

/** Starts a program, and kills it and its children when the time is over. */
export function start(program: string, args: readonly string[], options: RunOptions = {}): Running {
  const { cwd = consumer, env = {}, timeout = 600_000 } = options;
  const child = spawn(program, args, {
    cwd,
    env: { ...environment, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const stop = (): void => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL');
  };
  const end = new Promise<string>((resolve, reject) => {
    const fail = (reason: string) => {
      const text = `${output.stdout.slice(-4000)}${output.stderr.slice(-4000)}`;
      reject(new Error(`${[program, ...args].join(' ')}: ${reason}\n${text}`));
    };
    const timer = setTimeout(() => {
      stop();
      fail(`it took more than ${timeout / 1000} s`);
    }, timeout);
    child.on('error', (error) => fail(error.message));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(output.stdout);
      else fail(`exit code ${code ?? signal}`);
    });
  });
  end.catch(() => {});
  const until = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(output.stdout);
        if (match !== null) resolve(match);
      };
      child.stdout.on('data', look);
      look();
      end.then(() => reject(new Error(`${program} ended`)), reject);
    });
  return { output: until, end, stop };
}

/** Runs a program and returns its standard output. @throws Error with all output if it fails or takes too long */
export const run = (program: string, args: readonly string[], options: RunOptions = {}): Promise<string> =>
  start(program, args, options).end;
