/** The pointwise pairs of the built-in cells, one time step each. */

import type { CellKernels, Memory } from '../kernels';
import { logistic } from './activation';

export function cellKernels(memory: Memory): CellKernels {
  return {
    tanhCell(h, gates, product, rows, H) {
      const m = memory.view;
      for (let i = 0; i < rows * H; i++) m[h + i] = Math.tanh(m[gates + i]! + m[product + i]!);
    },
    tanhCellBackward(gates, dh, h, rows, H) {
      const m = memory.view;
      for (let i = 0; i < rows * H; i++) m[gates + i] = m[dh + i]! * (1 - m[h + i]! * m[h + i]!);
    },

    reluCell(h, gates, product, rows, H) {
      const m = memory.view;
      for (let i = 0; i < rows * H; i++) m[h + i] = Math.max(0, m[gates + i]! + m[product + i]!);
    },
    reluCellBackward(gates, dh, h, rows, H) {
      const m = memory.view;
      for (let i = 0; i < rows * H; i++) m[gates + i] = m[h + i]! > 0 ? m[dh + i]! : 0;
    },

    lstmCell(h, c, tanhC, gates, product, cPrevious, rows, H) {
      const m = memory.view;
      for (let r = 0; r < rows; r++) {
        for (let j = 0; j < H; j++) {
          const s = r * H + j;
          const a = gates + r * 4 * H + j;
          const b = product + r * 4 * H + j;
          const i = logistic(m[a]! + m[b]!);
          const f = logistic(m[a + H]! + m[b + H]!);
          const g = Math.tanh(m[a + 2 * H]! + m[b + 2 * H]!);
          const o = logistic(m[a + 3 * H]! + m[b + 3 * H]!);
          const cell = f * m[cPrevious + s]! + i * g;
          const squashed = Math.tanh(cell);
          m[a] = i;
          m[a + H] = f;
          m[a + 2 * H] = g;
          m[a + 3 * H] = o;
          m[c + s] = cell;
          m[tanhC + s] = squashed;
          m[h + s] = o * squashed;
        }
      }
    },
    lstmCellBackward(gates, dcPrevious, dh, dc, tanhC, cPrevious, rows, H) {
      const m = memory.view;
      for (let r = 0; r < rows; r++) {
        for (let j = 0; j < H; j++) {
          const s = r * H + j;
          const a = gates + r * 4 * H + j;
          const i = m[a]!;
          const f = m[a + H]!;
          const g = m[a + 2 * H]!;
          const o = m[a + 3 * H]!;
          const squashed = m[tanhC + s]!;
          const dOutput = m[dh + s]!;
          const dCell = m[dc + s]! + dOutput * o * (1 - squashed * squashed);
          m[a] = dCell * g * i * (1 - i);
          m[a + H] = dCell * m[cPrevious + s]! * f * (1 - f);
          m[a + 2 * H] = dCell * i * (1 - g * g);
          m[a + 3 * H] = dOutput * squashed * o * (1 - o);
          m[dcPrevious + s]! += dCell * f;
        }
      }
    },

    gruCell(h, kept, gates, product, hPrevious, biasHn, rows, H) {
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
    gruCellBackward(gates, dproduct, dhPrevious, dbiasHn, dh, kept, hPrevious, rows, H) {
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
          m[dhPrevious + s]! += d * z;
          m[dbiasHn + j]! += dn * r;
        }
      }
    },
  };
}
