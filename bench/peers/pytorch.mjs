/** PyTorch as a contestant: a process of its own that answers how long its steps took. */

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('pytorch.py', import.meta.url));
const oneThread = { OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };

/**
 * Nothing where no python imports torch, or its matrix products are the reference ones. An OpenBLAS that does not know this processor and
 * takes it for one without AVX2 is told to use its kernels for AVX2.
 */
export async function pytorch(tell) {
  const candidates = [process.env.PYTHON, '/usr/bin/python3', 'python3'].filter((path) => path !== undefined);
  const python = candidates.find((path) => spawnSync(path, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0);
  if (python === undefined) return tell('PyTorch: no python here imports torch');
  let opened = await open(python, {});
  if (opened.versions.blas === 'reference') {
    opened.close();
    return tell('PyTorch: its BLAS is the reference one, which would be unfair. Is libopenblas0-pthread missing?');
  }
  const unknown = ['Prescott', 'Core2', 'Penryn', 'Nehalem', 'Generic'].includes(opened.versions.core);
  if (
    unknown &&
    process.env.OPENBLAS_CORETYPE === undefined &&
    /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'utf8'))
  ) {
    tell(
      `PyTorch: OpenBLAS takes this processor for ${opened.versions.core}; it runs its kernels for Haswell (AVX2) instead`,
    );
    opened.close();
    opened = await open(python, { OPENBLAS_CORETYPE: 'Haswell' });
  }
  tell(`PyTorch ${opened.versions.torch}, ${opened.versions.blas} ${opened.versions.core}`);
  return opened;
}

async function open(python, more) {
  const child = spawn(python, [script], {
    env: { ...process.env, ...oneThread, ...more },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('PyTorch ended.');
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
