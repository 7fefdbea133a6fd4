/** Worker processes on this machine. On a cluster, Kubernetes or Slurm takes this part. */

import { type ChildProcess, spawn } from 'node:child_process';

/** Processes that are started again when they end. */
export interface Processes {
  /** The processes that run now. */
  readonly running: readonly ChildProcess[];
  /** Asks all processes to stop, and waits until they have. */
  readonly stop: () => Promise<void>;
}

/** Starts `count` processes of this program with other arguments. */
export function startProcesses(count: number, argumentsOf: (index: number) => readonly string[]): Processes {
  const running: ChildProcess[] = [];
  let stopping = false;
  const start = (index: number): void => {
    const child = spawn(process.execPath, [process.argv[1]!, ...argumentsOf(index)], {
      // A worker notices by its channel when this process ends, however it ends.
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    running[index] = child;
    child.once('exit', () => {
      setTimeout(() => {
        if (!stopping) start(index);
      }, 200).unref();
    });
  };
  for (let index = 0; index < count; index++) start(index);
  return {
    running,
    async stop() {
      stopping = true;
      await Promise.all(
        running.map((child) => {
          if (child.exitCode !== null || child.signalCode !== null) return undefined;
          child.kill('SIGTERM');
          const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
          return new Promise((resolve) => child.once('exit', resolve)).finally(() => clearTimeout(timer));
        }),
      );
    },
  };
}

/** Aborts when this process is asked to stop, or when the process that started it has ended. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.once(event, () => stop.abort());
  // It may have ended before. Without a channel to another process, this is undefined.
  if (process.connected === false) stop.abort();
  return stop.signal;
}
