/**
 * Sequences of unequal length without work on padding: they are sorted by length, step t has only the rows that reach it, and the steps
 * lie packed one behind the other (as cuDNN and PyTorch's PackedSequence do it).
 */

import { checkCount, checkShape } from '../tensor/shape';
import { type IntTensor, isIntTensor } from '../tensor/tensor';

/** How the rows of `[T, B]` are run. Row numbers of `[T·B]` are t·B + b; the history of states has the initial rows first. */
export interface Packing {
  /** How many rows each step has; never increases. */
  readonly rows: readonly number[];
  /** Σ rows. */
  readonly total: number;
  /** What differs from running `[T, B]` as it stands; nothing where it is run so. */
  readonly order: PackingOrder | undefined;
}

/** The sequences that are run: the rows of the batch, or the parts that a row falls into where new sequences start in it; longest first. */
interface PackingOrder {
  /** `[sequences]` the row of the batch that each is of. */
  readonly row: Int32Array;
  /** `[sequences]` the row whose initial state each begins with, −1 where it begins anew. */
  readonly initial: Int32Array;
  /** `[total]` for every packed row the row of the input. */
  readonly input: Int32Array;
  /** `[T·B]` for every output row the row of the history, −1 where the sequence has ended. */
  readonly output: Int32Array;
  /** `[B]` for every batch row the row of the history that holds its final state. */
  readonly final: Int32Array;
}

/** Steps `from` to `to` of a row, run on their own. */
interface Sequence {
  readonly row: number;
  readonly from: number;
  readonly to: number;
  readonly initial: number;
}

/** What {@link packSteps} takes into account. */
export interface PackingOptions {
  /** `[B]` how many steps of each row are valid. */
  readonly lengths?: Int32Array | undefined;
  readonly reverse?: boolean | undefined;
  /** `[T, B]` 1 where a step begins a new sequence. */
  readonly resets?: IntTensor | undefined;
}

/**
 * @throws TypeError where lengths or resets are not of Int32Array, RangeError where there are not B lengths or one is outside [0, T], or
 * resets are not `[T, B]`
 */
export function packSteps(
  where: string,
  steps: number,
  batchSize: number,
  { lengths, reverse = false, resets }: PackingOptions,
): Packing {
  if (lengths !== undefined) checkLengths(where, lengths, steps, batchSize);
  if (resets !== undefined) {
    if (!isIntTensor(resets)) throw new TypeError(`${where}: resets must be an id tensor { shape, data: Int32Array }.`);
    checkShape(where, 'resets', resets.shape, { letters: '[T, B]', lengths: [steps, batchSize] });
  }
  const marks = resets?.data.some((mark) => mark !== 0) ? resets.data : undefined;
  if (!reverse && marks === undefined && (lengths === undefined || lengths.every((length) => length === steps))) {
    return { rows: new Array<number>(steps).fill(batchSize), total: steps * batchSize, order: undefined };
  }
  const sequences: Sequence[] = [];
  for (let row = 0; row < batchSize; row++)
    sequences.push(...sequencesOf(row, lengths?.[row] ?? steps, batchSize, marks, reverse));
  sequences.sort((a, b) => b.to - b.from - (a.to - a.from) || a.row - b.row);
  const rows: number[] = [];
  for (let t = 0, running = sequences.length; t < steps; t++) {
    while (running > 0 && sequences[running - 1]!.to - sequences[running - 1]!.from <= t) running--;
    rows.push(running);
  }
  while (rows.at(-1) === 0) rows.pop();
  const total = rows.reduce((sum, count) => sum + count, 0);
  const input = new Int32Array(total);
  const output = new Int32Array(steps * batchSize).fill(-1);
  const final = new Int32Array(batchSize);
  // The state that a row ends with is that of the sequence at its far end, in the direction of running.
  const isLast = ({ row, from, to }: Sequence): boolean => (reverse ? from === 0 : to === (lengths?.[row] ?? steps));
  sequences.forEach((sequence, position) => {
    if (isLast(sequence)) final[sequence.row] = position;
  });
  let packed = 0;
  for (let t = 0; t < rows.length; t++) {
    for (let position = 0; position < rows[t]!; position++, packed++) {
      const sequence = sequences[position]!;
      const time = reverse ? sequence.to - 1 - t : sequence.from + t;
      input[packed] = time * batchSize + sequence.row;
      output[input[packed]!] = sequences.length + packed;
      if (isLast(sequence)) final[sequence.row] = sequences.length + packed;
    }
  }
  const order = {
    row: Int32Array.from(sequences, ({ row }) => row),
    initial: Int32Array.from(sequences, ({ initial }) => initial),
    input,
    output,
    final,
  };
  return { rows, total, order };
}

/** The sequences that a row falls into; the first that is run begins with the row's initial state, unless it starts anew. */
function sequencesOf(
  row: number,
  length: number,
  batchSize: number,
  marks: Int32Array | undefined,
  reverse: boolean,
): Sequence[] {
  const bounds = [0];
  for (let t = 1; t < length; t++) if (marks !== undefined && marks[t * batchSize + row] !== 0) bounds.push(t);
  const isFirst = (i: number): boolean =>
    reverse ? i === bounds.length - 1 : i === 0 && (length === 0 || !marks?.[row]);
  return bounds.map((from, i) => ({ row, from, to: bounds[i + 1] ?? length, initial: isFirst(i) ? row : -1 }));
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
export function validRows(
  where: string,
  steps: number,
  batchSize: number,
  lengths: Int32Array | undefined,
): ValidRows | undefined {
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
  if (!(lengths instanceof Int32Array))
    throw new TypeError(`${where}: lengths must be an Int32Array of batchSize numbers.`);
  if (lengths.length !== batchSize) {
    throw new RangeError(`${where}: lengths must be [B] = [${batchSize}], got [${lengths.length}].`);
  }
  lengths.forEach((length, row) => {
    checkCount(where, `lengths[${row}]`, length, 0);
    if (length > steps) throw new RangeError(`${where}: lengths[${row}] must be at most T = ${steps}, got ${length}.`);
  });
}
