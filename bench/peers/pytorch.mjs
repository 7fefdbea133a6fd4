/** The cases for PyTorch, run by pytorch.py in a child process. */

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('pytorch.py', import.meta.url));

/**
 * Starts PyTorch. If OpenBLAS does not recognize the processor and selects kernels without AVX2, restarts it with
 * kernels for AVX2.
 *
 * @param threads the number of threads of PyTorch and its BLAS
 * @returns undefined if no Python installation can import torch, or if its BLAS is the reference implementation
 */
export async function pytorch(log, threads) {
  const candidates = [process.env.PYTHON, '/usr/bin/python3', 'python3'].filter((path) => path !== undefined);
  const python = candidates.find((path) => spawnSync(path, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0);
  if (python === undefined) return log('PyTorch is not included: no Python installation can import torch.');
  let opened = await open(python, threads, {});
  if (opened.versions.blas === 'reference') {
    opened.close();
    return log(
      'PyTorch is not included: its BLAS is the slow reference implementation. Is libopenblas0-pthread missing?',
    );
  }
  const unknown = ['Prescott', 'Core2', 'Penryn', 'Nehalem', 'Generic'].includes(opened.versions.core);
  if (
    unknown &&
    process.env.OPENBLAS_CORETYPE === undefined &&
    /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'utf8'))
  ) {
    log(`PyTorch: OpenBLAS detects this processor as ${opened.versions.core}; using kernels for Haswell (AVX2).`);
    opened.close();
    opened = await open(python, threads, { OPENBLAS_CORETYPE: 'Haswell' });
  }
  log(`PyTorch ${opened.versions.torch}, ${opened.versions.blas} ${opened.versions.core}`);
  return opened;
}

async function open(python, threads, environment) {
  const count = String(threads);
  const counts = { OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count, MKL_NUM_THREADS: count };
  const child = spawn(python, [script, count], {
    env: { ...process.env, ...counts, ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('The PyTorch process ended.');
    return JSON.parse(value);
  };
  const versions = await next();
  const contestant = (kind) => (cell, shape) => async (n) => {
    child.stdin.write(`${JSON.stringify({ kind, cell, shape, n })}\n`);
    return next();
  };
  return {
    versions,
    train: contestant('train'),
    infer: contestant('infer'),
    stream: contestant('stream'),
    close: () => child.stdin.end(),
  };
}
