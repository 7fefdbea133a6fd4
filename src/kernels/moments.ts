/**
 * The parts of which the updates of less common optimizers are composed: the moments of the gradient, and the change
 * that follows from them. Adam, which is common, has one kernel for both.
 */

import type { Kernel } from './kernel';
import { flush, largest, limited, oneMinus } from './optimizers';
import { set, tee, vAdd, vDivide, vMax, vMultiply, vNegate, vSquareRoot, vZero } from './simd/assembler';
import { overElements } from './simd/loops';
import { limit, multiplyAdd } from './simd/math';

const ofMoments = ['update n', 'update n', 'update n', 'number', 'number', 'n'] as const;

/** mean ← beta1 · mean + (1 − beta1) · g; square ← beta2 · square + (1 − beta2) · g². Limits g to ±1e19. */
export const momentsUpdate: Kernel<typeof ofMoments> = {
  operands: ofMoments,
  portable: (memory) => (g, mean, square, beta1, beta2, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) {
      const gradient = limited(m[g + i]!);
      m[g + i] = gradient;
      m[mean + i] = beta1 * m[mean + i]! + (1 - beta1) * gradient;
      m[square + i] = beta2 * m[square + i]! + (1 - beta2) * gradient * gradient;
    }
  },
  simd: ([g, mean, square, beta1, beta2, n], w) => {
    const decay1 = w.constant(beta1);
    const oneMinus1 = w.constant(oneMinus(beta1));
    const decay2 = w.constant(beta2);
    const oneMinus2 = w.constant(oneMinus(beta2));
    const [gradient] = w.vectors;
    return overElements(w, n, [g, mean, square], (e) => [
      e.store(g, tee(gradient, limit(w, e.load(g), largest))),
      e.store(mean, flush(w, multiplyAdd(w, decay1, e.load(mean), vMultiply(oneMinus1, gradient)))),
      e.store(
        square,
        flush(w, multiplyAdd(w, decay2, e.load(square), vMultiply(vMultiply(oneMinus2, gradient), gradient))),
      ),
    ]);
  },
};

const ofChange = ['update n', 'read n', 'read n', 'number', 'number', 'number', 'number', 'number', 'n'] as const;

/**
 * g ← (gradientFactor · g + meanFactor · mean) / (√(squareFactor · (square − centering · mean²)) + epsilon). A
 * difference that is negative from rounding counts as 0.
 */
export const changeByMoments: Kernel<typeof ofChange> = {
  operands: ofChange,
  portable: (memory) => (g, mean, square, gradientFactor, meanFactor, squareFactor, centering, epsilon, n) => {
    const m = memory.view;
    for (let i = 0; i < n; i++) {
      const first = m[mean + i]!;
      const variance = Math.max(0, m[square + i]! - centering * first * first);
      const step = gradientFactor * m[g + i]! + meanFactor * first;
      m[g + i] = step / (Math.sqrt(squareFactor * variance) + epsilon);
    }
  },
  simd: ([g, mean, square, gradientFactor, meanFactor, squareFactor, centering, epsilon, n], w) => {
    const [first, variance] = w.vectors;
    return overElements(w, n, [g, mean, square], (e) => [
      set(first, e.load(mean)),
      set(
        variance,
        vMax(multiplyAdd(w, vNegate(vMultiply(w.constant(centering), first)), first, e.load(square)), vZero()),
      ),
      e.store(
        g,
        vDivide(
          multiplyAdd(w, w.constant(gradientFactor), e.load(g), vMultiply(w.constant(meanFactor), first)),
          vAdd(vSquareRoot(vMultiply(w.constant(squareFactor), variance)), w.constant(epsilon)),
        ),
      ),
    ]);
  },
};
