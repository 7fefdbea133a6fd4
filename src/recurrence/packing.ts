/**
 * Packing of sequences of unequal length, so that no time is spent on padding: sequences are sorted by length, step t
 * holds only the rows that reach it, and the steps are contiguous (as in cuDNN and PyTorch's `PackedSequence`).
 */

import { checkCount, checkRows, checkShape, type Shape, sizeOf } from '../tensor/shape';
import { checkIntTensor, type IntTensor } from '../tensor/tensor';

/** The order in which the steps of a batch `[T, B]` are run. */
export interface Packing {
  /** The number of rows of each step; never increases. */
  readonly rows: readonly number[];
  /** Σ rows. */
  readonly total: number;
  /** How the packed steps map to `[T, B]`; undefined if all steps are run in their own order. */
  readonly order: PackingOrder | undefined;
}

/**
 * Where the S sequences come from and where their results go. The sequences are the rows of the batch, or the parts
 * into which resets divide a row, longest first. Their N steps are packed; the states are in a buffer `[S + N, H]` of
 * the S initial states followed by one state per packed step.
 */
interface PackingOrder {
  /** `[S]` the batch row of each sequence. */
  readonly row: Int32Array;
  /** `[S]` the batch row whose initial state a sequence starts from, −1 after a reset. */
  readonly initial: Int32Array;
  /** `[N]` the index t·B + b of the input of each packed step. */
  readonly input: Int32Array;
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
  /** The batch row whose initial state it starts from, −1 after a reset. */
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
 * T], or resets are not `[T, B]`
 */
export function packSteps(
  where: string,
  steps: number,
  batchSize: number,
  { lengths, reverse = false, resets }: PackingOptions,
): Packing {
  if (lengths !== undefined) checkLengths(where, lengths, steps, batchSize);
  if (resets !== undefined) {
    checkIntTensor(where, 'resets', resets);
    checkShape(where, 'resets', resets.shape, { letters: '[T, B]', lengths: [steps, batchSize] });
  }
  const flags = resets?.data.some((flag) => flag !== 0) ? resets.data : undefined;
  if (!reverse && flags === undefined && (lengths === undefined || lengths.every((length) => length === steps))) {
    return { rows: new Array<number>(steps).fill(batchSize), total: steps * batchSize, order: undefined };
  }
  const lengthOf = (row: number): number => lengths?.[row] ?? steps;
  const sequences = Array.from({ length: batchSize }, (_, row) =>
    sequencesOf(row, lengthOf(row), batchSize, flags, reverse),
  ).flat();
  sequences.sort((a, b) => b.length - a.length || a.row - b.row);
  const rows: number[] = [];
  for (let t = 0, running = sequences.length; ; t++) {
    while (running > 0 && sequences[running - 1]!.length <= t) running--;
    if (running === 0) break;
    rows.push(running);
  }
  const total = rows.reduce((sum, count) => sum + count, 0);
  checkRows(where, sequences.length + total);
  const input = new Int32Array(total);
  const output = new Int32Array(steps * batchSize).fill(-1);
  let packed = 0;
  for (let t = 0; t < rows.length; t++) {
    for (let position = 0; position < rows[t]!; position++, packed++) {
      const { row, from, length } = sequences[position]!;
      const at = (reverse ? from + length - 1 - t : from + t) * batchSize + row;
      input[packed] = at;
      output[at] = sequences.length + packed;
    }
  }
  const final = new Int32Array(batchSize);
  // A row without valid steps is one empty sequence, whose final state is its initial state.
  sequences.forEach(({ row }, position) => {
    const last = reverse ? 0 : lengthOf(row) - 1;
    final[row] = lengthOf(row) === 0 ? position : output[last * batchSize + row]!;
  });
  const order = {
    row: Int32Array.from(sequences, ({ row }) => row),
    initial: Int32Array.from(sequences, ({ initial }) => initial),
    input,
    output,
    final,
  };
  return { rows, total, order };
}

/**
 * The sequences of a row. The one that is run first starts from the row's initial state; in forward direction, unless
 * it begins with a reset.
 */
function sequencesOf(
  row: number,
  length: number,
  batchSize: number,
  flags: Int32Array | undefined,
  reverse: boolean,
): Sequence[] {
  const bounds = [0];
  for (let t = 1; t < length; t++) if (flags !== undefined && flags[t * batchSize + row] !== 0) bounds.push(t);
  const isFirst = (i: number): boolean =>
    reverse ? i === bounds.length - 1 : i === 0 && (length === 0 || !flags?.[row]);
  return bounds.map((from, i) => ({
    row,
    from,
    length: (bounds[i + 1] ?? length) - from,
    initial: isFirst(i) ? row : -1,
  }));
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
 * @throws as {@link packSteps}
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

function checkLengths(where: string, lengths: Int32Array, steps: number, batchSize: number): void {
  if (!(lengths instanceof Int32Array))
    throw new TypeError(`${where}: lengths must be an Int32Array of size batchSize.`);
  checkShape(where, 'lengths', [lengths.length], { letters: '[B]', lengths: [batchSize] });
  lengths.forEach((length, row) => {
    checkCount(where, `lengths[${row}]`, length, 0);
    if (length > steps) throw new RangeError(`${where}: lengths[${row}] must be at most T = ${steps}, got ${length}.`);
  });
}
