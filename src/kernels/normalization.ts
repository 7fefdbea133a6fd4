/** Layer normalization (Ba, Kiros and Hinton, 2016, arXiv 1607.06450). */

import { type Kernel, partialSums, type WasmFunction } from './kernel';
import {
  fromWholes,
  increase,
  loadSplat,
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
import { alongRow, overElements, times } from './simd/loops';
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
        ...alongRow(w, n, [x], ([from], e) => [set(mean, vAdd(mean, e.only(vSubtract(e.load(from), first))))], [mean]),
        set(mean, vAdd(first, vDivide(mean, count))),
        // The mean is rounded. The second pass computes its error, which is removed from the variance and from each
        // element.
        ...alongRow(
          w,
          n,
          [x],
          ([from], e) => [
            set(value, e.only(vSubtract(e.load(from), mean))),
            set(residual, vAdd(residual, value)),
            set(variance, multiplyAdd(w, value, value, variance)),
          ],
          [variance, residual],
        ),
        set(residual, vDivide(residual, count)),
        set(variance, vSubtract(vDivide(variance, count), vMultiply(residual, residual))),
        set(factor, vDivide(w.constant(1), vSquareRoot(vAdd(vMax(variance, vZero()), splat(epsilon))))),
        storeOne(slope, factor),
        set(gains, gain),
        set(biases, bias),
        ...overElements(w, n, [y, normal, x, gains, biases], (e) => [
          e.store(normal, tee(value, vMultiply(vSubtract(vSubtract(e.load(x), mean), residual), factor))),
          e.store(y, multiplyAdd(w, e.load(gains), value, e.load(biases))),
        ]),
        increase(slope, 4),
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
    const gains = new Float64Array(n);
    const biases = new Float64Array(n);
    for (let r = 0, i = 0; r < rows; r++, i += n) {
      let mean = 0;
      let along = 0;
      for (let j = 0; j < n; j++) {
        const d = m[gain + j]! * m[dy + i + j]!;
        mean += d / n;
        along += (d * m[normal + i + j]!) / n;
      }
      for (let j = 0; j < n; j++) {
        const d = m[dy + i + j]!;
        const value = m[normal + i + j]!;
        m[dx + i + j]! += m[slope + r]! * (m[gain + j]! * d - mean - value * along);
        gains[j]! += d * value;
        biases[j]! += d;
      }
    }
    for (let j = 0; j < n; j++) {
      m[dgain + j]! += gains[j]!;
      m[dbias + j]! += biases[j]!;
    }
  },
  compose:
    ({ of, memory }) =>
    (dx, dgain, dbias, dy, normal, slope, gain, rows, n) => {
      const sums = [dgain, dbias].map((offset) => partialSums(memory, offset, n, rows, rowsAtOnce));
      for (let r = 0; r < rows; r += rowsAtOnce) {
        const i = r * n;
        const count = Math.min(rowsAtOnce, rows - r);
        of(backwardOfRows)(dx + i, dgain, dbias, dy + i, normal + i, slope + r, gain, count, n);
        for (const addPart of sums) addPart?.(r + count);
      }
    },
};

/** The number of rows whose gradients are summed in single precision. */
const rowsAtOnce = 256;

/** {@link normalizeRowsBackward} with sums in single precision. */
const backwardOfRows: WasmFunction<typeof normalizedBackward> = {
  operands: normalizedBackward,
  simd: ([dx, dgain, dbias, dy, normal, slope, gain, rows, n], w) => {
    const [mean, along, count, d, value, factor] = w.vectors;
    const [by, toGain, toBias] = w.pointers;
    return [
      set(count, fromWholes(splatWord(n))),
      times(rows, [
        ...alongRow(
          w,
          n,
          [dy, normal, gain],
          ([from, x, factors], e) => [
            set(d, vMultiply(e.load(factors), e.load(from))),
            set(mean, vAdd(mean, d)),
            set(along, multiplyAdd(w, d, e.load(x), along)),
          ],
          [mean, along],
        ),
        set(mean, vDivide(mean, count)),
        set(along, vDivide(along, count)),
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
        increase(slope, 4),
      ]),
    ];
  },
};
