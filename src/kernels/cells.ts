/**
 * The pointwise part of LSTM and GRU, forward and backward, for one time step of `rows` rows.
 *
 * The input of forward, in `gates` [rows, G·H], is the preactivations x_t W_ih + h_{t−1} W_hh + b. For GRU, the term
 * h_{t−1} W_hh is separate, in `product` [rows, 3·H]. Forward replaces the preactivations by the activated gates, and
 * backward replaces these by the gradient of the preactivations.
 */

import { lastOf } from '../tensor/arrays';
import { logistic } from './elementwise';
import type { Kernel } from './kernel';
import {
  add,
  type Elements,
  inBytes,
  type Local,
  type Statement,
  set,
  subtract,
  tee,
  type Vector,
  vAdd,
  vMultiply,
  vSubtract,
  type Writer,
} from './simd/assembler';
import { overElements, times } from './simd/loops';
import * as math from './simd/math';

const ofLstm = ['write rows H', 'write rows H', 'write rows H', 'update rows 4 H', 'read rows H', 'rows', 'H'] as const;

/** c = f·c' + i·g, h = o·tanh(c); stores tanh(c) for backward. Gate order: i f g o. */
export const lstmCell: Kernel<typeof ofLstm> = {
  operands: ofLstm,
  portable: (memory) => (h, c, tanhC, gates, cPrevious, rows, H) => {
    const m = memory.view;
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < H; j++) {
        const s = r * H + j;
        const a = gates + r * 4 * H + j;
        const i = logistic(m[a]!);
        const f = logistic(m[a + H]!);
        const g = Math.tanh(m[a + 2 * H]!);
        const o = logistic(m[a + 3 * H]!);
        const cell = f * m[cPrevious + s]! + i * g;
        const tanhCell = Math.tanh(cell);
        m[a] = i;
        m[a + H] = f;
        m[a + 2 * H] = g;
        m[a + 3 * H] = o;
        m[c + s] = cell;
        m[tanhC + s] = tanhCell;
        m[h + s] = o * tanhCell;
      }
    }
  },
  simd: ([h, c, tanhC, gates, cPrevious, rows, H], w) => {
    const [i, f, g, o] = w.vectors;
    const [atF, atG, atO] = w.pointers;
    return overRows(w, rows, H, [h, c, tanhC, cPrevious], [[gates, atF, atG, atO]], [], (e) => [
      e.store(gates, tee(i, math.logistic(w, e.load(gates)))),
      e.store(atF, tee(f, math.logistic(w, e.load(atF)))),
      e.store(atG, tee(g, math.tanh(w, e.load(atG)))),
      e.store(atO, tee(o, math.logistic(w, e.load(atO)))),
      e.store(c, tee(f, math.multiplyAdd(w, f, e.load(cPrevious), vMultiply(i, g)))),
      e.store(tanhC, tee(g, math.tanh(w, f))),
      e.store(h, vMultiply(o, g)),
    ]);
  },
};

const ofLstmBackward = [
  'update rows 4 H',
  'update rows H',
  'read rows H',
  'read rows H',
  'read rows H',
  'read rows H',
  'rows',
  'H',
] as const;

/**
 * gates ← the gradient of the preactivations; dcPrevious += f · (the total gradient of c_t). `dc` is the gradient of
 * c_t from later time steps.
 */
export const lstmCellBackward: Kernel<typeof ofLstmBackward> = {
  operands: ofLstmBackward,
  portable: (memory) => (gates, dcPrevious, dh, dc, tanhC, cPrevious, rows, H) => {
    const m = memory.view;
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < H; j++) {
        const s = r * H + j;
        const a = gates + r * 4 * H + j;
        const i = m[a]!;
        const f = m[a + H]!;
        const g = m[a + 2 * H]!;
        const o = m[a + 3 * H]!;
        const tanhCell = m[tanhC + s]!;
        const dOutput = m[dh + s]!;
        const dCell = m[dc + s]! + dOutput * o * (1 - tanhCell * tanhCell);
        m[a] = dCell * g * i * (1 - i);
        m[a + H] = dCell * m[cPrevious + s]! * f * (1 - f);
        m[a + 2 * H] = dCell * i * (1 - g * g);
        m[a + 3 * H] = dOutput * tanhCell * o * (1 - o);
        m[dcPrevious + s]! += dCell * f;
      }
    }
  },
  simd: ([gates, dcPrevious, dh, dc, tanhC, cPrevious, rows, H], w) => {
    const [i, f, g, o] = w.vectors;
    const [tanhCell, dOutput, dCell] = w.vectors;
    const [atF, atG, atO] = w.pointers;
    return overRows(w, rows, H, [dcPrevious, dh, dc, tanhC, cPrevious], [[gates, atF, atG, atO]], [], (e) => [
      set(i, e.load(gates)),
      set(f, e.load(atF)),
      set(g, e.load(atG)),
      set(o, e.load(atO)),
      set(tanhCell, e.load(tanhC)),
      set(dOutput, e.load(dh)),
      set(dCell, math.multiplyAdd(w, vMultiply(dOutput, o), slopeOfTanh(w, tanhCell), e.load(dc))),
      e.store(gates, vMultiply(vMultiply(dCell, g), slopeOfLogistic(w, i))),
      e.store(atF, vMultiply(vMultiply(dCell, e.load(cPrevious)), slopeOfLogistic(w, f))),
      e.store(atG, vMultiply(vMultiply(dCell, i), slopeOfTanh(w, g))),
      e.store(atO, vMultiply(vMultiply(dOutput, tanhCell), slopeOfLogistic(w, o))),
      e.store(dcPrevious, math.multiplyAdd(w, dCell, f, e.load(dcPrevious))),
    ]);
  },
};

const ofGru = [
  'write rows H',
  'write rows H',
  'update rows 3 H',
  'read rows 3 H',
  'read rows H',
  'read H',
  'rows',
  'H',
] as const;

/**
 * n = tanh(gates_n + r·(product_n + biasHn)), h = (1 − z)·n + z·h'; stores product_n + biasHn in `kept` for backward.
 * Gate order: r z n.
 */
export const gruCell: Kernel<typeof ofGru> = {
  operands: ofGru,
  portable: (memory) => (h, kept, gates, product, hPrevious, biasHn, rows, H) => {
    const m = memory.view;
    for (let row = 0; row < rows; row++) {
      for (let j = 0; j < H; j++) {
        const s = row * H + j;
        const a = gates + row * 3 * H + j;
        const b = product + row * 3 * H + j;
        const r = logistic(m[a]! + m[b]!);
        const z = logistic(m[a + H]! + m[b + H]!);
        const recurrent = m[b + 2 * H]! + m[biasHn + j]!;
        const n = Math.tanh(m[a + 2 * H]! + r * recurrent);
        m[a] = r;
        m[a + H] = z;
        m[a + 2 * H] = n;
        m[kept + s] = recurrent;
        m[h + s] = (1 - z) * n + z * m[hPrevious + s]!;
      }
    }
  },
  simd: ([h, kept, gates, product, hPrevious, biasHn, rows, H], w) => {
    const [r, z, n, recurrent] = w.vectors;
    const [atZ, atN, ofZ, ofN] = w.pointers;
    const wide = [
      [gates, atZ, atN],
      [product, ofZ, ofN],
    ];
    return overRows(w, rows, H, [h, kept, hPrevious], wide, [biasHn], (e) => [
      e.store(gates, tee(r, math.logistic(w, vAdd(e.load(gates), e.load(product))))),
      e.store(atZ, tee(z, math.logistic(w, vAdd(e.load(atZ), e.load(ofZ))))),
      e.store(kept, tee(recurrent, vAdd(e.load(ofN), e.load(biasHn)))),
      e.store(atN, tee(n, math.tanh(w, math.multiplyAdd(w, r, recurrent, e.load(atN))))),
      e.store(h, math.multiplyAdd(w, z, vSubtract(e.load(hPrevious), n), n)),
    ]);
  },
};

const ofGruBackward = [
  'update rows 3 H',
  'write rows 3 H',
  'update rows H',
  'update rows H',
  'read rows H',
  'read rows H',
  'rows',
  'H',
] as const;

/**
 * gates ← the gradient of the preactivations, dproduct ← the gradient of h_{t−1} W_hh, kept ← its block of the
 * candidate, which is the gradient of biasHn; dhPrevious += dh·z.
 */
export const gruCellBackward: Kernel<typeof ofGruBackward> = {
  operands: ofGruBackward,
  portable: (memory) => (gates, dproduct, dhPrevious, kept, dh, hPrevious, rows, H) => {
    const m = memory.view;
    for (let row = 0; row < rows; row++) {
      for (let j = 0; j < H; j++) {
        const s = row * H + j;
        const a = gates + row * 3 * H + j;
        const b = dproduct + row * 3 * H + j;
        const r = m[a]!;
        const z = m[a + H]!;
        const n = m[a + 2 * H]!;
        const d = m[dh + s]!;
        const dn = d * (1 - z) * (1 - n * n);
        const dr = dn * m[kept + s]! * r * (1 - r);
        const dz = d * (m[hPrevious + s]! - n) * z * (1 - z);
        m[a] = dr;
        m[a + H] = dz;
        m[a + 2 * H] = dn;
        m[b] = dr;
        m[b + H] = dz;
        m[b + 2 * H] = dn * r;
        m[kept + s] = dn * r;
        m[dhPrevious + s]! += d * z;
      }
    }
  },
  simd: ([gates, dproduct, dhPrevious, kept, dh, hPrevious, rows, H], w) => {
    const [r, z, n, d, dn] = w.vectors;
    const [gradient] = w.vectors;
    const [atZ, atN, toZ, toN] = w.pointers;
    const wide = [
      [gates, atZ, atN],
      [dproduct, toZ, toN],
    ];
    return overRows(w, rows, H, [dhPrevious, kept, dh, hPrevious], wide, [], (e) => [
      set(r, e.load(gates)),
      set(z, e.load(atZ)),
      set(n, e.load(atN)),
      set(d, e.load(dh)),
      e.store(atN, tee(dn, vMultiply(vMultiply(d, vSubtract(w.constant(1), z)), slopeOfTanh(w, n)))),
      e.store(gates, tee(gradient, vMultiply(vMultiply(dn, e.load(kept)), slopeOfLogistic(w, r)))),
      e.store(dproduct, gradient),
      e.store(atZ, tee(gradient, vMultiply(vMultiply(d, vSubtract(e.load(hPrevious), n)), slopeOfLogistic(w, z)))),
      e.store(toZ, gradient),
      e.store(toN, tee(gradient, vMultiply(dn, r))),
      e.store(kept, gradient),
      e.store(dhPrevious, math.multiplyAdd(w, d, z, e.load(dhPrevious))),
    ]);
  },
};

/** The derivative of y = tanh(x): 1 − y². */
const slopeOfTanh = (w: Writer, y: Local<'v128'>): Vector => vSubtract(w.constant(1), vMultiply(y, y));
/** The derivative of y = logistic(x): y · (1 − y). */
const slopeOfLogistic = (w: Writer, y: Local<'v128'>): Vector => vMultiply(y, vSubtract(w.constant(1), y));

/**
 * Runs the body for all elements of all rows.
 *
 * @param narrow pointers to buffers [rows, H]
 * @param wide for each buffer [rows, blocks·H], a pointer to it, then a pointer per further block, which is set here
 * @param vectors pointers to vectors [H], the same for every row
 */
function overRows(
  w: Writer,
  rows: Local<'i32'>,
  H: Local<'i32'>,
  narrow: readonly Local<'i32'>[],
  wide: readonly (readonly Local<'i32'>[])[],
  vectors: readonly Local<'i32'>[],
  body: (e: Elements) => readonly Statement[],
): Statement[] {
  const [rowBytes] = w.pointers;
  return [
    set(rowBytes, inBytes(H)),
    times(rows, [
      ...wide.flatMap((pointers) => pointers.slice(1).map((pointer, i) => set(pointer, add(pointers[i]!, rowBytes)))),
      ...overElements(w, H, [...narrow, ...wide.flat(), ...vectors], body),
      // Each pointer is now at the start of the next block, and the last one at the start of the next row.
      ...wide.map((pointers) => set(pointers[0]!, lastOf(pointers)!)),
      ...vectors.map((pointer) => set(pointer, subtract(pointer, rowBytes))),
    ]),
  ];
}
