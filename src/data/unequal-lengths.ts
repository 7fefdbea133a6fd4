/** Padding of sequences of unequal length. */

import { isArrayOf } from '../tensor/arrays';
import { checkArray, checkCount, checkNames, checkShape, checkSome, mismatch, outOfRange } from '../tensor/shape';
import { checkTensor, type IntTensor, isTensor, type Tensor } from '../tensor/tensor';

/** The options of {@link padSequences}. */
export interface PadOptions {
  /** T; the length of the longest sequence by default. */
  readonly sequenceLength?: number | undefined;
  /** The padding value: a token id, or a number. 0 by default. */
  readonly padding?: number | undefined;
  /**
   * Which steps of a sequence longer than `sequenceLength` are kept: the first or the last. Without it such a sequence
   * throws.
   */
  readonly keep?: 'first' | 'last' | undefined;
}

/** The result of {@link padSequences}. */
export interface Padded<X extends IntTensor | Tensor = IntTensor | Tensor> {
  /** Token ids `[T, B]`, or vectors `[T, B, I]`. */
  readonly inputs: X;
  /** `[B]` the number of valid steps of each row. */
  readonly lengths: Int32Array;
}

/** The tensor of sequences, or of targets, of type T side by side. */
export type TensorOf<T> = T extends Tensor ? Tensor : IntTensor;

/**
 * Pads sequences at their ends to equal length.
 *
 * @param sequences token ids, or vectors `[T_i, I]`
 * @throws TypeError if the sequences are not all of one kind
 * @throws RangeError if there are no sequences, one is longer than `sequenceLength`, vectors differ in size, or an
 * option is out of range
 * @example
 * const { inputs, lengths } = padSequences([Int32Array.of(3, 1, 4), Int32Array.of(1, 5)]);
 * inputs.data; // Int32Array [3, 1, 1, 5, 4, 0]
 * lengths; // Int32Array [3, 2]
 */
export function padSequences<T extends Int32Array | Tensor>(
  sequences: readonly T[],
  options?: PadOptions,
): Padded<TensorOf<T>>;
export function padSequences(sequences: readonly (Int32Array | Tensor)[], options: PadOptions = {}): Padded {
  checkNames('padSequences', 'options', options, ['sequenceLength', 'padding', 'keep']);
  const { sequenceLength, padding = 0, keep } = options;
  checkArray('padSequences', 'sequences', sequences);
  checkSome('padSequences', 'sequences', sequences.length, 'sequence');
  if (sequenceLength !== undefined) checkCount('padSequences', 'sequenceLength', sequenceLength);
  const first = sequences[0]!;
  const areIds = isArrayOf('Int32Array', first);
  checkSameKind('padSequences', (i) => `sequences[${i}]`, sequences);
  checkPadding('padSequences', padding, areIds);
  if (keep !== undefined && keep !== 'first' && keep !== 'last')
    throw outOfRange('padSequences', 'keep', "'first' or 'last'", keep);
  const fullLengths = sequences.map(sequenceLengthOf);
  const longest = fullLengths.reduce((max, length) => Math.max(max, length), 0);
  const T = sequenceLength ?? longest;
  if (longest > T && keep === undefined) {
    throw outOfRange(
      'padSequences',
      `the length of sequences[${fullLengths.indexOf(longest)}]`,
      `at most sequenceLength = ${T}`,
      longest,
      "Pass keep: 'first' or 'last' to truncate it.",
    );
  }
  const B = sequences.length;
  const size = areIds ? 1 : first.shape[1]!;
  const lengths = Int32Array.from(fullLengths, (length) => Math.min(length, T));
  const data = (areIds ? new Int32Array(T * B) : new Float32Array(T * B * size)).fill(padding);
  sequences.forEach((sequence, row) => {
    const values = isArrayOf('Int32Array', sequence) ? sequence : sequence.data;
    const skipped = keep === 'last' ? fullLengths[row]! - lengths[row]! : 0;
    for (let t = 0; t < lengths[row]!; t++) {
      data.set(values.subarray((skipped + t) * size, (skipped + t + 1) * size), (t * B + row) * size);
    }
  });
  return { inputs: { shape: areIds ? [T, B] : [T, B, size], data } as IntTensor | Tensor, lengths };
}

/**
 * @throws TypeError unless all sequences are ids or all are vectors; RangeError unless all vectors have the same size
 */
export function checkSameKind(
  where: string,
  nameOf: (i: number) => string,
  sequences: readonly (Int32Array | Tensor)[],
): void {
  const first = sequences[0]!;
  sequences.forEach((sequence, i) => {
    if (isArrayOf('Int32Array', sequence) && isArrayOf('Int32Array', first)) return;
    if (isTensor(sequence) && isTensor(first)) {
      checkTensor(where, nameOf(i), sequence);
      checkShape(where, nameOf(i), sequence.shape, '[T, I]', [undefined, first.shape[1]]);
      return;
    }
    const expected = isTensor(first) ? 'a tensor [T, I]' : 'an Int32Array of ids';
    const reason = i > 0 ? `, like ${nameOf(0)}` : ', or a tensor [T, I]';
    throw mismatch(where, nameOf(i), expected + reason, sequence);
  });
}

/** @throws RangeError unless the padding is a number; for ids, an integer */
export function checkPadding(where: string, padding: number, areIds: boolean): void {
  if (typeof padding === 'number' && (!areIds || (padding | 0) === padding)) return;
  throw outOfRange(where, 'padding', areIds ? 'an id, an integer' : 'a number', padding);
}

/** The number of steps of a sequence. */
export function sequenceLengthOf(sequence: Int32Array | Tensor): number {
  return isArrayOf('Int32Array', sequence) ? sequence.length : sequence.shape[0]!;
}
