/**
 * The rows that windows over sequences of unequal length read: copies of the sequences with their padding, so that
 * values after the end of a sequence have no effect, and with the inputs before them, so that runs can continue.
 */

import { extentOf, paddingOf, type Window, windowsOver } from '../autodiff/ops/windows';

/** Rows to copy before and after the windows are applied; −1 stands for a row of zeros. */
export interface WindowRows {
  /** The number of steps of the copy. */
  readonly steps: number;
  /** `[steps, B]` the index of the source of each row. */
  readonly sources: Int32Array;
  /** `[T′, B]` for each output, the index t·B + b of its window; −1 in the padding. */
  readonly outputs: Int32Array;
}

/** Returns the rows of sequences of unequal length in `[T, B]`, each with its own padding. */
export function paddedRows(window: Window, T: number, lengths: Int32Array): WindowRows {
  const B = lengths.length;
  const count = windowsOver(window, T);
  const steps = (count - 1) * window.stride + extentOf(window);
  const sources = new Int32Array(steps * B).fill(-1);
  const outputs = new Int32Array(count * B).fill(-1);
  lengths.forEach((length, b) => {
    const [before] = paddingOf(window, length);
    for (let t = 0; t < Math.min(length, steps - before); t++) sources[(before + t) * B + b] = t * B + b;
    for (let t = 0; t < windowsOver(window, length); t++) outputs[t * B + b] = t * B + b;
  });
  return { steps, sources, outputs };
}

/** The rows of causal windows, and the index of each of the last `past` inputs of a sequence, `[B, past]`. */
export interface CausalRows extends WindowRows {
  readonly final: Int32Array;
}

/**
 * Returns the rows of causal windows, each of which reads a step and the `past` steps before it. The sources are the
 * `[B, past]` inputs before the sequences, if there are any, followed by the inputs `[T, B]`. Before a sequence without
 * them, and before a step with a reset, there are zeros.
 *
 * @param resets `[T, B]`, 1 at steps that begin a new sequence
 */
export function causalRows(
  past: number,
  T: number,
  lengths: Int32Array,
  resets: Int32Array | undefined,
  continues: boolean,
): CausalRows {
  const B = lengths.length;
  const outputs = new Int32Array(T * B).fill(-1);
  const final = new Int32Array(B * past);
  const zeros = new Array<number>(past).fill(-1);
  const rows = Array.from(lengths, (length, b) => {
    const isNew = !continues || (length > 0 && Boolean(resets?.[b]));
    const row = isNew ? [...zeros] : zeros.map((_, p) => b * past + p);
    for (let t = 0; t < length; t++) {
      if (t > 0 && resets?.[t * B + b]) row.push(...zeros);
      outputs[t * B + b] = (row.length - past) * B + b;
      row.push((continues ? B * past : 0) + t * B + b);
    }
    final.set(row.slice(row.length - past), b * past);
    return row;
  });
  const steps = Math.max(T + past, ...rows.map((row) => row.length));
  const sources = new Int32Array(steps * B).fill(-1);
  rows.forEach((row, b) => {
    row.forEach((source, t) => {
      sources[t * B + b] = source;
    });
  });
  return { steps, sources, outputs, final };
}

/**
 * Returns the index t·B + b of each of the last `past` inputs of sequences of T steps, `[B, past]`; −1 before the
 * first.
 */
export const lastRows = (past: number, T: number, B: number): Int32Array =>
  Int32Array.from({ length: B * past }, (_, i) => {
    const t = T - past + (i % past);
    return t < 0 ? -1 : t * B + Math.floor(i / past);
  });
