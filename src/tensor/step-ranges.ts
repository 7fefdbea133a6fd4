/** Sequences cut and joined along time. */

import { sizeOf } from './shape';
import { type IntTensor, isIntTensor, type Tensor } from './tensor';

/** The part of a sequence `[T, …]` between two steps: a view. */
export function sliceSteps<X extends Tensor | IntTensor>(x: X, from: number, to: number): X {
  const {
    shape: [, ...rest],
    data,
  } = x;
  const size = sizeOf(rest);
  return { shape: [to - from, ...rest], data: data.subarray(from * size, to * size) } as unknown as X;
}

/** One sequence behind the other. */
export function concatSteps<X extends Tensor | IntTensor>(before: X | undefined, after: X): X {
  if (before === undefined) return after;
  const size = before.data.length + after.data.length;
  const data = isIntTensor(after) ? new Int32Array(size) : new Float32Array(size);
  data.set(before.data);
  data.set(after.data, before.data.length);
  return { shape: [before.shape[0]! + after.shape[0]!, ...after.shape.slice(1)], data } as unknown as X;
}
