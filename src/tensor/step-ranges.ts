/** Parts of sequences along time. */

import { type IntTensor, isIntTensor, likeTensor, type Tensor } from './tensor';

/** Returns the number of valid steps of each row among the steps from `from` up to, but not including, `to`. */
export function lengthsIn(lengths: Int32Array, from: number, to: number): Int32Array {
  return lengths.map((length) => Math.max(0, Math.min(length, to) - from));
}

/** Concatenates two sequences `[T, …]` along time; `first` may be missing. */
export function concatSteps<X extends Tensor | IntTensor>(first: X | undefined, second: X): X {
  if (first === undefined) return second;
  const size = first.data.length + second.data.length;
  const data = isIntTensor(second) ? new Int32Array(size) : new Float32Array(size);
  data.set(first.data);
  data.set(second.data, first.data.length);
  return likeTensor(second, [first.shape[0]! + second.shape[0]!, ...second.shape.slice(1)], data);
}
