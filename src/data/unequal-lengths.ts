/** Sequences of unequal length side by side, padded to one tensor. */

import { checkCount, checkShape, checkSome, describe } from '../tensor/shape';
import { type IntTensor, isTensor, type Tensor } from '../tensor/tensor';

/** How {@link padSequences} fills up and cuts. */
export interface PadOptions {
  /** T; the longest sequence by default. */
  readonly sequenceLength?: number;
  /** What stands behind a sequence's end: an id, or a number. 0 by default. */
  readonly padding?: number;
  /** Which part of a sequence of more than `sequenceLength` is left: its first steps, or its last. Without it such a sequence is refused. */
  readonly keep?: 'first' | 'last';
}

/** What {@link padSequences} answers. */
export interface Padded<X extends IntTensor | Tensor = IntTensor | Tensor> {
  /** Ids `[T, B]`, or vectors `[T, B, I]`. */
  readonly inputs: X;
  /** `[B]` */
  readonly lengths: Int32Array;
}

/**
 * Sequences side by side, each filled up at its end.
 *
 * @param sequences ids each, or vectors `[T_i, I]` each
 * @throws TypeError where they are not all of one kind
 * @throws RangeError where there is none, one is longer than `sequenceLength`, vectors differ in size, or an option is out of range
 * @example
 * const { inputs, lengths } = padSequences([Int32Array.of(3, 1, 4), Int32Array.of(1, 5)]);
 * inputs.data; // Int32Array [3, 1, 1, 5, 4, 0]
 * lengths; // Int32Array [3, 2]
 */
export function padSequences(sequences: readonly Int32Array[], options?: PadOptions): Padded<IntTensor>;
export function padSequences(sequences: readonly Tensor[], options?: PadOptions): Padded<Tensor>;
export function padSequences(sequences: readonly (Int32Array | Tensor)[], options?: PadOptions): Padded;
export function padSequences(
  sequences: readonly (Int32Array | Tensor)[],
  { sequenceLength, padding = 0, keep }: PadOptions = {},
): Padded {
  checkSome('padSequences', 'sequences', sequences.length, 'sequence');
  if (sequenceLength !== undefined) checkCount('padSequences', 'sequenceLength', sequenceLength);
  const first = sequences[0]!;
  const ofIds = first instanceof Int32Array;
  checkAlike('padSequences', (i) => `sequences[${i}]`, sequences);
  checkPadding('padSequences', padding, ofIds);
  if (keep !== undefined && keep !== 'first' && keep !== 'last')
    throw new RangeError(`padSequences: keep must be 'first' or 'last', got ${describe(keep)}.`);
  const size = ofIds ? 1 : first.shape[1]!;
  const full = sequences.map(lengthOf);
  const longest = full.reduce((most, length) => Math.max(most, length), 0);
  const T = sequenceLength ?? longest;
  if (longest > T && keep === undefined) {
    throw new RangeError(
      `padSequences: sequences[${full.indexOf(longest)}] has ${longest} steps, more than sequenceLength = ${T}. Cut by keep: 'first' or 'last'.`,
    );
  }
  const B = sequences.length;
  const lengths = Int32Array.from(full, (length) => Math.min(length, T));
  const data = (ofIds ? new Int32Array(T * B) : new Float32Array(T * B * size)).fill(padding);
  sequences.forEach((sequence, row) => {
    const numbers = sequence instanceof Int32Array ? sequence : sequence.data;
    const skipped = keep === 'last' ? full[row]! - lengths[row]! : 0;
    for (let t = 0; t < lengths[row]!; t++) {
      data.set(numbers.subarray((skipped + t) * size, (skipped + t + 1) * size), (t * B + row) * size);
    }
  });
  return { inputs: { shape: ofIds ? [T, B] : [T, B, size], data } as IntTensor | Tensor, lengths };
}

/** @throws TypeError unless all are ids or all vectors, RangeError unless vectors are all of one size */
export function checkAlike(
  where: string,
  nameOf: (i: number) => string,
  sequences: readonly (Int32Array | Tensor)[],
): void {
  const first = sequences[0]!;
  sequences.forEach((sequence, i) => {
    if (sequence instanceof Int32Array ? first instanceof Int32Array : isTensor(sequence) && isTensor(first)) {
      if (isTensor(sequence))
        checkShape(where, nameOf(i), sequence.shape, {
          letters: '[T, I]',
          lengths: [undefined, (first as Tensor).shape[1]],
        });
      return;
    }
    const wanted = isTensor(first) ? 'a tensor [T, I]' : 'an Int32Array of ids';
    const like = i > 0 ? `, like ${nameOf(0)}` : ', or a tensor [T, I]';
    throw new TypeError(
      `${where}: ${nameOf(i)} must be ${wanted}${like}, got ${sequence instanceof Int32Array ? 'an Int32Array' : describe(sequence)}.`,
    );
  });
}

/** @throws RangeError unless padding is a number, and of ids a whole one */
export function checkPadding(where: string, padding: number, ofIds: boolean): void {
  if (ofIds ? Number.isInteger(padding) : typeof padding === 'number') return;
  throw new RangeError(
    `${where}: padding must be ${ofIds ? 'an id, a whole number' : 'a number'}, got ${describe(padding)}.`,
  );
}

/** T of a sequence. */
export const lengthOf = (sequence: Int32Array | Tensor): number =>
  sequence instanceof Int32Array ? sequence.length : sequence.shape[0]!;
