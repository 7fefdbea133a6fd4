/**
 * Counter-based random numbers: a function of the index, equal on all implementations and in any order of evaluation.
 */

import type { Kernel } from './kernel';
import {
  fromWholes,
  ordinals,
  type Statement,
  set,
  splatWord,
  vLess,
  vMultiply,
  vSelect,
  vXor,
  vZero,
  wholeAdd,
  wholeMultiply,
  wholeShiftDown,
  word,
} from './simd/assembler';
import { overElements } from './simd/loops';

const dropped = ['write n', 'number', 'number', 'seed', 'seed2', 'n'] as const;

/**
 * (y, rate, scale, seed, seed2, n): y = 0 with probability `rate`, else `scale`. The random bits of element i are a
 * hash of i and the seeds (lowbias32: Wellons, 2018, nullprogram.com/blog/2018/07/31). Its upper 24 bits are compared
 * with the rate.
 */
export const dropoutMask: Kernel<typeof dropped> = {
  operands: dropped,
  portable: (memory) => (y, rate, scale, seed, seed2, n) => {
    const m = memory.view;
    const threshold = Math.fround(rate);
    for (let i = 0; i < n; i++) {
      const x = hash(hash(i + seed) + seed2);
      m[y + i] = (x >>> 8) * 2 ** -24 < threshold ? 0 : scale;
    }
  },
  simd: ([y, rate, scale, seed, seed2, n], w) => {
    const [index, x] = w.vectors;
    const mix = (by: number): Statement => set(x, vXor(x, wholeShiftDown(x, by)));
    const times = (factor: number): Statement => set(x, wholeMultiply(x, word(factor)));
    const round = [mix(16), times(0x7feb352d), mix(15), times(0x846ca68b | 0), mix(16)];
    const uniform = vMultiply(fromWholes(wholeShiftDown(x, 8)), w.constant(2 ** -24));
    return [
      set(index, wholeAdd(ordinals(), splatWord(seed))),
      ...overElements(w, n, [y], (e) => [
        set(x, index),
        ...round,
        set(x, wholeAdd(x, splatWord(seed2))),
        ...round,
        e.store(y, vSelect(vLess(uniform, w.constant(rate)), vZero(), w.constant(scale))),
        set(index, wholeAdd(index, word(e.count))),
      ]),
    ];
  },
};

/** The lowbias32 hash of a 32-bit integer. */
function hash(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return x ^ (x >>> 16);
}
