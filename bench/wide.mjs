/**
 * bptt with its wide kernels, as a contestant. It runs in another process, because the flag of V8 applies to all
 * WebAssembly modules of a process.
 */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Starts the process, with a number of threads. Returns undefined if the engine does not support the wide kernels. */
export async function startWide(threads = 1) {
  const child = fork(fileURLToPath(new URL('wide-process.mjs', import.meta.url)), [String(threads)], {
    execArgv: ['--experimental-wasm-revectorize'],
  });
  const reply = () => new Promise((resolve) => child.once('message', resolve));
  if (!(await reply())) {
    child.disconnect();
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
        return reply();
      };
    };
  return {
    train: prepare('train'),
    infer: prepare('infer'),
    stream: prepare('stream'),
    close: () => child.disconnect(),
  };
}
