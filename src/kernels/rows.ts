/** Softmax and cross-entropy over the rows of a matrix. */

import type { Heap, Kernel } from './kernel';
import {
  add,
  anyTrue,
  inBytes,
  increase,
  type Local,
  loadOne,
  loadSplat,
  type Statement,
  set,
  storeOne,
  tee,
  truncate,
  vAdd,
  vDivide,
  vEqual,
  vMax,
  vMultiply,
  vSubtract,
  vZero,
  type Writer,
  when,
} from './simd/assembler';
import { alongRow, maxAcross, nextRow, overElements, times } from './simd/loops';
import * as math from './simd/math';

const mapped = ['write rows n', 'read rows n', 'rows', 'n'] as const;
const mappedBackward = ['update rows n', 'read rows n', 'read rows n', 'rows', 'n'] as const;

/** y = eˣ / Σ eˣ, per row. */
export const softmaxRows: Kernel<typeof mapped> = {
  operands: mapped,
  portable: (memory) => (y, x, rows, n) => {
    const m = memory.view;
    for (let r = 0; r < rows; r++) softmaxRow(m, y + r * n, x + r * n, n);
  },
  simd: ([y, x, rows, n], w) => {
    const [largest, total] = w.vectors;
    return [
      times(rows, [...exponentials(w, y, x, n, largest, total), ...normalize(w, y, n, total), ...nextRow(n, y, x)]),
    ];
  },
};

/** dx += y · (dy − Σ dy·y), per row. */
export const softmaxRowsBackward: Kernel<typeof mappedBackward> = {
  operands: mappedBackward,
  portable: (memory) => (dx, dy, y, rows, n) => {
    const m = memory.view;
    for (let r = 0, i = 0; r < rows; r++, i += n) {
      let dot = 0;
      for (let j = i; j < i + n; j++) dot += m[dy + j]! * m[y + j]!;
      for (let j = i; j < i + n; j++) m[dx + j]! += m[y + j]! * (m[dy + j]! - dot);
    }
  },
  simd: ([dx, dy, y, rows, n], w) => {
    const [dot] = w.vectors;
    return [
      times(rows, [
        ...alongRow(w, n, [dy, y], ([a, b], e) => [set(dot, vAdd(dot, vMultiply(e.load(a), e.load(b))))], [dot]),
        ...overElements(w, n, [dx, dy, y], (e) => [
          e.store(dx, vAdd(e.load(dx), vMultiply(e.load(y), vSubtract(e.load(dy), dot)))),
        ]),
      ]),
    ];
  },
};

/** y = x − ln Σ eˣ, per row. */
export const logSoftmaxRows: Kernel<typeof mapped> = {
  operands: mapped,
  portable: (memory) => (y, x, rows, n) => {
    const m = memory.view;
    for (let r = 0, i = 0; r < rows; r++, i += n) {
      const log = logSumExp(m, x + i, n);
      for (let j = i; j < i + n; j++) m[y + j] = m[x + j]! - log;
    }
  },
  simd: ([y, x, rows, n], w) => {
    const [largest, total] = w.vectors;
    return [
      times(rows, [
        ...exponentials(w, y, x, n, largest, total),
        set(total, math.log(w, total)),
        ...overElements(w, n, [y, x], (e) => [e.store(y, vSubtract(vSubtract(e.load(x), largest), total))]),
      ]),
    ];
  },
};

/** dx += dy − eʸ · Σ dy, per row. */
export const logSoftmaxRowsBackward: Kernel<typeof mappedBackward> = {
  operands: mappedBackward,
  portable: (memory) => (dx, dy, y, rows, n) => {
    const m = memory.view;
    for (let r = 0, i = 0; r < rows; r++, i += n) {
      let total = 0;
      for (let j = i; j < i + n; j++) total += m[dy + j]!;
      for (let j = i; j < i + n; j++) m[dx + j]! += m[dy + j]! - Math.exp(m[y + j]!) * total;
    }
  },
  simd: ([dx, dy, y, rows, n], w) => {
    const [total, power] = w.vectors;
    return [
      times(rows, [
        ...alongRow(w, n, [dy], ([a], e) => [set(total, vAdd(total, e.load(a)))], [total]),
        ...overElements(w, n, [dx, dy, y], (e) => [
          set(power, math.exp(w, e.load(y))),
          e.store(dx, vAdd(e.load(dx), vSubtract(e.load(dy), vMultiply(power, total)))),
        ]),
      ]),
    ];
  },
};

const classified = ['write rows', 'write rows V', 'read rows V', 'read rows', 'rows', 'V'] as const;

/** loss = −ln softmax(logits)[targets], per row; stores the probabilities for backward. */
export const crossEntropyRows: Kernel<typeof classified> = {
  operands: classified,
  portable: (memory) => (loss, probabilities, logits, targets, rows, V) => {
    const m = memory.view;
    for (let r = 0, i = 0; r < rows; r++, i += V) {
      m[loss + r] = logSumExp(m, logits + i, V) - m[logits + i + m[targets + r]!]!;
      softmaxRow(m, probabilities + i, logits + i, V);
    }
  },
  simd: ([loss, probabilities, logits, targets, rows, V], w) => {
    const [largest, total] = w.vectors;
    const chosen = loadOne(add(logits, inBytes(truncate(loadOne(targets)))));
    return [
      times(rows, [
        ...exponentials(w, probabilities, logits, V, largest, total),
        storeOne(loss, vSubtract(math.log(w, total), vSubtract(chosen, largest))),
        ...normalize(w, probabilities, V, total),
        ...nextRow(V, probabilities, logits),
        increase(loss, 4),
        increase(targets, 4),
      ]),
    ];
  },
};

const classifiedBackward = ['update rows V', 'read rows', 'read rows V', 'read rows', 'rows', 'V'] as const;

/** dlogits += dloss · (probabilities − one-hot targets), per row. */
export const crossEntropyRowsBackward: Kernel<typeof classifiedBackward> = {
  operands: classifiedBackward,
  portable: (memory) => (dlogits, dloss, probabilities, targets, rows, V) => {
    const m = memory.view;
    for (let r = 0, i = 0; r < rows; r++, i += V) {
      const d = m[dloss + r]!;
      if (d === 0) continue;
      for (let j = i; j < i + V; j++) m[dlogits + j]! += d * m[probabilities + j]!;
      m[dlogits + i + m[targets + r]!]! -= d;
    }
  },
  simd: ([dlogits, dloss, probabilities, targets, rows, V], w) => {
    const d = w.local('v128');
    const at = w.local('i32');
    return [
      times(rows, [
        set(d, loadSplat(dloss)),
        when(
          anyTrue(vEqual(d, vZero())),
          [],
          [
            ...alongRow(w, V, [dlogits, probabilities], ([to, p], e) => [
              e.store(to, vAdd(e.load(to), vMultiply(d, e.load(p)))),
            ]),
            storeOne(tee(at, add(dlogits, inBytes(truncate(loadOne(targets))))), vSubtract(loadOne(at), d)),
          ],
        ),
        ...nextRow(V, dlogits, probabilities),
        increase(dloss, 4),
        increase(targets, 4),
      ]),
    ];
  },
};

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

/** y ← e^(x − largest) along a row; sets every lane of `largest` to the maximum of x and of `total` to the sum of y. */
function exponentials(
  w: Writer,
  y: Local<'i32'>,
  x: Local<'i32'>,
  n: Local<'i32'>,
  largest: Local<'v128'>,
  total: Local<'v128'>,
): Statement[] {
  const [power] = w.vectors;
  return [
    set(largest, w.constant(-Infinity)),
    ...alongRow(w, n, [x], ([from], e) => [set(largest, vMax(largest, e.fill(e.load(from))))]),
    set(largest, maxAcross(largest)),
    ...alongRow(
      w,
      n,
      [y, x],
      ([to, from], e) => [
        set(power, math.exp(w, vSubtract(e.load(from), largest))),
        e.store(to, power),
        set(total, vAdd(total, e.only(power))),
      ],
      [total],
    ),
  ];
}

/** y ← y / total along a row. */
const normalize = (w: Writer, y: Local<'i32'>, n: Local<'i32'>, total: Local<'v128'>): Statement[] =>
  alongRow(w, n, [y], ([to], e) => [e.store(to, vDivide(e.load(to), total))]);
