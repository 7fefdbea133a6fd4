/** Optimizer updates: each turns the gradient `g` into the step to add to the parameters, in place, and moves its moments. */

import type { Kernel } from './kernel';
import {
  divideF64,
  type F64,
  f64,
  type Local,
  number,
  type Statement,
  set,
  splat,
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
import { multiplyAdd } from './simd/math';

/** Vectors of what the numbers give, and the statements that set them. */
function splats<const N extends readonly F64[]>(
  w: Writer,
  ...numbers: N
): { readonly vectors: { [I in keyof N]: Local<'v128'> }; readonly set: Statement[] } {
  const vectors = numbers.map(() => w.local('v128'));
  return {
    vectors: vectors as unknown as { [I in keyof N]: Local<'v128'> },
    set: numbers.map((value, i) => set(vectors[i]!, splat(value))),
  };
}

/**
 * Numbers below the smallest normal one become 0. Moments of parameters that get no gradient decay to there and would never leave, and
 * processors work on such numbers a hundred times as slowly.
 */
function flush(w: Writer, x: Vector): Vector {
  const [value] = w.vectors;
  return vExcept(tee(value, x), vLess(vAbs(value), w.constant(1.1754943508222875e-38)));
}

const negative = (x: F64): F64 => subtractF64(f64(0), x);
const oneMinus = (x: F64): F64 => subtractF64(f64(1), x);

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
    const {
      vectors: [step, decay],
      set: prepare,
    } = splats(w, negative(rate), momentum);
    const [gradient, speed, ahead] = w.vectors;
    return [
      ...prepare,
      set(ahead, splatWord(subtract(number(0), nesterov))), // all bits where it holds
      ...overElements(w, n, [g, velocity], (e) => [
        set(gradient, e.load(g)),
        e.store(velocity, tee(speed, flush(w, multiplyAdd(w, decay, e.load(velocity), gradient)))),
        e.store(g, vMultiply(step, vSelect(ahead, multiplyAdd(w, decay, speed, gradient), speed))),
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
      const gradient = m[g + i]!;
      const mean = decay * m[square + i]! + (1 - decay) * gradient * gradient;
      m[square + i] = mean;
      m[g + i] = (-rate * gradient) / (Math.sqrt(mean) + epsilon);
    }
  },
  simd: ([g, square, rate, decay, epsilon, n], w) => {
    const {
      vectors: [step, keep, take, least],
      set: prepare,
    } = splats(w, negative(rate), decay, oneMinus(decay), epsilon);
    const [gradient, mean] = w.vectors;
    return [
      ...prepare,
      ...overElements(w, n, [g, square], (e) => [
        set(gradient, e.load(g)),
        set(mean, flush(w, multiplyAdd(w, keep, e.load(square), vMultiply(vMultiply(take, gradient), gradient)))),
        e.store(square, mean),
        e.store(g, vDivide(vMultiply(step, gradient), vAdd(vSquareRoot(mean), least))),
      ]),
    ];
  },
};

const ofAdagrad = ['update n', 'update n', 'number', 'number', 'n'] as const;

/** total ← total + g²; g ← −rate · g / (√total + epsilon). */
export const adagradUpdate: Kernel<typeof ofAdagrad> = {
  operands: ofAdagrad,
  portable: (memory) => (g, total, rate, epsilon, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) {
      const gradient = m[g + i]!;
      const sum = m[total + i]! + gradient * gradient;
      m[total + i] = sum;
      m[g + i] = (-rate * gradient) / (Math.sqrt(sum) + epsilon);
    }
  },
  simd: ([g, total, rate, epsilon, n], w) => {
    const {
      vectors: [step, least],
      set: prepare,
    } = splats(w, negative(rate), epsilon);
    const [gradient, sum] = w.vectors;
    return [
      ...prepare,
      ...overElements(w, n, [g, total], (e) => [
        set(gradient, e.load(g)),
        set(sum, multiplyAdd(w, gradient, gradient, e.load(total))),
        e.store(total, sum),
        e.store(g, vDivide(vMultiply(step, gradient), vAdd(vSquareRoot(sum), least))),
      ]),
    ];
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

/** mean and square are the moments; g ← −rate · (mean / correction1) / (√(square / correction2) + epsilon). */
export const adamUpdate: Kernel<typeof ofAdam> = {
  operands: ofAdam,
  portable: (memory) => (g, mean, square, rate, beta1, beta2, epsilon, correction1, correction2, n) => {
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
  simd: ([g, mean, square, rate, beta1, beta2, epsilon, correction1, correction2, n], w) => {
    const {
      vectors: [factor, root, keep1, take1, keep2, take2, least],
      set: prepare,
    } = splats(
      w,
      divideF64(negative(rate), correction1),
      divideF64(f64(1), squareRootF64(correction2)),
      beta1,
      oneMinus(beta1),
      beta2,
      oneMinus(beta2),
      epsilon,
    );
    const [gradient, first, second] = w.vectors;
    return [
      ...prepare,
      ...overElements(w, n, [g, mean, square], (e) => [
        set(gradient, e.load(g)),
        set(first, flush(w, multiplyAdd(w, keep1, e.load(mean), vMultiply(take1, gradient)))),
        set(second, flush(w, multiplyAdd(w, keep2, e.load(square), vMultiply(vMultiply(take2, gradient), gradient)))),
        e.store(mean, first),
        e.store(square, second),
        e.store(g, vDivide(vMultiply(factor, first), multiplyAdd(w, vSquareRoot(second), root, least))),
      ]),
    ];
  },
};
