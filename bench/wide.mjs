/**
 * bptt with its wide kernels, as a contestant. It runs in another process, because the flag of V8 applies to all
 * WebAssembly modules of a process.
 */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * Starts the process, with a number of threads. Returns undefined if the engine does not support the wide kernels.
 * Node.js 20 does not even accept the flag, and ends at once.
 */
export async function startWide(threads = 1) {
  const child = fork(fileURLToPath(new URL('wide-process.mjs', import.meta.url)), [String(threads)], {
    execArgv: ['--experimental-wasm-revectorize'],
  });
  const ended = new Promise((resolve) => child.once('exit', () => resolve(undefined)));
  const reply = () => Promise.race([new Promise((resolve) => child.once('message', resolve)), ended]);
  if (!(await reply())) {
    if (child.connected) child.disconnect();
    return undefined;
  }
  let prepared = 0;
  const prepare =
    (kind) =>
    async (...args) => {
      const id = prepared++;
      child.send({ kind, args });
      await reply();
      return async (steps) => {
        child.send({ id, steps });
        const time = await reply();
        if (time === undefined) throw new Error('The process with the wide kernels has ended.');
        return time;
      };
    };
  return {
    train: prepare('train'),
    infer: prepare('infer'),
    stream: prepare('stream'),
    close: () => child.disconnect(),
  };
}
