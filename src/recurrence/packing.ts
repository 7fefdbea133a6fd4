/**
 * Packing of sequences of unequal length, so that no time is spent on padding: sequences are sorted by length, step t
 * holds only the rows that reach it, and the steps are contiguous (as in cuDNN and PyTorch's `PackedSequence`).
 */

import { isArrayOf } from '../tensor/arrays';
import { checkIds, checkRows, checkShape, mismatch, type Shape, sizeOf } from '../tensor/shape';
import { checkIntTensor, type IntTensor } from '../tensor/tensor';

/** The order in which the steps of a batch `[T, B]` are run. */
export interface Packing {
  /** The number of rows of each step; never increases. */
  readonly rows: readonly number[];
  /** How the packed steps map to `[T, B]`; undefined if all steps are run in their own order. */
  readonly order: PackingOrder | undefined;
}

/**
 * The positions of the S sequences and of their results. The sequences are the rows of the batch, or the parts into
 * which resets divide a row, longest first. Their N steps are packed; the states are in a buffer `[S + N, H]` of
 * the S initial states followed by one state per packed step.
 */
interface PackingOrder {
  /** `[S]` the batch row of each sequence. */
  readonly row: readonly number[];
  /** `[S]` the batch row whose initial state a sequence starts from; B, the row after the batch, after a reset. */
  readonly initial: readonly number[];
  /** `[N]` the index t·B + b of the input of each packed step. */
  readonly input: readonly number[];
  /** `[T·B]` the index in the buffer of states of each output, −1 in the padding. */
  readonly output: Int32Array;
  /** `[B]` the index in the buffer of states of the final state of each batch row. */
  readonly final: Int32Array;
}

/** Steps of a batch row that are run as one sequence. */
interface Sequence {
  readonly row: number;
  /** The first step. */
  readonly from: number;
  readonly length: number;
  /** The batch row whose initial state it starts from; B after a reset. */
  readonly initial: number;
}

/** Options of {@link packSteps}. */
export interface PackingOptions {
  /** `[B]` the number of valid steps of each row. */
  readonly lengths?: Int32Array | undefined;
  readonly reverse?: boolean | undefined;
  /** `[T, B]` 1 (or any value but 0) at steps that begin a new sequence. */
  readonly resets?: IntTensor | undefined;
}

/**
 * Packs the valid steps of a batch.
 *
 * @throws TypeError if lengths or resets are not integers; RangeError if there are not B lengths, one is outside [0,
 * T], resets are not `[T, B]`, or there are more than 2²⁴ steps to pack
 */
export function packSteps(
  where: string,
  steps: number,
  batchSize: number,
  { lengths = new Int32Array(batchSize).fill(steps), reverse = false, resets }: PackingOptions,
): Packing {
  checkLengths(where, lengths, steps, batchSize);
  checkResets(where, resets, steps, batchSize);
  const flags = resets?.data ?? new Int32Array();
  if (!reverse && flags.every((flag) => flag === 0) && lengths.every((length) => length === steps)) {
    return { rows: new Array<number>(steps).fill(batchSize), order: undefined };
  }
  const sequences = sequencesOf(lengths, flags, reverse);
  const rows: number[] = [];
  const input: number[] = [];
  const output = new Int32Array(steps * batchSize).fill(-1);
  for (let t = 0, running = sequences.length; ; t++) {
    while (running > 0 && sequences[running - 1]!.length <= t) running--;
    if (running === 0) break;
    rows.push(running);
    for (const { row, from, length } of sequences.slice(0, running)) {
      const at = (reverse ? from + length - 1 - t : from + t) * batchSize + row;
      output[at] = sequences.length + input.length;
      input.push(at);
    }
  }
  checkRows(where, 'the number of steps', Math.max(steps * batchSize, sequences.length + input.length));
  const final = new Int32Array(batchSize);
  // A row without valid steps is one empty sequence, whose final state is its initial state.
  sequences.forEach(({ row }, position) => {
    const last = reverse ? 0 : lengths[row]! - 1;
    final[row] = lengths[row] === 0 ? position : output[last * batchSize + row]!;
  });
  const order = {
    row: sequences.map(({ row }) => row),
    initial: sequences.map(({ initial }) => initial),
    input,
    output,
    final,
  };
  return { rows, order };
}

/**
 * The sequences of all rows, longest first. The one of a row that is run first starts from the row's initial state; in
 * forward direction, unless it begins with a reset.
 */
function sequencesOf(lengths: Int32Array, flags: Int32Array, reverse: boolean): Sequence[] {
  const sequences: Sequence[] = [];
  lengths.forEach((length, row) => {
    const bounds = [0];
    for (let t = 1; t < length; t++) if (flags[t * lengths.length + row]) bounds.push(t);
    bounds.forEach((from, i) => {
      const isFirst = reverse ? i === bounds.length - 1 : i === 0 && (length === 0 || !flags[row]);
      const initial = isFirst ? row : lengths.length;
      sequences.push({ row, from, length: (bounds[i + 1] ?? length) - from, initial });
    });
  });
  return sequences.sort((a, b) => b.length - a.length);
}

/** The positions of the valid rows over leading axes, `[T, B]` for steps. */
export interface ValidRows {
  readonly axes: Shape;
  /** `[N]` the indices of the valid rows, in order: t·B + b for steps. */
  readonly rows: Int32Array;
  /** The position of each row among the valid ones, −1 in the padding. */
  readonly positions: Int32Array;
}

/** The rows over leading axes that `isValid` selects. */
export function selectRows(axes: Shape, isValid: (row: number) => boolean): ValidRows {
  const positions = new Int32Array(sizeOf(axes)).fill(-1);
  const rows = positions.slice();
  let count = 0;
  for (let row = 0; row < rows.length; row++) {
    if (isValid(row)) {
      rows[count] = row;
      positions[row] = count++;
    }
  }
  return { axes, rows: rows.subarray(0, count), positions };
}

/**
 * The valid steps of rows of unequal length; undefined if all steps are valid.
 *
 * @throws as {@link checkLengths}
 */
export function validRows(
  where: string,
  steps: number,
  batchSize: number,
  lengths: Int32Array | undefined,
): ValidRows | undefined {
  if (lengths === undefined) return undefined;
  checkLengths(where, lengths, steps, batchSize);
  if (lengths.every((length) => length === steps)) return undefined;
  return selectRows([steps, batchSize], (row) => Math.floor(row / batchSize) < lengths[row % batchSize]!);
}

/** @throws TypeError if lengths are not integers; RangeError if there are not B, or one is outside [0, T] */
export function checkLengths(where: string, lengths: Int32Array, steps: number, batchSize: number): void {
  if (!isArrayOf('Int32Array', lengths)) throw mismatch(where, 'lengths', 'an Int32Array of size batchSize', lengths);
  checkShape(where, 'lengths', [lengths.length], '[B]', [batchSize]);
  checkIds(where, 'lengths', lengths, steps + 1);
}

/** @throws TypeError if resets are not integers; RangeError if they are not `[T, B]` */
export function checkResets(where: string, resets: IntTensor | undefined, steps: number, batchSize: number): void {
  if (resets === undefined) return;
  checkIntTensor(where, 'resets', resets);
  checkShape(where, 'resets', resets.shape, '[T, B]', [steps, batchSize]);
}
