/**
 * Optimizer updates. Each replaces the gradient `g` by the change to add to the parameters, and updates its moments in
 * place.
 */

import type { Kernel } from './kernel';
import {
  divideF64,
  type F64,
  f64,
  number,
  set,
  splatWord,
  squareRootF64,
  subtract,
  subtractF64,
  tee,
  type Vector,
  vAbs,
  vAdd,
  vDivide,
  vExcept,
  vLess,
  vMultiply,
  vSelect,
  vSquareRoot,
  type Writer,
} from './simd/assembler';
import { overElements } from './simd/loops';
import { limit, multiplyAdd } from './simd/math';

/**
 * Flushes subnormal values to 0. The moments of parameters without a gradient decay into the subnormal range and would
 * stay there, and processors can be a hundred times slower on subnormal values.
 */
export function flush(w: Writer, x: Vector): Vector {
  const [value] = w.vectors;
  return vExcept(tee(value, x), vLess(vAbs(value), w.constant(2 ** -126)));
}

/**
 * Gradients beyond this size are limited to it: their squares would overflow, and the moments stay infinite for good.
 */
export const largest = 1e19;
export const limited = (gradient: number): number => Math.max(-largest, Math.min(largest, gradient));

const negative = (x: F64): F64 => subtractF64(f64(0), x);
export const oneMinus = (x: F64): F64 => subtractF64(f64(1), x);

const ofMomentum = ['update n', 'update n', 'number', 'number', 'flag', 'n'] as const;

/** velocity ← momentum · velocity + g; g ← −rate · (nesterov ? g + momentum · velocity : velocity). */
export const momentumUpdate: Kernel<typeof ofMomentum> = {
  operands: ofMomentum,
  portable: (memory) => (g, velocity, rate, momentum, nesterov, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) {
      const gradient = m[g + i]!;
      const speed = momentum * m[velocity + i]! + gradient;
      m[velocity + i] = speed;
      m[g + i] = -rate * (nesterov ? gradient + momentum * speed : speed);
    }
  },
  simd: ([g, velocity, rate, momentum, nesterov, n], w) => {
    const step = w.constant(negative(rate));
    const decay = w.constant(momentum);
    const [gradient, speed, isNesterov] = w.vectors;
    return [
      set(isNesterov, splatWord(subtract(number(0), nesterov))), // a mask: all bits set, or none
      ...overElements(w, n, [g, velocity], (e) => [
        set(gradient, e.load(g)),
        e.store(velocity, tee(speed, flush(w, multiplyAdd(w, decay, e.load(velocity), gradient)))),
        e.store(g, vMultiply(step, vSelect(isNesterov, multiplyAdd(w, decay, speed, gradient), speed))),
      ]),
    ];
  },
};

const ofRmsprop = ['update n', 'update n', 'number', 'number', 'number', 'n'] as const;

/** square ← decay · square + (1 − decay) · g²; g ← −rate · g / (√square + epsilon). */
export const rmspropUpdate: Kernel<typeof ofRmsprop> = {
  operands: ofRmsprop,
  portable: (memory) => (g, square, rate, decay, epsilon, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) {
      const gradient = limited(m[g + i]!);
      const mean = decay * m[square + i]! + (1 - decay) * gradient * gradient;
      m[square + i] = mean;
      m[g + i] = (-rate * gradient) / (Math.sqrt(mean) + epsilon);
    }
  },
  simd: ([g, square, rate, decay, epsilon, n], w) => {
    const step = w.constant(negative(rate));
    const decayBy = w.constant(decay);
    const oneMinusDecay = w.constant(oneMinus(decay));
    const [gradient, mean] = w.vectors;
    return overElements(w, n, [g, square], (e) => [
      set(gradient, limit(w, e.load(g), largest)),
      e.store(
        square,
        tee(
          mean,
          flush(w, multiplyAdd(w, decayBy, e.load(square), vMultiply(vMultiply(oneMinusDecay, gradient), gradient))),
        ),
      ),
      e.store(g, vDivide(vMultiply(step, gradient), vAdd(vSquareRoot(mean), w.constant(epsilon)))),
    ]);
  },
};

const ofAdagrad = ['update n', 'update n', 'number', 'number', 'n'] as const;

/** total ← total + g²; g ← −rate · g / (√total + epsilon). */
export const adagradUpdate: Kernel<typeof ofAdagrad> = {
  operands: ofAdagrad,
  portable: (memory) => (g, total, rate, epsilon, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) {
      const gradient = limited(m[g + i]!);
      const sum = m[total + i]! + gradient * gradient;
      m[total + i] = sum;
      m[g + i] = (-rate * gradient) / (Math.sqrt(sum) + epsilon);
    }
  },
  simd: ([g, total, rate, epsilon, n], w) => {
    const step = w.constant(negative(rate));
    const [gradient, sum] = w.vectors;
    return overElements(w, n, [g, total], (e) => [
      set(gradient, limit(w, e.load(g), largest)),
      e.store(total, tee(sum, multiplyAdd(w, gradient, gradient, e.load(total)))),
      e.store(g, vDivide(vMultiply(step, gradient), vAdd(vSquareRoot(sum), w.constant(epsilon)))),
    ]);
  },
};

const ofAdam = [
  'update n',
  'update n',
  'update n',
  'number',
  'number',
  'number',
  'number',
  'number',
  'number',
  'n',
] as const;

/**
 * mean ← beta1 · mean + (1 − beta1) · g; square ← beta2 · square + (1 − beta2) · g²;
 * g ← −rate · (mean / correction1) / (√(square / correction2) + epsilon).
 */
export const adamUpdate: Kernel<typeof ofAdam> = {
  operands: ofAdam,
  portable: (memory) => (g, mean, square, rate, beta1, beta2, epsilon, correction1, correction2, n) => {
    const m = memory.view;
    const factor = -rate / correction1;
    const root = 1 / Math.sqrt(correction2);
    for (let i = 0; i < n; i++) {
      const gradient = limited(m[g + i]!);
      const first = beta1 * m[mean + i]! + (1 - beta1) * gradient;
      const second = beta2 * m[square + i]! + (1 - beta2) * gradient * gradient;
      m[mean + i] = first;
      m[square + i] = second;
      m[g + i] = (factor * first) / (Math.sqrt(second) * root + epsilon);
    }
  },
  simd: ([g, mean, square, rate, beta1, beta2, epsilon, correction1, correction2, n], w) => {
    const factor = w.constant(divideF64(negative(rate), correction1));
    const root = w.constant(divideF64(f64(1), squareRootF64(correction2)));
    const decay1 = w.constant(beta1);
    const oneMinus1 = w.constant(oneMinus(beta1));
    const decay2 = w.constant(beta2);
    const oneMinus2 = w.constant(oneMinus(beta2));
    const [gradient, first, second] = w.vectors;
    return overElements(w, n, [g, mean, square], (e) => [
      set(gradient, limit(w, e.load(g), largest)),
      e.store(mean, tee(first, flush(w, multiplyAdd(w, decay1, e.load(mean), vMultiply(oneMinus1, gradient))))),
      e.store(
        square,
        tee(
          second,
          flush(w, multiplyAdd(w, decay2, e.load(square), vMultiply(vMultiply(oneMinus2, gradient), gradient))),
        ),
      ),
      e.store(g, vDivide(vMultiply(factor, first), multiplyAdd(w, vSquareRoot(second), root, w.constant(epsilon)))),
    ]);
  },
};
