/** Layer normalization (Ba, Kiros and Hinton, 2016, arXiv 1607.06450). */

import type { Kernel } from './kernel';
import {
  add,
  fromWholes,
  loadSplat,
  number,
  set,
  splat,
  splatWord,
  storeOne,
  tee,
  vAdd,
  vDivide,
  vMax,
  vMultiply,
  vSquareRoot,
  vSubtract,
  vZero,
} from './simd/assembler';
import { alongRow, overElements, sumAcross, times } from './simd/loops';
import { multiplyAdd } from './simd/math';

const normalized = [
  'write rows n',
  'write rows n',
  'write rows',
  'read rows n',
  'read n',
  'read n',
  'number',
  'rows',
  'n',
] as const;

/**
 * (y, normal, slope, x, gain, bias, epsilon, rows, n): per row, slope = 1 / √(variance + epsilon),
 * normal = (x − mean) · slope, y = gain · normal + bias.
 */
export const normalizeRows: Kernel<typeof normalized> = {
  operands: normalized,
  portable: (memory) => (y, normal, slope, x, gain, bias, epsilon, rows, n) => {
    const m = memory.view;
    for (let r = 0, i = 0; r < rows; r++, i += n) {
      // Averaging differences from the first element makes the mean of equal values exact, however large they are.
      const first = m[x + i]!;
      let mean = first;
      for (let j = i; j < i + n; j++) mean += (m[x + j]! - first) / n;
      let variance = 0;
      for (let j = i; j < i + n; j++) variance += (m[x + j]! - mean) ** 2 / n;
      const factor = 1 / Math.sqrt(variance + epsilon);
      m[slope + r] = factor;
      for (let j = 0; j < n; j++) {
        const value = (m[x + i + j]! - mean) * factor;
        m[normal + i + j] = value;
        m[y + i + j] = m[gain + j]! * value + m[bias + j]!;
      }
    }
  },
  simd: ([y, normal, slope, x, gain, bias, epsilon, rows, n], w) => {
    const [mean, first, variance, residual, count, value, factor] = w.vectors;
    const [gains, biases] = w.pointers;
    return [
      set(count, fromWholes(splatWord(n))),
      times(rows, [
        set(first, loadSplat(x)),
        set(mean, vZero()),
        ...alongRow(w, n, [x], ([from], e) => [set(mean, vAdd(mean, e.only(vSubtract(e.load(from), first))))]),
        set(mean, vAdd(first, vDivide(sumAcross(mean), count))),
        // The mean is rounded. The second pass computes its error, which is removed from the variance and from each
        // element.
        set(variance, vZero()),
        set(residual, vZero()),
        ...alongRow(w, n, [x], ([from], e) => [
          set(value, e.only(vSubtract(e.load(from), mean))),
          set(residual, vAdd(residual, value)),
          set(variance, multiplyAdd(w, value, value, variance)),
        ]),
        set(residual, vDivide(sumAcross(residual), count)),
        set(variance, vSubtract(vDivide(sumAcross(variance), count), vMultiply(residual, residual))),
        set(factor, vDivide(w.constant(1), vSquareRoot(vAdd(vMax(variance, vZero()), splat(epsilon))))),
        storeOne(slope, factor),
        set(gains, gain),
        set(biases, bias),
        ...overElements(w, n, [y, normal, x, gains, biases], (e) => [
          e.store(normal, tee(value, vMultiply(vSubtract(vSubtract(e.load(x), mean), residual), factor))),
          e.store(y, multiplyAdd(w, e.load(gains), value, e.load(biases))),
        ]),
        set(slope, add(slope, number(4))),
      ]),
    ];
  },
};

const normalizedBackward = [
  'update rows n',
  'update n',
  'update n',
  'read rows n',
  'read rows n',
  'read rows',
  'read n',
  'rows',
  'n',
] as const;

/**
 * (dx, dgain, dbias, dy, normal, slope, gain, rows, n): dgain += Σ dy · normal and dbias += Σ dy over the rows; with
 * d = gain · dy, dx += slope · (d − mean(d) − normal · mean(d · normal)).
 */
export const normalizeRowsBackward: Kernel<typeof normalizedBackward> = {
  operands: normalizedBackward,
  portable: (memory) => (dx, dgain, dbias, dy, normal, slope, gain, rows, n) => {
    const m = memory.view;
    for (let r = 0, i = 0; r < rows; r++, i += n) {
      let mean = 0;
      let along = 0;
      for (let j = 0; j < n; j++) {
        const d = m[gain + j]! * m[dy + i + j]!;
        mean += d / n;
        along += (d * m[normal + i + j]!) / n;
      }
      for (let j = 0; j < n; j++) {
        const [d, value] = [m[dy + i + j]!, m[normal + i + j]!];
        m[dx + i + j]! += m[slope + r]! * (m[gain + j]! * d - mean - value * along);
        m[dgain + j]! += d * value;
        m[dbias + j]! += d;
      }
    }
  },
  simd: ([dx, dgain, dbias, dy, normal, slope, gain, rows, n], w) => {
    const [mean, along, count, d, value, factor] = w.vectors;
    const [by, toGain, toBias] = w.pointers;
    return [
      set(count, fromWholes(splatWord(n))),
      times(rows, [
        set(mean, vZero()),
        set(along, vZero()),
        ...alongRow(w, n, [dy, normal, gain], ([from, x, factors], e) => [
          set(d, vMultiply(e.load(factors), e.load(from))),
          set(mean, vAdd(mean, d)),
          set(along, multiplyAdd(w, d, e.load(x), along)),
        ]),
        set(mean, vDivide(sumAcross(mean), count)),
        set(along, vDivide(sumAcross(along), count)),
        set(factor, loadSplat(slope)),
        set(by, gain),
        set(toGain, dgain),
        set(toBias, dbias),
        ...overElements(w, n, [dx, dy, normal, by, toGain, toBias], (e) => [
          set(d, e.load(dy)),
          set(value, e.load(normal)),
          e.store(
            dx,
            multiplyAdd(
              w,
              factor,
              vSubtract(vSubtract(vMultiply(e.load(by), d), mean), vMultiply(value, along)),
              e.load(dx),
            ),
          ),
          e.store(toGain, multiplyAdd(w, d, value, e.load(toGain))),
          e.store(toBias, vAdd(d, e.load(toBias))),
        ]),
        set(slope, add(slope, number(4))),
      ]),
    ];
  },
};
