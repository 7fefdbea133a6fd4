/** Softmax and cross-entropy over the rows of a matrix. */

import type { Heap, Memory, RowKernels } from '../kernels';

export function rowKernels(memory: Memory): RowKernels {
  return {
    softmax(y, x, rows, n) {
      const m = memory.view;
      for (let r = 0; r < rows; r++) softmaxRow(m, y + r * n, x + r * n, n);
    },
    softmaxBackward(dx, dy, y, rows, n) {
      const m = memory.view;
      for (let r = 0, i = 0; r < rows; r++, i += n) {
        let dot = 0;
        for (let j = i; j < i + n; j++) dot += m[dy + j]! * m[y + j]!;
        for (let j = i; j < i + n; j++) m[dx + j]! += m[y + j]! * (m[dy + j]! - dot);
      }
    },

    logSoftmax(y, x, rows, n) {
      const m = memory.view;
      for (let r = 0, i = 0; r < rows; r++, i += n) {
        const log = logSumExp(m, x + i, n);
        for (let j = i; j < i + n; j++) m[y + j] = m[x + j]! - log;
      }
    },
    logSoftmaxBackward(dx, dy, y, rows, n) {
      const m = memory.view;
      for (let r = 0, i = 0; r < rows; r++, i += n) {
        let total = 0;
        for (let j = i; j < i + n; j++) total += m[dy + j]!;
        for (let j = i; j < i + n; j++) m[dx + j]! += m[dy + j]! - Math.exp(m[y + j]!) * total;
      }
    },

    crossEntropy(loss, probabilities, logits, targets, rows, V) {
      const m = memory.view;
      for (let r = 0, i = 0; r < rows; r++, i += V) {
        m[loss + r] = logSumExp(m, logits + i, V) - m[logits + i + m[targets + r]!]!;
        softmaxRow(m, probabilities + i, logits + i, V);
      }
    },
    crossEntropyBackward(dlogits, dloss, probabilities, targets, rows, V) {
      const m = memory.view;
      for (let r = 0, i = 0; r < rows; r++, i += V) {
        const d = m[dloss + r]!;
        if (d === 0) continue;
        for (let j = i; j < i + V; j++) m[dlogits + j]! += d * m[probabilities + j]!;
        m[dlogits + i + m[targets + r]!]! -= d;
      }
    },
  };
}

function maximum(m: Heap, x: number, n: number): number {
  let largest = -Infinity;
  for (let j = x; j < x + n; j++) largest = Math.max(largest, m[j]!);
  return largest;
}

function softmaxRow(m: Heap, y: number, x: number, n: number): void {
  const largest = maximum(m, x, n);
  let total = 0;
  for (let j = 0; j < n; j++) {
    const e = Math.exp(m[x + j]! - largest);
    m[y + j] = e;
    total += e;
  }
  for (let j = 0; j < n; j++) m[y + j]! /= total;
}

function logSumExp(m: Heap, x: number, n: number): number {
  const largest = maximum(m, x, n);
  let total = 0;
  for (let j = x; j < x + n; j++) total += Math.exp(m[j]! - largest);
  return largest + Math.log(total);
}
