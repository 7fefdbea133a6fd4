/** Offers the tasks to the tests, in the page and in module workers. */

import { type Tasks, tasks } from './tasks';

type Name = keyof Tasks;
type Result<N extends Name> = Awaited<ReturnType<Tasks[N]>>;

export interface Calls {
  inPage<N extends Name>(task: N, ...args: Parameters<Tasks[N]>): Promise<Result<N>>;
  /** Runs the task in as many workers at the same time. */
  inWorkers<N extends Name>(count: number, task: N, ...args: Parameters<Tasks[N]>): Promise<Result<N>[]>;
  /**
   * Trains on several threads in a worker. Starts a new worker, at most `attempts` in all, if one has no result after a
   * minute: under WebDriver, a worker of Firefox that creates a worker sometimes waits forever, since it and the new
   * worker wait for the same condition variable, and only one of them is woken (`SetIsDebuggerRegistered` in
   * dom/workers/WorkerPrivate.h).
   */
  onThreads(count: number, attempts: number): Promise<Result<'threads'>>;
  /** The number of violations of the content security policy. */
  violations(): number;
}

let violations = 0;
addEventListener('securitypolicyviolation', () => violations++);

class NoResult extends Error {}

function inWorker(task: string, args: readonly unknown[], seconds = Infinity): Promise<never> {
  const worker = new Worker(new URL('worker.js', location.href), { type: 'module' });
  return new Promise<never>((resolve, reject) => {
    worker.onmessage = ({ data }) => ('error' in data ? reject(new Error(data.error)) : resolve(data.result));
    worker.onerror = ({ message }) => reject(new Error(`worker: ${message}`));
    worker.postMessage({ task, args });
    if (seconds < Infinity)
      setTimeout(() => reject(new NoResult(`worker: no result after ${seconds} s`)), 1000 * seconds);
  }).finally(() => worker.terminate());
}

const calls: Calls = {
  inPage: async (task, ...args) => {
    // Parameters<Tasks[N]> are the arguments of the task.
    const run = tasks[task] as (...args: unknown[]) => never;
    return await run(...args);
  },
  inWorkers: (count, task, ...args) => Promise.all(Array.from({ length: count }, () => inWorker(task, args))),
  async onThreads(count, attempts) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await inWorker('threads', [count], 60);
      } catch (error) {
        if (!(error instanceof NoResult) || attempt === attempts) throw error;
      }
    }
  },
  violations: () => violations,
};
Object.assign(globalThis, { calls });
