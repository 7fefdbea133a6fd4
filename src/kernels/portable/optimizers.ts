/** Optimizer updates: the gradient becomes the step to add to the parameters. */

import type { Memory, OptimizerKernels } from '../kernels';

export function optimizerKernels(memory: Memory): OptimizerKernels {
  return {
    momentum(g, velocity, rate, momentum, nesterov, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) {
        const gradient = m[g + i]!;
        const speed = momentum * m[velocity + i]! + gradient;
        m[velocity + i] = speed;
        m[g + i] = -rate * (nesterov ? gradient + momentum * speed : speed);
      }
    },

    rmsprop(g, square, rate, decay, epsilon, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) {
        const gradient = m[g + i]!;
        const mean = decay * m[square + i]! + (1 - decay) * gradient * gradient;
        m[square + i] = mean;
        m[g + i] = (-rate * gradient) / (Math.sqrt(mean) + epsilon);
      }
    },

    adagrad(g, total, rate, epsilon, n) {
      const m = memory.view;
      for (let i = 0; i < n; i++) {
        const gradient = m[g + i]!;
        const sum = m[total + i]! + gradient * gradient;
        m[total + i] = sum;
        m[g + i] = (-rate * gradient) / (Math.sqrt(sum) + epsilon);
      }
    },

    adam(g, mean, square, rate, beta1, beta2, epsilon, correction1, correction2, n) {
      const m = memory.view;
      const factor = -rate / correction1;
      const root = 1 / Math.sqrt(correction2);
      for (let i = 0; i < n; i++) {
        const gradient = m[g + i]!;
        const first = beta1 * m[mean + i]! + (1 - beta1) * gradient;
        const second = beta2 * m[square + i]! + (1 - beta2) * gradient * gradient;
        m[mean + i] = first;
        m[square + i] = second;
        m[g + i] = (factor * first) / (Math.sqrt(second) * root + epsilon);
      }
    },
  };
}
