/** Functions of every element alone, each with its backward below it. */

import type { ElementwiseKernels, Memory } from '../kernels';
import { logistic } from './activation';

export function elementwiseKernels(memory: Memory): ElementwiseKernels {
  return {
    exp(y, x, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i] = Math.exp(m[x + i]!);
    },
    expBackward(dx, dy, y, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[dx + i]! += m[dy + i]! * m[y + i]!;
    },

    log(y, x, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i] = Math.log(m[x + i]!);
    },
    logBackward(dx, dy, x, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[dx + i]! += m[dy + i]! / m[x + i]!;
    },

    sqrt(y, x, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i] = Math.sqrt(m[x + i]!);
    },
    sqrtBackward(dx, dy, y, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[dx + i]! += m[dy + i]! / (2 * m[y + i]!);
    },

    abs(y, x, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i] = Math.abs(m[x + i]!);
    },
    absBackward(dx, dy, x, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[dx + i]! += m[dy + i]! * Math.sign(m[x + i]!);
    },

    tanh(y, x, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i] = Math.tanh(m[x + i]!);
    },
    tanhBackward(dx, dy, y, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[dx + i]! += m[dy + i]! * (1 - m[y + i]! * m[y + i]!);
    },

    sigmoid(y, x, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i] = logistic(m[x + i]!);
    },
    sigmoidBackward(dx, dy, y, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[dx + i]! += m[dy + i]! * m[y + i]! * (1 - m[y + i]!);
    },

    leakyRelu(y, x, slope, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) {
        const value = m[x + i]!;
        m[y + i] = value > 0 ? value : value === -Infinity && slope === 0 ? 0 : slope * value;
      }
    },
    leakyReluBackward(dx, dy, x, slope, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[dx + i]! += m[x + i]! > 0 ? m[dy + i]! : slope * m[dy + i]!;
    },

    softplus(y, x, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[y + i] = Math.max(m[x + i]!, 0) + Math.log1p(Math.exp(-Math.abs(m[x + i]!)));
    },
    softplusBackward(dx, dy, x, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[dx + i]! += m[dy + i]! * logistic(m[x + i]!);
    },

    huber(y, x, delta, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) {
        const size = Math.abs(m[x + i]!);
        m[y + i] = size <= delta ? (size * size) / 2 : delta * (size - delta / 2);
      }
    },
    huberBackward(dx, dy, x, delta, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) m[dx + i]! += m[dy + i]! * Math.max(-delta, Math.min(delta, m[x + i]!));
    },
  };
}
