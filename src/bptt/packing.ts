/**
 * Sequences of unequal length without work on padding: rows are sorted by length, step t has only the rows that reach it, and the steps
 * lie packed one behind the other (as cuDNN and PyTorch's PackedSequence do it).
 */

import { checkCount } from '../tensor/shape';

/** How the rows of `[T, B]` are run. Row numbers of `[T·B]` are t·B + b; the history of states has the B initial rows first. */
export interface Packing {
  /** How many rows each step has; never increases. */
  readonly rows: readonly number[];
  /** Σ rows. */
  readonly total: number;
  /** What differs from running `[T, B]` as it stands; nothing where it is run so. */
  readonly order: PackingOrder | undefined;
}

interface PackingOrder {
  /** `[B]` the batch rows, longest first. */
  readonly batch: Int32Array;
  /** `[total]` for every packed row the row of the input. */
  readonly input: Int32Array;
  /** `[T·B]` for every output row the row of the history, −1 where the sequence has ended. */
  readonly output: Int32Array;
  /** `[B]` for every batch row the row of the history that holds its final state. */
  readonly final: Int32Array;
}

/**
 * @throws TypeError where lengths are not an Int32Array, RangeError where there are not B of them or one is outside [0, T]
 */
export function packSteps(where: string, steps: number, batchSize: number, lengths?: Int32Array, reverse = false): Packing {
  if (lengths !== undefined) checkLengths(where, lengths, steps, batchSize);
  if (!reverse && (lengths === undefined || lengths.every((length) => length === steps))) {
    return { rows: new Array<number>(steps).fill(batchSize), total: steps * batchSize, order: undefined };
  }
  const lengthOf = (row: number): number => lengths?.[row] ?? steps;
  const batch = Int32Array.from({ length: batchSize }, (_, row) => row).sort((a, b) => lengthOf(b) - lengthOf(a) || a - b);
  const rows: number[] = [];
  for (let t = 0, running = batchSize; t < steps; t++) {
    while (running > 0 && lengthOf(batch[running - 1]!) <= t) running--;
    rows.push(running);
  }
  const total = rows.reduce((sum, count) => sum + count, 0);
  const input = new Int32Array(total);
  const output = new Int32Array(steps * batchSize).fill(-1);
  const final = new Int32Array(batchSize);
  batch.forEach((row, position) => (final[row] = position));
  let packed = 0;
  for (let t = 0; t < steps; t++) {
    for (let position = 0; position < rows[t]!; position++, packed++) {
      const row = batch[position]!;
      const time = reverse ? lengthOf(row) - 1 - t : t;
      input[packed] = time * batchSize + row;
      output[time * batchSize + row] = batchSize + packed;
      final[row] = batchSize + packed;
    }
  }
  return { rows, total, order: { batch, input, output, final } };
}

/** Where the valid steps of `[T, B]` rows lie. */
export interface ValidRows {
  /** `[N]` their row numbers t·B + b, in order. */
  readonly rows: Int32Array;
  /** `[T·B]` for every row its place among them, −1 in the padding. */
  readonly places: Int32Array;
}

/**
 * The valid steps of rows of unequal length; nothing where all are.
 *
 * @throws as {@link packSteps}
 */
export function validRows(where: string, steps: number, batchSize: number, lengths: Int32Array | undefined): ValidRows | undefined {
  if (lengths === undefined) return undefined;
  checkLengths(where, lengths, steps, batchSize);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total === steps * batchSize) return undefined;
  const rows = new Int32Array(total);
  const places = new Int32Array(steps * batchSize).fill(-1);
  for (let row = 0, count = 0; row < places.length; row++) {
    if (Math.floor(row / batchSize) < lengths[row % batchSize]!) {
      rows[count] = row;
      places[row] = count++;
    }
  }
  return { rows, places };
}

function checkLengths(where: string, lengths: Int32Array, steps: number, batchSize: number): void {
  if (!(lengths instanceof Int32Array)) throw new TypeError(`${where}: lengths must be an Int32Array of batchSize numbers.`);
  if (lengths.length !== batchSize) {
    throw new RangeError(`${where}: lengths must be [B] = [${batchSize}], got [${lengths.length}].`);
  }
  lengths.forEach((length, row) => {
    checkCount(where, `lengths[${row}]`, length, 0);
    if (length > steps) throw new RangeError(`${where}: lengths[${row}] must be at most T = ${steps}, got ${length}.`);
  });
}
